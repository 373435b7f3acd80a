// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/seq2seq_config.h"

#include "eddy/experiments/run_data.h"
#include "eddy/experiments/sequence_names.h"
#include "eddy/experiments/strict_json.h"
#include "eddy/experiments/training_config_members.h"

namespace eddy {

// Not in an unnamed namespace: the JSON templates find these by argument-dependent lookup.

void visit_members(Is<PairSize> auto& size, auto& visit) {
  visit("source", size.source);
  visit("target", size.target);
}

void visit_members(Is<PairDataConfig> auto& data, auto& visit) {
  visit("layout", data.layout);
  visit("path", data.path);
  visit("file", data.file);
  visit("unit", data.unit);
  visit("zero_digits", data.zero_digits);
  visit("source_column", data.source_column);
  visit("target_column", data.target_column);
  visit("lower_case", data.lower_case);
  visit("source_words", data.source_words);
  visit("target_words", data.target_words);
  visit("min_count", data.min_count);
  visit("validation", data.validation);
  visit("test", data.test);
}

void visit_members(Is<SequenceToSequenceConfig> auto& model, auto& visit) {
  visit("source_vocabulary", model.source_vocabulary);
  visit("target_vocabulary", model.target_vocabulary);
  visit("classes", model.classes);
  visit("embedding_size", model.embedding_size);
  visit("embedding_range", model.embedding_range);
  visit("cell", model.encoder.cell);
  visit("hidden_size", model.encoder.hidden_size);
  visit("encoder_layers", model.encoder.layers);
  visit("layer_dropout", model.encoder.dropout);
  visit("forget_bias", model.encoder.forget_bias);
  visit("recurrent_gain", model.encoder.recurrent_gain);
  visit("hard_sigmoid", model.encoder.hard_sigmoid);
  visit("bidirectional", model.bidirectional);
  visit("decoder_layers", model.decoder_layers);
  visit("hand_over_state", model.hand_over_state);
  visit("mode", model.mode);
  visit("energy", model.energy);
  visit("attention_size", model.attention_size);
  visit("feedback", model.feedback);
  visit("dropout", model.dropout);
  visit("softmax_samples", model.softmax_samples);
}

void visit_members(Is<Seq2SeqConfig> auto& config, auto& visit) {
  visit("data", config.data);
  visit("model", config.model);
  visit("optimizer", config.optimizer);
  visit("batch_size", config.batch_size);
  visit("max_source", config.max_source);
  visit("max_target", config.max_target);
  visit("sizes", config.sizes);
  visit("too_long", config.too_long);
  visit("reverse_source", config.reverse_source);
  visit("own_share", config.own_share);
  visit("own_share_steps", config.own_share_steps);
  visit("epochs", config.epochs);
  visit("max_steps", config.max_steps);
  visit("max_seconds", config.max_seconds);
  visit("evaluation_steps", config.evaluation_steps);
  visit("plateau_on_training", config.plateau_on_training);
  visit("seed", config.seed);
}

std::string to_json(const Seq2SeqConfig& config) { return to_json_text(config, 2); }

Seq2SeqConfig seq2seq_config_from_json(std::string_view json, std::string_view where, Seq2SeqConfig config) {
  read_config(json, where, config);
  return config;
}

void check(const Seq2SeqConfig& config) {
  const auto positive = [](std::string_view name, std::int64_t value) {
    require<UsageError>(value > 0, "{} is {}, but must be positive", name, value);
  };
  const auto share = [](std::string_view name, double value) {
    require<UsageError>(value >= 0 && value <= 1, "{} is {}, but must be from 0 to 1", name, value);
  };
  const SequenceToSequenceConfig& model = config.model;
  positive("embedding_size", model.embedding_size);
  positive("hidden_size", model.encoder.hidden_size);
  positive("encoder_layers", model.encoder.layers);
  positive("decoder_layers", model.decoder_layers);
  positive("attention_size", model.attention_size);
  positive("batch_size", config.batch_size);
  positive("own_share_steps", config.own_share_steps);
  positive("epochs", config.epochs);
  positive("min_count", config.data.min_count);
  for (const PairSize& size : config.sizes) {
    positive("the source side of a batch", size.source);
    positive("the target side of a batch", size.target);
  }
  require<UsageError>(
      config.data.layout == PairLayout::headlines || (config.data.source_words > 2 && config.data.target_words > 2),
      "vocabularies of {} and {} words hold nothing beside <unk> and <eos>", config.data.source_words,
      config.data.target_words);
  require<UsageError>(config.data.source_column >= 0 && config.data.target_column >= 0,
                      "columns {} and {} do not exist; the first one is 0", config.data.source_column,
                      config.data.target_column);
  require<UsageError>(config.data.validation >= 0 && config.data.test >= 0, "{} and {} sources cannot be kept",
                      config.data.validation, config.data.test);
  const auto not_negative = [](std::string_view name, auto value) {
    require<UsageError>(value >= 0, "{} is {}, but cannot be negative", name, value);
  };
  not_negative("max_source", config.max_source);
  not_negative("max_target", config.max_target);
  not_negative("softmax_samples", model.softmax_samples);
  not_negative("max_steps", config.max_steps);
  not_negative("max_seconds", config.max_seconds);
  not_negative("evaluation_steps", config.evaluation_steps);
  require<UsageError>(config.optimizer.learning_rate > 0, "learning_rate is {}, but must be positive",
                      config.optimizer.learning_rate);
  share("own_share", config.own_share);
  require<UsageError>(
      model.dropout >= 0 && model.dropout < 1 && model.encoder.dropout >= 0 && model.encoder.dropout < 1,
      "dropout is {} and {}, but must be at least 0 and below 1", model.dropout, model.encoder.dropout);
}

Seq2SeqConfig seq2seq_defaults() {
  Seq2SeqConfig config;
  config.model.embedding_size = 128;
  config.model.encoder.hidden_size = 256;
  config.model.bidirectional = true;
  config.model.attention_size = 128;
  config.model.dropout = 0.2F;
  config.model.softmax_samples = 512;
  config.optimizer.learning_rate = 1e-3;
  config.optimizer.clip_norm = 5;
  config.optimizer.lazy_rows = true;
  return config;
}

}  // namespace eddy
