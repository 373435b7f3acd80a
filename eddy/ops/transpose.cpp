// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/transpose.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/reshape.h"

namespace eddy {
namespace {

/// Axes of size 1 dropped and axes that stay neighbours joined: what really moves.
struct Movement {
  std::vector<std::int64_t> sizes;    // of the output, slowest first
  std::vector<std::int64_t> strides;  // of the input, in elements, for each of them
};

Movement movement(const Shape& in, std::span<const int> permutation) {
  std::vector<std::int64_t> in_strides(static_cast<std::size_t>(in.rank()));
  for (int axis = 0; axis < in.rank(); ++axis)
    in_strides[static_cast<std::size_t>(axis)] = in.product(axis + 1, in.rank());
  Movement result;
  for (const int axis : permutation) {
    const std::int64_t size = in[axis];
    const std::int64_t stride = in_strides[static_cast<std::size_t>(axis)];
    if (size == 1) continue;
    if (!result.sizes.empty() && result.strides.back() == stride * size) {
      result.sizes.back() *= size;
      result.strides.back() = stride;
    } else {
      result.sizes.push_back(size);
      result.strides.push_back(stride);
    }
  }
  return result;
}

/// Offset in the input of item `index` of the first `axes` output axes.
std::int64_t input_offset(const Movement& move, std::size_t axes, std::int64_t index) {
  std::int64_t offset = 0;
  for (std::size_t axis = axes; axis-- > 0;) {
    offset += index % move.sizes[axis] * move.strides[axis];
    index /= move.sizes[axis];
  }
  return offset;
}

/// The last axis stays last: whole rows move.
template <class T>
Kernel move_rows(const Movement& move) {
  const std::size_t outer = move.sizes.size() - 1;
  const std::int64_t width = move.sizes.back();
  const std::int64_t rows =
      std::accumulate(move.sizes.begin(), move.sizes.end() - 1, std::int64_t{1}, std::multiplies<>());
  return {.run = [=](const KernelArgs& args) {
    const T* in = args.in<T>(0);
    T* out = args.out<T>(0);
    parallel_for(rows, grain_of(width, 4 * kElementwiseGrain), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row)
        std::memcpy(out + row * width, in + input_offset(move, outer, row),
                    static_cast<std::size_t>(width) * sizeof(T));
    });
  }};
}

/// Side of the blocks that move at once: a line of the cache.
constexpr std::int64_t kBlock = 16;

using Four = float __attribute__((vector_size(16)));

Four four_at(const float* from) {
  Four result;
  std::memcpy(&result, from, sizeof(result));
  return result;
}
void store(Four four, float* to) { std::memcpy(to, &four, sizeof(four)); }

/// out[row * out_stride + col] = block[col * kBlock + row], four by four in registers.
void turn_block(const float* block, float* out, std::int64_t out_stride) {
  for (std::int64_t row = 0; row < kBlock; row += 4)
    for (std::int64_t col = 0; col < kBlock; col += 4) {
      const float* from = block + col * kBlock + row;
      const Four a = four_at(from), b = four_at(from + kBlock), c = four_at(from + 2 * kBlock),
                 d = four_at(from + 3 * kBlock);
      const Four low_ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), low_cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
      const Four high_ab = __builtin_shufflevector(a, b, 2, 6, 3, 7),
                 high_cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
      float* to = out + row * out_stride + col;
      store(__builtin_shufflevector(low_ab, low_cd, 0, 1, 4, 5), to);
      store(__builtin_shufflevector(low_ab, low_cd, 2, 3, 6, 7), to + out_stride);
      store(__builtin_shufflevector(high_ab, high_cd, 0, 1, 4, 5), to + 2 * out_stride);
      store(__builtin_shufflevector(high_ab, high_cd, 2, 3, 6, 7), to + 3 * out_stride);
    }
}

