// SPDX-License-Identifier: Apache-2.0
// Dropout, the random key and the candidate samplers: distributions with fixed seeds, replay, errors.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "eddy/graph/program.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/random_uniform.h"
#include "eddy/ops/sampled_softmax.h"
#include "eddy/ops/sum.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

Tensor key_tensor(std::int32_t seed, std::int32_t step) { return Tensor::from<std::int32_t>({seed, 77, step, 0}, {4}); }

double share_of_zeros(const Tensor& tensor) {
  double zeros = 0;
  for (const float x : tensor.values<const float>()) zeros += x == 0 ? 1 : 0;
  return zeros / static_cast<double>(tensor.elements());
}

TEST_CASE("dropout drops the asked share, keeps the mean and differs from call to call") {
  Graph graph;
  const Value key = graph.input("key", i32, {4});
  const Value x = graph.constant(Tensor::from(std::vector<float>(60000, 1.0F), {100, 600}));
  const Value a = dropout(x, 0.25F, key);
  const Value b = dropout(x, 0.25F, key);
  Program program = compile(graph, {a, b, sum(a)});
  const std::vector<Tensor> first = copies(program.run({{"key", key_tensor(1, 0)}}));
  CHECK(share_of_zeros(first[0]) == doctest::Approx(0.25).epsilon(0.03));
  CHECK(first[2].item() == doctest::Approx(60000).epsilon(0.01));
  CHECK(bit_difference(std::span(first).subspan(0, 1), std::span(first).subspan(1, 1)) != "");
  const std::vector<Tensor> same = copies(program.run({{"key", key_tensor(1, 0)}}));
  CHECK(bit_difference(same, first) == "");
  const std::vector<Tensor> next = copies(program.run({{"key", key_tensor(1, 1)}}));
  CHECK(bit_difference(next, first) != "");
}

TEST_CASE("the gradient of dropout drops the same elements") {
  Graph graph;
  const Value key = graph.input("key", i32, {4});
  const Value x = graph.constant(Tensor::from(std::vector<float>(5000, 1.0F), {50, 10, 10}));
  for (const std::vector<int>& axes : {std::vector<int>{}, std::vector<int>{2}, std::vector<int>{0}}) {
    const Value y = dropout(x, 0.5F, key, {.broadcast_axes = axes});
    const std::vector<Value> dx = dense_gradients(sum(y), {x});
    Program program = compile(graph, {y, dx[0]});
    const std::vector<Tensor> out = copies(program.run({{"key", key_tensor(4, 2)}}));
    CHECK(bit_difference(std::span(out).subspan(0, 1), std::span(out).subspan(1, 1)) == "");
  }
}

TEST_CASE("a draw after a gradient is one of its own") {
  Graph graph;
  const Value key = graph.input("key", i32, {4});
  const Value x = graph.constant(Tensor::from(std::vector<float>(1000, 1.0F), {1000}));
  const Value first = dropout(x, 0.5F, key), second = dropout(x, 0.5F, key);
  const Value dx = dense_gradient(sum(first), x);
  const Value third = dropout(x, 0.5F, key);
  Program program = compile(graph, {first, second, third, dx});
  const std::vector<Tensor> out = copies(program.run({{"key", key_tensor(4, 2)}}));
  const auto differ = [&](std::size_t a, std::size_t b) {
    return bit_difference(std::span(out).subspan(a, 1), std::span(out).subspan(b, 1)) != "";
  };
  CHECK(differ(0, 1));
  CHECK(differ(0, 2));
  CHECK(differ(1, 2));
  CHECK_FALSE(differ(0, 3));
}

TEST_CASE("dropout of rate 0 vanishes, and other rates are refused with their value") {
  Graph graph;
  const Value key = graph.input("key", i32, {4});
  const Value x = graph.input("x", f32, {3});
  CHECK(compile(graph, {dropout(x, 0, key) * 2.0F}).instruction_count() == 1);
  CHECK_THROWS_WITH_AS(dropout(x, 1, key), doctest::Contains("below 1, it is 1"), GraphError);
  CHECK_THROWS_WITH_AS(dropout(x, 0.5F, x), doctest::Contains("i32[4]"), GraphError);
}

