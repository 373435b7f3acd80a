// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "eddy/graph/graph.h"
#include "eddy/graph/variable.h"

// The three models of the seq2seq library (farizrahman4u/seq2seq) for sequences of vectors. Where the original has a
// defect, the default is what was meant, and an option named after the defect brings it back. Outputs lie between -1
// and 1: scale the data, or put a linear layer on top. Parameters begin with the model's `name`. The models are plain
// values.
namespace eddy {

/// Layers of encoder and decoder: one number for both, or two.
struct Seq2SeqDepth {
  int encoder = 1;
  int decoder = 1;

  Seq2SeqDepth(int both) : encoder(both), decoder(both) {}  // NOLINT: `.depth = 4`
  Seq2SeqDepth(int of_encoder, int of_decoder) : encoder(of_encoder), decoder(of_decoder) {}
};

/// How a layer merges what it reads with its own last output: their sum, product, mean or larger, only the output, or
/// only what it reads.
enum class Readout { none, add, multiply, average, maximum, only };

/// What the LSTMs of the original are like.
struct Seq2SeqCells {
  bool hard_sigmoid = true;
  float forget_bias = 0;  ///< at first; the original has 0, most others 1
  /// Defect: the encoder (of SimpleSeq2Seq the decoder too) keeps tanh(c) for c.
  bool store_tanh_of_cell = false;
  /// Defect, until July 2018: the output gates of the same layers have no activation.
  bool linear_output_gate = false;
};

struct Seq2SeqInputs {
  Value x;          ///< f32[time, batch, features]
  Value mask = {};  ///< f32[time, batch] of 0 and 1, 0 for padding; empty for all 1
  Value key = {};   ///< random_key(): dropout is on; empty for evaluation
  /// f32[output_length, batch, output_size], Seq2Seq only: the targets. At each step the decoder reads the target of
  /// the step before instead of its own output. Empty: its own, as in use.
  Value teacher = {};
};

struct Seq2SeqResult {
  Value output;     ///< f32[output_length, batch, output_size]
  Value attention;  ///< AttentionSeq2Seq only: f32[output_length, batch, time]
};

/// The last output of an encoder LSTM is read at every step by a decoder LSTM whose top layer is the output.
struct SimpleSeq2Seq {
  std::int64_t output_size = 0;
  std::int64_t output_length = 0;
  std::int64_t hidden_size = 0;  ///< 0: output_size
  Seq2SeqDepth depth = 1;
  float dropout = 0;
  Seq2SeqCells cells = {};
  bool two_layers_at_depth_1 = false;  ///< Defect: a decoder of depth 1 has two layers.
  std::string name = "seq2seq";

  /// Throws GraphError for sizes that are not positive and for inputs that do not fit, as the others do.
  Seq2SeqResult operator()(ParameterStore& store, const Seq2SeqInputs& inputs,
                           SourceLocation where = SourceLocation::current()) const;
};

/// An encoder that also reads its own output, and a decoder that reads its own output and begins with the encoder's
/// states. Their first input is the encoder's last output, projected.
struct Seq2Seq {
  std::int64_t output_size = 0;
  std::int64_t output_length = 0;
  std::int64_t hidden_size = 0;  ///< 0: output_size
  Seq2SeqDepth depth = 1;
  float dropout = 0;
  /// The decoder begins with the encoder's last states: those of its top layers, and where it is deeper above that with
  /// those of the top layer.
  bool broadcast_state = true;
  /// All layers of the encoder share one state, and so do those of the decoder (CellStack::share_state).
  bool inner_broadcast_state = true;
  bool peek = false;  ///< the decoder reads, added up, the encoder's output at every step too
  Readout encoder_readout = Readout::add;
  Seq2SeqCells cells = {};
  /// Defect: the teacher shows the target of the very step that is to be predicted.
  bool teacher_leaks_target = false;
  std::string name = "seq2seq";

  Seq2SeqResult operator()(ParameterStore& store, const Seq2SeqInputs& inputs,
                           SourceLocation where = SourceLocation::current()) const;
};

/// A bidirectional encoder (both directions added up) whose outputs the first decoder layer reads by attention.
/// Dropout is of these outputs, the same at all steps, and between layers.
struct AttentionSeq2Seq {
  std::int64_t output_size = 0;
  std::int64_t output_length = 0;
  std::int64_t hidden_size = 0;  ///< 0: output_size
  Seq2SeqDepth depth = 1;
  float dropout = 0;
  bool bidirectional = true;
  Seq2SeqCells cells = {};
  /// Defect: AttentionEnergy::linear, whose weights never change over time. Else additive, as wide as the hidden size.
  bool linear_energy = false;
  std::string name = "seq2seq";

  Seq2SeqResult operator()(ParameterStore& store, const Seq2SeqInputs& inputs,
                           SourceLocation where = SourceLocation::current()) const;
};

}  // namespace eddy
