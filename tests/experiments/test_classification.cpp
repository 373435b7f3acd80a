// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "eddy/core/file.h"
#include "eddy/core/random.h"
#include "eddy/experiments/classification.h"
#include "eddy/experiments/classification_data.h"
#include "eddy/experiments/classification_presets.h"
#include "eddy/experiments/classification_report.h"
#include "eddy/experiments/classification_settings.h"
#include "eddy/experiments/report.h"
#include "eddy/experiments/run_history.h"
#include "eddy/experiments/run_model.h"
#include "tests/data/files.h"
#include "tests/support/precision_restored.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

/// Six words that tell the class `name`, or do not.
std::string words(Philox& random, std::string_view name) {
  std::string text;
  for (int word = 0; word < 6; ++word)
    text += fmt::format(" {}{}", word % 2 == 0 ? name : "word", uniform_index(random, 20));
  return text;
}

/// A small WordNet whose glosses tell their class by their words.
void write_glosses(const fs::path& folder) {
  fs::create_directories(folder);
  struct Part {
    const char* name;
    char type;
    int first_class;
    int glosses;
  };
  constexpr std::array<Part, 4> parts = {
      {{"noun", 'n', 5, 1400}, {"verb", 'v', 29, 500}, {"adj", 'a', 0, 500}, {"adv", 'r', 2, 300}}};
  Philox random(7);
  for (const Part& part : parts) {
    std::string text = "  1 licence\n";
    for (int i = 0; i < part.glosses; ++i)  // the number: no gloss twice
      text += fmt::format("{:08} {:02} {} 01 x 0 000 |{} {}\n", i, part.first_class, part.type,
                          words(random, part.name), i);
    spit(folder / fmt::format("data.{}", part.name), text);
  }
}

/// Small models that learn these texts in seconds.
void shrink(ClassificationOptions& options) {
  options.text.vocabulary_size = 200;
  for (const char* setting :
       {"all.model.embedding_size=8", "all.model.hidden_size=16", "all.model.embedding_dropout=0",
        "all.model.output_dropout=0", "all.model.classifier_dropout=0", "all.model.word_dropout=0",
        "all.optimizer.learning_rate=2e-2", "classifiers.epochs=10", "pretraining.model.softmax_samples=0"})
    apply_setting(options, setting);
}

ClassificationOptions small_wordnet(const fs::path& folder) {
  ClassificationOptions options = classification_preset("wordnet", Preset::cpu);
  options.source.data = folder / "wordnet";
  options.source.test = 150;
  options.cache = folder / "cache";
  options.output = folder / "report";
  options.labels = {200, 400};
  options.seeds = {1, 2};
  shrink(options);
  return options;
}

/// IMDB's layout; 5 test reviews stand among the unlabelled ones, and one among those for training.
void write_reviews(const fs::path& archive) {
  Philox random(3);
  test::NamedTexts files;
  std::vector<std::string> tests;
  for (const char* part : {"test", "train"})
    for (const char* label : {"neg", "pos"})
      for (int i = 0; i < 60; ++i) {
        const bool copied = std::string_view(part) == "train" && std::string_view(label) == "neg" && i == 0;
        const std::string text = copied ? tests[0] : words(random, label) + fmt::format(" {}", i);
        if (std::string_view(part) == "test") tests.push_back(text);
        files.emplace_back(fmt::format("aclImdb/{}/{}/{}_{}.txt", part, label, i, *label == 'n' ? 2 : 9), text);
      }
  for (int i = 0; i < 100; ++i)
    files.emplace_back(fmt::format("aclImdb/train/unsup/{}_0.txt", i),
                       i < 5 ? tests[static_cast<std::size_t>(20 * i)] : words(random, i % 2 == 0 ? "neg" : "pos"));
  test::write_archive(archive, files, test::Packing::tar_xz);
}