TEST_CASE("the random key advances by one step a run and carries into the high word") {
  ParameterStore store(5);
  Graph graph;
  const Value key = random_key(graph, store);
  const Value noise = random_uniform(key, {8});
  Program program = compile(graph, {noise, advance_random(key)});
  const std::shared_ptr<Variable> variable = store.find("random/key");
  REQUIRE(variable);
  CHECK(!variable->trainable);
  const std::vector<Tensor> first = copies(program.run());
  const std::vector<Tensor> second = copies(program.run());
  CHECK(bit_difference(std::span(first).subspan(0, 1), std::span(second).subspan(0, 1)) != "");
  CHECK(variable->value.values<std::int32_t>()[2] == 2);
  variable->value.values<std::int32_t>()[2] = -1;
  program.run();
  CHECK(variable->value.values<std::int32_t>()[2] == 0);
  CHECK(variable->value.values<std::int32_t>()[3] == 1);
  CHECK(advance_random(key) == advance_random(key));
}

TEST_CASE("a uniform number is never the upper end of its range") {
  Graph graph;
  const Value key = graph.input("key", i32, {4});
  Program program = compile(graph, {random_uniform(key, {1000000}, 100, 101), random_uniform(key, {4}, 3, 3)});
  const auto out = copies(program.run({{"key", key_tensor(1, 0)}}));
  const auto [low, high] = std::ranges::minmax(out[0].values<const float>());
  CHECK(low >= 100);
  CHECK(high < 101);
  CHECK(to_doubles(out[1]) == std::vector<double>(4, 3.0));
}

struct Sampler {
  Graph graph;
  Value key = graph.input("key", i32, {4});
  Value targets = graph.input("targets", i32, {3});
  std::vector<Value> results;

  SampledIds log_uniform(std::int64_t samples, std::int64_t range, bool unique) {
    return keep(log_uniform_sampler(key, samples, range, targets, {.unique = unique}));
  }
  SampledIds unigram(std::int64_t samples, const std::vector<double>& counts, bool unique) {
    return keep(unigram_sampler(key, samples, unigram_table(graph, counts), targets, {.unique = unique}));
  }
  SampledIds keep(const SampledIds& sampled) {
    results = {sampled.ids, sampled.log_expected, sampled.log_expected_targets};
    return sampled;
  }
};

/// Checks drawn shares against `probability` and, run by run, the expected counts the sampler claims against the
/// counts.
void check_sampler(Sampler& sampler, const std::vector<double>& probability, bool unique, double tolerance) {
  constexpr int kRuns = 3000;
  const Tensor targets = Tensor::from<std::int32_t>({0, 2, -1}, {3});
  Program program = compile(sampler.graph, sampler.results);
  std::map<std::int32_t, double> counts;
  double expected_0 = 0;
  double expected_2 = 0;
  double total = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto out = program.run({{"key", key_tensor(3, run)}, {"targets", targets}});
    std::set<std::int32_t> seen;
    for (const std::int32_t id : out[0].values<const std::int32_t>()) {
      REQUIRE(id >= 0);
      REQUIRE(id < static_cast<std::int32_t>(probability.size()));
      counts[id] += 1;
      total += 1;
      seen.insert(id);
    }
    if (unique) REQUIRE(seen.size() == static_cast<std::size_t>(out[0].elements()));
    const auto log_expected = out[2].values<const float>();
    expected_0 += std::exp(static_cast<double>(log_expected[0]));
    expected_2 += std::exp(static_cast<double>(log_expected[1]));
    REQUIRE(log_expected[2] == 0);
  }
  CHECK(counts[0] == doctest::Approx(expected_0).epsilon(tolerance));
  CHECK(counts[2] == doctest::Approx(expected_2).epsilon(tolerance));
  if (unique) return;
  for (std::size_t id = 0; id < probability.size(); ++id) {
    INFO("id ", id);
    // Five standard deviations of a binomial count.
    const double p = probability[id];
    CHECK(std::fabs(counts[static_cast<std::int32_t>(id)] - total * p) < 5 * std::sqrt(total * p));
  }
}

