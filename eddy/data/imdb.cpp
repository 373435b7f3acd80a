// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/imdb.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/data/line_cursor.h"
#include "eddy/data/source.h"

namespace eddy {

namespace {

struct Review {
  std::int64_t number = 0;
  std::int64_t rating = 0;
  std::string text;
};

struct Folder {
  std::string_view name;
  int label;
  std::vector<Review> reviews{};
  std::vector<std::int64_t> films{};  ///< of the review of each number

  std::int64_t film_of(std::int64_t number) const {
    return number < static_cast<std::int64_t>(films.size()) ? films[static_cast<std::size_t>(number)] : -1;
  }
};

/// The folders of the data set, found by the names of the files in them.
struct Folders {
  std::array<Folder, 5> all{
      {{"train/neg", 0}, {"train/pos", 1}, {"test/neg", 0}, {"test/pos", 1}, {"train/unsup", -1}}};

  Folder* named(std::string_view name) {
    const auto found = std::ranges::find(all, name, &Folder::name);
    return found == all.end() ? nullptr : &*found;
  }
  /// Of a review.
  Folder* of(std::string_view path) {
    const std::string_view inside = last_parts(path, 3);
    return inside.ends_with(".txt") ? named(inside.substr(0, inside.rfind('/'))) : nullptr;
  }
  /// "train/urls_pos.txt" lists the films of "train/pos".
  Folder* of_list(std::string_view path) {
    constexpr std::string_view kList = "/urls_", kEnd = ".txt";
    const std::string_view inside = last_parts(path, 2);
    const std::size_t at = inside.find(kList);
    if (at == std::string_view::npos || !inside.ends_with(kEnd)) return nullptr;
    const std::string_view side = inside.substr(at + kList.size());
    return named(fmt::format("{}/{}", inside.substr(0, at), side.substr(0, side.size() - kEnd.size())));
  }
};

bool parse_name(std::string_view stem, Review& review) {
  const char* end = stem.data() + stem.size();
  const auto number = std::from_chars(stem.data(), end, review.number);
  if (number.ec != std::errc() || number.ptr == end || *number.ptr != '_' || review.number < 0) return false;
  const auto rating = std::from_chars(number.ptr + 1, end, review.rating);
  return rating.ec == std::errc() && rating.ptr == end && review.rating >= 0;
}

/// Of each line, an address such as http://www.imdb.com/title/tt0453418/usercomments; -1 for others.
std::vector<std::int64_t> films_of(std::string_view lines) {
  constexpr std::string_view kTitle = "/title/tt";
  std::vector<std::int64_t> films;
  for (LineCursor reader(lines); reader.next();) {
    const std::string_view line = reader.line();
    films.push_back(-1);
    if (const std::size_t at = line.find(kTitle); at != std::string_view::npos)
      std::from_chars(line.data() + at + kTitle.size(), line.data() + line.size(), films.back());
  }
  return films;
}

void replace_line_breaks(std::string& text) {
  constexpr std::string_view kBreak = "<br />";
  std::size_t to = 0;
  for (std::size_t from = 0; from < text.size(); ++to) {
    if (text[from] == '<' && text.compare(from, kBreak.size(), kBreak) == 0) {
      text[to] = ' ';
      from += kBreak.size();
    } else {
      text[to] = text[from++];
    }
  }
  text.resize(to);
}

Review review_of(const std::filesystem::path& source, const std::string& file, std::string contents,
                 const ImdbOptions& options) {
  Review review;
  const std::size_t start = file.rfind('/') + 1;
  require<DataError>(parse_name(std::string_view(file).substr(start, file.size() - start - 4), review),
                     "{}: file {} is not named ID_RATING.txt", source.string(), file);
  review.text = decode_text(std::move(contents), options.encoding, file);
  if (options.replace_line_breaks) replace_line_breaks(review.text);
  return review;
}

/// Adds the reviews of a folder, in the order of their numbers.
void move_documents(const std::filesystem::path& source, Folder& folder, std::vector<Document>& documents) {
  require<DataError>(!folder.reviews.empty() || folder.label < 0,
                     "{}: holds no review in {}; expected the folders train/pos, train/neg, test/pos, test/neg and "
                     "perhaps train/unsup",
                     source.string(), folder.name);
  std::sort(folder.reviews.begin(), folder.reviews.end(), [](const Review& a, const Review& b) {
    return std::pair(a.number, a.rating) < std::pair(b.number, b.rating);
  });
  documents.reserve(documents.size() + folder.reviews.size());
  std::int64_t last = -1;
  for (Review& review : folder.reviews) {
    require<DataError>(review.number != last, "{}: review {} stands twice in {}", source.string(), review.number,
                       folder.name);
    last = review.number;
    documents.push_back({std::move(review.text), folder.label,
                         fmt::format("{}/{}_{}", folder.name, review.number, review.rating),
                         folder.film_of(review.number)});
  }
}

}  // namespace

Imdb read_imdb(const std::filesystem::path& source, const ImdbOptions& options) {
  Folders folders;
  const auto wanted = [&](std::string_view name) {
    return folders.of(name) != nullptr || folders.of_list(name) != nullptr;
  };
  read_files(source, wanted, [&](const std::string& name, std::string contents) {
    if (Folder* folder = folders.of_list(name)) {
      folder->films = films_of(contents);
    } else {
      folders.of(name)->reviews.push_back(review_of(source, name, std::move(contents), options));
    }
  });
  Imdb imdb;
  imdb.train.label_names = imdb.test.label_names = imdb.unlabelled.label_names = {"neg", "pos"};
  for (Folder& folder : folders.all) {
    Dataset& part = folder.label < 0 ? imdb.unlabelled : folder.name.starts_with("train") ? imdb.train : imdb.test;
    move_documents(source, folder, part.documents);
  }
  return imdb;
}

}  // namespace eddy
