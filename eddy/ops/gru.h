// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

struct GruOptions {
  Value h0 = {};    ///< f32[batch, hidden]; empty for zeros
  Value mask = {};  ///< f32[time, batch] of 0 and 1; empty for all 1. Taken as given: no gradient.
  bool reverse = false;
  /// Gates r and z by clamp(0.2 x + 1/2, 0, 1) instead of the sigmoid.
  bool hard_sigmoid = false;
  /// True: n = tanh(x w + r * (h w_h + b_h)), as PyTorch and cuDNN; false: n = tanh(x w + (r * h) w_h), as Cho et al.
  /// 2014.
  bool reset_after = true;
  Value recurrent_bias = {};  ///< b_h, f32[3 hidden], only with reset_after; empty for zeros
};

struct GruResult {
  Value outputs;  ///< f32[time, batch, hidden]: h after each step, zero at masked steps
  Value final_h;  ///< f32[batch, hidden]: h after the last step that is not masked
};

/// A layer of gated recurrent units (Cho et al. 2014, section 2.3) over a whole sequence: x [time, batch, in], w_x [in,
/// 3 hidden], w_h [hidden, 3 hidden], bias [3 hidden]; gates in the order r, z, n and
///   h' = (1 - z) * n + z * h
/// Masks, reverse and the cost are as for lstm(). Differentiable as lstm() is.
GruResult gru(Operand x, Operand w_x, Operand w_h, Operand bias, const GruOptions& options = {});

}  // namespace eddy
