// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/headlines.h"

#include <algorithm>
#include <array>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/data/line_cursor.h"
#include "eddy/data/token_table.h"

namespace eddy {

namespace {

constexpr std::array<std::string_view, 4> kSpecials = {"_PAD", "_GO", "_EOS", "_UNK"};
constexpr SpecialTokens kSpecialIds{.pad = 0, .go = 1, .end = 2, .unknown = 3};

HeadlinePart make_part(NamedText content, NamedText title, const TokenSet& tokens) {
  HeadlinePart part;
  part.texts = pair_lines(std::move(content), std::move(title));
  std::vector<TextPair> plain = part.texts;
  for (TextPair& pair : plain) {
    pair.source = digits_to_zero(pair.source);
    pair.target = digits_to_zero(pair.target);
  }
  PairEncodeOptions options;
  options.source_tokenizer = {.unit = TokenUnit::whitespace, .lower_case = false};
  options.target_tokenizer = options.source_tokenizer;
  part.pairs = encode_pairs(plain, tokens, tokens, options);
  return part;
}

}  // namespace

HeadlineCorpus read_headlines(const std::filesystem::path& source, const HeadlineFiles& files,
                              std::int64_t vocabulary_size) {
  const std::array<std::string, 7> names{files.vocabulary, files.train_content, files.train_title, files.dev_content,
                                         files.dev_title,  files.test_content,  files.test_title};
  std::vector<NamedText> texts = read_named_files(source, names);
  HeadlineCorpus corpus;
  corpus.tokens = parse_headline_vocabulary(texts[0], vocabulary_size);
  corpus.train = make_part(std::move(texts[1]), std::move(texts[2]), corpus.tokens);
  corpus.dev = make_part(std::move(texts[3]), std::move(texts[4]), corpus.tokens);
  corpus.test = make_part(std::move(texts[5]), std::move(texts[6]), corpus.tokens);
  return corpus;
}

TokenSet parse_headline_vocabulary(const NamedText& text, std::int64_t vocabulary_size) {
  require<UsageError>(vocabulary_size == 0 || vocabulary_size > static_cast<std::int64_t>(kSpecials.size()),
                      "a vocabulary of {}; expected 0 for all or more than the {} special ones",
                      counted(vocabulary_size, "token"), kSpecials.size());
  std::vector<std::string> tokens;
  TokenTable seen;
  for (LineCursor lines(text.contents); lines.next();) {
    if (vocabulary_size > 0 && static_cast<std::int64_t>(tokens.size()) == vocabulary_size) break;
    const std::string_view line = lines.line();
    const std::size_t number = tokens.size() + 1;
    require<DataError>(number > kSpecials.size() || line == kSpecials[number - 1],
                       "{}:{}: found \"{}\", expected the special token {}", text.name, number, line,
                       number > kSpecials.size() ? "" : kSpecials[number - 1]);
    require<DataError>(!line.empty(), "{}:{}: token is empty", text.name, number);
    const std::int32_t before = seen.insert(line);
    require<DataError>(before + 1 == static_cast<std::int32_t>(number), "{}:{}: token \"{}\" stands in line {} already",
                       text.name, number, line, before + 1);
    tokens.emplace_back(line);
  }
  require<DataError>(tokens.size() >= kSpecials.size(), "{}: holds {}, expected at least the {} special ones",
                     text.name, counted(std::ssize(tokens), "token"), kSpecials.size());
  return TokenSet(tokens, kSpecialIds);
}

std::string digits_to_zero(std::string_view text) {
  std::string zeros(text);
  std::replace_if(
      zeros.begin(), zeros.end(), [](char c) { return c >= '0' && c <= '9'; }, '0');
  return zeros;
}

std::vector<PairSize> headline_sizes() { return {{119, 29}, {199, 34}, {299, 39}, {399, 39}, {499, 39}}; }

}  // namespace eddy
