// SPDX-License-Identifier: Apache-2.0
// The two-part autoencoder against one LSTM over `w x y z <eos> w x y z` (Dai & Le 2015, Figure 1), row by row.
#include <doctest/doctest.h>

#include "eddy/models/sequence_autoencoder.h"
#include "tests/models/reference.h"

namespace eddy::test {
namespace {

TextModelConfig small_config() {
  return {.vocabulary_size = 13, .embedding_size = 5, .encoder = {.hidden_size = 6}, .end_of_sequence = kEos};
}

Evaluation evaluate_rows(ParameterStore& store, const TextModelConfig& config, const std::vector<Ints>& rows,
                         std::int32_t padding = 0, std::size_t time = 0) {
  return evaluate_documents(sequence_autoencoder, store, config, with_eos(rows), padding, time);
}

/// One network reads inputs `w x y z <eos> w x y z` and predicts targets `- - - - w x y z <eos>`; nothing is asked at
/// "-".
Sequence figure_1(const Ints& words) {
  Sequence sequence;
  sequence.inputs = words;
  sequence.inputs.push_back(kEos);
  sequence.inputs.insert(sequence.inputs.end(), words.begin(), words.end());
  sequence.targets.assign(words.size(), kEos);
  sequence.targets.insert(sequence.targets.end(), words.begin(), words.end());
  sequence.targets.push_back(kEos);
  sequence.weights.assign(words.size(), 0.0F);
  sequence.weights.resize(sequence.inputs.size(), 1.0F);
  return sequence;
}

void check_against_figure_1(const TextModelConfig& config, const std::vector<Ints>& rows) {
  ParameterStore store;
  const Evaluation got = evaluate_rows(store, config, rows);
  FedGraph graph;
  std::vector<Sequence> sequences;
  for (const Ints& row : rows) sequences.push_back(figure_1(row));
  const Value loss = reference_mean_loss(graph, store, config, "encoder", sequences);
  CHECK(difference(got, evaluate(graph, store, loss)) == "");
}

TEST_CASE("the sequence autoencoder is one LSTM over the text, <eos> and the text again") {
  const std::vector<Ints> rows = random_rows({4, 1, 7, 2, 7}, 13, 1);
  TextModelConfig config = small_config();
  SUBCASE("one layer") {}
  SUBCASE("two layers") { config.encoder.layers = 2; }
  SUBCASE("tied softmax") {
    config.embedding_size = 6;
    config.tied_softmax = true;
  }
  SUBCASE("dropout and sampling are off while inferring") {
    config.word_dropout = config.embedding_dropout = config.output_dropout = config.encoder.dropout = 0.5F;
    config.softmax_samples = 3;
  }
  check_against_figure_1(config, rows);
}

TEST_CASE("a row of one word, alone") { check_against_figure_1(small_config(), {{5}}); }

TEST_CASE("neither the amount nor the ids of the padding reach the autoencoder") {
  const std::vector<Ints> rows = random_rows({3, 6}, 13, 2);
  ParameterStore store;
  const Evaluation expected = evaluate_rows(store, small_config(), rows);
  CHECK(difference(evaluate_rows(store, small_config(), rows, 9, 12), expected) == "");
  CHECK(difference(evaluate_rows(store, small_config(), rows, -1, 8), expected) == "");
}

TEST_CASE("an autoencoder of two directions or of less than two steps is refused") {
  ParameterStore store;
  TextModelConfig config = small_config();
  FedGraph graph;
  const Value tokens = graph.feed(Tensor(i32, {1, 2}));
  const Value mask = graph.feed(Tensor(f32, {1, 2}));
  CHECK_THROWS_WITH_AS(sequence_autoencoder(store, config, tokens, mask, Mode::infer), doctest::Contains("not 1"),
                       GraphError);
  config.encoder.reverse = true;
  CHECK_THROWS_WITH_AS(sequence_autoencoder(store, config, tokens, mask, Mode::infer),
                       doctest::Contains("reads backwards"), GraphError);
  config.bidirectional = true;
  CHECK_THROWS_WITH_AS(sequence_autoencoder(store, config, tokens, mask, Mode::infer),
                       doctest::Contains("one direction, but the config asks for two"), GraphError);
}

}  // namespace
}  // namespace eddy::test
