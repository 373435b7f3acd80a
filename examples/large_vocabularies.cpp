// SPDX-License-Identifier: Apache-2.0
// Many words: losses that do not compute all of them (sampled and adaptive softmax), a full one that never holds all
// its scores, and updates of embeddings that cost what a batch reads. The task: each word has one that follows it.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

using namespace eddy;

constexpr std::int64_t kWords = 500, kSize = 24, kBatch = 64;
const AdaptiveSoftmaxConfig kAdaptive{.vocabulary = kWords, .cutoffs = {50, 200}, .divisor = 2};

/// Words as they come in texts: the k-th is about 1 / k as frequent as the first.
struct Words {
  Tensor now{i32, {1, kBatch}}, next{i32, {1, kBatch}};
  void draw(Philox& random) const {
    for (std::size_t i = 0; i < kBatch; ++i) {
      const double word = std::pow(static_cast<double>(kWords), static_cast<double>(uniform_float(random, 0, 1))) - 1;
      now.values<int>()[i] = static_cast<int>(word);
      next.values<int>()[i] = (static_cast<int>(word) * 7 + 3) % kWords;
    }
  }
};

/// What a loss is made from: states f32[1, batch, size], the words that follow and their weights.
struct Scene {
  Value states, targets, weights, table, bias, key;

  Scene(Graph& graph, ParameterStore& store)
      : states(embedding(parameter(graph, store, "embedding", {kWords, kSize}, normal(0.3f)),
                         graph.input("now", i32, {1, kBatch}))),
        targets(graph.input("next", i32, {1, kBatch})),
        weights(full(graph, {f32, {1, kBatch}}, 1)),
        table(parameter(graph, store, "softmax/table", {kWords, kSize}, uniform(0.1f))),
        bias(parameter(graph, store, "softmax/bias", {kWords}, zeros())),
        key(random_key(graph, store)) {}
};

using Loss = std::function<Value(ParameterStore& store, const Scene& scene)>;

/// Each word's chance, for the unigram sampler.
std::vector<double> chances() {
  std::vector<double> of_next(kWords);
  for (std::int64_t word = 0; word < kWords; ++word)
    of_next[static_cast<std::size_t>((word * 7 + 3) % kWords)] = 1 / (1.0 + static_cast<double>(word));
  return of_next;
}

const std::vector<std::pair<std::string, Loss>> kLosses{
    {"all words, their scores one after another",
     [](ParameterStore&, const Scene& s) { return softmax_loss(s.states, s.table, s.bias, s.targets, s.weights); }},
    {"the same from its parts",
     [](ParameterStore&, const Scene& s) {
       const Positions flat = flat_positions(s.states, s.targets, s.weights);
       return linear_cross_entropy(flat.states, s.table, s.bias, flat.targets,
                                   shares_of_mean(flat.targets, flat.weights));
     }},
    {"100 words drawn log-uniformly",
     [](ParameterStore&, const Scene& s) {
       return softmax_loss(s.states, s.table, s.bias, s.targets, s.weights, 100, s.key);
     }},
    {"100 words drawn by their frequencies",
     [](ParameterStore&, const Scene& s) {
       const Positions flat = flat_positions(s.states, s.targets, s.weights);
       const UnigramTable frequencies = unigram_table(s.states.graph(), chances(), /*power=*/0.75);
       const SampledIds sampled = unigram_sampler(s.key, 100, frequencies, flat.targets);
       return sampled_softmax_cross_entropy(flat.states, s.table, s.bias, flat.targets, sampled);
     }},
    {"adaptive softmax",
     [](ParameterStore& store, const Scene& s) {
       const Positions flat = flat_positions(s.states, s.targets, s.weights);
       return adaptive_softmax_loss(store, "adaptive", kAdaptive, flat.states, flat.targets, flat.weights);
     }},
};

