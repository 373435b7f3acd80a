// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/peak.h"

#include "eddy/core/clock.h"
#include "eddy/core/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/peak.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format off
#include "eddy/core/gemm_kernel-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {

/// `rounds` times 12 independent multiply-adds; returns flops. The sum goes to `sink` so that nothing is dropped.
double fma_rounds(long rounds, float* sink) {
  const Floats d;
  constexpr int kChains = 12;
  FloatVec acc[kChains];
  EDDY_UNROLL
  for (int i = 0; i < kChains; ++i) acc[i] = hn::Set(d, static_cast<float>(i));
  const FloatVec a = hn::Set(d, *sink), b = hn::Set(d, 0.5F);
  for (long round = 0; round < rounds; ++round) {
    EDDY_UNROLL
    for (int i = 0; i < kChains; ++i) acc[i] = hn::MulAdd(acc[i], a, b);
  }
  FloatVec sum = acc[0];
  EDDY_UNROLL
  for (int i = 1; i < kChains; ++i) sum = hn::Add(sum, acc[i]);
  *sink = hn::GetLane(hn::SumOfLanes(d, sum)) > 1e30F ? 1.0F : 0.5F;
  return 2.0 * kChains * kLanes * static_cast<double>(rounds);
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cstring>

#include "eddy/core/tensor.h"
#include "eddy/core/threads.h"

namespace eddy {

HWY_EXPORT(fma_rounds);

double measure_fma_peak(double seconds) {
  const int threads = num_threads();
  const auto kernel = HWY_DYNAMIC_DISPATCH(fma_rounds);
  const auto once = [&](long rounds) {
    double flops = 0;
    const double start = steady_seconds();
    parallel_team(threads, [&](int thread, int team) {
      float sink = 0.5F;
      const double done = kernel(rounds, &sink);
      if (thread == 0) flops = done * team;
    });
    return flops / (steady_seconds() - start);
  };
  // The best of several short runs: a pause of the machine spoils one of them, not all.
  double best = once(2000);
  const double start = steady_seconds();
  do {
    best = std::max(best, once(50'000));
  } while (steady_seconds() - start < seconds);
  return best;
}

double measure_copy_bandwidth(double seconds) {
  constexpr std::int64_t kBytes = std::int64_t{64} << 20;
  const auto source = allocate_aligned(kBytes), target = allocate_aligned(kBytes);
  const auto once = [&] {
    const double start = steady_seconds();
    parallel_for(kBytes, 1 << 20, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(target.get() + begin, source.get() + begin, static_cast<std::size_t>(end - begin));
    });
    return 2.0 * static_cast<double>(kBytes) / (steady_seconds() - start);
  };
  // Untouched pages of the source would all map to one page of zeros.
  std::memset(source.get(), 1, kBytes);
  double best = once();
  const double start = steady_seconds();
  do {
    best = std::max(best, once());
  } while (steady_seconds() - start < seconds);
  return best;
}

}  // namespace eddy
#endif
