// SPDX-License-Identifier: Apache-2.0
// A sequence tagger with a linear-chain conditional random field (Lafferty et al. 2001) on a bidirectional LSTM: the
// sum over all sequences of tags is a loop, and so is the search for the best one. Both are checked against all
// sequences.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

using namespace eddy;

constexpr std::int64_t kTime = 9, kBatch = 32, kWords = 20, kEmbedding = 12, kHidden = 16;
enum Tag : int { kOutside, kBegin, kInside };  // of names: the first word, the others
constexpr int kTags = 3;

// --- the conditional random field ---
struct Crf {
  Value transitions;  ///< [tags, tags]: from one tag (row) to the next (column)
  Value start, end;   ///< [tags]

  Crf(Graph& graph, ParameterStore& store)
      : transitions(parameter(graph, store, "crf/transitions", {kTags, kTags}, uniform(0.1f))),
        start(parameter(graph, store, "crf/start", {kTags}, zeros())),
        end(parameter(graph, store, "crf/end", {kTags}, zeros())) {}

  /// The logarithm of the sum of exp(score) over all sequences of tags, f32[batch]. emissions f32[time, batch, tags],
  /// mask f32[time, batch]; a masked step leaves the sums as they are, so that they end with the text.
  Value log_partition(Value emissions, Value mask) const {
    const auto step = [&](Value emission, const State& s) -> Step {
      return {.state = {{"sums", logsumexp(expand_dims(s["sums"], 2) + transitions, 1) + emission}}};
    };
    const State first{{"sums", start + at(emissions, 0)}};
    return logsumexp(scan(step, slice(emissions, 0, 1), first, {.mask = slice(mask, 0, 1)}).last["sums"] + end, 1);
  }

  /// The score of one sequence of tags i32[time, batch] for each text, f32[batch].
  Value score(Value emissions, Value tags, Value mask) const {
    const Value pairs = slice(tags, 0, 0, -1) * kTags + slice(tags, 0, 1);
    const Value between = gather_rows(flatten(transitions), pairs) * slice(mask, 0, 1);
    const Value last = cast(sum(mask, 0), i32) - 1;
    const Value final_tag = squeeze(gather_along(tags, expand_dims(last, 0), 0), 0);
    return sum(pick(emissions, tags) * mask, 0) + sum(between, 0) + gather_rows(start, at(tags, 0)) +
           gather_rows(end, final_tag);
  }

  /// The sequence of the highest score (Viterbi), i32[time, batch]: forwards the best way to each tag, then back along
  /// the choices. What stands at masked steps means nothing.
  Value best_path(Value emissions, Value mask) const {
    const auto forwards = [&](Value emission, const State& s) -> Step {
      const Value ways = expand_dims(s["best"], 2) + transitions;
      return {.output = argmax(ways, 1), .state = {{"best", max(ways, 1) + emission}}};
    };
    const auto backwards = [](Value choice, const State& s) -> Step {
      return {.state = {{"tag", pick(choice, s["tag"])}}};
    };
    const Value later = slice(mask, 0, 1);
    const State first{{"best", start + at(emissions, 0)}};
    const auto [choices, ends] = scan(forwards, slice(emissions, 0, 1), first, {.mask = later});
    const Value last = argmax(ends["best"] + end, 1);
    const ScanResult back = scan(backwards, choices, {{"tag", last}}, {.mask = later, .reverse = true});
    return concat({back.states["tag"], expand_dims(last, 0)}, 0);
  }
};

/// How well each tag fits each word, f32[time, batch, tags].
Value emissions_of(Graph& graph, ParameterStore& store, Value tokens, Value mask) {
  const Value x = embedding(parameter(graph, store, "embedding", {kWords, kEmbedding}, uniform(0.3f)), tokens);
  std::vector<Value> read;
  for (const std::string name : {"forwards", "backwards"})
    read.push_back(lstm(x, parameter(graph, store, name + "/w_x", {kEmbedding, 4 * kHidden}, glorot_uniform(4)),
                        parameter(graph, store, name + "/w_h", {kHidden, 4 * kHidden}, orthogonal(1, 4)),
                        parameter(graph, store, name + "/bias", {4 * kHidden}, block_bias(1, 4, 1.0f)),
                        {.mask = mask, .reverse = name == "backwards"})
                       .outputs);
  return linear(concat(read, 2), parameter(graph, store, "emission/w", {2 * kHidden, kTags}, glorot_uniform()),
                parameter(graph, store, "emission/bias", {kTags}, zeros()));
}

