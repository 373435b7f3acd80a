// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <thread>

#include "eddy/core/error.h"
#include "eddy/experiments/run_data.h"
#include "eddy/experiments/run_model.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

using Names = std::vector<std::string>;

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// Reads a file of the folder, with what was said meanwhile.
class Reading {
 public:
  explicit Reading(const TemporaryFolder& folder) : folder_(folder) {
    loading.message = [this](const std::string& message) { said += message + "\n"; };
  }

  EncodedDataset load(const std::string& name, const std::string& contents) {
    spit(folder_ / name, contents);
    data.path = (folder_ / name).string();
    return load_data(data, {}, loading);
  }
  /// The message of the error.
  std::string problem(const std::string& name, const std::string& contents) {
    try {
      load(name, contents);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  DataConfig data;
  DataLoading loading;
  std::string said;

 private:
  const TemporaryFolder& folder_;
};

constexpr const char* kTable = "pos\ta good film\nneg\ta bad film\n";
constexpr const char* kHeader = "class\ttext\npos\ta good film\nneg\ta bad film\n";

}  // namespace

TEST_CASE("the text of a table is the column that it can only be, or has to be named") {
  const TemporaryFolder folder;
  Reading labelled(folder);
  labelled.data.label_column = "0";
  CHECK(labelled.load("a.tsv", kTable).part("train").token_count() == 6);
  CHECK(labelled.data.text_columns == Names{"1"});
  CHECK(contains(labelled.said, "a.tsv: texts are column 1, classes are column 0"));
  Reading unsaid(folder);
  const std::string message = unsaid.problem("a.tsv", kTable);
  CHECK(contains(message, "a.tsv: has 2 columns; say with --text-column"));
  CHECK(contains(message, "0 \"pos\", 1 \"a good film\""));
  CHECK(contains(message, "--label-column"));
  Reading wide(folder);
  wide.data.label_column = "0";
  CHECK(contains(wide.problem("w.tsv", "pos\t1\ta film\n"), "has 3 columns"));
  Reading one(folder);
  one.load("one.tsv", "some text\n");
  CHECK(one.data.text_columns == Names{"0"});
  one.data = {};
  one.data.label_column = "0";
  CHECK(contains(one.problem("one.tsv", "some text\n"), "there is no text"));
}

TEST_CASE("a header is kept, and another file must have the same names or say that it has none") {
  const TemporaryFolder folder;
  Reading trained(folder);
  trained.data.label_column = "0";
  trained.data.header = true;
  trained.load("a.tsv", kHeader);
  CHECK(trained.data.columns == Names{"class", "text"});
  CHECK(contains(trained.said, "texts are column 1 \"text\", classes are column 0 \"class\""));

  Reading same(folder);
  same.data = trained.data;
  CHECK(same.load("b.tsv", kHeader).part("train").size() == 2);
  CHECK(contains(same.problem("c.tsv", kTable), "column 1 was \"text\" in the training"));
  CHECK(contains(same.problem("c.tsv", kTable), "--no-header"));
  same.data.header = false;
  CHECK(same.load("c.tsv", kTable).part("train").size() == 2);

  // By their names columns may stand elsewhere, and are found without the header too.
  Reading named(folder);
  named.data = trained.data;
  named.data.text_columns = {"text"};
  named.data.label_column = "class";
  const DataConfig by_name = named.data;
  CHECK(named.load("d.tsv", "text\tclass\nfine\tpos\n").label_names == Names{"pos"});
  named.data = by_name;
  named.data.header = false;
  CHECK(named.load("e.tsv", kTable).label_names == Names{"neg", "pos"});
  CHECK(named.data.text_columns == Names{"1"});
  named.data = by_name;
  CHECK(contains(named.problem("f.tsv", kTable), "no column \"text\""));
  named.data = {};
  named.data.text_columns = {"text"};
  CHECK(contains(named.problem("g.tsv", kTable), "give --header"));
}

TEST_CASE("a first line that was not taken for a header is told") {
  const TemporaryFolder folder;
  Reading reading(folder);
  reading.data.label_column = "0";
  reading.loading.cache = folder / "cache";
  std::string table = kHeader;
  for (int i = 0; i < 5; ++i) table += kTable;
  reading.load("a.tsv", table);
  CHECK(contains(reading.said, "\"class\" is the class of the first line alone"));
  // From the cache, too.
  reading.said.clear();
  load_data(reading.data, {}, reading.loading);
  CHECK(contains(reading.said, "\"class\" is the class of the first line alone"));
}

TEST_CASE("classes that differ in blanks alone are told") {
  const TemporaryFolder folder;
  Reading reading(folder);
  reading.data.label_column = "0";
  reading.load("a.tsv", "pos\tgood\nneg\tbad\npos \tgood\nvery  bad\tworse\n");
  CHECK(contains(reading.said, "the classes \"pos\" and \"pos \" differ in blanks alone"));
  reading.said.clear();
  reading.load("b.tsv", "a\u00A0b\tone\na b\ttwo\nab\tthree\n");
  CHECK(contains(reading.said, "differ in blanks alone"));
  reading.said.clear();
  reading.load("c.tsv", "ab\tone\na b\ttwo\nB\tthree\n");
  CHECK(!contains(reading.said, "blanks"));
}

TEST_CASE("a cache does not lie in the data, which it would become a part of") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "texts");
  spit(folder / "texts/a.txt", "some text\n");
  DataConfig data;
  data.path = (folder / "texts").string();
  DataLoading loading;
  loading.cache = folder / "texts/cache";
  CHECK_THROWS_WITH_AS(load_data(data, {}, loading), doctest::Contains("--cache-dir"), UsageError);
  CHECK_FALSE(std::filesystem::exists(folder / "texts/cache"));
  // Hidden files are no data, and those beside a file are none.
  loading.cache = folder / "texts/.cache";
  CHECK(load_data(data, {}, loading).part("train").size() == 1);
  data = {};
  data.path = (folder / "texts/a.txt").string();
  loading.cache = folder / "texts";
  CHECK(load_data(data, {}, loading).part("train").size() == 1);
}