/// out[row * out_stride + col] = in[col * in_stride + row], for at most kBlock rows and columns. Through a small block
/// of our own, so that each line of both sides is touched once: lines a power of two apart would push each other out of
/// the cache.
template <class T>
void move_block(const T* in, std::int64_t in_stride, T* out, std::int64_t out_stride, std::int64_t rows,
                std::int64_t cols) {
  T block[kBlock * kBlock];
  for (std::int64_t col = 0; col < cols; ++col) std::copy_n(in + col * in_stride, rows, block + col * kBlock);
  if constexpr (sizeof(T) == sizeof(float)) {
    if (rows == kBlock && cols == kBlock)
      return turn_block(reinterpret_cast<const float*>(block), reinterpret_cast<float*>(out), out_stride);
  }
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t col = 0; col < cols; ++col) out[row * out_stride + col] = block[col * kBlock + row];
}

/// The last output axis is strided in the input: square blocks.
template <class T>
Kernel move_blocks(const Movement& move) {
  const std::size_t rank = move.sizes.size();
  // The output axis that is contiguous in the input; the block spans it and the last one.
  const auto row_axis = static_cast<std::size_t>(std::ranges::find(move.strides, 1) - move.strides.begin());
  const std::int64_t rows = move.sizes[row_axis];
  const std::int64_t cols = move.sizes.back();
  const std::int64_t in_stride = move.strides.back();
  std::int64_t out_stride = 1;
  for (std::size_t axis = row_axis + 1; axis < rank; ++axis) out_stride *= move.sizes[axis];
  // The other axes, with their strides on both sides.
  Movement others;
  std::vector<std::int64_t> out_strides;
  std::int64_t outer = 1;
  for (std::size_t axis = 0; axis + 1 < rank; ++axis) {
    if (axis == row_axis) continue;
    others.sizes.push_back(move.sizes[axis]);
    others.strides.push_back(move.strides[axis]);
    out_strides.push_back(std::accumulate(move.sizes.begin() + static_cast<std::ptrdiff_t>(axis) + 1, move.sizes.end(),
                                          std::int64_t{1}, std::multiplies<>()));
    outer *= move.sizes[axis];
  }
  const Movement others_out{others.sizes, out_strides};
  const std::int64_t bands = (rows + kBlock - 1) / kBlock;
  return {.run = [=](const KernelArgs& args) {
    const T* all_in = args.in<T>(0);
    T* all_out = args.out<T>(0);
    const std::int64_t grain = grain_of(kBlock * cols, 2 * kElementwiseGrain);
    parallel_for(outer * bands, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t item = begin; item < end; ++item) {
        const std::int64_t row = item % bands * kBlock;
        const T* in = all_in + input_offset(others, others.sizes.size(), item / bands) + row;
        T* out = all_out + input_offset(others_out, others.sizes.size(), item / bands) + row * out_stride;
        for (std::int64_t col = 0; col < cols; col += kBlock)
          move_block(in + col * in_stride, in_stride, out + col, out_stride, std::min(kBlock, rows - row),
                     std::min(kBlock, cols - col));
      }
    });
  }};
}

struct Transpose final : OpClass<Transpose> {
  static constexpr std::string_view kName = "transpose";
  std::vector<int> permutation;

  explicit Transpose(std::vector<int> p) : permutation(std::move(p)) {}
  static void attributes(auto& op, auto&& visit) { visit("permutation", op.permutation); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const Shape& in = inputs[0].shape;
    std::vector<int> sorted = permutation;
    std::ranges::sort(sorted);
    bool valid = static_cast<int>(sorted.size()) == in.rank();
    for (std::size_t i = 0; valid && i < sorted.size(); ++i) valid = sorted[i] == static_cast<int>(i);
    require<GraphError>(valid, "[{}] does not name each axis of {} once", fmt::join(permutation, ","), inputs[0]);
    Shape shape = in;
    for (int axis = 0; axis < in.rank(); ++axis) shape[axis] = in[permutation[static_cast<std::size_t>(axis)]];
    return {{inputs[0].dtype, shape}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    std::vector<int> inverse(permutation.size());
    for (std::size_t i = 0; i < permutation.size(); ++i)
      inverse[static_cast<std::size_t>(permutation[i])] = static_cast<int>(i);
    return {transpose(context.d_out(0), inverse)};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = 0, .bytes = 2.0 * static_cast<double>(inputs[0].bytes())};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (movement(inputs[0].shape(), permutation).sizes.size() <= 1) return {reshape(inputs[0], shape_of(inputs[0]))};
    const Node& before = inputs[0].graph().node(inputs[0].node());
    const auto* first = dynamic_cast<const Transpose*>(before.op.get());
    if (first == nullptr) return {};
    std::vector<int> both;
    for (const int axis : permutation) both.push_back(first->permutation[static_cast<std::size_t>(axis)]);
    return {transpose(before.inputs[0], both)};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    return context.inputs[0].dtype == boolean ? kernel<std::uint8_t>(context.inputs[0].shape)
                                              : kernel<std::uint32_t>(context.inputs[0].shape);
  }

