// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "bench/benchmarks.h"
#include "bench/measure.h"
#include "eddy/core/random.h"
#include "eddy/graph/variable.h"
#include "eddy/models/language_model.h"
#include "eddy/models/sequence_autoencoder.h"
#include "eddy/optimizers/minimize.h"

namespace eddy::bench {
namespace {

enum class Model { language_model, autoencoder };

struct Workload {
  const char* name;
  Model model;
  std::int64_t vocabulary, time, batch, embedding, hidden;
};

constexpr Workload kWorkloads[] = {
    {"lm_small", Model::language_model, 10000, 50, 32, 128, 256},
    {"lm_medium", Model::language_model, 10000, 100, 32, 256, 512},
    {"lm_paper", Model::language_model, 10000, 100, 64, 512, 1024},
    {"sa_small", Model::autoencoder, 10000, 50, 32, 128, 256},
    {"sa_medium", Model::autoencoder, 10000, 100, 32, 256, 512},
};

/// Forward, backward, clip by global norm, Adam, in one program, with its own store.
struct TrainingStep {
  Graph graph;
  ParameterStore store{1};
  std::vector<Value> results;

  explicit TrainingStep(const Workload& w) {
    const TextModelConfig config{
        .vocabulary_size = w.vocabulary, .embedding_size = w.embedding, .encoder = {.hidden_size = w.hidden}};
    const Value tokens = graph.input("tokens", i32, {w.time, w.batch});
    const Value mask = graph.input("mask", f32, {w.time, w.batch});
    Value loss;
    if (w.model == Model::language_model) {
      const auto [targets, weights] = next_token_targets(config, tokens, mask);
      loss = language_model(store, config, tokens, mask, targets, weights, Mode::train).loss;
    } else {
      loss = sequence_autoencoder(store, config, tokens, mask, Mode::train);
    }
    results = {loss, minimize(loss, store, adam({.learning_rate = 1e-3, .clip_norm = 5}))};
  }
};

/// Random words; every sequence has full length and ends with <eos>, as the tables of the peers have it.
std::vector<Binding> random_batch(const Workload& w) {
  Philox random(11);
  const Tensor tokens(i32, {w.time, w.batch});
  for (std::int32_t& token : tokens.values<std::int32_t>())
    token = 2 + static_cast<std::int32_t>(uniform_index(random, static_cast<std::uint64_t>(w.vocabulary - 2)));
  std::fill_n(tokens.values<std::int32_t>().end() - w.batch, w.batch, TextModelConfig{}.end_of_sequence);
  const Tensor mask(f32, {w.time, w.batch});
  std::ranges::fill(mask.values<float>(), 1.0F);
  return {{"tokens", tokens}, {"mask", mask}};
}

void run_workload(benchmark::State& state, const Workload& workload) {
  const std::vector<Binding> batch = random_batch(workload);
  TrainingStep step(workload);
  Program program = compile(step.graph, step.results);
  const double first = program.run(batch)[0].item();
  {
    // The same step from the same weights, executed plainly.
    TrainingStep same(workload);
    const double plain = plain_results(same.graph, same.results, batch)[0].item();
    const double uniform = std::log(static_cast<double>(workload.vocabulary));
    if (!(std::abs(first - plain) <= 1e-4 * uniform) || !(std::abs(first - uniform) < 0.5))
      return state.SkipWithError(
          fmt::format("the first loss is {}, plainly {}, for random words {}", first, plain, uniform).c_str());
  }
  float loss = 0;
  const double seconds = measure(state, program.cost(), [&] { loss = program.run(batch)[0].item(); });
  if (!(loss < first)) return state.SkipWithError(fmt::format("the loss went from {} to {}", first, loss).c_str());
  const auto tokens = static_cast<double>(workload.time * workload.batch);
  state.counters["tokens/s"] = tokens / seconds;
  state.counters["Mflop/token"] = program.cost().flops / tokens * 1e-6;
  state.counters["arena_MiB"] = static_cast<double>(program.memory_plan().arena_bytes) / (1 << 20);
  state.counters["loss"] = loss;
}

}  // namespace

void register_step_benchmarks() {
  for (const Workload& workload : kWorkloads)
    benchmark::RegisterBenchmark(fmt::format("step/{}", workload.name).c_str(),
                                 [&workload](benchmark::State& state) { run_workload(state, workload); })
        ->UseManualTime()
        ->MinTime(1.0)
        ->Unit(benchmark::kMillisecond);
}

}  // namespace eddy::bench
