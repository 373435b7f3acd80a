// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "eddy/graph/builder_scope.h"
#include "eddy/models/cells.h"
#include "eddy/models/sequence_to_sequence.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/embedding.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/linear_argmax.h"
#include "eddy/ops/tanh.h"

namespace eddy {
namespace {

/// Elements of a query.
std::int64_t query_size(const SequenceToSequenceConfig& config) {
  const std::int64_t hidden = config.encoder.hidden_size;
  if (!config.input_feeding) return hidden;
  return config.decoder_layers * (config.encoder.cell == CellKind::lstm ? 2 : 1) * hidden;
}

Attention make_attention(Graph& graph, ParameterStore& store, const SequenceToSequenceConfig& config,
                         const State& read) {
  Attention attention{
      .energy = config.energy, .memory = read["memory"], .mask = read.contains("mask") ? read["mask"] : Value()};
  const std::int64_t query = query_size(config);
  const std::int64_t features = attention.memory.dim(2);
  // A vector of energies is a matrix of one column.
  const auto energy_weights = [&](std::int64_t size) {
    return parameter(graph, store, "attention/w_energy", {size},
                     uniform(std::sqrt(6.0F / static_cast<float>(size + 1))));
  };
  switch (config.energy) {
    case AttentionEnergy::additive:
      attention.keys = read["keys"];
      attention.w_query =
          parameter(graph, store, "attention/w_query", {query, config.attention_size}, glorot_uniform());
      attention.w_energy = energy_weights(config.attention_size);
      break;
    case AttentionEnergy::dot:
      break;
    case AttentionEnergy::general:
      attention.w_query = parameter(graph, store, "attention/w_query", {query, features}, glorot_uniform());
      break;
    case AttentionEnergy::linear:
      // (memory + query) . w
      attention.w_energy = attention.w_query = energy_weights(features);
      attention.bias = parameter(graph, store, "attention/b_energy", {1}, zeros());
      break;
  }
  return attention;
}

}  // namespace

SequenceDecoder::SequenceDecoder(Graph& graph, ParameterStore& store, const SequenceToSequenceConfig& config,
                                 const EncodedSource& source, SourceLocation where)
    : config_(config) {
  const BuilderScope at("SequenceDecoder", graph, where);
  context_ = source.read["context"];
  at.expect("context", context_, f32, {"batch", "width"});
  const NameScope scope(graph, "decoder");
  const bool lstm = config.encoder.cell == CellKind::lstm;
  const int gates = gate_count(config.encoder.cell);
  const std::int64_t hidden = config.encoder.hidden_size;
  const std::int64_t context = context_.dim(1);
  const bool attends = config.mode == DecoderMode::attention;
  if (attends) attention_ = make_attention(graph, store, config, source.read);
  const std::int64_t extra = attends ? attention_.memory.dim(2) : config.mode == DecoderMode::peek ? context : 0;
  const std::int64_t fed = reads_tokens() ? config.embedding_size : context;
  if (config.input_feeding) {
    w_input_ = parameter(graph, store, "decoder/w_input", {fed + extra, fed}, glorot_uniform());
    b_input_ = parameter(graph, store, "decoder/b_input", {fed}, zeros());
  }
  for (int index = 0; index < config.decoder_layers; ++index) {
    const std::string name = fmt::format("decoder{}/", index);
    Layer layer;
    layer.w_x =
        parameter(graph, store, name + "w_x", {index == 0 ? fed : hidden, gates * hidden}, glorot_uniform(gates));
    if (index == 0 && extra > 0 && !config.input_feeding)
      layer.w_x = concat(
          {layer.w_x, parameter(graph, store, name + "w_context", {extra, gates * hidden}, glorot_uniform(gates))}, 0);
    layer.w_h = parameter(graph, store, name + "w_h", {hidden, gates * hidden},
                          orthogonal(config.encoder.recurrent_gain, gates));
    layer.bias = parameter(graph, store, name + "bias", {gates * hidden},
                           lstm ? block_bias(1, 4, config.encoder.forget_bias) : zeros());
    layers_.push_back(layer);
  }
  std::int64_t width = hidden;
  if (config.mode != DecoderMode::basic && !(reads_tokens() && extra == 0)) {
    width = reads_tokens() ? hidden : context;
    w_output_ =
        parameter(graph, store, "readout/w", {reads_tokens() ? hidden + extra : hidden, width}, glorot_uniform());
    b_output_ = parameter(graph, store, "readout/b", {width}, zeros());
  }
  if (reads_tokens())
    target_table_ = parameter(graph, store, "target/table", {config.target_vocabulary, config.embedding_size},
                              uniform(config.embedding_range));
  table_ = parameter(graph, store, "softmax/table", {config.classes, width}, glorot_uniform());
  bias_ = parameter(graph, store, "softmax/bias", {config.classes}, zeros());
}

bool SequenceDecoder::reads_tokens() const {
  return config_.mode != DecoderMode::basic && config_.feedback == Feedback::token;
}

Value SequenceDecoder::embed(Value tokens, SourceLocation where) const {
  if (!reads_tokens()) return {};
  const BuilderScope at("SequenceDecoder::embed", "tokens", tokens, where);
  return embedding(target_table_, tokens);
}

namespace {

/// What both readings of the softmax take.
void expect_output(const BuilderScope& at, const Value& table, const Value& output) {
  at.check(output.dtype() == f32 && output.rank() >= 1 && output.dim(-1) == table.dim(1),
           "output must be f32[…,{}], not {}", table.dim(1), type_text(output));
}

}  // namespace

Value SequenceDecoder::logits(Value output, SourceLocation where) const {
  const BuilderScope at("SequenceDecoder::logits", "output", output, where);
  expect_output(at, table_, output);
  return linear(output, table_, bias_, {.transpose_w = true});
}

Value SequenceDecoder::likeliest(Value output, SourceLocation where) const {
  const BuilderScope at("SequenceDecoder::likeliest", "output", output, where);
  expect_output(at, table_, output);
  return linear_argmax(output, table_, bias_);
}

Step SequenceDecoder::run_layer(const Layer& layer, int index, Value x, const State& state) const {
  const StackConfig& cells = config_.encoder;
  const Value& h = state[fmt::format("h{}", index)];
  switch (cells.cell) {
    case CellKind::lstm: {
      const LstmCell cell{layer.w_x, layer.w_h, layer.bias, cells.hard_sigmoid, cells.clip_cell};
      return cell(x, {{"h", h}, {"c", state[fmt::format("c{}", index)]}});
    }
    case CellKind::gru:
      return GruCell{layer.w_x, layer.w_h, layer.bias, cells.hard_sigmoid}(x, {{"h", h}});
    case CellKind::rnn:
      return SimpleRnnCell{layer.w_x, layer.w_h, layer.bias}(x, {{"h", h}});
  }
  fail<GraphError>("[SequenceDecoder] there is no cell number {}", static_cast<int>(cells.cell));
}

Value SequenceDecoder::query(const State& state) const {
  if (config_.input_feeding) {
    std::vector<Value> all;
    for (const auto& [name, value] : state) all.push_back(value);
    return all.size() == 1 ? all[0] : concat(all, 1);
  }
  const bool of_cell = config_.energy == AttentionEnergy::linear && config_.encoder.cell == CellKind::lstm;
  return state[fmt::format("{}{}", of_cell ? 'c' : 'h', layers_.size() - 1)];
}

Step SequenceDecoder::operator()(Value previous, const State& state, SourceLocation where) const {
  const BuilderScope at("SequenceDecoder", table_.graph(), where);
  if (reads_tokens()) at.expect("previous", previous, f32, {context_.dim(0), config_.embedding_size});
  if (config_.mode == DecoderMode::basic) {
    previous = context_;
  } else if (!reads_tokens()) {
    previous = state["output"];
  }
  Step result;
  Value extra;
  if (config_.mode == DecoderMode::peek) extra = context_;
  const auto attend = [&](const State& with) {
    const Attention::Result found = attention_(query(with));
    extra = found.context;
    result.outputs.set("attention", found.weights);
  };
  if (config_.mode == DecoderMode::attention && !config_.input_feeding) attend(state);
  Value x = extra ? concat({previous, extra}, 1) : previous;
  if (config_.input_feeding) x = linear(concat({previous, state["found"]}, 1), w_input_, b_input_);
  for (int index = 0; index < config_.decoder_layers; ++index) {
    const Step step = run_layer(layers_[static_cast<std::size_t>(index)], index, x, state);
    for (const auto& [name, value] : step.state) result.state.set(fmt::format("{}{}", name, index), value);
    x = step.output;
  }
  result.output = x;
  if (!w_output_) return result;
  if (config_.input_feeding) {
    attend(result.state);
    result.output = linear(concat({x, extra}, 1), w_output_, b_output_);
    result.state.set("found", extra);
  } else if (reads_tokens()) {
    result.output = tanh(linear(concat({x, extra}, 1), w_output_, b_output_));
  } else {
    result.output = linear(x, w_output_, b_output_);
    result.state.set("output", result.output);
  }
  return result;
}

}  // namespace eddy
