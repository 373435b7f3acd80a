// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstddef>
#include <cstdint>

#include "eddy/core/rounding.h"

/// The cross entropy of rows times a table of classes and its gradients as three products, serial and vectorised; the
/// threads and the scratch are in ops/linear_cross_entropy.cpp.
///
/// What lies between the products is exp(logit - reference), in panels of neighbouring classes, [panel][row][class]:
/// all three products read or write it without copies. The reference is near the largest logit of the row; the scale
/// that makes probabilities of it is put on the rows of the other operands.
namespace eddy {

struct SoftmaxSizes {
  std::int64_t rows, classes;
  std::int64_t size;  ///< of a row
};

/// begin <= i < end
struct IndexRange {
  std::int64_t begin, end;
};

/// Of some panels. All must be done, in order, before the exponentials are used.
struct ExponentialsJob {
  SoftmaxSizes sizes;
  const float* states;          ///< [rows, size]
  IndexRange panels;            ///< of classes
  const float* packed_table;    ///< as PackedProduct packs a transposed B of [classes of these panels, size]
  const float* bias;            ///< [panels * panel_classes], -inf where there is no class
  const std::int32_t* targets;  ///< [rows]
  float* exponentials;          ///< null: they are only summed
  float* reference;             ///< out: [rows]
  double* sum;                  ///< out: [rows], of the exponentials
  float* target_logit;          ///< out: [rows]
  float* lane_sums;             ///< [rows * lanes], scratch
};

struct StateGradientsJob {
  SoftmaxSizes sizes;
  const float* exponentials;
  const float* table;  ///< [classes, size]
  const float* scale;  ///< [rows]
  float* d_states;     ///< out: [rows, size], scale * (exponentials table)
  float* scratch;      ///< [state_scratch_floats], of this call alone
};

struct TableGradientsJob {
  SoftmaxSizes sizes;
  const float* exponentials;
  const float* packed_states;  ///< of pack_states, for all rows of these sizes
  const float* scale;          ///< [rows]
  bool accumulate;             ///< add to the outputs
  float* d_table;              ///< out: [classes, size], exponentials' (scale * states); may be null
  float* d_bias;               ///< out: [classes], exponentials' scale; may be null
};

/// Where a range of rows of pack_states() may begin.
inline constexpr std::int64_t kPackedRows = 32;

/// The functions of one instruction set. Results do not depend on how a range is divided.
struct SoftmaxProducts {
  int lanes;
  std::int64_t panel_classes;
  /// Floats of the packed forms and of the exponentials.
  std::int64_t (*packed_states_floats)(const SoftmaxSizes& sizes);
  std::int64_t (*exponentials_floats)(const SoftmaxSizes& sizes);
  std::int64_t (*state_scratch_floats)(const SoftmaxSizes& sizes);
  /// Packs scale[row] * states[row] of rows that begin at a multiple of kPackedRows, for the gradients of the table.
  void (*pack_states)(const SoftmaxSizes& sizes, const float* states, const float* scale, IndexRange rows,
                      float* packed);
  void (*exponentials)(const ExponentialsJob& job, IndexRange rows);
  void (*state_gradients)(const StateGradientsJob& job, IndexRange rows);
  void (*table_gradients)(const TableGradientsJob& job, IndexRange panels);
};

/// The functions for this processor: with `parts`, which PackedProduct::parts() of the table tells, those on AMX's
/// tiles.
const SoftmaxProducts& softmax_products(int parts);

/// Where the exponential of a row and class is.
inline std::int64_t exponential_at(const SoftmaxProducts& products, const SoftmaxSizes& sizes, std::int64_t row,
                                   std::int64_t cls) {
  const std::int64_t first = cls / products.panel_classes * products.panel_classes;
  const std::int64_t left = round_up(sizes.classes - first, products.lanes);
  const std::int64_t width = left < products.panel_classes ? left : products.panel_classes;
  return first * sizes.rows + row * width + cls - first;
}

}  // namespace eddy
