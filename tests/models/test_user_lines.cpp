// SPDX-License-Identifier: Apache-2.0
// What a model builder finds wrong names the builder, the argument and the line of this file; what it builds answers to
// this file, loop bodies and gradients included.
#include <doctest/doctest.h>

#include <cstdlib>
#include <functional>
#include <string_view>

#include "eddy/graph/graph.h"
#include "eddy/graph/program.h"
#include "eddy/models/adaptive_softmax.h"
#include "eddy/models/cell_stack.h"
#include "eddy/models/language_model.h"
#include "eddy/models/repeated_context.h"
#include "eddy/models/row_models.h"
#include "eddy/models/seq2seq_cells.h"
#include "eddy/models/seq2seq_library.h"
#include "eddy/models/sequence_autoencoder.h"
#include "eddy/models/sequence_decoding.h"
#include "eddy/models/softmax_loss.h"
#include "eddy/models/text_classifier.h"
#include "eddy/ops/add.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/iota.h"
#include "eddy/ops/linear_cross_entropy.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/random_key.h"
#include "eddy/ops/recurrence_equations.h"
#include "eddy/ops/sum.h"
#include "eddy/optimizers/minimize.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kTime = 7, kBatch = 3, kWords = 11, kSize = 5, kHidden = 6;
constexpr std::string_view kFile = "tests/models/test_user_lines.cpp:";

/// Checks that `wrong`, which stands between these lines of this file, is refused with all of `parts` and one of these
/// lines, and no other line of code.
void check_refused(unsigned first, const std::function<void()>& wrong, const std::vector<std::string>& parts,
                   unsigned last) {
  std::string message = "no error";
  try {
    wrong();
  } catch (const GraphError& error) {
    message = error.what();
  }
  INFO(message);
  for (const std::string& part : parts) {
    INFO("should contain ", part);
    CHECK(message.find(part) != std::string::npos);
  }
  const std::size_t at = message.find(kFile);
  REQUIRE(at != std::string::npos);
  const long line = std::strtol(message.c_str() + at + kFile.size(), nullptr, 10);
  CHECK(line >= static_cast<long>(first));
  CHECK(line <= static_cast<long>(last));
  CHECK(message.find(".cpp:") == message.rfind(".cpp:"));
  CHECK(message.find(".h:") == std::string::npos);
}

/// Arguments that fit, and others that do not.
struct Arguments {
  Graph graph;
  ParameterStore store;
  int inputs = 0;

  Value input(DType dtype, const Shape& shape) { return graph.input(fmt::format("input{}", inputs++), dtype, shape); }

  Value tokens = input(i32, {kTime, kBatch});
  Value mask = input(f32, {kTime, kBatch});
  Value rows = input(f32, {kTime, kBatch, kSize});
  Value labels = input(i32, {kBatch});
  Value row_weights = input(f32, {kBatch});
  Value longer_tokens = input(i32, {kTime + 2, kBatch});
  Value longer_mask = input(f32, {kTime + 2, kBatch});
};

TextModelConfig text_config() {
  return {.vocabulary_size = kWords, .embedding_size = kSize, .encoder = {.hidden_size = kHidden}, .classes = 4};
}

SequenceToSequenceConfig pair_config(DecoderMode mode = DecoderMode::attention) {
  SequenceToSequenceConfig config;
  config.source_vocabulary = config.target_vocabulary = config.classes = kWords;
  config.embedding_size = kSize;
  config.encoder.hidden_size = kHidden;
  config.attention_size = 4;
  config.mode = mode;
  return config;
}

LstmCell lstm_cell(Arguments& in) {
  return {.w_x = in.input(f32, {kSize, 4 * kHidden}),
          .w_h = in.input(f32, {kHidden, 4 * kHidden}),
          .bias = in.input(f32, {4 * kHidden})};
}

State states(Arguments& in) { return zero_state(in.rows, {"h", "c"}, {kBatch, kHidden}); }

