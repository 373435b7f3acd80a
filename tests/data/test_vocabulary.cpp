// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/random.h"
#include "eddy/data/vocabulary.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::TemporaryFolder;

namespace {

TokenCounter count(std::initializer_list<std::string_view> tokens) {
  TokenCounter counter;
  for (const std::string_view token : tokens) counter.add(token);
  counter.add_document();
  return counter;
}

using Tokens = std::vector<std::string>;
using Counts = std::vector<std::int64_t>;

std::string load_problem(std::string_view contents) {
  const TemporaryFolder folder;
  return error_of<DataError>([&] { Vocabulary::load(folder.write("v.txt", contents)); });
}

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

TEST_CASE("a vocabulary is the same after a file and after lists") {
  Philox random(3);
  TokenCounter counter;
  for (const std::string_view odd : {"\t", "\n", "\r", "\\", "\\t", "a b", "\xC3\xA9"}) counter.add(odd);
  for (int i = 0; i < 500; ++i) counter.add(fmt::format("w{}", uniform_index(random, 100)));
  const Vocabulary vocabulary(counter, {});
  const TemporaryFolder folder;
  vocabulary.save(folder.path() / "v.txt");
  CHECK(Vocabulary::load(folder.path() / "v.txt") == vocabulary);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  CHECK(Vocabulary::from_lists(vocabulary.tokens(), vocabulary.counts()) == vocabulary);
  CHECK_FALSE(Vocabulary() == vocabulary);
  CHECK(contains(error_of<DataError>([&] { vocabulary.save(folder.path() / "no" / "v.txt"); }), "v.txt"));
}

TEST_CASE("malformed vocabularies are refused with the line") {
  CHECK(load_problem("<unk>\t0\n<eos>\t0\na\t1\n").empty());
  CHECK(contains(load_problem(""), "v.txt: vocabulary has 0 tokens"));
  CHECK(contains(load_problem("<unk>\t0\n<eos> 0\n"), "v.txt:2: expected \"token TAB count\", found no tab"));
  CHECK(contains(load_problem("<unk>\t0\n<eos>\tx\n"), "v.txt:2: expected \"token TAB count\", the count is \"x\""));
  CHECK(contains(load_problem("<unk>\t0\n<eos>\t0\na\t1"), "v.txt:3: is cut off"));
  CHECK(contains(load_problem("<unk>\t0\n<eos>\t0\na\\q\t1\n"), "v.txt:3: backslash"));
  CHECK(contains(load_problem("<unk>\t0\n<eos>\t0\na\t1\na\t1\n"), "v.txt:4: \"a\" stands earlier too"));
  CHECK(contains(load_problem("a\t0\n<eos>\t0\n"), "v.txt:1: found \"a\", expected \"<unk>\""));
  CHECK(contains(load_problem("<unk>\t0\n<eos>\t0\n\t1\n"), "v.txt:3: the token is empty"));
  CHECK(contains(load_problem("<unk>\t0\n<eos>\t0\na\t-1\n"), "v.txt:3: \"a\" has count -1"));
  CHECK(contains(load_problem("<unk>\t0\n<eos>\t0\na\t"), "v.txt:3: is cut off"));
  CHECK(contains(load_problem("<unk>\t0\n"), "v.txt: vocabulary has 1 tokens"));
  CHECK(contains(list_problem({"<unk>", "<eos>"}, {1}), "2 tokens and 1 counts"));
  CHECK(contains(list_problem({"<unk>", "<eos>", ""}, {0, 0, 0}), "vocabulary token 2: the token is empty"));
  CHECK(contains(list_problem({"<unk>", "<eos>", "a"}, {0, 0, -1}), "has count -1"));
}

}  // namespace eddy
