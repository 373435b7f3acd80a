// SPDX-License-Identifier: Apache-2.0
// Every op of the library runs in some op case, forward or backward. The names are read from the sources when the build
// is configured, so that a new op without a case fails here.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>

#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "tests/ops/case_program.h"
#include "tests/support/probe_ops.h"

namespace eddy::test {
namespace {

constexpr std::string_view kOpNames[] = {
#include "tests/ops/op_names.inc"
};

/// Leaves never run; the others change variables, which cases do not have, and have tests of their own.
const std::set<std::string_view> kNotInCases{"input", "constant", "variable", "assign", "advance_random"};

TEST_CASE("op list: every op of the library runs in some op case") {
  std::set<std::string> seen;
  const auto add = [&](const Graph& graph) {
    for (int id = 0; id < graph.size(); ++id) seen.emplace(graph.node(id).op->name());
  };
  for (const OpCase& op_case : op_cases()) {
    const CaseGraph built = build_graph(op_case, make_data(op_case, 1));
    add(*built.graph);
    if (!built.loss || !op_case.second_order) continue;
    Graph& graph = *built.graph;
    std::vector<Value> terms;
    for (std::size_t i = 0; i < built.wrt.size(); ++i) {
      if (built.gradients[i].empty()) continue;
      const Value like = built.inputs[static_cast<std::size_t>(built.wrt[i])];
      terms.push_back(weighted_sum(built.gradients[i].dense(like), full(graph, like.type(), 0.5F)));
    }
    if (!terms.empty()) dense_gradients(add_n(terms), built.wrt_values());
    add(graph);
    // Some ops appear only when the clean-up folds others into them.
    add(*simplify(extract(graph, built.results(), true)).graph);
  }
  CHECK(std::size(kOpNames) > 40);
  for (const std::string_view name : kOpNames) {
    if (kNotInCases.contains(name)) continue;
    INFO("op ", std::string(name), " is in no op case");
    CHECK(seen.contains(std::string(name)));
  }
}

TEST_CASE("op list: the name of a case begins with that of a builder or an op, and benchmarks exist for the hot ones") {
  std::set<std::string> benched;
  for (const OpCase& op_case : op_cases())
    if (!op_case.bench_inputs.empty()) benched.insert(op_case.name.substr(0, op_case.name.find('/')));
  for (const char* name : {"tanh", "sigmoid", "add", "mul", "softmax", "log_softmax", "matmul", "linear", "sum", "mean",
                           "cross_entropy", "layer_norm"}) {
    INFO("no benchmark for ", std::string(name));
    CHECK(benched.contains(name));
  }
}

}  // namespace
}  // namespace eddy::test
