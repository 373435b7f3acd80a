// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/masked_linear.h"

#include <algorithm>
#include <vector>

#include "eddy/core/gemm.h"
#include "eddy/core/math.h"
#include "eddy/core/packed_product.h"
#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/recurrence.h"
#include "eddy/ops/reshape.h"

namespace eddy {
namespace {

/// Rows that are gathered and multiplied at once: they stay in cache in between.
constexpr std::int64_t kRowsAtOnce = 320;

void require_mask(const TensorType& mask, std::int64_t rows) { require_f32(mask, {rows}, "the mask"); }

void refuse_gradient_of_mask(const GradientContext& context) {
  require<GraphError>(!context.needs(2), "there is no gradient with respect to the mask");
}

/// Lists the rows where the mask is not 0 at `list`.
std::span<const std::int32_t> active_rows(const float* mask, std::int64_t rows, std::int32_t* list) {
  std::size_t count = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    list[count] = static_cast<std::int32_t>(row);
    count += mask[row] != 0 ? 1 : 0;
  }
  return {list, count};
}

void clear_masked_rows(const float* mask, float* out, std::int64_t rows, std::int64_t width) {
  parallel_for(rows, grain_of(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      if (mask[row] == 0) vector_fill(0, out + row * width, width);
  });
}

void gather(const float* from, std::span<const std::int32_t> rows, std::int64_t width, float* to) {
  parallel_for(static_cast<std::int64_t>(rows.size()), grain_of(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      std::copy_n(from + rows[static_cast<std::size_t>(i)] * width, width, to + i * width);
  });
}

std::vector<Value> sums_of(Value a, Value b, Value mask);

struct MaskedLinear final : OpClass<MaskedLinear> {
  static constexpr std::string_view kName = "masked_linear";
  bool transpose_w, has_bias;

  MaskedLinear(bool transpose, bool bias) : transpose_w(transpose), has_bias(bias) {}
  static void attributes(auto& op, auto&& visit) {
    visit("transpose_w", op.transpose_w);
    visit("has_bias", op.has_bias);
  }

  // inputs: x [rows, in], w, mask, then the bias if there
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    const TensorType result = linear_type(inputs[0], inputs[1], transpose_w);
    require_mask(inputs[2], result.shape[0]);
    if (has_bias) require_f32(inputs[3], {result.shape[1]}, "the bias");
    return {result};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    refuse_gradient_of_mask(context);
    const Value x = context.in(0), w = context.in(1), mask = context.in(2), d = context.d_out(0);
    std::vector<Gradient> result(context.inputs.size());
    if (context.needs(0))
      result[0] = add_node(d.graph(), MaskedLinear(!transpose_w, false), {d, w, mask}, SourceLocation::current());
    if (context.needs(1) && transpose_w) result[1] = sums_of(d, x, mask)[0];
    if ((context.needs(1) && !transpose_w) || (has_bias && context.needs(3))) {
      const std::vector<Value> sums = sums_of(x, d, mask);
      if (!transpose_w) result[1] = sums[0];
      if (has_bias) result[3] = sums[1];
    }
    return result;
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    cost.flops *= 2.0 * static_cast<double>(inputs[0].shape[1]) + 1;
    return cost;
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t rows = context.outputs[0].shape[0], out = context.outputs[0].shape[1],
                       in = context.inputs[0].shape[1];
    const Gemm whole({.m = rows, .n = out, .k = in, .transpose_b = transpose_w, .has_bias = has_bias});
    const PackedProduct product(rows, out, in, transpose_w);
    ScratchPlan scratch(std::max(whole.scratch_bytes(), product.packed_bytes()));
    const std::size_t list_at = scratch.take<std::int32_t>(rows);
    return {.run =
                [=, has_bias = has_bias](const KernelArgs& args) {
                  const float* mask = args.in<float>(2);
                  const float* bias = has_bias ? args.in<float>(3) : nullptr;
                  auto* bytes = static_cast<std::byte*>(args.scratch);
                  const auto active = active_rows(mask, rows, scratch_at<std::int32_t>(args, list_at));
                  const auto count = static_cast<std::int64_t>(active.size());
                  // Without columns of x there is nothing to pack, only a bias to copy.
                  if (count == rows || in == 0)
                    whole.run(args.in<float>(0), args.in<float>(1), args.out<float>(0), bias, bytes);
                  if (count == rows) return;
                  clear_masked_rows(mask, args.out<float>(0), rows, out);
                  if (count == 0 || out == 0 || in == 0) return;
                  product.pack(args.in<float>(1), bytes);
                  product.run_rows(args.in<float>(0), bytes, bias, args.out<float>(0), active);
                },
            .scratch_bytes = scratch.bytes()};
  }
};