/// Of what was trained and tested, whatever process did it.
double seconds_of(const std::vector<RunRecord>& records) {
  double sum = 0;
  for (const RunRecord& record : records) sum += record.seconds;
  return sum;
}

nlohmann::json configuration_of(const ClassificationOptions& options) {
  return nlohmann::json::parse(read_report(options.output).configuration);
}

ClassificationOptions small_imdb(const TemporaryFolder& folder) {
  write_reviews(folder / "imdb.tar.xz");
  ClassificationOptions options = classification_preset("imdb", Preset::quick);
  options.source.data = folder / "imdb.tar.xz";
  options.output = folder / "report";
  shrink(options);
  return options;
}

/// Without naive Bayes.
ClassificationOptions rows_alone(const TemporaryFolder& folder, const std::vector<std::string>& rows) {
  ClassificationOptions options = small_imdb(folder);
  options.rows = parse_rows(rows);
  options.naive_bayes = false;
  return options;
}

}  // namespace

TEST_CASE("the WordNet experiment trains every row, reports, and does nothing twice") {
  const TemporaryFolder folder;
  write_glosses(folder / "wordnet");
  ClassificationOptions options = small_wordnet(folder.path());
  const ClassificationResults first = run_classification(options);
  CHECK(first.labelled == 2550);
  CHECK(first.unlabelled == 0);
  CHECK(first.test == 150);
  REQUIRE(first.pretraining.size() == 6);
  REQUIRE(first.runs.size() == 16);
  // Naive Bayes with 200, with 400 and, once, with all labels.
  CHECK(first.baselines.size() == 3);
  CHECK(std::ranges::count_if(classification_table(options, first).rows,
                              [](const auto& row) { return std::get<std::string>(row.at(1)) == "naive Bayes"; }) == 3);
  for (const RunRecord& run : first.runs) {
    CHECK(run.test_error < 0.4);  // the most frequent class alone: 0.48
    CHECK(run.best_epoch >= 1);
    CHECK(run.best_epoch <= 10);
    // Of equally good epochs the last one counts.
    for (const CurvePoint& point : run.curve) {
      CHECK(point.validation >= run.validation);
      if (point.epoch > run.best_epoch) CHECK(point.validation > run.validation);
    }
  }
  for (const char* file : {"report.md", "report.json", "index.html", "pretraining.svg", "validation-error-400.svg"})
    CHECK_MESSAGE(fs::exists(options.output / file), file);
  CHECK(
      test::slurp(options.output / "report.md")
          .find(
              "kept from pretraining. LM predicts the next token; SA writes the text again from its state; PA predicts "
              "the next token, told what a classifier sees of the text.") != std::string::npos);
  // A model has one colour: LSTM's, the first, is none of a pretraining's.
  const std::string first_color = "stroke=\"#0072b2\"";
  CHECK(test::slurp(options.output / "validation-error-400.svg").find(first_color) != std::string::npos);
  CHECK(test::slurp(options.output / "pretraining.svg").find(first_color) == std::string::npos);
  std::size_t pages = 0;
  for (const auto& run : fs::directory_iterator(options.output / "runs")) {
    CHECK(fs::exists(run.path() / "confusion-test.svg"));
    CHECK(read_report(run.path()).tables.at(0).rows.size() == 1);
    ++pages;
  }
  CHECK(pages == 16);
  for (const auto& file : fs::directory_iterator(options.output / "parts"))
    CHECK_MESSAGE(file.path().string().find("checkpoint") == std::string::npos, file.path());

  // Seconds would differ if anything had been trained again.
  const ClassificationResults again = run_classification(options);
  for (std::size_t i = 0; i < 16; ++i) CHECK(again.runs[i].seconds == first.runs[i].seconds);
  // The time of the whole is not that of the last process.
  CHECK(again.seconds > 0.999 * (seconds_of(first.runs) + seconds_of(first.pretraining)));
  // What the data and the row decided stands in the report.
  const nlohmann::json configuration = configuration_of(options);
  CHECK(configuration["language_model"]["model"]["vocabulary_size"] == 200);
  CHECK(configuration["classifier"]["model"]["classes"] == first.classes);
  CHECK_FALSE(configuration["classifier"].contains("seed"));
  CHECK_FALSE(configuration["classifier"].contains("validation_fraction"));
  CHECK(configuration["runs"]["LM-seed1"]["optimizer.schedule.decay_steps"] > 0);
  CHECK(configuration["runs"]["LSTM-400-labels-seed1"]["config"] == "classifier_scratch");
  CHECK_FALSE(configuration["runs"].contains("LM-seed2"));
  // Nor when a version wrote the records that knew fewer settings.
  for (const auto& file : fs::directory_iterator(options.output / "parts")) {
    if (file.path().extension() != ".json") continue;
    auto record = nlohmann::ordered_json::parse(test::slurp(file.path()));
    REQUIRE(record["config"].erase("transferred") == 1);
    write_atomically(file.path(), record.dump(1));
  }
  const ClassificationResults newer = run_classification(options);
  for (std::size_t i = 0; i < 16; ++i) CHECK(newer.runs[i].seconds == first.runs[i].seconds);
  const ClassificationOptions original = options;
  options.classifier.optimizer.learning_rate = 1e-2;
  const ClassificationResults retuned = run_classification(options);
  for (std::size_t i = 0; i < 6; ++i) CHECK(retuned.pretraining[i].seconds == first.pretraining[i].seconds);
  for (std::size_t i = 0; i < 16; ++i)
    CHECK((retuned.runs[i].seconds == first.runs[i].seconds) == (first.runs[i].row == "LSTM"));
  // What a classifier began with decides about it too.
  options.language_model.optimizer.learning_rate = 1e-2;
  const ClassificationResults other = run_classification(options);
  for (std::size_t i = 0; i < 16; ++i)
    CHECK((other.runs[i].seconds == retuned.runs[i].seconds) == (first.runs[i].row != "LM-LSTM"));
  // What the first settings made was kept, under whatever name.
  const fs::path others = options.output / "parts" / "of-other-settings";
  std::vector<fs::path> kept;
  for (const auto& folder : fs::directory_iterator(others)) kept.push_back(folder.path());
  for (const fs::path& folder : kept) fs::rename(folder, folder.string() + "-of-an-older-version");
  const ClassificationResults back = run_classification(original);
  for (std::size_t i = 0; i < 16; ++i) CHECK(back.runs[i].seconds == first.runs[i].seconds);
}

