// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <string>

#include "eddy/core/random.h"
#include "eddy/experiments/wordnet.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

/// A small WordNet whose glosses tell their class by their words.
void write_glosses(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  struct Part {
    const char* name;
    char type;
    int first_class;
    int glosses;
  };
  // The experiment keeps 2000 glosses from pretraining.
  constexpr std::array<Part, 4> parts = {
      {{"noun", 'n', 5, 1400}, {"verb", 'v', 29, 500}, {"adj", 'a', 0, 500}, {"adv", 'r', 2, 300}}};
  Philox random(7);
  for (const Part& part : parts) {
    std::string text = "  1 licence\n";
    for (int i = 0; i < part.glosses; ++i) {
      text += fmt::format("{:08} {:02} {} 01 x 0 000 |", i, part.first_class, part.type);
      for (int word = 0; word < 6; ++word)
        text += fmt::format(" {}{}", word % 2 == 0 ? part.name : "word", uniform_index(random, 20));
      text += fmt::format(" {}\n", i);  // no gloss twice
    }
    spit(folder / fmt::format("data.{}", part.name), text);
  }
}

WordnetOptions small_options(const std::filesystem::path& folder) {
  WordnetOptions options = wordnet_defaults();
  options.wordnet = folder / "wordnet";
  options.cache = folder / "cache";
  options.output = folder / "report";
  options.labels = {200, 400};
  options.test = 150;
  options.seeds = {1, 2};
  options.vocabulary = 200;
  for (TrainingConfig* config :
       {&options.language_model, &options.autoencoder, &options.classifier, &options.classifier_scratch}) {
    config->model.embedding_size = 8;
    config->model.encoder.hidden_size = 16;
    config->model.softmax_samples = 0;
    config->model.embedding_dropout = config->model.output_dropout = config->model.classifier_dropout = 0;
    config->optimizer.learning_rate = 2e-2;
  }
  options.classifier.epochs = options.classifier_scratch.epochs = 10;
  return options;
}

}  // namespace

TEST_CASE("the WordNet experiment trains every row, reports, and does nothing twice") {
  const TemporaryFolder folder;
  write_glosses(folder / "wordnet");
  WordnetOptions options = small_options(folder.path());
  const WordnetResults first = run_wordnet(options);
  CHECK(first.documents == 2700);
  CHECK(first.test == 150);
  REQUIRE(first.pretraining.size() == 4);
  REQUIRE(first.runs.size() == 12);
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
    CHECK_MESSAGE(std::filesystem::exists(options.output / file), file);

  // Seconds would differ if anything had been trained again.
  const WordnetResults again = run_wordnet(options);
  for (std::size_t i = 0; i < 12; ++i) CHECK(again.runs[i].seconds == first.runs[i].seconds);
  options.classifier.optimizer.learning_rate = 1e-2;
  const WordnetResults retuned = run_wordnet(options);
  for (std::size_t i = 0; i < 4; ++i) CHECK(retuned.pretraining[i].seconds == first.pretraining[i].seconds);
  for (std::size_t i = 0; i < 12; ++i)
    CHECK((retuned.runs[i].seconds == first.runs[i].seconds) == (first.runs[i].row == "LSTM"));
}

TEST_CASE("the default recipe holds together") {
  const WordnetOptions options = wordnet_defaults();
  for (TrainingConfig config :
       {options.language_model, options.autoencoder, options.classifier, options.classifier_scratch}) {
    config.model.vocabulary_size = options.vocabulary;
    config.model.classes = 45;
    CHECK_NOTHROW(check(config));
  }
  CHECK(options.seeds.size() == 3);
}

}  // namespace eddy
