// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <memory>
#include <numeric>

#include "eddy/core/cpu.h"
#include "eddy/experiments/command_experiment.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/progress_interrupt.h"
#include "eddy/experiments/run_data.h"
#include "eddy/experiments/wordnet.h"
#include "eddy/experiments/wordnet_report.h"

namespace eddy {
namespace {

int run(const WordnetOptions& options) {
  fmt::print("eddy experiment wordnet: {}\nreport folder {}\n", describe_cpu(), options.output.string());
  try {
    const WordnetResults results = run_wordnet(options);
    fmt::print("\n{}\n{} in all; the report is {}\n", to_text(wordnet_table(options, results)),
               format_duration(results.seconds), (options.output / "index.html").string());
  } catch (const Interrupted&) {
    fmt::print(stderr, "Interrupted. Finished parts are kept; the same command goes on with the next one:\n  {}\n",
               options.command);
    return 128 + interrupt_signal();
  }
  return 0;
}

std::function<int()> prepare(CLI::App& app, const CommandLine& line) {
  auto options = std::make_shared<WordnetOptions>(wordnet_defaults());
  auto seeds = std::make_shared<int>(static_cast<int>(options->seeds.size()));
  options->output = "report-wordnet";
  options->cache = default_cache_directory();
  options->command = line.text;
  app.add_option("--data", options->wordnet, "Folder of WordNet's data files")->capture_default_str();
  app.add_option("--labels", options->labels, "Labelled glosses to train on; several numbers give several tables")
      ->capture_default_str()
      ->check(CLI::Range(100, 100000));
  app.add_option("--seed", options->seeds.front(), "First seed")->capture_default_str();
  app.add_option("--seeds", *seeds, "Runs of each row, with the first seed and those after it")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  app.add_option("--test", options->test, "Glosses held out for the test")
      ->capture_default_str()
      ->check(CLI::Range(100, 50000));
  app.add_option("--split-seed", options->split_seed, "Of the split into test and training glosses")
      ->capture_default_str();
  app.add_option("--vocabulary", options->vocabulary, "Most frequent words to keep")
      ->capture_default_str()
      ->check(CLI::Range(100, 200000));
  app.add_option("--pretraining-epochs", options->language_model.epochs, "Of the language model")
      ->capture_default_str();
  app.add_option("--autoencoder-epochs", options->autoencoder.epochs, "Of the sequence autoencoder")
      ->capture_default_str();
  app.add_option("--output", options->output, "Folder for the report and the models")->capture_default_str();
  app.add_option("--cache-dir", options->cache, "Folder for the encoded glosses")->capture_default_str();
  app.add_flag("--force", options->force, "Do parts again that an earlier run has finished");
  app.footer(
      "A run that is stopped goes on where it was when the same command is given again.\n"
      "Example: eddy experiment wordnet --labels 1000 3000 10000 --output report");
  return [options, seeds] {
    options->seeds.resize(static_cast<std::size_t>(*seeds));
    std::iota(options->seeds.begin(), options->seeds.end(), options->seeds.front());
    return run(*options);
  };
}

}  // namespace

Experiment wordnet_experiment() {
  return {"wordnet", "Pretraining against training from scratch on WordNet's glosses, 45 classes", prepare};
}

}  // namespace eddy