TEST_CASE("equal numbers of labels are told before any training") {
  const TemporaryFolder folder;
  write_glosses(folder / "wordnet");
  ClassificationOptions options = small_wordnet(folder.path());
  for (const std::int64_t labels : {0, 2550}) {
    options.labels = {labels, 2550};
    CHECK_THROWS_WITH_AS(run_classification(options), doctest::Contains("the number of labels 2550 is given twice"),
                         UsageError);
  }
  CHECK_FALSE(fs::exists(options.output / "parts"));
}

TEST_CASE("a best step within the first epoch is trained up to again, and a cosine ends with the last step") {
  const TemporaryFolder folder;
  ClassificationOptions options = rows_alone(folder, {"lstm", "lm"});
  options.refit = true;
  options.labels = {100};
  apply_setting(options, "lm.max_steps=3");
  apply_setting(options, "classifiers.batch_size=8");
  apply_setting(options, "classifiers.evaluation_interval=1");
  apply_setting(options, "classifiers.max_steps=3");
  const ClassificationResults results = run_classification(options);
  REQUIRE(results.runs.size() == 2);
  for (const char* row : {"LSTM", "LM-LSTM"}) {
    const auto steps = [&](const std::string& part) {
      return read_model_file(options.output / "parts" / (row + part + ".safetensors")).progress.steps;
    };
    const std::int64_t best = steps("-100-labels-seed1-choice");
    REQUIRE(best >= 1);
    REQUIRE(best <= 3);
    // About as many, of the texts with those that chose.
    CHECK(steps("-100-labels-seed1") >= 1);
    CHECK(steps("-100-labels-seed1") <= best + 1);
  }
  CHECK(configuration_of(options)["runs"]["LM-seed1"]["optimizer.schedule.decay_steps"] == 3);
}

