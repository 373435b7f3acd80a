// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "eddy/core/math.h"
#include "eddy/core/threads.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/cast.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/div.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mean_divisor.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/softmax.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/where.h"

namespace eddy {
namespace {

/// Sizes and options both directions share.
struct Rows {
  std::int64_t count;
  std::int64_t classes;
  Reduction reduction;
  float label_smoothing;

  std::int64_t grain() const { return grain_of(classes, 2048); }
};

/// weights[row] (1 without weights), 0 at ignored positions.
float weight_of(const float* weights, const std::int32_t* targets, std::int64_t row) {
  if (targets[row] < 0) return 0;
  return weights == nullptr ? 1.0F : weights[row];
}

double weight_sum(const float* weights, const std::int32_t* targets, std::int64_t rows) {
  double sum = 0;
  for (std::int64_t row = 0; row < rows; ++row) sum += weight_of(weights, targets, row);
  return sum;
}

void check_targets(const std::int32_t* targets, const Rows& rows) {
  for (std::int64_t row = 0; row < rows.count; ++row)
    require<GraphError>(targets[row] < rows.classes, "target {} at position {} is out of range for {} classes",
                        targets[row], row, rows.classes);
}

struct CrossEntropyBase {
  Reduction reduction;
  float label_smoothing;

  static void attributes(auto& op, auto&& visit) {
    visit("reduction", op.reduction);
    visit("label_smoothing", op.label_smoothing);
  }
  Rows rows_of(const Shape& logits) const {
    return {logits.product(0, logits.rank() - 1), logits.dim(-1), reduction, label_smoothing};
  }
  Shape loss_shape(const Shape& targets) const { return reduction == Reduction::none ? targets : Shape(); }
};

struct CrossEntropyGradient final : OpClass<CrossEntropyGradient>, CrossEntropyBase {
  static constexpr std::string_view kName = "cross_entropy_gradient";
  using CrossEntropyBase::attributes;

  explicit CrossEntropyGradient(const CrossEntropyBase& base) : CrossEntropyBase(base) {}

  // inputs: logits, targets, reference and sum of exponentials of each row (see ExpSum), gradient of the loss, weights
  // (may be absent)
  static constexpr std::size_t kDLoss = 4, kWeights = 5;
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }

  /// The output is the gradient of a loss; its own gradient is a product with the Hessian, row by row
  /// scale * p * (v - <p, v>), composed of small ops.
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    const Value logits = context.in(0);
    const Value targets = context.in(1);
    const Value d_loss = context.in(kDLoss);
    const Value v = context.d_out(0);
    std::vector<Gradient> result(context.inputs.size());
    const bool has_weights = context.inputs.size() > kWeights;
    require<GraphError>(!has_weights || !context.needs(kWeights), "there is no gradient with respect to the weights");
    if (context.needs(0)) {
      Value weights = cast(greater_equal(targets, logits.graph().constant(Tensor::scalar(0))), f32);
      if (has_weights) weights = weights * context.in(kWeights);
      Value scale = weights;
      if (reduction == Reduction::mean) {
        const Value total = sum(weights);
        scale = where(not_equal(total, 0.0F), weights / mean_divisor(total), 0.0F);
      }
      scale = expand_dims(scale * d_loss, -1);
      // Of the logits alone, so that its own gradients are whole; rows without weight may hold anything.
      const Value p = softmax(where(expand_dims(not_equal(weights, 0.0F), -1), logits, 0.0F));
      result[0] = scale * p * (v - sum(p * v, -1, /*keep_dims=*/true));
    }
    if (context.needs(kDLoss)) {
      // Linear in the gradient of the loss.
      std::vector<Value> inputs(context.inputs.begin(), context.inputs.end());
      inputs[kDLoss] = full(d_loss.graph(), d_loss.type(), 1.0F);
      const Value unit = add_node(logits.graph(), CrossEntropyGradient(*this), inputs, SourceLocation::current());
      result[kDLoss] = reduction == Reduction::none ? sum(v * unit, -1) : sum(v * unit);
    }
    // The dependence through the sums is part of result[0].
    return result;
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    const auto elements = static_cast<double>(inputs[0].shape.elements());
    return {.flops = (kExpFlops + 1) * elements, .bytes = 8 * elements};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::share}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const bool has_weights = context.inputs.size() > kWeights;
    return {.run = [rows = rows_of(context.inputs[0].shape), has_weights](const KernelArgs& args) {
      const float* logits = args.in<float>(0);
      const auto* targets = args.in<std::int32_t>(1);
      const float* reference = args.in<float>(2);
      const float* sum = args.in<float>(3);
      const float* d_loss = args.in<float>(kDLoss);
      const float* weights = has_weights ? args.in<float>(kWeights) : nullptr;
      float* out = args.out<float>(0);
      check_targets(targets, rows);
      double scale = 1;
      if (rows.reduction == Reduction::mean) {
        const double total = weight_sum(weights, targets, rows.count);
        scale = total == 0 ? 0 : 1 / total;
      }
      parallel_for(rows.count, rows.grain(), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          float* d_row = out + row * rows.classes;
          const float d = d_loss[rows.reduction == Reduction::none ? row : 0];
          const auto factor = static_cast<float>(d * scale * weight_of(weights, targets, row));
          if (factor == 0) {
            vector_fill(0, d_row, rows.classes);
            continue;
          }
          exp_shifted_scaled(logits + row * rows.classes, reference[row], factor / sum[row], d_row, rows.classes);
          if (rows.label_smoothing != 0)
            vector_add_scalar(-factor * rows.label_smoothing / static_cast<float>(rows.classes), d_row, d_row,
                              rows.classes);
          d_row[targets[row]] -= factor * (1 - rows.label_smoothing);
        }
      });
    }};
  }
};

