// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <memory>

#include "eddy/experiments/command_experiment.h"
#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/pair_recipes.h"

namespace eddy {
namespace {

int run(const PairExperiment& experiment) {
  const std::vector<PairRecord> records = run_pair_experiment(experiment);
  fmt::print("\n{}", to_text(pair_table(experiment, records)));
  if (!records.front().examples.empty()) fmt::print("\n{}", to_text(example_table(records)));
  fmt::print("\nthe report is {}\n", (experiment.output / "index.html").string());
  return 0;
}

ExperimentRun run_of(PairExperiment experiment) {
  const auto kept = std::make_shared<const PairExperiment>(std::move(experiment));
  return {kept->output, [kept] { return run(*kept); }};
}

void add_common_flags(CLI::App& app, PairRecipeOptions& options, const CommandLine& line, const std::string& models,
                      std::int64_t most) {
  options.command = line.text;
  const std::string own = "; 0 is the model's own";
  app.add_option("--models", options.models, "Models to train: " + models)->delimiter(',')->capture_default_str();
  app.add_option("--epochs", options.epochs, "Times to go over the training pairs" + own)
      ->capture_default_str()
      ->check(CLI::Range(0, 100000));
  app.add_option("--hidden,--hidden-size", options.hidden_size, "Width of the recurrent layers" + own)
      ->capture_default_str()
      ->check(CLI::Range(0, 8192));
  app.add_option("--batch,--batch-size", options.batch_size, "Pairs in a step" + own)
      ->capture_default_str()
      ->check(CLI::Range(0, 100000));
  app.add_option("--learning-rate,--lr", options.learning_rate, "Of Adam, at the beginning" + own)
      ->capture_default_str()
      ->check(number_range(0, 1));
  app.add_option("--validation", options.validation, "Sources kept from training for the curves")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{1}, most));
  app.add_option("--test", options.test, "Sources kept from training for the figures")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{1}, most));
  app.add_option("--seed", options.seed, "Of the split, the weights and the order of the batches")
      ->capture_default_str();
  app.add_option("-o,--output", options.output, "Folder for the report and the models")->capture_default_str();
  app.add_flag("--force", options.force, "Train again what an earlier run has trained");
}

std::string footer(const std::string& example) {
  return "A run that is stopped goes on with the epoch it was in when the same command is given again. What other\n"
         "settings made is set aside in the report's folder, and found again by those.\nExample: " +
         example;
}

std::function<ExperimentRun()> prepare_piglatin(CLI::App& app, const CommandLine& line) {
  auto options = std::make_shared<PigLatinOptions>();
  app.add_option("-d,--data", options->words, "List of words, one a line, or an archive or folder with one")
      ->capture_default_str();
  app.add_option("--file", options->file, "Name of the list in an archive or folder");
  app.add_option("--shortest", options->list.shortest, "Letters of the shortest words")
      ->capture_default_str()
      ->check(CLI::Range(1, 16));
  app.add_option("--longest", options->list.longest, "Letters of the longest words")
      ->capture_default_str()
      ->check(CLI::Range(1, 16));
  app.add_option("--words", options->examples, "Words to translate in the end")->capture_default_str();
  add_common_flags(app, options->common, line, "context, attention", 100000);
  app.footer(footer("eddy experiment piglatin --shortest 3 --longest 6 --words master cos"));
  return [&app, options] {
    if (app.count("--words") == 0)
      std::erase_if(options->examples,
                    [&](const std::string& word) { return std::ssize(word) > options->list.longest; });
    return run_of(make_piglatin(*options));
  };
}

std::function<ExperimentRun()> prepare_adder(CLI::App& app, const CommandLine& line) {
  auto options = std::make_shared<AdderOptions>();
  app.add_option("--below", options->below, "Summands are smaller than this")
      ->capture_default_str()
      ->check(CLI::Range(10, 1000));
  app.add_option("--sums", options->examples, "Sums to compute in the end")->default_str("12+34, 34+12, …");
  add_common_flags(app, options->common, line, "context, attention", 400000);
  app.footer(footer("eddy experiment adder --sums 12+34 7+8"));
  return [options] { return run_of(make_adder(*options)); };
}

std::function<ExperimentRun()> prepare_patterns(CLI::App& app, const CommandLine& line) {
  auto options = std::make_shared<PatternsOptions>();
  const auto pattern = [options](const std::string& name) { options->pattern = parse_digit_pattern(name); };
  app.add_option_function<std::string>("--pattern", pattern, "What to make of the digits")
      ->default_str(std::string(to_string(options->pattern)))
      ->check(CLI::IsMember({"sorted", "reversed", "maxmin_dup"}));
  app.add_option("--samples", options->samples, "Sequences to draw")
      ->capture_default_str()
      ->check(CLI::Range(100, 10000000));
  app.add_option("--length", options->input_length, "Digits of a sequence")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--output-length", options->output_length, "Digits of the pattern to write; 0 is all")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  app.add_option("--digits", options->examples, "Sequences to do in the end, each in quotes, of any length")
      ->capture_default_str();
  add_common_flags(app, options->common, line, "embedding_rnn, embedding_attention, legacy_attention", 1000000);
  app.footer(footer("eddy experiment patterns --pattern sorted --digits \"3 1 2\" \"9 8 7 6 5\""));
  return [options] { return run_of(make_patterns(*options)); };
}

}  // namespace

Experiment piglatin_experiment() { return {"piglatin", "Words to Pig Latin, letter by letter", prepare_piglatin}; }
Experiment adder_experiment() { return {"adder", "Sums of numbers, character by character", prepare_adder}; }
Experiment patterns_experiment() {
  return {"patterns", "Sequences of digits sorted, reversed or with their extremes in front", prepare_patterns};
}

}  // namespace eddy
