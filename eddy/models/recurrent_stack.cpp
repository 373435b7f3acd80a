// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/recurrent_stack.h"

#include "eddy/core/number_text.h"
#include "eddy/graph/builder_scope.h"
#include "eddy/models/cells.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/gru.h"
#include "eddy/ops/lstm.h"
#include "eddy/ops/scan.h"

namespace eddy {
namespace {

struct LayerResult {
  Value outputs, h, c;
};

/// A layer that has no fused kernel: its cell in a loop.
template <class Cell>
LayerResult loop_layer(const Cell& cell, const StackConfig& config, Value x, Value mask, Value h0, Value c0) {
  const State zeros = zero_state(x, {"h"}, {x.dim(1), config.hidden_size});
  State initial{{"h", h0 ? h0 : zeros["h"]}};
  if (config.cell == CellKind::lstm) initial.set("c", c0 ? c0 : zeros["h"]);
  const ScanResult run = scan(cell, x, initial, {.mask = mask, .reverse = config.reverse});
  return {run.output, run.last["h"], config.cell == CellKind::lstm ? run.last["c"] : Value()};
}

LayerResult lstm_layer(ParameterStore& store, const std::string& name, const StackConfig& config, Value x, Value mask,
                       Value h0, Value c0) {
  Graph& graph = x.graph();
  const std::int64_t hidden = config.hidden_size;
  const Value w_x = parameter(graph, store, name + "/w_x", {x.dim(-1), 4 * hidden}, glorot_uniform(4));
  const Value w_h = parameter(graph, store, name + "/w_h", {hidden, 4 * hidden}, orthogonal(config.recurrent_gain, 4));
  const Value bias = parameter(graph, store, name + "/bias", {4 * hidden}, block_bias(1, 4, config.forget_bias));
  if (config.clip_cell > 0)
    return loop_layer(LstmCell{w_x, w_h, bias, config.hard_sigmoid, config.clip_cell}, config, x, mask, h0, c0);
  const LstmResult result =
      lstm(x, w_x, w_h, bias,
           {.h0 = h0, .c0 = c0, .mask = mask, .reverse = config.reverse, .hard_sigmoid = config.hard_sigmoid});
  return {result.outputs, result.final_h, result.final_c};
}

LayerResult gru_layer(ParameterStore& store, const std::string& name, const StackConfig& config, Value x, Value mask,
                      Value h0) {
  Graph& graph = x.graph();
  const std::int64_t hidden = config.hidden_size;
  const Value w_x = parameter(graph, store, name + "/w_x", {x.dim(-1), 3 * hidden}, glorot_uniform(3));
  const Value w_h = parameter(graph, store, name + "/w_h", {hidden, 3 * hidden}, orthogonal(config.recurrent_gain, 3));
  const Value bias = parameter(graph, store, name + "/bias", {3 * hidden}, zeros());
  Value bias_h;
  if (config.reset_after) bias_h = parameter(graph, store, name + "/bias_h", {3 * hidden}, zeros());
  const GruResult result = gru(x, w_x, w_h, bias,
                               {.h0 = h0,
                                .mask = mask,
                                .reverse = config.reverse,
                                .hard_sigmoid = config.hard_sigmoid,
                                .reset_after = config.reset_after,
                                .recurrent_bias = bias_h});
  return {result.outputs, result.final_h, {}};
}

LayerResult rnn_layer(ParameterStore& store, const std::string& name, const StackConfig& config, Value x, Value mask,
                      Value h0) {
  Graph& graph = x.graph();
  const std::int64_t hidden = config.hidden_size;
  const SimpleRnnCell cell{
      .w_x = parameter(graph, store, name + "/w_x", {x.dim(-1), hidden}, glorot_uniform()),
      .w_h = parameter(graph, store, name + "/w_h", {hidden, hidden}, orthogonal(config.recurrent_gain)),
      .bias = parameter(graph, store, name + "/bias", {hidden}, zeros())};
  return loop_layer(cell, config, x, mask, h0, {});
}

}  // namespace

StackResult recurrent_stack(ParameterStore& store, std::string_view name, const StackConfig& config, Value x,
                            Value mask, const StackState& initial, Value key, SourceLocation where) {
  const BuilderScope at("recurrent_stack", "x", x, where);
  at.check(config.layers >= 1, "a recurrent stack needs at least one layer, not {}", config.layers);
  at.check(config.hidden_size >= 1, "a recurrent stack needs a positive hidden size, not {}", config.hidden_size);
  at.check(config.clip_cell >= 0, "clip_cell is {}, expected 0 or more", config.clip_cell);
  at.check(config.clip_cell == 0 || config.cell == CellKind::lstm, "only LSTMs have a cell state to clip");
  at.expect("x", x, f32, {"time", "batch", "features"});
  const std::int64_t time = x.dim(0), batch = x.dim(1);
  if (mask) at.expect("mask", mask, f32, {time, batch});
  const auto check_states = [&](std::string_view argument, const std::vector<Value>& states) {
    at.check(states.empty() || states.size() == static_cast<std::size_t>(config.layers),
             "the initial state of '{}' is of {}, but the stack has {}", name, counted(std::ssize(states), "layer"),
             config.layers);
    for (const Value& state : states)
      if (state) at.expect(argument, state, f32, {batch, config.hidden_size});
  };
  at.expect_rate("dropout", config.dropout);
  check_states("initial.h", initial.h);
  check_states("initial.c", initial.c);
  StackResult result{.outputs = x, .last = {}};
  const auto initial_of = [](const std::vector<Value>& states, int layer) {
    return states.empty() ? Value() : states[static_cast<std::size_t>(layer)];
  };
  for (int layer = 0; layer < config.layers; ++layer) {
    const std::string layer_name = fmt::format("{}{}", name, layer);
    const NameScope scope(x.graph(), layer_name);
    if (layer > 0 && config.dropout > 0 && key) result.outputs = dropout(result.outputs, config.dropout, key);
    const Value h0 = initial_of(initial.h, layer);
    const auto run_layer = [&]() -> LayerResult {
      switch (config.cell) {
        case CellKind::lstm:
          return lstm_layer(store, layer_name, config, result.outputs, mask, h0, initial_of(initial.c, layer));
        case CellKind::gru:
          return gru_layer(store, layer_name, config, result.outputs, mask, h0);
        case CellKind::rnn:
          return rnn_layer(store, layer_name, config, result.outputs, mask, h0);
      }
      fail<GraphError>("[recurrent_stack] there is no cell number {}", static_cast<int>(config.cell));
    };
    const LayerResult next = run_layer();
    result.outputs = next.outputs;
    result.last.h.push_back(next.h);
    if (next.c) result.last.c.push_back(next.c);
  }
  return result;
}

}  // namespace eddy
