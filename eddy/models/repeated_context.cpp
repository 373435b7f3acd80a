// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/repeated_context.h"

#include "eddy/core/number_text.h"
#include "eddy/graph/builder_scope.h"
#include "eddy/models/cells.h"
#include "eddy/models/dense.h"
#include "eddy/ops/gru.h"
#include "eddy/ops/iota.h"
#include "eddy/ops/one_hot.h"

namespace eddy {
namespace {

GruCell gru_weights(Graph& graph, ParameterStore& store, const std::string& name, std::int64_t in,
                    const RepeatedContextConfig& config) {
  const std::int64_t hidden = config.hidden_size;
  return {.w_x = parameter(graph, store, name + "/w_x", {in, 3 * hidden}, glorot_uniform(3)),
          .w_h = parameter(graph, store, name + "/w_h", {hidden, 3 * hidden}, orthogonal(1, 3)),
          .bias = parameter(graph, store, name + "/bias", {3 * hidden}, zeros()),
          .hard_sigmoid = config.hard_sigmoid};
}

}  // namespace

Value repeated_context(ParameterStore& store, const RepeatedContextConfig& config, Value source, SourceLocation where) {
  const BuilderScope at("repeated_context", "source", source, where);
  at.check(config.characters >= 1 && config.target_length >= 1 && config.hidden_size >= 1,
           "a model of frames needs positive sizes, not {}, target length {}, hidden size {}",
           counted(config.characters, "character"), config.target_length, config.hidden_size);
  at.expect("source", source, i32, {"time", "batch"});
  Graph& graph = at.graph();
  const GruCell encoder = gru_weights(graph, store, "encoder", config.characters, config);
  const Value read = gru(one_hot(source, config.characters), encoder.w_x, encoder.w_h, encoder.bias,
                         {.hard_sigmoid = config.hard_sigmoid, .reset_after = false})
                         .final_h;
  const Value context =
      dense(store, {"context/w", "context/bias"}, read, config.hidden_size, {.activation = Activation::relu});
  const GruCell decoder = gru_weights(graph, store, "decoder", config.hidden_size, config);
  // What depends on the context alone is computed once, not at every step.
  const ScanResult written =
      scan([&](Value, const State& state) { return decoder(context, state); }, iota(graph, config.target_length),
           zero_state(context, {"h"}, {source.dim(1), config.hidden_size}));
  return dense(store, {"scores/w", "scores/bias"}, written.output, config.characters);
}

}  // namespace eddy
