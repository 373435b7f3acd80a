// SPDX-License-Identifier: Apache-2.0
// Adversarial and virtual adversarial training against plain loops, with gradients by central differences.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "eddy/core/random.h"
#include "eddy/graph/gradient.h"
#include "eddy/models/adversarial.h"
#include "eddy/models/text_classifier.h"
#include "eddy/ops/add.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/random_normal.h"
#include "eddy/optimizers/minimize.h"
#include "tests/models/model_runs.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kTime = 5;
constexpr std::int64_t kBatch = 3;
constexpr std::int64_t kSize = 4;
constexpr std::int64_t kClasses = 3;
const Shape kTexts{kTime, kBatch, kSize};

TextModelConfig small_config() {
  return {.vocabulary_size = 11,
          .embedding_size = kSize,
          .encoder = {.hidden_size = 6},
          .classes = kClasses,
          .end_of_sequence = kEos};
}

Tensor numbers(const Shape& shape, std::uint64_t seed, float scale) {
  Philox random(seed);
  const Tensor tensor(f32, shape);
  for (float& value : tensor.values<float>()) value = uniform_float(random, -scale, scale);
  return tensor;
}

/// Texts of 5, 3 and 4 steps; the second has no label.
const Tensor& text_mask() {
  static const Tensor mask = Tensor::from(Floats{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0}, {kTime, kBatch});
  return mask;
}
Tensor label_weights() { return Tensor::from(Floats{1, 0, 1}, {kBatch}); }
Tensor all_rows() { return Tensor::from(Floats{1, 1, 1}, {kBatch}); }
const Ints kLabels{2, 0, 1};

/// A classifier of embedded texts whose weights stay the same, run on whatever it is given.
class SmallClassifier {
 public:
  SmallClassifier() : store_(7) {
    Graph graph;
    build(graph, graph.input("embedded", f32, kTexts), graph.input("mask", f32, {kTime, kBatch}));
    randomize(store_);
  }

  Value build(Graph&, Value embedded, Value mask) {
    return classify_embedded(store_, small_config(), embedded, mask, Mode::infer);
  }

  /// Class scores [batch, classes] in double.
  std::vector<double> scores(const Tensor& embedded) {
    if (!program_) {
      Graph graph;
      const Value x = graph.input("embedded", f32, kTexts);
      const Value mask = graph.input("mask", f32, {kTime, kBatch});
      program_ = std::make_unique<Program>(compile(graph, {build(graph, x, mask)}));
    }
    const auto out = program_->run({{"embedded", embedded}, {"mask", text_mask()}})[0].values<float>();
    return {out.begin(), out.end()};
  }

  ParameterStore& store() { return store_; }

 private:
  ParameterStore store_;
  std::unique_ptr<Program> program_;
};

std::vector<double> log_softmax_row(const std::vector<double>& scores, std::size_t row) {
  const double* x = scores.data() + row * kClasses;
  double sum = 0;
  for (std::size_t c = 0; c < kClasses; ++c) sum += std::exp(x[c]);
  std::vector<double> result(x, x + kClasses);
  for (double& value : result) value -= std::log(sum);
  return result;
}

double plain_cross_entropy(const std::vector<double>& scores) {
  const Tensor weights = label_weights();
  double loss = 0;
  double total = 0;
  for (std::size_t b = 0; b < kBatch; ++b) {
    const double weight = static_cast<double>(weights.values<float>()[b]);
    loss -= weight * log_softmax_row(scores, b)[static_cast<std::size_t>(kLabels[b])];
    total += weight;
  }
  return loss / total;
}

double plain_divergence(const std::vector<double>& from, const std::vector<double>& to) {
  double sum = 0;
  for (std::size_t b = 0; b < kBatch; ++b) {
    const auto p = log_softmax_row(from, b);
    const auto q = log_softmax_row(to, b);
    for (std::size_t c = 0; c < kClasses; ++c) sum += std::exp(p[c]) * (p[c] - q[c]);
  }
  return sum / kBatch;
}

Tensor added(const Tensor& a, const Tensor& b) {
  const Tensor sum(f32, a.shape());
  for (std::size_t i = 0; i < sum.values<float>().size(); ++i)
    sum.values<float>()[i] = a.values<const float>()[i] + b.values<const float>()[i];
  return sum;
}

