// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/linear.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "eddy/core/math.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/relu.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/sigmoid.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/tanh.h"
#include "eddy/ops/transpose.h"

namespace eddy {
namespace {

/// dy * f'(x) from y = f(x).
struct ActivationGradient final : DerivativeOp<ActivationGradient> {
  static constexpr std::string_view kName = "activation_gradient";
  Activation activation;

  explicit ActivationGradient(Activation a) : activation(a) {}
  static void attributes(auto& op, auto&& visit) { visit("activation", op.activation); }

  void span(const float* dy, const float* y, float* dx, std::int64_t n) const {
    switch (activation) {
      case Activation::none:
        std::copy_n(dy, n, dx);
        break;
      case Activation::relu:
        vector_relu_gradient(dy, y, dx, n);
        break;
      case Activation::tanh:
        vector_tanh_gradient(dy, y, dx, n);
        break;
      case Activation::sigmoid:
        vector_sigmoid_gradient(dy, y, dx, n);
        break;
    }
  }
  Value slope(Value y) const {
    switch (activation) {
      case Activation::tanh:
        return y * -2;
      case Activation::sigmoid:
        return 1 - y * 2;
      default:
        return {};
    }
  }
};

struct Linear final : OpClass<Linear> {
  static constexpr std::string_view kName = "linear";
  Activation activation;
  bool transpose_w;

  Linear(Activation a, bool t) : activation(a), transpose_w(t) {}
  static void attributes(auto& op, auto&& visit) {
    visit("activation", op.activation);
    visit("transpose_w", op.transpose_w);
  }

  // inputs: x [rows, in], w, b
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    const TensorType result = linear_type(inputs[0], inputs[1], transpose_w);
    const std::int64_t out = result.shape[1];
    require<GraphError>(inputs[2].shape == Shape{out}, "the bias is {}, expected f32[{}]", inputs[2], out);
    return {result};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    const Value x = context.in(0);
    const Value w = context.in(1);
    Value d = context.d_out(0);
    if (activation != Activation::none) d = derivative_node(d, context.out(0), ActivationGradient(activation));
    std::vector<Gradient> result(3);
    if (context.needs(0)) result[0] = matmul(d, w, {.transpose_b = !transpose_w});
    if (context.needs(1))
      result[1] = transpose_w ? matmul(d, x, {.transpose_a = true}) : matmul(x, d, {.transpose_a = true});
    if (context.needs(2)) result[2] = sum(d, {0});
    return result;
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    cost.flops *= 2.0 * static_cast<double>(inputs[0].shape[1]) + 1;
    return cost;
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    const Value w = transposed_matrix_of(inputs[1]);
    if (!w) return {};
    return {
        add_node(w.graph(), Linear(activation, !transpose_w), {inputs[0], w, inputs[2]}, SourceLocation::current())};
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    if (!context.stepped[0] || context.stepped[1] || context.stepped[2]) return {};
    return {
        linear(context.in(0), context.in(1), context.in(2), {.activation = activation, .transpose_w = transpose_w})};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    return linear_kernel(context, transpose_w, activation);
  }
};

Value activate(Value x, Activation activation, SourceLocation where) {
  switch (activation) {
    case Activation::relu:
      return relu({x, where});
    case Activation::tanh:
      return tanh({x, where});
    case Activation::sigmoid:
      return sigmoid({x, where});
    case Activation::none:
      break;
  }
  return x;
}

}  // namespace

Kernel linear_kernel(const KernelContext& context, bool transpose_w, Activation activation) {
  const Shape& out = context.outputs[0].shape;
  if (out.elements() == 0) return {.run = [](const KernelArgs&) {}};
  if (context.invariant(1) && activation == Activation::none && context.inputs[0].shape[1] > 0 &&
      PackedProduct::pays(out[0], out[1], context.inputs[0].shape[1], transpose_w))
    return packed_kernel({out[0], out[1], context.inputs[0].shape[1], transpose_w}, true);
  const Gemm gemm({.m = out[0],
                   .n = out[1],
                   .k = context.inputs[0].shape[1],
                   .transpose_b = transpose_w,
                   .has_bias = true,
                   .activation = activation});
  return {.run =
              [gemm](const KernelArgs& args) {
                gemm.run(args.in<float>(0), args.in<float>(1), args.out<float>(0), args.in<float>(2), args.scratch);
              },
          .scratch_bytes = gemm.scratch_bytes()};
}

TensorType linear_type(const TensorType& x, const TensorType& w, bool transpose_w) {
  require<GraphError>(w.shape.rank() == 2, "w must be a matrix, it is {}", to_string(w));
  require<GraphError>(x.shape.rank() == 2 && x.shape[1] == w.shape[transpose_w ? 1 : 0],
                      "inner sizes differ: x is {}, w is {}{}", x, to_string(w), transpose_w ? " transposed" : "");
  return {f32, {x.shape[0], w.shape[transpose_w ? 0 : 1]}};
}