TEST_CASE("few texts leave most steps their full rate, and one to choose the epoch") {
  const TemporaryFolder folder;
  ClassificationOptions options = small_imdb(folder);
  options.rows = parse_rows({"lstm", "lm"});
  options.labels = {5, 100};
  apply_setting(options, "all.optimizer.schedule.kind=cosine");
  apply_setting(options, "all.optimizer.schedule.warm_up_steps=100");
  apply_setting(options, "classifiers.batch_size=8");
  apply_setting(options, "classifiers.epochs=4");
  apply_setting(options, "lm.batch_size=100");
  apply_setting(options, "lm.epochs=5");
  const ClassificationResults results = run_classification(options);
  const nlohmann::json runs = configuration_of(options)["runs"];
  const auto schedule = [&](const char* part) {
    const ScheduleSettings made =
        read_model_file(options.output / "parts" / (std::string(part) + ".safetensors")).config.optimizer.schedule;
    return std::pair(made.warm_up_steps, made.decay_steps);
  };
  // 205 texts in 3 batches, 4 in one and 85 in 11; the cosine ends with the last step.
  CHECK(schedule("LM-seed1") == std::pair<std::int64_t, std::int64_t>(1, 14));
  CHECK(schedule("LSTM-5-labels-seed1") == std::pair<std::int64_t, std::int64_t>(0, 4));
  CHECK(schedule("LSTM-100-labels-seed1") == std::pair<std::int64_t, std::int64_t>(4, 40));
  CHECK(results.runs.front().curve.size() == 4);
  CHECK(runs["LSTM-100-labels-seed1"]["optimizer.schedule.warm_up_steps"] == 4);
}

TEST_CASE("virtual adversarial training reads the texts whose labels are held back, without them") {
  const TemporaryFolder folder;
  ClassificationOptions options = rows_alone(folder, {"lstm-vat"});
  options.labels = {20, 0};
  apply_setting(options, "classifiers.epochs=1");
  run_classification(options);
  const auto tokens = [&](const char* part) {
    return read_run_history(log_path(options.output / "parts" / (std::string(part) + ".safetensors")))
        .training.back()
        .tokens;
  };
  // 17 of 20 and 85 unlabelled ones as well as 100 held back; 102 of 120 and 85.
  const double few = tokens("LSTM-vat-20-labels-seed1"), all = tokens("LSTM-vat-120-labels-seed1");
  CHECK(few > all);
  CHECK(few < 1.2 * all);
}

TEST_CASE("a refit takes as many steps as its choice, whatever limit that had") {
  const TemporaryFolder folder;
  ClassificationOptions options = rows_alone(folder, {"lstm"});
  options.refit = true;
  options.labels = {100};
  for (const char* setting : {"classifiers.batch_size=8", "classifiers.max_steps=11", "classifiers.patience=0"})
    apply_setting(options, setting);
  const ClassificationResults results = run_classification(options);
  CHECK(results.runs.at(0).best_epoch == 1);
  // 85 texts in 11 batches, then 100 in 13.
  const fs::path parts = options.output / "parts";
  CHECK(read_model_file(parts / "LSTM-100-labels-seed1-choice.safetensors").progress.steps == 11);
  CHECK(read_model_file(parts / "LSTM-100-labels-seed1.safetensors").progress.steps == 13);
}

