// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_seq2seq.h"
#include "eddy/experiments/sequence_names.h"

namespace eddy {

using Config = Seq2SeqConfig;

void add_pair_model_flags(FlagSet<Config>& flags) {
  flags.begin_group("Model");
  flags.choice(
      "--cell", [](auto& c) -> auto& { return c.model.encoder.cell; }, "Recurrent cell");
  flags.value(
      "--embedding", [](Config & c) -> auto& { return c.model.embedding_size; }, "Size of a word's embedding");
  flags.value(
      "--hidden", [](Config & c) -> auto& { return c.model.encoder.hidden_size; }, "Size of the recurrent states");
  flags.value(
      "--clip-cell", [](Config & c) -> auto& { return c.model.encoder.clip_cell; },
      "Largest size of an LSTM's cell state; 0: no limit");
  flags.value(
      "--attention", [](Config & c) -> auto& { return c.model.attention_size; }, "Width of additive attention");
  flags.value(
      "--dropout", [](Config & c) -> auto& { return c.model.dropout; }, "On embeddings and outputs");
  flags.value(
      "--softmax-samples", [](Config & c) -> auto& { return c.model.softmax_samples; },
      "Words sampled for the training loss; 0: the full softmax");
}

void add_pair_training_flags(FlagSet<Config>& flags) {
  flags.begin_group("Training");
  flags.choice(
      "--optimizer", [](auto& c) -> auto& { return c.optimizer.kind; }, "Update rule");
  flags.value(
      "--learning-rate,--lr", [](Config & c) -> auto& { return c.optimizer.learning_rate; }, "Learning rate");
  flags.value(
      "--decay", [](Config & c) -> auto& { return c.optimizer.schedule.decay; },
      "Factor of the learning rate on a plateau, or as the schedule falls");
  flags.value(
      "--plateau-patience", [](Config & c) -> auto& { return c.optimizer.schedule.patience; },
      "Validations without a lower loss that a plateau takes");
  flags.value(
      "--clip", [](Config & c) -> auto& { return c.optimizer.clip_norm; }, "Largest norm of all gradients");
  flags.value(
      "--batch", [](Config & c) -> auto& { return c.batch_size; }, "Pairs in a batch");
  flags.value(
      "--epochs", [](Config & c) -> auto& { return c.epochs; }, "Most epochs");
  flags.value(
      "--max-steps,--steps", [](Config & c) -> auto& { return c.max_steps; }, "Most steps; 0: no limit");
  flags.value(
      "--max-seconds,--seconds", [](Config & c) -> auto& { return c.max_seconds; }, "Most seconds; 0: no limit");
  flags.value(
      "--patience", [](Config & c) -> auto& { return c.patience; },
      "Validations without a lower loss before training stops; 0: never");
  flags.value(
      "--evaluate-every,--evaluation-steps", [](Config & c) -> auto& { return c.evaluation_steps; },
      "Steps from validation to validation; 0: an epoch");
  flags.value(
      "--seed", [](Config & c) -> auto& { return c.seed; }, "Of the weights, the order and any random split");
}

}  // namespace eddy
