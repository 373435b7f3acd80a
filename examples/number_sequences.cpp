// SPDX-License-Identifier: Apache-2.0
// Sequences of numbers instead of words: waves of random height, pace and phase, whose first half is given and whose
// second half is to be foretold. The three models of the seq2seq library, two decoders from cells with attention, and
// models that learn without a target: the next row from those before, and all rows again from one state.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <cmath>
#include <functional>

using namespace eddy;

constexpr std::int64_t kTime = 8, kBatch = 16, kHidden = 16;

/// Both halves of each wave, f32[time, batch, 1], between -1 and 1.
struct Waves {
  Tensor first{f32, {kTime, kBatch, 1}}, second{f32, {kTime, kBatch, 1}};

  void draw(Philox& random) const {
    for (std::size_t b = 0; b < kBatch; ++b) {
      const float height = uniform_float(random, 0.4f, 0.8f), pace = uniform_float(random, 0.4f, 0.8f);
      const float phase = uniform_float(random, 0, 6.28f);
      for (std::size_t t = 0; t < 2 * kTime; ++t)
        (t < kTime ? first : second).values<float>()[t % kTime * kBatch + b] =
            height * std::sin(pace * static_cast<float>(t) + phase);
    }
  }
};

/// The loss of a model that reads the first half and may be told the second.
using Model = std::function<Value(ParameterStore& store, Value first, Value second)>;

/// The first half as an LSTM has read it: outputs [time, batch, hidden] and final states.
LstmResult encode(ParameterStore& store, Value first) {
  Graph& graph = first.graph();
  return lstm(first, parameter(graph, store, "encoder/w_x", {1, 4 * kHidden}, glorot_uniform(4)),
              parameter(graph, store, "encoder/w_h", {kHidden, 4 * kHidden}, orthogonal(1, 4)),
              parameter(graph, store, "encoder/bias", {4 * kHidden}, block_bias(1, 4, 1)));
}

LstmCell decoder_cell(ParameterStore& store, Graph& graph, std::int64_t in) {
  return {.w_x = parameter(graph, store, "decoder/w_x", {in, 4 * kHidden}, glorot_uniform(4)),
          .w_h = parameter(graph, store, "decoder/w_h", {kHidden, 4 * kHidden}, orthogonal(1, 4)),
          .bias = parameter(graph, store, "decoder/bias", {4 * kHidden}, block_bias(1, 4, 1))};
}

/// Bahdanau's attention over what the encoder has read.
Attention attention(ParameterStore& store, Graph& graph, Value outputs) {
  const Value memory = transpose(outputs, {1, 0, 2});
  const Value w_keys = parameter(graph, store, "attention/w_keys", {kHidden, kHidden}, glorot_uniform());
  return {.energy = AttentionEnergy::additive,
          .memory = memory,
          .keys = matmul(memory, w_keys),
          .w_query = parameter(graph, store, "attention/w_query", {kHidden, kHidden}, glorot_uniform()),
          .w_energy = parameter(graph, store, "attention/w_energy", {kHidden}, uniform(0.3f))};
}

const std::vector<std::pair<std::string, Model>> kModels{
    {"SimpleSeq2Seq",
     [](ParameterStore& store, Value first, Value second) {
       // The top layer is the output, a single unit here, so the decoder gets another below it.
       const SimpleSeq2Seq model{.output_size = 1, .output_length = kTime, .hidden_size = 2 * kHidden, .depth = {1, 2}};
       return mean_squared_error(model(store, {.x = first}).output, second);
     }},
    {"Seq2Seq, told the number before",
     [](ParameterStore& store, Value first, Value second) {
       const Seq2Seq model{.output_size = 1, .output_length = kTime, .hidden_size = kHidden};
       return mean_squared_error(model(store, {.x = first, .teacher = second}).output, second);
     }},
    {"AttentionSeq2Seq",
     [](ParameterStore& store, Value first, Value second) {
       const AttentionSeq2Seq model{.output_size = 1, .output_length = kTime, .hidden_size = kHidden};
       return mean_squared_error(model(store, {.x = first}).output, second);
     }},
    {"AttentionDecoderCell, told the number before",
     [](ParameterStore& store, Value first, Value second) {
       Graph& graph = first.graph();
       const LstmResult read = encode(store, first);
       const AttentionDecoderCell cell{.base = decoder_cell(store, graph, 1 + kHidden),
                                       .attention = attention(store, graph, read.outputs)};
       const Value h = scan(cell, shift(second, 1), {{"h", read.final_h}, {"c", read.final_c}}).output;
       const Value w = parameter(graph, store, "w", {kHidden, 1}, glorot_uniform());
       return mean_squared_error(linear(h, w), second);
     }},
    {"AttentionOutputCell",
     [](ParameterStore& store, Value first, Value second) {
       Graph& graph = first.graph();
       const LstmResult read = encode(store, first);
       const AttentionOutputCell cell{.base = {.base = decoder_cell(store, graph, kHidden),
                                               .w_y = parameter(graph, store, "w_y", {kHidden, 1}, glorot_uniform()),
                                               .bias_y = parameter(graph, store, "bias_y", {1}, zeros())},
                                      .attention = attention(store, graph, read.outputs)};
       const Value y = scan(cell, second, {{"h", read.final_h}, {"c", read.final_c}}).output;  // it reads no input
       return mean_squared_error(y, second);
     }},
    {"next_row_loss, on the first half",
     [](ParameterStore& store, Value first, Value) {
       TextModelConfig config;
       config.encoder.hidden_size = kHidden;
       return next_row_loss(store, config, first, full(first.graph(), {f32, {kTime, kBatch}}, 1), Mode::train);
     }},
    {"row_autoencoder_loss, on the first half",
     [](ParameterStore& store, Value first, Value) {
       TextModelConfig config;
       config.encoder.hidden_size = kHidden;
       return row_autoencoder_loss(store, config, first, full(first.graph(), {f32, {kTime, kBatch}}, 1), Mode::train);
     }},
    {"row_pooled_autoencoder_loss, on the first half",
     [](ParameterStore& store, Value first, Value) {
       TextModelConfig config;
       config.encoder.hidden_size = kHidden;
       config.pooling = Pooling::concat;
       const Value all = full(first.graph(), {f32, {kTime, kBatch}}, 1);
       return row_pooled_autoencoder_loss(store, config, first, all, Mode::train);
     }},
};

int main() {
  set_num_threads(1);  // steps this small are not worth sharing
  int wrong = 0;
  for (const auto& model : kModels) {
    ParameterStore store(/*seed=*/1);
    Graph graph;
    const Value first = graph.input("first", f32, {kTime, kBatch, 1});
    const Value second = graph.input("second", f32, {kTime, kBatch, 1});
    const Value loss = model.second(store, first, second);
    Program train = compile(
        graph, {loss, minimize(loss, store, adam({.learning_rate = 0.02f, .clip_norm = 1})), sum(first), sum(second)});
    Philox random(7);
    const Waves waves;
    double begin = 0, now = 0;
    for (int i = 0; i < 300; ++i) {
      waves.draw(random);
      const double error = train.run({{"first", waves.first}, {"second", waves.second}})[0].item();
      if (i == 0) begin = now = error;
      now = 0.95 * now + 0.05 * error;
    }
    fmt::print("{:<46} mean squared error {:.4f} at first, {:.4f} after 300 steps\n", model.first, begin, now);
    wrong += now > 0.2 * begin;
  }
  return wrong == 0 ? 0 : 1;
}
