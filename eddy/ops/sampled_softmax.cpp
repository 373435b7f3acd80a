// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/sampled_softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "eddy/core/math.h"
#include "eddy/core/threads.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/add.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/cast.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/div.h"
#include "eddy/ops/id_table.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/logsumexp.h"
#include "eddy/ops/mean_divisor.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/where.h"

namespace eddy {
namespace {

/// For each sampled id its positions, ascending, as chains; built at every run in scratch memory.
class HitFinder {
 public:
  static std::size_t bytes(std::int64_t samples) {
    return IdTable::bytes(samples) + static_cast<std::size_t>(samples) * sizeof(std::int32_t);
  }
  HitFinder(void* scratch, const std::int32_t* ids, std::int64_t samples)
      : next_(static_cast<std::int32_t*>(scratch)), table_(next_ + samples, samples) {
    for (std::int64_t i = samples; i-- > 0;) {
      require<GraphError>(ids[i] >= 0, "sampled id {} at position {} is negative", ids[i], i);
      next_[i] = table_.put(ids[i], static_cast<std::int32_t>(i));
    }
  }
  /// Calls body(position) for each sample that is `target`.
  template <class Body>
  void for_each(std::int32_t target, Body&& body) const {
    if (target < 0) return;
    for (std::int32_t i = table_.find(target); i >= 0; i = next_[i]) body(i);
  }

 private:
  std::int32_t* next_;
  IdTable table_;
};

float log_add_exp(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<float>::quiet_NaN();
  const float high = std::max(a, b);
  // Two infinities have no difference.
  if (std::isinf(high)) return high;
  return high + std::log1p(std::exp(std::min(a, b) - high));
}

/// d_lse * exp(logits - lse), and 0 at accidental hits.
struct NegativesGradient final : OpClass<NegativesGradient> {
  static constexpr std::string_view kName = "negatives_log_sum_exp_gradient";

  // inputs: logits, ids, targets, lse, d_lse
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    const Value v = context.d_out(0);
    std::vector<Gradient> result(5);
    if (context.needs(0)) {
      // The dependence through lse is part of this.
      const Value y = context.out(0);
      result[0] = y * v - probabilities(context) * sum(y * v, -1, /*keep_dims=*/true);
    }
    if (context.needs(4)) result[4] = sum(probabilities(context) * v, -1);
    return result;
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = (kExpFlops + 1) * static_cast<double>(inputs[0].shape.elements()),
            .bytes = 2 * static_cast<double>(inputs[0].bytes())};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::share}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t rows = context.inputs[0].shape[0];
    const std::int64_t samples = context.inputs[0].shape[1];
    return {.run =
                [rows, samples](const KernelArgs& args) {
                  const HitFinder hits(args.scratch, args.in<std::int32_t>(1), samples);
                  const float* logits = args.in<float>(0);
                  const auto* targets = args.in<std::int32_t>(2);
                  const float* lse = args.in<float>(3);
                  const float* d_lse = args.in<float>(4);
                  float* out = args.out<float>(0);
                  parallel_for(rows, grain_of(samples, 2048), [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) {
                      float* d_row = out + row * samples;
                      if (d_lse[row] == 0) {
                        vector_fill(0, d_row, samples);
                        continue;
                      }
                      exp_shifted_scaled(logits + row * samples, lse[row], d_lse[row], d_row, samples);
                      hits.for_each(targets[row], [d_row](std::int32_t i) { d_row[i] = 0; });
                    }
                  });
                },
            .scratch_bytes = HitFinder::bytes(samples)};
  }

 private:
  static Value probabilities(const GradientContext& context) {
    const Value d = context.in(4);
    std::vector<Value> inputs(context.inputs.begin(), context.inputs.end());
    inputs[4] = full(d.graph(), d.type(), 1.0F);
    return add_node(d.graph(), NegativesGradient{}, inputs, SourceLocation::current());
  }
};

struct NegativesLogSumExp final : OpClass<NegativesLogSumExp> {
  static constexpr std::string_view kName = "negatives_log_sum_exp";

  // inputs: logits, ids, targets
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const Shape& logits = inputs[0].shape;
    require<GraphError>(inputs[0].dtype == f32 && logits.rank() == 2, "logits must be f32[rows, samples], they are {}",
                        inputs[0]);
    require<GraphError>(inputs[1] == TensorType{i32, {logits[1]}} && inputs[2] == TensorType{i32, {logits[0]}},
                        "ids {} and targets {} do not fit logits {}", inputs[1], inputs[2], inputs[0]);
    return {{f32, {logits[0]}}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {add_node(context.in(0).graph(), NegativesGradient{},
                     {context.in(0), context.in(1), context.in(2), context.out(0), context.d_out(0)},
                     SourceLocation::current()),
            {},
            {}};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = (kExpFlops + 1) * static_cast<double>(inputs[0].shape.elements()),
            .bytes = static_cast<double>(inputs[0].bytes())};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t rows = context.inputs[0].shape[0];
    const std::int64_t samples = context.inputs[0].shape[1];
    return {.run =
                [rows, samples](const KernelArgs& args) {
                  const HitFinder hits(args.scratch, args.in<std::int32_t>(1), samples);
                  const float* logits = args.in<float>(0);
                  const auto* targets = args.in<std::int32_t>(2);
                  float* out = args.out<float>(0);
                  parallel_for(rows, grain_of(samples, 2048), [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) {
                      // The stretches between hits, one after another.
                      const float* x = logits + row * samples;
                      float total = -std::numeric_limits<float>::infinity();
                      std::int64_t from = 0;
                      const auto add_until = [&](std::int64_t to) {
                        if (to > from) total = log_add_exp(total, log_sum_exp(x + from, to - from));
                        from = to + 1;
                      };
                      hits.for_each(targets[row], add_until);
                      add_until(samples);
                      out[row] = total;
                    }
                  });
                },
            .scratch_bytes = HitFinder::bytes(samples)};
  }
};

}  // namespace

