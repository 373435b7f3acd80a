// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/cpu.h"

#include <cpuid.h>
#include <fmt/format.h>

#include <cctype>
#include <cstring>

#include "eddy/core/error.h"
#include "eddy/core/math.h"
#include "eddy/core/number_text.h"
#include "eddy/core/onednn.h"
#include "eddy/core/precision.h"
#include "eddy/core/threads.h"
#include "eddy/core/tile_product.h"

namespace eddy {
namespace {

constexpr bool bit(std::uint32_t value, int position) { return ((value >> position) & 1U) != 0; }

std::string brand_string(const CpuidFunction& query) {
  if (query(0x80000000U, 0)[0] < 0x80000004U) return "unknown processor";
  std::string brand;
  for (std::uint32_t leaf = 0x80000002U; leaf <= 0x80000004U; ++leaf) {
    const CpuidRegisters registers = query(leaf, 0);
    char text[sizeof(registers)];
    std::memcpy(text, registers.data(), sizeof(text));
    brand.append(text, sizeof(text));
  }
  brand.resize(std::strlen(brand.c_str()));
  while (!brand.empty() && brand.back() == ' ') brand.pop_back();
  brand.erase(0, brand.find_first_not_of(' '));
  return brand;
}

}  // namespace

CpuidRegisters cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
  CpuidRegisters r{};
  if (static_cast<std::uint32_t>(__get_cpuid_max(leaf & 0x80000000U, nullptr)) < leaf) return r;
  __cpuid_count(leaf, subleaf, r[0], r[1], r[2], r[3]);
  return r;
}

CpuCapabilities cpu_capabilities(const CpuidFunction& query) {
  CpuCapabilities cpu;
  cpu.model = brand_string(query);
  const std::uint32_t highest = query(0, 0)[0];
  cpu.fma = bit(query(1, 0)[2], 12);
  if (highest < 7) return cpu;
  const CpuidRegisters features = query(7, 0);
  cpu.avx2 = bit(features[1], 5);
  cpu.avx512 = bit(features[1], 16) && bit(features[1], 17) && bit(features[1], 30) && bit(features[1], 31);
  cpu.amx_tile = bit(features[3], 24);
  cpu.amx_bf16 = bit(features[3], 22);
  if (features[0] >= 1) cpu.avx512_bf16 = bit(query(7, 1)[0], 5);
  // Subleaf 0 of 0x1D holds the highest palette; subleaf 1 describes palette 1. Both are zero where tiles are hidden.
  if (cpu.amx_tile && highest >= 0x1D) cpu.amx_palette = query(0x1D, 0)[0] != 0 && query(0x1D, 1)[0] != 0;
  return cpu;
}

bool must_cap_onednn_isa(const CpuCapabilities& cpu, const char* user_limit) {
  if (!cpu.amx_broken()) return false;
  if (user_limit == nullptr || *user_limit == '\0') return true;
  std::string limit(user_limit);
  for (char& c : limit) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  // oneDNN ignores names it does not know, so only a known limit below AMX counts.
  for (const std::string_view safe :
       {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_MIC", "AVX512_MIC_4OPS", "AVX512_CORE",
        "AVX512_CORE_VNNI", "AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX10_1_512"})
    if (limit == safe) return false;
  return true;
}

SimdLimit simd_limit(const char* value) {
  const std::string_view limit = value == nullptr ? "" : value;
  if (limit.empty()) return SimdLimit::none;
  if (limit == "avx512") return SimdLimit::avx512;
  if (limit == "avx2") return SimdLimit::avx2;
  require<UsageError>(limit == "portable", "EDDY_SIMD is '{}', expected avx512, avx2 or portable", limit);
  return SimdLimit::portable;
}

std::string describe_cpu() {
  const CpuCapabilities cpu = cpu_capabilities();
  const Precision precision = tiles::available() ? matmul_precision() : Precision::highest;
  return fmt::format("{}, eddy's kernels on {}{}, oneDNN {} on {}, {}{}", cpu.model, vector_target(),
                     precision == Precision::highest ? "" : fmt::format(" at {} precision", name_of(precision)),
                     onednn_version(), onednn_isa(), counted(num_threads(), "thread"),
                     cpu.amx_broken() ? ", AMX announced but hidden (not used)" : "");
}

}  // namespace eddy
