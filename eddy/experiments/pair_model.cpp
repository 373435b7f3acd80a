// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/pair_model.h"

#include <nlohmann/json.hpp>

#include "eddy/experiments/training_config_names.h"
#include "eddy/ops/argmax.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/mean_squared_error.h"
#include "eddy/ops/one_hot.h"

namespace eddy {

PairModel repeated_context_model(const std::string& name, const RepeatedContextConfig& config, FrameLoss loss) {
  PairModel model{.name = name, .config = {}, .loss = {}, .decode = {}, .fixed_length = true};
  model.config = nlohmann::ordered_json{{"model", "repeated context"},
                                        {"characters", config.characters},
                                        {"target_length", config.target_length},
                                        {"hidden_size", config.hidden_size},
                                        {"hard_sigmoid", config.hard_sigmoid},
                                        {"loss", loss == FrameLoss::squared_error ? "squared error" : "cross entropy"}}
                     .dump();
  model.loss = [config, loss](ParameterStore& store, const PairValues& pairs) {
    const Value scores = repeated_context(store, config, pairs.source);
    return loss == FrameLoss::squared_error ? mean_squared_error(scores, one_hot(pairs.target_out, config.characters))
                                            : cross_entropy(scores, pairs.target_out);
  };
  model.decode = [config](ParameterStore& store, Value source, Value, std::int64_t) {
    return GreedySequence{.tokens = argmax(repeated_context(store, config, source)), .attention = {}};
  };
  return model;
}

PairModel sequence_model(const std::string& name, const SequenceToSequenceConfig& config, std::int32_t go) {
  require<UsageError>(config.feedback == Feedback::token, "model '{}' must be fed tokens", name);
  PairModel model{.name = name, .config = {}, .loss = {}, .decode = {}};
  nlohmann::ordered_json settings = {{"model", "encoder-decoder"},
                                     {"mode", static_cast<int>(config.mode)},
                                     {"energy", static_cast<int>(config.energy)},
                                     {"source_vocabulary", config.source_vocabulary},
                                     {"target_vocabulary", config.target_vocabulary},
                                     {"classes", config.classes},
                                     {"embedding_size", config.embedding_size},
                                     {"cell", name_of(config.encoder.cell)},
                                     {"hidden_size", config.encoder.hidden_size},
                                     {"layers", config.encoder.layers},
                                     {"bidirectional", config.bidirectional},
                                     {"decoder_layers", config.decoder_layers},
                                     {"attention_size", config.attention_size},
                                     {"hand_over_state", config.hand_over_state}};
  if (config.input_feeding) settings["input_feeding"] = true;
  model.config = settings.dump();
  model.loss = [config](ParameterStore& store, const PairValues& pairs) {
    return sequence_loss(store, config, pairs, Mode::train);
  };
  model.decode = [config, go](ParameterStore& store, Value source, Value mask, std::int64_t steps) {
    return greedy_sequence(store, config, source, mask, steps, go);
  };
  return model;
}

}  // namespace eddy
