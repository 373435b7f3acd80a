// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/tile_product.h"

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "eddy/core/cpu.h"
#include "eddy/core/tensor.h"

namespace eddy::tiles {

bool available() {
  static const bool kAvailable = [] {
    if (simd_limit(std::getenv("EDDY_SIMD")) != SimdLimit::none) return false;
    const CpuCapabilities cpu = cpu_capabilities();
    if (!cpu.avx512 || !cpu.amx_bf16 || !cpu.amx_palette) return false;
    // Linux saves the tiles of processes that have asked for them (arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA).
    return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
  }();
  return kAvailable;
}

}  // namespace eddy::tiles

// All functions below run only where available() holds.
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,amx-tile,amx-bf16"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,amx-tile,amx-bf16")
// GCC 12 takes the undefined operands in its own intrinsics for mistakes.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace eddy::tiles {
namespace {

constexpr std::int64_t kTileFloats = 256;
/// Terms of a tile are pairs (j, j + kPairs): so vectors of neighbouring terms become pairs without a shuffle.
constexpr std::int64_t kPairs = kTerms / 2;

// --- packing --------------------------------------------------------------------------------------------------------

/// Of pairs of numbers.
template <int kParts>
struct Parts {
  __m512i part[kParts];
};

/// The upper halves of `first` and `second`, as pairs.
inline __m512i join(__m512i first, __m512i second) {
  return _mm512_ternarylogic_epi32(_mm512_srli_epi32(first, 16), second, _mm512_set1_epi32(-65536), 0xF8);
}

inline __m512i upper_half(__m512i bits) { return _mm512_and_si512(bits, _mm512_set1_epi32(-65536)); }

/// A NaN whose upper half alone would be an infinity becomes one that both halves tell of.
inline void quiet_nans(__m512& first, __m512& second) {
  if (__builtin_expect(_mm512_cmp_ps_mask(first, second, _CMP_UNORD_Q) == 0, 1)) return;
  for (__m512* x : {&first, &second})
    *x = _mm512_mask_or_ps(*x, _mm512_cmp_ps_mask(*x, *x, _CMP_UNORD_Q), *x,
                           _mm512_castsi512_ps(_mm512_set1_epi32(0x00400000)));
}

/// Bits whose upper half is the nearest bf16, or below it where that would be infinite.
inline __m512i rounded(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x), size = _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFFFF));
  return _mm512_mask_add_epi32(bits, _mm512_cmplt_epi32_mask(size, _mm512_set1_epi32(0x7F7F8000)), bits,
                               _mm512_set1_epi32(0x8000));
}

/// What is left of x without the upper half of `bits`.
inline __m512 rest_of(__m512 x, __m512i bits) { return _mm512_sub_ps(x, _mm512_castsi512_ps(upper_half(bits))); }

/// Parts are rounded, so that errors have no sign of their own and what is left fits the next. Of three the first is
/// cut off, as the second fits what is left all the same. An infinity leaves NaN in the others.
template <int kParts>
inline Parts<kParts> split(__m512 first, __m512 second) {
  quiet_nans(first, second);
  if constexpr (kParts == 1) {
    return {{join(rounded(first), rounded(second))}};
  } else if constexpr (kParts == 2) {
    const __m512i a0 = rounded(first), a1 = rounded(second);
    return {{join(a0, a1), join(rounded(rest_of(first, a0)), rounded(rest_of(second, a1)))}};
  } else {
    const __m512i half = _mm512_set1_epi32(0x8000);
    const __m512i a0 = _mm512_castps_si512(first), a1 = _mm512_castps_si512(second);
    const __m512 rest0 = rest_of(first, a0), rest1 = rest_of(second, a1);
    const __m512i b0 = _mm512_add_epi32(_mm512_castps_si512(rest0), half);
    const __m512i b1 = _mm512_add_epi32(_mm512_castps_si512(rest1), half);
    return {{join(a0, a1), join(b0, b1),
             join(_mm512_castps_si512(rest_of(rest0, b0)), _mm512_castps_si512(rest_of(rest1, b1)))}};
  }
}

inline __mmask16 first_lanes(std::int64_t count) {
  return count >= kLines ? 0xFFFF : static_cast<__mmask16>((1U << std::max<std::int64_t>(count, 0)) - 1U);
}

