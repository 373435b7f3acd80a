// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/linear_cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "eddy/core/gemm.h"
#include "eddy/core/math.h"
#include "eddy/core/packed_product.h"
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

/// Logits that exist at once, at most, and those of a block of rows that one thread makes and uses while in its cache.
constexpr std::int64_t kChunkLogits = std::int64_t{1} << 24;
constexpr std::int64_t kBlockLogits = std::int64_t{1} << 18;
/// A block reads the whole table, so it has at least so many rows.
constexpr std::int64_t kFewestRows = 24;

std::int64_t block_rows(std::int64_t classes) {
  return std::clamp<std::int64_t>(kBlockLogits / classes, kFewestRows, 96);
}

/// The work of a run, planned for its sizes.
class Chunks {
 public:
  Chunks(std::int64_t rows, std::int64_t classes, std::int64_t size, bool differentiate)
      : rows_(rows),
        classes_(classes),
        size_(size),
        differentiate_(differentiate),
        threads_(num_threads()),
        block_(std::min(std::max<std::int64_t>(rows, 1), block_rows(classes))),
        chunk_(std::clamp<std::int64_t>(kChunkLogits / classes, block_, std::max(rows, block_))),
        logits_(chunk_, classes, size, /*transpose_b=*/true),
        d_hidden_({.m = chunk_, .n = size, .k = classes}),
        d_table_({.m = classes, .n = size, .k = chunk_, .transpose_a = true, .accumulate = true}) {
    const auto reserve = [this](std::int64_t count) {
      const std::size_t at = scratch_bytes_;
      const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(float);
      scratch_bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
      return at;
    };
    order_at_ = reserve(rows);
    losses_at_ = reserve(rows);
    packed_at_ = reserve(static_cast<std::int64_t>(logits_.packed_bytes() / sizeof(float)));
    hidden_at_ = reserve(chunk_ * size);
    // Without gradients a thread's block is used again for the next one.
    logits_at_ = reserve((differentiate ? chunk_ : block_ * threads_) * classes);
    if (!differentiate) return;
    d_hidden_at_ = reserve(chunk_ * size);
    d_bias_at_ = reserve(classes * threads_);
    gemm_at_ = scratch_bytes_;
    scratch_bytes_ += std::max(d_hidden_.scratch_bytes(), d_table_.scratch_bytes());
  }

  std::size_t scratch_bytes() const { return scratch_bytes_; }

  void run(const KernelArgs& args) const {
    auto* order = at<std::int32_t>(args, order_at_);
    const std::int64_t count = list_rows(args, order);
    if (float* d_hidden = args.out<float>(1); d_hidden != nullptr && count < rows_) clear(d_hidden, rows_ * size_);
    if (float* d_table = args.out<float>(2)) clear(d_table, classes_ * size_);
    if (args.out<float>(3) != nullptr) clear(at<float>(args, d_bias_at_), classes_ * threads_);
    if (count > 0) logits_.pack(args.in<float>(1), at<std::byte>(args, packed_at_));
    for (std::int64_t done = 0; done < count; done += chunk_)
      run_chunk(args, done, std::min(chunk_, count - done), count == rows_);
    if (float* d_bias = args.out<float>(3))
      column_sum(at<float>(args, d_bias_at_), threads_, classes_, classes_, /*accumulate=*/false, d_bias);
    double loss = 0;
    for (std::int64_t i = 0; i < count; ++i) loss += static_cast<double>(at<float>(args, losses_at_)[i]);
    if (args.outputs[0] != nullptr) *args.out<float>(0) = static_cast<float>(loss);
  }

 private:
  template <class T>
  static T* at(const KernelArgs& args, std::size_t offset) {
    return reinterpret_cast<T*>(static_cast<std::byte*>(args.scratch) + offset);
  }