Value negatives_log_sum_exp(Operand logits, Operand ids, Operand targets) {
  const Value x = value_of(NegativesLogSumExp::kName, logits);
  return add_node(x.graph(), NegativesLogSumExp{}, {x, ids.value, targets.value}, logits.where);
}

Value sampled_softmax_cross_entropy(Operand hidden, Operand table, Operand bias, Operand targets,
                                    const SampledIds& sampled, const SampledSoftmaxOptions& options) {
  constexpr std::string_view kName = "sampled_softmax_cross_entropy";
  const Value h = value_of(kName, hidden);
  const Value w = value_of(kName, table);
  const Value b = value_of(kName, bias);
  const Value target = value_of(kName, targets);
  require_argument(h.rank() == 2 && w.rank() == 2 && h.dim(1) == w.dim(1) && b.shape() == Shape{w.dim(0)} &&
                       target.shape() == Shape{h.dim(0)},
                   kName, hidden,
                   "expected [rows,size], [vocabulary,size], [vocabulary] and [rows], found hidden {}, table {}, bias "
                   "{}, targets {}",
                   to_string(h.type()), to_string(w.type()), to_string(b.type()), to_string(target.type()));
  require_argument(!options.weights || options.weights.type() == TensorType{f32, target.shape()}, kName, hidden,
                   "weights must be {}, they are {}", to_string({f32, target.shape()}),
                   options.weights ? to_string(options.weights.type()) : "none");
  Graph& graph = h.graph();
  // One line of the user's file for all of it.
  const OriginScope origin(hidden.where);
  Value weights = cast(greater_equal(target, graph.constant(Tensor::scalar(0))), f32);
  if (options.weights) weights = weights * options.weights;
  // A row without weight may hold anything, even infinities; it is not looked at.
  const Value rows = where(expand_dims(not_equal(weights, 0.0F), -1), h, 0.0F);
  const Value true_logits =
      sum(rows * gather_rows(w, target), 1) + gather_rows(b, target) - sampled.log_expected_targets;
  const Value sampled_logits = linear(rows, gather_rows(w, sampled.ids),
                                      gather_rows(b, sampled.ids) - sampled.log_expected, {.transpose_w = true});
  const Value negatives = options.remove_accidental_hits
                              ? negatives_log_sum_exp(sampled_logits, sampled.ids, target)
                              : negatives_log_sum_exp(sampled_logits, sampled.ids, full(graph, target.type(), -1));
  const Value loss = (logsumexp(stack({true_logits, negatives}, 1), 1) - true_logits) * weights;
  if (options.reduction == Reduction::none) return loss;
  if (options.reduction == Reduction::sum) return sum(loss);
  return sum(loss) / mean_divisor(sum(weights));
}

namespace {

const RegisterOpCase case_negatives{{
    .name = "negatives_log_sum_exp",
    .inputs = {{{f32, {4, 5}}},
               {.type = {i32, {5}}, .values = {3, 8, 3, 0, 6}},
               {.type = {i32, {4}}, .values = {3, 6, -1, 7}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {negatives_log_sum_exp(in[0], in[1], in[2])};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out(4, 0.0);
          for (std::size_t i = 0; i < 20; ++i)
            if (in[1][i % 5] != in[2][i / 5]) out[i / 5] += std::exp(in[0][i]);
          for (double& value : out) value = std::log(value);
          return FlatArrays{out};
        },
    .bench_inputs = {{{f32, {3200, 4096}}}, {{i32, {4096}}, 0, 100000}, {{i32, {3200}}, 0, 100000}},
}};

// Fixed samples and corrections; row 2 is ignored, row 0 hits sample 1, rows 3 and 4 share a target.
const RegisterOpCase case_sampled{{
    .name = "negatives_log_sum_exp/sampled_softmax",
    .inputs = {{{f32, {5, 3}}, -1, 1},
               {{f32, {7, 3}}, -1, 1},
               {{f32, {7}}, -1, 1},
               {.type = {i32, {5}}, .values = {4, 2, -1, 6, 6}},
               {.type = {i32, {3}}, .values = {0, 4, 5}},
               {.type = {f32, {3}}, .low = -2, .high = 0, .differentiable = false},
               {.type = {f32, {5}}, .low = -2, .high = 0, .differentiable = false},
               {.type = {f32, {5}}, .low = 0.25F, .high = 2, .differentiable = false}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {sampled_softmax_cross_entropy(in[0], in[1], in[2], in[3], {in[4], in[5], in[6]}, {.weights = in[7]})};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          double total = 0;
          double total_weight = 0;
          for (std::size_t row = 0; row < 5; ++row) {
            if (in[3][row] < 0) continue;
            const auto logit = [&](double id, double log_expected) {
              const auto k = static_cast<std::size_t>(id);
              double value = in[2][k] - log_expected;
              for (std::size_t j = 0; j < 3; ++j) value += in[0][row * 3 + j] * in[1][k * 3 + j];
              return value;
            };
            const double own = logit(in[3][row], in[6][row]);
            double sum = std::exp(own);
            for (std::size_t s = 0; s < 3; ++s)
              if (in[4][s] != in[3][row]) sum += std::exp(logit(in[4][s], in[5][s]));
            total += in[7][row] * (std::log(sum) - own);
            total_weight += in[7][row];
          }
          return FlatArrays{{total / total_weight}};
        },
}};

}  // namespace
}  // namespace eddy
