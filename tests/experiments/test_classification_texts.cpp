// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "eddy/experiments/classification.h"
#include "eddy/experiments/classification_data.h"
#include "eddy/experiments/classification_presets.h"
#include "eddy/experiments/classification_settings.h"
#include "eddy/experiments/classification_texts.h"
#include "eddy/experiments/run_model.h"
#include "tests/data/files.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::error_of;
using test::TemporaryFolder;

/// "good one7 good2 one": every second word tells the class.
std::string text_of(const std::string& label, int number) {
  return fmt::format("{} one{} {}{} one", label, number, label, number % 3);
}

/// Records of two classes in turn, "label TAB text", from a first number on.
std::string records(int first, int count) {
  std::string lines;
  for (int i = first; i < first + count; ++i) {
    const std::string label = i % 2 == 0 ? "good" : "bad";
    lines += label + "\t" + text_of(label, i) + "\n";
  }
  return lines;
}

ClassificationOptions own_texts(const fs::path& data) {
  ClassificationOptions options = classification_preset("texts", Preset::quick);
  options.source.data = data;
  options.source.reading.label_column = "0";
  return options;
}

/// The documents of a part, by where they came from.
std::vector<std::string> ids(const EncodedCorpus& corpus) {
  std::vector<std::string> all;
  for (std::int32_t i = 0; i < corpus.size(); ++i) all.emplace_back(corpus.id(i));
  return all;
}

std::string data_error(const ClassificationOptions& options) {
  return error_of<DataError>([&] { load_classification_data(options); });
}

std::string usage_error(const ClassificationOptions& options) {
  return error_of<UsageError>([&] { load_classification_data(options); });
}

}  // namespace

TEST_CASE("own texts without a test file are split, the same way for the same seed") {
  const TemporaryFolder folder;
  ClassificationOptions options = own_texts(folder.write("train.tsv", records(0, 100)));
  const ClassificationData data = load_classification_data(options);
  const EncodedCorpus& test = data.encoded.part("test");
  CHECK(data.encoded.label_names == std::vector<std::string>{"bad", "good"});
  CHECK(data.labelled == 80);
  CHECK(test.size() == 20);
  CHECK(data.pretraining.size() + data.pretraining_validation.size() == 80);
  std::vector<std::string> all = ids(data.encoded.part("train"));
  for (const std::string& id : ids(test)) all.push_back(id);
  std::ranges::sort(all);
  CHECK(std::ranges::adjacent_find(all) == all.end());
  CHECK(all.size() == 100);
  for (std::int32_t i = 0; i < test.size(); ++i) {
    const std::string id(test.id(i));
    const int line = std::stoi(id.substr(id.find(':') + 1));
    CHECK(test.label(i) == (line % 2 == 1 ? 1 : 0));
  }
  CHECK(ids(load_classification_data(options).encoded.part("test")) == ids(test));
  options.source.split_seed = 2;
  const ClassificationData other = load_classification_data(options);
  CHECK(ids(other.encoded.part("test")) != ids(test));
  CHECK(other.identity != data.identity);
  options.source.test_fraction = 0.5;
  CHECK(load_classification_data(options).encoded.part("test").size() == 50);
}

