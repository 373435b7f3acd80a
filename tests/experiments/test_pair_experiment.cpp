// SPDX-License-Identifier: Apache-2.0
// The small experiments on sequences: they learn, go on after a stop as if there had been none, and report.
#include <doctest/doctest.h>

#include <algorithm>

#include "eddy/core/error.h"
#include "eddy/experiments/pair_recipes.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

PatternsOptions small_patterns(const std::filesystem::path& output) {
  PatternsOptions options;
  options.samples = 1500;
  options.input_length = 3;
  options.examples = {"1 2 3", "4 5 6 7"};
  options.common.models = {"embedding_attention", "legacy_attention"};
  options.common.epochs = 6;
  options.common.hidden_size = 32;
  options.common.batch_size = 32;
  options.common.learning_rate = 1e-2;
  options.common.validation = options.common.test = 50;
  options.common.output = output;
  return options;
}

}  // namespace

TEST_CASE("the pattern experiment learns to reverse, and takes lengths it was not trained on") {
  const TemporaryFolder folder;
  const PairExperiment experiment = make_patterns(small_patterns(folder / "report"));
  const std::vector<PairRecord> records = run_pair_experiment(experiment);
  REQUIRE(records.size() == 2);
  for (const PairRecord& record : records) CHECK(record.token_accuracy > 0.95);
  CHECK(records[0].tested >= 50);
  REQUIRE(records[0].curve.size() == 6);
  CHECK(records[0].curve.back().loss < 0.3 * records[0].curve.front().loss);
  REQUIRE(records[0].examples.size() == 2);
  CHECK(records[0].examples[0].expected == "3 2 1");
  CHECK(records[0].examples[0].predicted == "3 2 1");
  CHECK(records[0].examples[1].expected == "7 6 5 4");
  CHECK(records[0].examples[1].predicted.size() == 7);
  CHECK(records[0].examples[1].attention.size() >= 4 * 4);
  const std::string report = slurp(folder / "report" / "report.md");
  CHECK(report.find("embedding_attention") != std::string::npos);
  CHECK(report.find("7 6 5 4") != std::string::npos);
  CHECK(std::filesystem::exists(folder / "report" / "embedding_attention-1.svg"));
  CHECK(std::get<Measure>(read_report(folder / "report").tables.at(0).rows.at(0).at(1)).mean ==
        static_cast<double>(records[0].parameters));

  // Nothing is trained twice, and other examples need no training.
  PatternsOptions again = small_patterns(folder / "report");
  again.examples = {"9 8 7"};
  const std::vector<PairRecord> loaded = run_pair_experiment(make_patterns(again));
  CHECK(loaded[0].curve.back().loss == records[0].curve.back().loss);
  CHECK(loaded[0].curve.back().seconds == records[0].curve.back().seconds);
  CHECK(loaded[0].token_accuracy == records[0].token_accuracy);
  CHECK(loaded[0].examples[0].expected == "7 8 9");
}

TEST_CASE("other options train anew, and what the first made is found again by those; so is what cannot be read") {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "report" / "parts" / "embedding_attention.safetensors";
  PatternsOptions options = small_patterns(folder / "report");
  options.common.epochs = 1;
  options.common.models = {"embedding_attention"};
  const auto first = run_pair_experiment(make_patterns(options));
  options.common.learning_rate = 2e-3;
  const auto second = run_pair_experiment(make_patterns(options));
  CHECK(second[0].curve[0].loss > first[0].curve[0].loss);
  spit(file, "no checkpoint");
  const auto third = run_pair_experiment(make_patterns(options));
  CHECK(third[0].curve[0].loss == second[0].curve[0].loss);
  options.common.learning_rate = small_patterns("").common.learning_rate;
  CHECK(run_pair_experiment(make_patterns(options))[0].curve[0].seconds == first[0].curve[0].seconds);
  std::vector<std::string> aside;
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path() / "of-other-settings"))
    if (std::filesystem::exists(entry.path() / file.filename())) aside.push_back(slurp(entry.path() / file.filename()));
  CHECK(aside.size() == 2);
  CHECK(std::ranges::count(aside, "no checkpoint") == 1);
  // --force does again what these options made, and nothing else.
  PairExperiment forced = make_patterns(options);
  forced.force = true;
  CHECK(run_pair_experiment(forced)[0].curve[0].seconds != first[0].curve[0].seconds);
  options.common.learning_rate = 2e-3;
  CHECK(run_pair_experiment(make_patterns(options))[0].curve[0].seconds == third[0].curve[0].seconds);
}

TEST_CASE("where no models can be kept, none is trained") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "report");
  spit(folder / "report" / "parts", "");
  CHECK_THROWS_WITH_AS(run_pair_experiment(make_patterns(small_patterns(folder / "report"))),
                       doctest::Contains("parts: cannot be made: Not a directory"), DataError);
}

TEST_CASE("training that goes on from a checkpointed epoch is the training that was never stopped") {
  const PairExperiment experiment = make_patterns(small_patterns("unused"));
  const PairRow& row = experiment.rows[0];
  const auto loss_of_second_epoch = [&](PairTrainer& trainer) {
    double sum = 0;
    for (std::int64_t i = 0; i < trainer.batches_per_epoch(); ++i) sum += trainer.step().loss;
    return sum;
  };
  ParameterStore whole(1), stopped(1);
  PairTrainer straight(whole, row.model, row.training, row.pairs, experiment.split.train);
  loss_of_second_epoch(straight);
  const double expected = loss_of_second_epoch(straight);
  {
    PairTrainer before(stopped, row.model, row.training, row.pairs, experiment.split.train);
    loss_of_second_epoch(before);
  }
  PairTrainer after(stopped, row.model, row.training, row.pairs, experiment.split.train);
  after.seek(1);
  CHECK(loss_of_second_epoch(after) == expected);
}