LinearOperands linear_operands(std::string_view op, Operand x, Operand weights, bool transpose_w,
                               std::string_view name) {
  const Value in = value_of(op, x), w = value_of(op, weights);
  const Shape given = in.shape();
  require_argument(given.rank() >= 1, op, x, "x must have at least one axis, it is {}", to_string(in.type()));
  require_argument(w.rank() == 2 && given.dim(-1) == w.dim(transpose_w ? 1 : 0), op, x,
                   "inner sizes differ: x is {}, {} is {}{}", to_string(in.type()), name, to_string(w.type()),
                   transpose_w ? " transposed" : "");
  return {reshape({in, x.where}, {given.product(0, given.rank() - 1), given.dim(-1)}), w, given};
}

std::vector<Value> plain_linear_inputs(Value value) {
  const Node& node = value.graph().node(value.node());
  const auto* op = dynamic_cast<const Linear*>(node.op.get());
  if (op == nullptr || op->transpose_w || op->activation != Activation::none) return {};
  return node.inputs;
}

Value linear(Operand x, Operand w, Operand b, LinearOptions options) {
  const auto [rows, weights, given] = linear_operands(Linear::kName, x, w, options.transpose_w, "w");
  const Value out = add_node(rows.graph(), Linear(options.activation, options.transpose_w),
                             {rows, weights, value_of(Linear::kName, b)}, x.where);
  Shape shape = given;
  shape[shape.rank() - 1] = out.dim(-1);
  return reshape({out, x.where}, shape);
}

Value linear(Operand x, Operand w, LinearOptions options) {
  return activate(matmul(x, w, {.transpose_b = options.transpose_w}), options.activation, x.where);
}

namespace {

double apply(Activation activation, double x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return std::max(x, 0.0);
    case Activation::tanh:
      return std::tanh(x);
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
  }
  return x;
}

// Ranges keep relu away from its corner.
OpCase linear_case(std::string name, LinearOptions options, std::vector<CaseInput> bench = {}) {
  const float low = options.activation == Activation::relu ? 0.25F : -1.0F;
  return {
      .name = std::move(name),
      .inputs = {{{f32, {2, 3, 4}}, low, 1},
                 {{f32, options.transpose_w ? Shape{5, 4} : Shape{4, 5}}, low, 1},
                 {{f32, {5}}, low, 1}},
      .build = [options](Graph&, std::span<const Value> in) -> std::vector<Value> {
        return {linear(in[0], in[1], in[2], options)};
      },
      .reference =
          [options](std::span<const std::vector<double>> in) {
            std::vector<double> out(30);
            for (std::size_t i = 0; i < 6; ++i)
              for (std::size_t j = 0; j < 5; ++j) {
                double value = in[2][j];
                for (std::size_t k = 0; k < 4; ++k)
                  value += in[0][i * 4 + k] * in[1][options.transpose_w ? j * 4 + k : k * 5 + j];
                out[i * 5 + j] = apply(options.activation, value);
              }
            return FlatArrays{out};
          },
      .bench_inputs = std::move(bench),
  };
}

const RegisterOpCase case_linear{
    linear_case("linear", {}, {{{f32, {100, 32, 256}}}, {{f32, {256, 2048}}}, {{f32, {2048}}}})};
const RegisterOpCase case_tied{linear_case("linear/transpose_w", {.transpose_w = true},
                                           {{{f32, {100, 32, 512}}}, {{f32, {10000, 512}}}, {{f32, {10000}}}})};
const RegisterOpCase case_linear_tanh{linear_case("linear/tanh", {.activation = Activation::tanh})};
const RegisterOpCase case_linear_sigmoid{linear_case("linear/sigmoid", {.activation = Activation::sigmoid})};
const RegisterOpCase case_linear_relu{linear_case("linear/relu", {.activation = Activation::relu})};
const RegisterOpCase case_no_bias{{
    .name = "linear/no_bias",
    .inputs = {{{f32, {3, 4}}}, {{f32, {2, 4}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {linear(in[0], in[1], {.activation = Activation::tanh, .transpose_w = true})};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out(6, 0.0);
          for (std::size_t i = 0; i < 6; ++i) {
            for (std::size_t k = 0; k < 4; ++k) out[i] += in[0][i / 2 * 4 + k] * in[1][i % 2 * 4 + k];
            out[i] = std::tanh(out[i]);
          }
          return FlatArrays{out};
        },
}};

}  // namespace
}  // namespace eddy
