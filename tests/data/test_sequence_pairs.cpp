// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <set>

#include "eddy/data/encoded_pairs.h"
#include "eddy/data/sequence_pairs.h"
#include "eddy/data/source.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::Packing;
using test::TemporaryFolder;

namespace {

constexpr std::string_view kTable = "Go.\tVa !\nRun!\tCours !\n\nRun!\tCourez !\r\nStop now.\tÇa suffit.";

void check_table(const std::vector<TextPair>& pairs) {
  REQUIRE(pairs.size() == 4);
  CHECK(pairs[0].source == "Go.");
  CHECK(pairs[0].target == "Va !");
  CHECK(pairs[2].source == "Run!");
  CHECK(pairs[2].target == "Courez !");
  CHECK(pairs[2].id == "fra.txt:4");
  CHECK(pairs[3].target == "Ça suffit.");
}

}  // namespace

TEST_CASE("pairs are read from a table, plain, compressed, in a folder and in an archive") {
  const TemporaryFolder folder;
  check_table(read_pair_table(folder.write("fra.txt", kTable)));
  check_table(read_pair_table(folder.path(), "fra.txt"));
  const auto packed = folder.path() / "set.tar.xz";
  test::write_archive(packed, {{"set/README.txt", "about"}, {"set/fra.txt", std::string(kTable)}}, Packing::tar_xz);
  check_table(read_pair_table(packed, "fra.txt"));
  check_table(read_pair_table(packed, "set/fra.txt"));
  const auto compressed = folder.path() / "fra.txt.gz";
  test::write_compressed(compressed, kTable, Packing::tar_gz);
  CHECK(read_pair_table(compressed).size() == 4);
}

TEST_CASE("columns are chosen by place or name and a third one is ignored") {
  const TemporaryFolder folder;
  const auto licensed = folder.write("licensed.txt", "Go.\tVa !\tCC-BY\nRun!\tCours !\tCC-BY\n");
  CHECK(read_pair_table(licensed)[1].target == "Cours !");
  PairTableOptions options;
  options.source = 1;
  options.target = 0;
  CHECK(read_pair_table(licensed, "", options)[1].source == "Cours !");
  options = {.source = "english", .target = "french", .format = csv_options()};
  options.format.header = true;
  const auto named = folder.write("named.csv", "french,english\n\"Va, va !\",\"Go, go.\"\n");
  const std::vector<TextPair> pairs = read_pair_table(named, "", options);
  REQUIRE(pairs.size() == 1);
  CHECK(pairs[0].source == "Go, go.");
  CHECK(pairs[0].target == "Va, va !");
}

TEST_CASE("what is wrong with a table of pairs is told with file and line") {
  const TemporaryFolder folder;
  const auto problem = [&](std::string_view contents) {
    return error_of<DataError>([&] { read_pair_table(folder.write("bad.txt", contents)); });
  };
  CHECK(contains(problem("a\tb\nno tab\n"), "bad.txt:2: record has 1 column, expected 2"));
  CHECK(contains(problem("a\tb\n\nc\td\te\n"), "bad.txt:3: record has 3 columns, expected 2"));
  CHECK(contains(problem("no tab\n"), "column 1 asked for, the file has 1 column"));
  CHECK(contains(problem(""), "is empty"));
  CHECK(contains(problem(std::string_view("a\tb\0", 4)), "holds zero bytes, so it is no text, and no archive either"));
  const auto packed = folder.path() / "set.tar";
  test::write_archive(packed, {{"one/a.txt", "1\t2"}, {"two/a.txt", "3\t4"}, {"b.txt", "x\ty"}}, Packing::tar);
  CHECK(contains(error_of<DataError>([&] { read_pair_table(packed, "c.txt"); }),
                 "set.tar: holds no file \"c.txt\"; there are one/a.txt, two/a.txt, b.txt"));
  CHECK(contains(error_of<DataError>([&] { read_pair_table(packed, "a.txt"); }), "means two files"));
  CHECK(read_pair_table(packed, "two/a.txt")[0].source == "3");
  folder.write("plain.tsv", "a\tb\n");
  CHECK(contains(error_of<DataError>([&] { read_pair_table(folder.path() / "plain.tsv", "c.txt"); }),
                 "plain.tsv: is a text file, so there is no \"c.txt\" in it"));
  CHECK(contains(error_of<DataError>([&] { read_pair_table(packed); }),
                 "set.tar: holds 3 files; name the one that is meant; there are one/a.txt, two/a.txt, b.txt"));
  CHECK_THROWS_AS(read_named_files(packed, std::vector<std::string>{""}), UsageError);
}

TEST_CASE("a whole name wins over one that only ends so") {
  const TemporaryFolder folder;
  const auto packed = folder.path() / "set.tar";
  for (const std::vector<std::string>& order : {std::vector<std::string>{"x/a.txt", "a.txt", "y/a.txt"},
                                                {"a.txt", "x/a.txt", "y/a.txt"},
                                                {"x/a.txt", "y/a.txt", "a.txt"}}) {
    std::vector<std::pair<std::string, std::string>> files;
    for (const std::string& name : order) files.emplace_back(name, "in " + name);
    test::write_archive(packed, files, Packing::tar);
    CHECK(read_named_text(packed, "a.txt").contents == "in a.txt");
  }
}

