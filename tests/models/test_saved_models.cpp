// SPDX-License-Identifier: Apache-2.0
// Every encoder-decoder: trained a few steps, saved, loaded into a fresh store, where its decoding finds all it needs
// and gives the same bits. Training and decoding are built from one definition, so no name may differ.
#include <doctest/doctest.h>

#include <functional>

#include "eddy/experiments/checkpoint.h"
#include "eddy/models/repeated_context.h"
#include "eddy/models/seq2seq_library.h"
#include "eddy/models/sequence_decoding.h"
#include "eddy/models/sequence_search.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/mean_squared_error.h"
#include "eddy/ops/random_key.h"
#include "eddy/optimizers/minimize.h"
#include "tests/core/temporary_folder.h"
#include "tests/models/model_runs.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

/// A model as the graphs of its training and of its use.
struct SavedModel {
  std::function<Value(ParameterStore& store, FedGraph& graph)> loss;
  std::function<std::vector<Value>(ParameterStore& store, FedGraph& graph)> use;
};

std::vector<Tensor> used(const SavedModel& model, ParameterStore& store) {
  FedGraph graph;
  return graph.run(model.use(store, graph));
}

/// Saves after five steps of training, loads, and compares; `also` looks at both stores.
void check_saved(
    const SavedModel& model, const std::function<void(ParameterStore& trained, ParameterStore& loaded)>& also =
                                 [](ParameterStore&, ParameterStore&) {}) {
  const TemporaryFolder folder;
  ParameterStore trained(/*seed=*/3);
  FedGraph training;
  const Value loss = model.loss(trained, training);
  const Updates updates = minimize(loss, trained, adam({.learning_rate = 0.02F}));
  Program program = compile(training.graph, {loss, updates});
  const float first = program.run(training.bindings())[0].item();
  for (int step = 0; step < 4; ++step) program.run(training.bindings());
  CHECK(program.run(training.bindings())[0].item() < first);
  const std::size_t variables = trained.all().size();
  const std::vector<Tensor> before = used(model, trained);
  // What is used is what was trained: no parameter came into being by it.
  CHECK(trained.all().size() == variables);
  save_checkpoint(folder / "model.safetensors", trained);

  ParameterStore loaded(/*seed=*/99);
  load_checkpoint(folder / "model.safetensors", loaded);
  CHECK(bit_difference(used(model, loaded), before) == "");
  CHECK(loaded.all().size() == variables);
  // The weights matter: fresh ones give something else.
  ParameterStore fresh(/*seed=*/99);
  CHECK(bit_difference(used(model, fresh), before) != "");
  also(trained, loaded);
}

// --- encoder-decoders of tokens ---

constexpr std::int32_t kGo = 8;
const std::vector<Ints> kSources = {{1, 2, 3, 4, 5}, {5, 6}, {3}};
const std::vector<Ints> kTargets = {{2, 0}, {1, 5, 6, 0}, {3, 3, 0}};
const std::vector<Ints> kTaught = {{kGo, 2}, {kGo, 1, 5, 6}, {kGo, 3, 3}};

PairValues pair_values(FedGraph& graph) {
  return {.source = graph.feed(columns(kSources, 0)),
          .source_mask = graph.feed(mask_of(kSources)),
          .target_in = graph.feed(columns(kTaught, 0)),
          .target_out = graph.feed(columns(kTargets, 0)),
          .target_mask = graph.feed(mask_of(kTargets))};
}

void check_saved(const SequenceToSequenceConfig& config) {
  const SavedModel model{
      .loss = [&](ParameterStore& store,
                  FedGraph& graph) { return sequence_loss(store, config, pair_values(graph), Mode::train); },
      .use =
          [&](ParameterStore& store, FedGraph& graph) {
            const PairValues pairs = pair_values(graph);
            const GreedySequence greedy = greedy_sequence(store, config, pairs.source, pairs.source_mask, 6, kGo);
            std::vector<Value> results{greedy.tokens, sequence_loss(store, config, pairs, Mode::infer)};
            if (greedy.attention) results.push_back(greedy.attention);
            return results;
          }};
  check_saved(model, [&](ParameterStore& trained, ParameterStore& loaded) {
    const Tensor source = columns(kSources, 0), mask = mask_of(kSources);
    const BeamOptions options{.beam = 3, .best = 2, .longest = 6, .go = kGo, .end = 0};
    const auto before = SequenceSearch(trained, config).search(source, mask, options);
    const auto after = SequenceSearch(loaded, config).search(source, mask, options);
    REQUIRE(before.size() == after.size());
    for (std::size_t row = 0; row < before.size(); ++row) {
      REQUIRE(before[row].size() == after[row].size());
      for (std::size_t i = 0; i < before[row].size(); ++i) {
        CHECK(before[row][i].tokens == after[row][i].tokens);
        CHECK(before[row][i].log_probability == after[row][i].log_probability);
        CHECK(before[row][i].attention == after[row][i].attention);
      }
    }
  });
}

