// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/linear_cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "eddy/core/math.h"
#include "eddy/core/packed_product.h"
#include "eddy/core/softmax_products.h"
#include "eddy/core/tensor.h"
#include "eddy/core/threads.h"
#include "eddy/graph/builder_scope.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/gradient_through.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/add.h"
#include "eddy/ops/cast.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/div.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mean_divisor.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/scratch_plan.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/transpose.h"
#include "eddy/ops/where.h"

namespace eddy {
namespace {

/// Exponentials that exist at once, at most.
constexpr std::int64_t kChunkLogits = std::int64_t{1} << 24;
/// Numbers of the table that are packed at once, about. Each time, the rows are packed again.
constexpr std::int64_t kBlockTable = std::int64_t{3} << 18;
/// Below this many multiply-adds per thread a fork costs more than it saves.
constexpr std::int64_t kWorkPerThread = 100'000;
/// Threads with fewer rows read the table more often than they use it.
constexpr std::int64_t kFewestRows = 6;

/// The work of a run, planned for its sizes.
class Chunks {
 public:
  Chunks(std::int64_t rows, std::int64_t classes, std::int64_t size, bool differentiate)
      : rows_(rows),
        classes_(classes),
        size_(size),
        chunk_(std::clamp<std::int64_t>(kChunkLogits / classes, 24, std::max<std::int64_t>(rows, 24))),
        products_(softmax_products(packing_of(classes).parts())),
        panels_((classes + products_.panel_classes - 1) / products_.panel_classes),
        differentiate_(differentiate) {
    divide_table();
    const SoftmaxSizes sizes{chunk_, classes, size};
    order_at_ = scratch_.take<std::int32_t>(rows);
    losses_at_ = scratch_.take<double>(rows);
    bias_at_ = scratch_.take<float>(panels_ * products_.panel_classes);
    states_at_ = scratch_.take<float>(chunk_ * size);
    targets_at_ = scratch_.take<std::int32_t>(chunk_);
    reference_at_ = scratch_.take<float>(chunk_);
    sum_at_ = scratch_.take<double>(chunk_);
    target_logit_at_ = scratch_.take<float>(chunk_);
    lane_sums_at_ = scratch_.take<float>(chunk_ * products_.lanes);
    if (differentiate) {
      scale_at_ = scratch_.take<float>(chunk_);
      exponentials_at_ = scratch_.take<float>(products_.exponentials_floats(sizes));
    }
    const ScratchPlan before_table = scratch_;
    std::size_t most_packed = 0;
    for (const TableBlock& block : blocks_) most_packed = std::max(most_packed, block.packing.packed_bytes());
    table_at_ = scratch_.take(most_packed);
    if (!differentiate) return;
    // A table of one block stays packed for all chunks; with several its place is free once exponentials are made.
    ScratchPlan gradients = blocks_.size() == 1 ? scratch_ : before_table;
    d_states_at_ = gradients.take<float>(chunk_ * size);
    packed_states_at_ = gradients.take<float>(products_.packed_states_floats(sizes));
    products_scratch_at_ = gradients.take<float>(num_threads() * products_.state_scratch_floats(sizes));
    scratch_.cover(gradients);
  }

  std::size_t scratch_bytes() const { return scratch_.bytes(); }

  void run(const KernelArgs& args) const {
    auto* order = scratch_at<std::int32_t>(args, order_at_);
    const std::int64_t count = list_rows(args, order);
    if (float* d_hidden = args.out<float>(1); d_hidden != nullptr && count < rows_) clear(d_hidden, rows_ * size_);
    if (count == 0) {
      if (float* d_table = args.out<float>(2)) clear(d_table, classes_ * size_);
      if (float* d_bias = args.out<float>(3)) clear(d_bias, classes_);
    } else {
      float* bias = scratch_at<float>(args, bias_at_);
      std::copy_n(args.in<float>(2), classes_, bias);
      std::fill(bias + classes_, bias + panels_ * products_.panel_classes, -std::numeric_limits<float>::infinity());
      if (blocks_.size() == 1) pack(args, blocks_[0]);
    }
    for (std::int64_t done = 0; done < count; done += chunk_)
      run_chunk(args, done, std::min(chunk_, count - done), count == rows_);
    double loss = 0;
    for (std::int64_t i = 0; i < count; ++i) loss += scratch_at<double>(args, losses_at_)[i];
    if (args.outputs[0] != nullptr) *args.out<float>(0) = static_cast<float>(loss);
  }