// --- made texts: a name is one of four titles and the words up to the next of four verbs, two at most ---
struct Texts {
  Tensor tokens{i32, {kTime, kBatch}}, tags{i32, {kTime, kBatch}}, mask{f32, {kTime, kBatch}};

  explicit Texts(std::uint64_t seed) {
    Philox random(seed);
    for (std::int64_t b = 0; b < kBatch; ++b) {
      const auto length = static_cast<std::int64_t>(4 + uniform_index(random, kTime - 3));
      int left = 0;  // words that the name may still have
      for (std::int64_t t = 0; t < kTime; ++t) {
        const std::int64_t i = t * kBatch + b;
        tokens.values<int>()[i] = -1;
        if (t >= length) continue;
        mask.values<float>()[i] = 1;
        const int word = tokens.values<int>()[i] = static_cast<int>(uniform_index(random, kWords));
        left = word < 4 ? 2 : word < 8 ? 0 : left - 1;
        tags.values<int>()[i] = word < 4 ? kBegin : left >= 0 && word >= 8 ? kInside : kOutside;
      }
    }
  }
  std::vector<Binding> bindings() const { return {{"tokens", tokens}, {"tags", tags}, {"mask", mask}}; }
};

/// Values of log_partition and best_path for emissions of 5 steps against those of all 3^5 sequences.
bool agrees_with_all_sequences() {
  constexpr std::int64_t time = 5;
  ParameterStore store(/*seed=*/5);
  Graph graph;
  const Crf crf(graph, store);
  const Value emissions = graph.input("emissions", f32, {time, 1, kTags});
  const Value tags = graph.input("tags", i32, {time, 1}), mask = full(graph, {f32, {time, 1}}, 1);
  Program program = compile(
      graph, {crf.score(emissions, tags, mask), crf.log_partition(emissions, mask), crf.best_path(emissions, mask)});
  Tensor numbers(f32, {time, 1, kTags});
  Philox random(1);
  for (float& x : numbers.values<float>()) x = normal_float(random);

  double total = 0, best = -1e9, log_partition = 0;
  std::vector<int> best_tags, found;
  std::vector<int> sequence(time, 0);
  for (int number = 0; number < 243; ++number) {
    for (int t = 0, rest = number; t < time; ++t, rest /= kTags) sequence[t] = rest % kTags;
    const auto results = program.run({{"emissions", numbers}, {"tags", Tensor::from(sequence, {time, 1})}});
    total += std::exp(results[0].item());
    if (results[0].item() > best) best_tags = sequence;
    best = std::max<double>(best, results[0].item());
    log_partition = results[1].item();
    found.assign(results[2].values<int>().begin(), results[2].values<int>().end());
  }
  fmt::print("log of the sum over 243 sequences: {:.5f}, by the loop {:.5f}\n", std::log(total), log_partition);
  return std::abs(std::log(total) - log_partition) < 1e-5 && found == best_tags;
}

int main() {
  set_num_threads(1);  // steps this small are not worth sharing
  const bool exact = agrees_with_all_sequences();

  ParameterStore store(/*seed=*/1);
  Graph graph;
  const Value tokens = graph.input("tokens", i32, {kTime, kBatch}), tags = graph.input("tags", i32, {kTime, kBatch}),
              mask = graph.input("mask", f32, {kTime, kBatch});
  const Crf crf(graph, store);
  const Value emissions = emissions_of(graph, store, tokens, mask);
  const Value loss = mean(crf.log_partition(emissions, mask) - crf.score(emissions, tags, mask));
  Program train = compile(graph, {loss, minimize(loss, store, adam({.learning_rate = 0.02f, .clip_norm = 5}))});
  Program decode = compile(graph, {crf.best_path(emissions, mask)});  // the same graph, without loss and updates

  for (int i = 0; i <= 300; ++i) {
    const float nats = train.run(Texts(100 + i).bindings())[0].item();
    if (i % 100 == 0) fmt::print("step {:3}  loss {:.4f} nats a text\n", i, nats);
  }

  const Texts others(1);
  const auto path = decode.run({{"tokens", others.tokens}, {"mask", others.mask}})[0].values<int>();
  int words = 0, right = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (others.mask.values<float>()[i] == 0) continue;
    ++words;
    right += path[i] == others.tags.values<int>()[i];
  }
  const auto from = store.find("crf/transitions")->value.values<float>();
  fmt::print("{} of {} tags of other texts are right; inside after outside scores {:.2f}, after begin {:.2f}\n", right,
             words, from[kOutside * kTags + kInside], from[kBegin * kTags + kInside]);
  return exact && right >= 0.98 * words && from[kOutside * kTags + kInside] < from[kBegin * kTags + kInside] ? 0 : 1;
}