TEST_CASE("the log-uniform sampler draws by its distribution and knows its expected counts") {
  std::vector<double> probability(20);
  for (std::size_t k = 0; k < 20; ++k) probability[k] = std::log((k + 2.0) / (k + 1.0)) / std::log(21.0);
  for (const bool unique : {false, true}) {
    INFO("unique ", unique);
    Sampler sampler;
    sampler.log_uniform(6, 20, unique);
    check_sampler(sampler, probability, unique, 0.06);
  }
}

TEST_CASE("the unigram sampler draws by its counts and knows its expected counts") {
  const std::vector<double> counts{50, 1, 20, 3, 3, 9, 100, 14};
  std::vector<double> probability;
  for (const double count : counts) probability.push_back(count / 200);
  for (const bool unique : {false, true}) {
    INFO("unique ", unique);
    Sampler sampler;
    sampler.unigram(3, counts, unique);
    check_sampler(sampler, probability, unique, unique ? 0.2 : 0.06);
  }
}

TEST_CASE("samplers refuse what cannot be drawn") {
  Sampler sampler;
  CHECK_THROWS_WITH_AS(sampler.log_uniform(21, 20, true), doctest::Contains("cannot draw 21 different ids of 20"),
                       GraphError);
  const std::vector<double> with_zero{3, 0, 1};
  CHECK_THROWS_WITH_AS(unigram_table(sampler.graph, with_zero), doctest::Contains("count of id 1 is 0"), GraphError);
  const std::vector<double> apart{1e9, 1}, beyond_numbers{1e200, 1};
  CHECK_THROWS_WITH_AS(unigram_table(sampler.graph, apart, 6), doctest::Contains("makes id 1 as likely as 0"),
                       GraphError);
  CHECK_THROWS_AS(unigram_table(sampler.graph, beyond_numbers, 2), GraphError);
  sampler.log_uniform(4, 20, true);
  Program program = compile(sampler.graph, sampler.results);
  const Tensor beyond = Tensor::from<std::int32_t>({0, 20, 1}, {3});
  CHECK_THROWS_WITH_AS(program.run({{"key", key_tensor(1, 0)}, {"targets", beyond}}),
                       doctest::Contains("target 20 at position 1"), Error);
  Sampler skewed;
  const std::vector<double> hopeless{1e15, 1, 1};
  skewed.unigram(2, hopeless, true);
  Program endless = compile(skewed.graph, skewed.results);
  const Tensor targets = Tensor::from<std::int32_t>({0, 1, 2}, {3});
  CHECK_THROWS_WITH_AS(endless.run({{"key", key_tensor(1, 0)}, {"targets", targets}}),
                       doctest::Contains("found only 1 of 2"), Error);
}

TEST_CASE("sampled softmax with every id equals the full softmax, values and gradients") {
  constexpr std::int64_t kRows = 6;
  constexpr std::int64_t kSize = 5;
  constexpr std::int64_t kWords = 11;
  Philox random(8);
  Graph graph;
  const Value key = graph.input("key", i32, {4});
  const Value h = graph.constant(random_tensor({f32, {kRows, kSize}}, random));
  const Value w = graph.constant(random_tensor({f32, {kWords, kSize}}, random));
  const Value b = graph.constant(random_tensor({f32, {kWords}}, random));
  const Value weights = graph.constant(Tensor::from<float>({1, 0.5F, 2, 1, 0, 3}, {kRows}));
  const Value targets = graph.constant(Tensor::from<std::int32_t>({3, 10, -1, 0, 5, 3}, {kRows}));
  const Value full = cross_entropy(linear(h, w, b, {.transpose_w = true}), targets, {.weights = weights});
  const Value sampled = sampled_softmax_cross_entropy(
      h, w, b, targets, log_uniform_sampler(key, kWords, kWords, targets), {.weights = weights});
  const std::vector<Value> wrt{h, w, b};
  CHECK(gradients(sampled, wrt)[1].is_sparse());
  std::vector<Value> results{sampled};
  for (const Value& gradient : dense_gradients(sampled, wrt)) results.push_back(gradient);
  results.push_back(full);
  for (const Value& gradient : dense_gradients(full, wrt)) results.push_back(gradient);
  Program program = compile(graph, results);
  const std::vector<Tensor> out = copies(program.run({{"key", key_tensor(1, 0)}}));
  CHECK(difference(std::span(out).subspan(0, 4), std::span(out).subspan(4), 1e-5) == "");
}

