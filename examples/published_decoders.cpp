// SPDX-License-Identifier: Apache-2.0
// Encoder-decoders as others published them, each on its own toy task: the four modes of jacoxu/encoder_decoder, which
// write digits in words, and the frames of characters of Linusp/soph, here on Pig Latin.
#include <eddy/eddy.h>
#include <fmt/format.h>

using namespace eddy;

/// Share of the tokens that are right.
double share_right(const Tensor& tokens, const Tensor& truth) {
  const auto a = tokens.values<int>(), b = truth.values<int>();
  int right = 0;
  for (std::size_t i = 0; i < a.size(); ++i) right += a[i] == b[i];
  return static_cast<double>(right) / static_cast<double>(a.size());
}

/// One mode on the five stories "1 2 3 4 5" to "21 22 23 24 25"; the share of right words.
double number_words(DecoderMode mode) {
  const EncodedPairs stories = number_stories();
  const PairBatch all = PairBatches(stories, {.batch_size = stories.size(), .shuffle = false}).next();
  const SequenceToSequenceConfig config = jacoxu_config(mode);
  ParameterStore store(/*seed=*/1);
  Graph training, decoding;
  const Shape shape = all.source.shape();
  const PairValues pairs{.source = training.input("source", i32, shape),
                         .source_mask = training.input("source_mask", f32, shape),
                         .target_in = {},  // no mode reads a token
                         .target_out = training.input("target_out", i32, shape),
                         .target_mask = training.input("target_mask", f32, shape)};
  const Value loss = sequence_loss(store, config, pairs, Mode::train);
  Program train = compile(training, {loss, minimize(loss, store, adam({.learning_rate = 0.01f}))});
  for (int i = 0; i < 200; ++i)
    train.run({{"source", all.source},
               {"source_mask", all.source_mask},
               {"target_out", all.target_out},
               {"target_mask", all.target_mask}});

  const GreedySequence said =
      greedy_sequence(store, config, decoding.input("source", i32, shape), decoding.input("mask", f32, shape),
                      all.target_time(), stories.target_tokens.specials().go);
  Program decode = compile(decoding, {said.tokens});
  const Tensor tokens = decode.run({{"source", all.source}, {"mask", all.source_mask}})[0];
  std::string story;  // the last one
  for (std::size_t t = 0; t < 5; ++t)
    story += fmt::format(" {}", stories.target_tokens.text(tokens.values<int>()[t * 5 + 4]));
  fmt::print("{}\n", story);
  return share_right(tokens, all.target_out);
}

/// Words in frames of 8 characters to Pig Latin in frames of 11; the share of right characters.
double frames() {
  const std::vector<std::string> words{"pig", "latin", "eddy", "graph", "loop", "value", "stream", "order", "gate"};
  const EncodedPairs pairs =
      encode_characters(pig_latin_pairs(words), kPigLatinCharacters, {.source_length = 8, .target_length = 11});
  const PairBatch all = PairBatches(pairs, {.batch_size = pairs.size(), .shuffle = false}).next();
  ParameterStore store(/*seed=*/1);
  Graph graph;
  const Value source = graph.input("source", i32, all.source.shape());
  const Value target = graph.input("target", i32, all.target_out.shape());
  const Value scores = repeated_context(
      store, {.characters = pairs.target_tokens.size(), .target_length = all.target_time(), .hidden_size = 48}, source);
  const Value loss = cross_entropy(scores, target);
  const Value tokens = argmax(scores);
  Program train = compile(graph, {tokens, minimize(loss, store, adam({.learning_rate = 0.01f}))});
  Tensor written;
  for (int i = 0; i < 200; ++i) written = train.run({{"source", all.source}, {"target", all.target_out}})[0];
  std::vector<std::int32_t> ids;
  for (std::int64_t t = 0; t < all.target_time(); ++t) ids.push_back(written.values<int>()[t * all.rows()]);
  fmt::print("{} -> {}\n", words[static_cast<std::size_t>(all.pairs[0])], pairs.target_tokens.join(ids, ""));
  return share_right(written, all.target_out);
}

int main() {
  set_num_threads(1);  // steps this small are not worth sharing
  bool right = true;
  const std::pair<const char*, DecoderMode> modes[] = {{"basic", DecoderMode::basic},
                                                       {"feedback", DecoderMode::feedback},
                                                       {"peek", DecoderMode::peek},
                                                       {"attention", DecoderMode::attention}};
  for (const auto& mode : modes) {
    const double share = number_words(mode.second);
    fmt::print("{}: {:.0f} % of the words right\n", mode.first, 100 * share);
    right = right && share > 0.9;
  }
  const double share = frames();
  fmt::print("frames of characters: {:.0f} % right\n", 100 * share);
  return right && share > 0.9 ? 0 : 1;
}
