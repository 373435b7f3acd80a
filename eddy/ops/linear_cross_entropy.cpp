// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/linear_cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "eddy/core/gemm.h"
#include "eddy/core/math.h"
#include "eddy/core/tensor.h"
#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/add.h"
#include "eddy/ops/cast.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/div.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

/// Logits that exist at once, at most (with the fewest rows that make products worth while).
constexpr std::int64_t kLogits = std::int64_t{1} << 23;
constexpr std::int64_t kFewestRows = 64;
constexpr std::int64_t kMostRows = 1024;

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// The three products of `rows` rows.
struct Products {
  std::int64_t rows;
  Gemm logits, d_hidden, d_table;

  Products(std::int64_t count, std::int64_t classes, std::int64_t size)
      : rows(count),
        logits({.m = count, .n = classes, .k = size, .transpose_b = true, .has_bias = true}),
        d_hidden({.m = count, .n = size, .k = classes}),
        d_table({.m = classes, .n = size, .k = count, .transpose_a = true, .accumulate = true}) {}
  std::size_t scratch_bytes() const {
    return std::max({logits.scratch_bytes(), d_hidden.scratch_bytes(), d_table.scratch_bytes()});
  }
};

/// The work of a run, planned for its sizes.
class Chunks {
 public:
  Chunks(std::int64_t rows, std::int64_t classes, std::int64_t size) : rows_(rows), classes_(classes), size_(size) {
    const std::int64_t most = std::clamp(kLogits / std::max<std::int64_t>(classes, 1), kFewestRows, kMostRows);
    const std::int64_t largest = std::max<std::int64_t>(1, std::min(most, rows));
    // Smaller ones for what is left over: rows that only fill up are computed in vain.
    for (std::int64_t count = largest;; count = (count + 7) / 8) {
      products_.emplace_back(count, classes, size);
      if (count == 1) break;
    }
    const auto floats = [](std::int64_t count) { return aligned(static_cast<std::size_t>(count) * sizeof(float)); };
    order_at_ = 0;
    hidden_at_ = order_at_ + floats(rows);
    d_hidden_at_ = hidden_at_ + floats(largest * size);
    logits_at_ = d_hidden_at_ + floats(largest * size);
    losses_at_ = logits_at_ + floats(largest * classes);
    gemm_at_ = losses_at_ + floats(rows);
    std::size_t gemm = 0;
    for (const Products& products : products_) gemm = std::max(gemm, products.scratch_bytes());
    scratch_bytes_ = gemm_at_ + gemm;
  }

  std::size_t scratch_bytes() const { return scratch_bytes_; }

  void run(const KernelArgs& args) const {
    auto* order = at<std::int32_t>(args, order_at_);
    const std::int64_t count = list_rows(args, order);
    if (float* d_hidden = args.out<float>(1)) vector_fill(0, d_hidden, rows_ * size_);
    if (float* d_table = args.out<float>(2)) {
      parallel_for(classes_ * size_, kElementwiseGrain,
                   [&](std::int64_t begin, std::int64_t end) { vector_fill(0, d_table + begin, end - begin); });
    }
    if (float* d_bias = args.out<float>(3)) vector_fill(0, d_bias, classes_);
    for (std::int64_t done = 0; done < count;) {
      const Products& products = products_for(count - done);
      const std::int64_t taken = std::min(products.rows, count - done);
      run_chunk(args, products, order + done, taken, at<float>(args, losses_at_) + done);
      done += taken;
    }
    double loss = 0;
    for (std::int64_t i = 0; i < count; ++i) loss += static_cast<double>(at<float>(args, losses_at_)[i]);
    if (args.outputs[0] != nullptr) *args.out<float>(0) = static_cast<float>(loss);
  }

 private:
  template <class T>
  static T* at(const KernelArgs& args, std::size_t offset) {
    return reinterpret_cast<T*>(static_cast<std::byte*>(args.scratch) + offset);
  }

  /// The largest that the rest fills by more than half.
  const Products& products_for(std::int64_t rest) const {
    return *std::ranges::find_if(products_, [rest](const Products& p) { return p.rows < 2 * rest; });
  }

