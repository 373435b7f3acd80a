// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>

#include <span>
#include <vector>

#include "eddy/graph/program.h"

namespace eddy::bench {

/// Seconds since some fixed moment.
double seconds_now();

/// FMA peak in flop/s and copy bandwidth in bytes/s, measured anew: other guests of the machine change them.
double fma_peak();
double copy_bandwidth();

/// Sets GFLOP/s, share of the FMA peak, GB/s and share of the copy bandwidth for `seconds` of `flops` and `bytes`.
void set_rates(benchmark::State& state, double seconds, double flops, double bytes);

/// Median of the times of single iterations.
double median(std::vector<double> seconds);

/// Runs `program` once and compares its first result with that of `plain`, the same graph with every pass, in-place and
/// memory reuse off. False, with the benchmark marked as failed, when they differ or are not finite.
bool same_results(benchmark::State& state, Program& program, Program& plain, std::span<const Binding> bindings);

/// Options with everything switched off.
CompileOptions plain_options();

void register_ops();
void register_layers();
void register_steps();

}  // namespace eddy::bench