/// Masked and scaled, text by text.
Tensor plain_scaled(const std::vector<double>& x, double norm) {
  const Tensor scaled(f32, kTexts);
  for (std::size_t b = 0; b < kBatch; ++b) {
    double squares = 0;
    const auto each = [&](auto&& visit) {
      for (std::size_t t = 0; t < kTime; ++t)
        for (std::size_t i = 0; i < kSize; ++i)
          visit((t * kBatch + b) * kSize + i, static_cast<double>(text_mask().values<const float>()[t * kBatch + b]));
    };
    each([&](std::size_t at, double real) { squares += real * x[at] * x[at]; });
    each([&](std::size_t at, double real) {
      scaled.values<float>()[at] = static_cast<float>(norm * real * x[at] / std::sqrt(squares));
    });
  }
  return scaled;
}

/// Derivatives of f by central differences, extrapolated from two widths.
std::vector<double> differences(const std::function<double(const Tensor&)>& f, const Tensor& at, float width) {
  std::vector<double> result;
  Tensor moved(f32, at.shape());
  const auto slope = [&](std::size_t i, float step) {
    moved.copy_from(at);
    moved.values<float>()[i] = at.values<const float>()[i] + step;
    const double above = f(moved);
    moved.values<float>()[i] = at.values<const float>()[i] - step;
    return (above - f(moved)) / (2 * static_cast<double>(step));
  };
  for (std::size_t i = 0; i < at.values<const float>().size(); ++i)
    result.push_back((4 * slope(i, width / 2) - slope(i, width)) / 3);
  return result;
}

void check_near(const Tensor& got, const Tensor& expected, double tolerance) {
  REQUIRE(got.shape() == expected.shape());
  for (std::size_t i = 0; i < got.values<const float>().size(); ++i) {
    CAPTURE(i);
    CHECK(static_cast<double>(got.values<const float>()[i]) ==
          doctest::Approx(static_cast<double>(expected.values<const float>()[i])).epsilon(tolerance).scale(1));
  }
}

void check_padding_is_zero(const Tensor& perturbation) {
  const auto values = perturbation.values<const float>();
  for (std::size_t at = 0; at < values.size(); ++at)
    if (text_mask().values<const float>()[at / kSize] == 0) CHECK(values[at] == 0);
}

struct Fed {
  FedGraph graph;
  Value embedded = graph.feed(numbers(kTexts, 3, 0.8F));
  Value mask = graph.feed(text_mask());
  Value labels = graph.feed(Tensor::from(kLabels, {kBatch}));
  Value weights = graph.feed(label_weights());
};

TEST_CASE("each text is scaled for itself; small, large and empty ones too") {
  FedGraph graph;
  for (const float size : {1e-20F, 1.0F, 1e20F}) {
    Tensor x = numbers(kTexts, 1, size);
    for (std::size_t t = 0; t < kTime; ++t)
      for (std::size_t i = 0; i < kSize; ++i) x.values<float>()[(t * kBatch + 1) * kSize + i] = 0;
    const Tensor scaled = graph.run({scaled_to_norm(graph.feed(x), 5)})[0];
    for (std::size_t b = 0; b < kBatch; ++b) {
      double squares = 0;
      for (std::size_t t = 0; t < kTime; ++t)
        for (std::size_t i = 0; i < kSize; ++i)
          squares += std::pow(static_cast<double>(scaled.values<const float>()[(t * kBatch + b) * kSize + i]), 2);
      CAPTURE(size);
      // Below 1e-12 a gradient is taken for none.
      CHECK(std::sqrt(squares) == doctest::Approx(b == 1 || size < 1e-12F ? 0 : 5).epsilon(1e-3).scale(1));
    }
  }
}

TEST_CASE("the divergence is that of a plain loop") {
  FedGraph graph;
  const Tensor from = numbers({kBatch, kClasses}, 1, 2);
  const Tensor to = numbers({kBatch, kClasses}, 2, 2);
  const Value divergence = kl_divergence(graph.feed(from), graph.feed(to), graph.feed(all_rows()));
  const auto list = [](const Tensor& t) {
    return std::vector<double>(t.values<const float>().begin(), t.values<const float>().end());
  };
  CHECK(static_cast<double>(graph.run({divergence})[0].item()) ==
        doctest::Approx(plain_divergence(list(from), list(to))).epsilon(1e-5));
}

TEST_CASE("the divergence is a mean, whatever its weights add up to") {
  FedGraph graph;
  const Value from = graph.feed(numbers({kBatch, kClasses}, 1, 2)), to = graph.feed(numbers({kBatch, kClasses}, 2, 2));
  const Value weights = graph.feed(all_rows());
  const auto run = graph.run({kl_divergence(from, to, weights), kl_divergence(from, to, weights * 0.05F),
                              kl_divergence(from, to, weights * 0.0F)});
  CHECK(run[1].item() == doctest::Approx(run[0].item()).epsilon(1e-5));
  CHECK(run[2].item() == 0);
}

