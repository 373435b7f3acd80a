// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/seq2seq_config.h"

#include "eddy/experiments/run_data.h"
#include "eddy/experiments/sequence_names.h"
#include "eddy/experiments/strict_json.h"
#include "eddy/experiments/training_config_checks.h"
#include "eddy/experiments/training_config_members.h"
#include "eddy/models/decoder_start.h"

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
  visit("encoding", data.encoding);
  visit("source_column", data.source_column);
  visit("target_column", data.target_column);
  visit("lower_case", data.lower_case);
  visit("source_words", data.source_words);
  visit("target_words", data.target_words);
  visit("min_count", data.min_count);
  visit("min_documents", data.min_documents);
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
  visit("clip_cell", model.encoder.clip_cell);
  visit("bidirectional", model.bidirectional);
  visit("decoder_layers", model.decoder_layers);
  visit("hand_over_state", model.hand_over_state);
  visit("mode", model.mode);
  visit("input_feeding", model.input_feeding);
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
  visit("patience", config.patience);
  visit("evaluation_steps", config.evaluation_steps);
  visit("plateau_on_training", config.plateau_on_training);
  visit("seed", config.seed);
}

std::string to_json(const Seq2SeqConfig& config) { return to_json_text(config, 2); }

Seq2SeqConfig seq2seq_config_from_json(std::string_view json, std::string_view where, Seq2SeqConfig config) {
  read_config(json, where, config);
  return config;
}

namespace {

void check_data(const PairDataConfig& data) {
  check_count("source_column", data.source_column, 0);
  require<UsageError>(data.source_column != data.target_column, "source_column and target_column are both {}",
                      data.source_column);
  check_count("target_column", data.target_column, 0);
  check_count("source_words", data.source_words, 0);
  check_count("target_words", data.target_words, 0);
  require<UsageError>(data.layout == PairLayout::headlines || (data.source_words > 2 && data.target_words > 2),
                      "vocabularies of {} and {} words hold nothing beside <unk> and <eos>", data.source_words,
                      data.target_words);
  check_count("min_count", data.min_count, 1);
  check_count("min_documents", data.min_documents, 1);
  check_count("validation", data.validation, -1);
  check_count("test", data.test, -1);
}

void check_model(const SequenceToSequenceConfig& model) {
  check_count("embedding_size", model.embedding_size, 1, kLargestSize);
  check_number("embedding_range", model.embedding_range, 0);
  check_count("hidden_size", model.encoder.hidden_size, 1, kLargestSize);
  check_count("encoder_layers", model.encoder.layers, 1, kMostLayers);
  check_count("decoder_layers", model.decoder_layers, 1, kMostLayers);
  check_count("attention_size", model.attention_size, 1, kLargestSize);
  check_count("softmax_samples", model.softmax_samples, 0);
  check_cells(model.encoder);
  check_share("layer_dropout", model.encoder.dropout);
  check_share("dropout", model.dropout);
  require<UsageError>(sees_source(model), "{}", kBlindDecoder);
  require<UsageError>(can_feed_input(model), "{}", kInputFeedingNeeds);
}

}  // namespace

void check(const Seq2SeqConfig& config) {
  check_data(config.data);
  check_model(config.model);
  check_optimizer(config.optimizer);
  require<UsageError>(config.optimizer.learning_rate > 0, "learning_rate is {}, expected more than 0",
                      config.optimizer.learning_rate);
  check_count("batch_size", config.batch_size, 1, kLargestSize);
  check_count("max_source", config.max_source, 0);
  check_count("max_target", config.max_target, 0);
  for (const PairSize& size : config.sizes) {
    check_count("the source side of a batch", size.source, 1, kLargestSize);
    check_count("the target side of a batch", size.target, 1, kLargestSize);
  }
  check_number("own_share", config.own_share, 0, 1);
  check_count("own_share_steps", config.own_share_steps, 1);
  check_count("epochs", config.epochs, 1);
  check_count("max_steps", config.max_steps, 0);
  check_number("max_seconds", config.max_seconds, 0);
  check_count("patience", config.patience, 0);
  check_count("evaluation_steps", config.evaluation_steps, 0);
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
