// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "eddy/data/additions.h"
#include "eddy/data/digit_patterns.h"
#include "eddy/data/number_stories.h"
#include "eddy/data/pair_batches.h"
#include "eddy/data/pig_latin.h"
#include "files.h"
#include "real_data.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::TemporaryFolder;

namespace {

using Ints = std::vector<std::int32_t>;
using Texts = std::vector<std::string>;

Ints ids(std::span<const std::int32_t> span) { return {span.begin(), span.end()}; }

}  // namespace

TEST_CASE("the number stories have the ids of the article") {
  const EncodedPairs stories = number_stories();
  REQUIRE(stories.size() == 5);
  CHECK(stories.source_tokens.size() == 51);
  CHECK(stories.target_tokens.classes() == 51);
  CHECK(stories.source_tokens == stories.target_tokens);
  const std::array<Ints, 5> inputs{Ints{1, 12, 19, 20, 21}, Ints{22, 23, 24, 25, 2}, Ints{3, 4, 5, 6, 7},
                                   Ints{8, 9, 10, 11, 13}, Ints{14, 15, 16, 17, 18}};
  for (std::int32_t i = 0; i < 5; ++i) CHECK(ids(stories.source.document(i)) == inputs[static_cast<std::size_t>(i)]);
  // The words alphabetically from 26: eight, eighteen, eleven, fifteen, five, four, fourteen, nine, nineteen, one, ...
  CHECK(stories.target_tokens.text(26) == "eight");
  CHECK(stories.target_tokens.text(27) == "eighteen");
  CHECK(stories.target_tokens.text(50) == "two");
  CHECK(ids(stories.target.document(0)) == Ints{35, 50, 42, 31, 30});
  CHECK(stories.target_tokens.join(stories.target.document(4)) ==
        "twenty_one twenty_two twenty_three twenty_four twenty_five");

  PairBatches batches(stories, {.batch_size = 3});
  CHECK(batches.batches_per_epoch() == 2);
  const PairBatch batch = batches.next();
  CHECK(batch.source_time() == 5);
  CHECK(batch.target_time() == 5);
  CHECK(batch.target_in.values<std::int32_t>()[0] == 0);
}