TEST_CASE("parts whose records cannot be read are set aside, not written over") {
  const TemporaryFolder folder;
  ClassificationOptions options = rows_alone(folder, {"lstm"});
  run_classification(options);
  const fs::path record = options.output / "parts" / "LSTM-120-labels-seed1.json";
  write_atomically(record, R"({"key": "1", "of": "another version"})");
  run_classification(options);
  CHECK(test::slurp(record).find("inputs") != std::string::npos);
  std::size_t kept = 0;
  for (const auto& other : fs::directory_iterator(options.output / "parts" / "of-other-settings"))
    kept +=
        fs::exists(other.path() / record.filename()) && fs::exists(other.path() / "LSTM-120-labels-seed1.safetensors");
  CHECK(kept == 1);
}

TEST_CASE("parts of another precision are not taken for those of this one") {
  const TemporaryFolder folder;
  ClassificationOptions options = rows_alone(folder, {"lstm"});
  apply_setting(options, "classifiers.epochs=1");
  const fs::path parts = options.output / "parts", record = parts / "LSTM-120-labels-seed1.json";
  run_classification(options);
  const std::string first = test::slurp(record);
  {
    const test::PrecisionRestored restored;
    set_matmul_precision(Precision::medium);
    run_classification(options);
  }
  CHECK(test::slurp(record) != first);
  CHECK(fs::exists(parts / "of-other-settings"));
  run_classification(options);
  CHECK(test::slurp(record) == first);
}

TEST_CASE("the page of a tested run goes and comes back with the settings that made it") {
  const TemporaryFolder folder;
  ClassificationOptions options = rows_alone(folder, {"lstm"});
  apply_setting(options, "classifiers.epochs=1");
  const fs::path page = options.output / "runs" / "LSTM-120-labels-seed1";
  run_classification(options);
  const std::string first = test::slurp(page / "report.json");
  ClassificationOptions wider = options;
  apply_setting(wider, "all.model.hidden_size=20");
  run_classification(wider);
  const std::string second = test::slurp(page / "report.json");
  CHECK(second != first);
  run_classification(options);
  CHECK(test::slurp(page / "report.json") == first);
  wider.force = true;
  run_classification(wider);
  CHECK(test::slurp(page / "report.json").find("\"hidden_size\": 20") != std::string::npos);
  run_classification(options);
  CHECK(test::slurp(page / "report.json") == first);
  // One that somebody took away is not missed.
  fs::remove_all(page);
  wider.force = false;
  run_classification(wider);
  run_classification(options);
  CHECK_FALSE(fs::exists(page));
}

TEST_CASE("every row of the paper runs, its pretraining once, and published rows stand beside ours") {
  const TemporaryFolder folder;
  ClassificationOptions options = small_imdb(folder);
  options.rows = parse_rows(
      {"lstm", "lstm-gain", "lm-sa", "lm", "sa", "sa-gain", "sa-joint", "lm-vat", "lm-words", "lm-2", "lm-bi", "pa"});
  options.naive_bayes = false;
  const ClassificationResults results = run_classification(options);
  REQUIRE(results.runs.size() == 12);
  // LM, SA after it, SA, LM of two layers, LM of two directions, PA
  REQUIRE(results.pretraining.size() == 6);
  // The autoencoder's time has the language model's, which counts once.
  CHECK(results.seconds ==
        doctest::Approx(seconds_of(results.runs) + seconds_of(results.pretraining) - results.pretraining[0].seconds));
  const nlohmann::json runs = configuration_of(options)["runs"];
  CHECK(runs["LM-bi-seed1"]["model.bidirectional"] == true);
  CHECK(runs["LSTM-gain-120-labels-seed1"]["task"] == "label_gain");
  CHECK_FALSE(runs["LM-seed1"].contains("model.bidirectional"));
  CHECK(results.pretraining[0].row == "LM");
  CHECK(results.pretraining[1].row == "LM-SA");
  CHECK(results.pretraining[1].seconds > results.pretraining[0].seconds);
  CHECK(results.pretraining[1].curve.front().validation < results.pretraining[2].curve.front().validation);
  CHECK(test::slurp(options.output / "parts/LM-SA-seed1.json").find("\"from\": \"LM-seed1\"") != std::string::npos);
  CHECK(results.labelled == 120);
  for (const RunRecord& run : results.runs) CHECK_MESSAGE(run.test_error < 0.4, run.row);
  const Table table = classification_table(options, results);
  int published = 0;
  for (const auto& row : table.rows)
    if (std::get<std::string>(row[0]) == "published") {
      ++published;
      if (std::get<std::string>(row[1]) == "SA-LSTM (Dai & Le 2015)") CHECK(std::get<Measure>(row[2]).mean == 7.24);
    }
  CHECK(published == 11);
  CHECK(table.rows.size() == 12 + 11);
  const std::string report = test::slurp(options.output / "report.md");
  CHECK(report.find("PA-LSTM begins with a pooled autoencoder") != std::string::npos);
  CHECK(report.find("5 unlabelled texts are test texts too") != std::string::npos);
  CHECK(report.find("1 labelled training text is a test text too") != std::string::npos);
}

