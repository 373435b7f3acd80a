// SPDX-License-Identifier: Apache-2.0
// What the products of softmax_products.h do with exponentials, on vectors and on tiles; compiled once per Highway
// target.
#if defined(EDDY_CORE_SOFTMAX_PANELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDDY_CORE_SOFTMAX_PANELS_INL_H_
#undef EDDY_CORE_SOFTMAX_PANELS_INL_H_
#else
#define EDDY_CORE_SOFTMAX_PANELS_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <limits>

#include "eddy/core/gemm_kernel-inl.h"
#include "eddy/core/softmax_products.h"

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {

/// A logit this far above its row's reference raises it: further sums would lose what is below, then overflow.
constexpr float kRaiseAbove = 30;
/// Panels whose sums are f32; they are added up as double.
constexpr std::int64_t kPanelsOfSum = 32;

/// A panel of neighbouring columns: classes, or elements of a state.
struct Panel {
  std::int64_t first;  ///< column
  int vecs;
  int columns;  ///< those there are
  std::int64_t width() const { return static_cast<std::int64_t>(vecs) * kLanes; }
  int last_lanes() const { return columns - (vecs - 1) * kLanes; }
};

inline Panel panel_of(std::int64_t columns, std::int64_t index) {
  const std::int64_t first = index * kTileCols;
  const auto left = static_cast<int>(std::min<std::int64_t>(columns - first, kTileCols));
  return {first, (left + kLanes - 1) / kLanes, left};
}

inline std::int64_t panels_of(std::int64_t columns) { return (columns + kTileCols - 1) / kTileCols; }

inline std::int64_t exponentials_floats(const SoftmaxSizes& sizes) {
  return round_up(sizes.classes, kLanes) * sizes.rows;
}

/// Multiplies all exponentials of a row so far, as its reference rises to `to`. Seldom, so simple.
inline HWY_NOINLINE void raise_reference(const ExponentialsJob& job, std::int64_t row, std::int64_t panels_done,
                                         float to) {
  const float factor = std::exp(job.reference[row] - to);
  job.reference[row] = to;
  job.sum[row] *= static_cast<double>(factor);
  for (int i = 0; i < kLanes; ++i) job.lane_sums[row * kLanes + i] *= factor;
  if (job.exponentials == nullptr) return;
  for (std::int64_t p = 0; p < panels_done; ++p) {
    const Panel panel = panel_of(job.sizes.classes, p);
    float* values = job.exponentials + panel.first * job.sizes.rows + row * panel.width();
    for (std::int64_t i = 0; i < panel.width(); ++i) values[i] *= factor;
  }
}

/// Turns the logits of a row and panel into exponentials.
template <int kVecs>
HWY_INLINE void exponentials_of(const ExponentialsJob& job, std::int64_t row, std::int64_t panel, float* values) {
  const Floats d;
  const std::int64_t target = job.targets[row] - panel * kTileCols;
  if (target >= 0 && target < kVecs * kLanes) job.target_logit[row] = values[target];
  FloatVec x[kVecs];
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v) x[v] = hn::LoadU(d, values + v * kLanes);
  FloatVec largest = x[0];
  EDDY_UNROLL
  for (int v = 1; v < kVecs; ++v) largest = hn::Max(largest, x[v]);
  float* sums = job.lane_sums + row * kLanes;
  if (panel == 0) {
    // Finite, so that a row of -inf keeps its zeros.
    job.reference[row] = std::max(hn::GetLane(hn::MaxOfLanes(d, largest)), std::numeric_limits<float>::lowest());
    job.sum[row] = 0;
    hn::StoreU(hn::Zero(d), d, sums);
  } else if (HWY_UNLIKELY(!hn::AllFalse(d, hn::Gt(largest, splat(job.reference[row] + kRaiseAbove))))) {
    raise_reference(job, row, panel, hn::GetLane(hn::MaxOfLanes(d, largest)));
  }
  const FloatVec reference = splat(job.reference[row]);
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    x[v] = exp_clamped(hn::Sub(x[v], reference));
    hn::StoreU(x[v], d, values + v * kLanes);
  }
  FloatVec sum = x[0];
  EDDY_UNROLL
  for (int v = 1; v < kVecs; ++v) sum = hn::Add(sum, x[v]);
  hn::StoreU(hn::Add(hn::LoadU(d, sums), sum), d, sums);
}

/// Whether the sums of the lanes are to be added up after this panel.
inline bool ends_sum(const ExponentialsJob& job, std::int64_t panel) {
  return (panel + 1) % kPanelsOfSum == 0 || panel + 1 == panels_of(job.sizes.classes);
}

/// Adds the sums of the lanes to those in double precision.
inline void collect_sums(const ExponentialsJob& job, IndexRange rows) {
  const Floats d;
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    float* sums = job.lane_sums + row * kLanes;
    job.sum[row] += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::LoadU(d, sums))));
    hn::StoreU(hn::Zero(d), d, sums);
  }
}

/// Reads the exponentials once, as they lie.
template <int kVecs>
void bias_gradients_of(const TableGradientsJob& job, const Panel& panel, IndexRange rows, bool accumulate) {
  const Floats d;
  constexpr std::int64_t kWidth = kVecs * kLanes;
  FloatVec even[kVecs], odd[kVecs];
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v) even[v] = odd[v] = hn::Zero(d);
  const float* values = job.exponentials + panel.first * job.sizes.rows + rows.begin * kWidth;
  std::int64_t row = rows.begin;
  for (; row + 2 <= rows.end; row += 2, values += 2 * kWidth) {
    const FloatVec first = splat(job.scale[row]), second = splat(job.scale[row + 1]);
    EDDY_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      even[v] = hn::MulAdd(first, hn::LoadU(d, values + v * kLanes), even[v]);
      odd[v] = hn::MulAdd(second, hn::LoadU(d, values + kWidth + v * kLanes), odd[v]);
    }
  }
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    if (row < rows.end) even[v] = hn::MulAdd(splat(job.scale[row]), hn::LoadU(d, values + v * kLanes), even[v]);
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(std::min(kLanes, panel.columns - v * kLanes)));
    float* to = job.d_bias + panel.first + v * kLanes;
    FloatVec sum = hn::Add(even[v], odd[v]);
    if (accumulate) sum = hn::Add(sum, hn::MaskedLoad(mask, d, to));
    hn::BlendedStore(sum, mask, d, to);
  }
}

inline void bias_gradients(const TableGradientsJob& job, const Panel& panel, IndexRange rows, bool accumulate) {
  switch (panel.vecs) {
    case 1:
      return bias_gradients_of<1>(job, panel, rows, accumulate);
#if HWY_TARGET == HWY_AVX3
    case 2:
      return bias_gradients_of<2>(job, panel, rows, accumulate);
    case 3:
      return bias_gradients_of<3>(job, panel, rows, accumulate);
#endif
    default:
      return bias_gradients_of<kTileVecs>(job, panel, rows, accumulate);
  }
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