TEST_CASE("patterns of digits") {
  Ints digits(10);
  std::iota(digits.begin(), digits.end(), 0);
  CHECK(apply_pattern(DigitPattern::maxmin_dup, digits) == Ints{9, 0, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(apply_pattern(DigitPattern::reversed, digits) == Ints{9, 8, 7, 6, 5, 4, 3, 2, 1, 0});
  CHECK(apply_pattern(DigitPattern::sorted, Ints{5, 3, 9, 3, 0}) == Ints{0, 3, 3, 5, 9});
  for (const auto pattern : {DigitPattern::sorted, DigitPattern::reversed, DigitPattern::maxmin_dup})
    CHECK(parse_digit_pattern(to_string(pattern)) == pattern);
  CHECK(error_of<UsageError>([] { parse_digit_pattern("shuffled"); }) ==
        "pattern \"shuffled\" is not one of sorted, reversed, maxmin_dup");
  CHECK_THROWS_AS(apply_pattern(DigitPattern::maxmin_dup, Ints{1}), UsageError);
}

TEST_CASE("pattern samples draw every digit alike, 9 too, and follow the seed") {
  const DigitPatternOptions options{.pattern = DigitPattern::reversed, .samples = 2000, .output_length = 4, .seed = 9};
  const EncodedPairs pairs = digit_patterns(options);
  REQUIRE(pairs.size() == 2000);
  CHECK(pairs.source_tokens.size() == 10);
  CHECK(pairs.target_tokens.size() == 11);
  CHECK(pairs.target_tokens.classes() == 10);
  std::array<int, 10> counts{};
  for (std::int32_t i = 0; i < pairs.size(); ++i) {
    const Ints digits = ids(pairs.source.document(i));
    REQUIRE(digits.size() == 10);
    for (const std::int32_t digit : digits) ++counts.at(static_cast<std::size_t>(digit));
    Ints wanted = apply_pattern(DigitPattern::reversed, digits);
    wanted.resize(4);
    CHECK(ids(pairs.target.document(i)) == wanted);
  }
  for (const int count : counts) {
    CHECK(count > 1800);
    CHECK(count < 2200);
  }
  const EncodedPairs again = digit_patterns(options);
  DigitPatternOptions other = options;
  other.seed = 10;
  bool same = true;
  bool differs = false;
  const EncodedPairs changed = digit_patterns(other);
  for (std::int32_t i = 0; i < pairs.size(); ++i) {
    same = same && ids(pairs.source.document(i)) == ids(again.source.document(i));
    differs = differs || ids(pairs.source.document(i)) != ids(changed.source.document(i));
  }
  CHECK(same);
  CHECK(differs);

  PairBatches batches(pairs, {.batch_size = 4});
  const PairBatch batch = batches.next();
  CHECK(batch.source_time() == 10);
  CHECK(batch.target_time() == 4);
  CHECK(batch.target_in.values<std::int32_t>()[0] == 10);
  CHECK_THROWS_AS(digit_patterns({.input_length = 5, .output_length = 6}), UsageError);
  CHECK_THROWS_AS(digit_patterns({.samples = 0}), UsageError);
}

TEST_CASE("Pig Latin by the rule of its authors") {
  const std::array<std::array<std::string_view, 2>, 11> words{{{"ok", "okyay"},
                                                               {"sin", "insay"},
                                                               {"cos", "oscay"},
                                                               {"master", "astermay"},
                                                               {"hanting", "antinghay"},
                                                               {"dddodd", "oddddday"},
                                                               {"string", "ingstray"},
                                                               {"zzzm", "zzzmay"},
                                                               {"yellow", "ellowyay"},
                                                               {"a", "ayay"},
                                                               {"quit", "uitqay"}}};
  for (const auto& [word, wanted] : words) CHECK(pig_latin(word) == wanted);
  CHECK_THROWS_AS(pig_latin(""), DataError);
  CHECK(error_of<DataError>([] { pig_latin("It's"); }) ==
        "\"It's\" has no Pig Latin; expected a word of the letters a to z");
}

TEST_CASE("a word list gives words of a-z once, in lower case") {
  const TemporaryFolder folder;
  const auto list = folder.write("words", "A\nAaron\nAaron's\n\u00e9tude\nzebra\r\naaron\n\n  cat \nlongest\nok\n");
  CHECK(read_word_list(list) == Texts{"a", "aaron", "zebra", "cat", "longest", "ok"});
  CHECK(read_word_list(list, "", {.shortest = 3, .longest = 6}) == Texts{"aaron", "zebra", "cat"});
  CHECK(read_word_list(folder.path(), "words").size() == 6);
  CHECK(contains(error_of<DataError>([&] { read_word_list(list, "", {.shortest = 9, .longest = 9}); }),
                 "none of 10 lines is a word of 9 to 9 letters"));
  CHECK(contains(error_of<DataError>([&] { read_word_list(folder.path() / "none"); }), "Debian package wamerican"));
}

TEST_CASE("the word list of Linusp/soph is read whole") {
  const auto list = test::real_data("pig-latin-words.tar.xz");
  if (!list) return;
  const Texts words = read_word_list(*list, "words.txt");
  CHECK(words.size() == 230943);
  std::size_t longest = 0;
  for (const std::string& word : words) longest = std::max(longest, word.size());
  CHECK(longest == 16);
  CHECK(read_word_list(*list, "words.txt", {.longest = 100}).size() == words.size());
}

TEST_CASE("words are encoded as letters, alone or in a frame") {
  const std::vector<TextPair> pairs = pig_latin_pairs(Texts{"sin", "ok"});
  const EncodedPairs plain = encode_characters(pairs, kPigLatinCharacters);
  CHECK(plain.source_tokens.size() == 28);
  CHECK(plain.target_tokens.classes() == 28);
  CHECK(ids(plain.source.document(0)) == Ints{18, 8, 13});
  CHECK(ids(plain.target.document(0)) == Ints{8, 13, 18, 0, 24});
  PairBatches batches(plain, {.batch_size = 1, .shuffle = false});
  batches.next();
  const PairBatch batch = batches.next();
  CHECK(Ints(batch.target_in.values<std::int32_t>().begin(), batch.target_in.values<std::int32_t>().end()) ==
        Ints{26, 8, 13, 18, 0, 24});
  CHECK(Ints(batch.target_out.values<std::int32_t>().begin(), batch.target_out.values<std::int32_t>().end()) ==
        Ints{8, 13, 18, 0, 24, 27});

  const EncodedPairs framed = encode_characters(pairs, kPigLatinCharacters, kPigLatinFrame);
  const Ints source = ids(framed.source.document(1));
  REQUIRE(source.size() == 18);
  CHECK(Ints(source.begin(), source.begin() + 5) == Ints{26, 14, 10, 27, 27});
  CHECK(source.back() == 27);
  CHECK(framed.target.length(1) == 20);
  CHECK(framed.targets_complete);
  CHECK(framed.target_tokens.join(framed.target.document(1), "") == "okyay");
  CHECK(PairBatches(framed, {.batch_size = 2}).sizes() == std::vector<PairSize>{{18, 20}});

  const CharacterFrame tight{.source_length = 4, .target_length = 5};
  CHECK(error_of<DataError>([&] { encode_characters(pairs, kPigLatinCharacters, tight); }) ==
        "pair sin: \"insay\" has 5 characters, a frame of 5 holds at most 4");
  const std::vector<TextPair> strange{{"n0", "x", "7"}};
  CHECK(error_of<DataError>([&] { encode_characters(strange, kPigLatinCharacters); }) ==
        "pair 7: \"0\" is not one of the 28 tokens");
}

TEST_CASE("additions are complete and a held-out sum is held out both ways round") {
  const std::vector<TextPair> pairs = additions();
  REQUIRE(pairs.size() == 10000);
  CHECK(pairs[1234].source == "12+34");
  CHECK(pairs[1234].target == "46");
  CHECK(pairs.back().source == "99+99");
  CHECK(pairs.back().target == "198");
  const EncodedPairs framed = encode_characters(pairs, kAdditionCharacters, kAdditionFrame);
  CHECK(framed.source_tokens.size() == 14);
  CHECK(framed.source.length(1234) == 12);
  CHECK(framed.source_tokens.join(framed.source.document(1234), "") == "12+34");
  CHECK(framed.target_tokens.join(framed.target.document(1234), "") == "46");

  const std::vector<std::string> keys = addition_keys(pairs);
  const PairSplit split = split_by_key(keys, {.validation = 100, .test = 500});
  std::set<std::string> trained;
  for (const std::int32_t i : split.train) trained.insert(pairs[static_cast<std::size_t>(i)].source);
  for (const std::int32_t i : split.test) {
    const std::string& source = pairs[static_cast<std::size_t>(i)].source;
    const std::size_t plus = source.find('+');
    CHECK(!trained.contains(source.substr(plus + 1) + "+" + source.substr(0, plus)));
  }
  CHECK(split.test.size() > 900);
  CHECK_THROWS_AS(additions(0), UsageError);
  CHECK_THROWS_AS(addition_keys(std::vector<TextPair>{{"12", "12", "1"}}), DataError);
}

TEST_CASE("samples that repeat stay in one part of a split") {
  const EncodedPairs pairs = digit_patterns({.samples = 500, .input_length = 2});
  const std::vector<std::string> keys = source_keys(pairs);
  CHECK(keys[0].size() == 3);
  const PairSplit split = split_by_key(keys, {.validation = 20, .test = 20});
  std::set<std::string> trained;
  for (const std::int32_t i : split.train) trained.insert(keys[static_cast<std::size_t>(i)]);
  for (const std::int32_t i : split.test) CHECK(!trained.contains(keys[static_cast<std::size_t>(i)]));
}

}  // namespace eddy