TEST_CASE("an experiment begins with the language model of another, with its words and sizes, as it is or trained on") {
  const TemporaryFolder folder;
  ClassificationOptions options = rows_alone(folder, {"lm"});
  const ClassificationResults first = run_classification(options);
  const fs::path model = options.output / "parts/LM-seed1.safetensors";

  ClassificationOptions other = classification_preset("texts", Preset::quick);
  std::string lines;
  Philox random(9);
  for (int i = 0; i < 160; ++i) {
    const char* label = i % 2 == 0 ? "neg" : "pos";
    lines += fmt::format("{}\t{} {}\n", label, words(random, label), i % 20 == 0 ? "never-seen" : "");
  }
  other.source.data = folder.write("own.tsv", lines);
  other.source.reading.label_column = "0";
  other.output = folder / "other";
  other.cache = folder / "cache";
  other.rows = parse_rows({"lm", "lm-sa", "lstm"});
  other.naive_bayes = false;
  begin_with(other, model);
  CHECK(other.classifier_scratch.model.encoder.hidden_size == 16);
  CHECK(other.autoencoder.model.embedding_size == 8);
  CHECK(other.text.vocabulary_size == 200);
  for (const char* setting : {"all.optimizer.learning_rate=2e-2", "classifiers.epochs=10", "sa.epochs=1"})
    apply_setting(other, setting);

  const ModelFile before = read_model_file(model);
  CHECK(load_classification_data(other).encoded.vocabulary == before.text.vocabulary);
  const ClassificationResults as_it_is = run_classification(other);
  REQUIRE(as_it_is.pretraining.size() == 1);  // the autoencoder's alone
  CHECK(as_it_is.pretraining[0].row == "LM-SA");
  CHECK_FALSE(fs::exists(other.output / "parts/LM-seed1.safetensors"));
  CHECK(as_it_is.runs[0].test_error < 0.1);
  const ModelFile classifier = read_model_file(other.output / "parts/LM-LSTM-128-labels-seed1.safetensors");
  CHECK(classifier.from == model.string());
  CHECK(classifier.text.vocabulary == before.text.vocabulary);
  CHECK(read_model_file(other.output / "parts/LM-SA-seed1.safetensors").from == model.string());
  CHECK(test::slurp(other.output / "report.md").find("its weights, as they are") != std::string::npos);
  CHECK(configuration_of(other)["from"] == model.string());

  other.rows = parse_rows({"lm", "lm-sa"});
  other.language_model.epochs = 2;
  const ClassificationResults more = run_classification(other);
  REQUIRE(more.pretraining.size() == 2);
  const ModelFile trained_on = read_model_file(other.output / "parts/LM-seed1.safetensors");
  CHECK(trained_on.from == model.string());
  CHECK(read_model_file(other.output / "parts/LM-SA-seed1.safetensors").from == "LM-seed1");
  CHECK(test::slurp(other.output / "report.md").find("trained for 2 more epochs") != std::string::npos);

  // Neither is it begun with what the run itself may replace.
  ClassificationOptions own = other;
  begin_with(own, other.output / "parts/LM-seed1.safetensors");
  CHECK_THROWS_WITH_AS(run_classification(own), doctest::Contains("is a part of this experiment's own folder"),
                       UsageError);

  // Nothing is begun afresh: at a rate of next to nothing the weights stay what they were.
  apply_setting(other, "lm.optimizer.learning_rate=1e-30");
  run_classification(other);
  const LoadedModel given = load_model(model), same = load_model(other.output / "parts/LM-seed1.safetensors");
  CHECK(given.store->all().size() == same.store->all().size());
  for (const auto& variable : given.store->all()) {
    const Tensor &a = variable->value, &b = same.store->find(variable->name)->value;
    CHECK_MESSAGE(std::ranges::equal(a.values<float>(), b.values<float>()), variable->name);
  }
}