/// Two rows of two elements, three classes, all of them sampled.
struct SampledCase {
  Graph graph;
  Value h = graph.input("h", f32, {2, 2});
  Value w = graph.input("w", f32, {3, 2});
  Value b = graph.input("b", f32, {3});
  Value targets = graph.input("targets", i32, {2});

  Value loss(const SampledSoftmaxOptions& options) {
    const Value ids = graph.constant(Tensor::from<std::int32_t>({0, 1, 2}, {3}));
    const SampledIds sampled{ids, graph.constant(Tensor(f32, {3})), graph.constant(Tensor(f32, {2}))};
    return sampled_softmax_cross_entropy(h, w, b, targets, sampled, options);
  }
  /// The loss and its gradients by h, w and b.
  std::vector<std::vector<double>> run(const SampledSoftmaxOptions& options, const std::vector<float>& hidden,
                                       const std::vector<float>& table, const std::vector<std::int32_t>& target) {
    const Value result = loss(options);
    const std::vector<Value> wrt{h, w, b};
    std::vector<Value> results = dense_gradients(sum(result), wrt);
    results.insert(results.begin(), result);
    Program program = compile(graph, results);
    std::vector<std::vector<double>> found;
    for (const Tensor& tensor : program.run({{"h", Tensor::from(hidden, {2, 2})},
                                             {"w", Tensor::from(table, {3, 2})},
                                             {"b", Tensor::from<float>({0.5F, -1, 0.25F}, {3})},
                                             {"targets", Tensor::from(target, {2})}}))
      found.push_back(to_doubles(tensor));
    return found;
  }
};

TEST_CASE("sampled softmax in each reduction, with and without its targets among the negatives") {
  const std::vector<float> hidden{0.5F, -1, 2, 0.25F}, table{1, 2, -0.5F, 0.75F, 0, -1};
  const double logits[2][3] = {{-1.0, -2.0, 1.25}, {3.0, -1.8125, 0.0}};
  for (const bool remove : {true, false}) {
    CAPTURE(remove);
    double each[2];
    for (int row = 0; row < 2; ++row) {
      const int target = row == 0 ? 2 : 0;
      double total = remove ? 0 : std::exp(logits[row][target]);
      for (const double logit : logits[row]) total += std::exp(logit);
      each[row] = std::log(total) - logits[row][target];
    }
    const std::vector<float> weights{0.5F, 2};
    SampledCase c;
    const SampledSoftmaxOptions options{.weights = c.graph.constant(Tensor::from(weights, {2})),
                                        .remove_accidental_hits = remove};
    const auto run = [&](Reduction reduction) {
      SampledSoftmaxOptions reduced = options;
      reduced.reduction = reduction;
      return c.run(reduced, hidden, table, {2, 0})[0];
    };
    const double sum = 0.5 * each[0] + 2 * each[1];
    CHECK(run(Reduction::mean)[0] == doctest::Approx(sum / 2.5).epsilon(1e-5));
    CHECK(run(Reduction::sum)[0] == doctest::Approx(sum).epsilon(1e-5));
    const std::vector<double> none = run(Reduction::none);
    REQUIRE(none.size() == 2);
    CHECK(none[0] == doctest::Approx(0.5 * each[0]).epsilon(1e-5));
    CHECK(none[1] == doctest::Approx(2 * each[1]).epsilon(1e-5));
  }
}

TEST_CASE("sampled softmax: weights of another shape are refused, rows that do not count may hold anything") {
  SampledCase c;
  CHECK_THROWS_WITH_AS(c.loss({.weights = c.graph.constant(Tensor(f32, {}))}),
                       doctest::Contains("weights must be f32[2], they are f32[]"), GraphError);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> table{1, 2, -0.5F, 0.75F, 0, -1};
  for (const bool by_weight : {false, true}) {
    CAPTURE(by_weight);
    const Value weights = c.graph.constant(Tensor::from<float>({1, by_weight ? 0.0F : 1.0F}, {2}));
    const std::vector<std::int32_t> targets{2, by_weight ? 1 : -1};
    const auto found = c.run({.weights = weights}, {0.5F, -1, kInfinity, 0.25F}, table, targets);
    const auto expected = c.run({.weights = weights}, {0.5F, -1, 0, 0}, table, targets);
    CHECK(found == expected);
    CHECK(found[1][0] != 0);
    CHECK(found[1][2] == 0);
  }
}