TEST_CASE("the only file of an archive or a folder needs no name") {
  const TemporaryFolder folder;
  for (const Packing packing : {Packing::tar, Packing::tar_xz, Packing::tar_gz, Packing::zip}) {
    const auto packed = folder.path() / fmt::format("set{}", static_cast<int>(packing));
    test::write_archive(packed, {{"deep/only.tsv", "one\tun\n"}}, packing);
    const std::vector<TextPair> pairs = read_pair_table(packed);
    REQUIRE(pairs.size() == 1);
    CHECK(pairs[0].target == "un");
  }
  folder.write("folder/only.tsv", "two\tdeux\n");
  CHECK(read_pair_table(folder.path() / "folder")[0].target == "deux");
}

TEST_CASE("parallel texts pair line by line, blank lines too") {
  const TemporaryFolder folder;
  const auto packed = folder.path() / "news.tar.gz";
  test::write_archive(packed,
                      {{"news/train/title-train.txt", "A\n\nC\n"}, {"news/train/content-train.txt", "a a\nb\nc c\n"}},
                      Packing::tar_gz);
  const std::vector<TextPair> pairs = read_parallel_texts(packed, "content-train.txt", "title-train.txt");
  REQUIRE(pairs.size() == 3);
  CHECK(pairs[0].source == "a a");
  CHECK(pairs[0].target == "A");
  CHECK(pairs[1].target.empty());
  CHECK(pairs[2].id == "content-train.txt:3");
  const auto source = folder.write("source.txt", "1\n2\n3\n");
  const auto target = folder.write("target.txt", "one\ntwo\n");
  const std::string problem = error_of<DataError>([&] { read_parallel_files(source, target); });
  CHECK(contains(problem, "source.txt:3: has no partner"));
  CHECK(contains(problem, "target.txt has 2"));
  CHECK(read_parallel_files(source, source).size() == 3);
}

TEST_CASE("ill-formed UTF-8 of both sides is counted") {
  const std::vector<TextPair> pairs = {{"tr\xE9s", "un", "f:1"}, {"one", "\xE9t\xE9", "f:2"}, {"two", "deux", "f:3"}};
  const std::vector<std::int32_t> all = {0, 1, 2};
  const PairVocabularies words = count_pair_vocabularies(pairs, all);
  CHECK(encode_pairs(pairs, TokenSet(words.source), TokenSet(words.target)).invalid_sequences == 3);
  CHECK(encode_pairs(std::span(pairs).subspan(2), TokenSet(words.source), TokenSet(words.target)).invalid_sequences ==
        0);
}

TEST_CASE("a split keeps all pairs of a source in one part, whatever the order") {
  std::vector<std::string> keys;
  for (int i = 0; i < 300; ++i) keys.push_back(fmt::format("source {}", (i * 7) % 100));
  const PairSplitOptions options{.validation = 10, .test = 20, .seed = 3};
  const PairSplit split = split_by_key(keys, options);
  const auto keys_of = [](const std::vector<std::string>& all, const std::vector<std::int32_t>& part) {
    std::set<std::string> found;
    for (const std::int32_t i : part) found.insert(all[static_cast<std::size_t>(i)]);
    return found;
  };
  const auto train = keys_of(keys, split.train);
  const auto validation = keys_of(keys, split.validation);
  const auto test = keys_of(keys, split.test);
  CHECK(validation.size() == 10);
  CHECK(test.size() == 20);
  CHECK(train.size() == 70);
  CHECK(split.train.size() + split.validation.size() + split.test.size() == 300);
  for (const auto& key : test) CHECK((!train.contains(key) && !validation.contains(key)));
  for (const auto& key : validation) CHECK(!train.contains(key));
  CHECK(std::is_sorted(split.train.begin(), split.train.end()));

  std::vector<std::string> backwards(keys.rbegin(), keys.rend());
  CHECK(keys_of(backwards, split_by_key(backwards, options).test) == test);
  CHECK(keys_of(keys, split_by_key(keys, {.validation = 30, .test = 20, .seed = 3}).test) == test);
  CHECK(keys_of(keys, split_by_key(keys, {.validation = 10, .test = 20, .seed = 4}).test) != test);
  CHECK(contains(error_of<DataError>([&] { split_by_key(keys, {.validation = 80, .test = 20}); }),
                 "80 sources for validation and 20 for test asked for, of 100 different sources"));
}