/// Trains with a loss; afterwards the exact loss over all words, in nats.
double exact_loss(ParameterStore& store, const Loss& loss_of, const Optimizer& optimizer, bool adaptive = false) {
  Graph training;
  const Value loss = loss_of(store, Scene(training, store));
  Program train = compile(training, {loss, minimize(loss, store, optimizer)});
  const Words words;
  Philox random(5);
  for (int i = 0; i < 400; ++i) {
    words.draw(random);
    train.run({{"now", words.now}, {"next", words.next}});
  }

  Graph measuring;
  const Scene scene(measuring, store);
  const Positions flat = flat_positions(scene.states, scene.targets, scene.weights);
  const Value exact =
      adaptive ? -mean(pick(adaptive_log_probabilities(store, "adaptive", kAdaptive, flat.states), flat.targets))
               : cross_entropy(linear(flat.states, scene.table, scene.bias, {.transpose_w = true}), flat.targets);
  Program measure = compile(measuring, {exact});
  words.draw(random);
  // Rows of the tables that the last batches did not read may be behind; while this lives they are not.
  const CurrentRows current(store, optimizer);
  return measure.run({{"now", words.now}, {"next", words.next}})[0].item();
}

/// The sampled softmax by hand: scores less the logarithms of how often each word is expected among the samples, a
/// target's own word left out of the others.
bool sampled_by_hand() {
  ParameterStore store(/*seed=*/1);
  Graph graph;
  const Scene scene(graph, store);
  const Positions flat = flat_positions(scene.states, scene.targets, scene.weights);
  const SampledIds sampled = log_uniform_sampler(scene.key, 20, kWords, flat.targets);
  const Value own = sum(flat.states * gather_rows(scene.table, flat.targets), 1) +
                    gather_rows(scene.bias, flat.targets) - sampled.log_expected_targets;
  const Value others = linear(flat.states, gather_rows(scene.table, sampled.ids), gather_rows(scene.bias, sampled.ids),
                              {.transpose_w = true}) -
                       sampled.log_expected;
  const Value rest = negatives_log_sum_exp(others, sampled.ids, flat.targets);
  const Value by_hand = mean(logsumexp(stack({own, rest}, 1)) - own);
  const Value fused = sampled_softmax_cross_entropy(flat.states, scene.table, scene.bias, flat.targets, sampled);
  // The two-level targets of an adaptive softmax: its head, then one tail after another.
  const std::vector<Value> levels = cluster_targets(graph.constant(Tensor::from({3, 60, 499}, {3})), {50, 200, kWords});
  Program program = compile(graph, {by_hand, fused, levels[0], levels[1], levels[2]});
  const Words words;
  Philox random(5);
  words.draw(random);
  const auto results = program.run({{"now", words.now}, {"next", words.next}});
  fmt::print("sampled softmax {:.5f}, by hand {:.5f}\n", results[1].item(), results[0].item());
  const auto are = [&](std::size_t i, std::vector<int> ids) {
    return std::ranges::equal(results[i].values<int>(), ids);
  };
  return std::abs(results[0].item() - results[1].item()) < 1e-4f && are(2, {3, 50, 51}) && are(3, {-1, 10, -1}) &&
         are(4, {-1, -1, 299});
}

int main() {
  set_num_threads(1);  // steps this small are not worth sharing
  bool right = sampled_by_hand();
  for (const auto& loss : kLosses) {
    ParameterStore store(/*seed=*/1);
    const double nats = exact_loss(store, loss.second, adam({.learning_rate = 0.02f}, {.allow_unused = true}),
                                   loss.first == "adaptive softmax");
    fmt::print("{:<44}{:.3f} nats a word (chance: {:.3f})\n", loss.first, nats, std::log(kWords));
    right = right && nats < 2;
  }

  // --- Adam that leaves rows behind until they are read computes the same, at the cost of what a batch reads ---
  const Optimizer eager = adam({.learning_rate = 0.02f}, {.allow_unused = true});
  Optimizer patient = eager;
  patient.options.catch_up_rows = true;
  right = right && can_catch_up(patient.rule);
  ParameterStore every(/*seed=*/1), read(/*seed=*/1);
  const double now = exact_loss(every, kLosses[2].second, eager), later = exact_loss(read, kLosses[2].second, patient);
  bring_rows_up_to_date(read, patient);  // for good
  float difference = 0;
  const auto a = every.find("embedding")->value.values<float>(), b = read.find("embedding")->value.values<float>();
  for (std::size_t i = 0; i < a.size(); ++i) difference = std::max(difference, std::abs(a[i] - b[i]));
  fmt::print("rows updated at once {:.5f}, when read {:.5f}; embeddings differ by {:.1g}\n", now, later, difference);
  return right && difference < 1e-3f ? 0 : 1;
}
