// SPDX-License-Identifier: Apache-2.0
// Few examples, much noise: a GRU learns 40 sequences by heart, and what keeps it from that. Layer norm, dropout of
// several kinds, noise on inputs and targets, weight decay, and an average of the weights over the steps; or a penalty
// on gradients.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <optional>

using namespace eddy;

constexpr std::int64_t kTime = 6, kFeatures = 10, kHidden = 32, kTrain = 40, kTest = 400;

/// Sequences of noise in which the first feature, in all, leans to one side: which one is the label.
struct Examples {
  Tensor x, labels;
  Examples(std::int64_t count, std::uint64_t seed) : x(f32, {kTime, count, kFeatures}), labels(i32, {count}) {
    Philox random(seed);
    for (float& value : x.values<float>()) value = normal_float(random);
    for (std::int64_t b = 0; b < count; ++b) {
      const int label = labels.values<int>()[b] = static_cast<int>(uniform_index(random, 2));
      for (std::int64_t t = 0; t < kTime; ++t)
        x.values<float>()[(t * count + b) * kFeatures] += label == 1 ? 0.7f : -0.7f;
    }
  }
};

/// Scores f32[batch, 2]. With a key, dropout and noise are on.
Value scores_of(ParameterStore& store, Value x, Value key = {}) {
  Graph& graph = x.graph();
  if (key) {
    x = x + 0.3f * random_normal(key, x.shape());
    x = dropout(x, 0.1f, key, {.broadcast_axes = {0}});  // the same features at all steps
  }
  const Value normed = layer_norm(x, parameter(graph, store, "norm/gain", {kFeatures}, constant_value(1)),
                                  parameter(graph, store, "norm/bias", {kFeatures}, zeros()));
  const GruResult read = gru(normed, parameter(graph, store, "gru/w_x", {kFeatures, 3 * kHidden}, glorot_uniform(3)),
                             parameter(graph, store, "gru/w_h", {kHidden, 3 * kHidden}, orthogonal(1, 3)),
                             parameter(graph, store, "gru/bias", {3 * kHidden}, zeros()));
  const Value h = key ? dropout(read.final_h, 0.5f, key) : read.final_h;
  return linear(h, parameter(graph, store, "softmax/w", {kHidden, 2}, glorot_uniform()),
                parameter(graph, store, "softmax/b", {2}, zeros()));
}

/// The loss on other examples than those learnt from.
float test_loss(ParameterStore& store) {
  const Examples others(kTest, 2);
  Graph graph;
  const Value scores = scores_of(store, graph.input("x", f32, others.x.shape()));
  Program measure = compile(graph, {cross_entropy(scores, graph.input("labels", i32, {kTest}))});
  return measure.run({{"x", others.x}, {"labels", others.labels}})[0].item();
}

/// Trains; afterwards the loss on other examples, with the last weights or their average.
struct Outcome {
  float train, test;
  std::optional<float> averaged;
};

Outcome train(bool regularised) {
  const Examples few(kTrain, 1);
  ParameterStore store(/*seed=*/1);
  Graph graph;
  const Value x = graph.input("x", f32, few.x.shape()), labels = graph.input("labels", i32, {kTrain});
  const Value scores = scores_of(store, x, regularised ? random_key(graph, store) : Value());
  const Value loss = cross_entropy(scores, labels, {.label_smoothing = regularised ? 0.05f : 0.0f});
  const Updates updates = minimize(loss, store,
                                   adamw({.learning_rate = warm_up(20, cosine_decay(0.01, 300, 0.001)),
                                          .clip_norm = 1,
                                          .weight_decay = regularised ? 0.1 : 0.0},
                                         {.undecayed = {"norm", "gru/bias", "softmax/b"}}));
  Program step = compile(graph, {loss, regularised ? exponential_moving_average(updates, store, 0.98) : updates.step});

  Outcome outcome{};
  for (int i = 0; i < 300; ++i) outcome.train = step.run({{"x", few.x}, {"labels", few.labels}})[0].item();
  outcome.test = test_loss(store);
  if (regularised) {
    const AveragedWeights averaged(store);  // while it lives, all programs see the averages
    outcome.averaged = test_loss(store);
  }
  return outcome;
}

/// Trains with a penalty on how steeply each example's loss rises with its inputs (double backpropagation: Drucker &
/// Le Cun 1992); the gradient of that gradient is made like any other. Returns the loss on other examples.
float train_flat(float weight) {
  const Examples few(kTrain, 1);
  ParameterStore store(/*seed=*/1);
  Graph graph;
  const Value x = graph.input("x", f32, few.x.shape()), labels = graph.input("labels", i32, {kTrain});
  const Value scores = scores_of(store, x);
  const Value steepness = sum(square(dense_gradient(cross_entropy(scores, labels, {.reduction = Reduction::sum}), x)));
  const Value loss = cross_entropy(scores, labels) + weight / kTrain * steepness;
  Program step = compile(graph, {minimize(loss, store, adam({.learning_rate = 0.01, .clip_norm = 1}))});
  for (int i = 0; i < 300; ++i) step.run({{"x", few.x}, {"labels", few.labels}});
  return test_loss(store);
}

/// Random numbers are functions of a key: the same key, the same numbers, in every pass over the graph.
bool keys() {
  ParameterStore store(/*seed=*/1);
  Graph graph;
  const Value key = random_key(graph, store);
  const Value drawn = random_uniform(key, {1000}, 2, 4);
  const Value x = full(graph, {f32, {1000}}, 1), dropped = dropout(x, 0.25f, key);
  // The mask is never stored: the gradient draws it again.
  const Value same = sum(abs(dense_gradient(sum(dropped), x) - dropped));
  // In a loop each step folds its number in; without that all steps draw the same.
  const auto noise = [&](Value t, const State&) { return Step{.output = random_uniform(fold_key(key, t), {2})}; };
  const Value by_step = scan(noise, iota(graph, 3), {}).output;
  Program program = compile(graph, {mean(drawn), mean(dropped), same, by_step, advance_random(key)});
  const float first = program.run()[0].item();
  const auto results = program.run();
  const auto steps = results[3].values<float>();
  fmt::print("mean of numbers from 2 to 4: {:.3f}, of the next {:.3f}; of ones with dropout: {:.3f}\n", first,
             results[0].item(), results[1].item());
  return first != results[0].item() && results[2].item() == 0 && steps[0] != steps[2];
}

int main() {
  set_num_threads(1);  // steps this small are not worth sharing
  const bool right = keys();
  const Outcome plain = train(false), careful = train(true);
  fmt::print("plain:       {:.3f} nats on 40 examples, {:.3f} on 400 others\n", plain.train, plain.test);
  const float flat = train_flat(/*weight=*/10);
  fmt::print("regularised: {:.3f} nats on 40 examples, {:.3f} on 400 others, {:.3f} with averaged weights\n",
             careful.train, careful.test, *careful.averaged);
  fmt::print("steep losses penalised: {:.3f} on 400 others\n", flat);
  return right && flat < 0.9f * plain.test && *careful.averaged < 0.8f * plain.test ? 0 : 1;
}
