// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/training_config.h"

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/experiments/training_config_checks.h"
#include "eddy/experiments/training_config_names.h"

namespace eddy {

void check_count(std::string_view name, std::int64_t value, std::int64_t low, std::int64_t high) {
  require<UsageError>(value >= low && value <= high, "{} is {}, expected {} to {}", name, value, low, high);
}

void check_number(std::string_view name, double value, double low, double high) {
  // False for NaN.
  require<UsageError>(value >= low && value <= high, "{} is {}, expected {} to {}", name, value, low, high);
}

void check_share(std::string_view name, double value) {
  require<UsageError>(value >= 0 && value < 1, "{} is {}, expected 0 to less than 1", name, value);
}

void check_cells(const StackConfig& cells) {
  check_number("forget_bias", cells.forget_bias, -100, 100);
  check_number("clip_cell", cells.clip_cell, 0);
  require<UsageError>(cells.clip_cell == 0 || cells.cell == CellKind::lstm,
                      "clip_cell is {}, but only LSTMs have a cell state to clip", cells.clip_cell);
}

void check_optimizer(const OptimizerSettings& optimizer) {
  check_number("learning_rate", optimizer.learning_rate, 0, 1e6);
  check_number("clip_norm", optimizer.clip_norm, 0);
  check_number("clip_value", optimizer.clip_value, 0);
  require<UsageError>(optimizer.clip_value == 0 || optimizer.clip_norm == 0,
                      "clip_value is {} and clip_norm {}, expected one of them to be 0", optimizer.clip_value,
                      optimizer.clip_norm);
  check_number("weight_decay", optimizer.weight_decay, 0);
  check_share("momentum", optimizer.momentum);
  check_share("beta1", optimizer.beta1);
  check_share("beta2", optimizer.beta2);
  check_share("ema_decay", optimizer.ema_decay);
  require<UsageError>(optimizer.epsilon > 0 && optimizer.epsilon < 1e6, "epsilon is {}, expected more than 0",
                      optimizer.epsilon);
  for (const auto& [name, factor] : optimizer.rate_multipliers)
    check_number("rate multiplier of \"" + name + "\"", factor, 0);
  const ScheduleSettings& schedule = optimizer.schedule;
  check_count("warm_up_steps", schedule.warm_up_steps, 0);
  check_count("decay_steps", schedule.decay_steps, 1);
  check_number("floor", schedule.floor, 0, 1);
  check_count("schedule patience", schedule.patience, 0);
  require<UsageError>(schedule.decay > 0 && schedule.decay <= 1, "decay is {}, expected more than 0 and at most 1",
                      schedule.decay);
}

namespace {

void check_model(const TextModelConfig& model) {
  // An unset vocabulary is filled in from the data.
  check_count("vocabulary_size", model.vocabulary_size, 0);
  check_count("embedding_size", model.embedding_size, 1, kLargestSize);
  check_count("hidden_size", model.encoder.hidden_size, 1, kLargestSize);
  check_count("layers", model.encoder.layers, 1, kMostLayers);
  check_cells(model.encoder);
  check_share("layer_dropout", model.encoder.dropout);
  check_share("word_dropout", model.word_dropout);
  check_share("embedding_dropout", model.embedding_dropout);
  check_share("output_dropout", model.output_dropout);
  check_share("classifier_dropout", model.classifier_dropout);
  check_count("softmax_samples", model.softmax_samples, 0);
  check_count("classes", model.classes, 0, 1 << 24);
  check_count("classifier_hidden_size", model.classifier_hidden_size, 0, kLargestSize);
  require<UsageError>(!model.tied_softmax || model.embedding_size == model.encoder.hidden_size,
                      "a tied softmax needs embedding_size = hidden_size, but they are {} and {}", model.embedding_size,
                      model.encoder.hidden_size);
  const std::vector<std::int64_t>& cutoffs = model.adaptive_cutoffs;
  require<UsageError>(cutoffs.empty() || (model.softmax_samples == 0 && !model.tied_softmax),
                      "an adaptive softmax goes neither with softmax_samples nor with tied_softmax");
  for (std::size_t i = 0; i < cutoffs.size(); ++i)
    require<UsageError>(cutoffs[i] > (i == 0 ? 0 : cutoffs[i - 1]), "adaptive_cutoffs must rise from 1 on, not {}",
                        fmt::join(cutoffs, ", "));
  require<UsageError>(model.vocabulary_size == 0 || cutoffs.empty() || cutoffs.back() < model.vocabulary_size,
                      "adaptive_cutoffs end at {}, expected fewer than the {} of the vocabulary",
                      cutoffs.empty() ? 0 : cutoffs.back(), counted(model.vocabulary_size, "word"));
  require<UsageError>(model.vocabulary_size == 0 || model.softmax_samples < model.vocabulary_size,
                      "softmax_samples is {}, expected fewer than the {} of the vocabulary", model.softmax_samples,
                      counted(model.vocabulary_size, "word"));
}

void check_adversarial(const TrainingConfig& config) {
  const AdversarialConfig& adversarial = config.adversarial;
  check_number("perturbation norm", adversarial.norm, 0);
  check_number("adversarial weight", adversarial.weight, 0);
  check_count("power_iterations", adversarial.power_iterations, 1, 100);
  require<UsageError>(adversarial.finite_difference > 0 && adversarial.finite_difference < 1e6F,
                      "finite_difference is {}, expected more than 0", adversarial.finite_difference);
  require<UsageError>(adversarial.kind == Perturbation::none || config.task == TrainingTask::classifier ||
                          config.task == TrainingTask::joint,
                      "adversarial training ({}) is of a classifier, alone or joint, not of the task {}",
                      name_of(adversarial.kind), to_string(config.task));
}

}  // namespace

std::string_view to_string(TrainingTask task) { return name_of(task); }

bool is_classification(TrainingTask task) {
  return task == TrainingTask::classifier || task == TrainingTask::label_gain || task == TrainingTask::joint;
}

std::int64_t evaluated_length(const TrainingConfig& config) {
  return config.evaluation_max_length < 0 ? config.max_length : config.evaluation_max_length;
}

bool learns_without_labels(const TrainingConfig& config) {
  const Perturbation kind = config.adversarial.kind;
  return !is_classification(config.task) || config.task == TrainingTask::joint ||
         kind == Perturbation::virtual_adversarial || kind == Perturbation::adversarial_virtual_adversarial;
}

void check(const TrainingConfig& config) {
  check_model(config.model);
  check_optimizer(config.optimizer);
  check_number("joint_weight", config.joint_weight, 0);
  check_adversarial(config);
  require<UsageError>(config.layer_rate_decay > 0 && config.layer_rate_decay <= 1,
                      "layer_rate_decay is {}, expected more than 0 and at most 1", config.layer_rate_decay);
  require<UsageError>(config.row_width == 0 || config.transferred == TransferredPart::all,
                      "rows of numbers have no embedding to begin with; row_width is {}", config.row_width);
  check_count("unfreeze_epochs", config.unfreeze_epochs, 0);
  check_count("batch_size", config.batch_size, 1, kLargestSize);
  check_count("max_length", config.max_length, 0);
  check_count("evaluation_max_length", config.evaluation_max_length, -1);
  check_count("stream_steps", config.stream_steps, 0, kLargestSize);
  check_count("row_width", config.row_width, 0, kLargestSize);
  check_count("epochs", config.epochs, 0);
  check_count("max_steps", config.max_steps, 0);
  check_number("max_seconds", config.max_seconds, 0);
  check_count("patience", config.patience, 0);
  check_count("evaluation_interval", config.evaluation_interval, 0);
  check_share("validation_fraction", config.validation_fraction);
  require<UsageError>(config.bucket_growth > 1 && config.bucket_growth <= 1e6,
                      "bucket_growth is {}, expected more than 1", config.bucket_growth);
  require<UsageError>(
      config.joint_task == TrainingTask::language_model || config.joint_task == TrainingTask::autoencoder,
      "joint_task is {}, expected language_model or autoencoder", to_string(config.joint_task));
  require<UsageError>(config.stream_steps == 0 || config.task == TrainingTask::language_model,
                      "stream_steps is {} for the task {}, but only the language model reads streams",
                      config.stream_steps, to_string(config.task));
  require<UsageError>(config.row_width == 0 || (config.stream_steps == 0 && config.task != TrainingTask::label_gain &&
                                                config.task != TrainingTask::joint),
                      "row_width is {}, but rows of numbers are not read as {}", config.row_width,
                      config.stream_steps > 0 ? "streams" : to_string(config.task));
  const TextModelConfig& model = config.model;
  require<UsageError>(config.row_width == 0 || !model.bidirectional || is_classification(config.task),
                      "a bidirectional model cannot be trained to predict rows of numbers");
  const bool writes = config.task == TrainingTask::autoencoder || config.task == TrainingTask::pooled_autoencoder ||
                      (config.task == TrainingTask::joint && config.joint_task == TrainingTask::autoencoder);
  require<UsageError>(!model.bidirectional || (!writes && config.task != TrainingTask::label_gain),
                      "a bidirectional model cannot be trained as {}, which reads in one direction",
                      writes ? "an autoencoder" : "label_gain");
  require<UsageError>(!model.bidirectional || config.stream_steps == 0,
                      "a bidirectional model cannot carry its state from window to window");
  require<UsageError>(config.task != TrainingTask::label_gain || model.pooling == Pooling::last,
                      "label_gain names the class at every step and tests the last one; pooling is {}, expected last",
                      name_of(model.pooling));
  require<UsageError>(!model.encoder.reverse || (!writes && config.task != TrainingTask::language_model),
                      "a model that reads backwards cannot be trained as {}", to_string(config.task));
}

}  // namespace eddy
