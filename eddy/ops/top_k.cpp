// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/top_k.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eddy/core/select.h"
#include "eddy/core/threads.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/gather_along.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

/// Whether element `a` of a row comes before element `b` in the result.
struct Before {
  const float* row;

  bool operator()(std::int32_t a, std::int32_t b) const {
    const float x = row[a];
    const float y = row[b];
    if (x > y || (std::isnan(x) && !std::isnan(y))) return true;
    if (x < y || (std::isnan(y) && !std::isnan(x))) return false;
    return a < b;
  }
};

/// Keeps the k best elements so far in a heap whose top is the worst of them.
void select_row(const float* row, std::int64_t n, std::int64_t k, std::int32_t* best) {
  const Before before{row};
  std::iota(best, best + k, 0);
  std::make_heap(best, best + k, before);
  // Most elements are below the worst one kept; equal ones lose to it, as their index is higher.
  for (std::int64_t i = k; (i += vector_first_above(row + i, row[best[0]], n - i)) < n; ++i) {
    if (!before(static_cast<std::int32_t>(i), best[0])) continue;
    std::pop_heap(best, best + k, before);
    best[k - 1] = static_cast<std::int32_t>(i);
    std::push_heap(best, best + k, before);
  }
  std::sort_heap(best, best + k, before);
}

struct TopKOp final : OpClass<TopKOp> {
  static constexpr std::string_view kName = "top_k";
  std::int64_t k;
  explicit TopKOp(std::int64_t count) : k(count) {}
  static void attributes(auto& op, auto&& visit) { visit("k", op.k); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    const Shape& x = inputs[0].shape;
    require<GraphError>(x.rank() > 0 && k >= 1 && k <= x.dim(-1),
                        "k is {}, but the last axis of x {} must have that many", k, inputs[0]);
    Shape shape = x;
    shape[x.rank() - 1] = k;
    return {{f32, shape}, {i32, shape}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    if (!context.d_out(0)) return {Gradient()};
    return {scatter_along(context.d_out(0), context.out(1), -1, context.in(0).dim(-1))};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = static_cast<double>(inputs[0].shape.elements()), .bytes = static_cast<double>(inputs[0].bytes())};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t n = context.inputs[0].shape.dim(-1);
    const std::int64_t rows = context.outputs[0].shape.elements() / k;
    const bool indices_used = context.output_used[1];
    return {.run =
                [n, rows, k = k](const KernelArgs& args) {
                  const float* x = args.in<float>(0);
                  float* values = args.out<float>(0);
                  auto* indices =
                      args.outputs[1] != nullptr ? args.out<std::int32_t>(1) : static_cast<std::int32_t*>(args.scratch);
                  parallel_for(rows, grain_of(n), [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) {
                      std::int32_t* best = indices + row * k;
                      select_row(x + row * n, n, k, best);
                      if (values == nullptr) continue;
                      for (std::int64_t i = 0; i < k; ++i) values[row * k + i] = x[row * n + best[i]];
                    }
                  });
                },
            .scratch_bytes = indices_used ? 0 : context.outputs[1].bytes()};
  }
};

}  // namespace

TopK top_k(Operand x, std::int64_t k) {
  const std::vector<Value> outputs = value_of(TopKOp::kName, x).graph().outputs(unary_node(TopKOp(k), x));
  return {.values = outputs[0], .indices = outputs[1]};
}

namespace {

// Elements differ by more than the steps of finite differences, but for the one tie of the second row when asked for.
OpCase top_k_case(const std::string& label, std::int64_t k, bool tie) {
  std::vector<double> values{0.5, -1, 2, 1.25, -0.25, 3, 1, -2, 0.25, 1.75, -3, 0.75};
  if (tie) values[9] = 1;
  return {
      .name = "top_k/" + label,
      .inputs = {{.type = {f32, {2, 6}}, .differentiable = !tie, .values = values}},
      .build = [k](Graph&, std::span<const Value> x) -> std::vector<Value> {
        const TopK best = top_k(x[0], k);
        return {best.values, best.indices};
      },
      .reference =
          [k](std::span<const std::vector<double>> x) {
            FlatArrays result(2);
            for (std::size_t row = 0; row < 2; ++row) {
              std::vector<std::size_t> order{0, 1, 2, 3, 4, 5};
              std::ranges::stable_sort(
                  order, [&](std::size_t a, std::size_t b) { return x[0][row * 6 + a] > x[0][row * 6 + b]; });
              for (std::size_t i = 0; i < static_cast<std::size_t>(k); ++i) {
                result[0].push_back(x[0][row * 6 + order[i]]);
                result[1].push_back(static_cast<double>(order[i]));
              }
            }
            return result;
          },
      .bench_inputs = {{{f32, {320, 10000}}}},
  };
}

const RegisterOpCase case_one{top_k_case("1", 1, false)};
const RegisterOpCase case_some{top_k_case("4", 4, false)};
const RegisterOpCase case_all{top_k_case("all", 6, false)};
const RegisterOpCase case_ties{top_k_case("ties", 3, true)};

}  // namespace
}  // namespace eddy
