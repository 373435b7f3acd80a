// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "eddy/core/error.h"
#include "eddy/data/encode.h"
#include "eddy/experiments/command.h"
#include "eddy/experiments/command_data_flags.h"
#include "eddy/experiments/command_lines.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/run_model.h"
#include "eddy/experiments/seq2seq_model.h"
#include "eddy/experiments/text_evaluator.h"

namespace eddy {
namespace {

struct PredictCommand {
  std::string model;
  std::vector<std::string> files;
  std::int64_t top = 1;
  std::int64_t batch = 32;
  bool json = false;
  std::optional<TextEncoding> encoding;
  std::optional<std::int64_t> max_length;
};

constexpr std::string_view kExamples =
    R"(One text a line; one line of output for each: class TAB probability, and more of
such pairs with --top. Compressed texts are unpacked. Markup such as <br /> is text;
only the reader of IMDB's folders takes it away.

Examples:
  echo "a large cat with stripes" | eddy predict --model classifier.safetensors
  eddy predict --model classifier.safetensors --top 3 --json texts.txt > predictions.jsonl)";

class Predictor {
 public:
  Predictor(const PredictCommand& command, LoadedModel model)
      : command_(command),
        model_(std::move(model)),
        evaluator_(*model_.store, config(command, model_)),
        tokenizer_(tokenizer_options(model_.file.text.text)) {}

  void answer(const std::vector<std::string>& texts) {
    const OutOfVocabulary unknown =
        model_.file.text.text.drop_unknown ? OutOfVocabulary::drop : OutOfVocabulary::unknown;
    CorpusArrays arrays;
    for (const std::string& text : texts) {
      const auto ids = encode_text(text, tokenizer_, model_.file.text.vocabulary, unknown);
      arrays.tokens.insert(arrays.tokens.end(), ids.begin(), ids.end());
      arrays.end_document(-1, "");
    }
    const Predictions predictions = evaluator_.predict(EncodedCorpus(std::move(arrays)));
    for (std::size_t i = 0; i < texts.size(); ++i) print(texts[i], predictions.row(static_cast<std::int64_t>(i)));
    flush_results();
  }

 private:
  static TrainingConfig config(const PredictCommand& command, const LoadedModel& model) {
    TrainingConfig config = model.file.config;
    config.batch_size = command.batch;
    apply_max_length(command.max_length, command.model, config);
    return config;
  }

  void print(const std::string& text, std::span<const float> probabilities) const {
    std::vector<std::size_t> order(probabilities.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return probabilities[a] > probabilities[b]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(command_.top)));
    const std::vector<std::string>& names = model_.file.text.label_names;
    if (command_.json) {
      nlohmann::ordered_json entry = {
          {"text", text}, {"label", names[order[0]]}, {"probability", probabilities[order[0]]}};
      if (command_.top > 1)
        for (const std::size_t label : order)
          entry["top"].push_back({{"label", names[label]}, {"probability", probabilities[label]}});
      print_json(entry, -1);
      return;
    }
    std::string line;
    for (const std::size_t label : order) {
      std::string name = names[label];
      // One line a text, and a tab between columns, whatever a class is called.
      std::ranges::replace_if(
          name, [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
      line += fmt::format("{}{}\t{:.4f}", line.empty() ? "" : "\t", name, probabilities[label]);
    }
    fmt::print("{}\n", line);
  }

  const PredictCommand& command_;
  LoadedModel model_;
  TextEvaluator evaluator_;
  Tokenizer tokenizer_;
};

int predict(const PredictCommand& command) {
  require<UsageError>(!is_seq2seq(command.model), "{}: is an encoder-decoder; use eddy seq2seq translate",
                      command.model);
  LoadedModel model = load_model(command.model);
  require_text_model(command.model, model.file.config);
  require<UsageError>(is_classification(model.file.config.task), "{}: is a {}, which has no classes to predict",
                      command.model, to_string(model.file.config.task));
  const TextEncoding trained = model.file.data.encoding;
  Predictor predictor(command, std::move(model));
  answer_lines({.files = command.files,
                .encoding = command.encoding.value_or(trained),
                .most = static_cast<std::size_t>(command.batch),
                .label = "predict"},
               [&](const std::vector<std::string>& texts) { predictor.answer(texts); });
  return 0;
}

}  // namespace

Command add_predict_command(CLI::App& program) {
  CLI::App* app = program.add_subcommand("predict", "Classify texts from standard input or files");
  app->footer(std::string(kExamples));
  auto command = std::make_shared<PredictCommand>();
  app->add_option("files", command->files, "Files with one text a line; none or \"-\": standard input");
  app->add_option("-m,--model", command->model, "Model file or checkpoint of a classifier")
      ->type_name("FILE")
      ->required();
  app->add_option("--top", command->top, "Most probable classes to print")
      ->check(CLI::Range(1, 1 << 24).description(""))
      ->capture_default_str();
  app->add_flag("--json", command->json, "Print one JSON object a line");
  app->add_option("--batch", command->batch, "Texts computed at once")
      ->check(CLI::Range(1, 65536).description(""))
      ->capture_default_str();
  add_encoding_flag(*app, command->encoding);
  add_max_length_flag(*app, command->max_length);
  add_computing_flags(*app);
  return {app, [command] { return predict(*command); }};
}

}  // namespace eddy