TEST_CASE("pairs of one source are grouped with all their references") {
  const std::vector<std::string> keys{"go", "run", "run", "stop", "go"};
  const auto groups = group_by_key(keys, std::array{4, 3, 0, 2});
  REQUIRE(groups.size() == 3);
  CHECK(groups[0] == std::vector<std::int32_t>{4, 0});
  CHECK(groups[1] == std::vector<std::int32_t>{3});
  CHECK(groups[2] == std::vector<std::int32_t>{2});
  CHECK_THROWS_AS(group_by_key(keys, std::array{5}), DataError);
}

TEST_CASE("sources that give the same tokens have one key") {
  const std::vector<TextPair> pairs{{"Run!", "Cours !", "1"}, {"run !", "Courez !", "2"}, {"Run.", "Cours.", "3"}};
  const auto keys = source_keys(pairs);
  CHECK(keys[0] == "run !");
  CHECK(keys[0] == keys[1]);
  CHECK(keys[0] != keys[2]);
}

TEST_CASE("pairs are encoded with the vocabulary of the training part") {
  const std::vector<TextPair> pairs{
      {"Go on.", "Va !", "f:1"}, {"Go back.", "Va !", "f:2"}, {"Unseen.", "Jamais", "f:3"}};
  const PairVocabularies vocabularies = count_pair_vocabularies(pairs, std::array{0, 1});
  CHECK(vocabularies.source.tokens() == std::vector<std::string>{"<unk>", "<eos>", ".", "go", "back", "on"});
  CHECK(vocabularies.target.tokens() == std::vector<std::string>{"<unk>", "<eos>", "!", "va"});
  const EncodedPairs encoded = encode_pairs(pairs, TokenSet(vocabularies.source), TokenSet(vocabularies.target));
  REQUIRE(encoded.size() == 3);
  const auto ids = [](std::span<const std::int32_t> span) {
    return std::vector<std::int32_t>(span.begin(), span.end());
  };
  CHECK(ids(encoded.source.document(1)) == std::vector<std::int32_t>{3, 4, 2});
  CHECK(ids(encoded.target.document(1)) == std::vector<std::int32_t>{3, 2});
  CHECK(ids(encoded.source.document(2)) == std::vector<std::int32_t>{0, 2});
  CHECK(encoded.target_tokens.join(encoded.target.document(0)) == "va !");
  CHECK(encoded.source.id(2) == "f:3");

  PairEncodeOptions options;
  options.shared_vocabulary = true;
  const PairVocabularies shared = count_pair_vocabularies(pairs, std::array{0, 1}, options);
  CHECK(shared.source == shared.target);
  CHECK(shared.source.find("va") >= 0);
  CHECK(shared.source.find("go") >= 0);

  const std::vector<std::string> letters{"a", "b"};
  const TokenSet closed(letters, {});
  const std::vector<TextPair> strange{{"a c", "b", "f:9"}};
  CHECK(error_of<DataError>([&] { encode_pairs(strange, closed, closed); }) ==
        "pair f:9: \"c\" is not one of the 2 tokens");
  const std::vector<TextPair> broken{{"\xFF", "b", "f:10"}};
  options.source_tokenizer.invalid_utf8 = InvalidUtf8::error;
  CHECK(contains(error_of<DataError>([&] { encode_pairs(broken, closed, closed, options); }), "pair f:10: "));
}

TEST_CASE("a token set keeps the ids of a task and leaves the special ones out of texts") {
  const std::vector<std::string> tokens{"_PAD", "_GO", "_EOS", "_UNK", "good", "news"};
  const TokenSet set(tokens, {.pad = 0, .go = 1, .end = 2, .unknown = 3});
  CHECK(set.size() == 6);
  CHECK(set.classes() == 6);
  CHECK(set.find("news") == 5);
  CHECK(set.find("bad") == 3);
  CHECK(set.join(std::array{1, 4, 0, 3, 5, 2, 4}) == "good _UNK news");
  CHECK(set.join(std::array{4, 5}, "") == "goodnews");
  CHECK(set.tokens() == tokens);
  CHECK(set == TokenSet(tokens, set.specials()));
  CHECK(error_of<DataError>([&] { set.join(std::array{6}); }) == "token 6 asked for, there are 6");

  TokenCounter counter;
  counter.add("word");
  counter.add("<go>");
  const Vocabulary vocabulary(counter, {});
  const TokenSet made(vocabulary);
  CHECK(made.size() == vocabulary.size() + 1);
  CHECK(made.classes() == vocabulary.size());
  CHECK(made.specials().go == vocabulary.size());
  CHECK(made.text(made.specials().go) == "<<go>>");
  CHECK(made.find("strange") == Vocabulary::kUnknown);
  CHECK(made.specials().end == Vocabulary::kEndOfSequence);

  const std::vector<std::string> twice{"a", "b", "a"};
  CHECK(error_of<DataError>([&] { TokenSet(twice, {}); }) == "tokens 0 and 2 are both \"a\"");
  const std::vector<std::string> empty{"a", ""};
  CHECK(error_of<DataError>([&] { TokenSet(empty, {}); }) == "token 1 is empty");
  CHECK_THROWS_AS(TokenSet(tokens, {.end = 6}), DataError);
}

}  // namespace eddy