/// Turns 16 vectors of 16 numbers into their columns, which go to out[i * 16].
inline void store_transposed(const __m512i (&rows)[16], float* out) {
  __m512i a[16], b[16];
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
    b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
    b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
    b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
  // b[4q + c] holds column 4l + c of rows 4q … 4q + 3 in its quarter l.
  for (int c = 0; c < 4; ++c) {
    const __m512i even0 = _mm512_shuffle_i32x4(b[c], b[4 + c], 0x88), odd0 = _mm512_shuffle_i32x4(b[c], b[4 + c], 0xDD);
    const __m512i even1 = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0x88),
                  odd1 = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0xDD);
    _mm512_store_si512(out + c * 16, _mm512_shuffle_i32x4(even0, even1, 0x88));
    _mm512_store_si512(out + (4 + c) * 16, _mm512_shuffle_i32x4(odd0, odd1, 0x88));
    _mm512_store_si512(out + (8 + c) * 16, _mm512_shuffle_i32x4(even0, even1, 0xDD));
    _mm512_store_si512(out + (12 + c) * 16, _mm512_shuffle_i32x4(odd0, odd1, 0xDD));
  }
}

/// Rows of a tile are the vectors as they were read, or with kTranspose their columns.
template <bool kTranspose, int kParts>
inline void store_tile(const Parts<kParts> (&vectors)[16], float* out, std::int64_t part_floats) {
  for (int part = 0; part < kParts; ++part, out += part_floats) {
    __m512i rows[16];
    for (int i = 0; i < 16; ++i) rows[i] = vectors[i].part[part];
    if constexpr (kTranspose) {
      store_transposed(rows, out);
    } else {
      for (int i = 0; i < 16; ++i) _mm512_store_si512(out + i * 16, rows[i]);
    }
  }
}

/// Vectors of lines: of each pair of terms.
template <int kParts, bool kTranspose>
void pack_terms_first(const Source& source, std::int64_t lines, std::int64_t depth, float* out,
                      std::int64_t part_floats) {
  constexpr std::int64_t kTermsAhead = 32;
  const __mmask16 mask = first_lanes(lines);
  for (std::int64_t k = 0; k < depth; k += kTerms, out += kParts * part_floats) {
    Parts<kParts> vectors[16];
    const float* from = source.from + k * source.stride;
    for (std::int64_t j = 0; j < kPairs; ++j) {
      const float *first = from + j * source.stride, *second = from + (j + kPairs) * source.stride;
      // Rows are often pages apart, beyond the reach of the processor's own prefetching.
      _mm_prefetch(reinterpret_cast<const char*>(first + kTermsAhead * source.stride), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(second + kTermsAhead * source.stride), _MM_HINT_T0);
      vectors[j] = split<kParts>(_mm512_maskz_loadu_ps(k + j < depth ? mask : 0, first),
                                 _mm512_maskz_loadu_ps(k + j + kPairs < depth ? mask : 0, second));
    }
    store_tile<kTranspose>(vectors, out, part_floats);
  }
}

/// Vectors of terms: of each line.
template <int kParts, bool kTranspose>
void pack_lines_first(const Source& source, std::int64_t lines, std::int64_t depth, float* out,
                      std::int64_t part_floats) {
  const float* rows[kLines];
  for (std::int64_t i = 0; i < kLines; ++i) {
    const std::int64_t line = std::min(i, lines - 1);
    rows[i] = source.from + (source.lines != nullptr ? source.lines[line] : line) * source.stride;
  }
  for (std::int64_t k = 0; k < depth; k += kTerms, out += kParts * part_floats) {
    Parts<kParts> vectors[16];
    const __mmask16 first = first_lanes(depth - k), second = first_lanes(depth - k - kPairs);
    for (std::int64_t i = 0; i < kLines; ++i)
      vectors[i] = split<kParts>(_mm512_maskz_loadu_ps(i < lines ? first : 0, rows[i] + k),
                                 _mm512_maskz_loadu_ps(i < lines ? second : 0, rows[i] + k + kPairs));
    store_tile<kTranspose>(vectors, out, part_floats);
  }
}

// --- products -------------------------------------------------------------------------------------------------------

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t column_bytes[16] = {};
  std::uint8_t rows[16] = {};
};

/// Rows of the first and second tile of the left operand that this thread's tiles are configured for; 0 for none.
thread_local std::int64_t configured_rows = 0;

/// With up to 16 rows four tiles hold sums and one the left operand, with more four sums and two.
void configure(std::int64_t rows) {
  if (configured_rows == rows) return;
  configured_rows = rows;
  TileConfig config;
  for (int i = 0; i < 8; ++i) {
    config.column_bytes[i] = 64;
    config.rows[i] = 16;
  }
  if (rows <= kLines) {
    for (const int i : {0, 1, 2, 3, 4}) config.rows[i] = static_cast<std::uint8_t>(rows);
  } else {
    for (const int i : {2, 3, 5}) config.rows[i] = static_cast<std::uint8_t>(rows - kLines);
  }
  _tile_loadconfig(&config);
}

