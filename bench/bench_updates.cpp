// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "bench/benchmarks.h"
#include "bench/measure.h"
#include "eddy/core/random.h"
#include "eddy/graph/builtin.h"
#include "eddy/ops/op_case.h"
#include "eddy/optimizers/caught_up_rows.h"
#include "eddy/optimizers/minimize.h"
#include "eddy/optimizers/moving_average.h"

namespace eddy::bench {
namespace {

constexpr std::int64_t kRows = 4096, kWidth = 2048;                           // as the weights of an LSTM of 1,024
constexpr std::int64_t kVocabulary = 100'000, kEmbedding = 512, kIds = 3200;  // 100 steps of a batch of 32
constexpr int kBatches = 4;                                                   // other ids in turn
constexpr int kStepsBefore = 10'000;  // early steps bring rows up to date in another way

enum class GradientForm : std::uint8_t { dense, rows };

struct UpdateCase {
  std::string name;
  Optimizer optimizer;
  GradientForm form = GradientForm::dense;
  bool average = false;
};

std::vector<UpdateCase> update_cases() {
  return {{"sgd", sgd()},
          {"momentum", momentum()},
          {"rmsprop", rmsprop()},
          {"adagrad", adagrad()},
          {"adam", adam()},
          {"adam_clipped", adam({.clip_norm = 1})},
          {"adam_averaged", adam(), GradientForm::dense, true},
          {"adamw", adamw()},
          {"adam_catch_up_rows", adam({}, {.catch_up_rows = true}), GradientForm::rows},
          {"adam_lazy_rows", adam({}, {.lazy_rows = true}), GradientForm::rows}};
}

/// One parameter in the middle of its training, a gradient from outside, and what a step of the optimizer yields.
struct Step {
  ParameterStore store{1};
  Graph graph;
  std::vector<Value> results;
  std::vector<std::vector<Binding>> batches;

  explicit Step(const UpdateCase& update) {
    const bool dense = update.form == GradientForm::dense;
    state(graph, store, "optimizer/step", {i32, {}},
          [](const Tensor& value, Philox&) { value.values<std::int32_t>()[0] = kStepsBefore; });
    batches.resize(dense ? 1 : kBatches);
    const Shape shape = dense ? Shape{kRows, kWidth} : Shape{kVocabulary, kEmbedding};
    const Value weights = parameter(graph, store, "weights", shape, uniform(0.1F));
    Gradient gradient;
    if (dense) {
      gradient = input("gradient", {.type = {f32, shape}});
    } else {
      const Value ids = input("ids", {.type = {i32, {kIds}}, .low = 0, .high = kVocabulary});
      gradient = RowSparse{ids, input("gradient", {.type = {f32, {kIds, kEmbedding}}})};
    }
    const ParameterGradient pair{weights, gradient};
    const Updates updates = apply_gradients(std::span(&pair, 1), store, update.optimizer);
    results = {updates.step};
    if (update.average) results.push_back(exponential_moving_average(updates, store, 0.999));
  }

  /// The weights after some steps, up to date.
  Tensor weights(const Optimizer& optimizer) const {
    const CurrentRows current(store, optimizer);
    return store.find("weights")->value.clone();
  }

 private:
  Value input(const char* name, const CaseInput& values) {
    Philox random(2, stable_hash(name));
    for (std::vector<Binding>& batch : batches) batch.push_back({name, case_tensor(values, random)});
    return graph.input(name, values.type.dtype, values.type.shape);
  }
};

void run_update(benchmark::State& state, const UpdateCase& update) {
  Step step(update), same(update);
  Program program = compile(step.graph, step.results);
  std::size_t batch = 0;
  const auto run = [&] { program.run(step.batches[batch++ % step.batches.size()]); };
  for (int i = 0; i < kBatches; ++i) {
    run();
    plain_results(same.graph, same.results, same.batches[static_cast<std::size_t>(i) % same.batches.size()]);
  }
  const Tensor got = step.weights(update.optimizer), expected = same.weights(update.optimizer);
  const std::string wrong = mismatch(std::span(&got, 1), std::span(&expected, 1), 1e-6);
  if (!wrong.empty()) return refuse(state, "differs from plain execution: " + wrong);
  measure(state, program.cost(), run);
}

}  // namespace

void register_update_benchmarks() {
  for (const UpdateCase& update : update_cases())
    benchmark::RegisterBenchmark(fmt::format("update/{}", update.name).c_str(),
                                 [update](benchmark::State& state) { run_update(state, update); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
}

}  // namespace eddy::bench
