// SPDX-License-Identifier: Apache-2.0
// Every registered op case that has bench_inputs: forward, and forward with the gradients of all its inputs.
#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/sum.h"
#include "support.h"

namespace eddy::bench {
namespace {

/// The case as a graph: its outputs, and for training the gradients of a weighted sum of them.
struct CaseGraph {
  CaseGraph(const OpCase& op_case, bool training) {
    Philox random(1);
    std::vector<Value> inputs, wrt;
    for (std::size_t i = 0; i < op_case.bench_inputs.size(); ++i) {
      const CaseInput& input = op_case.bench_inputs[i];
      names.push_back(fmt::format("input{}", i));
      tensors.push_back(case_tensor(input, random));
      inputs.push_back(graph.input(names.back(), input.type.dtype, input.type.shape));
      if (input.type.dtype == f32 && input.differentiable) wrt.push_back(inputs.back());
    }
    results = op_case.build(graph, inputs);
    if (!training) return;
    Value loss;
    for (const Value& output : results) {
      if (output.dtype() != f32) continue;
      const Value part = sum(output);
      loss = loss ? add_n({loss, part}) : part;
    }
    for (const Gradient& gradient : gradients(loss, wrt))
      if (gradient.is_dense()) results.push_back(gradient.dense_part());
  }

  std::vector<Binding> bindings() const {
    std::vector<Binding> list;
    for (std::size_t i = 0; i < names.size(); ++i) list.push_back({names[i], tensors[i]});
    return list;
  }

  Graph graph;
  std::vector<std::string> names;
  std::vector<Tensor> tensors;
  std::vector<Value> results;
};

void run_case(benchmark::State& state, const OpCase& op_case, bool training) {
  CaseGraph built(op_case, training);
  Program program = compile(built.graph, built.results), plain = compile(built.graph, built.results, plain_options());
  const std::vector<Binding> bindings = built.bindings();
  if (!same_results(state, program, plain, bindings)) return;
  std::vector<double> times;
  for (auto _ : state) {
    const double start = seconds_now();
    program.run(bindings);
    times.push_back(seconds_now() - start);
  }
  const Cost cost = program.cost();
  set_rates(state, median(std::move(times)), cost.flops, cost.bytes);
}

bool differentiable(const OpCase& op_case) {
  try {
    const CaseGraph built(op_case, true);
    return built.results.size() > 0;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void register_ops() {
  for (const OpCase& op_case : op_cases()) {
    if (op_case.bench_inputs.empty()) continue;
    const auto add = [&](const char* kind, bool training) {
      benchmark::RegisterBenchmark(
          ("op/" + op_case.name + kind).c_str(),
          [&op_case, training](benchmark::State& state) { run_case(state, op_case, training); })
          ->Unit(benchmark::kMicrosecond)
          ->UseRealTime();
    };
    add("/forward", false);
    if (differentiable(op_case)) add("/training", true);
  }
}

}  // namespace eddy::bench