/// Tile loads and stores do not tell a compiler which memory they touch.
inline void memory_fence_of_compiler() { asm volatile("" ::: "memory"); }

/// What each step fetches.
struct Fetch {
  const char* line;
  std::int64_t per_step;
  Fetch(const Ahead& ahead, std::int64_t steps)
      : line(reinterpret_cast<const char*>(ahead.from)),
        per_step((ahead.floats / 16 + steps - 1) / std::max<std::int64_t>(steps, 1)) {}
  void step() {
    for (std::int64_t i = 0; i < per_step; ++i, line += 64) _mm_prefetch(line, _MM_HINT_T1);
  }
};

#define EDDY_LOAD(tile, base, index) _tile_loadd(tile, (base) + (index)*kTileFloats, 64)

// The products of parts in an order in which from each to the next only one side is loaded, the same everywhere, as
// sums depend on it: of three parts (left, right) 02, 01, 11, 10, 20, 00, of two 01, 00, 10, of one 00.

/// Two tiles of rows by a group of kTiles tiles of columns.
template <int kParts, int kTiles>
void multiply_2xn(const float* left, const float* right, std::int64_t steps, float* out, Fetch& fetch) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
#define EDDY_LEFT(part)           \
  EDDY_LOAD(4, left, 2 * (part)); \
  EDDY_LOAD(5, left, 2 * (part) + 1)
#define EDDY_RIGHT(part)              \
  EDDY_LOAD(6, right, kTiles*(part)); \
  if constexpr (kTiles > 1) EDDY_LOAD(7, right, kTiles*(part) + 1)
#define EDDY_PRODUCTS()                              \
  _tile_dpbf16ps(0, 4, 6);                           \
  if constexpr (kTiles > 1) _tile_dpbf16ps(1, 4, 7); \
  _tile_dpbf16ps(2, 5, 6);                           \
  if constexpr (kTiles > 1) _tile_dpbf16ps(3, 5, 7)
  for (std::int64_t step = 0; step < steps; ++step) {
    fetch.step();
    EDDY_LEFT(0);
    EDDY_RIGHT(kParts - 1);
    EDDY_PRODUCTS();
    if constexpr (kParts == 3) {
      EDDY_RIGHT(1);
      EDDY_PRODUCTS();
      EDDY_LEFT(1);
      EDDY_PRODUCTS();
      EDDY_RIGHT(0);
      EDDY_PRODUCTS();
      EDDY_LEFT(2);
      EDDY_PRODUCTS();
      EDDY_LEFT(0);
      EDDY_PRODUCTS();
    } else if constexpr (kParts == 2) {
      EDDY_RIGHT(0);
      EDDY_PRODUCTS();
      EDDY_LEFT(1);
      EDDY_PRODUCTS();
    }
    left += 2 * kParts * kTileFloats;
    right += kTiles * kParts * kTileFloats;
  }
#undef EDDY_PRODUCTS
#undef EDDY_RIGHT
#undef EDDY_LEFT
  _tile_stored(0, out, kCols * 4);
  if constexpr (kTiles > 1) _tile_stored(1, out + kLines, kCols * 4);
  _tile_stored(2, out + kLines * kCols, kCols * 4);
  if constexpr (kTiles > 1) _tile_stored(3, out + kLines * kCols + kLines, kCols * 4);
}

