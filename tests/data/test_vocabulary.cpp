// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/random.h"
#include "eddy/data/vocabulary.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;

namespace {

TokenCounter count(std::initializer_list<std::string_view> tokens) {
  TokenCounter counter;
  for (const std::string_view token : tokens) counter.add(token);
  counter.add_document();
  return counter;
}

using Tokens = std::vector<std::string>;
using Counts = std::vector<std::int64_t>;

std::string list_problem(const Tokens& tokens, const Counts& counts) {
  return error_of<DataError>([&] { Vocabulary::from_lists(tokens, counts); });
}

}  // namespace

TEST_CASE("a token table numbers strings in order and survives growth") {
  TokenTable table;
  for (int i = 0; i < 20000; ++i) REQUIRE(table.insert(fmt::format("token{}", i)) == i);
  for (int i = 0; i < 20000; ++i) {
    REQUIRE(table.insert(fmt::format("token{}", i)) == i);
    REQUIRE(table.text(i) == fmt::format("token{}", i));
  }
  CHECK(table.find("none") == -1);
  CHECK(table.find("") == -1);
  CHECK(table.insert("") == 20000);
  CHECK(table.find("") == 20000);
  const TokenTable copy = table;
  CHECK(copy.find("token777") == 777);
}

TEST_CASE("ids go by count, then by text, after the special tokens") {
  const TokenCounter counter = count({"b", "a", "c", "c", "b", "a", "c", "rare"});
  const Vocabulary vocabulary(counter, {});
  CHECK(vocabulary.tokens() == Tokens{"<unk>", "<eos>", "c", "a", "b", "rare"});
  CHECK(vocabulary.counts() == Counts{0, 1, 3, 2, 2, 1});
  CHECK(vocabulary.encode("a") == 3);
  CHECK(vocabulary.encode("none") == Vocabulary::kUnknown);
  CHECK(vocabulary.find("none") == -1);
  CHECK(vocabulary.decode(2) == "c");
  const std::vector<std::int32_t> ids = {4, 0, 1};
  CHECK(vocabulary.decode(ids) == "b <unk> <eos>");
  CHECK(contains(error_of<DataError>([&] { vocabulary.decode(6); }), "token id 6 is not in a vocabulary of 6"));
  CHECK_THROWS_AS(vocabulary.count(-1), DataError);
}

TEST_CASE("minimum count and cap leave tokens to <unk>, with their counts") {
  const TokenCounter counter = count({"b", "a", "c", "c", "b", "a", "c", "rare"});
  const Vocabulary often(counter, {.min_count = 2});
  CHECK(often.tokens() == Tokens{"<unk>", "<eos>", "c", "a", "b"});
  CHECK(often.count(0) == 1);
  const Vocabulary capped(counter, {.max_size = 4});
  CHECK(capped.tokens() == Tokens{"<unk>", "<eos>", "c", "a"});
  CHECK(capped.count(0) == 3);
  CHECK(Vocabulary(counter, {.max_size = 2}).size() == 2);
  CHECK_THROWS_AS(Vocabulary(counter, {.max_size = 1}), UsageError);
  CHECK_THROWS_AS(Vocabulary(counter, {.min_count = 0}), UsageError);
}

TEST_CASE("a minimum of documents leaves out what stands in fewer different ones") {
  // Once with the calls before the tokens of each document, once after.
  for (const bool before : {true, false}) {
    TokenCounter counter;
    const auto add = [&](std::initializer_list<std::string_view> tokens) {
      if (before) counter.add_document();
      for (const std::string_view token : tokens) counter.add(token);
      if (!before) counter.add_document();
    };
    add({"often", "often", "often", "both"});
    add({"both", "<eos>"});
    add({});
    add({"last", "both"});
    counter.add_uncounted("both");
    CHECK(counter.counted(0).documents == 1);
    CHECK(counter.counted(1).documents == 3);
    CHECK(Vocabulary(counter, {.min_documents = 2}).tokens() == Tokens{"<unk>", "<eos>", "both"});
    CHECK(Vocabulary(counter, {.min_documents = 2}).counts() == Counts{4, 5, 3});
    CHECK(Vocabulary(counter, {.min_count = 2}).tokens() == Tokens{"<unk>", "<eos>", "both", "often"});
    CHECK(Vocabulary(counter, {.min_count = 4, .min_documents = 2}).size() == 2);
    CHECK_THROWS_AS(Vocabulary(counter, {.min_documents = 0}), UsageError);
  }
}

TEST_CASE("counts of a document that was cut are joined") {
  TokenCount first, nothing, rest;
  first.append(nothing);
  CHECK(first.documents == 0);
  first.add(3);
  first.add(4);
  rest.add(4);
  rest.add(4);
  rest.add(6);
  first.append(rest);
  first.append(nothing);
  CHECK(first.count == 5);
  CHECK(first.documents == 3);
  CHECK(first.first_document == 3);
  CHECK(first.last_document == 6);
  nothing.append(first);
  CHECK(nothing.first_document == 3);
  CHECK(nothing.documents == 3);
}

TEST_CASE("special tokens in the text are the special tokens") {
  const Vocabulary vocabulary(count({"<unk>", "x", "<unk>", "<eos>"}), {});
  CHECK(vocabulary.tokens() == Tokens{"<unk>", "<eos>", "x"});
  CHECK(vocabulary.counts() == Counts{2, 2, 1});
}

TEST_CASE("uncounted tokens shape nothing") {
  TokenCounter counter = count({"a"});
  counter.add_uncounted("b");
  counter.add_uncounted("a");
  CHECK(Vocabulary(counter, {}).tokens() == Tokens{"<unk>", "<eos>", "a"});
}

TEST_CASE("a vocabulary is the same after its lists") {
  Philox random(3);
  TokenCounter counter;
  for (const std::string_view odd : {"\t", "\n", "\r", "\\", "a b", "\xC3\xA9"}) counter.add(odd);
  for (int i = 0; i < 500; ++i) counter.add(fmt::format("w{}", uniform_index(random, 100)));
  const Vocabulary vocabulary(counter, {});
  CHECK(Vocabulary::from_lists(vocabulary.tokens(), vocabulary.counts()) == vocabulary);
  CHECK_FALSE(Vocabulary() == vocabulary);
}

TEST_CASE("malformed lists are refused with the number of the token") {
  CHECK(list_problem({"<unk>", "<eos>", "a"}, {0, 0, 1}).empty());
  CHECK(contains(list_problem({}, {}), "vocabulary has 0 tokens"));
  CHECK(contains(list_problem({"<unk>"}, {0}), "vocabulary has 1 token"));
  CHECK(contains(list_problem({"<unk>", "<eos>"}, {1}), "2 tokens and 1 count"));
  CHECK(contains(list_problem({"a", "<eos>"}, {0, 0}), "vocabulary token 0: found \"a\", expected \"<unk>\""));
  CHECK(contains(list_problem({"<unk>", "<eos>", "a", "a"}, {0, 0, 1, 1}), "token 3: \"a\" stands earlier too"));
  CHECK(contains(list_problem({"<unk>", "<eos>", ""}, {0, 0, 0}), "vocabulary token 2: the token is empty"));
  CHECK(contains(list_problem({"<unk>", "<eos>", "a"}, {0, 0, -1}), "vocabulary token 2: \"a\" has count -1"));
}

}  // namespace eddy
