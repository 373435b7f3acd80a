// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <set>

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

/// Compiles so that something is left to time: ops without inputs are otherwise folded away.
Program compile_to_time(const Setup& setup) {
  Program program = compile(setup.graph, setup.results);
  return program.instruction_count() > 0 ? std::move(program)
                                         : compile(setup.graph, setup.results, {.passes = {.fold = false}});
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
  Program program = compile_to_time(setup);
  const std::string wrong =
      mismatch(program.run(setup.bindings), plain_results(setup.graph, setup.results, setup.bindings),
               20 * op_case.value_tolerance);
  if (!wrong.empty()) return refuse(state, "differs from plain execution: " + wrong);
  measure(state, program.cost(), [&] { program.run(setup.bindings); });
}

/// Whether a gradient reaches some input. Building the graph needs no tensors, so this is cheap. Throws GraphError when
/// the op does not take these shapes.
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

/// Registers the case at its bench_inputs. Throws GraphError when the op does not take them.
void register_case(const OpCase& op_case) {
  const bool differentiable = has_gradient(op_case);
  const auto kept = std::make_shared<const OpCase>(op_case);
  for (const bool backward : {false, true}) {
    if (backward && !differentiable) continue;
    const std::string name =
        fmt::format("op/{}/{}/{}", op_case.name, backward ? "training" : "forward", types_text(op_case.bench_inputs));
    benchmark::RegisterBenchmark(name.c_str(),
                                 [kept, backward](benchmark::State& state) { run_case(state, *kept, backward); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

std::string op_of(const OpCase& op_case) { return op_case.name.substr(0, op_case.name.find('/')); }

/// The case of that name, else the cases of that op which have a benchmark.
std::vector<const OpCase*> cases_named(const std::string& name) {
  std::vector<const OpCase*> found;
  std::set<std::string> ops;
  std::vector<std::string> of_op;
  for (const OpCase& op_case : op_cases()) {
    if (op_case.name == name) return {&op_case};
    ops.insert(op_of(op_case));
    if (op_of(op_case) == name.substr(0, name.find('/'))) of_op.push_back(op_case.name);
    if (op_of(op_case) == name && !op_case.bench_inputs.empty()) found.push_back(&op_case);
  }
  require<UsageError>(!found.empty() || of_op.empty(), "there is no case '{}'; the cases of this op are: {}", name,
                      fmt::join(of_op, ", "));
  require<UsageError>(!found.empty(), "there is no op or case '{}'; the ops are: {}; --list-ops lists their cases",
                      name, fmt::join(ops, ", "));
  return found;
}

/// The case at other shapes. Throws UsageError or GraphError when it does not take them.
OpCase at_shapes(const OpCase& op_case, const std::string& shapes) {
  OpCase result = op_case;
  if (!shapes.empty())
    result.bench_inputs = inputs_at(op_case, parse_types(shapes));
  else if (op_case.bench_inputs.empty())
    result.bench_inputs = op_case.inputs;
  return result;
}

}  // namespace

void register_op_benchmarks() {
  for (const OpCase& op_case : op_cases())
    if (!op_case.bench_inputs.empty()) register_case(op_case);
}

void register_op_benchmarks(const std::string& name, const std::vector<std::string>& shapes) {
  const std::vector<const OpCase*> cases = cases_named(name);
  for (const std::string& text : shapes.empty() ? std::vector<std::string>{""} : shapes) {
    if (!text.empty()) parse_types(text);
    std::vector<std::string> refusals;
    for (const OpCase* op_case : cases) {
      try {
        register_case(at_shapes(*op_case, text));
      } catch (const Error& error) {
        refusals.push_back(fmt::format("{}, timed at {}: {}", op_case->name,
                                       types_text(at_shapes(*op_case, {}).bench_inputs), error.what()));
      }
    }
    // A shape need not suit every case of an op, but it must suit one.
    require<UsageError>(refusals.size() < cases.size(), "--op {} does not take the shapes {}:\n  {}", name, text,
                        fmt::join(refusals, "\n  "));
  }
}

std::string op_case_list() {
  std::string list;
  for (const OpCase& op_case : op_cases())
    list += fmt::format("{:40} {}{}\n", op_case.name, types_text(op_case.inputs),
                        op_case.bench_inputs.empty() ? "" : "  timed at " + types_text(op_case.bench_inputs));
  return list;
}

}  // namespace eddy::bench
