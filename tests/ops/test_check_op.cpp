// SPDX-License-Identifier: Apache-2.0
// check_op() and check_gradients() find what is wrong with an op, and say where.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "eddy/eddy.h"
#include "eddy/ops/check_gradients.h"
#include "eddy/ops/check_op.h"

namespace eddy {
namespace {

/// y = 3 x, with one thing wrong.
enum class Flaw : std::uint8_t { none, value, gradient, no_gradient, second_order, unsteady, in_place };

struct Triple final : OpClass<Triple> {
  static constexpr std::string_view kName = "triple";
  Flaw flaw = Flaw::none;
  explicit Triple(Flaw f) : flaw(f) {}
  static void attributes(auto& op, auto&& visit) { visit("flaw", op.flaw); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    const Value d = context.d_out(0);
    const Value x = context.in(0);
    if (flaw == Flaw::no_gradient) return {Gradient{}};
    // Wrong at the second element only.
    if (flaw == Flaw::gradient) return {d * 3.0F + d * d.graph().constant(Tensor::from<float>({0, 0.5F, 0, 0}, {4}))};
    // Right as a value, wrong as a function.
    if (flaw == Flaw::second_order) return {d * 3.0F + (x - stop_gradient(x)) * d};
    return {d * 3.0F};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    if (flaw != Flaw::in_place) return {};
    return {{.output = 0, .input = 0, .kind = Alias::Kind::share}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t count = context.outputs[0].shape.elements();
    return {.run = [count, f = flaw, runs = std::make_shared<int>(0)](const KernelArgs& args) {
      const float* x = args.in<float>(0);
      float* y = args.out<float>(0);
      // In place this reads what the first pass wrote.
      for (std::int64_t i = 0; i < count; ++i) y[i] = 2 * x[i];
      for (std::int64_t i = 0; i < count; ++i) y[i] = f == Flaw::in_place ? y[i] + x[i] : 1.5F * y[i];
      if (f == Flaw::value) y[2] += 1;
      if (f == Flaw::unsteady) y[0] = std::nextafter(y[0], 100.0F + static_cast<float>((*runs)++ % 2 == 0 ? 0 : -200));
    }};
  }
};

OpCase triple_case(Flaw flaw) {
  return {.name = "triple/flawed",
          .inputs = {{{f32, {4}}, 0.5F, 2}},
          .build = [flaw](Graph& graph, std::span<const Value> in) -> std::vector<Value> {
            return {add_node(graph, Triple(flaw), {in[0]}, SourceLocation::current())};
          },
          .reference =
              [](std::span<const std::vector<double>> in) {
                FlatArrays result{in[0]};
                for (double& value : result[0]) value *= 3;
                return result;
              }};
}

/// The only kind of problem there is with the flaw, all its sentences joined.
std::string problem_of(Flaw flaw, OpCheck expected) {
  std::string found;
  for (const OpCheck check : CheckOptions().checks)
    for (const std::string& problem : check_op(triple_case(flaw), {.checks = {check}})) {
      INFO(problem);
      CHECK(check == expected);
      CHECK(problem.find("op triple, case triple/flawed: ") == 0);
      found += problem + "\n";
    }
  CHECK(!found.empty());
  return found;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST_CASE("check_op: nothing is wrong with a right op") { CHECK(check_op(triple_case(Flaw::none)).empty()); }

TEST_CASE("check_op: a wrong value is named with output, element, expected and got") {
  std::vector<std::string> problems = check_op(triple_case(Flaw::value), {.checks = {OpCheck::values}});
  REQUIRE(problems.size() == 1);
  INFO(problems[0]);
  CHECK(has(problems[0], "values: output 0 f32[4]: element 2 is "));
  CHECK(has(problems[0], ", expected "));
}

TEST_CASE("check_op: a wrong gradient is named with input, element, gradient and difference") {
  const std::vector<std::string> problems = check_op(triple_case(Flaw::gradient), {.checks = {OpCheck::gradients}});
  REQUIRE(problems.size() == 1);
  INFO(problems[0]);
  CHECK(has(problems[0], "gradients: input 0 f32[4], element 1: the gradient is "));
  CHECK(has(problems[0], "differences give "));
}

TEST_CASE("check_op: a missing gradient, and one whose own gradient is wrong") {
  const std::vector<std::string> missing = check_op(triple_case(Flaw::no_gradient), {.checks = {OpCheck::gradients}});
  REQUIRE(!missing.empty());
  CHECK(has(missing[0], "input 0 gets no gradient, expected f32[4]"));
  CHECK(has(problem_of(Flaw::second_order, OpCheck::second_order), "gradients of gradients: input 0 f32[4]"));
}

TEST_CASE("check_op: other bits at the second run, and a kernel that may not work in place") {
  const std::vector<std::string> unsteady = check_op(triple_case(Flaw::unsteady), {.checks = {OpCheck::determinism}});
  REQUIRE(!unsteady.empty());
  INFO(unsteady[0]);
  CHECK(has(unsteady[0], "determinism: second run: tensor 0 f32[4]: element 0 is "));
  CHECK(has(problem_of(Flaw::in_place, OpCheck::passes), "passes: without in-place kernels, inputs copied"));
}

TEST_CASE("check_op: a case that cannot be built, or has nothing to compare with, is a problem, not an exception") {
  OpCase op_case = triple_case(Flaw::none);
  op_case.build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
    return {in[0] + reshape(in[0], {2, 2})};
  };
  for (const std::string& problem : check_op(op_case)) CHECK(has(problem, "[add]"));
  CHECK(check_op(op_case).size() == CheckOptions().checks.size());
  op_case = triple_case(Flaw::none);
  op_case.reference = nullptr;
  REQUIRE(check_op(op_case).size() == 1);
  CHECK(has(check_op(op_case)[0], "neither a reference nor recorded outputs"));
  op_case.build = nullptr;
  REQUIRE(check_op(op_case).size() == 1);
  CHECK(has(check_op(op_case)[0], "no builder"));
}

TEST_CASE("check_gradients: of a loss in a graph, with the names of its inputs") {
  Graph graph;
  const Value x = graph.input("x", f32, {4});
  const Value w = graph.input("w", f32, {4});
  const Tensor x_at = Tensor::from<float>({0.25F, -0.5F, 1, 1.5F}, {4});
  const Tensor w_at = Tensor::from<float>({1, 0.5F, -0.75F, 2}, {4});
  CHECK(check_gradients(sum(tanh(x * w)), {x, w}, {{"x", x_at}, {"w", w_at}}) == "");
  const Value wrong = add_node(graph, Triple(Flaw::gradient), {w}, SourceLocation::current());
  const std::string problem = check_gradients(sum(tanh(x) * wrong), {x, w}, {{"x", x_at}, {"w", w_at}});
  INFO(problem);
  CHECK(has(problem, "w f32[4], element 1: the gradient is "));
  CHECK_THROWS_WITH_AS(check_gradients(x, {x}, {{"x", x_at}}), doctest::Contains("f32[4]"), GraphError);
  CHECK_THROWS_WITH_AS(check_gradients(sum(x), {x}, {{"w", w_at}}), doctest::Contains("'x'"), GraphError);
  CHECK_THROWS_AS(check_gradients(sum(x), {x + w}, {{"x", x_at}}), GraphError);
}

TEST_CASE("check_gradients: with respect to parameters, which keep their values") {
  ParameterStore store(3);
  Graph graph;
  const Value x = graph.input("x", f32, {4});
  const Value w = parameter(graph, store, "w", {4}, uniform(1)), v = parameter(graph, store, "v", {4}, uniform(1));
  const Tensor x_at = Tensor::from<float>({0.25F, -0.5F, 1, 1.5F}, {4});
  const Tensor before = store.find("w")->value.clone();
  CHECK(check_gradients(sum(tanh(x * w) * v), {w, x, v}, {{"x", x_at}}) == "");
  const Value wrong = add_node(graph, Triple(Flaw::gradient), {w}, SourceLocation::current());
  CHECK(has(check_gradients(sum(tanh(x) * wrong), {w}, {{"x", x_at}}), "w f32[4], element 1: the gradient is "));
  CHECK(std::memcmp(before.data(), store.find("w")->value.data(), before.bytes()) == 0);
}

}  // namespace
}  // namespace eddy