  /// Rows with a loss, in order.
  std::int64_t list_rows(const KernelArgs& args, std::int32_t* order) const {
    const auto* targets = args.in<std::int32_t>(3);
    const float* weights = args.in<float>(4);
    std::int64_t count = 0;
    for (std::int64_t row = 0; row < rows_; ++row) {
      require<GraphError>(targets[row] < classes_, "target {} at position {} is out of range for {} classes",
                          targets[row], row, classes_);
      if (targets[row] >= 0 && weights[row] != 0) order[count++] = static_cast<std::int32_t>(row);
    }
    return count;
  }

  void run_chunk(const KernelArgs& args, const Products& products, const std::int32_t* order, std::int64_t taken,
                 float* losses) const {
    const float* hidden = args.in<float>(0);
    const float* table = args.in<float>(1);
    const auto* targets = args.in<std::int32_t>(3);
    const float* weights = args.in<float>(4);
    float* x = at<float>(args, hidden_at_);
    float* logits = at<float>(args, logits_at_);
    void* scratch = at<std::byte>(args, gemm_at_);
    const bool differentiate = args.outputs[1] != nullptr || args.outputs[2] != nullptr || args.outputs[3] != nullptr;
    const std::size_t row_bytes = static_cast<std::size_t>(size_) * sizeof(float);
    for (std::int64_t i = 0; i < taken; ++i) std::memcpy(x + i * size_, hidden + order[i] * size_, row_bytes);
    vector_fill(0, x + taken * size_, (products.rows - taken) * size_);
    products.logits.run(x, table, logits, args.in<float>(2), scratch);
    const std::int64_t grain = std::max<std::int64_t>(1, 2048 / std::max<std::int64_t>(1, classes_));
    parallel_for(products.rows, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        float* row = logits + i * classes_;
        if (i >= taken) {
          vector_fill(0, row, classes_);
          continue;
        }
        const std::int32_t target = targets[order[i]];
        const float weight = weights[order[i]];
        const float lse = log_sum_exp(row, classes_);
        losses[i] = weight * (lse - row[target]);
        if (!differentiate) continue;
        exp_shifted_scaled(row, lse, weight, row, classes_);
        row[target] -= weight;
      }
    });
    if (float* d_hidden = args.out<float>(1)) {
      float* d_x = at<float>(args, d_hidden_at_);
      products.d_hidden.run(logits, table, d_x, nullptr, scratch);
      for (std::int64_t i = 0; i < taken; ++i) std::memcpy(d_hidden + order[i] * size_, d_x + i * size_, row_bytes);
    }
    if (float* d_table = args.out<float>(2)) products.d_table.run(logits, x, d_table, nullptr, scratch);
    if (float* d_bias = args.out<float>(3)) column_sum(logits, taken, classes_, classes_, /*accumulate=*/true, d_bias);
  }

  std::int64_t rows_, classes_, size_;
  std::vector<Products> products_;  ///< falling in size, down to one row
  std::size_t order_at_, hidden_at_, d_hidden_at_, logits_at_, losses_at_, gemm_at_, scratch_bytes_;
};

struct LinearCrossEntropy final : OpClass<LinearCrossEntropy> {
  static constexpr std::string_view kName = "linear_cross_entropy";

