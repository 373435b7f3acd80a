// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/one_hot.h"

#include <algorithm>

#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct OneHot final : OpClass<OneHot> {
  static constexpr std::string_view kName = "one_hot";
  std::int64_t depth;
  explicit OneHot(std::int64_t d) : depth(d) {}
  static void attributes(auto& op, auto&& visit) { visit("depth", op.depth); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, i32);
    require<GraphError>(depth > 0, "the depth must be above 0, it is {}", depth);
    return {{f32, inputs[0].shape.appended(depth)}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t rows = context.inputs[0].shape.elements();
    return {.run = [rows, width = depth](const KernelArgs& args) {
      const auto* indices = args.in<std::int32_t>(0);
      float* out = args.out<float>(0);
      for (std::int64_t row = 0; row < rows; ++row)
        require<GraphError>(indices[row] < width, "index {} at position {} is not below the depth {}", indices[row],
                            row, width);
      parallel_for(rows, grain_of(width), [&](std::int64_t begin, std::int64_t end) {
        std::fill(out + begin * width, out + end * width, 0.0F);
        for (std::int64_t row = begin; row < end; ++row)
          if (indices[row] >= 0) out[row * width + indices[row]] = 1;
      });
    }};
  }
};

}  // namespace

Value one_hot(Operand indices, std::int64_t depth) { return unary_node(OneHot(depth), indices); }

const RegisterOpCase case_one_hot{{
    .name = "one_hot",
    // The second input only says how deep.
    .inputs = {{.type = {i32, {2, 3}}, .values = {0, 4, -1, 2, 2, 3}}, {.type = {f32, {5}}, .differentiable = false}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {one_hot(x[0], x[1].dim(0))}; },
    .reference =
        [](std::span<const std::vector<double>> x) {
          FlatArrays result{std::vector<double>(30)};
          for (std::size_t i = 0; i < 6; ++i)
            if (x[0][i] >= 0) result[0][i * 5 + static_cast<std::size_t>(x[0][i])] = 1;
          return result;
        },
    .bench_inputs = {{.type = {i32, {100, 32}}, .low = -1, .high = 1000, .index_of = CaseAxis{1, 0}},
                     {.type = {f32, {1000}}, .differentiable = false}},
}};

}  // namespace eddy