/// One tile of rows by kTiles tiles of columns in groups of two.
template <int kParts, int kTiles>
void multiply_1xn(const float* left, const float* right, const float* second, std::int64_t steps, float* out,
                  Fetch& fetch) {
  constexpr int kFirst = std::min(kTiles, 2), kSecond = kTiles - kFirst;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
#define EDDY_RIGHT(part)                                            \
  EDDY_LOAD(5, right, kFirst*(part));                               \
  if constexpr (kTiles > 1) EDDY_LOAD(6, right, kFirst*(part) + 1); \
  if constexpr (kTiles > 2) EDDY_LOAD(7, second, kSecond*(part))
#define EDDY_PRODUCTS(part)                          \
  _tile_dpbf16ps(0, 4, 5);                           \
  if constexpr (kTiles > 1) _tile_dpbf16ps(1, 4, 6); \
  if constexpr (kTiles > 2) _tile_dpbf16ps(2, 4, 7); \
  if constexpr (kTiles > 3) {                        \
    EDDY_LOAD(5, second, kSecond*(part) + 1);        \
    _tile_dpbf16ps(3, 4, 5);                         \
  }
  for (std::int64_t step = 0; step < steps; ++step) {
    fetch.step();
    EDDY_LOAD(4, left, 0);
    EDDY_RIGHT(kParts - 1);
    EDDY_PRODUCTS(kParts - 1);
    if constexpr (kParts == 3) {
      EDDY_RIGHT(1);
      EDDY_PRODUCTS(1);
      EDDY_LOAD(4, left, 1);
      if constexpr (kTiles > 3) EDDY_LOAD(5, right, kFirst);
      EDDY_PRODUCTS(1);
      EDDY_RIGHT(0);
      EDDY_PRODUCTS(0);
      EDDY_LOAD(4, left, 2);
      if constexpr (kTiles > 3) EDDY_LOAD(5, right, 0);
      EDDY_PRODUCTS(0);
      EDDY_LOAD(4, left, 0);
      if constexpr (kTiles > 3) EDDY_LOAD(5, right, 0);
      EDDY_PRODUCTS(0);
    } else if constexpr (kParts == 2) {
      EDDY_RIGHT(0);
      EDDY_PRODUCTS(0);
      EDDY_LOAD(4, left, 1);
      if constexpr (kTiles > 3) EDDY_LOAD(5, right, 0);
      EDDY_PRODUCTS(0);
    }
    left += kParts * kTileFloats;
    right += kFirst * kParts * kTileFloats;
    second += kSecond * kParts * kTileFloats;
  }
#undef EDDY_PRODUCTS
#undef EDDY_RIGHT
  _tile_stored(0, out, kCols * 4);
  if constexpr (kTiles > 1) _tile_stored(1, out + kLines, kCols * 4);
  if constexpr (kTiles > 2) _tile_stored(2, out + 2 * kLines, kCols * 4);
  if constexpr (kTiles > 3) _tile_stored(3, out + 3 * kLines, kCols * 4);
}

#undef EDDY_LOAD

/// The number that was split, or what its parts tell of it.
float whole(const float* tile, std::int64_t part_floats, int parts_count, Side side, std::int64_t line,
            std::int64_t term) {
  const std::int64_t pair = term % kPairs, at = side == Side::left ? line * kPairs + pair : pair * kLines + line;
  float parts[kMostParts] = {};
  for (int part = 0; part < parts_count; ++part) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, tile + part * part_floats + at, sizeof(bits));
    bits = term < kPairs ? bits << 16U : bits & 0xFFFF0000U;
    std::memcpy(&parts[part], &bits, sizeof(bits));
  }
  // The last two first: the first two may overflow.
  return std::isfinite(parts[0]) ? parts[0] + (parts[1] + parts[2]) : parts[0];
}

bool has_nan(const Product& p, const float* out) {
  __mmask16 found = 0;
  for (std::int64_t row = 0; row < p.rows; ++row) {
    for (std::int64_t column = 0; column < p.columns; column += kLines) {
      const __m512 x = _mm512_load_ps(out + row * kCols + column);
      found = static_cast<__mmask16>(found | _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q));
    }
  }
  return found != 0;
}

/// Computes sums that are NaN again, in f32: with an infinite term the products of parts have no meaning.
__attribute__((noinline, cold)) void mend(const Product& p, std::int64_t steps, float* out) {
  // Of an operand's `lines` lines, whose groups are `group_floats` apart.
  const auto number = [&p](const float* packed, std::int64_t group_floats, std::int64_t lines, Side side,
                           std::int64_t line, std::int64_t step, std::int64_t term) {
    const std::int64_t first = line / kGroup * kGroup, tiles = lines - first > kLines ? 2 : 1;
    const float* group = packed + line / kGroup * group_floats;
    return whole(group + step * step_floats(tiles, p.parts) + (line - first) / kLines * kTileFloats,
                 tiles * kTileFloats, p.parts, side, line % kLines, term);
  };
  float sums[kRows][kCols] = {};
  for (std::int64_t step = 0; step < steps; ++step) {
    for (std::int64_t term = 0; term < kTerms; ++term) {
      float of_columns[kCols] = {};
      for (std::int64_t c = 0; c < p.columns; ++c)
        of_columns[c] = number(p.right, p.right_group, p.columns, Side::right, c, step, term);
      for (std::int64_t r = 0; r < p.rows; ++r) {
        const float of_row = number(p.left, 0, p.rows, Side::left, r, step, term);
        for (std::int64_t c = 0; c < kCols; ++c) sums[r][c] += of_row * of_columns[c];
      }
    }
  }
  for (std::int64_t r = 0; r < p.rows; ++r)
    for (std::int64_t c = 0; c < p.columns; ++c)
      if (std::isnan(out[r * kCols + c])) out[r * kCols + c] = sums[r][c];
}