TEST_CASE("saved and loaded: the four decoder modes with both cells") {
  for (const DecoderMode mode : {DecoderMode::basic, DecoderMode::feedback, DecoderMode::peek, DecoderMode::attention})
    for (const CellKind cell : {CellKind::lstm, CellKind::gru})
      for (const Feedback feedback : {Feedback::token, Feedback::output}) {
        CAPTURE(static_cast<int>(mode));
        CAPTURE(static_cast<int>(cell));
        CAPTURE(static_cast<int>(feedback));
        SequenceToSequenceConfig config;
        config.source_vocabulary = config.target_vocabulary = 9;
        config.classes = 8;
        config.embedding_size = 6;
        config.encoder.hidden_size = 7;
        config.encoder.cell = cell;
        config.attention_size = 5;
        config.mode = mode;
        config.feedback = feedback;
        check_saved(config);
      }
}

TEST_CASE("saved and loaded: stacked, both ways, with dropout and a sampled softmax, and every energy") {
  for (const AttentionEnergy energy :
       {AttentionEnergy::additive, AttentionEnergy::dot, AttentionEnergy::general, AttentionEnergy::linear}) {
    CAPTURE(static_cast<int>(energy));
    SequenceToSequenceConfig config;
    config.source_vocabulary = config.target_vocabulary = 9;
    config.classes = 8;
    config.embedding_size = 6;
    config.encoder.hidden_size = 7;
    config.encoder.layers = config.decoder_layers = 2;
    // dot compares a state with an output, so both must be of one width.
    config.bidirectional = energy == AttentionEnergy::additive || energy == AttentionEnergy::general;
    config.attention_size = 5;
    config.energy = energy;
    config.dropout = 0.01F;
    config.softmax_samples = 4;
    check_saved(config);
  }
}

TEST_CASE("saved and loaded: the preset jacoxu") {
  for (const DecoderMode mode :
       {DecoderMode::basic, DecoderMode::feedback, DecoderMode::peek, DecoderMode::attention}) {
    CAPTURE(static_cast<int>(mode));
    check_saved(jacoxu_config(mode));
  }
}

// --- frames of characters ---

TEST_CASE("saved and loaded: the repeated context of Pig Latin") {
  const RepeatedContextConfig config{.characters = 9, .target_length = 4, .hidden_size = 7};
  const auto scores = [&](ParameterStore& store, FedGraph& graph) {
    return repeated_context(store, config, graph.feed(columns(kSources, 0)));
  };
  check_saved(
      {.loss = [&](ParameterStore& store,
                   FedGraph& graph) { return cross_entropy(scores(store, graph), graph.feed(columns(kTargets, 0))); },
       .use = [&](ParameterStore& store, FedGraph& graph) { return std::vector<Value>{scores(store, graph)}; }});
}

// --- sequences of vectors ---

template <class Model>
void check_library(const Model& model, bool taught = false) {
  Philox random(5);
  const Tensor x = random_tensor({f32, {5, 3, 2}}, random, -1, 1), y = random_tensor({f32, {4, 3, 3}}, random, -1, 1);
  check_saved({.loss =
                   [&](ParameterStore& store, FedGraph& graph) {
                     const Value target = graph.feed(y);
                     const Seq2SeqInputs inputs{.x = graph.feed(x),
                                                .mask = graph.feed(mask_of(kSources)),
                                                .key = random_key(graph.graph, store),
                                                .teacher = taught ? target : Value()};
                     return mean_squared_error(model(store, inputs).output, target);
                   },
               .use =
                   [&](ParameterStore& store, FedGraph& graph) {
                     const Seq2SeqResult result =
                         model(store, {.x = graph.feed(x), .mask = graph.feed(mask_of(kSources))});
                     std::vector<Value> values{result.output};
                     if (result.attention) values.push_back(result.attention);
                     return values;
                   }});
}

TEST_CASE("saved and loaded: SimpleSeq2Seq, Seq2Seq and AttentionSeq2Seq") {
  for (const int depth : {1, 2}) {
    CAPTURE(depth);
    check_library(SimpleSeq2Seq{.output_size = 3, .output_length = 4, .hidden_size = 6, .depth = depth});
    const Seq2Seq full{.output_size = 3, .output_length = 4, .hidden_size = 6, .depth = depth, .peek = depth == 2};
    check_library(full);
    check_library(full, /*taught=*/true);
    check_library(AttentionSeq2Seq{.output_size = 3, .output_length = 4, .hidden_size = 6, .depth = depth});
  }
}

}  // namespace
}  // namespace eddy::test