TEST_CASE("texts of the test part are kept from pretraining, wherever else they stand") {
  const TemporaryFolder folder;
  ClassificationOptions options = own_texts(folder.write("train.tsv", records(0, 60)));
  // Two of the test texts are among the labelled ones, one in each kind of unlabelled text.
  options.source.test_data = folder.write("test.tsv", records(58, 20));
  options.source.unlabelled_data = {
      folder.write("more.txt", text_of("good", 60) + "\nanother text\n\nand one more\n"),
      folder.write("more.tsv", "unknown\t" + text_of("bad", 61) + "\nbad\ta text whose label counts for nothing\n"),
      folder.write("alone.tsv", text_of("good", 62) + "\nthe text is all there is\n"),
      folder.write("folder/a.txt", text_of("bad", 63) + "\n").parent_path()};
  folder.write("folder/b/c.txt", "deep down\n");
  const ClassificationData data = load_classification_data(options);
  const EncodedCorpus& train = data.encoded.part("train");
  CHECK(data.encoded.label_names.size() == 2);
  CHECK(data.labelled == 60);
  CHECK(data.encoded.part("test").size() == 20);
  CHECK(train.size() == 60 + 9);
  CHECK(data.test_in_train == 2);
  CHECK(data.test_in_unlabelled.size() == 4);
  CHECK(data.pretraining.size() + data.pretraining_validation.size() == 58 + 5);
  for (const auto* list : {&data.pretraining, &data.pretraining_validation})
    for (const std::int32_t i : *list)
      for (std::int32_t j = 0; j < data.encoded.part("test").size(); ++j)
        CHECK_FALSE(std::ranges::equal(train.document(i), data.encoded.part("test").document(j)));
}

TEST_CASE("columns by number are those of one name in all tables, and unlabelled ones need no classes") {
  const TemporaryFolder folder;
  const auto table = [&](const std::string& name, const std::string& header, int first, int count) {
    std::string text = header + "\n";
    for (int i = first; i < first + count; ++i) {
      const std::string label = i % 2 == 0 ? "good" : "bad";
      const bool id_last = header == "label,text,id";
      text += fmt::format("{},{},{}\n", label, id_last ? text_of(label, i) : "7", id_last ? "7" : text_of(label, i));
    }
    return folder.write(name, text);
  };
  ClassificationOptions options = own_texts(table("train.csv", "label,text,id", 0, 60));
  options.source.reading.header = true;
  options.source.reading.text_columns = {"1"};
  options.source.test_data = table("other.csv", "label,id,text", 60, 20);
  CHECK(contains(data_error(options), "other.csv: column 1 was \"text\" in the training, but here the header has"));
  options.source.test_data = table("test.csv", "label,text,id", 60, 20);
  options.source.unlabelled_data = {table("more.csv", "label,id,text", 90, 5)};
  CHECK(contains(data_error(options), "more.csv: column 1 was \"text\""));
  options.source.reading.text_columns = {"text"};
  options.source.unlabelled_data.push_back(folder.write("texts.csv", "id,text\n1,no class here\n"));
  const ClassificationData data = load_classification_data(options);
  CHECK(data.encoded.part("train").size() == 60 + 5 + 1);
  CHECK(data.encoded.vocabulary.find("class") >= 0);
  CHECK(completed_reading(options.source).columns == std::vector<std::string>{"label", "text", "id"});
}

TEST_CASE("words of a test text that stands among the unlabelled ones are not in the vocabulary") {
  const TemporaryFolder folder;
  ClassificationOptions options = own_texts(folder.write("train.tsv", records(0, 60)));
  options.source.test_data = folder.write("test.tsv", records(60, 20) + "good\tzorblax one\n");
  options.source.unlabelled_data = {folder.write("more.txt", "zorblax one\nquux one\n")};
  const ClassificationData data = load_classification_data(options);
  const Vocabulary& vocabulary = data.encoded.vocabulary;
  CHECK(std::ranges::count(vocabulary.tokens(), "zorblax") == 0);
  CHECK(std::ranges::count(vocabulary.tokens(), "quux") == 1);
  CHECK(data.test_in_unlabelled.size() == 1);
}

TEST_CASE("of unlabelled texts in one column that one is read, whichever --data has") {
  const TemporaryFolder folder;
  ClassificationOptions options = own_texts(folder.write("train.tsv", records(0, 60)));
  options.source.reading.text_columns = {"1"};
  options.source.unlabelled_data = {folder.write("alone.tsv", "the text is all there is\nand one more\n")};
  CHECK(load_classification_data(options).encoded.part("train").size() == 48 + 2);
}