TEST_CASE("the cache of an experiment does not lie in its data") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "wordnet");
  ClassificationOptions options = small_wordnet(folder.path());
  options.cache = folder / "wordnet/cache";
  CHECK_THROWS_WITH_AS(load_classification_data(options), doctest::Contains("--cache-dir"), UsageError);
}

TEST_CASE("test texts among the unlabelled ones are kept from pretraining") {
  const TemporaryFolder folder;
  const ClassificationOptions options = small_imdb(folder);
  const ClassificationData data = load_classification_data(options);
  const EncodedCorpus &train = data.encoded.part("train"), &test = data.encoded.part("test");
  CHECK(train.size() == 220);
  CHECK(data.labelled == 120);
  CHECK(data.test_in_unlabelled.size() == 5);
  CHECK(data.test_in_train == 1);
  CHECK(data.pretraining.size() + data.pretraining_validation.size() == 215);
  for (const auto* list : {&data.pretraining, &data.pretraining_validation})
    for (const std::int32_t i : *list)
      for (std::int32_t j = 0; i >= data.labelled && j < test.size(); ++j)
        CHECK_FALSE(std::ranges::equal(train.document(i), test.document(j)));
}

TEST_CASE("Rotten Tomatoes has a split of its own, the same for all seeds, and can pretrain on other text") {
  const TemporaryFolder folder;
  Philox random(5);
  std::string texts[2];
  for (int i = 0; i < 100; ++i)
    for (int label = 0; label < 2; ++label) texts[label] += words(random, label == 0 ? "bad" : "good") + "\n";
  test::write_archive(folder / "rt.tar.xz", {{"rt/rt-polarity.neg", texts[0]}, {"rt/rt-polarity.pos", texts[1]}},
                      test::Packing::tar_xz);
  ClassificationOptions options = classification_preset("rt", Preset::quick);
  options.source.data = folder / "rt.tar.xz";
  options.source.test = 50;
  const ClassificationData one = load_classification_data(options);
  const ClassificationData two = load_classification_data(options);
  CHECK(one.labelled == 150);
  CHECK(one.encoded.part("test").size() == 50);
  CHECK(one.encoded.part("test").id(0) == two.encoded.part("test").id(0));
  write_reviews(folder / "imdb.tar.xz");
  options.source.unlabelled = "imdb";
  CHECK_THROWS_AS(load_classification_data(options), UsageError);
  options.source.unlabelled_data = {folder / "imdb.tar.xz"};
  const ClassificationData more = load_classification_data(options);
  CHECK(more.labelled == 150);
  CHECK(more.encoded.part("train").size() == 150 + 220);
  CHECK(more.encoded.part("test").size() == 50);
}

