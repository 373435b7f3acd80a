// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/number_text.h"
#include "eddy/core/random.h"
#include "eddy/experiments/classification_task.h"
#include "eddy/experiments/command.h"
#include "eddy/experiments/command_data_flags.h"
#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/command_header.h"
#include "eddy/experiments/report.h"
#include "eddy/experiments/run_report.h"
#include "eddy/experiments/table_columns.h"
#include "eddy/experiments/text_evaluator.h"
#include "eddy/experiments/validation_split.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

using Documents = std::vector<std::int32_t>;

struct EvaluateCommand {
  explicit EvaluateCommand(CLI::App& command) : app(command), data(command) {}

  bool columns_given() const { return app.count("--text-column") + app.count("--label-column") > 0; }

  CLI::App& app;
  DataFlags data;
  std::string model, part, report;
  std::int64_t batch = 32;
  std::int64_t sample = 0;
  std::optional<std::int64_t> max_length;
  bool json = false, confusion = false;
  std::uint64_t seed = 1;
};

constexpr std::string_view kExamples = R"(Examples:
  eddy evaluate --model classifier.safetensors --data test.tsv --label-column 0
  eddy evaluate --model classifier.safetensors --part validation
  eddy evaluate --model imdb.safetensors --part test --confusion --report reports/imdb
  eddy evaluate --model imdb.safetensors --part validation --max-length 0   (all of each text)
  eddy evaluate --model lm.safetensors --data other.txt --json)";

