// SPDX-License-Identifier: Apache-2.0
// Every recurrent layer and cell of the library on one task: say at the end of a sequence which symbol it began with.
// Layers are ops; cells are step functions that scan() turns into loops; a cell of one's own may use their equations.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <functional>

using namespace eddy;

constexpr std::int64_t kTime = 8, kBatch = 32, kSymbols = 4, kHidden = 24;

/// The weights of a layer with `gates` gates that reads kSymbols or, above another layer, kHidden numbers.
struct Weights {
  Value w_x, w_h, bias;
  Weights(Graph& graph, ParameterStore& store, const std::string& name, int gates, std::int64_t in = kSymbols)
      : w_x(parameter(graph, store, name + "/w_x", {in, gates * kHidden}, glorot_uniform(gates))),
        w_h(parameter(graph, store, name + "/w_h", {kHidden, gates * kHidden}, orthogonal(1, gates))),
        bias(parameter(graph, store, name + "/bias", {gates * kHidden},
                       gates == 4 ? block_bias(1, 4, 1.0f) : zeros())) {}
};

LstmCell lstm_cell(Graph& graph, ParameterStore& store, const std::string& name = "lstm", std::int64_t in = kSymbols) {
  const Weights weights(graph, store, name, 4, in);
  return {.w_x = weights.w_x, .w_h = weights.w_h, .bias = weights.bias};
}

Value vector(Graph& graph, ParameterStore& store, const std::string& name, std::int64_t size, float value) {
  return parameter(graph, store, name, {size}, constant_value(value));
}

/// What a cell yields at the last step of a loop over x.
template <class Cell>
Value last_of(const Cell& cell, Value x) {
  return at(scan(cell, x, zero_state(x, {"h", "c"}, {kBatch, kHidden})).output, -1);
}

/// f32[batch, …] of x f32[time, batch, symbols].
using Network = std::function<Value(Graph& graph, ParameterStore& store, Value x)>;

