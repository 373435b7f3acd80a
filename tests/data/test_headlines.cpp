// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/headlines.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::Packing;
using test::TemporaryFolder;

namespace {

const std::string kVocabulary = "_PAD\n_GO\n_EOS\n_UNK\n，\n北京\n暴雨\n00\n大雨\nVIP\n";

test::NamedTexts corpus_files() {
  return {{"news/dev/content-dev.txt", "北京 大雨\n"},
          {"news/dev/title-dev.txt", "大雨\n"},
          {"news/test/content-test.txt", "VIP\n"},
          {"news/test/title-test.txt", "VIP 新\n"},
          {"news/train/content-train.txt", "北京  暴雨 ， 31 vip\n大雨\n"},
          {"news/train/title-train.txt", "北京 暴雨\n大雨 25\n"},
          {"news/vocab", kVocabulary}};
}

std::vector<std::int32_t> ids(std::span<const std::int32_t> span) { return {span.begin(), span.end()}; }

std::string vocabulary_problem(const std::string& contents, std::int64_t size = 0) {
  return error_of<Error>([&] { parse_headline_vocabulary({"news/vocab", contents}, size); });
}

}  // namespace

TEST_CASE("a headline corpus comes out of its archive with the ids of its vocabulary") {
  const TemporaryFolder folder;
  const auto packed = folder.path() / "set.tar.xz";
  test::write_archive(packed, corpus_files(), Packing::tar_xz);
  const HeadlineCorpus corpus = read_headlines(packed);
  CHECK(corpus.tokens.size() == 10);
  CHECK(corpus.tokens.classes() == 10);
  CHECK(corpus.tokens.specials() == SpecialTokens{.pad = 0, .go = 1, .end = 2, .unknown = 3});
  REQUIRE(corpus.train.pairs.size() == 2);
  // 31 counts as 00; "vip" is not "VIP".
  CHECK(ids(corpus.train.pairs.source.document(0)) == std::vector<std::int32_t>{5, 6, 4, 7, 3});
  CHECK(ids(corpus.train.pairs.target.document(1)) == std::vector<std::int32_t>{8, 7});
  CHECK(corpus.train.texts[1].target == "大雨 25");
  CHECK(corpus.train.texts[1].id == "content-train.txt:2");
  CHECK(corpus.dev.pairs.size() == 1);
  CHECK(ids(corpus.test.pairs.target.document(0)) == std::vector<std::int32_t>{9, 3});

  PairBatches batches(corpus.train.pairs, {.batch_size = 2, .sizes = headline_sizes(), .reverse_source = true});
  const PairBatch batch = batches.next();
  CHECK(batch.source_time() == 119);
  CHECK(batch.target_time() == 29);
  CHECK(batch.target_in.values<std::int32_t>()[0] == 1);

  const HeadlineCorpus small = read_headlines(packed, {}, 6);
  CHECK(small.tokens.size() == 6);
  CHECK(ids(small.train.pairs.source.document(0)) == std::vector<std::int32_t>{5, 3, 4, 3, 3});
}

TEST_CASE("what is wrong with a headline corpus is told with file and line") {
  CHECK(contains(vocabulary_problem("_PAD\n_EOS\n_GO\n_UNK\n"), "news/vocab:2: found \"_EOS\", expected the special"));
  CHECK(contains(vocabulary_problem("_PAD\n_GO\n"), "news/vocab: holds 2 tokens"));
  CHECK(contains(vocabulary_problem(kVocabulary + "\nx\n"), "news/vocab:11: token is empty"));
  CHECK(contains(vocabulary_problem(kVocabulary + "x\n北京\n"),
                 "news/vocab:12: token \"北京\" stands in line 6 already"));
  CHECK(contains(vocabulary_problem(kVocabulary, 4), "a vocabulary of 4 tokens"));
  const TemporaryFolder folder;
  test::NamedTexts files = corpus_files();
  files[5].second = "北京 暴雨\n";
  const auto packed = folder.path() / "short.tar";
  test::write_archive(packed, files, Packing::tar);
  CHECK(contains(error_of<DataError>([&] { read_headlines(packed); }), "content-train.txt:2: has no partner"));
  files.erase(files.begin());
  const auto missing = folder.path() / "missing.tar";
  test::write_archive(missing, files, Packing::tar);
  CHECK(contains(error_of<DataError>([&] { read_headlines(missing); }), "holds no file \"content-dev.txt\""));
}

TEST_CASE("digits count as zero") { CHECK(digits_to_zero("2012 年 7.5 TAG_NUMBER ４") == "0000 年 0.0 TAG_NUMBER ４"); }

}  // namespace eddy
