// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/matmul.h"

#include <cstdint>
#include <memory>
#include <vector>

#include "eddy/core/gemm.h"
#include "eddy/core/packed_product.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/transpose.h"

namespace eddy {
namespace {

Shape batch_of(const Shape& shape) { return Shape(std::span(shape.begin(), shape.end() - 2)); }

/// Elements from one matrix to the next along each axis of `batch`; 0 where the operand repeats.
std::vector<std::int64_t> batch_strides(const Shape& operand, const Shape& batch) {
  std::vector<std::int64_t> strides(static_cast<std::size_t>(batch.rank()), 0);
  const int missing = batch.rank() - (operand.rank() - 2);
  for (int axis = missing; axis < batch.rank(); ++axis) {
    const int own = axis - missing;
    if (operand[own] != 1) strides[static_cast<std::size_t>(axis)] = operand.product(own + 1, operand.rank());
  }
  return strides;
}

/// Where each call of one strided product starts in a, b and c.
struct Start {
  std::int64_t a, b, c;
};

/// Trailing batch axes over which both operands advance evenly go into one product; the rest become starts.
std::vector<Start> plan_batch(const Shape& a, const Shape& b, const Shape& batch, std::int64_t c_size,
                              GemmConfig& config) {
  const std::vector<std::int64_t> stride_a = batch_strides(a, batch);
  const std::vector<std::int64_t> stride_b = batch_strides(b, batch);
  int outer = batch.rank();
  config.batch = 1;
  config.stride_c = c_size;
  for (; outer > 0; --outer) {
    const auto axis = static_cast<std::size_t>(outer - 1);
    if (batch[outer - 1] == 1) continue;
    if (config.batch == 1) {
      config.stride_a = stride_a[axis];
      config.stride_b = stride_b[axis];
    } else if (stride_a[axis] != config.stride_a * config.batch || stride_b[axis] != config.stride_b * config.batch) {
      break;
    }
    config.batch *= batch[outer - 1];
  }
  std::vector<Start> starts;
  const std::int64_t calls = batch.product(0, outer);
  for (std::int64_t call = 0; call < calls; ++call) {
    Start start{0, 0, call * config.batch * c_size};
    std::int64_t rest = call;
    for (int axis = outer; axis-- > 0; rest /= batch[axis]) {
      start.a += rest % batch[axis] * stride_a[static_cast<std::size_t>(axis)];
      start.b += rest % batch[axis] * stride_b[static_cast<std::size_t>(axis)];
    }
    starts.push_back(start);
  }
  return starts;
}

struct Matmul final : OpClass<Matmul> {
  static constexpr std::string_view kName = "matmul";
  bool transpose_a, transpose_b;

  Matmul(bool ta, bool tb) : transpose_a(ta), transpose_b(tb) {}
  static void attributes(auto& op, auto&& visit) {
    visit("transpose_a", op.transpose_a);
    visit("transpose_b", op.transpose_b);
  }