TEST_CASE("paths are kept from the root on") {
  CHECK(absolute_data_path("/a/./b") == "/a/b");
  CHECK(absolute_data_path("/a/../b") == "/a/../b");
  CHECK(absolute_data_path("x.tsv") == (fs::current_path() / "x.tsv").string());
  CHECK(absolute_data_path("wordnet") == "wordnet");
}

TEST_CASE("what a model file cannot hold is refused while the data are read") {
  const TemporaryFolder folder;
  Reading reading(folder);
  CHECK(contains(reading.problem("b\xE9.txt", "some text\n"), "the path of the data is not UTF-8"));
  reading.data.label_column = "\xE9";
  CHECK(contains(reading.problem("a.tsv", kTable), "the label column is not UTF-8"));
  ModelFile model;
  model.config.model.vocabulary_size = 0;
  model.from = "pretrained-\xE9.safetensors";  // only shown, so it is no reason
  check_savable(model);
  model.text.label_names = {"good",
                            "m\xE9"
                            "chant"};
  CHECK_THROWS_AS(check_savable(model), DataError);
  model.text.label_names.clear();
  model.data.path = "\xE9";
  CHECK_THROWS_AS(check_savable(model), UsageError);
}

TEST_CASE("words of too few texts are left out, whether texts are counted in memory or on disk") {
  const TemporaryFolder folder;
  const auto words = [&](const std::string& name, const std::string& contents, const TextConfig& text, bool cached) {
    Reading reading(folder);
    spit(folder / name, contents);
    reading.data.path = (folder / name).string();
    if (cached) reading.loading.cache = folder / "cache";
    return load_data(reading.data, text, reading.loading).vocabulary.tokens();
  };
  for (const bool cached : {false, true})
    for (const char* name : {"a.txt", "a.tsv"}) {
      CHECK(words(name, "x x x y\ny z\n", {}, cached) == Names{"<unk>", "<eos>", "x", "y", "z"});
      CHECK(words(name, "x x x y\ny z\n", {.min_documents = 2}, cached) == Names{"<unk>", "<eos>", "y"});
      CHECK(words(name, "x x x y\ny z\n", {.min_count = 2}, cached) == Names{"<unk>", "<eos>", "x", "y"});
    }
  CHECK_THROWS_AS(words("a.txt", "x\n", {.min_documents = 0}, false), UsageError);
}

TEST_CASE("settings of texts are kept whole, and keys do not change for one that changes nothing") {
  const TextConfig text{.min_count = 3, .min_documents = 2};
  CHECK(to_json(text_config_from_json(to_json(text), "test")) == to_json(text));
  CHECK(key_text(text) == to_json(text));
  const std::string before =
      R"({"unit":"word","lower_case":true,"drop_unknown":false,"min_count":1,"vocabulary_size":30000})";
  CHECK(key_text({}) == before);
  CHECK(text_config_from_json(before, "test").min_documents == 1);
}

TEST_CASE("a pipe is read once, whole and without cache") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  std::string lines, table;
  for (int i = 0; i < 3000; ++i) lines += fmt::format("word{} and another\n", i);
  for (int i = 0; i < 3000; ++i) table += kTable;
  for (const DataFormat format : {DataFormat::lines, DataFormat::tsv}) {
    Reading reading(folder);
    reading.data.path = (folder / "pipe").string();
    reading.data.format = format;
    if (format == DataFormat::tsv) reading.data.label_column = "0";
    reading.loading.cache = folder / "cache";
    std::thread writer([&] { spit(folder / "pipe", format == DataFormat::lines ? lines : table); });
    const EncodedDataset data = load_data(reading.data, {}, reading.loading);
    writer.join();
    CHECK(data.part("train").size() == (format == DataFormat::lines ? 3000 : 6000));
    CHECK(contains(reading.said, "is a pipe or device, so it is read once"));
  }
}

}  // namespace eddy
