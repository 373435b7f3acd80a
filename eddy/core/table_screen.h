// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstddef>
#include <cstdint>

namespace eddy {

/// Bounds on the products of a vector with all rows of a table, from a copy of the table of a quarter of its size:
/// integers of 8 bits, with a scale and a bound on the error for each row. What the bounds leave can be computed
/// exactly from the table itself, so that a maximum costs a quarter of the memory traffic and is still exact.
/// All functions are serial; ranges of rows may be done by different threads.
struct TableScreen {
  std::int8_t* integers;  ///< [screen_rows_kept(rows), screen_width(size)]
  float* scales;          ///< [rows]
  float* errors;          ///< [rows], of a product with a vector of norm 1
};

/// Elements of a row of the copy, of a vector too; those beyond `size` are zero.
constexpr std::int64_t screen_width(std::int64_t size) { return (size + 15) / 16 * 16; }
/// Rows of the copy; those beyond `rows` are read, and not used.
constexpr std::int64_t screen_rows_kept(std::int64_t rows) { return rows + 3; }

/// Fills rows [begin, end) from table [rows, size]. A row with an element that is no number gets an infinite error.
void screen_rows(const float* table, std::int64_t size, std::int64_t begin, std::int64_t end,
                 const TableScreen& screen);

/// The Euclidean norm, rounded up; no number where an element is none.
float screen_norm(const float* x, std::int64_t size);

/// For rows [begin, end): an upper bound, at upper[row], of what gemm computes for x times the row plus bias[row]; NaN
/// where there is none. Returns the largest lower bound. x [screen_width(size)] ends with zeros; `norm` is finite.
float screen_bounds(const TableScreen& screen, std::int64_t size, const float* x, float norm, const float* bias,
                    std::int64_t begin, std::int64_t end, float* upper);

}  // namespace eddy
