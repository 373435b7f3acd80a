// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "eddy/models/attention.h"
#include "eddy/models/recurrent_stack.h"
#include "eddy/models/text_model.h"
#include "eddy/ops/scan.h"

namespace eddy {

/// What a decoder reads at each step beside its state.
enum class DecoderMode {
  basic,      ///< the encoder's last state, and nothing of what it produced
  feedback,   ///< what it produced at the step before
  peek,       ///< that and the encoder's last state
  attention,  ///< that and what attention finds with the state before the step
};

/// What is fed back.
enum class Feedback {
  /// The continuous vector y_t that the classes are computed from, y_t = h_t W + b, as wide as the encoder's last
  /// state, which stands for y_0. No token is read, in training neither.
  output,
  /// The embedding of a token: the previous target, or the decoder's own choice.
  token,
};

/// Sizes and ways of an encoder-decoder. Training, greedy and beam decoding of one config share their parameters by
/// name: "source/…", "encoder…", "bridge…", "target/…", "decoder…", "attention/…", "readout/…", "softmax/…".
struct SequenceToSequenceConfig {
  std::int64_t source_vocabulary = 0;
  std::int64_t target_vocabulary = 0;  ///< ids a decoder may read, go among them
  std::int64_t classes = 0;            ///< ids it may predict
  std::int64_t embedding_size = 128;
  float embedding_range = 0.1F;  ///< embeddings begin uniform in [-range, range]
  /// The encoder. The decoder's layers are of the same kind, width and initial values.
  StackConfig encoder = {.reset_after = false};
  bool bidirectional = false;  ///< a second stack reads the source backwards; both states and outputs side by side
  int decoder_layers = 1;
  /// The decoder begins with the encoder's final states (see decoder_start.h; through a learned projection when the
  /// encoder is bidirectional), else with zeros.
  bool hand_over_state = true;
  DecoderMode mode = DecoderMode::attention;
  AttentionEnergy energy = AttentionEnergy::additive;
  std::int64_t attention_size = 128;  ///< width of additive attention
  /// The attention decoder of TensorFlow's legacy seq2seq, which tflearn_seq2seq and deepnlp's textsum use: what is
  /// found with all states after a step is read, through a linear layer, with the next token (cf. Luong et al. 2015,
  /// section 3.3), and makes the output with the top layer's, without a tanh. Needs tokens, and additive or general
  /// energy.
  bool input_feeding = false;
  Feedback feedback = Feedback::token;
  float dropout = 0;                 ///< on embeddings and on what the classes are computed from, while training
  std::int64_t softmax_samples = 0;  ///< shared negatives of the sampled softmax while training; 0: full softmax
};

/// The four modes of jacoxu/encoder_decoder on number_stories(): 51 words, width 20 throughout, LSTM with hard sigmoid,
/// forget bias 1 and recurrent weights orthogonal times 1.1, decoder states zero, continuous feedback, linear energy.
SequenceToSequenceConfig jacoxu_config(DecoderMode mode);

/// What a decoder reads of a source, by name, so that it can go from one program to another: "context" f32[batch,
/// width], the encoder's last state, and with attention "memory" f32[batch, source, width], "keys" and "mask".
struct EncodedSource {
  State read;
  /// Of the decoder: "h0", "c0", "h1", …, each f32[batch, hidden]; with Feedback::output also "output", with input
  /// feeding "found" f32[batch, width].
  State initial;
};

/// Encodes source i32[time, batch] under mask f32[time, batch]; padding changes nothing. Throws GraphError for a config
/// that does not hold together.
EncodedSource encode_source(ParameterStore& store, const SequenceToSequenceConfig& config, Value source, Value mask,
                            Mode mode, SourceLocation where = SourceLocation::current());

/// One step of the decoder with all its weights, which are values of `graph`: the one definition behind training and
/// every way of decoding. The graph and the source must outlive it. Throws GraphError for a source that the config does
/// not go with; calls as encode_source().
class SequenceDecoder {
 public:
  SequenceDecoder(Graph& graph, ParameterStore& store, const SequenceToSequenceConfig& config,
                  const EncodedSource& source, SourceLocation where = SourceLocation::current());

  /// `previous` f32[batch, embedding_size] is the embedded token before, empty where none is read. The output is
  /// f32[batch, width], what logits() takes; with attention the named output "attention" f32[batch, source].
  Step operator()(Value previous, const State& state, SourceLocation where = SourceLocation::current()) const;
  bool reads_tokens() const;
  /// tokens i32[…] -> f32[…, embedding_size]; empty without tokens.
  Value embed(Value tokens, SourceLocation where = SourceLocation::current()) const;
  /// output f32[…, width] -> f32[…, classes]
  Value logits(Value output, SourceLocation where = SourceLocation::current()) const;
  /// The class with the largest logit, i32[…]: sooner found than logits() computed where few rows decode in a loop.
  Value likeliest(Value output, SourceLocation where = SourceLocation::current()) const;

  const Value& softmax_table() const { return table_; }  ///< [classes, width]
  const Value& softmax_bias() const { return bias_; }    ///< [classes]

 private:
  struct Layer {
    Value w_x, w_h, bias;
  };
  Step run_layer(const Layer& layer, int index, Value x, const State& state) const;
  /// What attention is asked with.
  Value query(const State& state) const;

  SequenceToSequenceConfig config_;
  Value context_;
  Attention attention_;
  std::vector<Layer> layers_;
  Value w_input_, b_input_;
  Value w_output_, b_output_;
  Value target_table_;
  Value table_, bias_;
};

}  // namespace eddy
