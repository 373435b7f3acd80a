// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>

#include "eddy/models/language_model.h"
#include "eddy/ops/add.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/slice.h"
#include "tests/models/reference.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

TextModelConfig small_config() {
  return {.vocabulary_size = 13, .embedding_size = 5, .encoder = {.hidden_size = 6}, .end_of_sequence = kEos};
}

std::vector<Sequence> sequences_of(const std::vector<Ints>& rows) {
  std::vector<Sequence> sequences;
  for (const Ints& row : rows) sequences.push_back(language_model_sequence(row, kEos));
  return sequences;
}

Value padded_loss(FedGraph& graph, ParameterStore& store, const TextModelConfig& config,
                  const std::vector<Sequence>& sequences) {
  std::vector<Ints> inputs;
  std::vector<Ints> targets;
  std::vector<Floats> weights;
  for (const Sequence& sequence : sequences) {
    inputs.push_back(sequence.inputs);
    targets.push_back(sequence.targets);
    weights.push_back(sequence.weights);
  }
  return language_model(store, config, graph.feed(columns(inputs, 3)), graph.feed(mask_of(inputs)),
                        graph.feed(columns(targets, 4)), graph.feed(columns(weights, 0.0F)), Mode::infer)
      .loss;
}

TEST_CASE("targets made in the graph are those of the layout") {
  const std::vector<Ints> rows = random_rows({4, 1, 0, 6}, 13, 1);
  const std::vector<Ints> documents = with_eos(rows);
  FedGraph graph;
  const NextTokenTargets next =
      next_token_targets(small_config(), graph.feed(columns(documents, 0)), graph.feed(mask_of(documents)));
  const std::vector<Tensor> got = graph.run({next.targets, next.weights});
  const std::vector<Sequence> expected = sequences_of(rows);
  for (std::size_t b = 0; b < rows.size(); ++b) {
    for (std::size_t t = 0; t < 7; ++t) {
      CAPTURE(b);
      CAPTURE(t);
      const std::size_t at = t * rows.size() + b;
      const bool predicted = t < expected[b].targets.size();
      CHECK(got[1].values<float>()[at] == (predicted ? expected[b].weights[t] : 0.0F));
      if (predicted) CHECK(got[0].values<std::int32_t>()[at] == expected[b].targets[t]);
    }
  }
}

TEST_CASE("a padded batch is the mean over its rows run alone by hand") {
  const std::vector<Sequence> sequences = sequences_of(random_rows({5, 1, 8, 3}, 13, 2));
  TextModelConfig config = small_config();
  SUBCASE("one layer") {}
  SUBCASE("two layers") { config.encoder.layers = 2; }
  SUBCASE("tied softmax") {
    config.embedding_size = 6;
    config.tied_softmax = true;
  }
  ParameterStore store;
  FedGraph graph;
  const Value loss = padded_loss(graph, store, config, sequences);
  randomize(store);
  FedGraph by_hand;
  const Value expected = reference_mean_loss(by_hand, store, config, "encoder", sequences);
  CHECK(difference(evaluate(graph, store, loss), evaluate(by_hand, store, expected)) == "");
}

TEST_CASE("documents with their <eos> and targets made in the graph give the same loss") {
  const std::vector<Ints> rows = random_rows({5, 1, 8}, 13, 3);
  const std::vector<Ints> documents = with_eos(rows);
  ParameterStore store;
  FedGraph graph;
  const Value tokens = graph.feed(columns(documents, 0));
  const Value mask = graph.feed(mask_of(documents));
  const NextTokenTargets next = next_token_targets(small_config(), tokens, mask);
  const Value loss = language_model(store, small_config(), tokens, mask, next.targets, next.weights, Mode::infer).loss;
  randomize(store);
  FedGraph by_hand;
  const Value expected = reference_mean_loss(by_hand, store, small_config(), "encoder", sequences_of(rows));
  CHECK(difference(evaluate(graph, store, loss), evaluate(by_hand, store, expected)) == "");
}

TEST_CASE("the bidirectional loss is the mean of two language models, one of reversed texts") {
  std::vector<Ints> rows = random_rows({5, 1, 8, 3}, 13, 4);
  TextModelConfig config = small_config();
  config.bidirectional = true;
  config.encoder.layers = 2;
  ParameterStore store;
  FedGraph graph;
  const Value loss = padded_loss(graph, store, config, sequences_of(rows));
  randomize(store);
  FedGraph by_hand;
  const Value forward = reference_mean_loss(by_hand, store, config, "encoder", sequences_of(rows));
  for (Ints& row : rows) std::reverse(row.begin(), row.end());
  const Value backward = reference_mean_loss(by_hand, store, config, "encoder_reverse", sequences_of(rows));
  const Evaluation expected = evaluate(by_hand, store, (forward + backward) * 0.5F);
  CHECK(difference(evaluate(graph, store, loss), expected) == "");
}