TEST_CASE("lines: text models name the argument") {
  Arguments in;
  const TextModelConfig config = text_config();
  const Mode mode = Mode::train;
  ParameterStore& store = in.store;
  check_refused(
      __LINE__, [&] { recurrent_stack(store, "a", config.encoder, in.rows, in.longer_mask); },
      {"[recurrent_stack]", "mask must be f32[7,3], not f32[9,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { recurrent_stack(store, "a", config.encoder, in.tokens, in.mask); },
      {"[recurrent_stack]", "x must be f32[time,batch,features], not i32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { recurrent_stack(store, "a", config.encoder, Value(), in.mask); },
      {"[recurrent_stack] x is empty"}, __LINE__);
  check_refused(
      __LINE__,
      [&] {
        recurrent_stack(store, "a", config.encoder, in.rows, in.mask, {.h = {in.input(f32, {2, 2})}, .c = {}});
      },
      {"[recurrent_stack]", "initial.h must be f32[3,6], not f32[2,2]"}, __LINE__);
  check_refused(
      __LINE__, [&] { language_model(store, config, in.tokens, in.mask, in.longer_tokens, in.mask, mode); },
      {"[language_model]", "targets must be i32[7,3], not i32[9,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { language_model(store, config, in.tokens, in.mask, in.tokens, Value(), mode); },
      {"[language_model]", "weights must be f32[7,3], not an empty value"}, __LINE__);
  check_refused(
      __LINE__, [&] { next_token_targets(config, in.tokens, in.longer_mask); },
      {"[next_token_targets]", "mask must be f32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { sequence_autoencoder(store, config, in.tokens, in.longer_mask, mode); },
      {"[sequence_autoencoder]", "mask must be f32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { encode_tokens(store, config, in.tokens, in.longer_mask, mode); },
      {"[encode_tokens]", "mask must be f32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { embed_tokens(store, config, in.labels, mode); },
      {"[embed_tokens]", "tokens must be i32[time,batch], not i32[3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { vocabulary_loss(store, config, in.rows, in.tokens, in.mask, mode); },
      {"[vocabulary_loss]", "hidden must be f32[time,batch,6], not f32[7,3,5]"}, __LINE__);
  check_refused(
      __LINE__, [&] { vocabulary_logits(store, config, in.rows); }, {"[vocabulary_logits]", "hidden must be"},
      __LINE__);
  check_refused(
      __LINE__, [&] { flat_positions(in.rows, in.longer_tokens, in.mask); },
      {"[flat_positions]", "targets must be i32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { softmax_loss(in.rows, in.rows, in.labels, in.tokens, in.mask); },
      {"[softmax_loss]", "table must be f32[classes,5]"}, __LINE__);
  check_refused(
      __LINE__, [&] { next_row_loss(store, config, in.rows, in.longer_mask, mode); },
      {"[next_row_loss]", "mask must be f32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { row_autoencoder_loss(store, config, in.tokens, in.mask, mode); },
      {"[row_autoencoder_loss]", "rows must be f32[time,batch,width]"}, __LINE__);
  check_refused(
      __LINE__,
      [&] { adaptive_softmax_loss(store, "s", {.vocabulary = 9, .cutoffs = {3}}, in.mask, in.labels, in.mask); },
      {"[adaptive_softmax_loss]", "targets must be i32[7], not i32[3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { adaptive_log_probabilities(store, "s", {.vocabulary = 9, .cutoffs = {9}}, in.mask); },
      {"[adaptive_log_probabilities]", "rise between 1 and 8"}, __LINE__);
  check_refused(
      __LINE__, [&] { repeated_context(store, {.characters = 4, .target_length = 3}, in.mask); },
      {"[repeated_context]", "source must be i32[time,batch], not f32[7,3]"}, __LINE__);
}

TEST_CASE("lines: numbers of a config that make no sense are named") {
  Arguments in;
  struct Wrong {
    std::function<void(TextModelConfig&)> change;
    std::string part;
  };
  const std::vector<Wrong> wrongs = {
      {[](auto& c) { c.word_dropout = -0.25F; }, "word_dropout is -0.25, expected at least 0 and less than 1"},
      {[](auto& c) { c.embedding_dropout = 1; }, "embedding_dropout is 1, expected"},
      {[](auto& c) { c.output_dropout = -1; }, "output_dropout is -1, expected"},
      {[](auto& c) { c.encoder.dropout = 1.5F; }, "dropout is 1.5, expected"},
      {[](auto& c) { c.softmax_samples = -1; }, "softmax_samples is -1, expected 0 or more"},
      {[](auto& c) { c.vocabulary_size = -9; }, "-9 words in 5 dimensions cannot be embedded"}};
  for (const Wrong& wrong : wrongs) {
    TextModelConfig config = text_config();
    wrong.change(config);
    ParameterStore store;
    check_refused(
        __LINE__, [&] { language_model(store, config, in.tokens, in.mask, in.tokens, in.mask, Mode::train); },
        {wrong.part}, __LINE__);
  }
  for (const bool hidden : {true, false}) {
    TextModelConfig config = text_config();
    if (hidden) config.classifier_hidden_size = -3;
    if (!hidden) config.classifier_dropout = -0.5F;
    check_refused(
        __LINE__, [&] { text_classifier(in.store, config, in.tokens, in.mask, Mode::train); },
        {"[text_classifier]", hidden ? "classifier_hidden_size is -3" : "classifier_dropout is -0.5"}, __LINE__);
  }
  check_refused(
      __LINE__,
      [&] {
        ZoneoutLstmCell{.base = lstm_cell(in), .rate_h = 3}(
            std::vector<Value>{in.input(f32, {kBatch, kSize})},
            {{"h", in.input(f32, {kBatch, kHidden})}, {"c", in.input(f32, {kBatch, kHidden})}});
      },
      {"[ZoneoutLstmCell]", "rate_h is 3, expected"}, __LINE__);
}

TEST_CASE("lines: classifiers name the argument, and what is wrong with the config") {
  Arguments in;
  TextModelConfig config = text_config();
  const Mode mode = Mode::train;
  ParameterStore& store = in.store;
  check_refused(
      __LINE__, [&] { text_classifier(store, config, in.tokens, in.longer_mask, mode); },
      {"[text_classifier]", "mask must be f32[7,3], not f32[9,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { classify_embedded(store, config, in.rows, in.longer_mask, mode); },
      {"[classify_embedded]", "mask must be f32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { classifier_loss(store, config, in.tokens, in.mask, in.tokens, in.row_weights, mode); },
      {"[classifier_loss]", "labels must be i32[3], not i32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { label_gain_loss(store, config, in.tokens, in.mask, in.labels, in.row_weights, mode); },
      {"[label_gain_loss]", "step_weights must be f32[7,3], not f32[3]"}, __LINE__);
  check_refused(
      __LINE__,
      [&] {
        joint_loss(store, config, in.tokens, in.longer_mask, in.labels, in.row_weights,
                   UnsupervisedTask::language_model, 1, mode);
      },
      {"[joint_loss]", "mask must be f32[7,3]"}, __LINE__);
  config.encoder.layers = 0;
  check_refused(
      __LINE__, [&] { text_classifier(store, config, in.tokens, in.mask, mode); },
      {"[recurrent_stack]", "at least one layer, not 0", "scope encoder"}, __LINE__);
  config.classes = 1;
  check_refused(
      __LINE__, [&] { text_classifier(store, config, in.tokens, in.mask, mode); },
      {"[text_classifier]", "at least two classes, not 1"}, __LINE__);
}

TEST_CASE("lines: perturbations name the argument") {
  Arguments in;
  const Value loss = sum(in.rows);
  const ClassifierPass pass{
      .model = {}, .loss = {}, .embedded = in.rows, .mask = in.longer_mask, .scores = {}, .key = {}};
  check_refused(
      __LINE__, [&] { scaled_to_norm(in.mask, 1); }, {"[scaled_to_norm]", "x must be f32[time,batch,size]"}, __LINE__);
  check_refused(
      __LINE__, [&] { kl_divergence(in.mask, in.longer_mask, in.row_weights); },
      {"[kl_divergence]", "to must be f32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { adversarial_perturbation(loss, in.rows, in.longer_mask, 1); },
      {"[adversarial_perturbation]", "mask must be f32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { adversarial_perturbation(in.rows, in.rows, in.mask, 1); },
      {"[gradients]", "the loss must be one f32 number, not f32[7,3,5]"}, __LINE__);
  check_refused(
      __LINE__, [&] { adversarial_loss(pass, {}); }, {"[adversarial_loss]", "mask must be f32[7,3]"}, __LINE__);
}

TEST_CASE("lines: cells name the weight or state") {
  Arguments in;
  const Value x = in.input(f32, {kBatch, kSize});
  const State before = states(in);
  LstmCell cell = lstm_cell(in);
  const Value right = cell.w_h;
  cell.w_h = cell.w_x;
  const std::vector<std::string> wrong_weight = {"[LstmCell]", "w_h must be f32[6,24], not f32[5,24]"};
  check_refused(
      __LINE__, [&] { cell(x, before); }, wrong_weight, __LINE__);
  check_refused(
      __LINE__, [&] { cell.gates(x, before); }, wrong_weight, __LINE__);
  check_refused(
      __LINE__, [&] { scan(cell, in.rows, before); }, wrong_weight, __LINE__);
  check_refused(
      __LINE__, [&] { scan([&](Value step, const State& s) { return cell(step, s); }, in.rows, before); }, wrong_weight,
      __LINE__);
  check_refused(
      __LINE__,
      [&] {
        scan(ZoneoutLstmCell{.base = cell, .key = {}}, {in.rows, iota(in.graph, kTime)}, before);
      },
      {"[ZoneoutLstmCell]", "w_h must be f32[6,24]"}, __LINE__);
  const StepFunction step = ZoneoutLstmCell{.base = cell, .key = {}};
  check_refused(
      __LINE__, [&] { scan(step, {in.rows}, before); }, {"[ZoneoutLstmCell]", "w_h must be f32[6,24]"}, __LINE__);
  check_refused(
      __LINE__, [&] { RecurrentshopLstmCell{cell}(x, before); }, wrong_weight, __LINE__);
  check_refused(
      __LINE__,
      [&] { PeepholeLstmCell{.base = cell, .peephole_i = {}, .peephole_f = {}, .peephole_o = {}}(x, before); },
      {"[PeepholeLstmCell]", "w_h must be f32[6,24]"}, __LINE__);
  CellStack stack;
  stack.cells = {cell};
  check_refused(
      __LINE__,
      [&] {
        stack(x, {{"h0", before["h"]}, {"c0", before["c"]}}, Value());
      },
      wrong_weight, __LINE__);
  check_refused(
      __LINE__, [&] { stack.zeros(x, kBatch, {}); }, {"[CellStack]", "0 widths given for 1 cell"}, __LINE__);
  stack.dropout = 0.1F;
  stack.key = random_key(in.graph, in.store);
  check_refused(
      __LINE__, [&] { stack(x, before, Value()); }, {"[CellStack]", "expected the number of the step"}, __LINE__);
  cell.w_h = right;
  check_refused(
      __LINE__,
      [&] {
        cell(x, {{"h", before["h"]}});
      },
      {"[state] there is no 'c'; there are: h"}, __LINE__);
  check_refused(
      __LINE__,
      [&] {
        cell(x, {{"h", before["h"]}, {"c", x}});
      },
      {"[LstmCell]", "state 'c' must be f32[3,6]"}, __LINE__);
  const GruCell gru{.w_x = cell.w_x, .w_h = cell.w_h, .bias = cell.bias};
  check_refused(
      __LINE__, [&] { gru(x, before); }, {"[GruCell]", "w_x must be f32[5,18], not f32[5,24]"}, __LINE__);
  const OutputLstmCell output{.base = cell, .w_y = cell.w_x, .bias_y = cell.bias};
  check_refused(
      __LINE__, [&] { output(x, before); }, {"[OutputLstmCell]", "w_y must be f32[6,output], not f32[5,24]"}, __LINE__);
}

TEST_CASE("lines: the equations of one step and the weights of a mean name the argument") {
  Arguments in;
  const Value x = in.input(f32, {kBatch, 4 * kHidden}), of_gru = in.input(f32, {kBatch, 3 * kHidden});
  const Value state = in.input(f32, {kBatch, kHidden}), w_h = in.input(f32, {kHidden, 3 * kHidden});
  check_refused(
      __LINE__, [&] { gate(in.tokens, false); }, {"[sigmoid]", "i32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { gate(Value(), true); }, {"[gate] x is empty"}, __LINE__);
  check_refused(
      __LINE__, [&] { lstm_update(of_gru, state, false); }, {"[lstm_update] x must be f32[3,24], not f32[3,18]"},
      __LINE__);
  check_refused(
      __LINE__, [&] { lstm_update(x, in.mask, false); }, {"[lstm_update] x must be f32[7,12], not f32[3,24]"},
      __LINE__);
  check_refused(
      __LINE__, [&] { gru_update(x, state, {.w_h = w_h}); }, {"[gru_update] x must be f32[3,18], not f32[3,24]"},
      __LINE__);
  check_refused(
      __LINE__, [&] { gru_update(of_gru, state, {.w_h = x}); }, {"[gru_update] weights.w_h must be f32[6,18]"},
      __LINE__);
  check_refused(
      __LINE__, [&] { gru_update(of_gru, state, {.w_h = w_h, .bias = state}); },
      {"[gru_update] weights.bias must be f32[18]"}, __LINE__);
  check_refused(
      __LINE__, [&] { shares_of_mean(in.labels, in.mask); }, {"[shares_of_mean] weights must be f32[3], not f32[7,3]"},
      __LINE__);
  check_refused(
      __LINE__, [&] { shares_of_mean(Value(), in.mask); }, {"[shares_of_mean] targets is empty"}, __LINE__);
}

TEST_CASE("lines: attention names its members") {
  Arguments in;
  const Value query = in.input(f32, {kBatch, kHidden});
  const Value memory = in.input(f32, {kBatch, kTime, kSize}), keys = in.input(f32, {kBatch, kTime, 4});
  Attention attention{.memory = memory, .keys = keys, .w_energy = in.input(f32, {4})};
  check_refused(
      __LINE__, [&] { attention(query); }, {"[Attention]", "w_query must be f32[6,4], not an empty value"}, __LINE__);
  attention.w_query = in.input(f32, {kHidden, 4});
  attention.mask = in.mask;
  check_refused(
      __LINE__, [&] { attention(query); }, {"[Attention]", "mask must be f32[3,7], not f32[7,3]"}, __LINE__);
  attention.memory = {};
  const AttentionDecoderCell decoder{.base = lstm_cell(in), .attention = attention};
  check_refused(
      __LINE__,
      [&] {
        decoder(in.input(f32, {kBatch, kSize}), states(in));
      },
      {"[Attention]", "memory must be f32[3,"}, __LINE__);
  const AttentionOutputCell library{.base = {.base = lstm_cell(in), .w_y = {}, .bias_y = {}}, .attention = attention};
  check_refused(
      __LINE__, [&] { library(query, states(in)); }, {"[Attention]", "memory must be f32[3,"}, __LINE__);
}

TEST_CASE("lines: encoder-decoders name the argument, and what is wrong with the config") {
  Arguments in;
  SequenceToSequenceConfig config = pair_config();
  ParameterStore& store = in.store;
  PairValues pairs{.source = in.tokens,
                   .source_mask = in.mask,
                   .target_in = in.longer_tokens,
                   .target_out = in.longer_tokens,
                   .target_mask = in.mask};
  check_refused(
      __LINE__, [&] { sequence_loss(store, config, pairs, Mode::train); },
      {"[sequence_loss]", "target_mask must be f32[9,3], not f32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { greedy_sequence(store, config, in.tokens, in.longer_mask, 4, 1); },
      {"[greedy_sequence]", "mask must be f32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { encode_source(store, config, in.mask, in.mask, Mode::infer); },
      {"[encode_source]", "source must be i32[source_time,batch], not f32[7,3]"}, __LINE__);
  const EncodedSource source = encode_source(store, config, in.tokens, in.mask, Mode::infer);
  const SequenceDecoder decoder(in.graph, store, config, source);
  check_refused(
      __LINE__, [&] { decoder(in.row_weights, source.initial); },
      {"[SequenceDecoder]", "previous must be f32[3,5], not f32[3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { decoder(decoder.embed(in.labels), {}); }, {"[state] there is no 'h0'; there are: none"},
      __LINE__);
  check_refused(
      __LINE__, [&] { decoder.logits(in.mask); }, {"[SequenceDecoder::logits]", "output must be"}, __LINE__);
  check_refused(
      __LINE__, [&] { decoder.embed(Value()); }, {"[SequenceDecoder::embed] tokens is empty"}, __LINE__);
  check_refused(
      __LINE__, [&] { SequenceDecoder(in.graph, store, config, {}); },
      {"[state] there is no 'context'; there are: none"}, __LINE__);
  config.decoder_layers = 0;
  check_refused(
      __LINE__, [&] { encode_source(store, config, in.tokens, in.mask, Mode::infer); },
      {"[encode_source]", "layers on both sides, not 1 and 0"}, __LINE__);
}

TEST_CASE("lines: the seq2seq library names the argument") {
  Arguments in;
  const Seq2SeqInputs masked{.x = in.rows, .mask = in.longer_mask}, taught{.x = in.rows, .teacher = in.rows};
  const SimpleSeq2Seq simple{.output_size = 4, .output_length = 3};
  const Seq2Seq full{.output_size = 4, .output_length = 3};
  const AttentionSeq2Seq attends{.output_size = 4, .output_length = 3};
  check_refused(
      __LINE__, [&] { simple(in.store, masked); }, {"[SimpleSeq2Seq]", "mask must be f32[7,3]"}, __LINE__);
  check_refused(
      __LINE__, [&] { full(in.store, taught); }, {"[Seq2Seq]", "teacher must be f32[3,3,4], not f32[7,3,5]"}, __LINE__);
  check_refused(
      __LINE__, [&] { attends(in.store, taught); }, {"[AttentionSeq2Seq]", "no use for a teacher"}, __LINE__);
  check_refused(
      __LINE__, [&] { attends(in.store, {.x = {}}); }, {"[AttentionSeq2Seq] x is empty"}, __LINE__);
}

TEST_CASE("lines: what models are built with and trained by names op and line") {
  Arguments in;
  ParameterStore& store = in.store;
  const TensorType type{f32, {2, 3}};
  store.get("w", type, zeros());
  check_refused(
      __LINE__,
      [&] {
        store.get("w", {f32, {3, 2}}, zeros());
      },
      {"[variable] 'w' is f32[2,3] in the store, but f32[3,2] is asked for"}, __LINE__);
  check_refused(
      __LINE__,
      [&] {
        parameter(in.graph, store, "w", {3, 2}, zeros());
      },
      {"[variable] 'w' is f32[2,3]"}, __LINE__);
  check_refused(
      __LINE__,
      [&] {
        state(in.graph, store, "w", {i32, {}});
      },
      {"[variable] 'w'", "i32[]"}, __LINE__);
  const TextModelConfig config = text_config();
  recurrent_stack(store, "a", config.encoder, in.rows, in.mask);
  check_refused(
      __LINE__, [&] { recurrent_stack(store, "a", {.hidden_size = 7}, in.rows, in.mask); },
      {"[variable] 'a0/w_x' is f32[5,24]"}, __LINE__);
  check_refused(
      __LINE__, [&] { states(in)["hh"]; }, {"[state] there is no 'hh'; there are: h, c"}, __LINE__);
  check_refused(
      __LINE__, [&] { zero_state(Value(), {"h"}, {3}); }, {"[zero_state] like is empty"}, __LINE__);
  check_refused(
      __LINE__, [&] { concat({}, 0); }, {"[concat] there is nothing to join"}, __LINE__);
  check_refused(
      __LINE__,
      [&] {
        stack({in.mask, Value()});
      },
      {"[stack]", "empty"}, __LINE__);
  check_refused(
      __LINE__, [&] { minimize(in.mask, store, sgd()); }, {"[minimize] the loss must be one f32 number, not f32[7,3]"},
      __LINE__);
  check_refused(
      __LINE__, [&] { minimize(Value(), store, sgd()); }, {"[minimize] the loss is empty"}, __LINE__);
  check_refused(
      __LINE__, [&] { apply_gradients({}, store, sgd()); }, {"[apply_gradients] the list of gradients is empty"},
      __LINE__);
}

TEST_CASE("lines: a gradient rule that refuses names op and line of the forward node") {
  Arguments in;
  const TextModelConfig config = text_config();
  const unsigned line = __LINE__ + 1;
  const Value loss = sum(recurrent_stack(in.store, "a", config.encoder, in.rows, in.mask).outputs);
  check_refused(
      line, [&] { gradients(loss, {in.mask}); }, {"] has no gradient", "mask"}, line);
  const unsigned model_line = __LINE__ + 1;
  const Value of_words = language_model(in.store, config, in.tokens, in.mask, in.tokens, in.mask, Mode::infer).loss;
  check_refused(
      model_line, [&] { gradients(of_words, {in.mask}); },
      {"[linear_cross_entropy]", "no gradient with respect to", "weights", "scope softmax"}, model_line);
}

/// Checks that no node of the graph, of the compiled program or of its loops answers to a line of the library.
void check_lines(const Graph& graph, const std::vector<Value>& results) {
  for (const std::string& text : {graph_text(graph), compile(graph, results).text()})
    for (const char* room : {"eddy/models/", "eddy/ops/", "eddy/graph/", "eddy/optimizers/"}) {
      const std::size_t at = text.find(room);
      const std::string node = at == std::string::npos ? "" : text.substr(text.rfind('\n', at) + 1, 400);
      CHECK(node == "");
    }
}

TEST_CASE("lines: all that models build, their gradients and updates answers to this file") {
  Arguments in;
  TextModelConfig config = text_config();
  config.output_dropout = 0.5F;
  Value loss;
  const auto build = [&](const std::function<Value()>& model) {
    loss = model();
    check_lines(in.graph, {minimize(loss, in.store, adam({.clip_norm = 1}, {.allow_unused = true}))});
  };
  SUBCASE("language model") {
    build([&] { return language_model(in.store, config, in.tokens, in.mask, in.tokens, in.mask, Mode::train).loss; });
    const Node& node = in.graph.node(loss.node());
    CHECK(node.origin.file.ends_with("tests/models/test_user_lines.cpp"));
    CHECK(node.origin.scope == "softmax");
  }
  SUBCASE("sequence autoencoder of GRUs with a sampled softmax") {
    config.encoder.cell = CellKind::gru;
    config.softmax_samples = 3;
    build([&] { return sequence_autoencoder(in.store, config, in.tokens, in.mask, Mode::train); });
  }
  SUBCASE("classifier, adversarially") {
    config.pooling = Pooling::concat;
    build([&] {
      return classifier_loss(in.store, config, in.tokens, in.mask, in.labels, in.row_weights, Mode::train,
                             {.kind = Perturbation::adversarial_virtual_adversarial});
    });
  }
  SUBCASE("adaptive softmax") {
    config.adaptive_cutoffs = {4};
    build([&] { return language_model(in.store, config, in.tokens, in.mask, in.tokens, in.mask, Mode::train).loss; });
  }
  SUBCASE("rows") {
    build([&] { return row_autoencoder_loss(in.store, config, in.rows, in.mask, Mode::train); });
  }
  SUBCASE("frames") {
    build([&] { return sum(repeated_context(in.store, {.characters = kWords, .target_length = 3}, in.tokens)); });
  }
  SUBCASE("encoder-decoder with scheduled sampling") {
    const PairValues pairs{.source = in.tokens,
                           .source_mask = in.mask,
                           .target_in = in.longer_tokens,
                           .target_out = in.longer_tokens,
                           .target_mask = in.longer_mask};
    const Value share = in.input(f32, {});
    build([&] { return sequence_loss(in.store, pair_config(), pairs, Mode::train, share); });
    check_lines(in.graph, {greedy_sequence(in.store, pair_config(), in.tokens, in.mask, 4, 1).tokens});
  }
  SUBCASE("encoder-decoder without tokens") {
    const PairValues pairs{.source = in.tokens,
                           .source_mask = in.mask,
                           .target_in = {},
                           .target_out = in.longer_tokens,
                           .target_mask = in.longer_mask};
    build([&] { return sequence_loss(in.store, pair_config(DecoderMode::basic), pairs, Mode::train); });
  }
  SUBCASE("seq2seq library") {
    const Seq2SeqInputs inputs{.x = in.rows, .mask = in.mask};
    build([&] { return sum(SimpleSeq2Seq{.output_size = 4, .output_length = 3}(in.store, inputs).output); });
    build([&] { return sum(Seq2Seq{.output_size = 4, .output_length = 3, .name = "b"}(in.store, inputs).output); });
    build([&] {
      return sum(AttentionSeq2Seq{.output_size = 4, .output_length = 3, .name = "c"}(in.store, inputs).output);
    });
  }
  SUBCASE("equations of one step") {
    const Value w_h = parameter(in.graph, in.store, "h", {kHidden, 3 * kHidden}, glorot_uniform());
    const Value bias = parameter(in.graph, in.store, "b", {3 * kHidden}, zeros());
    const Value x = in.input(f32, {kBatch, 4 * kHidden});
    build([&] {
      const LstmUpdate lstm = lstm_update(x, in.input(f32, {kBatch, kHidden}), true);
      const Value of_gru = concat({lstm.h, lstm.c, lstm.i}, 1);
      const GruUpdate before = gru_update(of_gru, lstm.h, {.w_h = w_h, .reset_after = false});
      const GruUpdate after = gru_update(of_gru, before.h, {.w_h = w_h, .bias = bias});
      const Value row = sum(gate(after.h, false), {1});
      return sum(row * shares_of_mean(in.labels, in.row_weights));
    });
  }
  SUBCASE("cells in loops") {
    build([&] {
      const LstmCell cell{.w_x = parameter(in.graph, in.store, "x", {kSize, 4 * kHidden}, glorot_uniform()),
                          .w_h = parameter(in.graph, in.store, "h", {kHidden, 4 * kHidden}, glorot_uniform()),
                          .bias = parameter(in.graph, in.store, "b", {4 * kHidden}, zeros())};
      const Value of_one = sum(scan(cell, in.rows, states(in), {.mask = in.mask, .truncate = 2}).output);
      const ZoneoutLstmCell zoneout{.base = cell, .key = random_key(in.graph, in.store)};
      return of_one + sum(scan(zoneout, {in.rows, iota(in.graph, kTime)}, states(in), {.recompute = true}).output);
    });
  }
}

}  // namespace
}  // namespace eddy::test
