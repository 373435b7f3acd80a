// SPDX-License-Identifier: Apache-2.0
// A recurrent cell of one's own: an LSTM with a recurrent projection (Sak et al. 2014), trained over sequences of
// unequal lengths by a loop, then run one step at a time with the same function and the same weights.
#include <eddy/eddy.h>
#include <fmt/format.h>

using namespace eddy;

constexpr std::int64_t kWords = 12, kEmbedding = 16, kHidden = 32, kProjection = 12;

// --- the cell ---
StepFunction projected_lstm(Graph& graph, ParameterStore& store) {
  const Value w = parameter(graph, store, "cell/w", {kEmbedding, 4 * kHidden}, glorot_uniform(4));
  const Value u = parameter(graph, store, "cell/u", {kProjection, 4 * kHidden}, glorot_uniform(4));
  const Value bias = parameter(graph, store, "cell/bias", {4 * kHidden}, block_bias(1, 4, 1.0f));
  const Value projection = parameter(graph, store, "cell/projection", {kHidden, kProjection}, glorot_uniform());
  return [=](std::span<const Value> x, const State& s) -> Step {
    const auto [i, f, g, o] = split<4>(matmul(x[0], w) + matmul(s["h"], u) + bias, /*axis=*/1);
    const Value c = sigmoid(f) * s["c"] + sigmoid(i) * tanh(g);
    const Value h = matmul(sigmoid(o) * tanh(c), projection);
    return {.output = h, .state = {{"c", c}, {"h", h}}};
  };
}

Value logits_of(Graph& graph, ParameterStore& store, Value h) {
  return linear(h, parameter(graph, store, "softmax/w", {kProjection, kWords}, glorot_uniform()),
                parameter(graph, store, "softmax/b", {kWords}, zeros()));
}

Value embedded(Graph& graph, ParameterStore& store, Value tokens) {
  return embedding(parameter(graph, store, "embedding", {kWords, kEmbedding}, uniform(0.1f)), tokens);
}

int main() {
  // Four counting tunes; shorter ones end with padding, which the mask leaves out.
  constexpr std::int64_t time = 8, batch = 4;
  const std::vector<std::vector<int>> tunes{
      {1, 2, 3, 4, 5, 6, 7, 8}, {9, 7, 5, 3, 1}, {2, 4, 6, 8, 10, 0}, {11, 11, 0}};
  std::vector<int> ids(time * batch, -1);
  std::vector<float> is_word(time * batch, 0);
  for (std::size_t b = 0; b < tunes.size(); ++b)
    for (std::size_t t = 0; t < tunes[b].size(); ++t) {
      ids[t * batch + b] = tunes[b][t];
      is_word[t * batch + b] = 1;
    }

  // --- training ---
  ParameterStore store(/*seed=*/1);
  Graph graph;
  const Value tokens = graph.input("tokens", i32, {time, batch});
  const Value mask = graph.input("mask", f32, {time, batch});
  State start = zero_state(tokens, {"c"}, {batch, kHidden});
  start.set("h", full(graph, {f32, {batch, kProjection}}, 0));
  const auto [h, last] = scan(projected_lstm(graph, store), {embedded(graph, store, tokens)}, start, {.mask = mask});
  const Value loss = cross_entropy(logits_of(graph, store, h), shift(tokens, -1, -1));
  Program train = compile(graph, {loss, minimize(loss, store, adam({.learning_rate = 0.02f, .clip_norm = 5}))});
  for (int i = 0; i <= 200; ++i) {
    const float nats =
        train.run({{"tokens", Tensor::from(ids, {time, batch})}, {"mask", Tensor::from(is_word, {time, batch})}})[0]
            .item();
    if (i % 50 == 0) fmt::print("step {:3}  loss {:.4f} nats a word\n", i, nats);
  }

  // --- one step at a time ---
  Graph decoding;
  const Value word = decoding.input("word", i32, {1});
  const State state{{"c", decoding.input("c", f32, {1, kHidden})}, {"h", decoding.input("h", f32, {1, kProjection})}};
  const Value x[] = {embedded(decoding, store, word)};
  const Step step = projected_lstm(decoding, store)(x, state);
  const Value next = argmax(logits_of(decoding, store, step.output), 1);
  Program decode = compile(decoding, {next, step.state["c"], step.state["h"]});

  int wrong = 0;
  for (const std::vector<int>& tune : tunes) {
    Tensor c(f32, {1, kHidden}), hidden(f32, {1, kProjection});
    Tensor current = Tensor::from({tune[0]}, {1});
    fmt::print("{}", tune[0]);
    for (std::size_t t = 1; t < tune.size(); ++t) {
      const std::span<const Tensor> results = decode.run({{"word", current}, {"c", c}, {"h", hidden}});
      current = results[0].clone();
      c = results[1].clone();
      hidden = results[2].clone();
      const int predicted = current.values<int>()[0];
      fmt::print(" {}", predicted);
      wrong += predicted != tune[t];
    }
    fmt::print("\n");
  }
  return wrong == 0 ? 0 : 1;
}