struct CrossEntropy final : OpClass<CrossEntropy>, CrossEntropyBase {
  static constexpr std::string_view kName = "cross_entropy";
  using CrossEntropyBase::attributes;

  CrossEntropy(Reduction r, float s) : CrossEntropyBase{r, s} {}

  // inputs: logits, targets, weights (may be absent); outputs: the loss, reference and sum of exponentials of each row
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const TensorType& logits = inputs[0];
    const TensorType& targets = inputs[1];
    require<GraphError>(logits.dtype == f32 && logits.shape.rank() >= 1 && logits.shape.dim(-1) >= 1,
                        "logits must be f32[.., classes] with at least one class, they are {}", to_string(logits));
    require<GraphError>(targets.dtype == i32 && targets.shape == logits.shape.removed(-1),
                        "targets must be {}, they are {}", to_string({i32, logits.shape.removed(-1)}),
                        to_string(targets));
    if (inputs.size() > 2)
      require<GraphError>(inputs[2] == TensorType{f32, targets.shape}, "weights must be {}, they are {}",
                          to_string({f32, targets.shape}), inputs[2]);
    require<GraphError>(label_smoothing >= 0 && label_smoothing <= 1, "label smoothing must be in [0,1], it is {}",
                        label_smoothing);
    return {{f32, loss_shape(targets.shape)}, {f32, targets.shape}, {f32, targets.shape}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    std::vector<Gradient> result(context.inputs.size());
    if (context.inputs.size() > 2)
      require<GraphError>(!context.needs(2), "there is no gradient with respect to the weights");
    if (!context.needs(0) || !context.d_out(0)) return result;
    std::vector<Value> inputs{context.in(0), context.in(1), context.out(1), context.out(2), context.d_out(0)};
    if (context.inputs.size() > 2) inputs.push_back(context.in(2));
    result[0] = add_node(inputs[0].graph(), CrossEntropyGradient(*this), inputs, SourceLocation::current());
    return result;
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    const auto elements = static_cast<double>(inputs[0].shape.elements());
    return {.flops = (kExpFlops + 1) * elements, .bytes = 4 * elements};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const bool has_weights = context.inputs.size() > 2;
    const Rows rows = rows_of(context.inputs[0].shape);
    const std::size_t scratch = reduction == Reduction::none ? 0 : static_cast<std::size_t>(rows.count) * sizeof(float);
    return {.run =
                [rows, has_weights](const KernelArgs& args) {
                  const float* logits = args.in<float>(0);
                  const auto* targets = args.in<std::int32_t>(1);
                  const float* weights = has_weights ? args.in<float>(2) : nullptr;
                  float* references = args.out<float>(1);
                  float* sums = args.out<float>(2);
                  const bool reduce = rows.reduction != Reduction::none;
                  float* losses = reduce ? static_cast<float*>(args.scratch) : args.out<float>(0);
                  check_targets(targets, rows);
                  parallel_for(rows.count, rows.grain(), [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) {
                      const float weight = weight_of(weights, targets, row);
                      // A position without weight may hold anything, even infinities; it is not looked at.
                      ExpSum sum{0, 1};
                      float loss = 0;
                      if (weight != 0) {
                        const float* row_logits = logits + row * rows.classes;
                        sum = exp_sum(row_logits, rows.classes);
                        loss = weight * row_loss(row_logits, targets[row], rows, sum);
                      }
                      if (references != nullptr) references[row] = sum.reference;
                      if (sums != nullptr) sums[row] = static_cast<float>(sum.sum);
                      if (losses != nullptr) losses[row] = loss;
                    }
                  });
                  if (!reduce || args.outputs[0] == nullptr) return;
                  double sum = 0;
                  for (std::int64_t row = 0; row < rows.count; ++row) sum += losses[row];
                  if (rows.reduction == Reduction::mean) {
                    const double total = weight_sum(weights, targets, rows.count);
                    sum = total == 0 ? 0 : sum / total;
                  }
                  *args.out<float>(0) = static_cast<float>(sum);
                },
            .scratch_bytes = scratch};
  }

 private:
  static float row_loss(const float* logits, std::int32_t target, const Rows& rows, const ExpSum& sum) {
    double expected = static_cast<double>(logits[target]) - sum.reference;
    if (rows.label_smoothing != 0) {
      const double mean = vector_sum(logits, rows.classes) / static_cast<double>(rows.classes) - sum.reference;
      expected += rows.label_smoothing * (mean - expected);
    }
    return static_cast<float>(sum.log_sum() - expected);
  }
};

}  // namespace