/// Sums over the rows that the mask leaves.
struct MaskedRowSum final : OpClass<MaskedRowSum> {
  static constexpr std::string_view kName = "masked_row_sum";

  // inputs: a [rows, m], b [rows, n], mask; outputs: sums of a[row]^T b[row], and of b[row]
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    const Shape& a = inputs[0].shape;
    const Shape& b = inputs[1].shape;
    require<GraphError>(a.rank() == 2 && b.rank() == 2 && a[0] == b[0],
                        "a and b must be matrices of as many rows: a is {}, b is {}", inputs[0], inputs[1]);
    require_mask(inputs[2], a[0]);
    return {{f32, {a[1], b[1]}}, {f32, {b[1]}}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    refuse_gradient_of_mask(context);
    const Value a = context.in(0), b = context.in(1), mask = context.in(2);
    const Value d_product = context.d_out(0), d_sum = context.d_out(1);
    std::vector<Gradient> result(3);
    if (!d_product) {
      if (d_sum && context.needs(1)) result[1] = reshape(mask, {-1, 1}) * d_sum;
      return result;
    }
    if (context.needs(0))
      result[0] = add_node(a.graph(), MaskedLinear(true, false), {b, d_product, mask}, SourceLocation::current());
    if (context.needs(1)) {
      std::vector<Value> inputs{a, d_product, mask};
      if (d_sum) inputs.push_back(d_sum);
      result[1] = add_node(a.graph(), MaskedLinear(false, static_cast<bool>(d_sum)), inputs, SourceLocation::current());
    }
    return result;
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    cost.flops = 2.0 * static_cast<double>(outputs[0].shape.elements()) * static_cast<double>(inputs[0].shape[0]);
    return cost;
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t rows = context.inputs[0].shape[0], m = context.inputs[0].shape[1],
                       n = context.inputs[1].shape[1];
    // Some are planned at run time, for the precision of compile time.
    const auto product = [m, n, precision = matmul_precision()](std::int64_t k, bool accumulate) {
      return Gemm({.m = m, .n = n, .k = k, .transpose_a = true, .accumulate = accumulate, .precision = precision});
    };
    const Gemm whole = product(rows, false);
    // A smaller product may divide its threads otherwise, and need more.
    std::size_t most = whole.scratch_bytes();
    for (std::int64_t k = 1; k <= std::min(rows, kRowsAtOnce); ++k)
      most = std::max(most, product(k, true).scratch_bytes());
    ScratchPlan scratch(most);
    const std::size_t a_at = scratch.take<float>(kRowsAtOnce * m);
    const std::size_t b_at = scratch.take<float>(kRowsAtOnce * n);
    const std::size_t list_at = scratch.take<std::int32_t>(rows);
    return {.run =
                [=](const KernelArgs& args) {
                  const float *a = args.in<float>(0), *b = args.in<float>(1);
                  float *out = args.out<float>(0), *sum = args.out<float>(1);
                  auto* bytes = static_cast<std::byte*>(args.scratch);
                  const auto active = active_rows(args.in<float>(2), rows, scratch_at<std::int32_t>(args, list_at));
                  const auto count = static_cast<std::int64_t>(active.size());
                  if (count == rows) {
                    if (out != nullptr) whole.run(a, b, out, nullptr, bytes);
                    if (sum != nullptr) column_sum(b, rows, n, n, /*accumulate=*/false, sum);
                    return;
                  }
                  auto* some_a = scratch_at<float>(args, a_at);
                  auto* some_b = scratch_at<float>(args, b_at);
                  const std::int64_t parts = std::max<std::int64_t>((count + kRowsAtOnce - 1) / kRowsAtOnce, 1);
                  for (std::int64_t part = 0; part < parts; ++part) {
                    const std::int64_t begin = count * part / parts, size = count * (part + 1) / parts - begin;
                    const auto some = active.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(size));
                    gather(b, some, n, some_b);
                    if (sum != nullptr) column_sum(some_b, size, n, n, part > 0, sum);
                    if (out == nullptr) continue;
                    gather(a, some, m, some_a);
                    product(size, part > 0).run(some_a, some_b, out, nullptr, bytes);
                  }
                },
            .scratch_bytes = scratch.bytes()};
  }
};

std::vector<Value> sums_of(Value a, Value b, Value mask) {
  return Graph::outputs(add_node(a.graph(), MaskedRowSum(), {a, b, mask}, SourceLocation::current()));
}

}  // namespace

