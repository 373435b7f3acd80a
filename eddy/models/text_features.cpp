// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/text_features.h"

#include "eddy/graph/builtin.h"
#include "eddy/models/dense.h"
#include "eddy/ops/add.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/div.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/max.h"
#include "eddy/ops/maximum.h"
#include "eddy/ops/minimum.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/relu.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/shift.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

Value times(Value x, Value factors) { return factors ? x * factors : x; }

/// Features f32[batch, …] of the top layer's states under `mask` f32[time, batch]. `factors` of a dropout at this rate
/// for what is read of the states; empty: none.
std::vector<Value> pooled(const StackResult& states, Value mask, Pooling pooling, Value factors, float rate) {
  if (pooling == Pooling::last) return {times(states.last.h.back(), factors)};
  std::vector<Value> features;
  if (pooling != Pooling::mean) features.push_back(states.last.h.back());
  const Value outputs = times(states.outputs, factors);
  // Masked steps are zero, so the sum is that of the real ones; an empty row has none.
  const Value steps = expand_dims(sum(mask, {0}), 1);
  features.push_back(sum(outputs, {0}) / maximum(steps, 1.0f));
  if (pooling != Pooling::concat) return features;
  // Far below any state, so that masked steps do not count; of an empty row nothing is left.
  const Value largest = max(outputs - expand_dims((1.0f - mask) * 100.0f, 2), {0}) * minimum(steps, 1.0f);
  features.push_back(factors ? largest * (1 - rate) : largest);
  return features;
}

}  // namespace

FeatureDropouts draw_feature_dropouts(ParameterStore& store, const TextModelConfig& config, Value embedded, Mode mode) {
  if (mode != Mode::train) return {};
  Graph& graph = embedded.graph();
  const NameScope scope(graph, "classifier");
  const auto factors = [&](float rate, const Shape& shape) {
    if (rate == 0) return Value();
    return dropout(full(graph, {f32, shape}, 1), rate, random_key(graph, store));
  };
  const std::int64_t time = embedded.dim(0), batch = embedded.dim(1), hidden = config.encoder.hidden_size;
  const Shape read = config.pooling == Pooling::last ? Shape{batch, hidden} : Shape{time, batch, hidden};
  const std::int64_t parts = config.pooling == Pooling::concat ? 3 : config.pooling == Pooling::last_mean ? 2 : 1;
  const std::int64_t pooled_width = parts * hidden * (config.bidirectional ? 2 : 1);
  FeatureDropouts drawn;
  drawn.outputs = factors(config.output_dropout, read);
  if (config.bidirectional) drawn.reverse_outputs = factors(config.output_dropout, read);
  const std::int64_t width = config.classifier_hidden_size > 0 ? config.classifier_hidden_size : pooled_width;
  drawn.features = factors(config.classifier_dropout, {batch, width});
  return drawn;
}

Value hidden_features(ParameterStore& store, const TextModelConfig& config, Value features) {
  if (config.classifier_hidden_size == 0) return features;
  return relu(dense(store, {"classifier/hidden/w", "classifier/hidden/b"}, features, config.classifier_hidden_size));
}

Value text_features(ParameterStore& store, const TextModelConfig& config, const EncodedText& encoded, Value mask,
                    const FeatureDropouts& dropouts) {
  std::vector<Value> parts = pooled(encoded.forward, mask, config.pooling, dropouts.outputs, config.output_dropout);
  if (config.bidirectional)
    for (const Value& part :
         pooled(encoded.reverse, mask, config.pooling, dropouts.reverse_outputs, config.output_dropout))
      parts.push_back(part);
  const Value features = parts.size() == 1 ? parts[0] : concat(parts, 1);
  return times(hidden_features(store, config, features), dropouts.features);
}

Value states_before(ParameterStore& store, const TextModelConfig& config, Value embedded, Value mask, Mode mode) {
  Graph& graph = embedded.graph();
  const FeatureDropouts dropouts = draw_feature_dropouts(store, config, embedded, mode);
  TextModelConfig encoder = config;
  encoder.output_dropout = 0;
  const EncodedText encoded = encode_embedded(store, encoder, embedded, mask, mode);
  const NameScope scope(graph, "context");
  const Value features = text_features(store, config, encoded, mask, dropouts);
  const Value context = dense(store, {"context/w", "context/b"}, features, config.encoder.hidden_size);
  Value states = encoded.forward.outputs;
  if (mode == Mode::train && config.output_dropout > 0)
    states = dropout(states, config.output_dropout, random_key(graph, store));
  return shift(states, 1) + expand_dims(context, 0);
}

}  // namespace eddy
