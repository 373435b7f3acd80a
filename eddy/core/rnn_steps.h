// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstddef>
#include <cstdint>

/// One time step of the recurrent kernels, serial and vectorised; the time loop and the threads are in rnn_kernels.cpp.
namespace eddy {

/// The rows of the batch that are not masked at this step.
struct ActiveRows {
  const std::int32_t* rows;
  std::int64_t count;
};

/// A range of hidden units; begin is a multiple of RnnGeometry::lanes.
struct UnitRange {
  std::int64_t begin, end;
  /// Products take the last panel first. Steps that go to and fro find in the cache what the step before used last.
  bool descending = false;
};

/// Whether `threads` should each take rows of a step's product, whose sums have `depth` terms, not columns of its
/// `weights` weights: then none waits for what another wrote. Slices of fewer than three rows read the weights more
/// often than they use them; weights of up to 1.2 MB stay in one core's second-level cache; with many rows each use
/// pays for reading them from the third, but not on tiles (`parts`, 0 for vectors), which use them up faster.
bool slices_rows(std::int64_t rows, std::int64_t threads, std::int64_t weights, std::int64_t depth, int parts);

struct RnnGeometry {
  int lanes = 0;  ///< hidden units of one panel of interleaved gates
  int unit = 0;   ///< columns of one plain panel; a multiple of lanes
};

/// Where the pointers of one step point: at row 0 of the step. Null where the kernels' interface allows null.
struct LstmStep {
  std::int64_t hidden;
  bool hard_sigmoid;
  const float* packed;  ///< gate panels of w_h
  const float* gates_x;
  const float* h_prev;
  const float* c_prev;
  float* h;
  float* c;
  float* gates;
};

struct LstmStepBackward {
  std::int64_t hidden;
  bool hard_sigmoid;
  const float* gates;
  const float* c_prev;
  const float* c;
  const float* d_h;  ///< gradient of the slot, or null
  const float* d_c;  ///< gradient of the slot, or null
  float* d_gates;
  float* carry_h;  ///< in: gradient from later steps; masked rows and GRU add to it here
  float* carry_c;
};

struct GruStep {
  std::int64_t hidden;
  bool hard_sigmoid;
  const float* packed;    ///< gate panels of w_h (all three gates with reset_after, else r and z)
  const float* packed_n;  ///< plain panels of w_n, without reset_after
  const float* gates_x;
  const float* b_h;
  const float* h_prev;
  float* h;
  float* gates;  ///< may be null with reset_after only
  float* extra;  ///< may be null with reset_after only
};

struct GruStepBackward {
  std::int64_t hidden;
  bool hard_sigmoid;
  const float* gates;
  const float* extra;
  const float* h_prev;
  const float* d_h;
  float* d_gates_x;
  float* d_gates_h;
  float* carry_h;
  float* d_reset;  ///< [batch,hidden] gradient of r*h, without reset_after
};

/// The functions of one instruction set.
struct RnnSteps {
  RnnGeometry geometry;
  /// Floats of the packed forms for `hidden` units; all multiples of 16.
  std::int64_t (*gate_panel_floats)(std::int64_t hidden, int gates);
  std::int64_t (*plain_panel_floats)(std::int64_t depth, std::int64_t columns);
  /// Packs w_h[hidden, ld] gates 0..gates-1 so that a panel holds all gates of the same units.
  void (*pack_gates)(const float* w_h, std::int64_t hidden, std::int64_t ld, int gates, UnitRange units, float* packed);
  /// Packs columns `units` of a matrix M of `depth` rows: M = w (ld apart), or with `transposed` M = w^T. A product
  /// must use the ranges that were packed, or join neighbouring ones at multiples of RnnGeometry::unit.
  void (*pack_plain)(const float* w, std::int64_t ld, bool transposed, std::int64_t depth, UnitRange units,
                     float* packed);
  /// c[row, units] (+)= a[row, 0..depth) * M + bias[units] for the active rows; `bias` may be null.
  void (*plain_product)(const float* packed, std::int64_t depth, const float* a, std::int64_t lda, const float* bias,
                        bool accumulate, float* c, std::int64_t ldc, UnitRange units, ActiveRows rows);
  void (*lstm_forward)(const LstmStep& step, UnitRange units, ActiveRows rows);
  void (*lstm_backward)(const LstmStepBackward& step, UnitRange units, ActiveRows rows);
  void (*gru_forward)(const GruStep& step, UnitRange units, ActiveRows rows);
  /// Without reset_after: gates r and z and the product r*h; then, once all units are done, n and the state.
  void (*gru_reset)(const GruStep& step, UnitRange units, ActiveRows rows);
  void (*gru_update)(const GruStep& step, UnitRange units, ActiveRows rows);
  void (*gru_backward)(const GruStepBackward& step, UnitRange units, ActiveRows rows);
  /// Without reset_after: gradients of z and n; then, once d_reset is known, of r.
  void (*gru_update_backward)(const GruStepBackward& step, UnitRange units, ActiveRows rows);
  void (*gru_reset_backward)(const GruStepBackward& step, UnitRange units, ActiveRows rows);
};

/// The functions for this processor: with `parts`, those whose products run on AMX's tiles with numbers taken apart so
/// (tile_product.h), with 0 those on vectors. They do not mix: each reads what it has packed.
const RnnSteps& rnn_steps(int parts);

/// Whether tiles pay for products of up to so many rows and terms.
bool rnn_tiles_pay(std::int64_t rows, std::int64_t depth);
/// The parts of numbers there, as matmul_precision() says now; 0 where tiles do not pay.
int rnn_tile_parts(std::int64_t rows, std::int64_t depth);

}  // namespace eddy
