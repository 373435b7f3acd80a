// SPDX-License-Identifier: Apache-2.0
// Every op of the library runs in some op case, forward or backward. The names are read from the sources when the build
// is configured, so that a new op without a case fails here.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "eddy/core/error.h"
#include "eddy/graph/passes.h"
#include "eddy/graph/program.h"
#include "tests/ops/case_program.h"

namespace eddy::test {
namespace {

constexpr std::string_view kOpNames[] = {
#include "tests/ops/op_names.inc"
};

/// Leaves never run; the others change variables, which cases do not have, or are what compilation makes of long
/// layers, and have tests of their own.
const std::set<std::string_view> kNotInCases{"input",          "constant",       "variable",     "assign",
                                             "advance_random", "lstm_inference", "gru_inference"};

CaseData data_of(const OpCase& op_case) { return checks::random_data(op_case, 1); }

TEST_CASE("op list: every op of the library runs in some op case") {
  std::set<std::string> seen;
  const auto add = [&](const Graph& graph) {
    for (int id = 0; id < graph.size(); ++id) seen.emplace(graph.node(id).op->name());
  };
  for (const OpCase& op_case : op_cases()) {
    const CaseGraph built = build_graph(op_case, data_of(op_case));
    add(*built.graph);
    if (!built.differentiable() || !op_case.second_order) continue;
    std::vector<Value> first;
    std::vector<Tensor> weights;
    checks::second_gradients(built, 1, first, weights);
    add(*built.graph);
    // Some ops appear only when the clean-up folds others into them.
    add(*simplify(extract(*built.graph, built.results(), true)).graph);
  }
  CHECK(std::size(kOpNames) > 40);
  for (const std::string_view name : kOpNames) {
    if (kNotInCases.contains(name)) continue;
    INFO("op ", std::string(name), " is in no op case");
    CHECK(seen.contains(std::string(name)));
  }
}

TEST_CASE("op list: every op has a benchmark at a size models use") {
  // Its work is the same whatever the shapes.
  const std::set<std::string> small{"fold_key"};
  std::map<std::string, std::int64_t> elements;
  for (const OpCase& op_case : op_cases()) {
    std::int64_t& most = elements[op_case.name.substr(0, op_case.name.find('/'))];
    for (const CaseInput& input : op_case.bench_inputs) most = std::max(most, input.type.shape.elements());
  }
  for (const std::pair<const std::string, std::int64_t>& op : elements) {
    INFO("op ", op.first, ": ", op.second, " elements in the largest input of a benchmark");
    CHECK(op.second >= (small.contains(op.first) ? 1 : 256));
  }
}

TEST_CASE("op list: the shapes of a benchmark fit its builder, and so do its inputs at these shapes") {
  for (const OpCase& op_case : op_cases()) {
    if (op_case.bench_inputs.empty()) continue;
    INFO("op case ", op_case.name);
    std::vector<TensorType> types;
    for (const CaseInput& input : op_case.bench_inputs) types.push_back(input.type);
    const std::vector<CaseInput> again = inputs_at(op_case, types);
    REQUIRE(again.size() == op_case.bench_inputs.size());
    Graph graph;
    std::vector<Value> inputs;
    for (std::size_t i = 0; i < again.size(); ++i) {
      CHECK(again[i].high == op_case.bench_inputs[i].high);
      inputs.push_back(graph.input("x" + std::to_string(i), types[i].dtype, types[i].shape));
    }
    CHECK_NOTHROW(op_case.build(graph, inputs));
  }
}

TEST_CASE("op list: lists of types are read as they are printed, and what is wrong is said") {
  for (const char* text : {"f32[3200,512],i32[3200]", "bool[7]", "f32[]", "i32[],f32[1,2,3,4,5,6,7,8]"}) {
    std::vector<CaseInput> inputs;
    for (const TensorType& type : parse_types(text)) inputs.push_back({type});
    CHECK(types_text(inputs) == text);
  }
  for (const char* text : {"", "f32", "f64[3]", "f32[3", "f32[3,]", "f32[,3]", "f32[0]", "f32[-1]", "f32[x]", "f32[3]]",
                           "f32[3],", "f32[3]i32[3]", "f32[3 ]", "f32[99999999999999999999]",
                           "f32[4000000000,4000000000,4000000000]", "f32[1,1,1,1,1,1,1,1,1]"}) {
    INFO(text);
    CHECK_THROWS_WITH_AS(parse_types(text), doctest::Contains("f32[3200,512],i32[3200]"), UsageError);
  }
}

TEST_CASE("op list: inputs of a case at other shapes keep their ranges, indices follow the table") {
  const OpCase op_case{.name = "lookup",
                       .inputs = {{{f32, {5, 3}}, -1, 1}, {.type = {i32, {2}}, .values = {4, 0}}},
                       .bench_inputs = {{{f32, {100, 8}}, -1, 1},
                                        {.type = {i32, {7}}, .low = -1, .high = 100, .index_of = CaseAxis{0, 0}}}};
  const std::vector<CaseInput> inputs = inputs_at(op_case, parse_types("f32[20,4],i32[3,3]"));
  CHECK(inputs[0].high == 1);
  CHECK(inputs[1].low == -1);
  CHECK(inputs[1].high == 20);
  CHECK(inputs[1].type == TensorType{i32, {3, 3}});
  CHECK_THROWS_WITH_AS(inputs_at(op_case, parse_types("f32[20,4]")), doctest::Contains("f32[100,8],i32[7]"),
                       UsageError);
  CHECK_THROWS_WITH_AS(inputs_at(op_case, parse_types("f32[20,4],f32[3]")), doctest::Contains("lookup"), UsageError);
  OpCase fixed = op_case;
  fixed.bench_inputs.clear();
  CHECK(inputs_at(fixed, parse_types("f32[5,3],i32[5]"))[1].values == std::vector<double>{4, 0, 4, 0, 4});
}

}  // namespace
}  // namespace eddy::test
