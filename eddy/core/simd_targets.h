// SPDX-License-Identifier: Apache-2.0
// Internal: part of kernels. Include before any Highway header. Three targets keep the library small: portable code,
// AVX2+FMA and AVX-512.
#ifndef EDDY_CORE_SIMD_TARGETS_H_
#define EDDY_CORE_SIMD_TARGETS_H_
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif
