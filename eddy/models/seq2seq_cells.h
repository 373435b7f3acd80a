// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "eddy/models/cells.h"

// Cells of the seq2seq library (farizrahman4u/seq2seq on recurrentshop) as step functions for scan(), in the manner of
// cells.h.
namespace eddy {

/// The LSTM of recurrentshop to the letter: what it keeps is c = tanh(f c' + i g), so h = o c. LstmCell is the usual
/// one.
struct TanhStateLstmCell {
  LstmCell base;

  Step operator()(Value x, const State& state) const;
};

/// LSTMDecoderCell: an LSTM with an output layer, y = tanh(h w_y + bias_y). It yields y, so values from -1 to 1.
struct OutputLstmCell {
  LstmCell base;
  Value w_y;     ///< [hidden, output]
  Value bias_y;  ///< [output]

  Step operator()(Value x, const State& state) const;
};

/// An energy linear in memory and query, e_j = memory_j w_memory + query w_query + bias. The last two do not depend on
/// j, so they cancel in the softmax: the weights are the same at every step, whatever the query. For parity only.
struct LinearAttention {
  Value memory;    ///< [batch, source, features]
  Value mask;      ///< f32[batch, source] of 0 and 1; may be empty
  Value w_memory;  ///< [features]
  Value w_query;   ///< [hidden]
  Value bias;      ///< [1]

  AdditiveAttention::Result operator()(Value query) const;
};

/// AttentionDecoderCell: an OutputLstmCell that reads what attention finds with the cell state before the step, and
/// nothing else. Its attention weights are the named output "attention".
struct AttentionOutputCell {
  OutputLstmCell base;
  std::function<AdditiveAttention::Result(Value query)> attention;

  Step operator()(Value x, const State& state) const;
};

}  // namespace eddy
