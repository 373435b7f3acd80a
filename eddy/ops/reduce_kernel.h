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

/// The kernel of a reduction. `Policy` has types In, Sum and Out, and functions
/// - `static Sum start()`, `static Sum join(Sum, Sum)`, `Out finish(Sum) const`;
/// - `static Sum row(const In*, std::int64_t n)`: a row reduced;
/// - `static void rows(Sum* sums, const In* in, std::int64_t stride, std::int64_t rows, std::int64_t n)`: rows of n
/// columns
///   taken into n sums.
template <class Policy>
Kernel reduce_kernel(const Shape& x, const std::vector<int>& axes, Policy policy) {
  using In = typename Policy::In;
  using Sum = typename Policy::Sum;
  using Out = typename Policy::Out;
  const ReducePlan plan(x, axes);
  const auto partial_sums = static_cast<std::size_t>(plan.outer * plan.parts * (plan.inner_reduced ? 1 : plan.inner));
  const std::size_t scratch = plan.parts > 1 ? partial_sums * sizeof(Sum) : 0;

  if (plan.inner_reduced) {
    return {.run =
                [plan, policy](const KernelArgs& args) {
                  const In* in = args.in<In>(0);
                  Out* out = args.out<Out>(0);
                  auto* partial = static_cast<Sum*>(args.scratch);
                  const std::int64_t work = plan.segments * plan.inner / plan.parts;
                  parallel_for(plan.outer * plan.parts, grain_of(work), [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t item = begin; item < end; ++item) {
                      const std::int64_t part = item % plan.parts;
                      const In* row = in + ReducePlan::offset(plan.kept, item / plan.parts);
                      const std::int64_t from = plan.inner * part / plan.parts;
                      const std::int64_t count = plan.inner * (part + 1) / plan.parts - from;
                      Sum sum = Policy::start();
                      for (std::int64_t s = 0; s < plan.segments; ++s)
                        sum = Policy::join(sum, Policy::row(row + ReducePlan::offset(plan.reduced, s) + from, count));
                      if (plan.parts == 1) {
                        out[item] = policy.finish(sum);
                      } else {
                        partial[item] = sum;
                      }
                    }
                  });
                  if (plan.parts == 1) return;
                  for (std::int64_t o = 0; o < plan.outer; ++o) {
                    Sum sum = Policy::start();
                    for (std::int64_t part = 0; part < plan.parts; ++part)
                      sum = Policy::join(sum, partial[o * plan.parts + part]);
                    out[o] = policy.finish(sum);
                  }
                },
            .scratch_bytes = scratch};
  }

  return {.run =
              [plan, policy](const KernelArgs& args) {
                const In* in = args.in<In>(0);
                Out* out = args.out<Out>(0);
                auto* partial = static_cast<Sum*>(args.scratch);
                const std::int64_t strips = (plan.inner + kReduceStrip - 1) / kReduceStrip;
                const std::int64_t work = std::min(plan.inner, kReduceStrip) * plan.segments / plan.parts;
                parallel_for(plan.outer * plan.parts * strips, grain_of(work),
                             [&](std::int64_t begin, std::int64_t end) {
                               Sum sums[kReduceStrip];
                               for (std::int64_t item = begin; item < end; ++item) {
                                 const std::int64_t block = item / strips;  // a part of an outer index
                                 const std::int64_t column = item % strips * kReduceStrip;
                                 const std::int64_t width = std::min(kReduceStrip, plan.inner - column);
                                 const std::int64_t part = block % plan.parts;
                                 const std::int64_t first = plan.segments * part / plan.parts;
                                 const std::int64_t last = plan.segments * (part + 1) / plan.parts;
                                 const In* from = in + ReducePlan::offset(plan.kept, block / plan.parts) + column;
                                 std::fill_n(sums, width, Policy::start());
                                 if (plan.reduced.size() == 1) {
                                   const std::int64_t stride = plan.reduced[0].stride;
                                   Policy::rows(sums, from + first * stride, stride, last - first, width);
                                 } else {
                                   for (std::int64_t s = first; s < last; ++s)
                                     Policy::rows(sums, from + ReducePlan::offset(plan.reduced, s), 0, 1, width);
                                 }
                                 if (plan.parts == 1) {
                                   for (std::int64_t i = 0; i < width; ++i)
                                     out[block * plan.inner + column + i] = policy.finish(sums[i]);
                                 } else {
                                   std::copy_n(sums, width, partial + block * plan.inner + column);
                                 }
                               }
                             });
                if (plan.parts == 1) return;
                parallel_for(plan.outer * plan.inner, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    const Sum* from = partial + i / plan.inner * plan.parts * plan.inner + i % plan.inner;
                    Sum sum = Policy::start();
                    for (std::int64_t part = 0; part < plan.parts; ++part)
                      sum = Policy::join(sum, from[part * plan.inner]);
                    out[i] = policy.finish(sum);
                  }
                });
              },
          .scratch_bytes = scratch};
}

/// Sums of f32 in double: short runs of rows are added in single precision first.
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
