// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/number_text.h"
#include "eddy/graph/builder_scope.h"
#include "eddy/models/decoder_start.h"
#include "eddy/models/dense.h"
#include "eddy/models/sequence_to_sequence.h"
#include "eddy/ops/add.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/embedding.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/tanh.h"
#include "eddy/ops/transpose.h"

namespace eddy {
namespace {

void check(const BuilderScope& at, const SequenceToSequenceConfig& config) {
  at.check(config.source_vocabulary > 0 && config.target_vocabulary > 0 && config.classes > 0,
           "an encoder-decoder needs words on both sides, not {}, {} and {}", config.source_vocabulary,
           config.target_vocabulary, counted(config.classes, "class", "classes"));
  at.check(config.encoder.layers > 0 && config.decoder_layers > 0,
           "an encoder-decoder needs layers on both sides, not {} and {}", config.encoder.layers,
           config.decoder_layers);
  at.check(!config.encoder.reverse, "the encoder of an encoder-decoder reads forwards, or both ways");
  at.check(config.encoder.cell != CellKind::gru || !config.encoder.reset_after,
           "the decoder's GRU multiplies by the reset gate before the product, so the encoder must, too");
  at.check(sees_source(config), "{}", kBlindDecoder);
  at.check(config.embedding_size > 0 && config.attention_size > 0,
           "embeddings and attention need a width, not {} and {}", config.embedding_size, config.attention_size);
  at.check(can_feed_input(config), "{}", kInputFeedingNeeds);
}

/// The final states of each layer, both directions side by side.
struct Final {
  std::vector<Value> h, c;
};

std::vector<Value> side_by_side(const std::vector<Value>& forward, const std::vector<Value>& backward) {
  std::vector<Value> joined;
  for (std::size_t layer = 0; layer < forward.size(); ++layer)
    joined.push_back(backward.empty() ? forward[layer] : concat({forward[layer], backward[layer]}, 1));
  return joined;
}

/// States the decoder begins with.
State initial_states(ParameterStore& store, const SequenceToSequenceConfig& config, const Final& last) {
  const bool lstm = config.encoder.cell == CellKind::lstm;
  const std::int64_t hidden = config.encoder.hidden_size;
  const Value& context = last.h.back();
  Graph& graph = context.graph();
  State state;
  for (int layer = 0; layer < config.decoder_layers; ++layer) {
    const auto from = static_cast<std::size_t>(handed_layer(layer, config.encoder.layers, config.decoder_layers));
    const std::string h = fmt::format("h{}", layer), c = fmt::format("c{}", layer);
    if (!config.hand_over_state) {
      const State zeros = zero_state(context, {"h"}, {context.dim(0), hidden});
      state.set(h, zeros["h"]);
      if (lstm) state.set(c, zeros["h"]);
      continue;
    }
    const auto bridge = [&](const std::string& name, Value value) {
      if (!config.bidirectional) return value;
      return matmul(value, parameter(graph, store, "bridge/" + name, {2 * hidden, hidden}, glorot_uniform()));
    };
    // A hidden state lies in (-1, 1), a cell state anywhere.
    state.set(h, config.bidirectional ? tanh(bridge(h, last.h[from])) : last.h[from]);
    if (lstm) state.set(c, bridge(c, last.c[from]));
  }
  if (config.mode != DecoderMode::basic && config.feedback == Feedback::output) state.set("output", context);
  if (config.input_feeding) state.set("found", zero_state(context, {"found"}, context.shape())["found"]);
  return state;
}

/// What attention reads, projected once for all steps.
void add_memory(ParameterStore& store, const SequenceToSequenceConfig& config, Value outputs, Value mask, State& read) {
  Graph& graph = outputs.graph();
  const std::int64_t width = outputs.dim(2);
  Value memory = transpose(outputs, {1, 0, 2});
  if (config.energy == AttentionEnergy::linear)
    memory = dense(store, {"attention/w_memory", "attention/b_memory"}, memory, config.encoder.hidden_size);
  if (config.energy == AttentionEnergy::additive) {
    Value keys =
        matmul(memory, parameter(graph, store, "attention/w_memory", {width, config.attention_size}, glorot_uniform()));
    // The original adds a bias to the query, which comes to the same.
    if (config.input_feeding)
      keys = keys + parameter(graph, store, "attention/b_query", {config.attention_size}, zeros());
    read.set("keys", keys);
  }
  read.set("memory", memory);
  if (mask) read.set("mask", transpose(mask, {1, 0}));
}

}  // namespace

SequenceToSequenceConfig jacoxu_config(DecoderMode mode) {
  SequenceToSequenceConfig config;
  config.source_vocabulary = config.target_vocabulary = config.classes = 51;
  config.embedding_size = 20;
  config.embedding_range = 0.05F;
  config.encoder = {.hidden_size = 20, .recurrent_gain = 1.1F, .hard_sigmoid = true, .reset_after = false};
  config.hand_over_state = false;
  config.mode = mode;
  config.energy = AttentionEnergy::linear;
  config.feedback = Feedback::output;
  return config;
}

EncodedSource encode_source(ParameterStore& store, const SequenceToSequenceConfig& config, Value source, Value mask,
                            Mode mode, SourceLocation where) {
  const BuilderScope at("encode_source", "source", source, where);
  check(at, config);
  at.expect("source", source, i32, {"source_time", "batch"});
  if (mask) at.expect("mask", mask, f32, {source.dim(0), source.dim(1)});
  Graph& graph = at.graph();
  const NameScope scope(graph, "encoder");
  const bool random = mode == Mode::train && (config.dropout > 0 || config.encoder.dropout > 0);
  const Value key = random ? random_key(graph, store) : Value();
  Value x = embedding(parameter(graph, store, "source/table", {config.source_vocabulary, config.embedding_size},
                                uniform(config.embedding_range)),
                      source);
  if (key && config.dropout > 0) x = dropout(x, config.dropout, key);
  const StackResult forward = recurrent_stack(store, "encoder", config.encoder, x, mask, {}, key);
  StackResult backward;
  if (config.bidirectional) {
    StackConfig reverse = config.encoder;
    reverse.reverse = true;
    backward = recurrent_stack(store, "encoder_reverse", reverse, x, mask, {}, key);
  }
  const Final last{side_by_side(forward.last.h, backward.last.h), side_by_side(forward.last.c, backward.last.c)};
  EncodedSource result;
  result.read.set("context", last.h.back());
  result.initial = initial_states(store, config, last);
  if (config.mode == DecoderMode::attention) {
    const Value outputs = config.bidirectional ? concat({forward.outputs, backward.outputs}, 2) : forward.outputs;
    add_memory(store, config, outputs, mask, result.read);
  }
  return result;
}

}  // namespace eddy
