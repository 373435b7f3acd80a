// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace eddy {

/// Threads of a team, for the whole process. Default: the processors this process may run on, or, where that is less,
/// those whose time its control group allows it. Set it before programs are compiled, while no other thread uses eddy:
/// kernels and the order of sums depend on it. UsageError unless 1 to 1024.
int num_threads();
void set_num_threads(int threads);

/// Calls `body(thread, threads)` once on every member of a team of `threads`, and waits for all.
/// All compute with the caller's floating-point modes. From inside a team it runs serially as body(0, 1). A body must
/// not throw: on another thread that ends the process. May be called from several threads at once: each then has a team
/// of its own. Teams do not survive fork(): its child can compute after set_num_threads(1) only.
void run_team(int threads, void (*body)(void* context, int thread, int threads), void* context);

template <class Body>
void parallel_team(int threads, Body&& body) {
  using Callable = std::remove_reference_t<Body>;
  run_team(
      threads, [](void* context, int thread, int team) { (*static_cast<Callable*>(context))(thread, team); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

/// Splits [0, count) into one contiguous range per thread and calls `body(thread, begin, end)` on each; serial when a
/// thread would get less than `grain` items. The split depends only on count, grain and num_threads(): bits repeat.
template <class Body>
void parallel_parts(std::int64_t count, std::int64_t grain, Body&& body) {
  const std::int64_t wanted = std::min<std::int64_t>(num_threads(), count / std::max<std::int64_t>(grain, 1));
  if (wanted <= 1) {
    if (count > 0) body(0, std::int64_t{0}, count);
    return;
  }
  parallel_team(static_cast<int>(wanted), [&](int thread, int team) {
    const std::int64_t begin = count * thread / team;
    const std::int64_t end = count * (thread + 1) / team;
    if (begin < end) body(thread, begin, end);
  });
}

/// The same with `body(begin, end)`.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, Body&& body) {
  parallel_parts(count, grain, [&](int, std::int64_t begin, std::int64_t end) { body(begin, end); });
}

/// A grain for elementwise loops: below this many elements waking a thread costs more than it saves.
inline constexpr std::int64_t kElementwiseGrain = 4096;

/// The grain of items that touch `work` elements each.
inline std::int64_t grain_of(std::int64_t work, std::int64_t elements = kElementwiseGrain) {
  return std::max<std::int64_t>(1, elements / std::max<std::int64_t>(1, work));
}

}  // namespace eddy
