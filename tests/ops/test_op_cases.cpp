// SPDX-License-Identifier: Apache-2.0
// Every registered op case goes through every test here. EDDY_OP_CASE=<part of a name> picks some.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <set>

#include "eddy/core/threads.h"
#include "eddy/graph/builtin.h"
#include "tests/ops/case_program.h"
#include "tests/support/arrays.h"
#include "tests/support/finite_differences.h"
#include "tests/support/probe_ops.h"

namespace eddy::test {
namespace {

constexpr std::uint64_t kSeed = 7;

/// Calls `check` on each case; an exception fails the case, not the run.
template <class Check>
void for_each_case(Check&& check) {
  const char* wanted = std::getenv("EDDY_OP_CASE");
  for (const OpCase& op_case : op_cases()) {
    if (wanted != nullptr && op_case.name.find(wanted) == std::string::npos) continue;
    INFO("op case ", op_case.name);
    try {
      check(op_case);
    } catch (const std::exception& error) {
      FAIL_CHECK(std::string(error.what()));
    }
  }
}

std::vector<std::vector<double>> doubles(std::span<const Tensor> tensors) {
  std::vector<std::vector<double>> result;
  for (const Tensor& tensor : tensors) result.push_back(to_doubles(tensor));
  return result;
}

/// weights[i] * values[i], one by one; tensors without weights are left out.
std::vector<double> weighted_terms(std::span<const Tensor> values, std::span<const Tensor> weights) {
  std::vector<double> terms;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!weights[i]) continue;
    const auto v = values[i].values<const float>();
    const auto w = weights[i].values<const float>();
    for (std::size_t j = 0; j < v.size(); ++j) terms.push_back(static_cast<double>(v[j]) * static_cast<double>(w[j]));
  }
  return terms;
}

struct NamedOptions {
  std::string name;
  CompileOptions options;
  bool same_bits;
};

std::vector<NamedOptions> option_variants() {
  return {
      {"without pruning", {.passes = {.prune = false}}, true},
      {"without clean-up", {.passes = {.simplify = false}}, false},
      {"without folding", {.passes = {.fold = false}}, true},
      {"without CSE", {.passes = {.cse = false}}, true},
      {"without lowering", {.passes = {.lower = false}}, true},
      {"without fusion", {.passes = {.fuse = false}}, true},
      {"without any pass", {.passes = {false, false, false, false, false, false}}, false},
      {"without reuse of memory", {.reuse_memory = false}, true},
      {"without in-place kernels", {.in_place = false}, true},
  };
}

TEST_CASE("op cases: each has a unique name, a builder and something to compare with") {
  std::set<std::string> names;
  for (const OpCase& op_case : op_cases()) {
    INFO("op case ", op_case.name);
    CHECK(names.insert(op_case.name).second);
    CHECK(static_cast<bool>(op_case.build));
    CHECK((op_case.reference || !op_case.golden.empty()));
  }
}

TEST_CASE("op cases: values equal the reference") {
  for_each_case([](const OpCase& op_case) {
    const CaseData data = make_data(op_case, kSeed);
    const CaseGraph built = build_graph(op_case, data);
    Program program = compile(*built.graph, built.outputs);
    const std::vector<Tensor> got = run(program, data.inputs);
    std::vector<std::vector<double>> expected;
    if (op_case.golden.empty()) {
      expected = op_case.reference(doubles(data.inputs));
    } else {
      for (const GoldenArray& output : read_golden(op_case.golden).outputs) expected.push_back(output.values);
    }
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO("output ", i);
      CHECK(difference(to_doubles(got[i]), expected[i], op_case.value_tolerance) == "");
    }
  });
}

TEST_CASE("op cases: gradients equal finite differences") {
  for_each_case([](const OpCase& op_case) {
    const CaseData data = make_data(op_case, kSeed);
    const CaseGraph built = build_graph(op_case, data);
    if (!built.loss) return;
    for (std::size_t i = 0; i < built.wrt.size(); ++i) {
      INFO("input ", built.wrt[i], " gets no gradient");
      CHECK(!built.gradients[i].empty());
    }
    Program program = compile(*built.graph, built.results());
    const std::vector<Tensor> results = run(program, data.inputs);
    const std::size_t outputs = built.outputs.size();
    const auto gradients = doubles(std::span(results).subspan(outputs));
    Program forward = compile(*built.graph, built.outputs);
    const Terms terms = [&](std::span<const Tensor> inputs) {
      return weighted_terms(run(forward, inputs), data.weights);
    };
    CHECK(check_gradients(terms, data.inputs, built.wrt, gradients, op_case.gradient_tolerance, kSeed) == "");
  });
}

