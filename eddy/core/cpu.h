// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

/// What the processor can do. No state: safe to call concurrently.
namespace eddy {

/// Answer of one CPUID query: eax, ebx, ecx, edx.
using CpuidRegisters = std::array<std::uint32_t, 4>;
/// CPUID of a leaf and subleaf; tests give their own.
using CpuidFunction = std::function<CpuidRegisters(std::uint32_t leaf, std::uint32_t subleaf)>;

/// The processor's own answer; zeros for a leaf beyond the highest it knows.
CpuidRegisters cpuid(std::uint32_t leaf, std::uint32_t subleaf);

/// What CPUID says of the processor, whatever the operating system enables.
struct CpuCapabilities {
  std::string model;
  bool avx2 = false;
  bool fma = false;
  bool avx512 = false;  ///< F, BW, DQ and VL
  bool avx512_bf16 = false;
  bool amx_tile = false;
  bool amx_bf16 = false;
  bool amx_palette = false;  ///< leaf 0x1D lists at least one tile palette
  /// AMX is announced but its tiles are hidden, as some virtual machines do: AMX code would die of SIGILL.
  bool amx_broken() const { return amx_tile && !amx_palette; }
};

/// What `query` answers for this; one that is not there is false, and a name "unknown processor".
CpuCapabilities cpu_capabilities(const CpuidFunction& query = cpuid);

/// True when oneDNN must be kept from AMX: it is broken here and `user_limit` (the value of ONEDNN_MAX_CPU_ISA, may be
/// null) does not already exclude it.
bool must_cap_onednn_isa(const CpuCapabilities& cpu, const char* user_limit);

enum class SimdLimit { none, avx512, avx2, portable };

/// How far `value`, that of the environment variable EDDY_SIMD, lowers the instructions of eddy's kernels: "avx512",
/// which forbids AMX, "avx2" or "portable"; null and "" do not. Throws UsageError for anything else.
SimdLimit simd_limit(const char* value);

/// One line: model, the instructions that eddy's kernels and oneDNN use, threads, oneDNN's version.
std::string describe_cpu();

}  // namespace eddy
