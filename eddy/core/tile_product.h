// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "eddy/core/precision.h"
#include "eddy/core/rounding.h"

/// Products of f32 matrices on the tiles of AMX, which multiply bf16 sixteen times as fast as AVX-512 multiplies f32.
///
/// A float is exactly the sum of three bf16 numbers of 8 digits each. Of the nine products of such parts the six that
/// reach the digits of an f32 are made and added in f32 (Henry, Tang & Heinecke 2019, "Leveraging the bfloat16
/// Artificial Intelligence Datatype For Higher-Precision Computations"): errors are no larger than those of products
/// in f32, and often smaller. Parts below 1.2e-38 count as zeros, so numbers below 1e-33 have fewer digits.
/// With two parts, rounded to 16 bits, three products are made, and a term's error is below 2^-15 of it; with one, of 8
/// bits, one, and 2^-7.
///
/// Operands are packed in groups of two tiles, [group][block of terms][part][tile]: for a left operand a tile holds 16
/// rows, for a right one 16 columns. Lines are rows of a left and columns of a right operand. All functions are serial
/// and may be called concurrently; a result element depends on its row, its column and nothing else.
namespace eddy::tiles {

/// Whether products may use tiles: the processor has them, the system lets this process use them, and EDDY_SIMD does
/// not forbid it. The rest may be called only then.
bool available();

inline constexpr std::int64_t kLines = 16;  ///< of a tile
inline constexpr std::int64_t kGroup = 2 * kLines;
inline constexpr std::int64_t kTerms = 32;  ///< terms of its sums that a tile holds
/// Rows and columns of one product.
inline constexpr std::int64_t kRows = kGroup;
inline constexpr std::int64_t kCols = 2 * kGroup;

/// The parts that a precision takes numbers apart into.
constexpr int parts_of(Precision precision) { return static_cast<int>(precision) + 1; }
inline constexpr int kMostParts = parts_of(Precision::highest);

/// body(parts), `parts`, 1 to 3, as a constant.
template <class Body>
decltype(auto) with_parts(int parts, const Body& body) {
  switch (parts) {
    case 1:
      return body(std::integral_constant<int, 1>());
    case 2:
      return body(std::integral_constant<int, 2>());
    default:
      return body(std::integral_constant<int, 3>());
  }
}

/// Of a packed operand; with `lines` a multiple of kGroup also where line number `lines` begins.
constexpr std::int64_t packed_floats(std::int64_t lines, std::int64_t depth, int parts) {
  return round_up(lines, kLines) * round_up(depth, kTerms) / 2 * parts;
}

enum class Side : std::uint8_t { left, right };

/// A matrix to be packed. With `terms_first`, line l and term k are at from[k * stride + l], else at
/// from[lines[l] * stride + k], `lines` being 0, 1, 2… where it is null.
struct Source {
  const float* from;
  std::ptrdiff_t stride;
  bool terms_first;
  const std::int32_t* lines = nullptr;
};

/// Packs `lines` lines of `depth` terms.
void pack(Side side, const Source& source, std::int64_t lines, std::int64_t depth, int parts, float* packed);

/// Packs up to kLines lines as tile `tile` of a group of `tiles`.
void pack_tile(Side side, const Source& source, std::int64_t lines, std::int64_t depth, int parts, int tile, int tiles,
               float* group);

/// What a product fetches into the second-level cache meanwhile.
struct Ahead {
  const float* from = nullptr;
  std::int64_t floats = 0;
};

/// Floats from one block of terms to the next in a group of `tiles` tiles.
constexpr std::int64_t step_floats(std::int64_t tiles, int parts) {
  return packed_floats(tiles * kLines, kTerms, parts);
}

struct Product {
  const float* left;
  std::int64_t rows;  ///< up to kRows, a group; in multiply_row_blocks() any number
  const float* right;
  std::int64_t right_group;  ///< floats from its first group to its second
  std::int64_t columns;      ///< up to kCols
  std::int64_t depth;
  int parts;
};

/// out[row * kCols + column] = the product. Whole tiles of columns are written, to a cache line's boundary. A Use must
/// live meanwhile.
void multiply(const Product& product, float* out, const Ahead& ahead);

/// The product for any number of rows: `prepare(first, count)` and then `finish(first, count, sums)` are called for
/// each kRows of them, with sums as multiply() writes them. Meanwhile all of `next` is fetched.
template <class Prepare, class Finish>
void multiply_row_blocks(const Product& product, const Ahead& next, const Prepare& prepare, const Finish& finish) {
  constexpr std::int64_t kLineFloats = 16;
  alignas(64) float sums[kRows * kCols];
  const std::int64_t products = (product.rows + kRows - 1) / kRows;
  Product block = product;
  Ahead share{next.from, products == 0 ? 0 : round_up(next.floats / products, kLineFloats)};
  for (std::int64_t first = 0; first < product.rows; first += kRows) {
    block.rows = product.rows - first < kRows ? product.rows - first : kRows;
    prepare(first, block.rows);
    multiply(block, sums, share);
    finish(first, block.rows, static_cast<const float*>(sums));
    block.left += packed_floats(kRows, product.depth, product.parts);
    share.from += share.floats;
  }
}

/// Room for `floats` floats that the calling thread keeps, on a cache line's boundary: for packed operands.
/// Valid until the thread's next call. Grows, and so allocates, only beyond what the thread asked for before.
float* thread_scratch(std::int64_t floats);

/// What a thread that multiplies holds; its end releases the thread's tiles.
class Use {
 public:
  Use() = default;
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use();
};

}  // namespace eddy::tiles
