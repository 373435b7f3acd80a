// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "eddy/core/error.h"
#include "eddy/core/random.h"
#include "eddy/experiments/command.h"
#include "eddy/experiments/command_data_flags.h"
#include "eddy/experiments/command_header.h"
#include "eddy/experiments/metrics.h"
#include "eddy/experiments/number_text.h"
#include "eddy/experiments/run_model.h"
#include "eddy/experiments/text_evaluator.h"

namespace eddy {
namespace {

using Documents = std::vector<std::int32_t>;

struct EvaluateCommand {
  explicit EvaluateCommand(CLI::App& app) : data(app) {}

  DataFlags data;
  std::string model, part;
  std::int64_t batch = 32;
  std::int64_t sample = 0;
  bool json = false, confusion = false;
  std::uint64_t seed = 1;
};

constexpr std::string_view kExamples = R"(Examples:
  eddy evaluate --model classifier.safetensors --data test.tsv --label-column 0
  eddy evaluate --model imdb.safetensors --part test --confusion
  eddy evaluate --model lm.safetensors --data other.txt --json)";

/// Documents with a label, their classes and the predicted ones.
struct Classified {
  std::vector<std::int32_t> target, predicted;
};

Classified classified(const Predictions& predictions, const EncodedCorpus& corpus, const Documents& documents) {
  Classified result;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    result.target.push_back(corpus.label(documents[i]));
    result.predicted.push_back(predictions.label(static_cast<std::int64_t>(i)));
  }
  return result;
}

/// What to evaluate: all documents (those with a label for a classifier), or a sample of them.
Documents chosen(const EvaluateCommand& command, const EncodedCorpus& corpus, bool labelled) {
  Documents documents;
  for (std::int32_t i = 0; i < corpus.size(); ++i)
    if (!labelled || corpus.label(i) >= 0) documents.push_back(i);
  require<DataError>(!labelled || !documents.empty(), "none of {} documents has a label to compare with",
                     corpus.size());
  const auto size = static_cast<std::size_t>(command.sample);
  if (size == 0 || size >= documents.size()) return documents;
  Philox random(command.seed, stable_hash("evaluate sample"));
  shuffle(std::span(documents), random);
  documents.resize(size);
  std::ranges::sort(documents);
  return documents;
}

/// One line a class: how often, precision, recall, F1, and what it was taken for most often.
std::string confusion_table(const ConfusionMatrix& matrix, const std::vector<std::string>& names) {
  std::size_t width = 5;
  for (const std::string& name : names) width = std::max(width, name.size());
  std::string text = fmt::format("\n{:<{}} {:>8} {:>9} {:>8} {:>8}  most often taken for\n", "class", width, "texts",
                                 "precision", "recall", "F1");
  for (std::int32_t label = 0; label < matrix.classes(); ++label) {
    std::int64_t count = 0;
    std::int32_t worst = -1;
    for (std::int32_t other = 0; other < matrix.classes(); ++other) {
      count += matrix.count(label, other);
      if (other != label && matrix.count(label, other) > (worst < 0 ? 0 : matrix.count(label, worst))) worst = other;
    }
    text += fmt::format(
        "{:<{}} {:>8} {:>9.3f} {:>8.3f} {:>8.3f}  {}\n", names[static_cast<std::size_t>(label)], width, count,
        matrix.precision(label), matrix.recall(label), matrix.f1(label),
        worst < 0 ? "-" : fmt::format("{} ({})", names[static_cast<std::size_t>(worst)], matrix.count(label, worst)));
  }
  return text;
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

void print_json(const nlohmann::ordered_json& value) {
  fmt::print("{}\n", value.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void report_classifier(const EvaluateCommand& command, TextEvaluator& evaluator, const EncodedCorpus& corpus,
                       const Documents& documents, const ModelFile& model, const std::string& part) {
  const Predictions predictions = evaluator.predict(corpus, documents);
  const Evaluation scores = score(predictions, corpus, documents);
  const Classified result = classified(predictions, corpus, documents);
  ConfusionMatrix matrix(static_cast<std::int32_t>(model.config.model.classes));
  matrix.add(result.target, result.predicted);
  if (command.json) {
    print_json({{"part", part},
                {"documents", scores.documents},
                {"loss", scores.loss},
                {"error_rate", scores.error_rate},
                {"accuracy", matrix.accuracy()},
                {"macro_f1", matrix.macro_f1()},
                {"classes", model.text.label_names},
                {"confusion", confusion_json(matrix)}});
    return;
  }
  fmt::print("texts      {}\nerror      {:.2f} %\naccuracy   {:.2f} %\nmacro F1   {:.4f}\nloss       {:.4f}\n",
             grouped(scores.documents), 100 * scores.error_rate, 100 * matrix.accuracy(), matrix.macro_f1(),
             scores.loss);
  if (command.confusion) fmt::print("{}", confusion_table(matrix, model.text.label_names));
}

void report_unsupervised(const EvaluateCommand& command, TextEvaluator& evaluator, const EncodedCorpus& corpus,
                         const Documents& documents, const std::string& part) {
  const Evaluation scores = evaluator.evaluate(corpus, documents);
  if (command.json) {
    print_json({{"part", part},
                {"documents", scores.documents},
                {"tokens", scores.targets},
                {"loss", scores.loss},
                {"perplexity", scores.perplexity()}});
    return;
  }
  fmt::print("texts       {}\ntokens      {}\nloss        {:.4f} nats per token\nperplexity  {:.2f}\n",
             grouped(scores.documents), grouped(scores.targets), scores.loss, scores.perplexity());
}

int evaluate(EvaluateCommand& command) {
  LoadedModel model = load_model(command.model);
  command.data.apply(model.file.data);
  model.file.config.batch_size = command.batch;
  DataLoading loading;
  loading.cache = command.data.cache();
  loading.model = &model.file.text;
  loading.fixed_labels = is_classification(model.file.config.task);
  loading.message = [](const std::string& message) { fmt::print(stderr, "{}\n", message); };
  const EncodedDataset data = load_data(model.file.data, model.file.text.text, loading);
  std::string part = command.part;
  if (part.empty()) part = data.parts.back().name;
  const EncodedCorpus& corpus = data.part(part);
  const Documents documents = chosen(command, corpus, is_classification(model.file.config.task));
  fmt::print(stderr, "{}; {} texts of {}{}\n", describe_model(model.file.config, model.store->parameter_count()),
             grouped(static_cast<std::int64_t>(documents.size())), model.file.data.path,
             data.parts.size() > 1 ? ", part " + part : "");
  TextEvaluator evaluator(*model.store, model.file.config);
  if (is_classification(model.file.config.task)) {
    report_classifier(command, evaluator, corpus, documents, model.file, part);
  } else {
    report_unsupervised(command, evaluator, corpus, documents, part);
  }
  return 0;
}

}  // namespace

Command add_evaluate_command(CLI::App& program) {
  CLI::App* app = program.add_subcommand(
      "evaluate", "Error rate, F1 and confusion of a classifier, or perplexity of a language model, on data");
  app->footer(std::string(kExamples));
  auto command = std::make_shared<EvaluateCommand>(*app);
  app->get_option("--data")->description("File, directory or archive of texts (default: the training data's)");
  app->add_option("-m,--model", command->model, "Model file or checkpoint")->type_name("FILE")->required();
  app->add_option("--part", command->part, "Part of the data: train or test (default: test if there is one)")
      ->check(CLI::IsMember({"train", "test"}))
      ->group("Data");
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
  add_thread_flag(*app);
  return {app, [command] { return evaluate(*command); }};
}

}  // namespace eddy
