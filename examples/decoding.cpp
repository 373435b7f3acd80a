// SPDX-License-Identifier: Apache-2.0
// Ways to read an answer from a model: beam search over a function that knows no graph, and an encoder-decoder with
// attention, which learns to write words backwards, decoded greedily, by beams, and step by step by hand.
#include <eddy/eddy.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

using namespace eddy;

// --- beam search by a table: what is likeliest at first is not what is likeliest in the end ---
bool search_a_table() {
  enum : int { end, a, b, c, classes };
  // probability[token before][token]; end also stands for the beginning.
  const float probability[classes][classes] = {
      {0, 0.6f, 0.4f, 0}, {0.2f, 0.3f, 0.25f, 0.25f}, {0.05f, 0, 0, 0.95f}, {1, 0, 0, 0}};
  std::vector<float> reply;
  const BeamModel model = [&](const BeamQuery& query) -> BeamReply {
    reply.clear();
    for (const std::int32_t token : query.tokens)
      for (const float p : probability[token]) reply.push_back(std::log(p));
    return {.log_probabilities = reply};
  };
  BeamOptions options{.beam = 1, .longest = 4, .go = end, .end = end, .normalisation = LengthNormalisation::none};
  const Hypothesis greedy = beam_search(model, options)[0][0];
  options.beam = 3;
  const Hypothesis best = beam_search(model, options)[0][0];
  fmt::print("greedy {} with probability {:.4f}, beam of 3 {} with {:.4f}\n", greedy.tokens,
             std::exp(greedy.log_probability), best.tokens, std::exp(best.log_probability));
  return best.tokens == std::vector<std::int32_t>{b, c} && std::abs(std::exp(best.log_probability) - 0.38) < 1e-5;
}

// --- data: words and the same backwards ---
EncodedPairs backwards(int count, std::uint64_t seed) {
  Philox random(seed);
  std::vector<TextPair> pairs;
  for (int i = 0; i < count; ++i) {
    std::string word;
    for (std::uint64_t n = 2 + uniform_index(random, 4); n > 0; --n)
      word += static_cast<char>('a' + uniform_index(random, 8));
    pairs.push_back({word, {word.rbegin(), word.rend()}, word});
  }
  return encode_characters(pairs, "abcdefgh");
}

int main() {
  set_num_threads(1);  // steps this small are not worth sharing
  bool right = search_a_table();

  const EncodedPairs pairs = backwards(2000, 1), others = backwards(100, 2);
  constexpr std::int64_t batch = 32, longest = 5;
  const TokenSet& letters = pairs.target_tokens;
  SequenceToSequenceConfig config;
  config.source_vocabulary = pairs.source_tokens.size();
  config.target_vocabulary = letters.size();
  config.classes = letters.classes();
  config.embedding_size = 16;
  config.encoder.hidden_size = 32;
  config.attention_size = 32;
  config.bidirectional = true;

  // --- training; the more it knows, the more often it reads its own choice instead of the truth ---
  ParameterStore store(/*seed=*/1);
  Graph training;
  const PairValues values{.source = training.input("source", i32, {longest, batch}),
                          .source_mask = training.input("source_mask", f32, {longest, batch}),
                          .target_in = training.input("target_in", i32, {longest + 1, batch}),
                          .target_out = training.input("target_out", i32, {longest + 1, batch}),
                          .target_mask = training.input("target_mask", f32, {longest + 1, batch})};
  const Value done = state(training, store, "optimizer/step", {i32, {}});
  const Value loss = sequence_loss(store, config, values, Mode::train, linear_decay(0, 0.2, 300).build(done));
  Program train = compile(training, {loss, minimize(loss, store, adam({.learning_rate = 0.01f, .clip_norm = 2}))});
  PairBatches batches(pairs, {.batch_size = batch, .sizes = {{longest, longest + 1}}});
  for (int i = 0; i <= 300; ++i) {
    const PairBatch next = batches.next();
    const float nats = train
                           .run({{"source", next.source},
                                 {"source_mask", next.source_mask},
                                 {"target_in", next.target_in},
                                 {"target_out", next.target_out},
                                 {"target_mask", next.target_mask}})[0]
                           .item();
    if (i % 100 == 0) fmt::print("step {:3}  loss {:.4f} nats a letter\n", i, nats);
  }

  // --- greedily, in one program; by beams, in two ---
  PairBatches test(others, {.batch_size = 100, .sizes = {{longest, longest + 1}}, .shuffle = false});
  const PairBatch asked = test.next();
  Graph decoding;
  const Value source = decoding.input("source", i32, {longest, 100}),
              mask = decoding.input("mask", f32, {longest, 100});
  const std::int32_t go = letters.specials().go, end = letters.specials().end;
  Program greedy = compile(decoding, {greedy_sequence(store, config, source, mask, longest + 1, go).tokens});
  const Tensor tokens = greedy.run({{"source", asked.source}, {"mask", asked.source_mask}})[0];

  SequenceSearch searcher(store, config);
  const auto found = searcher.search(asked.source, asked.source_mask,
                                     {.beam = 3, .best = 2, .longest = longest + 1, .go = go, .end = end});
  int right_greedily = 0, right_by_beams = 0;
  for (std::size_t row = 0; row < 100; ++row) {
    const std::string truth = letters.join(others.target.document(asked.pairs[row]), "");
    std::vector<std::int32_t> chosen;
    for (std::size_t t = 0; t <= longest; ++t) chosen.push_back(tokens.values<int>()[t * 100 + row]);
    right_greedily += letters.join(chosen, "") == truth;
    right_by_beams += letters.join(found[row][0].tokens, "") == truth;
  }
  const Hypothesis &best = found[99][0], &second = found[99][1];
  const std::string word = letters.join(others.source.document(asked.pairs[99]), "");
  fmt::print("{} -> {} ({:.2f} nats) or {} ({:.2f}), looking at", word, letters.join(best.tokens, ""),
             -best.log_probability, letters.join(second.tokens, ""), -second.log_probability);
  for (std::size_t t = 0; t < best.tokens.size(); ++t) {
    const auto weights = std::span(best.attention).subspan(t * longest, longest);
    fmt::print(" {}", word[static_cast<std::size_t>(std::ranges::max_element(weights) - weights.begin())]);
  }
  fmt::print("\n{} of 100 others right greedily, {} by beams\n", right_greedily, right_by_beams);
  right = right && right_greedily > 90 && right_by_beams > 90;

  // --- one step by hand: how likely is each first letter? ---
  Graph single;
  const Value text = single.input("source", i32, {longest, 100}), real = single.input("mask", f32, {longest, 100});
  const EncodedSource read = encode_source(store, config, text, real, Mode::infer);
  const SequenceDecoder decoder(single, store, config, read);
  const Step step = decoder(decoder.embed(full(single, {i32, {100}}, static_cast<float>(go))), read.initial);
  Program first = compile(single, {softmax(decoder.logits(step.output)), decoder.likeliest(step.output)});
  const auto answers = first.run({{"source", asked.source}, {"mask", asked.source_mask}});
  const Tensor likely = answers[0];
  for (int letter = 0; letter < 8; ++letter)
    fmt::print("{} {:.3f}  ", letters.text(letter), likely.values<float>()[99 * config.classes + letter]);
  const std::int32_t begin = best.tokens[0];
  right = right && answers[1].values<std::int32_t>()[99] == begin;
  right = right && likely.values<float>()[99 * config.classes + begin] > 0.5f;
  fmt::print("\n");
  return right ? 0 : 1;
}