Value masked_linear(Operand x, Operand w, Operand b, Operand mask) {
  const Value rows = value_of(MaskedLinear::kName, x);
  return add_node(
      rows.graph(), MaskedLinear(false, true),
      {rows, value_of(MaskedLinear::kName, w), value_of(MaskedLinear::kName, mask), value_of(MaskedLinear::kName, b)},
      x.where);
}

std::vector<Value> masked_linear_inputs(Value value) {
  const Node& node = value.graph().node(value.node());
  const auto* op = dynamic_cast<const MaskedLinear*>(node.op.get());
  return op == nullptr || op->transpose_w || !op->has_bias ? std::vector<Value>() : node.inputs;
}

Value masked_row_sum(Operand a, Operand b, Operand mask) {
  const Value rows = value_of(MaskedRowSum::kName, a);
  return add_node(rows.graph(), MaskedRowSum(),
                  {rows, value_of(MaskedRowSum::kName, b), value_of(MaskedRowSum::kName, mask)}, a.where);
}

namespace {

/// Of `rows`, all but each third.
std::vector<double> holed_mask(std::size_t rows) {
  std::vector<double> mask(rows, 1);
  for (std::size_t i = 1; i < rows; i += 3) mask[i] = 0;
  return mask;
}

OpCase linear_case(std::string name, std::vector<double> mask) {
  const auto rows = static_cast<std::int64_t>(mask.size());
  return {
      .name = std::move(name),
      .inputs = {{{f32, {rows, 4}}},
                 {{f32, {4, 3}}},
                 {{f32, {3}}},
                 {.type = {f32, {rows}}, .differentiable = false, .values = std::move(mask)}},
      .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
        return {masked_linear(in[0], in[1], in[2], in[3])};
      },
      .reference =
          [](std::span<const std::vector<double>> in) {
            std::vector<double> out(3 * in[3].size(), 0.0);
            for (std::size_t i = 0; i < out.size(); ++i) {
              if (in[3][i / 3] == 0) continue;
              out[i] = in[2][i % 3];
              for (std::size_t k = 0; k < 4; ++k) out[i] += in[0][i / 3 * 4 + k] * in[1][k * 3 + i % 3];
            }
            return FlatArrays{out};
          },
      .bench_inputs = {{{f32, {3200, 256}}},
                       {{f32, {256, 2048}}},
                       {{f32, {2048}}},
                       {.type = {f32, {3200}}, .low = 1, .high = 1, .differentiable = false}},
  };
}

OpCase sum_case(std::string name, std::vector<double> mask) {
  const auto rows = static_cast<std::int64_t>(mask.size());
  return {
      .name = std::move(name),
      .inputs = {{{f32, {rows, 2}}},
                 {{f32, {rows, 3}}},
                 {.type = {f32, {rows}}, .differentiable = false, .values = std::move(mask)}},
      .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
        return {masked_row_sum(in[0], in[1], in[2])};
      },
      .reference =
          [](std::span<const std::vector<double>> in) {
            std::vector<double> out(6, 0.0);
            for (std::size_t row = 0; row < in[2].size(); ++row)
              for (std::size_t i = 0; i < 6; ++i)
                if (in[2][row] != 0) out[i] += in[0][row * 2 + i / 3] * in[1][row * 3 + i % 3];
            return FlatArrays{out};
          },
      .bench_inputs = {{{f32, {3200, 256}}},
                       {{f32, {3200, 2048}}},
                       {.type = {f32, {3200}}, .low = 1, .high = 1, .differentiable = false}},
  };
}

const RegisterOpCase case_linear{linear_case("masked_linear", {1, 0, 1, 1, 0})};
const RegisterOpCase case_linear_whole{linear_case("masked_linear/whole", {1, 1, 1, 1, 1})};
const RegisterOpCase case_linear_empty{linear_case("masked_linear/empty", {0, 0, 0, 0, 0})};
const RegisterOpCase case_linear_long{linear_case("masked_linear/long", holed_mask(150))};
const RegisterOpCase case_sum{sum_case("masked_row_sum", {0, 1, 1, 0, 1})};
const RegisterOpCase case_sum_whole{sum_case("masked_row_sum/whole", {1, 1, 1, 1, 1})};
const RegisterOpCase case_sum_empty{sum_case("masked_row_sum/empty", {0, 0, 0, 0, 0})};
const RegisterOpCase case_sum_long{sum_case("masked_row_sum/long", holed_mask(1000))};

}  // namespace
}  // namespace eddy