TEST_CASE("columns of own texts go by name, and csv and tsv mix") {
  const TemporaryFolder folder;
  std::string csv = "id,text,class\n";
  for (int i = 0; i < 40; ++i)
    csv += fmt::format("{},\"{}, \"\"quoted\"\"\",{}\n", i, text_of(i % 2 == 0 ? "good" : "bad", i), i % 2);
  ClassificationOptions options = own_texts(folder.write("train.csv", csv));
  options.source.reading.header = true;
  options.source.reading.label_column = "class";
  CHECK(contains(usage_error(options), "train.csv: has 3 columns; say with --text-column which is the text"));
  options.source.reading.text_columns = {"text"};
  options.source.test_data = folder.write("test.tsv", "class\ttext\n1\tbad one\n0\tgood one\n");
  const ClassificationData data = load_classification_data(options);
  CHECK(data.labelled == 40);
  CHECK(data.encoded.label_names == std::vector<std::string>{"0", "1"});
  CHECK(data.encoded.part("test").label(0) == 1);
  CHECK(data.encoded.part("test").length(0) == 2);
  options.source.reading.label_column = "colour";
  CHECK(contains(data_error(options), "no column \"colour\"; the header has 0 \"id\", 1 \"text\", 2 \"class\""));
}

TEST_CASE("own texts that teach nothing are refused, with file and line") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& train, const std::string& test = {}) {
    ClassificationOptions options = own_texts(folder.write("train.tsv", train));
    if (!test.empty()) options.source.test_data = folder.write("test.tsv", test);
    return data_error(options);
  };
  CHECK(contains(error(""), "train.tsv: is empty"));
  CHECK(contains(error("good\ta\nbad\n"), "train.tsv:2: record has 1 column, expected 2"));
  CHECK(contains(error("good\ta\n\tb\n"), "train.tsv:2: label is empty"));
  CHECK(contains(error("good\ta\ngood\tb\n"), "train.tsv: the label of all 2 texts is \"good\""));
  CHECK(contains(error("a\tgood\nb\tbad\nc\tgood\n"), "train.tsv: each of 3 texts has a label of its own"));
  CHECK(contains(error(records(0, 20)), "train.tsv: 16 labelled texts left to train on; expected 20 or more"));
  CHECK(contains(error(records(0, 40), "bad\ta\nugly\tb\n"), "test.tsv:2: label \"ugly\" is not one of the 2 known"));
  CHECK(contains(error(records(0, 40), "\n"), "test.tsv: is empty"));

  ClassificationOptions options = own_texts(folder.write("train.tsv", records(0, 40)));
  options.source.unlabelled_data = {folder.path() / "none.txt"};
  CHECK(contains(data_error(options), "none.txt: does not exist"));
  options.source.unlabelled_data = {folder.write("blank.txt", "\n  \n")};
  CHECK(contains(data_error(options), "blank.txt: holds no text in 2 lines"));
  options.source.unlabelled_data.clear();
  options.source.data = folder.write("train.dat", records(0, 40));
  CHECK(contains(usage_error(options), "train.dat: is taken for lines"));
  options.source.reading.format = DataFormat::tsv;
  CHECK(load_classification_data(options).labelled == 32);
}

