// SPDX-License-Identifier: Apache-2.0
// A word-level language model with its training step in 20 lines, on a rhyme it soon knows by heart.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <map>
#include <sstream>

using namespace eddy;

int main() {
  std::istringstream rhyme(
      "row row row your boat gently down the stream merrily merrily merrily merrily life is but a dream . ");
  std::map<std::string, int> ids;
  std::vector<int> text;
  for (std::string word; rhyme >> word;) text.push_back(ids.emplace(word, static_cast<int>(ids.size())).first->second);
  const auto time = static_cast<std::int64_t>(text.size()), words = static_cast<std::int64_t>(ids.size());

  // --- the model ---
  ParameterStore store(/*seed=*/1);
  Graph graph;
  const Value tokens = graph.input("tokens", i32, {time, 1});
  const Value table = parameter(graph, store, "embedding", {words, 16}, uniform(0.1f));
  const Value w_x = parameter(graph, store, "w_x", {16, 4 * 32}, glorot_uniform(4));
  const Value w_h = parameter(graph, store, "w_h", {32, 4 * 32}, orthogonal(1.0f, 4));
  const Value bias = parameter(graph, store, "bias", {4 * 32}, block_bias(1, 4, 1.0f));
  const LstmResult states = lstm(embedding(table, tokens), w_x, w_h, bias);
  const Value softmax_w = parameter(graph, store, "softmax/w", {32, words}, glorot_uniform());
  const Value softmax_b = parameter(graph, store, "softmax/b", {words}, zeros());
  const Value loss = cross_entropy(linear(states.outputs, softmax_w, softmax_b), shift(tokens, -1, -1));
  Program step = compile(graph, {loss, minimize(loss, store, adam({.learning_rate = 0.02f, .clip_norm = 5.0f}))});

  float last = 0;
  for (int i = 0; i <= 150; ++i) {
    last = step.run({{"tokens", Tensor::from(text, {time, 1})}})[0].item();
    if (i % 30 == 0) fmt::print("step {:3}  loss {:.4f} nats a word\n", i, last);
  }
  return last < 0.1f ? 0 : 1;
}