/// The last name of a path, which may end in a slash.
std::string file_name(const fs::path& path) {
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

/// All documents, those with a label for a classifier.
Documents all_of(const EncodedCorpus& corpus, bool labelled, const std::string& path) {
  Documents documents;
  for (std::int32_t i = 0; i < corpus.size(); ++i)
    if (!labelled || corpus.label(i) >= 0) documents.push_back(i);
  require<DataError>(!labelled || !documents.empty(),
                     "{}: no text of {} has a class to compare with (--label-column for tsv and csv)", path,
                     grouped(corpus.size()));
  return documents;
}

/// What to evaluate of them: all, or a sample.
Documents chosen(const EvaluateCommand& command, Documents documents) {
  const auto size = static_cast<std::size_t>(command.sample);
  if (size == 0 || size >= documents.size()) return documents;
  Philox random(command.seed, stable_hash("evaluate sample"));
  shuffle(std::span(documents), random);
  documents.resize(size);
  std::ranges::sort(documents);
  return documents;
}

/// Whether a run with this log made a model of this progress; a log that does not tell may be of it.
bool made(const RunHistory& history, const RunProgress& progress) {
  const ValidationRecord& best = progress.validation;
  if (!best.has_best || progress.steps != best.best_step) return true;
  return std::ranges::any_of(history.validation, [&](const RunHistory::Validation& point) {
    return point.step == best.best_step && std::abs(point.loss - best.best_loss) <= 1e-9 * std::abs(best.best_loss);
  });
}

/// A file that is a table by its name is read as one, whatever kind the training's was.
void format_by_name(const EvaluateCommand& command, DataConfig& data) {
  if (command.app.count("--data") == 0 || command.app.count("--format") > 0) return;
  DataConfig named;
  named.path = data.path;
  if (const DataFormat format = guess_format(named); is_table(format)) data.format = format;
}

std::string tokens_read(std::int64_t max_length) {
  return max_length == 0 ? "all tokens" : "at most " + counted(max_length, "token");
}

/// Lays the flags over what the training read. True when that is the training's own source still.
bool apply_flags(EvaluateCommand& command, DataConfig& data) {
  const std::string trained = data.path.empty() ? "" : absolute_data_path(data.path);
  const std::string unlabelled = data.unlabelled;
  command.data.apply(data);
  // Names of columns that were seen in the training say nothing of columns given now.
  if (command.columns_given()) data.columns.clear();
  const bool own = !data.path.empty() && absolute_data_path(data.path) == trained;
  if (!own) format_by_name(command, data);
  std::error_code error;
  const bool gone = !unlabelled.empty() && !fs::exists(unlabelled, error);
  if (data.unlabelled == unlabelled && (!own || gone)) data.unlabelled.clear();
  return own;
}

/// Whether the corpus is what the model was trained on; says where it should be and is not.
bool are_training_texts(const EvaluateCommand& command, const ModelFile& model, const EncodedCorpus& corpus, bool own) {
  if (model.progress.data_fingerprint == 0) return own;
  if (fingerprint(corpus) == model.progress.data_fingerprint) return true;
  if (own && !model.experiment.empty())
    fmt::print(stderr, "eddy: warning: {} was trained on some of these texts by eddy experiment {}: no test error\n",
               command.model, model.experiment);
  else if (own)
    fmt::print(
        stderr,
        "eddy: warning: {} is not just what {} was trained on: it has changed since, or is read or split otherwise\n",
        model.data.path, command.model);
  return false;
}

/// Its weights are not those of the run's output, which are the best ones.
void tell_checkpoint(const EvaluateCommand& command, const LoadedModel& model) {
  const bool is_checkpoint =
      std::ranges::any_of(model.store->all(), [](const auto& variable) { return !variable->trainable; });
  if (is_checkpoint)
    fmt::print(stderr, "{} is a checkpoint: its weights are those after the last step, {}\n", command.model,
               grouped(model.file.progress.steps));
}

/// Most experiments read layouts that this command does not.
void require_readable(const EvaluateCommand& command, const ModelFile& model) {
  if (model.experiment.empty()) return;
  const ClassificationTask& task = classification_task(model.experiment);
  require<UsageError>(task.own_files || task.format != DataFormat::guess,
                      "{}: {} is in a layout that eddy experiment {} alone reads; give texts to measure with --data",
                      command.model, model.data.path, model.experiment);
}

void require_part(const EncodedDataset& data, const std::string& part, const std::string& path) {
  std::string names;
  for (const EncodedDataset::Part& known : data.parts) {
    if (known.name == part) return;
    names += (names.empty() ? "" : ", ") + known.name;
    if (known.name == "train") names += ", validation";
  }
  fail<UsageError>("--part {}: {} has no such part, but {}", part, path, names);
}

/// The texts that the training kept for validation.
Documents kept_out(const EvaluateCommand& command, const ModelFile& model, const EncodedCorpus& corpus, bool own,
                   bool trained_on) {
  require<UsageError>(trained_on || !own || model.experiment.empty(),
                      "--part validation: which texts of {} were kept for it, eddy experiment {} alone knows",
                      model.data.path, model.experiment);
  require<UsageError>(trained_on, "{}: these are not the texts that {} was trained on, so they have no validation part",
                      model.data.path, command.model);
  Documents documents = split_validation(model.config, corpus).validation;
  require<UsageError>(!documents.empty(), "{}: no text was kept from the training for validation", command.model);
  return documents;
}

void warn_trained_on(const EvaluateCommand& command, const TrainingConfig& config) {
  fmt::print(stderr, "eddy: warning: {} was trained on these texts{}\n", command.model,
             config.validation_fraction > 0 ? ", but for those that --part validation measures" : "");
}

nlohmann::ordered_json confusion_json(const ConfusionMatrix& matrix) {
  auto rows = nlohmann::ordered_json::array();
  for (std::int32_t target = 0; target < matrix.classes(); ++target) {
    auto row = nlohmann::ordered_json::array();
    for (std::int32_t predicted = 0; predicted < matrix.classes(); ++predicted)
      row.push_back(matrix.count(target, predicted));
    rows.push_back(std::move(row));
  }
  return rows;
}

void print_cut(const Evaluation& scores, const TextEvaluator& evaluator) {
  if (scores.cut.any()) fmt::print("cut         {}\n", scores.cut.to_string(evaluated_length(evaluator.config())));
}

ClassificationResult report_classifier(const EvaluateCommand& command, TextEvaluator& evaluator,
                                       const EncodedCorpus& corpus, const Documents& documents, const ModelFile& model,
                                       const std::string& part) {
  ClassificationResult result = classification_result(part, evaluator.predict(corpus, documents), corpus, documents,
                                                      model.text, model.config.row_width);
  const Evaluation& scores = result.scores;
  const ConfusionMatrix& matrix = result.confusion;
  if (command.json) {
    print_json({{"part", part},
                {"documents", scores.documents},
                {"texts_cut", scores.cut.documents},
                {"tokens_not_read", scores.cut.tokens},
                {"loss", scores.loss},
                {"error_rate", scores.error_rate},
                {"accuracy", matrix.accuracy()},
                {"macro_f1", matrix.macro_f1()},
                {"classes", model.text.label_names},
                {"confusion", confusion_json(matrix)}});
    return result;
  }
  fmt::print("texts      {}\nerror      {:.2f} %\naccuracy   {:.2f} %\nmacro F1   {:.4f}\nloss       {:.4f}\n",
             grouped(scores.documents), 100 * scores.error_rate, 100 * matrix.accuracy(), matrix.macro_f1(),
             scores.loss);
  print_cut(scores, evaluator);
  if (command.confusion) fmt::print("\n{}", to_text(class_table(result, model.text.label_names)));
  return result;
}

Evaluation report_unsupervised(const EvaluateCommand& command, TextEvaluator& evaluator, const EncodedCorpus& corpus,
                               const Documents& documents, const std::string& part) {
  const Evaluation scores = evaluator.evaluate(corpus, documents);
  if (command.json) {
    print_json({{"part", part},
                {"documents", scores.documents},
                {"tokens", scores.targets},
                {"texts_cut", scores.cut.documents},
                {"tokens_not_read", scores.cut.tokens},
                {"loss", scores.loss},
                {"perplexity", scores.perplexity()}});
    return scores;
  }
  fmt::print("texts       {}\ntokens      {}\nloss        {:.4f} nats per token\nperplexity  {:.2f}\n",
             grouped(scores.documents), grouped(scores.targets), scores.loss, scores.perplexity());
  print_cut(scores, evaluator);
  return scores;
}

/// The training part of a model that is no classifier has the texts of --unlabelled too.
std::string measured_paths(const ModelFile& model, const std::string& part) {
  const bool more = part == "train" && !model.data.unlabelled.empty() && !is_classification(model.config.task);
  return model.data.path + (more ? " and " + model.data.unlabelled : "");
}

int evaluate(EvaluateCommand& command, const CommandLine& line) {
  const FlagNeeds needs(command.app);
  needs("--sample", command.sample > 0, {"--seed"});
  require<UsageError>(!command.json || !command.confusion,
                      "--confusion prints a table, but --json has its counts already; leave one of them out");
  if (!command.report.empty()) check_report_folder(command.report);
  require<UsageError>(command.app.count("--unlabelled") == 0,
                      "--unlabelled is of training; to measure those texts, give them as --data");
  LoadedModel model = load_model(command.model);
  require_text_model(command.model, model.file.config);
  tell_checkpoint(command, model);
  const DataConfig training_data = model.file.data;
  const bool own = apply_flags(command, model.file.data);
  if (own) require_readable(command, model.file);
  require_no_input("--report", command.report, {model.file.data.path});
  TrainingConfig config = model.file.config;
  require<UsageError>(!command.confusion || is_classification(config.task), "--confusion is of classifiers, {} is none",
                      command.model);
  config.batch_size = command.batch;
  apply_max_length(command.max_length, command.model, config);
  DataLoading loading;
  loading.cache = command.data.cache();
  loading.model = &model.file.text;
  loading.fixed_labels = is_classification(model.file.config.task);
  loading.message = [](const std::string& message) { fmt::print(stderr, "{}\n", message); };
  const EncodedDataset data = load_data(model.file.data, model.file.text.text, loading);
  if (data.invalid_sequences > 0) fmt::print(stderr, "{}\n", ill_formed_text(data.invalid_sequences));
  const std::string part = command.part.empty() ? data.parts.back().name : command.part;
  const std::string of = part == "validation" ? "train" : part;
  require_part(data, of, model.file.data.path);
  const EncodedCorpus& corpus = data.part(of);
  const bool trained_on = of == "train" && are_training_texts(command, model.file, corpus, own);
  const Documents whole = part == "validation" ? kept_out(command, model.file, corpus, own, trained_on)
                                               : all_of(corpus, loading.fixed_labels, model.file.data.path);
  const Documents documents = chosen(command, whole);
  if (part == "train" && trained_on) warn_trained_on(command, config);
  // Of other texts than the training's "train" says the wrong thing.
  const bool other = !own && !trained_on && data.parts.size() == 1;
  const std::string measured = other ? file_name(model.file.data.path) : part;
  fmt::print(stderr, "{}; {} of {}{}\n", describe_model(model.file.config, model.store->parameter_count()),
             counted(std::ssize(documents), "text"), measured_paths(model.file, of),
             data.parts.size() > 1 || part != of ? ", part " + part : "");
  TextEvaluator evaluator(*model.store, config);
  evaluator.show_progress(pass_progress(measured));
  RunFacts facts{.title = fs::path(command.model).filename().string(),
                 .model = model.file,
                 .parameters = model.store->parameter_count(),
                 .history = {},
                 .classified = {},
                 .evaluated = {},
                 .command = line.text};
  if (!own) {
    facts.measured_on = model.file.data.path;
    facts.model.data = training_data;
  }
  if (is_classification(config.task)) {
    facts.classified = {report_classifier(command, evaluator, corpus, documents, model.file, measured)};
  } else {
    facts.evaluated = {{measured, report_unsupervised(command, evaluator, corpus, documents, measured)}};
  }
  if (command.report.empty()) return 0;
  if (documents.size() < whole.size())
    facts.notes.push_back(fmt::format("{} of the part, drawn at random with seed {}.",
                                      counted(std::ssize(documents), "text"), command.seed));
  if (const std::int64_t length = evaluated_length(config); length != config.max_length)
    facts.notes.push_back(fmt::format("Of each text {} were read, in the training {}.", tokens_read(length),
                                      tokens_read(config.max_length)));
  if (part == "train" && trained_on) facts.notes.push_back("The model was trained on these texts.");
  // The log of the training that made the model, where it still stands beside it.
  std::error_code error;
  if (const fs::path log = log_path(command.model); fs::exists(log, error)) {
    facts.history = read_run_history(log);
    if (!made(facts.history, model.file.progress)) {
      facts.history = {};
      facts.notes.push_back("The log beside the model is of another run.");
    }
  }
  write_report(command.report, run_report(facts));
  fmt::print(stderr, "The report is {}\n", (fs::path(command.report) / "index.html").string());
  return 0;
}

}  // namespace

