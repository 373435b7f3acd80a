// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/cumsum.h"

#include <algorithm>

#include "eddy/core/running_sum.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/axis_cases.h"
#include "eddy/ops/axis_split.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

/// Calls `body(first element of the line or lines, lines)` on runs of neighbouring lines; in parallel when large.
template <class Body>
void for_lines(const AxisSplit& split, const Body& body) {
  parallel_for(split.outer * split.inner, grain_of(split.size), [&](std::int64_t line, std::int64_t end) {
    while (line < end) {
      const std::int64_t column = line % split.inner, lines = std::min(split.inner - column, end - line);
      body(line / split.inner * split.size * split.inner + column, lines);
      line += lines;
    }
  });
}

Kernel float_kernel(const AxisSplit& split, bool from_end, RunningSum kind) {
  return {.run = [split, from_end, kind](const KernelArgs& args) {
    const float* x = args.in<float>(0);
    float* y = args.out<float>(0);
    if (split.inner == 1) {
      const auto function = from_end ? vector_running_sum_from_end : vector_running_sum;
      parallel_for(split.outer, grain_of(split.size), [&](std::int64_t begin, std::int64_t end) {
        // Backwards all the way through memory, or the processor fetches in the wrong direction.
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t at = (from_end ? begin + end - 1 - i : i) * split.size;
          function(x + at, y + at, split.size, kind);
        }
      });
      return;
    }
    const std::int64_t first = from_end ? (split.size - 1) * split.inner : 0;
    const std::int64_t stride = from_end ? -split.inner : split.inner;
    for_lines(split, [&](std::int64_t at, std::int64_t lines) {
      running_sum_columns(x + at + first, y + at + first, split.size, stride, lines, kind);
    });
  }};
}

template <bool kExclusive>
void integer_sums(const std::int32_t* x, std::int32_t* y, std::int64_t size, std::int64_t stride, std::int64_t lines) {
  if (lines == 1) {
    std::uint32_t sum = 0;
    for (std::int64_t k = 0; k < size; ++k) {
      const std::uint32_t before = sum;
      sum += static_cast<std::uint32_t>(x[k * stride]);
      y[k * stride] = static_cast<std::int32_t>(kExclusive ? before : sum);
    }
    return;
  }
  std::uint32_t sums[AxisSplit::kStrip] = {};
  for (std::int64_t k = 0; k < size; ++k) {
    EDDY_INDEPENDENT_ITERATIONS
    for (std::int64_t i = 0; i < lines; ++i) {
      const std::uint32_t before = sums[i];
      sums[i] += static_cast<std::uint32_t>(x[k * stride + i]);
      y[k * stride + i] = static_cast<std::int32_t>(kExclusive ? before : sums[i]);
    }
  }
}

Kernel integer_kernel(const AxisSplit& split, bool from_end, RunningSum kind) {
  return {.run = [split, from_end, kind](const KernelArgs& args) {
    const auto function = kind == RunningSum::exclusive ? integer_sums<true> : integer_sums<false>;
    const std::int64_t first = from_end ? (split.size - 1) * split.inner : 0;
    const std::int64_t stride = from_end ? -split.inner : split.inner;
    const std::int32_t* x = args.in<std::int32_t>(0) + first;
    std::int32_t* y = args.out<std::int32_t>(0) + first;
    split.for_strips([&](std::int64_t at, std::int64_t width, std::int64_t) {
      function(x + at, y + at, split.size, stride, width);
    });
  }};
}

struct Cumsum final : OpClass<Cumsum> {
  static constexpr std::string_view kName = "cumsum";
  int axis;
  bool reverse;
  bool exclusive;

