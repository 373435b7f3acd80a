// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/text_trainer_graph.h"

#include <algorithm>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/models/language_model.h"
#include "eddy/models/pooled_autoencoder.h"
#include "eddy/models/row_models.h"
#include "eddy/models/sequence_autoencoder.h"
#include "eddy/models/text_classifier.h"
#include "eddy/ops/add.h"
#include "eddy/ops/cast.h"
#include "eddy/ops/log_softmax.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/transpose.h"

namespace eddy {
namespace {

/// Inputs of one batch; those a task has no use for are empty.
struct TaskInputs {
  Value tokens, mask, targets, weights, labels, row_weights;
};

bool has_targets(const TrainingConfig& config, Mode mode) {
  return (config.task == TrainingTask::language_model && config.row_width == 0) ||
         (config.task == TrainingTask::label_gain && mode == Mode::train);
}

TaskInputs make_inputs(Graph& graph, const TrainingConfig& config, std::int64_t time, Mode mode) {
  const std::int64_t rows = config.batch_size;
  TaskInputs inputs;
  inputs.tokens = graph.input("tokens", i32, {time, rows});
  inputs.mask = graph.input("mask", f32, {time, rows});
  if (has_targets(config, mode)) {
    inputs.targets = graph.input("targets", i32, {time, rows});
    inputs.weights = graph.input("weights", f32, {time, rows});
  }
  if (is_classification(config.task) && mode == Mode::train) {
    inputs.labels = graph.input("labels", i32, {rows});
    inputs.row_weights = graph.input("row_weights", f32, {rows});
  }
  return inputs;
}

/// Tokens i32[time, batch] that are numbers 0 to 255 become rows f32[time / width, batch, width] from -1 to 1; the mask
/// f32[time, batch] becomes that of the rows.
void make_rows(TaskInputs& inputs, std::int64_t width) {
  const std::int64_t time = inputs.tokens.dim(0), batch = inputs.tokens.dim(1);
  require<GraphError>(time % width == 0, "documents of {} are not rows of {}", counted(time, "number"), width);
  const Value numbers = cast(reshape(inputs.tokens, {time / width, width, batch}), f32);
  inputs.tokens = transpose(numbers, {0, 2, 1}) * (2.0f / 255.0f) - 1.0f;
  inputs.mask = reshape(slice(reshape(inputs.mask, {time / width, width, batch}), 1, 0, 1), {time / width, batch});
}

TaskGraph build_language_model(Graph& graph, ParameterStore& store, const TrainingConfig& config,
                               const TaskInputs& inputs, Mode mode) {
  StackState initial;
  for (const std::string& name : carried_names(config)) {
    const Value state = graph.input(name, f32, {config.batch_size, config.model.encoder.hidden_size});
    (name[0] == 'h' ? initial.h : initial.c).push_back(state);
  }
  const LanguageModelResult result =
      language_model(store, config.model, inputs.tokens, inputs.mask, inputs.targets, inputs.weights, mode, initial);
  TaskGraph task{.loss = result.loss, .log_probabilities = {}, .carried = {}};
  if (config.stream_steps > 0) {
    task.carried = result.last.h;
    task.carried.insert(task.carried.end(), result.last.c.begin(), result.last.c.end());
  }
  return task;
}

Value supervised_loss(ParameterStore& store, const TrainingConfig& config, const TaskInputs& inputs) {
  const auto& [tokens, mask, targets, weights, labels, row_weights] = inputs;
  switch (config.task) {
    case TrainingTask::label_gain:
      return label_gain_loss(store, config.model, tokens, mask, labels, weights, Mode::train);
    case TrainingTask::joint:
      return joint_loss(store, config.model, tokens, mask, labels, row_weights,
                        config.joint_task == TrainingTask::autoencoder ? UnsupervisedTask::autoencoder
                                                                       : UnsupervisedTask::language_model,
                        static_cast<float>(config.joint_weight), Mode::train, config.adversarial);
    default:
      return classifier_loss(store, config.model, tokens, mask, labels, row_weights, Mode::train, config.adversarial);
  }
}

/// Longest batch of documents when they are not cut; far above any real one.
constexpr std::int64_t kLongestDocument = std::int64_t{1} << 24;

}  // namespace

TaskGraph build_task(Graph& graph, ParameterStore& store, const TrainingConfig& config, std::int64_t time, Mode mode) {
  TaskInputs inputs = make_inputs(graph, config, time, mode);
  if (config.row_width > 0) {
    make_rows(inputs, config.row_width);
    if (config.task == TrainingTask::language_model)
      return {next_row_loss(store, config.model, inputs.tokens, inputs.mask, mode), {}, {}};
    if (config.task == TrainingTask::autoencoder)
      return {row_autoencoder_loss(store, config.model, inputs.tokens, inputs.mask, mode), {}, {}};
    if (config.task == TrainingTask::pooled_autoencoder)
      return {row_pooled_autoencoder_loss(store, config.model, inputs.tokens, inputs.mask, mode), {}, {}};
  }
  if (config.task == TrainingTask::language_model) return build_language_model(graph, store, config, inputs, mode);
  if (config.task == TrainingTask::autoencoder)
    return {sequence_autoencoder(store, config.model, inputs.tokens, inputs.mask, mode), {}, {}};
  if (config.task == TrainingTask::pooled_autoencoder)
    return {pooled_autoencoder(store, config.model, inputs.tokens, inputs.mask, mode), {}, {}};
  if (mode == Mode::train) return {supervised_loss(store, config, inputs), {}, {}};
  return {{}, log_softmax(text_classifier(store, config.model, inputs.tokens, inputs.mask, mode)), {}};
}

std::vector<Binding> task_bindings(const TrainingConfig& config, const Batch& batch, Mode mode) {
  std::vector<Binding> bindings = {{"tokens", batch.tokens}, {"mask", batch.mask}};
  if (has_targets(config, mode)) {
    bindings.push_back({"targets", batch.targets});
    bindings.push_back({"weights", batch.weights});
  }
  if (is_classification(config.task) && mode == Mode::train) {
    bindings.push_back({"labels", batch.labels});
    bindings.push_back({"row_weights", batch.row_weights});
  }
  return bindings;
}

std::vector<std::string> carried_names(const TrainingConfig& config) {
  std::vector<std::string> names;
  if (config.stream_steps == 0) return names;
  for (int layer = 0; layer < config.model.encoder.layers; ++layer) names.push_back(fmt::format("h{}", layer));
  if (config.model.encoder.cell == CellKind::lstm)
    for (int layer = 0; layer < config.model.encoder.layers; ++layer) names.push_back(fmt::format("c{}", layer));
  return names;
}

BucketOptions task_batches(const TrainingConfig& config, std::int64_t longest_document, Mode mode) {
  BucketOptions options;
  options.batch_size = static_cast<int>(config.batch_size);
  options.max_length = mode == Mode::train ? config.max_length : evaluated_length(config);
  options.keep = config.keep_last ? Keep::last : Keep::first;
  options.eos = config.model.end_of_sequence;
  options.seed = config.seed;
  options.shuffle = mode == Mode::train;
  if (config.task == TrainingTask::language_model) {
    options.layout = Layout::language_model;
  } else {
    options.append_eos = true;
    if (config.task == TrainingTask::label_gain && mode == Mode::train) options.layout = Layout::label_gain;
  }
  if (config.row_width > 0) {
    // Nothing but the rows themselves, which are of one length.
    options.layout = Layout::plain;
    options.append_eos = false;
    options.max_length = 0;
    options.times = {std::max<std::int64_t>(longest_document, config.row_width)};
    return options;
  }
  // One series of lengths whatever the corpus, so that training and all evaluations share programs.
  constexpr std::int64_t smallest = 8;
  const std::int64_t longest =
      options.max_length > 0 ? options.max_length : std::max(kLongestDocument, longest_document);
  options.times = bucket_times(std::max(longest + 1, smallest), smallest, config.bucket_growth);
  return options;
}

StreamOptions task_streams(const TrainingConfig& config, Mode mode) {
  return {.batch_size = static_cast<int>(config.batch_size),
          .time = config.stream_steps,
          .shuffle = mode == Mode::train,
          .seed = config.seed,
          .eos = config.model.end_of_sequence};
}

std::int64_t predicted_tokens(const TrainingConfig& config, const Batch& batch) {
  const bool every_token = config.task == TrainingTask::autoencoder ||
                           config.task == TrainingTask::pooled_autoencoder || config.row_width > 0;
  return every_token ? batch.token_count : batch.target_count;
}

}  // namespace eddy