Value cross_entropy(Operand logits, Operand targets, const CrossEntropyOptions& options) {
  std::vector<Value> inputs{value_of(CrossEntropy::kName, logits), value_of(CrossEntropy::kName, targets)};
  if (options.weights) inputs.push_back(options.weights);
  return add_node(inputs[0].graph(), CrossEntropy(options.reduction, options.label_smoothing), inputs, logits.where);
}

namespace {

/// Logits [4,3,5] (60), targets with an ignored one, weights.
OpCase cross_entropy_case(std::string name, bool weighted, Reduction reduction, float smoothing,
                          std::vector<CaseInput> bench = {}) {
  std::vector<CaseInput> inputs{{{f32, {4, 3, 5}}},
                                {.type = {i32, {4, 3}}, .values = {0, 4, 2, -1, 1, 3, 0, 0, 4, 2, -1, 1}}};
  if (weighted) inputs.push_back({.type = {f32, {4, 3}}, .low = 0, .high = 2, .differentiable = false});
  return {
      .name = std::move(name),
      .inputs = std::move(inputs),
      .build = [=](Graph&, std::span<const Value> in) -> std::vector<Value> {
        const Value weights = weighted ? in[2] : Value();
        return {
            cross_entropy(in[0], in[1], {.weights = weights, .reduction = reduction, .label_smoothing = smoothing})};
      },
      .reference =
          [=](std::span<const std::vector<double>> in) {
            std::vector<double> losses;
            double total_weight = 0;
            double total = 0;
            for (std::size_t row = 0; row < in[1].size(); ++row) {
              const double* x = in[0].data() + row * 5;
              double sum = 0;
              double mean = 0;
              for (std::size_t c = 0; c < 5; ++c) {
                sum += std::exp(x[c]);
                mean += x[c] / 5;
              }
              const double weight = in[1][row] < 0 ? 0 : (weighted ? in[2][row] : 1);
              const double picked = in[1][row] < 0 ? 0 : x[static_cast<std::size_t>(in[1][row])];
              losses.push_back(weight * (std::log(sum) - (1 - smoothing) * picked - smoothing * mean));
              total += losses.back();
              total_weight += weight;
            }
            if (reduction == Reduction::none) return FlatArrays{losses};
            return FlatArrays{{reduction == Reduction::mean ? total / total_weight : total}};
          },
      .bench_inputs = std::move(bench),
  };
}

const RegisterOpCase case_mean{cross_entropy_case(
    "cross_entropy", false, Reduction::mean, 0,
    {{{f32, {3200, 10000}}}, {.type = {i32, {3200}}, .low = 0, .high = 10000, .index_of = CaseAxis{0, -1}}})};
const RegisterOpCase case_weighted{cross_entropy_case("cross_entropy/weighted", true, Reduction::mean, 0)};
const RegisterOpCase case_sum{cross_entropy_case("cross_entropy/sum", true, Reduction::sum, 0.1F)};
const RegisterOpCase case_none{cross_entropy_case("cross_entropy/none", true, Reduction::none, 0)};
const RegisterOpCase case_smooth{cross_entropy_case("cross_entropy/label_smoothing", false, Reduction::mean, 0.2F)};
// Nothing counts: the loss and its gradients are 0, not 0/0.
const RegisterOpCase case_ignored{{
    .name = "cross_entropy/all_ignored",
    .inputs = {{{f32, {2, 3}}}, {.type = {i32, {2}}, .values = {-1, -1}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {cross_entropy(in[0], in[1])}; },
    .reference = [](std::span<const std::vector<double>>) { return FlatArrays{{0.0}}; },
}};

}  // namespace
}  // namespace eddy
