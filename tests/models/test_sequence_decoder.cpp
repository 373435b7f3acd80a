// SPDX-License-Identifier: Apache-2.0
// Encoder-decoders of every make: padding, what is fed back, and that all ways of decoding are one model.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "eddy/models/decoder_start.h"
#include "eddy/models/sequence_decoding.h"
#include "eddy/models/sequence_search.h"
#include "eddy/optimizers/minimize.h"
#include "tests/models/model_runs.h"
#include "tests/support/arrays.h"
#include "tests/support/finite_differences.h"

namespace eddy::test {
namespace {

constexpr std::int32_t kGo = 8;

struct Named {
  std::string name;
  SequenceToSequenceConfig config;
};

/// Every value of every option, not every combination.
std::vector<Named> all_makes() {
  SequenceToSequenceConfig base;
  base.source_vocabulary = 9;
  base.target_vocabulary = 9;
  base.classes = 8;
  base.embedding_size = 4;
  base.encoder.hidden_size = 5;
  base.attention_size = 3;
  std::vector<Named> makes;
  const auto add = [&](const std::string& name, auto change) {
    makes.push_back({name, base});
    change(makes.back().config);
  };
  using Config = SequenceToSequenceConfig;
  add("attention", [](Config&) {});
  add("basic", [](Config& c) { c.mode = DecoderMode::basic; });
  add("feedback of tokens", [](Config& c) { c.mode = DecoderMode::feedback; });
  add("peek, GRU", [](Config& c) {
    c.mode = DecoderMode::peek;
    c.encoder.cell = CellKind::gru;
  });
  add("general, both ways, two layers, zero states", [](Config& c) {
    c.energy = AttentionEnergy::general;
    c.bidirectional = true;
    c.encoder.layers = c.decoder_layers = 2;
    c.hand_over_state = false;
  });
  add("both ways, handed over, GRU, linear of another width", [](Config& c) {
    c.energy = AttentionEnergy::linear;
    c.bidirectional = true;
    c.encoder.cell = CellKind::gru;
    c.decoder_layers = 3;
  });
  add("dot, two layers", [](Config& c) {
    c.energy = AttentionEnergy::dot;
    c.encoder.layers = 2;
  });
  // Without attention the upper layer must be the one that is handed over, or it would learn nothing.
  add("feedback of tokens, two layers into one", [](Config& c) {
    c.mode = DecoderMode::feedback;
    c.encoder.layers = 2;
  });
  add("a simple recurrent network", [](Config& c) { c.encoder.cell = CellKind::rnn; });
  add("clipped cells", [](Config& c) { c.encoder.clip_cell = 0.2F; });
  add("input feeding", [](Config& c) { c.input_feeding = true; });
  add("input feeding, general, both ways, two layers of GRUs", [](Config& c) {
    c.input_feeding = true;
    c.energy = AttentionEnergy::general;
    c.bidirectional = true;
    c.encoder.cell = CellKind::gru;
    c.encoder.layers = c.decoder_layers = 2;
  });
  add("continuous attention", [](Config& c) { c.feedback = Feedback::output; });
  add("continuous peek, both ways", [](Config& c) {
    c.feedback = Feedback::output;
    c.mode = DecoderMode::peek;
    c.bidirectional = true;
  });
  add("continuous feedback, GRU", [](Config& c) {
    c.feedback = Feedback::output;
    c.mode = DecoderMode::feedback;
    c.encoder.cell = CellKind::gru;
  });
  return makes;
}

const std::vector<Ints> kSources = {{1, 2, 3, 4, 5}, {5, 6}, {3}};
const std::vector<Ints> kTargets = {{2, 0}, {1, 5, 6, 7}, {3, 3, 1}};

std::vector<Ints> taught(std::vector<Ints> targets) {
  for (Ints& row : targets) {
    row.insert(row.begin(), kGo);
    row.pop_back();
  }
  return targets;
}

/// Loss and gradients; `own_share` below 0: fed the targets.
Evaluation evaluate_pairs(ParameterStore& store, const SequenceToSequenceConfig& config, std::int32_t padding = 0,
                          std::size_t more = 0, float own_share = -1, const std::vector<Ints>& in = taught(kTargets),
                          const std::vector<Ints>& sources = kSources) {
  FedGraph fed;
  const PairValues pairs{.source = fed.feed(columns(sources, padding, 5 + more)),
                         .source_mask = fed.feed(mask_of(sources, 5 + more)),
                         .target_in = fed.feed(columns(in, padding, 4 + more)),
                         .target_out = fed.feed(columns(kTargets, padding, 4 + more)),
                         .target_mask = fed.feed(mask_of(kTargets, 4 + more))};
  const Value loss = sequence_loss(store, config, pairs, Mode::train,
                                   own_share < 0 ? Value() : fed.feed(Tensor::from(Floats{own_share}, {})));
  randomize(store);
  return evaluate(fed, store, loss);
}

TEST_CASE("encoders and decoders begin with the embeddings, forget bias and gain that are asked for") {
  for (const CellKind cell : {CellKind::lstm, CellKind::gru}) {
    SequenceToSequenceConfig config = all_makes()[0].config;
    config.embedding_range = 0.02F;
    config.encoder.cell = cell;
    config.encoder.forget_bias = 0.5F;
    config.encoder.recurrent_gain = 1.5F;
    const std::int64_t gates = cell == CellKind::lstm ? 4 : 3;
    ParameterStore store;
    FedGraph fed;
    const Value source = fed.feed(columns(kSources, 0)), mask = fed.feed(mask_of(kSources));
    SequenceDecoder(fed.graph, store, config, encode_source(store, config, source, mask, Mode::infer));
    for (const char* layer : {"encoder0", "decoder0"}) {
      CHECK(wrong_bias(store, layer, gates, 0.5) == "");
      CHECK(wrong_gain(store, layer, gates, 1.5) == "");
    }
    for (const char* table : {"source/table", "target/table"}) {
      double largest = 0;
      for (const double value : to_doubles(store.find(table)->value)) largest = std::max(largest, std::abs(value));
      CHECK(largest <= 0.02);
      CHECK(largest > 0.015);
    }
  }
}

TEST_CASE("neither the amount nor the ids of the padding change loss and gradients") {
  for (const Named& make : all_makes()) {
    CAPTURE(make.name);
    ParameterStore store;
    const Evaluation expected = evaluate_pairs(store, make.config);
    CHECK(std::isfinite(expected.loss));
    CHECK(difference(evaluate_pairs(store, make.config, 7, 3), expected) == "");
    CHECK(difference(evaluate_pairs(store, make.config, 5, 1, 1.0F), evaluate_pairs(store, make.config, 0, 0, 1.0F)) ==
          "");
  }
}

TEST_CASE("a source that is masked throughout stays finite and lends nothing to attention") {
  for (const Named& make : all_makes()) {
    CAPTURE(make.name);
    ParameterStore store;
    const Evaluation got = evaluate_pairs(store, make.config, 3, 0, -1, taught(kTargets), {{}, {1, 2}, {}});
    CHECK(std::isfinite(got.loss));
    for (const Tensor& gradient : got.gradients)
      for (const double x : to_doubles(gradient)) CHECK(std::isfinite(x));
    if (make.config.mode != DecoderMode::attention) continue;
    FedGraph fed;
    const std::vector<Ints> sources = {{}, {1, 2}};
    const GreedySequence greedy =
        greedy_sequence(store, make.config, fed.feed(columns(sources, 3)), fed.feed(mask_of(sources, 2)), 2, kGo);
    const std::vector<double> weights = to_doubles(fed.run({greedy.attention})[0]);
    CHECK(weights[0] + weights[1] == 0);
    CHECK(weights[2] + weights[3] == doctest::Approx(1));
  }
}

TEST_CASE("gradients are the slopes of the loss") {
  for (const Named& make : all_makes()) {
    CAPTURE(make.name);
    ParameterStore store;
    const Evaluation got = evaluate_pairs(store, make.config);
    FedGraph fed;
    const PairValues pairs{.source = fed.feed(columns(kSources, 0)),
                           .source_mask = fed.feed(mask_of(kSources)),
                           .target_in = fed.feed(columns(taught(kTargets), 0)),
                           .target_out = fed.feed(columns(kTargets, 0)),
                           .target_mask = fed.feed(mask_of(kTargets))};
    Program program = compile(fed.graph, {sequence_loss(store, make.config, pairs, Mode::train)});
    std::vector<Tensor> weights;
    std::vector<int> all;
    std::vector<std::vector<double>> gradients;
    for (std::size_t i = 0; i < got.names.size(); ++i) {
      weights.push_back(store.find(got.names[i])->value.clone());
      all.push_back(static_cast<int>(i));
      gradients.push_back(to_doubles(got.gradients[i]));
    }
    const auto terms = [&](std::span<const Tensor> moved) {
      for (std::size_t i = 0; i < moved.size(); ++i) store.find(got.names[i])->value.copy_from(moved[i]);
      return std::vector<double>{static_cast<double>(program.run(fed.bindings())[0].item())};
    };
    CHECK(check_gradients(terms, weights, all, gradients, 2e-3, 9) == "");
  }
}

TEST_CASE("beam search with a beam of one, one step a run, is the greedy loop, attention included") {
  for (const Named& make : all_makes()) {
    CAPTURE(make.name);
    ParameterStore store;
    FedGraph fed;
    constexpr int kSteps = 6;
    const Tensor source = columns(kSources, 0), mask = mask_of(kSources);
    const GreedySequence greedy = greedy_sequence(store, make.config, fed.feed(source), fed.feed(mask), kSteps, kGo);
    randomize(store, 5);
    std::vector<Value> wanted{greedy.tokens};
    if (greedy.attention) wanted.push_back(greedy.attention);
    const std::vector<Tensor> run = fed.run(wanted);
    SequenceSearch search(store, make.config);
    const auto found = search.search(source, mask, {.beam = 1, .longest = kSteps, .go = kGo, .end = -1});
    REQUIRE(found.size() == kSources.size());
    const std::vector<double> tokens = to_doubles(run[0]);
    for (std::size_t row = 0; row < found.size(); ++row) {
      const Hypothesis& best = found[row][0];
      REQUIRE(best.tokens.size() == kSteps);
      for (std::size_t t = 0; t < kSteps; ++t) {
        CHECK(best.tokens[t] == static_cast<std::int32_t>(tokens[t * found.size() + row]));
        if (run.size() > 1)
          for (std::size_t j = 0; j < 5; ++j)
            CHECK(static_cast<double>(best.attention[t * 5 + j]) ==
                  doctest::Approx(to_doubles(run[1])[(t * found.size() + row) * 5 + j]).epsilon(1e-4));
      }
    }
    // More hypotheses never make the best one worse when nothing ends.
    const BeamOptions wide{.beam = 64, .longest = 2, .go = kGo, .end = -1, .normalisation = LengthNormalisation::none};
    BeamOptions narrow = wide;
    narrow.beam = 1;
    const auto many = search.search(source, mask, wide), one = search.search(source, mask, narrow);
    for (std::size_t row = 0; row < many.size(); ++row)
      CHECK(many[row][0].log_probability >= one[row][0].log_probability - 1e-6);
  }
}

TEST_CASE("a search that failed can be tried again, and sizes come and go") {
  const Named attention = all_makes().back();
  const Tensor source = columns(kSources, 0), mask = mask_of(kSources);
  const BeamOptions options{.beam = 2, .longest = 4, .go = kGo, .end = -1};
  ParameterStore sealed;
  sealed.seal();
  SequenceSearch failing(sealed, attention.config);
  for (int time = 0; time < 2; ++time) CHECK_THROWS_AS(failing.search(source, mask, options), Error);

  ParameterStore store;
  SequenceSearch search(store, attention.config);
  CHECK_THROWS_WITH_AS(search.search(Tensor(i32, {3, 0}), Tensor(f32, {3, 0}), options),
                       doctest::Contains("nothing to read in sources of type i32[3,0]"), UsageError);
  CHECK_THROWS_AS(search.search(Tensor(i32, {0, 2}), Tensor(f32, {0, 2}), options), UsageError);
  const auto first = search.search(source, mask, options);
  for (std::int64_t length = 1; length < 14; ++length) {
    Tensor ones(f32, {length, 2});
    std::ranges::fill(ones.values<float>(), 1.0F);
    CHECK(search.search(Tensor(i32, {length, 2}), ones, options).size() == 2);
  }
  const auto again = search.search(source, mask, options);
  for (std::size_t row = 0; row < first.size(); ++row) {
    CHECK(again[row][0].tokens == first[row][0].tokens);
    CHECK(again[row][0].score == first[row][0].score);
  }
}

TEST_CASE("coverage is refused for sources that do not begin at the first step") {
  const auto makes = all_makes();
  const auto attends = [](const Named& make) { return make.config.mode == DecoderMode::attention; };
  const SequenceToSequenceConfig config = std::ranges::find_if(makes, attends)->config;
  ParameterStore store;
  SequenceSearch search(store, config);
  const BeamOptions options{.beam = 2, .longest = 4, .go = kGo, .end = -1, .coverage = 1};
  const auto source = [](std::vector<std::int32_t> tokens) { return Tensor::from(tokens, Shape{4, 1}); };
  const auto mask = [](std::vector<float> values) { return Tensor::from(values, Shape{4, 1}); };
  CHECK(search.search(source({1, 2, 0, 0}), mask({1, 1, 0, 0}), options).size() == 1);
  CHECK_THROWS_WITH_AS(search.search(source({0, 0, 1, 2}), mask({0, 0, 1, 1}), options),
                       doctest::Contains("coverage needs masks that are 1 up to"), UsageError);
}

TEST_CASE("a decoder that reads its own choices does not see the targets; one that never does is taught") {
  for (const Named& make : all_makes()) {
    if (make.config.mode == DecoderMode::basic || make.config.feedback == Feedback::output) continue;
    CAPTURE(make.name);
    ParameterStore store;
    const std::vector<Ints> others = {{kGo, 7}, {kGo, 7, 7, 7}, {kGo, 7, 7}};
    const Evaluation own = evaluate_pairs(store, make.config, 0, 0, 1);
    CHECK(difference(evaluate_pairs(store, make.config, 0, 0, 1, others), own) == "");
    const Evaluation told = evaluate_pairs(store, make.config);
    CHECK(difference(evaluate_pairs(store, make.config, 0, 0, 0), told) == "");
    CHECK(difference(evaluate_pairs(store, make.config, 0, 0, -1, others), told) != "");
  }
}

TEST_CASE("scheduled sampling draws anew at each run and learns") {
  SequenceToSequenceConfig config = all_makes()[0].config;
  config.dropout = 0.1F;
  config.softmax_samples = 5;
  ParameterStore store(3);
  FedGraph fed;
  const PairValues pairs{.source = fed.feed(columns(kSources, 0)),
                         .source_mask = fed.feed(mask_of(kSources)),
                         .target_in = fed.feed(columns(taught(kTargets), 0)),
                         .target_out = fed.feed(columns(kTargets, 0)),
                         .target_mask = fed.feed(mask_of(kTargets))};
  const Value loss = sequence_loss(store, config, pairs, Mode::train, fed.feed(Tensor::from(Floats{0.5F}, {})));
  const Value check = sequence_loss(store, config, pairs, Mode::infer);
  Program training = compile(fed.graph, {loss, minimize(loss, store, adam({.learning_rate = 0.02}))});
  Program inference = compile(fed.graph, {check});
  const double before = static_cast<double>(inference.run(fed.bindings())[0].item());
  for (int step = 0; step < 150; ++step) training.run(fed.bindings());
  CHECK(static_cast<double>(inference.run(fed.bindings())[0].item()) < 0.3 * before);
}

TEST_CASE("dropout on embeddings holds where a decoder is taught and where it may read its own choices") {
  SequenceToSequenceConfig config = all_makes()[0].config;
  config.embedding_size = 16;
  config.dropout = 0.5F;
  for (const float own_share : {-1.0F, 0.0F}) {
    CAPTURE(own_share);
    ParameterStore store;
    const Evaluation got = evaluate_pairs(store, config, 0, 0, own_share);
    const auto table = std::ranges::find(got.names, "target/table") - got.names.begin();
    REQUIRE(static_cast<std::size_t>(table) < got.names.size());
    const std::vector<double> gradient = to_doubles(got.gradients[static_cast<std::size_t>(table)]);
    // What is dropped has no gradient; these tokens are read once each.
    int dropped = 0;
    for (const std::size_t token : {1u, 2u, 5u, 6u})
      for (std::size_t i = 0; i < 16; ++i) dropped += gradient[16 * token + i] == 0 ? 1 : 0;
    CHECK(dropped >= 16);
    CHECK(dropped <= 48);
  }
}

TEST_CASE("a decoder begins with the top layers of its encoder") {
  for (int layer = 0; layer < 3; ++layer) CHECK(handed_layer(layer, 3, 3) == layer);
  CHECK(handed_layer(0, 3, 1) == 2);
  CHECK(handed_layer(0, 3, 2) == 1);
  CHECK(handed_layer(1, 3, 2) == 2);
  for (int layer = 0; layer < 3; ++layer) CHECK(handed_layer(layer, 2, 3) == std::min(layer, 1));
}

TEST_CASE("what does not hold together is refused") {
  SequenceToSequenceConfig config = all_makes()[0].config;
  SUBCASE("no words") { config.classes = 0; }
  SUBCASE("no layers") { config.decoder_layers = 0; }
  SUBCASE("a reversed encoder") { config.encoder.reverse = true; }
  SUBCASE("dot products of vectors of different widths") {
    config.energy = AttentionEnergy::dot;
    config.bidirectional = true;
  }
  SUBCASE("input feeding of another mode") {
    config.input_feeding = true;
    config.mode = DecoderMode::peek;
  }
  SUBCASE("input feeding with a linear energy") {
    config.input_feeding = true;
    config.energy = AttentionEnergy::linear;
  }
  SUBCASE("a GRU with a cell state") {
    config.encoder.cell = CellKind::gru;
    config.encoder.clip_cell = 1;
  }
  SUBCASE("a decoder that never sees its source") {
    config.mode = DecoderMode::feedback;
    config.hand_over_state = false;
  }
  SUBCASE("attention of no width") { config.attention_size = 0; }
  SUBCASE("two kinds of GRU") {
    config.encoder.cell = CellKind::gru;
    config.encoder.reset_after = true;
  }
  ParameterStore store;
  CHECK_THROWS_AS(evaluate_pairs(store, config), GraphError);
}

}  // namespace
}  // namespace eddy::test
