// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/linear_argmax.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "eddy/core/gemm.h"
#include "eddy/core/gemm_blocks.h"
#include "eddy/core/packed_product.h"
#include "eddy/core/select.h"
#include "eddy/core/table_screen.h"
#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/argmax.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/scratch_plan.h"
#include "eddy/ops/transpose.h"

namespace eddy {
namespace {

/// Classes whose part of the screen stays in cache for all rows.
constexpr std::int64_t kClassesAtOnce = 64;
/// With more than one class in so many left, all logits cost less than those that are left.
constexpr std::int64_t kFewestRuledOut = 16;
/// Below this a screen has too little to rule out.
constexpr std::int64_t kFewestClasses = 256;

void largest_of_rows(const float* logits, std::int64_t rows, std::int64_t classes, std::int32_t* out) {
  parallel_for(rows, grain_of(classes), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      out[row] = static_cast<std::int32_t>(vector_first_largest(logits + row * classes, classes));
  });
}

/// Few rows against a table that stays the same, too large for a core's cache.
class ScreenedArgmax {
 public:
  ScreenedArgmax(std::int64_t rows, std::int64_t classes, std::int64_t size)
      : rows_(rows),
        classes_(classes),
        size_(size),
        width_(screen_width(size)),
        product_({.m = rows, .n = classes, .k = size, .transpose_b = true, .has_bias = true}),
        single_(GemmConfig{.m = 1, .n = 1, .k = size, .transpose_b = true, .has_bias = true}.resolved()),
        scratch_(product_.scratch_bytes()) {
    // Four integers take the place of a float.
    integers_at_ = scratch_.take<float>(screen_rows_kept(classes) * (width_ / 4));
    scales_at_ = scratch_.take<float>(classes);
    errors_at_ = scratch_.take<float>(classes);
    x_at_ = scratch_.take<float>(rows * width_);
    norms_at_ = scratch_.take<float>(rows);
    upper_at_ = scratch_.take<float>(rows * classes);
    lower_at_ = scratch_.take<float>(num_threads() * rows);
  }

  std::size_t scratch_bytes() const { return scratch_.bytes(); }

  void prepare(const KernelArgs& args) const {
    const TableScreen screen = screen_of(args);
    parallel_for(classes_, grain_of(size_), [&](std::int64_t begin, std::int64_t end) {
      screen_rows(args.in<float>(1), size_, begin, end, screen);
    });
  }

  void run(const KernelArgs& args) const {
    if (screened(args)) return;
    float* logits = scratch_at<float>(args, upper_at_);
    product_.run(args.in<float>(0), args.in<float>(1), logits, args.in<float>(2), args.scratch);
    largest_of_rows(logits, rows_, classes_, args.out<std::int32_t>(0));
  }

 private:
  TableScreen screen_of(const KernelArgs& args) const {
    return {scratch_at<std::int8_t>(args, integers_at_), scratch_at<float>(args, scales_at_),
            scratch_at<float>(args, errors_at_)};
  }

  /// False when the bounds do not rule enough out.
  bool screened(const KernelArgs& args) const {
    float *x = scratch_at<float>(args, x_at_), *norms = scratch_at<float>(args, norms_at_),
          *upper = scratch_at<float>(args, upper_at_), *lower = scratch_at<float>(args, lower_at_);
    for (std::int64_t row = 0; row < rows_; ++row) {
      const float* from = args.in<float>(0) + row * size_;
      std::copy_n(from, size_, x + row * width_);
      std::fill_n(x + row * width_ + size_, width_ - size_, 0.0F);
      norms[row] = screen_norm(from, size_);
      if (!std::isfinite(norms[row])) return false;
    }
    std::fill_n(lower, num_threads() * rows_, -std::numeric_limits<float>::infinity());
    const TableScreen screen = screen_of(args);
    parallel_parts(classes_, grain_of(size_), [&](int thread, std::int64_t begin, std::int64_t end) {
      for (std::int64_t cls = begin; cls < end; cls += kClassesAtOnce)
        for (std::int64_t row = 0; row < rows_; ++row) {
          float& best = lower[thread * rows_ + row];
          best = std::max(best, screen_bounds(screen, size_, x + row * width_, norms[row], args.in<float>(2), cls,
                                              std::min(cls + kClassesAtOnce, end), upper + row * classes_));
        }
    });
    for (std::int64_t row = 0; row < rows_; ++row) {
      float bound = lower[row];
      for (int thread = 1; thread < num_threads(); ++thread) bound = std::max(bound, lower[thread * rows_ + row]);
      if (!decide(args, row, upper + row * classes_, bound)) return false;
    }
    return true;
  }

  /// Computes the logits whose upper bound is not below `bound`, unless they are many.
  bool decide(const KernelArgs& args, std::int64_t row, const float* upper, float bound) const {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    if (bound == -kInfinity) return false;
    std::int64_t best = -1, left = classes_ / kFewestRuledOut;
    float largest = 0;
    for (std::int64_t cls = 0; (cls += vector_first_at_least(upper + cls, bound, classes_ - cls)) < classes_; ++cls) {
      if (--left < 0) return false;
      float logit = 0;
      gemm_block(single_, GemmMethod::thin, {0, 1, 0, 1}, args.in<float>(0) + row * size_,
                 args.in<float>(1) + cls * size_, &logit, args.in<float>(2) + cls, nullptr);
      if (best >= 0 && (std::isnan(largest) || !(logit > largest || std::isnan(logit)))) continue;
      best = cls;
      largest = logit;
    }
    if (best < 0) return false;
    args.out<std::int32_t>(0)[row] = static_cast<std::int32_t>(best);
    return true;
  }