TEST_CASE("the adversarial perturbation is the steepest direction of the loss, and the loss is that of moved texts") {
  SmallClassifier classifier;
  Fed fed;
  const Tensor embedded = numbers(kTexts, 3, 0.8F);
  const auto loss = [&](Value scores) { return cross_entropy(scores, fed.labels, {.weights = fed.weights}); };
  const ClassifierPass pass{.model = [&](Value x) { return classifier.build(fed.graph.graph, x, fed.mask); },
                            .loss = loss,
                            .embedded = fed.embedded,
                            .mask = fed.mask,
                            .scores = classifier.build(fed.graph.graph, fed.embedded, fed.mask),
                            .key = {}};
  const Value perturbation = adversarial_perturbation(loss(pass.scores), fed.embedded, fed.mask, 0.7F);
  const Value added_loss =
      adversarial_loss(pass, {.kind = Perturbation::adversarial, .norm = 0.7F, .relative = false, .weight = 0.5F});
  const auto results = fed.graph.run({perturbation, added_loss});

  const auto plain = [&](const Tensor& x) { return plain_cross_entropy(classifier.scores(x)); };
  std::vector<double> slopes = differences(plain, embedded, 0.02F);
  // The second text has no label: nothing moves its loss.
  for (std::size_t at = 0; at < slopes.size(); ++at)
    if (at / kSize % kBatch == 1) slopes[at] = 0;
  Tensor expected = plain_scaled(slopes, 0.7);
  for (std::size_t at = 0; at < slopes.size(); ++at)
    if (at / kSize % kBatch == 1) expected.values<float>()[at] = 0;
  check_near(results[0], expected, 2e-3);
  check_padding_is_zero(results[0]);
  CHECK(static_cast<double>(results[1].item()) ==
        doctest::Approx(0.5 * plain(added(embedded, results[0]))).epsilon(1e-5));
  // Upwards, and by more than any other direction tried.
  const double risen = plain(added(embedded, results[0]));
  CHECK(risen > plain(embedded));
  for (std::uint64_t seed = 20; seed < 30; ++seed) {
    const Tensor noise = numbers(kTexts, seed, 1);
    const auto values = noise.values<const float>();
    CHECK(risen > plain(added(embedded, plain_scaled({values.begin(), values.end()}, 0.7))));
  }
}

TEST_CASE("the virtual adversarial perturbation is that of a plain power iteration") {
  SmallClassifier classifier;
  const Tensor embedded = numbers(kTexts, 3, 0.8F);
  const Tensor start = numbers(kTexts, 9, 1);
  const std::vector<double> clean = classifier.scores(embedded);
  const auto divergence = [&](const Tensor& moved_by) {
    return plain_divergence(clean, classifier.scores(added(embedded, moved_by)));
  };
  for (const int iterations : {1, 2}) {
    CAPTURE(iterations);
    Fed fed;
    const AdversarialConfig config{.kind = Perturbation::virtual_adversarial,
                                   .norm = 1.5F,
                                   .relative = false,
                                   .power_iterations = iterations,
                                   .finite_difference = 0.5F};
    const Value scores = classifier.build(fed.graph.graph, fed.embedded, fed.mask);
    const Value perturbation = virtual_adversarial_perturbation(
        [&](Value x) { return classifier.build(fed.graph.graph, x, fed.mask); }, fed.embedded, fed.mask, scores,
        fed.graph.feed(all_rows()), fed.graph.feed(start), config);
    const Tensor got = fed.graph.run({perturbation})[0];

    std::vector<double> direction(start.values<const float>().begin(), start.values<const float>().end());
    for (int i = 0; i < iterations; ++i) direction = differences(divergence, plain_scaled(direction, 0.5), 0.1F);
    check_near(got, plain_scaled(direction, 1.5), 2e-2);
    check_padding_is_zero(got);
    const auto noise = start.values<const float>();
    CHECK(divergence(got) > divergence(plain_scaled({noise.begin(), noise.end()}, 1.5)));
  }
}

