// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/newsgroups.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/data/line_cursor.h"
#include "eddy/data/source.h"
#include "eddy/data/unicode.h"

namespace eddy {
namespace {

struct Place {
  std::string_view part, group, number;
};

/// "…-train/GROUP/NUMBER"; an empty part when the path is no message.
Place place_of(std::string_view path) {
  const std::string_view inside = last_parts(path, 3);
  const std::size_t first = inside.find('/'), last = inside.rfind('/');
  if (inside.empty()) return {};
  const std::string_view folder = inside.substr(0, first), number = inside.substr(last + 1);
  if (number.empty() || number.find_first_not_of("0123456789") != std::string_view::npos) return {};
  for (const std::string_view part : {"train", "test"})
    if (folder == part || (folder.ends_with(part) && folder[folder.size() - part.size() - 1] == '-'))
      return {part, inside.substr(first + 1, last - first - 1), number};
  return {};
}

constexpr std::string_view kBlanks = " \t";

/// `text` without `prefix` in front of it, and without blanks before and after what is left.
std::string_view after(std::string_view text, std::string_view prefix) {
  text.remove_prefix(prefix.size());
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(kBlanks)));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

/// The subject among the headers, which end with an empty line: in small letters and without "Re:"; empty: none.
std::string thread_of(std::string_view message) {
  constexpr std::string_view kSubject = "subject:", kReply = "re:";
  for (LineCursor lines(message); lines.next() && !lines.line().empty();) {
    std::string line(lines.line());
    std::ranges::transform(line, line.begin(), [](unsigned char c) { return c < 0x80 ? std::tolower(c) : c; });
    if (!line.starts_with(kSubject)) continue;
    std::string_view subject = after(line, kSubject);
    while (subject.starts_with(kReply)) subject = after(subject, kReply);
    return std::string(subject);
  }
  return {};
}

}  // namespace

Newsgroups read_newsgroups(const std::filesystem::path& source) {
  using Key = std::pair<std::string, std::int64_t>;  // group, number
  std::map<Key, Document> train, test;
  std::map<std::string, std::int64_t> threads;
  read_files(
      source, [](std::string_view name) { return !place_of(name).part.empty(); },
      [&](const std::string& name, std::string contents) {
        const Place place = place_of(name);
        std::int64_t number = 0;
        std::from_chars(place.number.data(), place.number.data() + place.number.size(), number);
        Document document;
        document.text = decode_text(std::move(contents), TextEncoding::utf8_or_latin1, name);
        document.id = fmt::format("{}/{}/{}", place.part, place.group, place.number);
        if (const std::string thread = thread_of(document.text); !thread.empty())
          document.group = threads.emplace(thread, std::ssize(threads)).first->second;
        auto& part = place.part == "train" ? train : test;
        require<DataError>(part.emplace(Key(place.group, number), std::move(document)).second,
                           "{}: message {} stands twice", source.string(), name);
      });
  require<DataError>(!train.empty() && !test.empty(),
                     "{}: holds {} training and {} test messages; expected files 20news-bydate-train/GROUP/NUMBER and "
                     "20news-bydate-test/GROUP/NUMBER",
                     source.string(), train.size(), test.size());
  Newsgroups news;
  std::vector<std::string>& groups = news.train.label_names;
  for (auto& [key, document] : train) {
    if (groups.empty() || groups.back() != key.first) groups.push_back(key.first);
    document.label = static_cast<int>(groups.size()) - 1;
    news.train.documents.push_back(std::move(document));
  }
  news.test.label_names = groups;
  for (auto& [key, document] : test) {
    const auto group = std::lower_bound(groups.begin(), groups.end(), key.first);
    require<DataError>(group != groups.end() && *group == key.first, "{}: group {} of {} has no training messages",
                       source.string(), key.first, document.id);
    document.label = static_cast<int>(group - groups.begin());
    news.test.documents.push_back(std::move(document));
  }
  return news;
}

}  // namespace eddy