  std::int64_t rows_, classes_, size_, width_;
  Gemm product_;
  GemmConfig single_;
  ScratchPlan scratch_;
  std::size_t integers_at_, scales_at_, errors_at_, x_at_, norms_at_, upper_at_, lower_at_;
};

struct LinearArgmax final : OpClass<LinearArgmax> {
  static constexpr std::string_view kName = "linear_argmax";

  // inputs: x [rows, size], table [classes, size], bias
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    const TensorType logits = linear_type(inputs[0], inputs[1], true);
    const std::int64_t classes = logits.shape[1];
    require<GraphError>(inputs[2].shape == Shape{classes}, "the bias is {}, expected f32[{}]", inputs[2], classes);
    require<GraphError>(classes > 0, "there is no argmax of nothing: table is {}", inputs[1]);
    return {{i32, {logits.shape[0]}}};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    cost.flops = 2.0 * static_cast<double>(inputs[0].shape[0]) * static_cast<double>(inputs[1].shape.elements());
    return cost;
  }
  /// A product with a transposed table is not one of dot products.
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    const Value w = transposed_matrix_of(inputs[1]);
    if (!w) return {};
    return {argmax(linear(inputs[0], w, inputs[2]))};
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    if (!context.stepped[0] || context.stepped[1] || context.stepped[2]) return {};
    return {linear_argmax(context.in(0), context.in(1), context.in(2))};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t rows = context.inputs[0].shape[0], size = context.inputs[0].shape[1],
                       classes = context.inputs[1].shape[0];
    if (rows == 0) return {.run = [](const KernelArgs&) {}};
    if (context.invariant(1) && !PackedProduct::pays(rows, classes, size, true) && rows <= kGemmDotRows &&
        classes >= kFewestClasses && size > 1) {
      const ScreenedArgmax screened(rows, classes, size);
      return {.run = [screened](const KernelArgs& args) { screened.run(args); },
              .scratch_bytes = screened.scratch_bytes(),
              .prepare = [screened](const KernelArgs& args) { screened.prepare(args); }};
    }
    const TensorType type = linear_type(context.inputs[0], context.inputs[1], true);
    const bool used = true;
    const Kernel product =
        linear_kernel({context.inputs, {&type, 1}, {&used, 1}, context.input_invariant}, true, Activation::none);
    ScratchPlan scratch(product.scratch_bytes);
    const std::size_t logits_at = scratch.take(type.bytes());
    return {.run =
                [=](const KernelArgs& args) {
                  auto* logits = scratch_at<float>(args, logits_at);
                  void* output = logits;
                  product.run({args.inputs, &output, args.scratch});
                  largest_of_rows(logits, rows, classes, args.out<std::int32_t>(0));
                },
            .scratch_bytes = scratch.bytes(),
            .prepare = product.prepare};
  }
};

}  // namespace

Value linear_argmax(Operand x, Operand table, Operand bias) {
  const auto [rows, weights, given] = linear_operands(LinearArgmax::kName, x, table, /*transpose_w=*/true, "table");
  const Value out =
      add_node(rows.graph(), LinearArgmax{}, {rows, weights, value_of(LinearArgmax::kName, bias)}, x.where);
  return reshape({out, x.where}, given.removed(-1));
}

namespace {

/// The table has equal rows.
const RegisterOpCase case_linear_argmax{{
    .name = "linear_argmax",
    .inputs = {{.type = {f32, {2, 3, 4}}, .differentiable = false},
               {.type = {f32, {5, 4}}, .differentiable = false, .values = {1, -2,   0.5, 3, -1, 2, 4, 0.25, -1,  2,
                                                                           4, 0.25, 0,   1, -3, 2, 1, -2,   0.5, 3}},
               {.type = {f32, {5}}, .differentiable = false, .values = {0.5, 0, 0, 0.25, 0.5}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {linear_argmax(in[0], in[1], in[2])};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out;
          for (std::size_t row = 0; row < 6; ++row) {
            std::size_t best = 0;
            double largest = 0;
            for (std::size_t c = 0; c < 5; ++c) {
              double logit = in[2][c];
              for (std::size_t k = 0; k < 4; ++k) logit += in[0][row * 4 + k] * in[1][c * 4 + k];
              if (c == 0 || logit > largest) {
                best = c;
                largest = logit;
              }
            }
            out.push_back(static_cast<double>(best));
          }
          return FlatArrays{out};
        },
    .bench_inputs = {{.type = {f32, {32, 512}}, .differentiable = false},
                     {.type = {f32, {10000, 512}}, .differentiable = false},
                     {.type = {f32, {10000}}, .differentiable = false}},
}};

}  // namespace
}  // namespace eddy