TEST_CASE("an experiment on own texts has table, report, and models that know how the texts are read") {
  const TemporaryFolder folder;
  ClassificationOptions options = own_texts(folder.write("train.tsv", records(0, 120)));
  options.source.test_data = folder.write("test.tsv", records(119, 60));
  options.source.unlabelled_data = {folder.write("more.txt", "one good\none bad\n" + text_of("good", 130) + "\n")};
  options.cache = folder / "cache";
  options.output = folder / "report";
  options.rows = parse_rows({"lstm", "lm", "sa"});
  for (const char* setting :
       {"all.model.embedding_size=8", "all.model.hidden_size=16", "all.model.embedding_dropout=0",
        "all.model.output_dropout=0", "all.model.classifier_dropout=0", "all.model.word_dropout=0",
        "all.optimizer.learning_rate=2e-2", "classifiers.epochs=6", "pretraining.epochs=2"})
    apply_setting(options, setting);
  const ClassificationResults results = run_classification(options);
  REQUIRE(results.runs.size() == 3);
  for (const RunRecord& run : results.runs) CHECK_MESSAGE(run.test_error < 0.2, run.row);
  CHECK(results.test_in_unlabelled == 1);
  CHECK(results.test_in_train == 1);
  const std::string report = test::slurp(options.output / "report.md");
  for (const char* part :
       {"test.tsv", "60 texts", "Pretraining reads other text as well", "more.txt",
        "1 unlabelled text is a test text too", "left out of pretraining, but not of the classifiers' training"})
    CHECK_MESSAGE(contains(report, part), part);
  const ModelFile model = read_model_file(options.output / "parts" / "LM-LSTM-120-labels-seed1.safetensors");
  CHECK(model.data.path == options.source.data.string());
  CHECK(model.data.label_column == "0");
  const ClassificationResults again = run_classification(options);
  for (std::size_t i = 0; i < 3; ++i) CHECK(again.runs[i].seconds == results.runs[i].seconds);
}

TEST_CASE("the amount of own texts chooses the sizes") {
  const TemporaryFolder folder;
  ClassificationSource source;
  source.task = "texts";
  source.data = folder.write("train.tsv", records(0, 10));
  CHECK(amount_of_text(source) == TextAmount::little);
  source.unlabelled_data = {folder.write("more/a.txt", std::string(5'000'000, 'a')).parent_path()};
  CHECK(amount_of_text(source) == TextAmount::middle);
  folder.write("more/b.txt", "");
  fs::resize_file(folder / "more/b.txt", 50'000'000);
  CHECK(amount_of_text(source) == TextAmount::much);
  source.data = folder / "none.tsv";
  CHECK(amount_of_text(source) == TextAmount::much);
  source.task = "rt";
  source.unlabelled_data.clear();
  CHECK(amount_of_text(source) == TextAmount::little);
  source.unlabelled = "imdb";
  CHECK(amount_of_text(source) == TextAmount::much);
  const auto epochs = [](TextAmount amount) {
    return classification_preset("texts", Preset::cpu, amount).language_model.epochs;
  };
  CHECK(epochs(TextAmount::little) > epochs(TextAmount::middle));
  CHECK(epochs(TextAmount::middle) > epochs(TextAmount::much));
}

TEST_CASE("groups come last, whole and with nothing of them before") {
  Dataset data;
  for (int i = 0; i < 400; ++i)
    data.documents.push_back({.text = std::to_string(i), .label = 0, .id = {}, .group = i % 3 == 0 ? -1 : i % 31});
  const Dataset ordered = shuffled_groups_last(data, 7), random = shuffled(data, 7);
  REQUIRE(ordered.documents.size() == 400);
  std::set<std::string> texts;
  std::set<std::int64_t> begun;
  std::int64_t last = -1;
  int held_out = 0;
  for (std::size_t i = 400; i-- > 0;) {
    const Document& document = ordered.documents[i];
    texts.insert(document.text);
    if (document.group >= 0 && document.group != last && held_out < 100) CHECK(begun.insert(document.group).second);
    if (held_out < 100) last = document.group;
    const bool of_last = begun.contains(document.group);
    if (of_last) ++held_out;
    if (i < 300 - 20) CHECK_FALSE(of_last);
    if (i >= 300) CHECK(document.group >= 0);
  }
  CHECK(texts.size() == 400);
  CHECK(held_out >= 100);
  CHECK(ordered.documents[0].text == shuffled_groups_last(data, 7).documents[0].text);
  CHECK(ordered.documents[0].text != shuffled_groups_last(data, 8).documents[0].text);
  // Without groups there is nothing to put last.
  for (Document& document : data.documents) document.group = -1;
  const Dataset ungrouped = shuffled_groups_last(data, 7);
  for (std::size_t i = 0; i < 400; ++i) CHECK(ungrouped.documents[i].text == random.documents[i].text);
}

}  // namespace eddy
