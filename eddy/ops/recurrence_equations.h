// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

// The equations of LSTM and GRU in small ops: of one step, for cells of one's own, and of the whole recurrences behind
// lstm() and gru() with their gradients, as loops. The fused kernels compute the same; gradients of gradients go
// through these. The functions throw GraphError, with the user's line, when sizes do not fit.

/// sigmoid(x), or clamp(0.2 x + 1/2, 0, 1).
Value gate(Value x, bool hard_sigmoid, SourceLocation where = SourceLocation::current());

struct LstmUpdate {
  Value i, f, g, o;  ///< gates after activation
  Value c, h;        ///< the new states
};
/// One step: `x` f32[batch, 4 hidden] are the gates i, f, g, o before activation, `c` f32[batch, hidden] is the old
/// cell state.
LstmUpdate lstm_update(Value x, Value c, bool hard_sigmoid, SourceLocation where = SourceLocation::current());

struct GruWeights {
  Value w_h;        ///< [hidden, 3 hidden]
  Value bias = {};  ///< [3 hidden], only with reset_after; empty for zeros
  bool hard_sigmoid = false;
  bool reset_after = true;
};
struct GruUpdate {
  Value r, z, n;  ///< gates after activation
  Value extra;    ///< h w_n + b_n with reset_after, else r * h
  Value h;        ///< the new state
};
/// One step: `x` f32[batch, 3 hidden] is what the input gives to the gates r, z, n, `h` f32[batch, hidden] the old
/// state.
GruUpdate gru_update(Value x, Value h, const GruWeights& weights, SourceLocation where = SourceLocation::current());

// The recurrences. Sizes are those of core/rnn_kernels.h: gates f32[time, batch, k hidden], states f32[time + 1, batch,
// hidden], mask f32[time, batch]. Values that may be empty say so.

struct LstmLoop {
  Value gates_x, w_h;
  Value h0 = {}, c0 = {}, mask = {};  ///< may be empty
  bool reverse = false, hard_sigmoid = false;

  struct Result {
    Value states_h, states_c;
    Value gates;   ///< after activation; 0 at masked steps
    Value last_c;  ///< f32[batch, hidden]
  };
  Result operator()() const;
};

struct LstmGradientLoop {
  Value gates, states_c, w_h;
  Value mask = {}, d_states_h = {}, d_states_c = {};  ///< may be empty
  bool reverse = false, hard_sigmoid = false;

  struct Result {
    Value d_gates;     ///< before activation; 0 at masked steps
    Value d_h0, d_c0;  ///< f32[batch, hidden]
  };
  Result operator()() const;
};

struct GruLoop {
  Value gates_x;
  GruWeights weights;
  Value h0 = {}, mask = {};  ///< may be empty
  bool reverse = false;

  struct Result {
    Value states;
    Value gates, extra;  ///< gates after activation; 0 at masked steps
  };
  Result operator()() const;
};

struct GruGradientLoop {
  Value gates, extra, states;
  GruWeights weights;  ///< the bias is not read
  Value d_states;
  Value mask = {};  ///< may be empty
  bool reverse = false;

  struct Result {
    Value d_gates_x;  ///< before activation; 0 at masked steps
    Value d_h0;       ///< f32[batch, hidden]
    Value d_gates_h;  ///< with reset_after: of h w_h + bias; else empty
  };
  Result operator()() const;
};

}  // namespace eddy