  std::int64_t m(const Shape& a) const { return a.dim(transpose_a ? -1 : -2); }
  std::int64_t k(const Shape& a) const { return a.dim(transpose_a ? -2 : -1); }
  std::int64_t n(const Shape& b) const { return b.dim(transpose_b ? -2 : -1); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    const Shape& a = inputs[0].shape;
    const Shape& b = inputs[1].shape;
    require<GraphError>(a.rank() >= 2 && b.rank() >= 2, "both operands must be matrices: a is {}, b is {}", inputs[0],
                        inputs[1]);
    require<GraphError>(k(a) == b.dim(transpose_b ? -1 : -2), "inner sizes differ: a is {}{}, b is {}{}", inputs[0],
                        transpose_a ? " transposed" : "", inputs[1], transpose_b ? " transposed" : "");
    return {{f32, broadcast(batch_of(a), batch_of(b)).appended(m(a)).appended(n(b))}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    const Value a = context.in(0);
    const Value b = context.in(1);
    const Value d = context.d_out(0);
    std::vector<Gradient> result(2);
    if (context.needs(0)) {
      const Value da = transpose_a ? matmul(b, d, {.transpose_a = transpose_b, .transpose_b = true})
                                   : matmul(d, b, {.transpose_b = !transpose_b});
      result[0] = sum_to(da, a.shape());
    }
    if (context.needs(1)) {
      const Value db = transpose_b ? matmul(d, a, {.transpose_a = true, .transpose_b = transpose_a})
                                   : matmul(a, d, {.transpose_a = !transpose_a});
      result[1] = sum_to(db, b.shape());
    }
    return result;
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    cost.flops = 2.0 * static_cast<double>(outputs[0].shape.elements()) * static_cast<double>(k(inputs[0].shape));
    return cost;
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    const Value a = transposed_matrix_of(inputs[0]);
    const Value b = transposed_matrix_of(inputs[1]);
    if (!a && !b) return {};
    return {add_node(inputs[0].graph(),
                     Matmul(transpose_a != static_cast<bool>(a), transpose_b != static_cast<bool>(b)),
                     {a ? a : inputs[0], b ? b : inputs[1]}, SourceLocation::current())};
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    Value a = context.in(0);
    Value b = context.in(1);
    const int rank = std::max(a.rank() - (context.stepped[0] ? 1 : 0), b.rank() - (context.stepped[1] ? 1 : 0));
    if (context.stepped[0] && !context.stepped[1] && a.rank() == 3 && b.rank() == 2 && !transpose_a)
      return {matmul(a, b, {.transpose_b = transpose_b})};
    // Batched products, one a step.
    if (context.stepped[0]) a = with_rank_after_time(a, rank);
    if (context.stepped[1]) b = with_rank_after_time(b, rank);
    return {add_node(a.graph(), *this, {a, b}, SourceLocation::current())};
  }
  Value summed_over_time(const TimeContext& context) const override {
    const bool both = context.stepped[0] && context.stepped[1];
    if (!both || context.in(0).rank() != 3 || context.in(1).rank() != 3 || !transpose_a || transpose_b) return {};
    // The sum over steps of a^T b is one product over the rows of all steps.
    return matmul(flatten(context.in(0), 0, 1), flatten(context.in(1), 0, 1), {.transpose_a = true});
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const Shape& a = context.inputs[0].shape;
    const Shape& b = context.inputs[1].shape;
    const Shape& c = context.outputs[0].shape;
    if (c.elements() == 0) return {.run = [](const KernelArgs&) {}};
    if (context.invariant(1) && a.rank() == 2 && b.rank() == 2 && !transpose_a && k(a) > 0 &&
        PackedProduct::pays(m(a), n(b), k(a), transpose_b))
      return packed_kernel({m(a), n(b), k(a), transpose_b}, false);
    GemmConfig config{.m = m(a), .n = n(b), .k = k(a), .transpose_a = transpose_a, .transpose_b = transpose_b};
    std::vector<Start> starts = plan_batch(a, b, batch_of(c), config.m * config.n, config);
    const Gemm gemm(config);
    return {.run =
                [gemm, starts = std::move(starts)](const KernelArgs& args) {
                  for (const Start& start : starts)
                    gemm.run(args.in<float>(0) + start.a, args.in<float>(1) + start.b, args.out<float>(0) + start.c,
                             nullptr, args.scratch);
                },
            .scratch_bytes = gemm.scratch_bytes()};
  }
};

}  // namespace

Kernel packed_kernel(const PackedProduct& product, bool has_bias) {
  return {.run =
              [product, has_bias, descending = false](const KernelArgs& args) mutable {
                product.run(args.in<float>(0), args.scratch, has_bias ? args.in<float>(2) : nullptr, args.out<float>(0),
                            descending);
                descending = !descending;
              },
          .scratch_bytes = product.packed_bytes(),
          .prepare = [product](const KernelArgs& args) { product.pack(args.in<float>(1), args.scratch); }};
}

Value matmul(Operand a, Operand b, MatmulOptions options) {
  Value x = value_of(Matmul::kName, a);
  Value y = value_of(Matmul::kName, b);
  const Shape given = x.shape();
  const bool row = x.rank() == 1;
  const bool column = y.rank() == 1;
  if (row) x = expand_dims({x, a.where}, options.transpose_a ? 1 : 0);
  if (column) y = expand_dims({y, b.where}, options.transpose_b ? 0 : 1);
  const bool one_product = x.rank() > 2 && y.rank() == 2 && !options.transpose_a && x.dim(-1) > 0;
  if (one_product) {
    // Said here with the shape the user gave.
    require_argument(x.dim(-1) == y.dim(options.transpose_b ? 1 : 0), Matmul::kName, a,
                     "inner sizes differ: a is {}, b is {}{}", to_string(x.type()), to_string(y.type()),
                     options.transpose_b ? " transposed" : "");
    x = reshape({x, a.where}, {-1, x.dim(-1)});
  }
  Value result = add_node(x.graph(), Matmul(options.transpose_a, options.transpose_b), {x, y}, a.where);
  if (one_product) {
    Shape shape = given;
    shape[shape.rank() - 1] = result.dim(-1);
    result = reshape({result, a.where}, shape);
  }
  if (row) result = squeeze({result, a.where}, -2);
  if (column) result = squeeze({result, a.where}, -1);
  return result;
}

namespace {

struct MatmulCase {
  Shape a, b;
  MatmulOptions options = {};
};

OpCase matmul_case(std::string name, MatmulCase c, std::vector<CaseInput> bench = {}) {
  return {
      .name = std::move(name),
      .inputs = {{{f32, c.a}}, {{f32, c.b}}},
      .build = [options = c.options](Graph&, std::span<const Value> in) -> std::vector<Value> {
        return {matmul(in[0], in[1], options)};
      },
      .reference =
          [c](std::span<const std::vector<double>> in) {
            const bool ta = c.options.transpose_a;
            const bool tb = c.options.transpose_b;
            const std::int64_t m = c.a.dim(ta ? -1 : -2);
            const std::int64_t k = c.a.dim(ta ? -2 : -1);
            const std::int64_t n = c.b.dim(tb ? -2 : -1);
            const Shape batch = broadcast(batch_of(c.a), batch_of(c.b));
            const auto offset = [&batch](const Shape& shape, std::int64_t item) {
              const std::vector<std::int64_t> strides = batch_strides(shape, batch);
              std::int64_t result = 0;
              for (int axis = batch.rank(); axis-- > 0; item /= batch[axis])
                result += item % batch[axis] * strides[static_cast<std::size_t>(axis)];
              return result;
            };
            std::vector<double> out;
            for (std::int64_t item = 0; item < batch.elements(); ++item) {
              const double* a = in[0].data() + offset(c.a, item);
              const double* b = in[1].data() + offset(c.b, item);
              for (std::int64_t i = 0; i < m; ++i)
                for (std::int64_t j = 0; j < n; ++j) {
                  double sum = 0;
                  for (std::int64_t l = 0; l < k; ++l)
                    sum += (ta ? a[l * m + i] : a[i * k + l]) * (tb ? b[j * k + l] : b[l * n + j]);
                  out.push_back(sum);
                }
            }
            return FlatArrays{out};
          },
      .bench_inputs = std::move(bench),
  };
}

const RegisterOpCase case_plain{matmul_case("matmul", {{3, 4}, {4, 5}}, {{{f32, {3200, 512}}}, {{f32, {512, 10000}}}})};
const RegisterOpCase case_a{matmul_case("matmul/transpose_a", {{4, 3}, {4, 5}, {.transpose_a = true}},
                                        {{{f32, {3200, 512}}}, {{f32, {3200, 10000}}}})};
const RegisterOpCase case_b{matmul_case("matmul/transpose_b", {{3, 4}, {5, 4}, {.transpose_b = true}},
                                        {{{f32, {3200, 10000}}}, {{f32, {512, 10000}}}})};
const RegisterOpCase case_ab{
    matmul_case("matmul/transpose_both", {{4, 3}, {5, 4}, {.transpose_a = true, .transpose_b = true}})};
const RegisterOpCase case_rows{
    matmul_case("matmul/rows", {{2, 3, 4}, {4, 5}}, {{{f32, {100, 32, 256}}}, {{f32, {256, 2048}}}})};
const RegisterOpCase case_batched{
    matmul_case("matmul/batched", {{2, 3, 4}, {2, 4, 5}}, {{{f32, {32, 50, 512}}}, {{f32, {32, 512, 50}}}})};
const RegisterOpCase case_broadcast{matmul_case("matmul/broadcast", {{2, 1, 3, 4}, {3, 4, 5}})};
const RegisterOpCase case_shared_a{matmul_case("matmul/shared_a", {{3, 4}, {2, 5, 4}, {.transpose_b = true}})};
const RegisterOpCase case_mixed{matmul_case("matmul/mixed", {{2, 1, 2, 4, 3}, {1, 3, 1, 4, 5}, {.transpose_a = true}})};
const RegisterOpCase case_vectors{{
    .name = "matmul/vectors",
    .inputs = {{{f32, {3}}}, {{f32, {3, 4}}}, {{f32, {4}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {matmul(in[0], in[1]), matmul(in[1], in[2])};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> row(4, 0.0);
          std::vector<double> column(3, 0.0);
          for (std::size_t i = 0; i < 12; ++i) {
            row[i % 4] += in[0][i / 4] * in[1][i];
            column[i / 4] += in[1][i] * in[2][i % 4];
          }
          return FlatArrays{row, column};
        },
}};
const RegisterOpCase case_vectors_transposed{{
    .name = "matmul/vectors_transposed",
    .inputs = {{{f32, {3}}}, {{f32, {4, 3}}}, {{f32, {4}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {matmul(in[0], in[1], {.transpose_a = true, .transpose_b = true}),
              matmul(in[1], in[2], {.transpose_a = true, .transpose_b = true})};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> row(4, 0.0);
          std::vector<double> column(3, 0.0);
          for (std::size_t i = 0; i < 12; ++i) {
            row[i / 3] += in[0][i % 3] * in[1][i];
            column[i % 3] += in[1][i] * in[2][i / 3];
          }
          return FlatArrays{row, column};
        },
}};

}  // namespace
}  // namespace eddy