TEST_CASE("two windows with carried states are one long window") {
  // The second row ends within the second window, the third within the first.
  const std::vector<Sequence> sequences = sequences_of(random_rows({10, 7, 3}, 13, 5));
  TextModelConfig config = small_config();
  config.encoder.layers = 2;
  SUBCASE("LSTM") {}
  SUBCASE("GRU") { config.encoder.cell = CellKind::gru; }
  constexpr std::int64_t kTime = 10;
  constexpr std::int64_t kCut = 4;
  ParameterStore store;
  FedGraph graph;
  std::vector<Ints> inputs;
  std::vector<Ints> targets;
  for (const Sequence& sequence : sequences) {
    inputs.push_back(sequence.inputs);
    targets.push_back(sequence.targets);
  }
  const Value all_inputs = graph.feed(columns(inputs, 0));
  const Value all_targets = graph.feed(columns(targets, 0));
  const Value mask = graph.feed(mask_of(inputs));
  struct Window {
    LanguageModelResult model;
    Value outputs;
  };
  const auto window = [&](std::int64_t begin, std::int64_t end, const StackState& initial) {
    const Value x = slice(all_inputs, 0, begin, end);
    const Value m = slice(mask, 0, begin, end);
    return Window{language_model(store, config, x, m, slice(all_targets, 0, begin, end), m, Mode::infer, initial),
                  encode_tokens(store, config, x, m, Mode::infer, initial).forward.outputs};
  };
  const Window whole = window(0, kTime, {});
  const Window first = window(0, kCut, {});
  const Window second = window(kCut, kTime, first.model.last);
  const Window forgetful = window(kCut, kTime, {});
  randomize(store);

  const std::size_t states = config.encoder.cell == CellKind::lstm ? 4 : 2;
  const auto results = [](const Window& w, const std::vector<Value>& outputs) {
    std::vector<Value> values = w.model.last.h;
    values.insert(values.end(), w.model.last.c.begin(), w.model.last.c.end());
    values.insert(values.end(), outputs.begin(), outputs.end());
    return values;
  };
  const std::vector<Tensor> long_run =
      graph.run(results(whole, {slice(whole.outputs, 0, 0, kCut), slice(whole.outputs, 0, kCut, kTime)}));
  const std::vector<Tensor> short_runs = graph.run(results(second, {first.outputs, second.outputs}));
  REQUIRE(long_run.size() == states + 2);
  CHECK(difference(short_runs, long_run, 1e-6) == "");

  const std::vector<Tensor> losses =
      graph.run({whole.model.loss, first.model.loss, second.model.loss, forgetful.model.loss});
  const double kept = (losses[1].item() * 11 + losses[2].item() * 9) / 20;  // 4 + 4 + 3 and 6 + 3 tokens
  CHECK(losses[0].item() == doctest::Approx(kept).epsilon(1e-5));
  CHECK(std::abs(losses[2].item() - losses[3].item()) > 1e-4);
}

TEST_CASE("wrong language models are refused with their numbers") {
  ParameterStore store;
  FedGraph graph;
  const Value tokens = graph.feed(Tensor(i32, {3, 2}));
  const Value mask = graph.feed(Tensor(f32, {3, 2}));
  TextModelConfig config = small_config();
  const auto build = [&](const StackState& initial = {}) {
    return language_model(store, config, tokens, mask, tokens, mask, Mode::train, initial);
  };
  SUBCASE("tied softmax of another size") {
    config.tied_softmax = true;
    CHECK_THROWS_WITH_AS(build(), doctest::Contains("but they are 5 and 6"), GraphError);
  }
  SUBCASE("a stack that reads backwards") {
    config.encoder.reverse = true;
    CHECK_THROWS_WITH_AS(build(), doctest::Contains("reads backwards"), GraphError);
  }
  SUBCASE("no layers") {
    config.encoder.layers = 0;
    CHECK_THROWS_WITH_AS(build(), doctest::Contains("at least one layer, not 0"), GraphError);
  }
  SUBCASE("two directions without a mask") {
    config.bidirectional = true;
    CHECK_THROWS_WITH_AS(language_model(store, config, tokens, {}, tokens, mask, Mode::train),
                         doctest::Contains("needs a mask"), GraphError);
  }
  SUBCASE("carried state in two directions") {
    const StackState carried = build().last;
    config.bidirectional = true;
    CHECK_THROWS_WITH_AS(build(carried), doctest::Contains("cannot carry its state"), GraphError);
  }
  SUBCASE("carried state of fewer layers") {
    const StackState carried = build().last;
    config.encoder.layers = 2;
    CHECK_THROWS_WITH_AS(build(carried), doctest::Contains("1 layer, but the stack has 2"), GraphError);
  }
  SUBCASE("weights of another size in the store") {
    build();
    config.encoder.hidden_size = 7;
    CHECK_THROWS_WITH_AS(build(), doctest::Contains("encoder0/w_x"), GraphError);
  }
}

}  // namespace
}  // namespace eddy::test
