// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/sequence_decoding.h"

#include "eddy/graph/builder_scope.h"
#include "eddy/graph/builtin.h"
#include "eddy/models/softmax_loss.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/fold_key.h"
#include "eddy/ops/iota.h"
#include "eddy/ops/random_uniform.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/where.h"

namespace eddy {
namespace {

void check_pairs(const BuilderScope& at, const SequenceToSequenceConfig& config, const PairValues& pairs) {
  at.expect("source", pairs.source, i32, {"source_time", "batch"});
  const std::int64_t batch = pairs.source.dim(1);
  if (pairs.source_mask) at.expect("source_mask", pairs.source_mask, f32, {pairs.source.dim(0), batch});
  at.expect("target_out", pairs.target_out, i32, {"target_time", batch});
  const std::int64_t time = pairs.target_out.dim(0);
  at.expect("target_mask", pairs.target_mask, f32, {time, batch});
  if (config.mode != DecoderMode::basic && config.feedback == Feedback::token)
    at.expect("target_in", pairs.target_in, i32, {time, batch});
}

/// A step that reads an embedded token and leaves its own likeliest one in the state "token".
Step step_on_token(const SequenceDecoder& decoder, Value embedded, const State& state) {
  Step step = decoder(embedded, state);
  step.state.set("token", decoder.likeliest(step.output));
  return step;
}

/// The decoder's outputs f32[time, batch, width] when fed the previous targets.
Value taught_outputs(const SequenceDecoder& decoder, const EncodedSource& encoded, const PairValues& pairs,
                     float drop_rate, Value key) {
  Value x = iota(pairs.target_out.graph(), pairs.target_out.dim(0));
  const bool fed = decoder.reads_tokens();
  if (fed) x = decoder.embed(pairs.target_in);
  if (fed && key && drop_rate > 0) x = dropout(x, drop_rate, key);
  const auto step = [&](Value previous, const State& state) { return decoder(fed ? previous : Value(), state); };
  return scan(step, x, encoded.initial, {.mask = pairs.target_mask}).output;
}

/// The same when fed its own choices with chance `own_share`.
Value sampled_outputs(const SequenceDecoder& decoder, const EncodedSource& encoded, const PairValues& pairs,
                      Value own_share, float drop_rate, Value key) {
  State initial = encoded.initial;
  initial.set("token", at(pairs.target_in, 0));
  const std::int64_t batch = pairs.target_in.dim(1);
  const auto step = [&](std::span<const Value> target_and_step, const State& state) {
    const Value step_key = fold_key(key, target_and_step[1]);
    const Value own = less(random_uniform(step_key, {batch}), own_share);
    Value x = decoder.embed(where(own, state["token"], target_and_step[0]));
    if (drop_rate > 0) x = dropout(x, drop_rate, step_key);
    return step_on_token(decoder, x, state);
  };
  const Value steps = iota(pairs.target_in.graph(), pairs.target_in.dim(0));
  return scan(step, std::vector<Value>{pairs.target_in, steps}, initial, {.mask = pairs.target_mask}).output;
}

}  // namespace

Value sequence_loss(ParameterStore& store, const SequenceToSequenceConfig& config, const PairValues& pairs, Mode mode,
                    Value own_share, SourceLocation where) {
  const BuilderScope at("sequence_loss", "source", pairs.source, where);
  check_pairs(at, config, pairs);
  if (own_share) at.expect("own_share", own_share, f32, {});
  at.expect_rate("dropout", config.dropout);
  at.check(config.softmax_samples >= 0, "softmax_samples is {}, expected 0 or more", config.softmax_samples);
  Graph& graph = at.graph();
  const bool training = mode == Mode::train;
  const EncodedSource encoded = encode_source(store, config, pairs.source, pairs.source_mask, mode);
  const SequenceDecoder decoder(graph, store, config, encoded);
  const bool sampling = training && own_share && decoder.reads_tokens();
  const bool random = training && (config.dropout > 0 || config.softmax_samples > 0 || sampling);
  const Value key = random ? random_key(graph, store) : Value();
  Value outputs = sampling ? sampled_outputs(decoder, encoded, pairs, own_share, config.dropout, key)
                           : taught_outputs(decoder, encoded, pairs, config.dropout, key);
  if (key && config.dropout > 0) outputs = dropout(outputs, config.dropout, key);
  return softmax_loss(outputs, decoder.softmax_table(), decoder.softmax_bias(), pairs.target_out, pairs.target_mask,
                      training ? config.softmax_samples : 0, key);
}

GreedySequence greedy_sequence(ParameterStore& store, const SequenceToSequenceConfig& config, Value source, Value mask,
                               std::int64_t steps, std::int32_t go, SourceLocation where) {
  const BuilderScope at("greedy_sequence", "source", source, where);
  at.check(steps > 0, "a sequence of {} steps cannot be decoded", steps);
  at.expect("source", source, i32, {"source_time", "batch"});
  if (mask) at.expect("mask", mask, f32, {source.dim(0), source.dim(1)});
  Graph& graph = at.graph();
  const EncodedSource encoded = encode_source(store, config, source, mask, Mode::infer);
  const SequenceDecoder decoder(graph, store, config, encoded);
  State initial = encoded.initial;
  initial.set("token", full(graph, {i32, {source.dim(1)}}, go));
  const auto step = [&](Value, const State& state) {
    return step_on_token(decoder, decoder.embed(state["token"]), state);
  };
  const ScanResult result = scan(step, iota(graph, steps), initial);
  GreedySequence sequence{.tokens = result.states["token"], .attention = {}};
  if (result.outputs.contains("attention")) sequence.attention = result.outputs["attention"];
  return sequence;
}

}  // namespace eddy