/// GCC 12 does not compile a destructor for the target that the pragma sets.
void release() {
  if (configured_rows == 0) return;
  configured_rows = 0;
  _tile_release();
}

template <int kParts>
void pack_tile_of(Side side, const Source& source, std::int64_t lines, std::int64_t depth, float* out,
                  std::int64_t part_floats) {
  if (source.terms_first) {
    if (side == Side::left) {
      pack_terms_first<kParts, true>(source, lines, depth, out, part_floats);
    } else {
      pack_terms_first<kParts, false>(source, lines, depth, out, part_floats);
    }
  } else if (side == Side::right) {
    pack_lines_first<kParts, true>(source, lines, depth, out, part_floats);
  } else {
    pack_lines_first<kParts, false>(source, lines, depth, out, part_floats);
  }
}

template <int kParts>
void multiply_of(const Product& p, std::int64_t steps, float* out, const Ahead& ahead) {
  const std::int64_t tiles = (p.columns + kLines - 1) / kLines;
  const float* second = p.right + p.right_group;
  if (p.rows <= kLines) {
    Fetch fetch(ahead, steps);
    switch (tiles) {
      case 1:
        return multiply_1xn<kParts, 1>(p.left, p.right, second, steps, out, fetch);
      case 2:
        return multiply_1xn<kParts, 2>(p.left, p.right, second, steps, out, fetch);
      case 3:
        return multiply_1xn<kParts, 3>(p.left, p.right, second, steps, out, fetch);
      default:
        return multiply_1xn<kParts, 4>(p.left, p.right, second, steps, out, fetch);
    }
  }
  Fetch fetch(ahead, steps * (tiles > 2 ? 2 : 1));
  if (tiles == 1) {
    multiply_2xn<kParts, 1>(p.left, p.right, steps, out, fetch);
  } else {
    multiply_2xn<kParts, 2>(p.left, p.right, steps, out, fetch);
  }
  if (tiles == 3) multiply_2xn<kParts, 1>(p.left, second, steps, out + kGroup, fetch);
  if (tiles == 4) multiply_2xn<kParts, 2>(p.left, second, steps, out + kGroup, fetch);
}

}  // namespace

void pack_tile(Side side, const Source& source, std::int64_t lines, std::int64_t depth, int parts, int tile, int tiles,
               float* group) {
  with_parts(parts, [&](auto count) {
    pack_tile_of<count>(side, source, lines, depth, group + tile * kTileFloats, tiles * kTileFloats);
  });
}

void pack(Side side, const Source& source, std::int64_t lines, std::int64_t depth, int parts, float* packed) {
  // Terms first, a block of terms of four tiles at a time: then whole rows of memory are read, not a line of each.
  const std::int64_t stretch = source.terms_first ? kTerms : depth, block = source.terms_first ? kCols : kLines;
  for (std::int64_t line0 = 0; line0 < lines; line0 += block) {
    for (std::int64_t k = 0; k < depth; k += stretch) {
      for (std::int64_t line = line0; line < std::min(line0 + block, lines); line += kLines) {
        const std::int64_t first = line / kGroup * kGroup;
        const int tiles = lines - first > kLines ? 2 : 1;
        Source from = source;
        if (source.terms_first) {
          from.from += line + k * source.stride;
        } else if (source.lines != nullptr) {
          from.lines += line;
        } else {
          from.from += line * source.stride;
        }
        pack_tile(side, from, std::min(lines - line, kLines), std::min(depth - k, stretch), parts,
                  static_cast<int>(line - first) / kLines, tiles,
                  packed + packed_floats(first, depth, parts) + k / kTerms * step_floats(tiles, parts));
      }
    }
  }
}

void multiply(const Product& p, float* out, const Ahead& ahead) {
  const std::int64_t steps = (p.depth + kTerms - 1) / kTerms;
  configure(p.rows);
  memory_fence_of_compiler();
  with_parts(p.parts, [&](auto count) { multiply_of<count>(p, steps, out, ahead); });
  memory_fence_of_compiler();
  if (has_nan(p, out)) mend(p, steps, out);
}

float* thread_scratch(std::int64_t floats) {
  thread_local std::shared_ptr<std::byte> own;
  thread_local std::int64_t room = 0;
  if (floats > room) {
    own.reset();
    room = 0;
    own = allocate_uninitialised(static_cast<std::size_t>(floats) * sizeof(float));
    room = floats;
  }
  return reinterpret_cast<float*>(own.get());
}

Use::~Use() { release(); }

}  // namespace eddy::tiles

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