TEST_CASE("op cases: gradients equal the goldens") {
  for_each_case([](const OpCase& op_case) {
    if (op_case.golden.empty()) return;
    const Golden golden = read_golden(op_case.golden);
    const CaseData data = make_data(golden);
    const CaseGraph built = build_graph(op_case, data);
    if (!built.loss) return;
    Program program = compile(*built.graph, built.results());
    const std::vector<Tensor> results = run(program, data.inputs);
    for (std::size_t i = 0; i < built.wrt.size(); ++i) {
      INFO("input ", built.wrt[i]);
      const GoldenArray& expected = golden.gradients.at(static_cast<std::size_t>(built.wrt[i]));
      CHECK(difference(to_doubles(results[built.outputs.size() + i]), expected.values, op_case.value_tolerance) == "");
    }
  });
}

TEST_CASE("op cases: gradients of gradients equal finite differences") {
  for_each_case([](const OpCase& op_case) {
    if (!op_case.second_order) return;
    const CaseData data = make_data(op_case, kSeed);
    const CaseGraph built = build_graph(op_case, data);
    if (!built.loss) return;
    Graph& graph = *built.graph;
    Philox random(kSeed, 1);
    const std::vector<Value> wrt = built.wrt_values();
    std::vector<Value> first;
    std::vector<Value> terms;
    std::vector<Tensor> weights;
    for (std::size_t i = 0; i < wrt.size(); ++i) {
      if (built.gradients[i].empty()) continue;
      first.push_back(built.gradients[i].dense(wrt[i]));
      weights.push_back(random_tensor(wrt[i].type(), random));
      terms.push_back(weighted_sum(first.back(), graph.constant(weights.back())));
    }
    REQUIRE(!terms.empty());
    const std::vector<Value> second = dense_gradients(add_n(terms), wrt);
    Program program = compile(graph, second);
    Program gradient = compile(graph, first);
    const auto gradients = doubles(run(program, data.inputs));
    const Terms gradient_terms = [&](std::span<const Tensor> inputs) {
      return weighted_terms(run(gradient, inputs), weights);
    };
    CHECK(check_gradients(gradient_terms, data.inputs, built.wrt, gradients, 2 * op_case.gradient_tolerance, kSeed) ==
          "");
  });
}

TEST_CASE("op cases: the same bits run after run and program after program") {
  for_each_case([](const OpCase& op_case) {
    const CaseData data = make_data(op_case, kSeed);
    const CaseGraph built = build_graph(op_case, data);
    Program program = compile(*built.graph, built.results());
    const std::vector<Tensor> first = run(program, data.inputs);
    CHECK(bit_difference(run(program, data.inputs), first) == "");
    const CaseGraph again = build_graph(op_case, data);
    Program other = compile(*again.graph, again.results());
    CHECK(bit_difference(run(other, data.inputs), first) == "");
  });
}

TEST_CASE("op cases: passes, shared memory and in-place kernels change nothing") {
  for_each_case([](const OpCase& op_case) {
    const CaseData data = make_data(op_case, kSeed);
    for (const InputForm form : {InputForm::fed, InputForm::copied, InputForm::constant}) {
      const std::string how = form == InputForm::fed ? "fed" : form == InputForm::copied ? "copied" : "constant";
      INFO("inputs ", how);
      const CaseGraph built = build_graph(op_case, data, form);
      const auto bound = form == InputForm::constant ? std::span<const Tensor>() : std::span<const Tensor>(data.inputs);
      Program program = compile(*built.graph, built.results());
      const std::vector<Tensor> expected = run(program, bound);
      for (const NamedOptions& variant : option_variants()) {
        INFO(variant.name);
        Program other = compile(*built.graph, built.results(), variant.options);
        const std::vector<Tensor> got = run(other, bound);
        CHECK((variant.same_bits ? bit_difference(got, expected)
                                 : difference(got, expected, op_case.value_tolerance)) == "");
      }
    }
  });
}

TEST_CASE("op cases: one thread and two give close results, also at the sizes models use") {
  const int threads = num_threads();
  for_each_case([&](const OpCase& op_case) {
    OpCase large = op_case;
    if (!op_case.bench_inputs.empty() && op_case.golden.empty()) large.inputs = op_case.bench_inputs;
    std::int64_t elements = 0;
    for (const CaseInput& input : large.inputs) elements += input.type.shape.elements();
    if (elements > 8'000'000) large = op_case;
    const CaseData data = make_data(large, kSeed);
    std::vector<std::vector<Tensor>> results;
    for (const int count : {1, 2}) {
      set_num_threads(count);
      const CaseGraph built = build_graph(large, data);
      Program program = compile(*built.graph, built.results());
      results.push_back(run(program, data.inputs));
    }
    CHECK(difference(results[1], results[0], 20 * op_case.value_tolerance) == "");
  });
  set_num_threads(threads);
}

}  // namespace
}  // namespace eddy::test