TEST_CASE("the adder's two models learn small sums, each sum in one part only") {
  const TemporaryFolder folder;
  AdderOptions options;
  options.below = 10;
  options.examples = {"2+3"};
  options.common.validation = options.common.test = 5;
  options.common.epochs = 60;
  options.common.hidden_size = 32;
  options.common.batch_size = 16;
  options.common.learning_rate = 1e-2;
  options.common.output = folder / "report";
  const PairExperiment experiment = make_adder(options);
  CHECK(experiment.split.train.size() + experiment.split.validation.size() + experiment.split.test.size() == 100);
  CHECK(experiment.split.train.size() >= 80);
  const std::vector<PairRecord> records = run_pair_experiment(experiment);
  REQUIRE(records.size() == 2);
  for (const PairRecord& record : records) {
    CAPTURE(record.row);
    CHECK(record.curve.back().loss < 0.2 * record.curve.front().loss);
    CHECK(record.examples[0].expected == "5");
  }
}

TEST_CASE("of a frame as many tokens count as of the text without one") {
  AdderOptions options;
  options.below = 10;
  options.common.hidden_size = 8;
  options.common.batch_size = 16;
  options.common.validation = options.common.test = 5;
  const PairExperiment experiment = make_adder(options);
  std::vector<std::int64_t> tokens;
  for (const PairRow& row : experiment.rows) {
    ParameterStore store(1);
    PairTrainer trainer(store, row.model, row.training, row.pairs, experiment.split.train);
    trainer.make_variables();
    const SequenceAccuracy accuracy = trainer.evaluate(row.pairs, experiment.split.test);
    CHECK(accuracy.sequences() == static_cast<std::int64_t>(experiment.split.test.size()));
    tokens.push_back(accuracy.tokens());
  }
  REQUIRE(tokens.size() == 2);
  CHECK(tokens[0] == tokens[1]);
  // A sum of one or two digits, and its end.
  CHECK(tokens[0] <= 3 * static_cast<std::int64_t>(experiment.split.test.size()));
}

TEST_CASE("the Pig Latin experiment reads a list and learns more with each epoch") {
  const TemporaryFolder folder;
  std::string words;
  for (const char a : std::string("bcdfgpst"))
    for (const char b : std::string("aeiou"))
      for (const char c : std::string("bcdfgpst")) words += std::string{a, b, c, '\n'};
  spit(folder / "words", words);
  PigLatinOptions options;
  options.words = folder / "words";
  options.list.longest = 4;
  options.examples = {"sit", "cot"};
  options.common.validation = options.common.test = 20;
  options.common.epochs = 8;
  options.common.hidden_size = 32;
  options.common.batch_size = 16;
  options.common.learning_rate = 1e-2;
  options.common.output = folder / "report";
  const std::vector<PairRecord> records = run_pair_experiment(make_piglatin(options));
  REQUIRE(records.size() == 2);
  for (const PairRecord& record : records) {
    CAPTURE(record.row);
    CHECK(record.examples[0].expected == "itsay");
    CHECK(record.curve.back().loss < 0.7 * record.curve.front().loss);
  }
  CHECK(records[1].sequence_accuracy > 0.9);
  CHECK(records[1].examples[0].predicted == "itsay");
}

TEST_CASE("wrong options of the small experiments are told") {
  PatternsOptions patterns = small_patterns("unused");
  patterns.common.models = {"rnn"};
  CHECK_THROWS_WITH_AS(make_patterns(patterns), doctest::Contains("there is no model \"rnn\""), UsageError);
  patterns.common.models = {"embedding_rnn", "embedding_rnn"};
  CHECK_THROWS_WITH_AS(make_patterns(patterns), doctest::Contains("the model embedding_rnn is given twice"),
                       UsageError);
  patterns = small_patterns("unused");
  patterns.examples = {"1 x"};
  CHECK_THROWS_WITH_AS(make_patterns(patterns), doctest::Contains("\"1 x\" is not a sequence of digits"), UsageError);
  AdderOptions adder;
  adder.examples = {"1-2"};
  CHECK_THROWS_WITH_AS(make_adder(adder), doctest::Contains("\"1-2\" is not an addition"), UsageError);
  adder.examples = {"99+99", "3+100"};
  CHECK_THROWS_WITH_AS(make_adder(adder), doctest::Contains("\"3+100\" has a summand beyond those learned"),
                       UsageError);
  PigLatinOptions words;
  words.words = "no/such/list";
  CHECK_THROWS_WITH_AS(make_piglatin(words), doctest::Contains("no/such/list"), DataError);
  words.examples = {"Élan"};
  CHECK_THROWS_WITH_AS(make_piglatin(words), doctest::Contains("\"Élan\" has no Pig Latin"), UsageError);
  words.examples = {"sit", "tremendous"};
  CHECK_THROWS_WITH_AS(make_piglatin(words), doctest::Contains("\"tremendous\" has 10 letters; expected 8"),
                       UsageError);
  // Attention reads words of any length.
  words.common.models = {"attention"};
  CHECK_THROWS_WITH_AS(make_piglatin(words), doctest::Contains("no/such/list"), DataError);
}

}  // namespace eddy