TEST_CASE("relative norms count root mean squares of the elements that are no padding") {
  SmallClassifier classifier;
  Fed fed;
  const Tensor embedded = numbers(kTexts, 3, 0.8F);
  double squares = 0;
  double elements = 0;
  for (std::size_t at = 0; at < embedded.values<float>().size(); ++at) {
    if (text_mask().values<const float>()[at / kSize] == 0) continue;
    squares += std::pow(static_cast<double>(embedded.values<const float>()[at]), 2);
    ++elements;
  }
  const auto unit = static_cast<float>(std::sqrt(squares / elements));
  const auto model = [&](Value x) { return classifier.build(fed.graph.graph, x, fed.mask); };
  const auto loss = [&](Value scores) { return cross_entropy(scores, fed.labels, {.weights = fed.weights}); };
  const Value scores = model(fed.embedded);
  const ClassifierPass pass{
      .model = model, .loss = loss, .embedded = fed.embedded, .mask = fed.mask, .scores = scores, .key = {}};
  ClassifierPass twice = pass;
  twice.undropped = fed.embedded * 2;
  const Value start = fed.graph.feed(numbers(kTexts, 9, 1));
  const Value texts = fed.graph.feed(all_rows());
  const auto found = [&](const AdversarialConfig& config, Value undropped = {}) {
    return virtual_adversarial_perturbation(model, fed.embedded, fed.mask, scores, texts, start, config, undropped);
  };
  const auto results = fed.graph.run(
      {adversarial_loss(pass, {.kind = Perturbation::adversarial, .norm = 1.5F}),
       adversarial_loss(pass, {.kind = Perturbation::adversarial, .norm = 1.5F * unit, .relative = false}),
       found({.norm = 1.5F, .finite_difference = 0.5F}),
       found({.norm = 1.5F * unit, .relative = false, .finite_difference = 0.5F * unit}),
       adversarial_loss(twice, {.kind = Perturbation::adversarial, .norm = 0.75F}),
       found({.norm = 0.75F, .finite_difference = 0.25F}, twice.undropped)});
  CHECK(results[0].item() == doctest::Approx(results[1].item()).epsilon(1e-5));
  check_near(results[2], results[3], 1e-4);
  CHECK(results[0].item() == doctest::Approx(results[4].item()).epsilon(1e-5));
  check_near(results[2], results[5], 1e-4);
  CHECK(unit < 0.6F);
}

TEST_CASE("a perturbation is a number to the training gradient, which is that of the moved texts") {
  for (const Perturbation kind : {Perturbation::adversarial, Perturbation::virtual_adversarial}) {
    SmallClassifier classifier;
    Fed fed;
    Graph& graph = fed.graph.graph;
    const auto loss = [&](Value scores) { return cross_entropy(scores, fed.labels, {.weights = fed.weights}); };
    const auto model = [&](Value x) { return classifier.build(graph, x, fed.mask); };
    const Value scores = model(fed.embedded);
    const Value start = fed.graph.feed(numbers(kTexts, 9, 1));
    const AdversarialConfig config{.kind = kind, .norm = 1.5F, .relative = false, .finite_difference = 0.5F};
    const Value texts = fed.graph.feed(all_rows());
    const bool labelled = kind == Perturbation::adversarial;
    const Value perturbation =
        labelled ? adversarial_perturbation(loss(scores), fed.embedded, fed.mask, 1.5F)
                 : virtual_adversarial_perturbation(model, fed.embedded, fed.mask, scores, texts, start, config);
    const auto total = [&](Value moved_by) {
      const Value moved = model(fed.embedded + moved_by);
      return labelled ? loss(moved) : kl_divergence(scores, moved, texts);
    };
    const Value added_loss = total(perturbation);
    const Tensor numbers_of_it = fed.graph.run({perturbation})[0];
    const Value given = total(fed.graph.feed(numbers_of_it));
    const std::vector<Value> parameters = graph.variables();
    const auto got = dense_gradients(added_loss, parameters);
    const auto expected = dense_gradients(given, parameters);
    std::vector<Value> all = got;
    all.insert(all.end(), expected.begin(), expected.end());
    const auto results = fed.graph.run(all);
    for (std::size_t i = 0; i < parameters.size(); ++i) check_near(results[i], results[i + parameters.size()], 1e-4);
  }
}

