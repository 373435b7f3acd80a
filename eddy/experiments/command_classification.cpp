// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <memory>
#include <numeric>
#include <optional>

#include "eddy/core/file.h"
#include "eddy/experiments/classification_presets.h"
#include "eddy/experiments/classification_report.h"
#include "eddy/experiments/classification_settings.h"
#include "eddy/experiments/command_data_flags.h"
#include "eddy/experiments/command_experiment.h"
#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/report.h"

namespace eddy {
namespace {

int run(const ClassificationOptions& options) {
  const ClassificationResults results = run_classification(options);
  fmt::print("\n{}\n{} of training and tests in all; the report is {}\n",
             to_text(classification_table(options, results)), format_duration(results.seconds),
             (options.output / "index.html").string());
  return 0;
}

/// The flags of one task. What was not given is the preset's, so all but that are optional.
struct Flags {
  std::string task;
  Preset preset = Preset::cpu;
  ClassificationSource source;
  std::filesystem::path from;
  std::filesystem::path output, cache = default_cache_directory();
  std::vector<std::string> rows, settings;
  std::vector<std::int64_t> labels;
  std::uint64_t seed = 1;
  std::optional<int> seeds;
  std::optional<std::int64_t> vocabulary, hidden, embedding, length, language_model_epochs, autoencoder_epochs, epochs;
  std::optional<std::string> unit;
  // Of the user's own files.
  std::optional<FlagSet<DataConfig>> reading;
  std::optional<TextFlags> text;
  double checkpoint_minutes = 3;
  std::optional<bool> refit;
  bool force = false;
  std::string command;

