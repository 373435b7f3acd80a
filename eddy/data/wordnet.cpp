// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/wordnet.h"

#include <charconv>
#include <string>
#include <system_error>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/data/line_cursor.h"
#include "eddy/data/source.h"

namespace eddy {

namespace {

struct PartOfSpeech {
  std::string_view name;
  std::string_view synset_types;
};

constexpr std::array<PartOfSpeech, 4> kParts = {{{"noun", "n"}, {"verb", "v"}, {"adj", "as"}, {"adv", "r"}}};

bool all_digits(std::string_view text) { return text.find_first_not_of("0123456789") == std::string_view::npos; }

/// One data line is "offset lex_filenum ss_type ... | gloss", the first three of 8, 2 and 1 characters (wndb(5WN)).
Document parse_line(std::string_view line, const PartOfSpeech& part, const std::string& where) {
  require<DataError>(line.size() > 14 && all_digits(line.substr(0, 8)) && line[8] == ' ' &&
                         all_digits(line.substr(9, 2)) && line[11] == ' ' && line[13] == ' ',
                     "{}: expected a synset \"offset lex_filenum ss_type ...\", found \"{}\"", where,
                     line.substr(0, 40));
  require<DataError>(part.synset_types.find(line[12]) != std::string_view::npos,
                     "{}: synset type is '{}', expected one of \"{}\" in data.{}", where, line[12], part.synset_types,
                     part.name);
  int label = 0;
  std::from_chars(line.data() + 9, line.data() + 11, label);
  require<DataError>(label < static_cast<int>(kLexicographerFiles.size()),
                     "{}: lexicographer file number is {}, expected at most {}", where, label,
                     kLexicographerFiles.size() - 1);
  const std::string_view name = kLexicographerFiles[static_cast<std::size_t>(label)];
  require<DataError>(name.starts_with(part.name) && name[part.name.size()] == '.',
                     "{}: lexicographer file {} ({}) does not belong in data.{}", where, label, name, part.name);
  const std::size_t bar = line.find(" | ");
  require<DataError>(bar != std::string_view::npos, "{}: synset has no gloss; expected one after \" | \"", where);
  std::string_view gloss = line.substr(bar + 3);
  gloss.remove_prefix(std::min(gloss.find_first_not_of(" \t\r"), gloss.size()));
  gloss.remove_suffix(gloss.size() - (gloss.find_last_not_of(" \t\r") + 1));
  require<DataError>(!gloss.empty(), "{}: the gloss after \" | \" is empty", where);
  return {std::string(gloss), label, fmt::format("{}:{}", part.name, line.substr(0, 8))};
}

}  // namespace

Dataset read_wordnet(const std::filesystem::path& directory) {
  Dataset data;
  data.label_names.assign(kLexicographerFiles.begin(), kLexicographerFiles.end());
  for (const PartOfSpeech& part : kParts) {
    const std::filesystem::path path = directory / fmt::format("data.{}", part.name);
    std::error_code error;
    require<DataError>(std::filesystem::is_regular_file(path, error),
                       "{}: not found; expected WordNet's database file (Debian package wordnet-base)", path.string());
    const std::string contents = read_text_file(path);
    require<DataError>(contents.empty() || contents.back() == '\n', "{}: is cut off: the last line has no end",
                       path.string());
    const std::size_t before = data.documents.size();
    LineCursor lines(contents);
    while (lines.next()) {
      if (lines.line().starts_with("  ")) continue;  // the licence
      data.documents.push_back(parse_line(lines.line(), part, fmt::format("{}:{}", path.string(), lines.number())));
    }
    require<DataError>(data.documents.size() > before, "{}: holds no synset in {}", path.string(),
                       counted(lines.number(), "line"));
  }
  return data;
}

}  // namespace eddy
