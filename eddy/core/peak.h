// SPDX-License-Identifier: Apache-2.0
#pragma once

/// What this machine can do at this moment; shared machines change from minute to minute, so measure next to the code
/// under test. Uses num_threads() threads. Safe to call concurrently, but then each measures what the others leave.
namespace eddy {

/// Multiply-adds from registers with the widest vectors, in flop/s (2 per multiply-add), over about `seconds`.
double measure_fma_peak(double seconds = 0.02);

/// Bytes read plus bytes written per second when copying arrays larger than the caches, over about `seconds`. Takes 128
/// MiB; MemoryError without them.
double measure_copy_bandwidth(double seconds = 0.02);

}  // namespace eddy