TEST_CASE("a table that is no number makes a sampled loss that is none") {
  SampledCase c;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto found = c.run({}, {0.5F, -1, 2, 0.25F}, {nan, nan, nan, nan, nan, nan}, {2, 0});
  CHECK(std::isnan(found[0][0]));
  CHECK(std::isnan(found[1][0]));
  Graph graph;
  const Value logits = graph.input("logits", f32, {4, 3});
  const Value ids = graph.constant(Tensor::from<std::int32_t>({0, 1, 2}, {3}));
  const Value targets = graph.constant(Tensor::from<std::int32_t>({1, 1, 1, -1}, {4}));
  Program program = compile(graph, {negatives_log_sum_exp(logits, ids, targets)});
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{nan, 0, 1, 1, 0, nan, kInfinity, 0, kInfinity, -kInfinity, -kInfinity, -kInfinity};
  const std::vector<double> sums = to_doubles(program.run({{"logits", Tensor::from(values, {4, 3})}})[0]);
  CHECK(std::isnan(sums[0]));
  CHECK(std::isnan(sums[1]));
  CHECK(sums[2] == kInfinity);
  CHECK(sums[3] == -kInfinity);
}

TEST_CASE("where the full softmax is at its minimum the sampled loss pulls nowhere, thanks to the correction") {
  // Targets as probable as the model says: every id is a target, weighted by its probability.
  constexpr std::int64_t kWords = 60;
  constexpr int kRuns = 1500;
  Philox random(21);
  Graph graph;
  const Value key = graph.input("key", i32, {4});
  const Tensor logits = random_tensor({f32, {kWords}}, random, -1, 1);
  double total = 0;
  for (const float x : logits.values<const float>()) total += std::exp(static_cast<double>(x));
  std::vector<float> weights;
  std::vector<std::int32_t> ids;
  for (const float x : logits.values<const float>()) {
    weights.push_back(static_cast<float>(std::exp(static_cast<double>(x)) / total));
    ids.push_back(static_cast<std::int32_t>(ids.size()));
  }
  const Value h = graph.constant(Tensor(f32, {kWords, 1}));
  const Value w = graph.constant(Tensor(f32, {kWords, 1}));
  const Value b = graph.constant(logits);
  const Value targets = graph.constant(Tensor::from(ids, {kWords}));
  const SampledIds sampled = log_uniform_sampler(key, 15, kWords, targets);
  const SampledIds uncorrected{sampled.ids, sampled.log_expected * 0.0F, sampled.log_expected_targets * 0.0F};
  std::vector<Value> results;
  for (const SampledIds& samples : {sampled, uncorrected}) {
    const Value loss = sampled_softmax_cross_entropy(h, w, b, targets, samples,
                                                     {.weights = graph.constant(Tensor::from(weights, {kWords}))});
    results.push_back(dense_gradient(loss, b));
  }
  Program program = compile(graph, results);
  std::vector<std::vector<double>> pull(2, std::vector<double>(kWords, 0.0));
  for (int run = 0; run < kRuns; ++run) {
    const auto out = program.run({{"key", key_tensor(1, run)}});
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t id = 0; id < kWords; ++id)
        pull[i][id] += static_cast<double>(out[i].values<const float>()[id]) / kRuns;
  }
  const auto norm = [](const std::vector<double>& v) {
    double sum = 0;
    for (const double x : v) sum += x * x;
    return std::sqrt(sum);
  };
  INFO("with correction ", norm(pull[0]), ", without ", norm(pull[1]));
  CHECK(norm(pull[0]) < 0.15 * norm(pull[1]));
}

}  // namespace
}  // namespace eddy::test