Command add_evaluate_command(CLI::App& program, const CommandLine& line) {
  CLI::App* app = program.add_subcommand(
      "evaluate", "Error rate, F1 and confusion of a classifier, or perplexity of a language model, on data");
  app->footer(std::string(kExamples));
  auto command = std::make_shared<EvaluateCommand>(*app);
  app->get_option("--unlabelled")->group("");  // is of training
  app->get_option("--format")
      ->description("Kind of data (default: by the name of a table, else as in the training)")
      ->default_str("");
  app->get_option("--encoding")->description("Encoding of the texts (default: as in the training)")->default_str("");
  app->get_option("--data")->description(
      "File, folder of text files, or IMDB's archive (default: the training data's)");
  app->add_option("-m,--model", command->model, "Model file or checkpoint")->type_name("FILE")->required();
  app->add_option(
         "--part", command->part,
         "Part of the data: test, train (all that is not test), or validation, what the training kept for it of train "
         "(default: test if there is one)")
      ->check(CLI::IsMember({"train", "test", "validation"}))
      ->group("Data");
  add_max_length_flag(*app, command->max_length);
  app->get_option("--max-length")->group("Data");
  app->add_option("--sample", command->sample, "Evaluate only so many texts, drawn at random; 0: all")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40).description(""))
      ->capture_default_str()
      ->group("Data");
  app->add_option("--seed", command->seed, "Of --sample")->capture_default_str()->group("Data");
  app->add_option("--batch", command->batch, "Texts computed at once")
      ->check(CLI::Range(1, 65536).description(""))
      ->capture_default_str();
  app->add_flag("--confusion", command->confusion, "Also a table of the classes");
  app->add_flag("--json", command->json, "Print JSON");
  app->add_option("--report", command->report, "Folder for a report: a page with curves, confusion and wrong texts")
      ->type_name("DIR");
  add_computing_flags(*app);
  return {app, [command, line] { return evaluate(*command, line); }};
}

}  // namespace eddy