TEST_CASE("newsgroups and DBpedia come to the recipe with their classes") {
  const TemporaryFolder folder;
  test::NamedTexts news;
  for (const char* part : {"train", "test"})
    for (const char* group : {"b", "a", "c"})
      for (int i = 0; i < 4; ++i)
        news.emplace_back(fmt::format("20news-bydate-{}/{}/{}", part, group, i), fmt::format("{} {}", group, part));
  test::write_archive(folder / "news.tar.xz", news, test::Packing::tar_xz);
  ClassificationOptions options = classification_preset("20news", Preset::quick);
  options.source.data = folder / "news.tar.xz";
  const ClassificationData groups = load_classification_data(options);
  CHECK(groups.labelled == 12);
  CHECK(groups.encoded.label_names == std::vector<std::string>{"a", "b", "c"});

  test::write_archive(folder / "dbpedia.tar.xz",
                      {{"classes.txt", "X\nY\n"},
                       {"train.csv", "1,\"\",\"ab ab\"\n2,\"\",\"cd\"\n"},
                       {"test.csv", "2,\"t\",\"cd\"\n"},
                       {"more.csv", "1,\"\",\"ef\"\n1,\"\",\"cd\"\n"}},
                      test::Packing::tar_xz);
  options = classification_preset("dbpedia", Preset::quick);
  options.source.data = folder / "dbpedia.tar.xz";
  const ClassificationData by_word = load_classification_data(options);
  CHECK(by_word.labelled == 2);
  CHECK(by_word.encoded.part("train").size() == 4);
  CHECK(by_word.test_in_unlabelled.size() == 1);
  options.text.unit = TokenUnit::code_point;
  const ClassificationData by_character = load_classification_data(options);
  CHECK(by_character.encoded.part("test").length(0) == 2);
  CHECK(by_character.identity != by_word.identity);
  // What was trained on a file is good for a copy of it.
  options.source.data = folder / "moved" / "dbpedia.tar.xz";
  std::filesystem::create_directory(folder / "moved");
  std::filesystem::copy_file(folder / "dbpedia.tar.xz", options.source.data);
  CHECK(load_classification_data(options).identity == by_character.identity);
}

TEST_CASE("images are classified row by row, after pretraining with a squared error") {
  const TemporaryFolder folder;
  Philox random(9);
  const auto images = [&](int count, int mislabelled = 0) {
    std::string bytes;
    for (int i = 0; i < count; ++i) {
      // The class is told by the brightness of the first rows.
      const int label = i % 2;
      bytes.push_back(static_cast<char>(i < mislabelled ? 1 - label : label));
      for (int at = 0; at < 3072; ++at)
        bytes.push_back(static_cast<char>(uniform_index(random, 100) + (label == 1 && at % 1024 < 256 ? 120 : 0)));
    }
    return bytes;
  };
  test::write_archive(
      folder / "cifar.tar.xz",
      {{"batches.meta.txt", "dark\nbright\n"}, {"data_batch_1.bin", images(120)}, {"test_batch.bin", images(40, 2)}},
      test::Packing::tar_xz);
  ClassificationOptions options = classification_preset("cifar10", Preset::quick);
  options.source.data = folder / "cifar.tar.xz";
  options.output = folder / "report";
  shrink(options);
  apply_setting(options, "pretraining.epochs=20");
  options.rows = parse_rows({"lstm", "lm", "sa", "lm-2"});
  const ClassificationResults results = run_classification(options);
  CHECK(results.labelled == 120);
  CHECK(results.baselines.empty());
  CHECK(results.pretraining.size() == 3);
  for (const RunRecord& record : results.pretraining) CHECK(record.validation < 0.2);
  for (const RunRecord& record : results.runs) CHECK_MESSAGE(record.test_error < 0.1, record.row);
  CHECK(test::slurp(options.output / "report.md").find("squared error") != std::string::npos);
  const std::string log = test::slurp(options.output / "parts/LM-seed1.log.jsonl");
  CHECK(log.find("validation_loss") != std::string::npos);
  CHECK(log.find("perplexity") == std::string::npos);
  for (const auto& run : fs::directory_iterator(options.output / "runs"))
    CHECK(test::slurp(run.path() / "report.md").find("32 rows of 96 numbers") != std::string::npos);
}

}  // namespace eddy