  static void clear(float* values, std::int64_t count) {
    parallel_for(count, kElementwiseGrain,
                 [&](std::int64_t begin, std::int64_t end) { vector_fill(0, values + begin, end - begin); });
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

  /// The `taken` rows of the order from `done` on; with `all` they are neighbours, and stay where they lie.
  void run_chunk(const KernelArgs& args, std::int64_t done, std::int64_t taken, bool all) const {
    const std::int32_t* order = at<std::int32_t>(args, order_at_) + done;
    const float* hidden = args.in<float>(0);
    const float* x = all ? hidden + done * size_ : at<float>(args, hidden_at_);
    if (!all)
      move_rows(order, taken, [&](std::int64_t i, std::int64_t row, std::size_t bytes) {
        std::memcpy(at<float>(args, hidden_at_) + i * size_, hidden + row * size_, bytes);
      });
    const std::int64_t blocks = (taken + block_ - 1) / block_;
    const auto team = static_cast<int>(std::min<std::int64_t>(threads_, blocks));
    const auto body = [&](int thread, int members) {
      for (std::int64_t block = blocks * thread / members; block < blocks * (thread + 1) / members; ++block) {
        const std::int64_t first = block * block_;
        run_block(args, thread, x + first * size_, order + first, std::min(block_, taken - first), done + first, first);
      }
    };
    if (team == 1) {
      body(0, 1);
    } else {
      parallel_team(team, body);
    }
    const float* logits = at<float>(args, logits_at_);
    void* scratch = at<std::byte>(args, gemm_at_);
    if (float* d_hidden = args.out<float>(1)) {
      float* d_x = all ? d_hidden + done * size_ : at<float>(args, d_hidden_at_);
      d_hidden_.run_part(taken, classes_, logits, args.in<float>(1), d_x, nullptr, scratch);
      if (!all)
        move_rows(order, taken, [&](std::int64_t i, std::int64_t row, std::size_t bytes) {
          std::memcpy(d_hidden + row * size_, d_x + i * size_, bytes);
        });
    }
    if (float* d_table = args.out<float>(2)) d_table_.run_part(classes_, taken, logits, x, d_table, nullptr, scratch);
  }

  template <class Move>
  void move_rows(const std::int32_t* order, std::int64_t count, const Move& move) const {
    const std::size_t bytes = static_cast<std::size_t>(size_) * sizeof(float);
    parallel_for(count, std::max<std::int64_t>(1, kElementwiseGrain / std::max<std::int64_t>(size_, 1)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) move(i, order[i], bytes);
                 });
  }

  /// Logits, losses and, in the place of the logits, their gradients: of `taken` rows from position `first` of the
  /// chunk on.
  void run_block(const KernelArgs& args, int thread, const float* x, const std::int32_t* order, std::int64_t taken,
                 std::int64_t loss_at, std::int64_t first) const {
    const auto* targets = args.in<std::int32_t>(3);
    const float* weights = args.in<float>(4);
    float* losses = at<float>(args, losses_at_) + loss_at;
    float* d_bias = args.outputs[3] != nullptr ? at<float>(args, d_bias_at_) + thread * classes_ : nullptr;
    float* logits = at<float>(args, logits_at_) + (differentiate_ ? first : thread * block_) * classes_;
    logits_.run_rows(taken, x, at<std::byte>(args, packed_at_), args.in<float>(2), logits);
    for (std::int64_t i = 0; i < taken; ++i) {
      float* row = logits + i * classes_;
      const std::int32_t target = targets[order[i]];
      const float weight = weights[order[i]], logit = row[target];
      if (!differentiate_) {
        losses[i] = weight * (log_sum_exp(row, classes_) - logit);
        continue;
      }
      const float largest = vector_max_value(row, classes_);
      const double sum = exp_shifted_sum(row, largest, row, classes_);
      losses[i] = weight * (largest + static_cast<float>(std::log(sum)) - logit);
      vector_scale(static_cast<float>(static_cast<double>(weight) / sum), row, row, classes_);
      row[target] -= weight;
      if (d_bias != nullptr) vector_add(d_bias, row, d_bias, classes_);
    }
  }

  std::int64_t rows_, classes_, size_;
  bool differentiate_;
  int threads_;
  std::int64_t block_, chunk_;
  PackedProduct logits_;
  Gemm d_hidden_, d_table_;
  std::size_t order_at_ = 0, losses_at_ = 0, packed_at_ = 0, hidden_at_ = 0, logits_at_ = 0, d_hidden_at_ = 0,
              d_bias_at_ = 0, gemm_at_ = 0, scratch_bytes_ = 0;
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
    const std::span<const bool> used = context.output_used;
    const auto chunks = std::make_shared<const Chunks>(context.inputs[0].shape[0], context.inputs[1].shape[0],
                                                       context.inputs[0].shape[1], used[1] || used[2] || used[3]);
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