  ClassificationOptions options();
};

ClassificationOptions Flags::options() {
  if (reading) source.reading = reading->values();
  ClassificationOptions made = classification_preset(task, preset, amount_of_text(source));
  made.source = source;
  if (!from.empty()) begin_with(made, from);
  made.output = output;
  // Of other tasks' folders only the files of their layouts are read.
  if (reading) require_no_input("--output", output, source.unlabelled_data);
  made.cache = cache;
  if (!rows.empty()) made.rows = parse_rows(rows);
  if (!labels.empty()) made.labels = labels;
  require<UsageError>(!language_model_epochs || any_begins_with(made.rows, Pretraining::language_model),
                      "--pretraining-epochs does nothing: no row begins with a language model");
  require<UsageError>(!autoencoder_epochs || any_begins_with(made.rows, Pretraining::autoencoder) ||
                          any_begins_with(made.rows, Pretraining::pooled_autoencoder),
                      "--autoencoder-epochs does nothing: no row begins with an autoencoder");
  if (seeds) made.seeds.resize(static_cast<std::size_t>(*seeds));
  std::iota(made.seeds.begin(), made.seeds.end(), seed);
  if (vocabulary) made.text.vocabulary_size = *vocabulary;
  if (text) text->apply(made.text);
  if (unit) made.text.unit = *unit == "character" ? TokenUnit::code_point : TokenUnit::word;
  for (TrainingConfig* config : made.configs()) {
    if (hidden) config->model.encoder.hidden_size = *hidden;
    if (embedding) config->model.embedding_size = *embedding;
    if (length) config->max_length = *length;
  }
  if (language_model_epochs) made.language_model.epochs = *language_model_epochs;
  if (autoencoder_epochs) made.autoencoder.epochs = made.pooled_autoencoder.epochs = *autoencoder_epochs;
  for (TrainingConfig* config : made.classifiers())
    if (epochs) config->epochs = *epochs;
  for (const std::string& setting : settings) apply_setting(made, setting);
  for (const std::string& setting : settings) {
    require_used(made, setting);
    const auto untrained = [&](Pretraining kind, const TrainingConfig& config, std::string_view where) {
      return made.from_pretraining == kind && config.epochs == 0 && setting.starts_with(where);
    };
    require<UsageError>(!untrained(Pretraining::language_model, made.language_model, "lm.") &&
                            !untrained(Pretraining::pooled_autoencoder, made.pooled_autoencoder, "pa."),
                        "setting \"{}\": the model of --from is not trained on; expected {}", setting,
                        setting.starts_with("lm.") ? "--pretraining-epochs" : "--autoencoder-epochs");
  }
  if (refit) made.refit = *refit;
  made.checkpoint_seconds = 60 * checkpoint_minutes;
  made.force = force;
  made.command = command;
  return made;
}

/// What the files are and how they are read, as for `eddy finetune`; --vocabulary is among them.
void add_own_file_flags(CLI::App& app, Flags& flags) {
  CLI::Option* test = app.add_option("--test", flags.source.test_data,
                                     "Labelled texts for the test, read as --data; without it some of those are held "
                                     "out")
                          ->type_name("FILE");
  app.add_option("--test-fraction", flags.source.test_fraction, "What is held out of --data when there is no --test")
      ->capture_default_str()
      ->check(number_range(0.01, 0.9))
      ->excludes(test);
  app.add_option("--unlabelled", flags.source.unlabelled_data,
                 "More texts for pretraining: files or folders, one text a line; a .tsv or .csv is read as --data, but "
                 "for its labels")
      ->type_name("PATH");
  DataConfig defaults;
  defaults.label_column = "0";
  add_reading_flags(flags.reading.emplace(app, defaults));
  app.get_option("--format")->description("Kind of --data and --test, tsv or csv; guess: by their names");
  flags.text.emplace(app);
  // The preset's, where nothing else is said.
  for (const char* flag : {"--vocabulary", "--min-count", "--min-documents"}) app.get_option(flag)->default_str("");
}

void add_data_flags(CLI::App& app, Flags& flags, const ClassificationTask& task) {
  CLI::Option* data = app.add_option("-d,--data", flags.source.data,
                                     task.own_files ? "Labelled texts: a tsv or csv file, plain or compressed"
                                                    : "Archive or folder in its original layout");
  if (task.default_data.empty()) {
    data->required();
  } else {
    data->capture_default_str();
  }
  if (task.default_test > 0)
    app.add_option("--test", flags.source.test, "Texts held out for the test")
        ->capture_default_str()
        ->check(CLI::Range(10, 1000000));
  app.add_option("--split-seed", flags.source.split_seed, "Of what is held out and of the order of the labelled texts")
      ->capture_default_str();
  if (task.own_files) {
    add_own_file_flags(app, flags);
  } else {
    app.add_option("--vocabulary", flags.vocabulary, "Most frequent words to keep; 0: all")
        ->check(CLI::Range(0, 10000000));
  }
  if (task.name == "rt") {
    CLI::Option* other =
        app.add_option("--unlabelled", flags.source.unlabelled, "Pretrain with other text too: imdb or amazon")
            ->check(CLI::IsMember({"imdb", "amazon"}));
    app.add_option("--unlabelled-data", flags.source.unlabelled_data, "Archive or folder of that text")
        ->expected(1)
        ->needs(other);
  }
  if (task.name == "dbpedia")
    app.add_option("--level", flags.unit, "What a token is: word or character")
        ->check(CLI::IsMember({"word", "character"}));
}

void add_model_flags(CLI::App& app, Flags& flags, const ClassificationTask& task) {
  const auto count = CLI::Range(std::int64_t{1}, std::int64_t{1} << 20);
  if (!task.read_encoded)
    app.add_option(
           "--from", flags.from,
           "Language model that the lm rows begin with, or pooled autoencoder of the pa rows, of eddy pretrain or a "
           "report's parts: as it is, or with --pretraining-epochs (--autoencoder-epochs) trained on here; words and "
           "sizes are its")
        ->type_name("FILE");
  app.add_option("--hidden", flags.hidden, "Size of the recurrent state")->check(count);
  app.add_option("--embedding", flags.embedding, "Size of a word's embedding")->check(count);
  app.add_option("--max-length", flags.length, "Tokens of a text that are read")->check(count);
  app.add_option("--pretraining-epochs", flags.language_model_epochs, "Of the language model")->check(count);
  app.add_option("--autoencoder-epochs", flags.autoencoder_epochs, "Of the sequence autoencoder, and of the pooled one")
      ->check(count);
  app.add_option("--epochs", flags.epochs, "Of the classifiers, at most")->check(count);
  app.add_option(
         "--set", flags.settings,
         "Any setting, WHERE.KEY=VALUE, as in lm.optimizer.learning_rate=2e-3; WHERE is lm, sa, pa, pretraining, "
         "pretrained, perturbed (its rows -at and -vat), scratch, classifiers or all; the report lists the keys")
      ->type_name("SETTING");
}

std::function<ExperimentRun()> prepare(const ClassificationTask& task, CLI::App& app, const CommandLine& line) {
  auto flags = std::make_shared<Flags>();
  flags->task = flags->source.task = task.name;
  flags->source.data = task.default_data;
  flags->source.test = task.default_test;
  flags->output = "report-" + task.name;
  flags->command = line.text;
  add_data_flags(app, *flags, task);
  add_choice(
      app, "--preset", flags->preset, [&preset = flags->preset](Preset value) { preset = value; },
      "The sizes of Dai & Le 2015, of an hour or a few on two cores, or of minutes, for a look");
  app.add_option("--rows", flags->rows, fmt::format("Rows of the table: {}", kRowGrammar))->delimiter(',');
  app.add_option("--labels", flags->labels,
                 "Labelled texts to train on, 0 for all; several numbers give several tables")
      ->delimiter(',')
      ->check(CLI::Range(0, 10000000));
  app.add_option("--seed", flags->seed, "First seed")->capture_default_str();
  app.add_option("--seeds", flags->seeds, "Runs of each row, with the first seed and those after it")
      ->check(CLI::Range(1, 100));
  add_model_flags(app, *flags, task);
  CLI::Option* refit = app.add_flag_callback(
      "--refit", [flags] { flags->refit = true; },
      "Train once more, with the labelled texts that chose the epoch too, and test that model; else as the preset "
      "says");
  app.add_flag_callback(
         "--no-refit", [flags] { flags->refit = false; }, "Test the model of the chosen epoch")
      ->excludes(refit);
  app.add_option("-o,--output", flags->output, "Folder for the report and the models")->capture_default_str();
  app.add_option("--cache-dir", flags->cache, "Folder for the encoded texts")->capture_default_str();
  app.add_option("--checkpoint-minutes", flags->checkpoint_minutes,
                 "Between checkpoints, what a kill loses at most; 0: only at the beginning and at the end")
      ->capture_default_str()
      ->check(number_range(0, 1e6));
  app.add_flag("--force", flags->force, "Do parts again that an earlier run has finished");
  const std::string data = task.own_files              ? " --data train.tsv --test test.tsv --unlabelled more.txt"
                           : task.default_data.empty() ? " --data " + task.name + ".tar.xz"
                                                       : "";
  app.footer(
      fmt::format("A run that is stopped, or killed, goes on where it was when the same command is given again.\n"
                  "What other settings made is set aside in the report's folder, and found again by those.\n"
                  "Example: eddy experiment {}{} --preset quick --rows lstm,lm --output report",
                  task.name, data));
  return [flags]() -> ExperimentRun {
    const ClassificationOptions options = flags->options();
    return {options.output, [options] { return run(options); }};
  };
}

}  // namespace

std::vector<Experiment> classification_experiments() {
  std::vector<Experiment> experiments;
  for (const ClassificationTask& task : classification_tasks())
    experiments.push_back({task.name, task.summary,
                           [&task](CLI::App& app, const CommandLine& line) { return prepare(task, app, line); }});
  return experiments;
}

}  // namespace eddy
