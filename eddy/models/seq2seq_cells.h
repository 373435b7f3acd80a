// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/models/cells.h"

// Cells of the seq2seq library (farizrahman4u/seq2seq on recurrentshop) as step functions for scan(), in the manner of
// cells.h. x and states, names of states and errors are as there, plain values as well.
namespace eddy {

/// The LSTM of recurrentshop to the letter, LstmCell being the usual one.
struct RecurrentshopLstmCell {
  LstmCell base;
  bool store_tanh_of_cell = true;   ///< it keeps c = tanh(f c' + i g), so h = o c
  bool linear_output_gate = false;  ///< o has no activation (until July 2018)

  Step operator()(Value x, const State& state, SourceLocation where = SourceLocation::current()) const;
};

/// LSTMDecoderCell: an LSTM with an output layer, y = tanh(h w_y + bias_y). It yields y, so values from -1 to 1.
struct OutputLstmCell {
  LstmCell base;
  Value w_y;     ///< [hidden, output]
  Value bias_y;  ///< [output]

  Step operator()(Value x, const State& state, SourceLocation where = SourceLocation::current()) const;
};

/// AttentionDecoderCell: an OutputLstmCell that reads what attention finds with the cell state before the step, and
/// nothing else. Its attention weights are the named output "attention".
struct AttentionOutputCell {
  OutputLstmCell base;
  Attention attention;

  Step operator()(Value x, const State& state, SourceLocation where = SourceLocation::current()) const;
};

}  // namespace eddy
