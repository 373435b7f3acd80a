// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "eddy/graph/graph.h"
#include "eddy/graph/variable.h"

namespace eddy {

enum class CellKind { lstm, gru, rnn };

/// Blocks side by side in the weights of one layer: 4, 3 or 1.
constexpr int gate_count(CellKind cell) { return cell == CellKind::lstm ? 4 : cell == CellKind::gru ? 3 : 1; }

/// Recurrent layers on top of each other, all of one width.
struct StackConfig {
  CellKind cell = CellKind::lstm;
  std::int64_t hidden_size = 256;
  int layers = 1;
  bool reverse = false;         ///< run from the last step to the first
  float dropout = 0;            ///< on the outputs of every layer but the last, while training
  float forget_bias = 1.0f;     ///< initial bias of the LSTM's forget gate (Jozefowicz et al. 2015, section 2.1)
  float recurrent_gain = 1.0f;  ///< the recurrent weights begin orthogonal times this
  bool hard_sigmoid = false;    ///< gates by clamp(0.2 x + 1/2, 0, 1)
  float clip_cell = 0;          ///< see LstmCell; of LSTMs only
  bool reset_after = true;      ///< see GruOptions; false has no "bias_h"
};

/// State of each layer, f32[batch, hidden_size]; `c` is empty unless the cells are LSTMs.
struct StackState {
  std::vector<Value> h;
  std::vector<Value> c;
};

struct StackResult {
  Value outputs;    ///< of the top layer, f32[time, batch, hidden_size]; zero at masked steps
  StackState last;  ///< true final states: those after each row's last real step
};

/// Runs the stack over x f32[time, batch, features]. Layer l's weights are "<name><l>/w_x" [features, gates],
/// "<name><l>/w_h" [hidden, gates], "<name><l>/bias" [gates] and for GRUs "<name><l>/bias_h" [gates], made in `store`
/// at first use. `mask` f32[time, batch] may be empty, `initial` too (zeros); `key` is needed for dropout only. Throws
/// GraphError when `initial` is not of `layers` layers, or a shape does not fit.
StackResult recurrent_stack(ParameterStore& store, std::string_view name, const StackConfig& config, Value x,
                            Value mask, const StackState& initial = {}, Value key = {},
                            SourceLocation where = SourceLocation::current());

}  // namespace eddy