TEST_CASE("every kind trains all parameters from tokens, and unlabelled texts count only where they can") {
  const std::vector<Ints> rows = with_eos(random_rows({6, 3, 4}, 11, 5));
  const auto loss_of = [&](Perturbation kind, const Floats& row_weights) {
    ParameterStore store(3);
    FedGraph graph;
    const Value loss =
        classifier_loss(store, small_config(), graph.feed(columns(rows, 0)), graph.feed(mask_of(rows)),
                        graph.feed(Tensor::from(kLabels, {kBatch})), graph.feed(Tensor::from(row_weights, {kBatch})),
                        Mode::train, {.kind = kind, .norm = 0.5F});
    randomize(store);
    const Evaluation got = evaluate(graph, store, loss);
    for (std::size_t i = 0; i < got.names.size(); ++i) {
      CAPTURE(got.names[i]);
      double norm = 0;
      for (const float value : got.gradients[i].values<const float>()) norm += std::abs(static_cast<double>(value));
      CHECK(std::isfinite(norm));
      if (row_weights[0] == 1) CHECK(norm > 0);
    }
    return got.loss;
  };
  const double plain = loss_of(Perturbation::none, {1, 0, 1});
  for (const Perturbation kind : {Perturbation::random, Perturbation::adversarial, Perturbation::virtual_adversarial,
                                  Perturbation::adversarial_virtual_adversarial})
    CHECK(loss_of(kind, {1, 0, 1}) > plain);
  CHECK(loss_of(Perturbation::adversarial, {0, 0, 0}) == 0);
  CHECK(loss_of(Perturbation::virtual_adversarial, {0, 0, 0}) > 0);
}

TEST_CASE("noise for perturbations is normal") {
  FedGraph graph;
  const Value key = graph.feed(Tensor::from(Ints{5, 6, 7, 0}, {4}));
  const Tensor noise = graph.run({random_normal(key, {100, 1000})})[0];
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  for (const float value : noise.values<const float>()) {
    const auto x = static_cast<double>(value);
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  CHECK(sum / 1e5 == doctest::Approx(0).epsilon(0.015).scale(1));
  CHECK(squares / 1e5 == doctest::Approx(1).epsilon(0.02));
  CHECK(fourth / 1e5 == doctest::Approx(3).epsilon(0.05));
}

TEST_CASE("normalized embeddings have mean 0 and variance 1 under the words' counts, and their gradients are right") {
  TextModelConfig config = small_config();
  config.normalize_embeddings = true;
  config.word_counts = {3, 1, 5, 0, 2, 2, 9, 1, 1, 4, 7};
  ParameterStore store(3);
  FedGraph graph;
  Ints every(11);
  for (std::size_t i = 0; i < every.size(); ++i) every[i] = static_cast<std::int32_t>(i);
  const Value embedded = embed_tokens(store, config, graph.feed(Tensor::from(every, {11, 1})), Mode::infer);
  randomize(store);
  const Tensor got = graph.run({embedded})[0];
  for (std::size_t i = 0; i < kSize; ++i) {
    double mean = 0;
    double variance = 0;
    for (std::size_t k = 0; k < 11; ++k)
      mean += static_cast<double>(config.word_counts[k]) / 35 *
              static_cast<double>(got.values<const float>()[k * kSize + i]);
    for (std::size_t k = 0; k < 11; ++k)
      variance += static_cast<double>(config.word_counts[k]) / 35 *
                  std::pow(static_cast<double>(got.values<const float>()[k * kSize + i]) - mean, 2);
    CHECK(mean == doctest::Approx(0).epsilon(1e-5).scale(1));
    CHECK(variance == doctest::Approx(1).epsilon(1e-3));
  }

  // The table's gradient, with the mean and variance that it moves.
  const std::vector<Ints> rows = with_eos(random_rows({6, 3, 4}, 11, 5));
  ParameterStore other(4);
  FedGraph training;
  const Value loss =
      classifier_loss(other, config, training.feed(columns(rows, 0)), training.feed(mask_of(rows)),
                      training.feed(Tensor::from(kLabels, {kBatch})), training.feed(label_weights()), Mode::infer);
  randomize(other);
  const Evaluation analytic = evaluate(training, other, loss);
  const auto at = std::ranges::find(analytic.names, "embedding");
  REQUIRE(at != analytic.names.end());
  const Tensor& gradient = analytic.gradients[static_cast<std::size_t>(at - analytic.names.begin())];
  Program program = compile(training.graph, {loss});
  const std::vector<Binding> bindings = training.bindings();
  const Tensor table = other.find("embedding")->value;
  const Tensor original(f32, table.shape());
  original.copy_from(table);
  const std::vector<double> slopes = differences(
      [&](const Tensor& moved) {
        table.copy_from(moved);
        return static_cast<double>(program.run(bindings)[0].item());
      },
      original, 0.04F);
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    CAPTURE(i);
    CHECK(static_cast<double>(gradient.values<const float>()[i]) ==
          doctest::Approx(slopes[i]).epsilon(2e-3).scale(0.1));
  }
  config.word_counts.pop_back();
  CHECK_THROWS_WITH_AS(embed_tokens(store, config, training.feed(columns(rows, 0)), Mode::infer),
                       doctest::Contains("counts of 11 words, not of 10"), GraphError);
}

}  // namespace
}  // namespace eddy::test