  Cumsum(int a, CumsumOptions options) : axis(a), reverse(options.reverse), exclusive(options.exclusive) {}
  static void attributes(auto& op, auto&& visit) {
    visit("axis", op.axis);
    visit("reverse", op.reverse);
    visit("exclusive", op.exclusive);
  }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0].dtype != boolean, "takes f32 or i32, x is {}", inputs[0]);
    return {inputs[0]};
  }
  // An element is part of its own sum and of all sums after it.
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {cumsum(context.d_out(0), axis, {.reverse = !reverse, .exclusive = exclusive})};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::share}};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (inputs[0].dim(axis) <= 1 && !exclusive) return {inputs[0]};
    return {};
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    return {cumsum(context.in(0), axis + 1, {.reverse = reverse, .exclusive = exclusive})};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const AxisSplit split(context.inputs[0].shape, axis);
    const RunningSum kind = exclusive ? RunningSum::exclusive : RunningSum::inclusive;
    return context.inputs[0].dtype == i32 ? integer_kernel(split, reverse, kind) : float_kernel(split, reverse, kind);
  }
};

}  // namespace

Value cumsum(Operand x, int axis, CumsumOptions options) {
  return unary_node(Cumsum(axis_of(Cumsum::kName, x, axis), options), x);
}

namespace {

VectorReference sums_so_far(CumsumOptions options) {
  return [options](const std::vector<double>& x) {
    std::vector<double> result(x.size());
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t at = options.reverse ? x.size() - 1 - i : i;
      if (options.exclusive) result[at] = sum;
      sum += x[at];
      if (!options.exclusive) result[at] = sum;
    }
    return result;
  };
}

RegisterAxisCases cases(const std::string& name, CumsumOptions options) {
  return {name, [options](Operand x, int axis) { return cumsum(x, axis, options); }, sums_so_far(options), {3200, 512}};
}

OpCase shape_case(const std::string& name, const TensorType& type, const TensorType& bench, int axis,
                  CumsumOptions options) {
  return {
      .name = name,
      .inputs = {{type, -9, 9}},
      .build = [axis, options](Graph&, std::span<const Value> x) -> std::vector<Value> {
        return {cumsum(x[0], axis, options)};
      },
      .reference =
          [split = AxisSplit(type.shape, axis),
           reference = sums_so_far(options)](std::span<const std::vector<double>> x) {
            FlatArrays result{x[0]};
            for (std::int64_t line = 0; line < split.outer * split.inner; ++line) {
              const std::int64_t first = line / split.inner * split.size * split.inner + line % split.inner;
              const auto at = [&](std::size_t k) {
                return static_cast<std::size_t>(first) + k * static_cast<std::size_t>(split.inner);
              };
              std::vector<double> values(static_cast<std::size_t>(split.size));
              for (std::size_t k = 0; k < values.size(); ++k) values[k] = x[0][at(k)];
              values = reference(values);
              for (std::size_t k = 0; k < values.size(); ++k) result[0][at(k)] = values[k];
            }
            return result;
          },
      .bench_inputs = {{bench, -9, 9}},
  };
}

constexpr CumsumOptions kBoth{.reverse = true, .exclusive = true};
const RegisterAxisCases cases_plain = cases("cumsum", {});
const RegisterAxisCases cases_reverse = cases("cumsum/reverse", {.reverse = true});
const RegisterAxisCases cases_exclusive = cases("cumsum/exclusive", {.exclusive = true});
const RegisterAxisCases cases_both = cases("cumsum/both", kBoth);
const RegisterOpCase case_time{shape_case("cumsum/time", {f32, {5, 2, 3}}, {f32, {100, 32, 512}}, 0, {})};
const RegisterOpCase case_time_reverse{
    shape_case("cumsum/time_reverse", {f32, {5, 2, 3}}, {f32, {100, 32, 512}}, 0, {.reverse = true})};
const RegisterOpCase case_integers{shape_case("cumsum/i32", {i32, {3, 19}}, {i32, {3200, 512}}, -1, {})};
const RegisterOpCase case_integers_both{
    shape_case("cumsum/i32_both", {i32, {2, 5, 3}}, {i32, {32, 100, 512}}, 1, kBoth)};

}  // namespace
}  // namespace eddy