  // inputs: hidden, table, bias, targets, weights; outputs: the loss and its gradients by the first three
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const TensorType &hidden = inputs[0], &table = inputs[1];
    require<GraphError>(hidden.dtype == f32 && hidden.shape.rank() == 2 && table.dtype == f32 &&
                            table.shape.rank() == 2 && table.shape[1] == hidden.shape[1] && table.shape[0] >= 1,
                        "hidden must be f32[rows, size] and table f32[classes, size], they are {} and {}",
                        to_string(hidden), to_string(table));
    const TensorType bias{f32, {table.shape[0]}}, targets{i32, {hidden.shape[0]}}, weights{f32, {hidden.shape[0]}};
    require<GraphError>(inputs[2] == bias && inputs[3] == targets && inputs[4] == weights,
                        "bias, targets and weights must be {}, {} and {}, they are {}, {} and {}", to_string(bias),
                        to_string(targets), to_string(weights), to_string(inputs[2]), to_string(inputs[3]),
                        to_string(inputs[4]));
    return {{f32, {}}, hidden, table, bias};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    require<GraphError>(!context.needs(4), "[linear_cross_entropy] has no gradient with respect to its weights");
    for (int output = 1; output < 4; ++output)
      require<GraphError>(!context.d_out(output), "[linear_cross_entropy] has no second derivative");
    std::vector<Gradient> result(5);
    for (int i = 0; i < 3; ++i)
      if (context.needs(i)) result[static_cast<std::size_t>(i)] = mul(context.out(i + 1), context.d_out(0));
    return result;
  }
  /// As if every row counted and all gradients were wanted.
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    const auto rows = static_cast<double>(inputs[0].shape[0]), size = static_cast<double>(inputs[0].shape[1]),
               classes = static_cast<double>(inputs[1].shape[0]);
    return {.flops = 6 * rows * classes * size + 6 * rows * classes,
            .bytes = 4 * (2 * rows * size + 2 * classes * size + 4 * rows * classes)};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const auto chunks = std::make_shared<const Chunks>(context.inputs[0].shape[0], context.inputs[1].shape[0],
                                                       context.inputs[0].shape[1]);
    return {.run = [chunks](const KernelArgs& args) { chunks->run(args); }, .scratch_bytes = chunks->scratch_bytes()};
  }
};

}  // namespace

Value linear_cross_entropy(Operand hidden, Operand table, Operand bias, Operand targets, Operand weights) {
  const Value h = value_of(LinearCrossEntropy::kName, hidden);
  return add_node(h.graph(), LinearCrossEntropy{},
                  {h, value_of(LinearCrossEntropy::kName, table), value_of(LinearCrossEntropy::kName, bias),
                   value_of(LinearCrossEntropy::kName, targets), value_of(LinearCrossEntropy::kName, weights)},
                  hidden.where);
}

Value shares_of_mean(Value targets, Value weights) {
  const Value counted = weights * cast(greater_equal(targets, targets.graph().constant(Tensor::scalar(0))), f32);
  const Value total = sum(counted);
  // All weights 0 make a loss of 0, not of 0/0.
  return counted / (total + cast(equal(total, 0.0F), f32));
}

namespace {

FlatArrays reference(std::span<const std::vector<double>> in, std::size_t classes, std::size_t size) {
  double total = 0;
  for (std::size_t row = 0; row < in[3].size(); ++row) {
    if (in[3][row] < 0) continue;
    double sum = 0, own = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      double logit = in[2][c];
      for (std::size_t j = 0; j < size; ++j) logit += in[0][row * size + j] * in[1][c * size + j];
      sum += std::exp(logit);
      if (static_cast<double>(c) == in[3][row]) own = logit;
    }
    total += in[4][row] * (std::log(sum) - own);
  }
  return FlatArrays{{total}};
}

OpCase linear_cross_entropy_case(std::string name, std::int64_t rows, std::int64_t classes, std::int64_t size,
                                 std::vector<double> targets, std::vector<double> weights) {
  return {.name = std::move(name),
          .inputs = {{{f32, {rows, size}}, -1, 1},
                     {{f32, {classes, size}}, -1, 1},
                     {{f32, {classes}}, -1, 1},
                     {.type = {i32, {rows}}, .values = std::move(targets)},
                     {.type = {f32, {rows}}, .differentiable = false, .values = std::move(weights)}},
          .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
            return {linear_cross_entropy(in[0], in[1], in[2], in[3], in[4])};
          },
          .reference =
              [=](std::span<const std::vector<double>> in) {
                return reference(in, static_cast<std::size_t>(classes), static_cast<std::size_t>(size));
              },
          .second_order = false};
}

const RegisterOpCase case_some_rows{
    linear_cross_entropy_case("linear_cross_entropy", 5, 7, 3, {4, -1, 6, 0, 2}, {0.5, 1, 0.25, 0, 1.5})};
const RegisterOpCase case_no_row{linear_cross_entropy_case("linear_cross_entropy/no_row", 2, 3, 4, {-1, 1}, {1, 0})};

}  // namespace
}  // namespace eddy
