// SPDX-License-Identifier: Apache-2.0
// An op of your own, outside the library: softsign(x) = x / (1 + |x|), with its gradient, checked by all that the
// library's own ops go through.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

using namespace eddy;

namespace {

struct Softsign final : OpClass<Softsign> {
  static constexpr std::string_view kName = "softsign";
  float steepness = 1;  // softsign(steepness * x)
  explicit Softsign(float s) : steepness(s) {}
  // Listed once: printing, equality and common-subexpression elimination follow from it.
  static void attributes(auto& op, auto&& visit) { visit("steepness", op.steepness); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0].dtype == f32, "x must be f32, not {}", to_string(inputs[0]));
    return {inputs[0]};
  }
  // d/dx = steepness * (1 - |y|)^2, as graph values: higher derivatives come for free.
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {context.d_out(0) * square(1.0f - abs(context.out(0))) * steepness};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::share}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t count = context.outputs[0].shape.elements();
    const float s = steepness;
    return {.run = [count, s](const KernelArgs& args) {
      const float* x = args.in<float>(0);
      float* y = args.out<float>(0);
      for (std::int64_t i = 0; i < count; ++i) y[i] = s * x[i] / (1 + std::abs(s * x[i]));
    }};
  }
};

Value softsign(Operand x, float steepness = 1) {
  return add_node(x.value.graph(), Softsign(steepness), {x.value}, x.where);
}

}  // namespace

int main() {
  // Values, gradients, gradients of gradients, determinism, passes, in-place kernels and threads from one description.
  // The slope has a corner at 0, which differences should not step over.
  const auto build = [](Operand x) { return softsign(x, 2.0f); };
  const auto reference = [](double x) { return 2 * x / (1 + std::abs(2 * x)); };
  std::vector<std::string> problems;
  for (const OpCase& op_case : {unary_case("softsign/positive", build, reference, 0.1f, 2.0f),
                                unary_case("softsign/negative", build, reference, -2.0f, -0.1f)}) {
    const std::vector<std::string> found = check_op(op_case);
    fmt::print("{}: {} problems\n", op_case.name, found.size());
    problems.insert(problems.end(), found.begin(), found.end());
  }

  const std::vector<std::string> of_a_sum = check_op(binary_case(
      "softsign/of_a_sum", [](Operand a, Operand b) { return softsign(a + b); },
      [](double a, double b) { return (a + b) / (1 + a + b); }, 0.1f, 2.0f));
  problems.insert(problems.end(), of_a_sum.begin(), of_a_sum.end());

  // The same differences for a graph of one's own.
  Graph graph;
  const Value x = graph.input("x", f32, {3});
  const Value loss = sum(softsign(x, 2.0f) * graph.constant(Tensor::from<float>({1, -2, 0.5f}, {3})));
  const Tensor at = Tensor::from<float>({0.3f, -0.7f, 1.1f}, {3});
  const std::string problem = check_gradients(loss, {x}, {{"x", at}});
  if (!problem.empty()) problems.push_back(problem);

  for (const std::string& text : problems) fmt::print("{}\n", text);
  return problems.empty() ? 0 : 1;
}