 private:
  /// Panels of the table that are packed at once.
  struct TableBlock {
    IndexRange panels;
    PackedProduct packing;
  };

  /// Of so many classes. What a number becomes does not depend on how many they are.
  PackedProduct packing_of(std::int64_t classes) const {
    return {std::min(chunk_, rows_), classes, size_, /*transpose_b=*/true};
  }

  void divide_table() {
    const std::int64_t count = std::clamp<std::int64_t>((classes_ * size_ + kBlockTable - 1) / kBlockTable, 1,
                                                        std::max<std::int64_t>(panels_, 1));
    for (std::int64_t i = 0; i < count; ++i) {
      const IndexRange panels{panels_ * i / count, panels_ * (i + 1) / count};
      blocks_.push_back({panels, packing_of(std::min(panels.end * products_.panel_classes, classes_) -
                                            panels.begin * products_.panel_classes)});
    }
  }

  static void clear(float* values, std::int64_t count) {
    parallel_for(count, kElementwiseGrain,
                 [&](std::int64_t begin, std::int64_t end) { vector_fill(0, values + begin, end - begin); });
  }

  /// Of `count` equal things with `work` multiply-adds in all.
  static std::int64_t grain(std::int64_t count, std::int64_t work) {
    return (count * kWorkPerThread + work - 1) / std::max<std::int64_t>(work, 1);
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

  void pack(const KernelArgs& args, const TableBlock& block) const {
    block.packing.pack(args.in<float>(1) + block.panels.begin * products_.panel_classes * size_,
                       scratch_at<std::byte>(args, table_at_));
  }

  /// Some rows of the order from `done` on; with `all` they are neighbours, and stay where they lie.
  struct Chunk {
    SoftmaxSizes sizes;
    std::int64_t done;
    bool all;
  };

  void run_chunk(const KernelArgs& args, std::int64_t done, std::int64_t taken, bool all) const {
    const Chunk chunk{{taken, classes_, size_}, done, all};
    const std::int64_t work = taken * classes_ * size_;
    // A thread has the same rows each time.
    const auto for_rows = [&](const auto& body) {
      const auto tiles = std::max<std::int64_t>(taken / kFewestRows, 1);
      parallel_parts(tiles, grain(tiles, work), [&](int thread, std::int64_t begin, std::int64_t end) {
        body(thread, IndexRange{taken * begin / tiles, taken * end / tiles});
      });
    };
    if (blocks_.size() == 1) {
      for_rows([&](int thread, IndexRange rows) {
        take_rows(args, chunk, rows);
        exponentials(args, chunk, blocks_[0], rows);
        finish_rows(args, chunk, thread, rows);
      });
    } else {
      for_rows([&](int, IndexRange rows) { take_rows(args, chunk, rows); });
      for (const TableBlock& block : blocks_) {
        pack(args, block);
        for_rows([&](int, IndexRange rows) { exponentials(args, chunk, block, rows); });
      }
      for_rows([&](int thread, IndexRange rows) { finish_rows(args, chunk, thread, rows); });
    }
    float *d_table = args.out<float>(2), *d_bias = args.out<float>(3);
    if (d_table == nullptr && d_bias == nullptr) return;
    if (d_table != nullptr) pack_states(args, chunk);
    const TableGradientsJob job{.sizes = chunk.sizes,
                                .exponentials = scratch_at<float>(args, exponentials_at_),
                                .packed_states = scratch_at<float>(args, packed_states_at_),
                                .scale = scratch_at<float>(args, scale_at_),
                                .accumulate = done > 0,
                                .d_table = d_table,
                                .d_bias = d_bias};
    parallel_for(panels_, grain(panels_, work), [&](std::int64_t begin, std::int64_t end) {
      products_.table_gradients(job, {begin, end});
    });
  }

  const std::int32_t* order_of(const KernelArgs& args, const Chunk& chunk) const {
    return scratch_at<std::int32_t>(args, order_at_) + chunk.done;
  }

  const float* states_of(const KernelArgs& args, const Chunk& chunk) const {
    return chunk.all ? args.in<float>(0) + chunk.done * size_ : scratch_at<float>(args, states_at_);
  }

  void take_rows(const KernelArgs& args, const Chunk& chunk, IndexRange rows) const {
    const std::int32_t* order = order_of(args, chunk);
    const float* hidden = args.in<float>(0);
    auto* targets = scratch_at<std::int32_t>(args, targets_at_);
    float* states = scratch_at<float>(args, states_at_);
    for (std::int64_t i = rows.begin; i < rows.end; ++i) {
      targets[i] = args.in<std::int32_t>(3)[order[i]];
      if (!chunk.all) std::copy_n(hidden + order[i] * size_, size_, states + i * size_);
    }
  }

  void exponentials(const KernelArgs& args, const Chunk& chunk, const TableBlock& block, IndexRange rows) const {
    products_.exponentials({.sizes = chunk.sizes,
                            .states = states_of(args, chunk),
                            .panels = block.panels,
                            .packed_table = scratch_at<float>(args, table_at_),
                            .bias = scratch_at<float>(args, bias_at_),
                            .targets = scratch_at<std::int32_t>(args, targets_at_),
                            .exponentials = differentiate_ ? scratch_at<float>(args, exponentials_at_) : nullptr,
                            .reference = scratch_at<float>(args, reference_at_),
                            .sum = scratch_at<double>(args, sum_at_),
                            .target_logit = scratch_at<float>(args, target_logit_at_),
                            .lane_sums = scratch_at<float>(args, lane_sums_at_)},
                           rows);
  }

  /// Losses and gradients of the states.
  void finish_rows(const KernelArgs& args, const Chunk& chunk, int thread, IndexRange rows) const {
    const SoftmaxSizes& sizes = chunk.sizes;
    const std::int32_t* order = order_of(args, chunk);
    for (std::int64_t i = rows.begin; i < rows.end; ++i) finish_row(args, sizes, order[i], chunk.done, i);
    if (!differentiate_) return;
    const float *exponentials = scratch_at<float>(args, exponentials_at_), *scale = scratch_at<float>(args, scale_at_);
    if (float* d_hidden = args.out<float>(1)) {
      float* d_states = chunk.all ? d_hidden + chunk.done * size_ : scratch_at<float>(args, d_states_at_);
      float* scratch = scratch_at<float>(args, products_scratch_at_) + thread * products_.state_scratch_floats(sizes);
      products_.state_gradients({sizes, exponentials, args.in<float>(1), scale, d_states, scratch}, rows);
      for (std::int64_t i = rows.begin; i < rows.end && !chunk.all; ++i)
        std::copy_n(d_states + i * size_, size_, d_hidden + order[i] * size_);
    }
  }

  void pack_states(const KernelArgs& args, const Chunk& chunk) const {
    const std::int64_t rows = chunk.sizes.rows;
    parallel_for((rows + kPackedRows - 1) / kPackedRows, kElementwiseGrain / (kPackedRows * (size_ + 1)) + 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   products_.pack_states(chunk.sizes, states_of(args, chunk), scratch_at<float>(args, scale_at_),
                                         {begin * kPackedRows, std::min(end * kPackedRows, rows)},
                                         scratch_at<float>(args, packed_states_at_));
                 });
  }

