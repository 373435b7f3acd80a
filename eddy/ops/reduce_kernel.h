// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "eddy/core/threads.h"
#include "eddy/graph/op.h"
#include "eddy/ops/reduce.h"

namespace eddy {

/// How the elements of an array are reduced: neighbouring axes of one fate are merged, so that what remains alternates
/// between kept and reduced axes, and the last of them gives the inner loop.
struct ReducePlan {
  struct Axis {
    std::int64_t size;
    std::int64_t stride;
  };
  std::vector<Axis> kept;     ///< without the innermost axis
  std::vector<Axis> reduced;  ///< without the innermost axis
  bool inner_reduced = true;  ///< whether the innermost axis is reduced
  std::int64_t inner = 1;     ///< size of the innermost axis
  std::int64_t outer = 1;     ///< product of `kept`
  std::int64_t segments = 1;  ///< product of `reduced`
  /// The sum of one result may be cut into this many parts, so that several threads share it. Depends on sizes only:
  /// bits do not depend on the number of threads.
  std::int64_t parts = 1;

  ReducePlan(const Shape& x, const std::vector<int>& axes);

  static std::int64_t offset(const std::vector<Axis>& axes, std::int64_t index) {
    std::int64_t result = 0;
    for (std::size_t i = axes.size(); i-- > 0;) {
      result += index % axes[i].size * axes[i].stride;
      index /= axes[i].size;
    }
    return result;
  }
};

/// Columns that are reduced together, in an array on the stack.
inline constexpr std::int64_t kReduceStrip = 512;

/// What the kernel of a reduction does. `Policy` has types In, Sum and Out, and functions
/// - `static Sum start()`, `static Sum join(Sum, Sum)`, `Out finish(Sum) const`;
/// - `static Sum row(const In*, std::int64_t n)`: a row reduced;
/// - `static void rows(Sum* sums, const In* in, std::int64_t stride, std::int64_t rows, std::int64_t n)`: n columns of
///   rows taken into n sums.
template <class Policy>
class Reducer {
 public:
  using In = typename Policy::In;
  using Sum = typename Policy::Sum;
  using Out = typename Policy::Out;

  Reducer(const ReducePlan& plan, Policy policy) : plan_(plan), policy_(policy) {}

  /// For the sums of parts, where there are some.
  std::size_t scratch_bytes() const {
    return plan_.parts > 1 ? static_cast<std::size_t>(plan_.outer * plan_.parts * columns()) * sizeof(Sum) : 0;
  }

  void run(const KernelArgs& args) const {
    if (plan_.inner_reduced) {
      reduce_rows(args);
    } else {
      reduce_columns(args);
    }
    if (plan_.parts > 1) join_parts(args);
  }

 private:
  /// Results for each outer index.
  std::int64_t columns() const { return plan_.inner_reduced ? 1 : plan_.inner; }

  void reduce_rows(const KernelArgs& args) const {
    const In* in = args.in<In>(0);
    const std::int64_t work = plan_.segments * plan_.inner / plan_.parts;
    parallel_for(plan_.outer * plan_.parts, grain_of(work), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t item = begin; item < end; ++item) {
        const Sum sum = part_of_rows(in, item / plan_.parts, item % plan_.parts);
        store(args, item, &sum, 1);
      }
    });
  }

  Sum part_of_rows(const In* in, std::int64_t outer, std::int64_t part) const {
    const std::int64_t from = plan_.inner * part / plan_.parts;
    const std::int64_t count = plan_.inner * (part + 1) / plan_.parts - from;
    const In* row = in + ReducePlan::offset(plan_.kept, outer) + from;
    Sum sum = Policy::start();
    for (std::int64_t s = 0; s < plan_.segments; ++s)
      sum = Policy::join(sum, Policy::row(row + ReducePlan::offset(plan_.reduced, s), count));
    return sum;
  }

  void reduce_columns(const KernelArgs& args) const {
    const In* in = args.in<In>(0);
    const std::int64_t strips = (plan_.inner + kReduceStrip - 1) / kReduceStrip;
    const std::int64_t work = std::min(plan_.inner, kReduceStrip) * plan_.segments / plan_.parts;
    parallel_for(plan_.outer * plan_.parts * strips, grain_of(work), [&](std::int64_t begin, std::int64_t end) {
      Sum sums[kReduceStrip];
      for (std::int64_t item = begin; item < end; ++item) {
        const std::int64_t block = item / strips;  // a part of an outer index
        const std::int64_t column = item % strips * kReduceStrip;
        const std::int64_t width = std::min(kReduceStrip, plan_.inner - column);
        const In* from = in + ReducePlan::offset(plan_.kept, block / plan_.parts) + column;
        part_of_columns(from, block % plan_.parts, sums, width);
        store(args, block * plan_.inner + column, sums, width);
      }
    });
  }

  void part_of_columns(const In* from, std::int64_t part, Sum* sums, std::int64_t width) const {
    const std::int64_t first = plan_.segments * part / plan_.parts;
    const std::int64_t last = plan_.segments * (part + 1) / plan_.parts;
    std::fill_n(sums, width, Policy::start());
    if (plan_.reduced.size() == 1) {
      const std::int64_t stride = plan_.reduced[0].stride;
      Policy::rows(sums, from + first * stride, stride, last - first, width);
    } else {
      for (std::int64_t s = first; s < last; ++s)
        Policy::rows(sums, from + ReducePlan::offset(plan_.reduced, s), 0, 1, width);
    }
  }

  /// Results, or sums of parts, from position `at` on.
  void store(const KernelArgs& args, std::int64_t at, const Sum* sums, std::int64_t count) const {
    if (plan_.parts > 1) {
      std::copy_n(sums, count, static_cast<Sum*>(args.scratch) + at);
    } else {
      for (std::int64_t i = 0; i < count; ++i) args.out<Out>(0)[at + i] = policy_.finish(sums[i]);
    }
  }

  void join_parts(const KernelArgs& args) const {
    const auto* partial = static_cast<const Sum*>(args.scratch);
    parallel_for(plan_.outer * columns(), kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const Sum* from = partial + i / columns() * plan_.parts * columns() + i % columns();
        Sum sum = Policy::start();
        for (std::int64_t part = 0; part < plan_.parts; ++part) sum = Policy::join(sum, from[part * columns()]);
        args.out<Out>(0)[i] = policy_.finish(sum);
      }
    });
  }

  ReducePlan plan_;
  Policy policy_;
};

template <class Policy>
Kernel reduce_kernel(const Shape& x, const std::vector<int>& axes, Policy policy) {
  const Reducer<Policy> reducer({x, axes}, policy);
  return {.run = [reducer](const KernelArgs& args) { reducer.run(args); }, .scratch_bytes = reducer.scratch_bytes()};
}

/// Sums of f32 in double: short runs of neighbours are added in single precision first.
struct FloatSum {
  using In = float;
  using Sum = double;
  using Out = float;
  double scale = 1;

  static Sum start() { return 0; }
  static Sum join(Sum a, Sum b) { return a + b; }
  Out finish(Sum sum) const { return static_cast<float>(sum * scale); }
  static Sum row(const In* in, std::int64_t n);
  static void rows(Sum* sums, const In* in, std::int64_t stride, std::int64_t rows, std::int64_t n);
};

}  // namespace eddy
