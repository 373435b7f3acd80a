// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/layer_norm.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/graph/gradient_through.h"
#include "eddy/ops/add.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mean.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/rsqrt.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

struct Rows {
  std::int64_t rows;
  std::int64_t columns;

  explicit Rows(const Shape& x) : rows(x.product(0, x.rank() - 1)), columns(x[x.rank() - 1]) {}
};

/// x with mean 0 and variance 1 along the last axis.
Value normalized(Value x, Value mean, Value rstd) { return (x - expand_dims(mean, -1)) * expand_dims(rstd, -1); }

/// Inputs dy, x, gain, mean, rstd; outputs dx, dgain, dbias.
struct LayerNormGradient final : OpClass<LayerNormGradient> {
  static constexpr std::string_view kName = "layer_norm_gradient";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    return {inputs[1], inputs[2], inputs[2]};
  }
  std::vector<Gradient> gradient(const GradientContext& c) const override {
    return gradient_through(c, [](std::span<const Value> in) -> std::vector<Value> {
      const Value normal = normalized(in[1], in[3], in[4]);
      const Value scaled = in[0] * in[2];
      const Value slope = mean(scaled * normal, -1, true);
      const Value dx = (scaled - mean(scaled, -1, true) - normal * slope) * expand_dims(in[4], -1);
      return {dx, sum_to(in[0] * normal, in[2].shape()), sum_to(in[0], in[2].shape())};
    });
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = 14 * static_cast<double>(inputs[1].shape.elements()),
            .bytes = 3 * static_cast<double>(inputs[1].bytes())};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::share},
            {.output = 0, .input = 1, .kind = Alias::Kind::share}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const Rows size(context.inputs[1].shape);
    // Each part of the rows has its own sums for gain and bias; the number of parts depends on sizes only.
    const std::int64_t parts = std::clamp<std::int64_t>(size.rows / 16, 1, 16);
    const std::int64_t n = size.columns;
    const auto scratch = static_cast<std::size_t>(parts * 4 * n) * sizeof(float);
    return {.run =
                [=](const KernelArgs& args) {
                  auto* sums = static_cast<float*>(args.scratch);
                  parallel_for(parts, grain_of(size.rows * n / parts + 1), [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t part = begin; part < end; ++part)
                      run_part(args, size.rows * part / parts, size.rows * (part + 1) / parts, n, sums + part * 4 * n);
                  });
                  for (int which = 0; which < 2; ++which) {
                    float* out = args.out<float>(1 + which);
                    if (out == nullptr) continue;
                    for (std::int64_t i = 0; i < n; ++i) {
                      double total = 0;
                      for (std::int64_t part = 0; part < parts; ++part) total += sums[(part * 4 + which) * n + i];
                      out[i] = static_cast<float>(total);
                    }
                  }
                },
            .scratch_bytes = scratch};
  }

 private:
  /// `work`: sums for the gain, sums for the bias, and two rows.
  static void run_part(const KernelArgs& args, std::int64_t first, std::int64_t last, std::int64_t n, float* work) {
    const float* gain = args.in<float>(2);
    float* dgain = work;
    float* dbias = work + n;
    float* normal = work + 2 * n;
    float* scaled = work + 3 * n;
    std::fill_n(work, 2 * n, 0.0F);
    for (std::int64_t row = first; row < last; ++row) {
      const float* dy = args.in<float>(0) + row * n;
      const float rstd = args.in<float>(4)[row];
      vector_add_scalar(-args.in<float>(3)[row], args.in<float>(1) + row * n, normal, n);
      vector_scale(rstd, normal, normal, n);
      vector_mul_add(dy, normal, dgain, n);
      vector_add(dbias, dy, dbias, n);
      if (args.outputs[0] == nullptr) continue;
      vector_mul(dy, gain, scaled, n);
      const auto mean = static_cast<float>(vector_sum(scaled, n) / static_cast<double>(n));
      const auto slope = static_cast<float>(vector_dot(scaled, normal, n) / static_cast<double>(n));
      vector_axpy(-slope, normal, scaled, n);
      vector_add_scalar(-mean, scaled, scaled, n);
      vector_scale(rstd, scaled, args.out<float>(0) + row * n, n);
    }
  }
};

