// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "bench/benchmarks.h"
#include "bench/measure.h"
#include "eddy/core/random.h"
#include "eddy/graph/builtin.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/sum.h"

namespace eddy::bench {
namespace {

struct Setup {
  Graph graph;
  std::vector<Value> inputs;
  std::vector<Value> results;
  std::vector<std::string> names;
  std::vector<Binding> bindings;
};

/// Adds the gradients of sum(weights * outputs) to the results. The sum itself is no result, so pruning leaves only
/// what the backward pass reads.
void add_gradients(const OpCase& op_case, Setup& setup, Philox& random) {
  std::vector<Value> wrt;
  for (std::size_t i = 0; i < setup.inputs.size(); ++i)
    if (setup.inputs[i].dtype() == f32 && op_case.bench_inputs[i].differentiable) wrt.push_back(setup.inputs[i]);
  std::vector<Value> terms;
  for (const Value& output : setup.results) {
    if (output.dtype() != f32) continue;
    const Tensor weights = case_tensor({.type = output.type()}, random);
    terms.push_back(sum(output * setup.graph.constant(weights)));
  }
  if (terms.empty() || wrt.empty()) return;
  const std::vector<Gradient> found = gradients(add_n(terms), wrt);
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    if (found[i].is_dense()) setup.results.push_back(found[i].dense_part());
    if (found[i].is_sparse())
      for (const RowSparse& part : found[i].sparse_parts()) setup.results.push_back(part.rows);
  }
}

void run_case(benchmark::State& state, const OpCase& op_case, bool backward) {
  Philox random(1, stable_hash(op_case.name));
  Setup setup;
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < op_case.bench_inputs.size(); ++i) {
    tensors.push_back(case_tensor(op_case.bench_inputs[i], random));
    setup.names.push_back("input" + std::to_string(i));
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    setup.inputs.push_back(setup.graph.input(setup.names[i], tensors[i].dtype(), tensors[i].shape()));
    setup.bindings.push_back({setup.names[i], tensors[i]});
  }
  setup.results = op_case.build(setup.graph, setup.inputs);
  if (backward) add_gradients(op_case, setup, random);
  Program program = compile(setup.graph, setup.results);
  const std::string wrong =
      mismatch(program.run(setup.bindings), plain_results(setup.graph, setup.results, setup.bindings),
               20 * op_case.value_tolerance);
  if (!wrong.empty()) return state.SkipWithError(("differs from plain execution: " + wrong).c_str());
  measure(state, program.cost(), [&] { program.run(setup.bindings); });
}

/// Whether a gradient reaches some input. Building the graph needs no tensors, so this is cheap.
bool has_gradient(const OpCase& op_case) {
  Graph graph;
  std::vector<Value> inputs;
  std::vector<Value> wrt;
  for (const CaseInput& input : op_case.bench_inputs) {
    inputs.push_back(graph.input("input" + std::to_string(inputs.size()), input.type.dtype, input.type.shape));
    if (input.type.dtype == f32 && input.differentiable) wrt.push_back(inputs.back());
  }
  std::vector<Value> terms;
  for (const Value& output : op_case.build(graph, inputs))
    if (output.dtype() == f32) terms.push_back(sum(output));
  if (terms.empty()) return false;
  try {
    return std::ranges::any_of(gradients(add_n(terms), wrt), [](const Gradient& g) { return !g.empty(); });
  } catch (const GraphError&) {
    return false;
  }
}

}  // namespace

void register_op_benchmarks() {
  for (const OpCase& op_case : op_cases()) {
    if (op_case.bench_inputs.empty()) continue;
    std::string shapes;
    for (const CaseInput& input : op_case.bench_inputs) shapes += (shapes.empty() ? "" : ",") + to_string(input.type);
    for (const bool backward : {false, true}) {
      if (backward && !has_gradient(op_case)) continue;
      const std::string name = fmt::format("op/{}/{}/{}", op_case.name, backward ? "training" : "forward", shapes);
      benchmark::RegisterBenchmark(
          name.c_str(), [&op_case, backward](benchmark::State& state) { run_case(state, op_case, backward); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace eddy::bench
