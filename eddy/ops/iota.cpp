// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/iota.h"

#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Iota final : OpClass<Iota> {
  static constexpr std::string_view kName = "iota";
  std::int64_t count;
  std::int32_t start;
  std::int32_t step;
  Iota(std::int64_t n, std::int32_t first, std::int32_t by) : count(n), start(first), step(by) {}
  static void attributes(auto& op, auto&& visit) {
    visit("count", op.count);
    visit("start", op.start);
    visit("step", op.step);
  }

  std::vector<TensorType> infer(std::span<const TensorType>) const override {
    require<GraphError>(count >= 0, "the count must not be negative, it is {}", count);
    const std::int64_t limit = std::int64_t{1} << 31;
    const std::int64_t last = count <= limit ? start + (count - 1) * step : limit;
    require<GraphError>(count == 0 || (last < limit && last >= -limit), "{} numbers from {} in steps of {} leave i32",
                        count, start, step);
    return {{i32, {count}}};
  }
  Kernel make_kernel(const KernelContext&) const override {
    return {.run = [count = count, start = start, step = step](const KernelArgs& args) {
      auto* out = args.out<std::int32_t>(0);
      for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<std::int32_t>(start + i * step);
    }};
  }
};

}  // namespace

Value iota(Graph& graph, std::int64_t count, std::int32_t start, std::int32_t step, SourceLocation where) {
  return add_node(graph, Iota(count, start, step), {}, where);
}

const RegisterOpCase case_iota{{
    .name = "iota",
    // The input only says how many.
    .inputs = {{{i32, {4}}, 0, 9}},
    .build = [](Graph& graph, std::span<const Value> in) -> std::vector<Value> {
      return {iota(graph, in[0].dim(0), 7, -3)};
    },
    .reference =
        [](std::span<const std::vector<double>>) {
          return FlatArrays{{7, 4, 1, -2}};
        },
    .bench_inputs = {{{i32, {100000}}, 0, 9}},
}};

}  // namespace eddy