 private:
  Shape shape_of(Value input) const { return infer({{input.type()}})[0].shape; }

  template <class T>
  Kernel kernel(const Shape& shape) const {
    if (shape.elements() == 0) return {.run = [](const KernelArgs&) {}};
    Movement move = movement(shape, permutation);
    if (move.sizes.empty()) move = {{1}, {1}};
    return move.strides.back() == 1 ? move_rows<T>(move) : move_blocks<T>(move);
  }
};

}  // namespace

Value transpose(Operand x, std::span<const int> permutation) {
  const int rank = value_of(Transpose::kName, x).rank();
  std::vector<int> axes;
  for (const int axis : permutation) axes.push_back(axis < 0 ? axis + rank : axis);
  return add_node(x.value.graph(), Transpose(std::move(axes)), {x.value}, x.where);
}

Value transpose(Operand x, std::initializer_list<int> permutation) {
  return transpose(x, std::span<const int>(permutation.begin(), permutation.size()));
}

Value transpose(Operand x) {
  const int rank = value_of(Transpose::kName, x).rank();
  require_argument(rank >= 2, Transpose::kName, x, "{} has no two axes to exchange", to_string(x.value.type()));
  std::vector<int> axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  return transpose(x, axes);
}

Value transposed_matrix_of(Value value) {
  const Node& node = value.graph().node(value.node());
  const auto* op = dynamic_cast<const Transpose*>(node.op.get());
  if (op == nullptr || op->permutation.size() < 2) return {};
  const std::size_t rank = op->permutation.size();
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t expected = i + 2 < rank ? i : (i + 1 == rank ? rank - 2 : rank - 1);
    if (op->permutation[i] != static_cast<int>(expected)) return {};
  }
  return node.inputs[0];
}

namespace {

OpCase transpose_case(std::string name, const Shape& shape, std::vector<int> permutation, const Shape& bench) {
  return {
      .name = std::move(name),
      .inputs = {{{f32, shape}}},
      .build = [permutation](Graph&, std::span<const Value> in) -> std::vector<Value> {
        return {transpose(in[0], permutation)};
      },
      .reference =
          [shape, permutation](std::span<const std::vector<double>> in) {
            std::vector<double> out;
            std::vector<std::int64_t> index(permutation.size(), 0);
            for (std::int64_t count = shape.elements(); count > 0; --count) {
              std::int64_t offset = 0;
              for (std::size_t i = 0; i < index.size(); ++i)
                offset += index[i] * shape.product(permutation[i] + 1, shape.rank());
              out.push_back(in[0][static_cast<std::size_t>(offset)]);
              for (std::size_t i = index.size(); i-- > 0;) {
                if (++index[i] < shape[permutation[i]]) break;
                index[i] = 0;
              }
            }
            return FlatArrays{out};
          },
      .bench_inputs = {{{f32, bench}}},
  };
}

const RegisterOpCase case_matrix{transpose_case("transpose", {35, 18}, {1, 0}, {3200, 512})};
const RegisterOpCase case_time_batch{transpose_case("transpose/time_batch", {3, 4, 5}, {1, 0, 2}, {100, 32, 512})};
const RegisterOpCase case_rotate{transpose_case("transpose/rotate", {2, 3, 1, 4}, {3, 0, 2, 1}, {32, 100, 4, 128})};
const RegisterOpCase case_batched{transpose_case("transpose/batched", {3, 17, 5}, {0, 2, 1}, {32, 100, 512})};

}  // namespace
}  // namespace eddy