const std::vector<std::pair<std::string, Network>> kNetworks{
    {"lstm, a layer",
     [](Graph& graph, ParameterStore& store, Value x) {
       const Weights w(graph, store, "lstm", 4);
       return lstm(x, w.w_x, w.w_h, w.bias).final_h;
     }},
    {"gru, a layer",
     [](Graph& graph, ParameterStore& store, Value x) {
       const Weights w(graph, store, "gru", 3);
       return gru(x, w.w_x, w.w_h, w.bias).final_h;
     }},
    {"recurrent_stack, two layers",
     [](Graph&, ParameterStore& store, Value x) {
       return recurrent_stack(store, "layer", {.cell = CellKind::gru, .hidden_size = kHidden, .layers = 2}, x, {})
           .last.h[1];
     }},
    {"LstmCell", [](Graph& graph, ParameterStore& store, Value x) { return last_of(lstm_cell(graph, store), x); }},
    {"GruCell",
     [](Graph& graph, ParameterStore& store, Value x) {
       const Weights w(graph, store, "gru", 3);
       const GruCell cell{.w_x = w.w_x, .w_h = w.w_h, .bias = w.bias};
       return at(scan(cell, x, zero_state(x, {"h"}, {kBatch, kHidden})).output, -1);
     }},
    {"SimpleRnnCell",
     [](Graph& graph, ParameterStore& store, Value x) {
       const Weights w(graph, store, "rnn", gate_count(CellKind::rnn));
       const SimpleRnnCell cell{.w_x = w.w_x, .w_h = w.w_h, .bias = w.bias};
       return at(scan(cell, x, zero_state(x, {"h"}, {kBatch, kHidden})).output, -1);
     }},
    {"PeepholeLstmCell",
     [](Graph& graph, ParameterStore& store, Value x) {
       return last_of(PeepholeLstmCell{.base = lstm_cell(graph, store),
                                       .peephole_i = vector(graph, store, "peephole_i", kHidden, 0),
                                       .peephole_f = vector(graph, store, "peephole_f", kHidden, 0),
                                       .peephole_o = vector(graph, store, "peephole_o", kHidden, 0)},
                      x);
     }},
    {"LayerNormLstmCell",
     [](Graph& graph, ParameterStore& store, Value x) {
       return last_of(LayerNormLstmCell{.base = lstm_cell(graph, store),
                                        .gain_x = vector(graph, store, "gain_x", 4 * kHidden, 1),
                                        .bias_x = vector(graph, store, "bias_x", 4 * kHidden, 0),
                                        .gain_h = vector(graph, store, "gain_h", 4 * kHidden, 1),
                                        .bias_h = vector(graph, store, "bias_h", 4 * kHidden, 0),
                                        .gain_c = vector(graph, store, "gain_c", kHidden, 1),
                                        .bias_c = vector(graph, store, "bias_c", kHidden, 0)},
                      x);
     }},
    {"ZoneoutLstmCell",
     [](Graph& graph, ParameterStore& store, Value x) {
       // Each step draws anew, so the cell reads the step's number beside x.
       const ZoneoutLstmCell cell{.base = lstm_cell(graph, store), .key = random_key(graph, store), .rate_c = 0.2f};
       return at(scan(cell, {x, iota(graph, kTime)}, zero_state(x, {"h", "c"}, {kBatch, kHidden})).output, -1);
     }},
    {"CellStack of two with dropout",
     [](Graph& graph, ParameterStore& store, Value x) {
       const CellStack cells{.cells = {lstm_cell(graph, store, "lower"), lstm_cell(graph, store, "upper", kHidden)},
                             .dropout = 0.1f,
                             .key = random_key(graph, store)};
       const StepFunction step = [&](std::span<const Value> in, const State& state) {
         return cells(in[0], state, in[1]);
       };
       return at(scan(step, {x, iota(graph, kTime)}, cells.zeros(x, kBatch, {kHidden, kHidden})).output, -1);
     }},
    {"RecurrentshopLstmCell of the seq2seq library",
     [](Graph& graph, ParameterStore& store, Value x) {
       return last_of(RecurrentshopLstmCell{.base = lstm_cell(graph, store)}, x);
     }},
    {"OutputLstmCell of the seq2seq library",
     [](Graph& graph, ParameterStore& store, Value x) {
       return last_of(OutputLstmCell{.base = lstm_cell(graph, store),
                                     .w_y = parameter(graph, store, "w_y", {kHidden, 16}, glorot_uniform()),
                                     .bias_y = vector(graph, store, "bias_y", 16, 0)},
                      x);
     }},
    {"one's own: an LSTM whose output a GRU smooths",
     [](Graph& graph, ParameterStore& store, Value x) {
       const Weights w(graph, store, "lstm", 4), smooth(graph, store, "gru", 3, kHidden);
       const Value w_skip = parameter(graph, store, "skip", {kSymbols, kHidden}, glorot_uniform());
       const auto step = [&](Value in, const State& state) -> Step {
         const LstmUpdate lower =
             lstm_update(matmul(in, w.w_x) + matmul(state["h"], w.w_h) + w.bias, state["c"], false);
         const GruUpdate upper = gru_update(linear(lower.h, smooth.w_x, smooth.bias), state["s"], {.w_h = smooth.w_h});
         const Value open = gate(matmul(in, w_skip), /*hard_sigmoid=*/true);
         return {.output = upper.h * open, .state = {{"h", lower.h}, {"c", lower.c}, {"s", upper.h}}};
       };
       return at(scan(step, x, zero_state(x, {"h", "c", "s"}, {kBatch, kHidden})).output, -1);
     }},
};

int main() {
  set_num_threads(1);  // steps this small are not worth sharing
  int wrong = 0;
  for (const auto& network : kNetworks) {
    ParameterStore store(/*seed=*/1);
    Graph graph;
    const Value symbols = graph.input("symbols", i32, {kTime, kBatch});
    const Value read = network.second(graph, store, one_hot(symbols, kSymbols));
    const Value scores = linear(read, parameter(graph, store, "softmax/w", {read.dim(1), kSymbols}, glorot_uniform()),
                                parameter(graph, store, "softmax/b", {kSymbols}, zeros()));
    const Value first = at(symbols, 0);
    const Value loss = cross_entropy(scores, first);
    const Value share = mean(cast(equal(argmax(scores), first), f32));
    Program train = compile(graph, {share, minimize(loss, store, adam({.learning_rate = 0.02f, .clip_norm = 1}))});

    Philox random(7);
    Tensor batch(i32, {kTime, kBatch});
    double right = 0;
    for (int i = 0; i < 150; ++i) {
      for (int& symbol : batch.values<int>()) symbol = static_cast<int>(uniform_index(random, kSymbols));
      right = 0.9 * right + 0.1 * train.run({{"symbols", batch}})[0].item();
    }
    fmt::print("{:<48}{:7} parameters {:6.1f} % right\n", network.first, store.parameter_count(), 100 * right);
    wrong += right < 0.9;
  }
  return wrong == 0 ? 0 : 1;
}
