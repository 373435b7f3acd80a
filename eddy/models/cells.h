// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/models/attention.h"
#include "eddy/ops/scan.h"

// Recurrent cells as step functions for scan(): the weights are values of the surrounding graph. All take x f32[batch,
// in] and states f32[batch, hidden], and keep the hidden state under "h", the cell state under "c". They throw
// GraphError naming the weight or state that does not fit, with the line of the caller: that of the loop for a cell
// that is given to scan() as it is. Plain values.
namespace eddy {

/// Long short-term memory (Hochreiter & Schmidhuber 1997, section 4; Gers et al. 2000, section 3), gates i, f, g, o, as
/// lstm().
struct LstmCell {
  Value w_x;   ///< [in, 4 hidden]
  Value w_h;   ///< [hidden, 4 hidden]
  Value bias;  ///< [4 hidden]
  /// Gates by clamp(0.2 x + 1/2, 0, 1) instead of the sigmoid.
  bool hard_sigmoid = false;
  /// The cell state is clamped to [-clip_cell, clip_cell], as Dai & Le (2015) did; no gradient passes where it was
  /// outside. 0: it is not.
  float clip_cell = 0;

  Step operator()(Value x, const State& state, SourceLocation where = SourceLocation::current()) const;
  /// x w_x + h w_h + bias, [batch, 4 hidden]: the gates before activation.
  Value gates(Value x, const State& state, SourceLocation where = SourceLocation::current()) const;
  /// A new cell state as clip_cell has it.
  Value clipped(Value c) const;
};

/// The simple recurrent network, h = tanh(x w_x + h w_h + bias) (Elman 1990).
struct SimpleRnnCell {
  Value w_x;   ///< [in, hidden]
  Value w_h;   ///< [hidden, hidden]
  Value bias;  ///< [hidden]

  Step operator()(Value x, const State& state, SourceLocation where = SourceLocation::current()) const;
};

/// Gated recurrent unit (Cho et al. 2014, section 2.3), gates r, z, n, as gru() without reset_after.
struct GruCell {
  Value w_x;   ///< [in, 3 hidden]
  Value w_h;   ///< [hidden, 3 hidden]
  Value bias;  ///< [3 hidden]
  bool hard_sigmoid = false;

  Step operator()(Value x, const State& state, SourceLocation where = SourceLocation::current()) const;
};

/// LSTM whose gates also see the cell state (Gers, Schraudolph & Schmidhuber 2002, section 3): i and f the old one, o
/// the new one.
struct PeepholeLstmCell {
  LstmCell base;
  Value peephole_i, peephole_f, peephole_o;  ///< [hidden]

  Step operator()(Value x, const State& state, SourceLocation where = SourceLocation::current()) const;
};

/// LSTM with layer normalisation of both products and of the cell state (Ba, Kiros & Hinton 2016, supplement, eq.
/// 20-22).
struct LayerNormLstmCell {
  LstmCell base;
  Value gain_x, bias_x;  ///< [4 hidden]
  Value gain_h, bias_h;  ///< [4 hidden]
  Value gain_c, bias_c;  ///< [hidden]

  Step operator()(Value x, const State& state, SourceLocation where = SourceLocation::current()) const;
};

/// LSTM whose states keep their old value at random (Krueger et al. 2017, "Zoneout", section 3.1). Its sequences are x
/// and the step, i32[]. In evaluation (`key` empty) states move by the expected share instead. Named outputs "kept_h"
/// and "kept_c", bool[batch, hidden], tell which elements kept their value.
struct ZoneoutLstmCell {
  LstmCell base;
  Value key = {};  ///< i32[4], see random_key(); empty for evaluation
  float rate_c = 0.5F;
  float rate_h = 0.05F;

  Step operator()(std::span<const Value> x_and_step, const State& state,
                  SourceLocation where = SourceLocation::current()) const;
};

/// A decoder LSTM that reads its input and what attention finds with the state before the step; its attention weights
/// are the named output "attention".
struct AttentionDecoderCell {
  LstmCell base;  ///< of inputs [x, context]
  Attention attention;

  Step operator()(Value x, const State& state, SourceLocation where = SourceLocation::current()) const;
};

}  // namespace eddy
