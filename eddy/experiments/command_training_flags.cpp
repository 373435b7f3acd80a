// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_training_flags.h"

#include "eddy/core/error.h"

namespace eddy {

using Config = TrainingConfig;

void add_model_flags(FlagSet<Config>& flags) {
  flags.begin_group("Model");
  flags.choice(
      "--cell", [](Config & c) -> auto& { return c.model.encoder.cell; }, "Recurrent cell");
  flags.value(
      "--embedding", [](Config & c) -> auto& { return c.model.embedding_size; }, "Size of a word's embedding");
  flags.toggle(
      "--normalize-embeddings", [](Config & c) -> auto& { return c.model.normalize_embeddings; }, true,
      "Scale each embedding dimension to mean 0 and variance 1 under the words' frequencies");
  flags.value(
      "--hidden", [](Config & c) -> auto& { return c.model.encoder.hidden_size; }, "Size of the recurrent state");
  flags.value(
      "--layers", [](Config & c) -> auto& { return c.model.encoder.layers; }, "Recurrent layers on top of each other");
  flags.value(
      "--clip-cell", [](Config & c) -> auto& { return c.model.encoder.clip_cell; },
      "Largest size of an LSTM's cell state; 0: no limit");
  flags.toggle(
      "--bidirectional", [](Config & c) -> auto& { return c.model.bidirectional; }, true,
      "Read the text in both directions");
  flags.value(
      "--word-dropout", [](Config & c) -> auto& { return c.model.word_dropout; }, "Chance that a word is not seen");
  flags.value(
      "--embedding-dropout", [](Config & c) -> auto& { return c.model.embedding_dropout; },
      "Chance that an embedding dimension is zero for a whole text");
  flags.value(
      "--layer-dropout", [](Config & c) -> auto& { return c.model.encoder.dropout; }, "Dropout between layers");
  flags.value(
      "--output-dropout", [](Config & c) -> auto& { return c.model.output_dropout; },
      "Dropout on the encoder's outputs");
  flags.value(
      "--softmax-samples", [](Config & c) -> auto& { return c.model.softmax_samples; },
      "Words sampled for the training loss over a large vocabulary; 0: the full softmax");
  flags
      .value(
          "--adaptive-softmax", [](Config & c) -> auto& { return c.model.adaptive_cutoffs; },
          "Adaptive softmax over a large vocabulary: ids at which its rarer, cheaper stretches begin, as 2000,10000")
      ->delimiter(',')
      ->type_name("ID,…")
      ->default_str("")
      ->allow_extra_args(false);
  flags.toggle(
      "--tied-softmax", [](Config & c) -> auto& { return c.model.tied_softmax; }, true,
      "Predict with the embedding itself (needs --embedding equal to --hidden)");
}

void add_feature_flags(FlagSet<Config>& flags) {
  flags.begin_group("Model");
  flags.value(
      "--classifier-hidden", [](Config & c) -> auto& { return c.model.classifier_hidden_size; },
      "Width of a layer before the classes; 0: none");
  flags.value(
      "--classifier-dropout", [](Config & c) -> auto& { return c.model.classifier_dropout; },
      "Dropout before the classes");
  flags.choice(
      "--pooling", [](Config & c) -> auto& { return c.model.pooling; }, "States the classifier sees");
}

void add_optimizer_flags(FlagSet<Config>& flags) {
  flags.begin_group("Optimizer");
  flags.choice(
      "--optimizer", [](Config & c) -> auto& { return c.optimizer.kind; }, "Update rule");
  flags.value(
      "--learning-rate,--lr", [](Config & c) -> auto& { return c.optimizer.learning_rate; }, "Learning rate");
  flags.value(
      "--clip", [](Config & c) -> auto& { return c.optimizer.clip_norm; },
      "Largest norm of all gradients; 0: no limit");
  flags
      .value(
          "--clip-exclude", [](Config & c) -> auto& { return c.optimizer.clip_excluded; },
          "Parameters whose names begin so are left out of that norm")
      ->type_name("PREFIX")
      ->default_str("")
      ->allow_extra_args(false);
  flags.value(
      "--clip-value", [](Config & c) -> auto& { return c.optimizer.clip_value; },
      "Largest gradient element; 0: no limit (needs --clip 0)");
  flags.value(
      "--weight-decay", [](Config & c) -> auto& { return c.optimizer.weight_decay; }, "L2 weight decay");
  flags.value(
      "--momentum", [](Config & c) -> auto& { return c.optimizer.momentum; }, "Of --optimizer momentum");
  flags.toggle(
      "--nesterov", [](Config & c) -> auto& { return c.optimizer.nesterov; }, true, "Nesterov's form of it");
  CLI::Option* lazy = flags.toggle(
      "--lazy-rows", [](Config & c) -> auto& { return c.optimizer.lazy_rows; }, true,
      "Update only the embedding rows of the batch");
  flags
      .toggle(
          "--update-all-rows", [](Config & c) -> auto& { return c.optimizer.catch_up_rows; }, false,
          "Adam: move all embedding rows at each step instead of when they are read next (the same but for rounding)")
      ->excludes(lazy);
  flags.choice(
      "--schedule", [](Config & c) -> auto& { return c.optimizer.schedule.kind; }, "How the learning rate moves");
  flags.value(
      "--warm-up", [](Config & c) -> auto& { return c.optimizer.schedule.warm_up_steps; },
      "Steps in which the rate rises from 0");
  flags.value(
      "--decay", [](Config & c) -> auto& { return c.optimizer.schedule.decay; },
      "Factor of the exponential, step and plateau schedules");
  flags.value(
      "--decay-steps", [](Config & c) -> auto& { return c.optimizer.schedule.decay_steps; },
      "Steps per factor (exponential, step) or until the end (cosine)");
  flags.value(
      "--rate-floor", [](Config & c) -> auto& { return c.optimizer.schedule.floor; },
      "Smallest share of the rate that a schedule leaves");
  flags.value(
      "--plateau-patience", [](Config & c) -> auto& { return c.optimizer.schedule.patience; },
      "Evaluations without improvement before the plateau schedule lowers the rate");
  flags.value(
      "--ema", [](Config & c) -> auto& { return c.optimizer.ema_decay; },
      "Decay of a moving average of the weights, used for evaluation and in the output; 0: none");
}

void add_batch_flags(FlagSet<Config>& flags) {
  flags.begin_group("Training");
  flags.value(
      "--batch", [](Config & c) -> auto& { return c.batch_size; }, "Texts (or streams) trained on at once");
  flags.value(
      "--max-length", [](Config & c) -> auto& { return c.max_length; }, "Tokens of a text that are read; 0: all");
  flags.value(
      "--evaluation-max-length", [](Config & c) -> auto& { return c.evaluation_max_length; },
      "The same where it is not trained on; -1: as many");
  flags.toggle(
      "--keep-first", [](Config & c) -> auto& { return c.keep_last; }, false,
      "Of a longer text keep the first tokens instead of the last");
  flags.value(
      "--seed", [](Config & c) -> auto& { return c.seed; }, "Of all random numbers");
}

void add_limit_flags(FlagSet<Config>& flags) {
  flags.begin_group("Training");
  flags.value(
      "--epochs", [](Config & c) -> auto& { return c.epochs; }, "Times through the data at most");
  flags.value(
      "--max-steps", [](Config & c) -> auto& { return c.max_steps; }, "Steps at most; 0: no limit");
  flags.value(
      "--max-seconds", [](Config & c) -> auto& { return c.max_seconds; }, "Seconds at most; 0: no limit");
  flags.value(
      "--patience", [](Config & c) -> auto& { return c.patience; },
      "Evaluations without a better one before training stops; 0: never");
  flags.value(
      "--evaluate-every", [](Config & c) -> auto& { return c.evaluation_interval; },
      "Steps between evaluations; 0: after each epoch");
  flags.value(
      "--validation", [](Config & c) -> auto& { return c.validation_fraction; },
      "Share of the texts kept from training to choose the best model; 0: none, the last one is kept");
}

void add_adversarial_flags(FlagSet<Config>& flags) {
  flags.begin_group("Adversarial training");
  flags.choice(
      "--adversarial", [](Config & c) -> auto& { return c.adversarial.kind; },
      "Also train on perturbed embeddings: at random (rp), against the label (at), against the prediction (vat, which "
      "learns from unlabelled texts too), against both (atvat)");
  flags.value(
      "--perturbation-norm", [](Config & c) -> auto& { return c.adversarial.norm; },
      "L2 norm of a text's perturbation, in root mean squares of the embeddings' elements");
  flags.toggle(
      "--absolute-perturbation", [](Config & c) -> auto& { return c.adversarial.relative; }, false,
      "Take the norms as they are, whatever the scale of the embeddings");
  flags.value(
      "--adversarial-weight", [](Config & c) -> auto& { return c.adversarial.weight; }, "Factor of the added loss");
  flags.value(
      "--power-iterations", [](Config & c) -> auto& { return c.adversarial.power_iterations; },
      "Virtual adversarial: steps of the search for the direction");
  flags.value(
      "--finite-difference", [](Config & c) -> auto& { return c.adversarial.finite_difference; },
      "Virtual adversarial: norm of the trial perturbation in that search, in the same unit");
}

void add_layer_flags(FlagSet<Config>& flags) {
  flags.begin_group("Optimizer");
  flags.value(
      "--layer-rate-decay", [](Config & c) -> auto& { return c.layer_rate_decay; },
      "Factor of the learning rate from each layer to the one below; 1: the same for all");
  flags.value(
      "--unfreeze-epochs", [](Config & c) -> auto& { return c.unfreeze_epochs; },
      "The top layer learns first, one more after every so many epochs; 0: all learn from the start");
}

void check_optimizer_flags(const CLI::App& app, const OptimizerSettings& optimizer) {
  const FlagNeeds needs(app);
  const OptimizerKind kind = optimizer.kind;
  needs("--optimizer momentum", kind == OptimizerKind::momentum, {"--momentum", "--nesterov"});
  needs("--optimizer adam or adamw", kind == OptimizerKind::adam || kind == OptimizerKind::adamw,
        {"--update-all-rows"});
  needs("--clip", optimizer.clip_norm > 0, {"--clip-exclude"});
  const ScheduleKind schedule = optimizer.schedule.kind;
  const bool exponential = schedule == ScheduleKind::exponential || schedule == ScheduleKind::step;
  const bool plateau = schedule == ScheduleKind::plateau, cosine = schedule == ScheduleKind::cosine;
  needs("--schedule exponential, step or plateau", exponential || plateau, {"--decay"});
  needs("--schedule exponential, step or cosine", exponential || cosine, {"--decay-steps"});
  needs("--schedule cosine or plateau", cosine || plateau, {"--rate-floor"});
  needs("--schedule plateau", plateau, {"--plateau-patience"});
}

void check_given_flags(const CLI::App& app, const Config& config) {
  check_optimizer_flags(app, config.optimizer);
  const FlagNeeds needs(app);
  needs("--layers above 1", config.model.encoder.layers > 1, {"--layer-dropout"});
  needs("--joint: a classifier alone predicts no words",
        config.task != TrainingTask::classifier && config.task != TrainingTask::label_gain,
        {"--softmax-samples", "--adaptive-softmax", "--tied-softmax"});
  needs("--task pa: no classifier sees the text",
        is_classification(config.task) || config.task == TrainingTask::pooled_autoencoder,
        {"--classifier-hidden", "--classifier-dropout", "--pooling"});
  needs("--bptt 0: streams are read to their end", config.stream_steps == 0,
        {"--max-length", "--evaluation-max-length", "--keep-first"});
  needs("--max-length", config.max_length > 0 || config.evaluation_max_length > 0, {"--keep-first"});
  needs("--validation", config.validation_fraction > 0, {"--patience", "--evaluate-every"});
  const Perturbation perturbation = config.adversarial.kind;
  needs("--joint", config.task == TrainingTask::joint, {"--joint-weight"});
  needs("--adversarial", perturbation != Perturbation::none,
        {"--perturbation-norm", "--absolute-perturbation", "--adversarial-weight"});
  needs("--adversarial vat or atvat",
        perturbation == Perturbation::virtual_adversarial ||
            perturbation == Perturbation::adversarial_virtual_adversarial,
        {"--power-iterations", "--finite-difference"});
  needs("--joint or --adversarial vat: a classifier alone learns from labels only", learns_without_labels(config),
        {"--unlabelled"});
}

}  // namespace eddy
