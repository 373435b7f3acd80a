// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

struct LstmOptions {
  Value h0 = {};    ///< f32[batch, hidden]; empty for zeros
  Value c0 = {};    ///< f32[batch, hidden]; empty for zeros
  Value mask = {};  ///< f32[time, batch] of 0 and 1; empty for all 1. Taken as given: no gradient.
  bool reverse = false;
  /// Gates i, f, o by clamp(0.2 x + 1/2, 0, 1) instead of the sigmoid.
  bool hard_sigmoid = false;
};

struct LstmResult {
  Value outputs;  ///< f32[time, batch, hidden]: h after each step, zero at masked steps
  Value final_h;  ///< f32[batch, hidden]: h after the last step that is not masked
  Value final_c;  ///< f32[batch, hidden]
  Value all_c;    ///< f32[time, batch, hidden]: c after each step; a masked step repeats its predecessor's
};

/// A layer of long short-term memory (Hochreiter & Schmidhuber 1997, section 4, with the forget gate of Gers et al.
/// 2000, section 3) over a whole sequence: x [time, batch, in], w_x [in, 4 hidden], w_h [hidden, 4 hidden], bias [4
/// hidden]; gates in the order i, f, g, o:
///   i, f, o = sigmoid(x w_x + h w_h + bias), g = tanh(…), c' = f c + i g, h' = o tanh(c')
/// A masked step carries h and c through unchanged, so that padding after (or, in reverse, before) a short sequence
/// changes nothing. `reverse` runs from the last step to the first; outputs keep their places in time. What does not
/// depend on the state is one product before the loop, the weight gradients one product each after it. Differentiable
/// to any order in everything but the mask; from the second order on as loops of small ops.
LstmResult lstm(Operand x, Operand w_x, Operand w_h, Operand bias, const LstmOptions& options = {});

}  // namespace eddy
