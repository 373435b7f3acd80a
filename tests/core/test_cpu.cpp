// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>

#include "eddy/core/cpu.h"
#include "eddy/core/error.h"
#include "eddy/core/math.h"
#include "eddy/core/onednn.h"
#include "eddy/core/tile_product.h"

namespace {

using eddy::CpuidRegisters;

/// A processor with AVX-512, bf16 and AMX whose tile palette is there or hidden.
eddy::CpuidFunction fake_cpu(bool amx, bool palette, std::uint32_t highest_leaf = 0x20) {
  return [=](std::uint32_t leaf, std::uint32_t subleaf) -> CpuidRegisters {
    constexpr std::uint32_t kAvx512 = (1U << 16) | (1U << 17) | (1U << 30) | (1U << 31);
    if (leaf == 0) return {highest_leaf, 0, 0, 0};
    if (leaf == 1) return {0, 0, 1U << 12, 0};
    if (leaf == 7 && subleaf == 0) return {1, kAvx512 | (1U << 5), 0, amx ? (1U << 24) | (1U << 22) | (1U << 25) : 0};
    if (leaf == 7 && subleaf == 1) return {1U << 5, 0, 0, 0};
    if (leaf == 0x1D && palette) return subleaf == 0 ? CpuidRegisters{1, 0, 0, 0} : CpuidRegisters{8192, 64, 8, 16};
    if (leaf == 0x80000000U) return {0x80000004U, 0, 0, 0};
    if (leaf == 0x80000002U) {
      CpuidRegisters registers{};
      std::memcpy(registers.data(), "  Test CPU      ", 16);
      return registers;
    }
    return {};
  };
}

}  // namespace

TEST_CASE("CPUID is read as the manuals say") {
  const eddy::CpuCapabilities cpu = eddy::cpu_capabilities(fake_cpu(true, true));
  CHECK(cpu.model == "Test CPU");
  CHECK(cpu.avx2);
  CHECK(cpu.fma);
  CHECK(cpu.avx512);
  CHECK(cpu.avx512_bf16);
  CHECK(cpu.amx_tile);
  CHECK(cpu.amx_bf16);
  CHECK(cpu.amx_palette);
  CHECK_FALSE(cpu.amx_broken());
  const eddy::CpuCapabilities old = eddy::cpu_capabilities(fake_cpu(false, false, 6));
  CHECK(old.fma);
  CHECK_FALSE(old.avx2);
}

TEST_CASE("AMX without a palette caps oneDNN, and nothing else does") {
  const eddy::CpuCapabilities hidden = eddy::cpu_capabilities(fake_cpu(true, false));
  CHECK(hidden.amx_broken());
  CHECK(eddy::must_cap_onednn_isa(hidden, nullptr));
  // Leaf 0x1D beyond the highest leaf is as good as zero.
  CHECK(eddy::cpu_capabilities(fake_cpu(true, true, 0x14)).amx_broken());
  CHECK_FALSE(eddy::must_cap_onednn_isa(eddy::cpu_capabilities(fake_cpu(true, true)), nullptr));
  CHECK_FALSE(eddy::must_cap_onednn_isa(eddy::cpu_capabilities(fake_cpu(false, false)), nullptr));
}

TEST_CASE("a lower limit of the user's is kept, a higher or unknown one is not") {
  const eddy::CpuCapabilities hidden = eddy::cpu_capabilities(fake_cpu(true, false));
  for (const char* lower : {"AVX2", "avx512_core", "AVX512_CORE_BF16", "SSE41"})
    CHECK_FALSE(eddy::must_cap_onednn_isa(hidden, lower));
  for (const char* other : {"", "ALL", "DEFAULT", "AVX512_CORE_AMX", "AVX512_CORE_AMX_FP16", "nonsense"})
    CHECK(eddy::must_cap_onednn_isa(hidden, other));
}

TEST_CASE("the description names processor, library and threads") {
  const std::string text = eddy::describe_cpu();
  CHECK(text.find(eddy::cpu_capabilities().model) != std::string::npos);
  CHECK(text.find("oneDNN " + eddy::onednn_version()) != std::string::npos);
  CHECK(text.find(std::string("kernels on ") + eddy::vector_target()) != std::string::npos);
  CHECK(text.find("thread") != std::string::npos);
}

TEST_CASE("EDDY_SIMD has three values, and any other is an error") {
  CHECK(eddy::simd_limit(nullptr) == eddy::SimdLimit::none);
  CHECK(eddy::simd_limit("") == eddy::SimdLimit::none);
  CHECK(eddy::simd_limit("avx512") == eddy::SimdLimit::avx512);
  CHECK(eddy::simd_limit("avx2") == eddy::SimdLimit::avx2);
  CHECK(eddy::simd_limit("portable") == eddy::SimdLimit::portable);
  CHECK_THROWS_WITH_AS(eddy::simd_limit("sse"), "EDDY_SIMD is 'sse', expected avx512, avx2 or portable",
                       eddy::UsageError);
}

// The suite runs this with each value, so that no run repeats another unnoticed.
TEST_CASE("kernels run on the best instructions that EDDY_SIMD allows") {
  const eddy::SimdLimit limit = eddy::simd_limit(std::getenv("EDDY_SIMD"));
  // Unlike CPUID's bits these count what the operating system enables.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  std::string target = eddy::vector_target();
  // Portable code has one of two names.
  if (target == "SCALAR" || target == "EMU128") target = "portable";
  std::string expected = "portable";
  const bool beyond_avx2 = limit == eddy::SimdLimit::none || limit == eddy::SimdLimit::avx512;
  if (avx2 && limit != eddy::SimdLimit::portable) expected = "AVX2";
  if (avx512 && beyond_avx2) expected = "AVX-512";
  if (eddy::tiles::available()) expected += " and AMX";
  CHECK(target == expected);
  CHECK((limit == eddy::SimdLimit::none || !eddy::tiles::available()));
}