/// Inputs x, gain, bias; outputs y and, for the gradient, mean and 1/sqrt(variance + epsilon) of each row.
struct LayerNorm final : OpClass<LayerNorm> {
  static constexpr std::string_view kName = "layer_norm";
  float epsilon;
  explicit LayerNorm(float e) : epsilon(e) {}
  static void attributes(auto& op, auto&& visit) { visit("epsilon", op.epsilon); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    const Shape& x = inputs[0].shape;
    require<GraphError>(x.rank() > 0 && x.dim(-1) > 0, "x must have a last axis that is not empty, it is {}",
                        inputs[0]);
    const Shape row{x.dim(-1)};
    require<GraphError>(inputs[1].shape == row && inputs[2].shape == row,
                        "gain {} and bias {} must be of shape {}, as x is {}", inputs[1], inputs[2], to_string(row),
                        inputs[0]);
    require<GraphError>(epsilon >= 0, "epsilon must not be negative, it is {}", epsilon);
    return {inputs[0], {f32, x.removed(-1)}, {f32, x.removed(-1)}};
  }
  std::vector<Gradient> gradient(const GradientContext& c) const override {
    // Only a gradient of a gradient depends on mean and rstd.
    if (c.d_out(1) || c.d_out(2)) return gradient_through(c, [this](std::span<const Value> in) { return equal(in); });
    const Value d = c.d_out(0);
    const Value all =
        add_node(d.graph(), LayerNormGradient{}, {d, c.in(0), c.in(1), c.out(1), c.out(2)}, SourceLocation::current());
    const std::vector<Value> outputs = d.graph().outputs(all);
    return {outputs[0], outputs[1], outputs[2]};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = 7 * static_cast<double>(inputs[0].shape.elements()),
            .bytes = 2 * static_cast<double>(inputs[0].bytes())};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::share}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const Rows size(context.inputs[0].shape);
    const std::int64_t n = size.columns;
    // The result itself may have no reader when only gradients are asked for.
    const std::size_t scratch = context.output_used[0] ? 0 : context.outputs[0].bytes();
    return {.run =
                [=, epsilon = epsilon](const KernelArgs& args) {
                  float* out = args.outputs[0] != nullptr ? args.out<float>(0) : static_cast<float*>(args.scratch);
                  const float* gain = args.in<float>(1);
                  const float* bias = args.in<float>(2);
                  float* means = args.out<float>(1);
                  float* rstds = args.out<float>(2);
                  parallel_for(size.rows, grain_of(n), [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) {
                      const float* x = args.in<float>(0) + row * n;
                      float* y = out + row * n;
                      const auto mean = static_cast<float>(vector_sum(x, n) / static_cast<double>(n));
                      vector_add_scalar(-mean, x, y, n);
                      const double variance = vector_sum_squares(y, n) / static_cast<double>(n);
                      const auto rstd = static_cast<float>(1 / std::sqrt(variance + static_cast<double>(epsilon)));
                      vector_scale(rstd, y, y, n);
                      vector_mul(y, gain, y, n);
                      vector_add(y, bias, y, n);
                      if (means != nullptr) means[row] = mean;
                      if (rstds != nullptr) rstds[row] = rstd;
                    }
                  });
                },
            .scratch_bytes = scratch};
  }

 private:
  /// The outputs made of small ops.
  std::vector<Value> equal(std::span<const Value> in) const {
    const Value average = mean(in[0], -1);
    const Value rstd = rsqrt(mean(square(in[0] - expand_dims(average, -1)), -1) + epsilon);
    return {normalized(in[0], average, rstd) * in[1] + in[2], average, rstd};
  }
};

}  // namespace

Value layer_norm(Operand x, Operand gain, Operand bias, const LayerNormOptions& options) {
  const Value value = value_of(LayerNorm::kName, x);
  const Value g = value_of(LayerNorm::kName, gain);
  const Value b = value_of(LayerNorm::kName, bias);
  return add_node(value.graph(), LayerNorm(options.epsilon), {value, g, b}, x.where);
}

namespace {

OpCase layer_norm_case(std::string name, Shape shape, float epsilon) {
  const std::int64_t columns = shape.dim(-1);
  return {
      .name = std::move(name),
      .inputs = {{{f32, shape}}, {{f32, {columns}}, 0.5F, 2}, {{f32, {columns}}}},
      .build = [=](Graph&, std::span<const Value> x) -> std::vector<Value> {
        return {layer_norm(x[0], x[1], x[2], {.epsilon = epsilon})};
      },
      .reference =
          [=](std::span<const std::vector<double>> x) {
            FlatArrays result{x[0]};
            const auto n = static_cast<std::size_t>(columns);
            for (std::size_t row = 0; row < x[0].size() / n; ++row) {
              double* y = result[0].data() + row * n;
              double mean = 0;
              double variance = 0;
              for (std::size_t i = 0; i < n; ++i) mean += y[i] / static_cast<double>(n);
              for (std::size_t i = 0; i < n; ++i) variance += (y[i] - mean) * (y[i] - mean) / static_cast<double>(n);
              const double rstd = 1 / std::sqrt(variance + static_cast<double>(epsilon));
              for (std::size_t i = 0; i < n; ++i) y[i] = (y[i] - mean) * rstd * x[1][i] + x[2][i];
            }
            return result;
          },
      .bench_inputs = {{{f32, {3200, 512}}}, {{f32, {512}}}, {{f32, {512}}}},
  };
}

const RegisterOpCase case_plain{layer_norm_case("layer_norm", {3, 2, 9}, 1e-5F)};
const RegisterOpCase case_many_rows{layer_norm_case("layer_norm/many_rows", {70, 5}, 0.1F)};

}  // namespace
}  // namespace eddy