  /// The loss of row i of a chunk; its exponentials become, but for a scale, the gradients of the logits.
  void finish_row(const KernelArgs& args, const SoftmaxSizes& sizes, std::int32_t row, std::int64_t done,
                  std::int64_t i) const {
    const auto weight = static_cast<double>(args.in<float>(4)[row]);
    const double sum = scratch_at<double>(args, sum_at_)[i];
    const float above = scratch_at<float>(args, reference_at_)[i] - scratch_at<float>(args, target_logit_at_)[i];
    scratch_at<double>(args, losses_at_)[done + i] = weight * (std::log(sum) + static_cast<double>(above));
    if (!differentiate_) return;
    scratch_at<float>(args, scale_at_)[i] = static_cast<float>(weight / sum);
    const std::int64_t target = exponential_at(products_, sizes, i, scratch_at<std::int32_t>(args, targets_at_)[i]);
    scratch_at<float>(args, exponentials_at_)[target] -= static_cast<float>(sum);
  }

  std::int64_t rows_, classes_, size_;
  std::int64_t chunk_;  ///< rows at once
  const SoftmaxProducts& products_;
  std::int64_t panels_;             ///< of classes
  std::vector<TableBlock> blocks_;  ///< of the table, as the first product packs it
  bool differentiate_;
  ScratchPlan scratch_;
  std::size_t order_at_ = 0, losses_at_ = 0, table_at_ = 0, bias_at_ = 0, states_at_ = 0, targets_at_ = 0,
              reference_at_ = 0, sum_at_ = 0, target_logit_at_ = 0, lane_sums_at_ = 0, scale_at_ = 0,
              exponentials_at_ = 0, d_states_at_ = 0, packed_states_at_ = 0, products_scratch_at_ = 0;
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
                        to_string(targets), to_string(weights), inputs[2], inputs[3], inputs[4]);
    return {{f32, {}}, hidden, table, bias};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    require<GraphError>(!context.needs(4), "there is no gradient with respect to the weights");
    // A gradient of a gradient is wanted too rarely to be fused.
    if (context.d_out(1) || context.d_out(2) || context.d_out(3)) return gradient_through(context, from_logits);
    std::vector<Gradient> result(5);
    for (int i = 0; i < 3; ++i)
      if (context.needs(i)) result[static_cast<std::size_t>(i)] = mul(context.out(i + 1), context.d_out(0));
    return result;
  }
  /// The outputs by way of the logits, which exist whole then.
  static std::vector<Value> from_logits(std::span<const Value> in) {
    // Views, so that what one input owes to another does not count.
    const std::vector<Value> wrt{after(in[0], {}), after(in[1], {}), after(in[2], {})};
    // A row that does not count may hold anything, even infinities; it is not looked at.
    const Value weights = cast(greater_equal(in[3], 0), f32) * in[4];
    const Value rows = where(expand_dims(not_equal(weights, 0.0F), -1), wrt[0], 0.0F);
    const Value logits = matmul(rows, transpose(wrt[1])) + wrt[2];
    const Value loss = sum(cross_entropy(logits, in[3], {.reduction = Reduction::none}) * weights);
    std::vector<Value> outputs = dense_gradients(loss, wrt);
    outputs.insert(outputs.begin(), loss);
    return outputs;
  }
  /// As if every row counted and all gradients were wanted.
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    const auto rows = static_cast<double>(inputs[0].shape[0]), size = static_cast<double>(inputs[0].shape[1]),
               classes = static_cast<double>(inputs[1].shape[0]);
    return {.flops = 6 * rows * classes * size + (kExpFlops + 2) * rows * classes,
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

Value shares_of_mean(Value targets, Value weights, SourceLocation where) {
  const BuilderScope at("shares_of_mean", "targets", targets, where);
  at.expect("targets", targets, i32, {"rows"});
  at.expect("weights", weights, f32, {targets.dim(0)});
  const Value counted = weights * cast(greater_equal(targets, targets.graph().constant(Tensor::scalar(0))), f32);
  return counted / mean_divisor(sum(counted));
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
  return {
      .name = std::move(name),
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
      .bench_inputs = {{{f32, {3200, 512}}, -1, 1},
                       {{f32, {10000, 512}}, -0.25F, 0.25F},
                       {{f32, {10000}}, -1, 1},
                       {.type = {i32, {3200}}, .low = 0, .high = 10000, .index_of = CaseAxis{1, 0}},
                       {.type = {f32, {3200}}, .low = 0, .high = 1, .differentiable = false}},
  };
}

const RegisterOpCase case_some_rows{
    linear_cross_entropy_case("linear_cross_entropy", 5, 7, 3, {4, -1, 6, 0, 2}, {0.5, 1, 0.25, 0, 1.5})};
const RegisterOpCase case_no_row{linear_cross_entropy_case("linear_cross_entropy/no_row", 2, 3, 4, {-1, 1}, {1, 0})};

}  // namespace
}  // namespace eddy
