// SPDX-License-Identifier: Apache-2.0
// Whole training steps: forward, backward, clip by global norm, Adam; full softmax. The FMA peak is measured between
// the steps, so that both see the same machine.
#include "eddy/core/random.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/variable.h"
#include "eddy/models/language_model.h"
#include "eddy/models/sequence_autoencoder.h"
#include "eddy/optimizers/minimize.h"
#include "eddy/optimizers/rules.h"
#include "support.h"

namespace eddy::bench {
namespace {

struct Step {
  const char* name;
  bool autoencoder;
  std::int64_t vocabulary, time, batch, embedding, hidden;
};

const std::vector<Step> kSteps = {
    {"lm_small", false, 10000, 50, 32, 128, 256},   {"lm_medium", false, 10000, 100, 32, 256, 512},
    {"lm_paper", false, 10000, 100, 64, 512, 1024}, {"sa_small", true, 10000, 50, 32, 128, 256},
    {"sa_medium", true, 10000, 100, 32, 256, 512},
};

/// Flops of the matrix products of one step: three for each multiply-add of the forward pass.
double step_flops(const Step& s) {
  const double positions = static_cast<double>(s.time * s.batch);
  const double layer = static_cast<double>(4 * s.hidden * (s.embedding + s.hidden));
  const double softmax = static_cast<double>(s.hidden * s.vocabulary);
  return 6 * positions * (layer * (s.autoencoder ? 2 : 1) + softmax);
}

Tensor tokens(const Step& s, std::uint64_t stream) {
  Tensor tensor(i32, {s.time, s.batch});
  Philox random(1, stream);
  for (std::int32_t& token : tensor.values<std::int32_t>())
    token = static_cast<std::int32_t>(uniform_index(random, static_cast<std::uint64_t>(s.vocabulary)));
  return tensor;
}

void run_step(benchmark::State& state, const Step& s) {
  TextModelConfig config;
  config.vocabulary_size = s.vocabulary;
  config.embedding_size = s.embedding;
  config.encoder.hidden_size = s.hidden;
  ParameterStore store(1);
  Graph graph;
  const Value in = graph.input("tokens", i32, {s.time, s.batch});
  const Value mask = graph.input("mask", f32, {s.time, s.batch});
  Value loss;
  if (s.autoencoder) {
    loss = sequence_autoencoder(store, config, in, mask, Mode::train);
  } else {
    const Value targets = graph.input("targets", i32, {s.time, s.batch});
    loss = language_model(store, config, in, mask, targets, mask, Mode::train).loss;
  }
  Program program = compile(graph, {loss, minimize(loss, store, adam({.learning_rate = 1e-3, .clip_norm = 1}))});
  Tensor ones(f32, {s.time, s.batch});
  for (float& x : ones.values<float>()) x = 1;
  const std::vector<Binding> all{{"tokens", tokens(s, 1)}, {"mask", ones}, {"targets", tokens(s, 2)}};
  const std::span<const Binding> bindings(all.data(), s.autoencoder ? 2 : 3);
  const float first = program.run(bindings)[0].item();
  std::vector<double> times, peaks;
  for (auto _ : state) {
    const double start = seconds_now();
    program.run(bindings);
    times.push_back(seconds_now() - start);
    state.SetIterationTime(times.back());
    peaks.push_back(fma_peak());
  }
  // The same batch again and again: a step that learns lowers its loss.
  const float last = program.run(bindings)[0].item();
  if (!(last < first)) {
    state.SkipWithError(fmt::format("the loss went from {} to {}", first, last).c_str());
    return;
  }
  const double seconds = median(times), flops = step_flops(s);
  state.counters["tokens/s"] = static_cast<double>(s.time * s.batch) / seconds;
  state.counters["GFLOP/s"] = flops / seconds * 1e-9;
  state.counters["%peak"] = 100 * flops / seconds / median(peaks);
  state.counters["arena_MB"] = static_cast<double>(program.memory_plan().arena_bytes) * 1e-6;
}

}  // namespace

void register_steps() {
  for (const Step& s : kSteps)
    benchmark::RegisterBenchmark((std::string("step/") + s.name).c_str(),
                                 [&s](benchmark::State& state) { run_step(state, s); })
        ->Unit(benchmark::kMillisecond)
        ->UseManualTime();
}

}  // namespace eddy::bench
