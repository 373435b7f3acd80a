// SPDX-License-Identifier: Apache-2.0
// An op of your own, outside the library: softsign(x) = x / (1 + |x|), with its gradient, checked by differences.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <cmath>

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
  Graph graph;
  const Value x = graph.input("x", f32, {3});
  const Value loss = sum(softsign(x, 2.0f) * graph.constant(Tensor::from(std::vector<float>{1, -2, 0.5f}, {3})));
  const Value slope = dense_gradients(loss, {{x}})[0];
  Program program = compile(graph, {loss, slope});

  const std::vector<float> at{0.3f, -0.7f, 1.1f};
  const auto loss_at = [&](std::vector<float> point) {
    return program.run({{"x", Tensor::from(point, {3})}})[0].item();
  };
  bool right = true;
  for (std::size_t i = 0; i < 3; ++i) {
    std::vector<float> up = at, down = at;
    up[i] += 1e-2f;
    down[i] -= 1e-2f;
    const float difference = (loss_at(up) - loss_at(down)) / 2e-2f;
    const float symbolic = program.run({{"x", Tensor::from(at, {3})}})[1].values<const float>()[i];
    fmt::print("d loss / d x[{}]: symbolic {:.4f}, by differences {:.4f}\n", i, symbolic, difference);
    right = right && std::abs(symbolic - difference) < 2e-3f;
  }
  return right ? 0 : 1;
}
