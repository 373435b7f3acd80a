// SPDX-License-Identifier: Apache-2.0
// Which positions word, embedding, layer, output and classifier dropout drop. A token of its own at every position
// makes the masks visible from outside: what is dropped has no gradient, and a table with the masks multiplied in by
// hand must give the very outputs of training.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "eddy/models/text_classifier.h"
#include "eddy/models/text_model.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/sum.h"
#include "tests/models/model_runs.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

constexpr std::size_t kTime = 12, kBatch = 15, kEmbedding = 16, kHidden = 8;
constexpr float kRate = 0.4F, kKept = 1 / (1 - kRate);

/// Multipliers of [time, batch, features], row-major.
struct Masks {
  std::size_t features = 0;
  Floats values;
  float at(std::size_t t, std::size_t b, std::size_t f) const { return values[(t * kBatch + b) * features + f]; }
};

class Encoder {
 public:
  explicit Encoder(const TextModelConfig& config) : config_(config) {
    std::int32_t next = 2;
    for (Ints& row : rows_)
      for (std::int32_t& id : row) id = next++;
  }

  static TextModelConfig config() {
    return {.vocabulary_size = kTime * kBatch + 2,
            .embedding_size = kEmbedding,
            .encoder = {.hidden_size = kHidden},
            .end_of_sequence = kEos};
  }

  Tensor outputs(Mode mode) {
    return build(mode, [](FedGraph& graph, Value y) { return graph.run({y})[0]; });
  }

  /// 1 / (1 - rate) where training lets the embedding through, 0 where no gradient comes back.
  Masks embedding_masks(float kept) {
    const Tensor gradient = build(Mode::train, [this](FedGraph& graph, Value y) {
      const Evaluation result = evaluate(graph, store_, sum(y * y));
      const auto place = std::ranges::find(result.names, "embedding") - result.names.begin();
      return result.gradients[static_cast<std::size_t>(place)];
    });
    Masks masks{.features = kEmbedding, .values = Floats(kTime * kBatch * kEmbedding)};
    for (std::size_t t = 0; t < kTime; ++t)
      for (std::size_t b = 0; b < kBatch; ++b)
        for (std::size_t e = 0; e < kEmbedding; ++e) {
          const auto row = static_cast<std::size_t>(rows_[b][t]);
          const float g = gradient.values<float>()[row * kEmbedding + e];
          masks.values[(t * kBatch + b) * kEmbedding + e] = g == 0 ? 0 : kept;
        }
    return masks;
  }

  /// The outputs of inference when each token's row of the table has its mask multiplied in.
  Tensor outputs_with(const Masks& masks) {
    outputs(Mode::infer);  // makes the variables
    const auto table = store_.find("embedding")->value.values<float>();
    for (std::size_t t = 0; t < kTime; ++t)
      for (std::size_t b = 0; b < kBatch; ++b)
        for (std::size_t e = 0; e < kEmbedding; ++e)
          table[static_cast<std::size_t>(rows_[b][t]) * kEmbedding + e] *= masks.at(t, b, e);
    FedGraph graph;
    return graph.run({encode(graph, Mode::infer).forward.outputs})[0];
  }

 private:
  EncodedText encode(FedGraph& graph, Mode mode) {
    return encode_tokens(store_, config_, graph.feed(columns(rows_, 0)), graph.feed(mask_of(rows_)), mode);
  }

  Tensor build(Mode mode, const std::function<Tensor(FedGraph&, Value)>& use) {
    FedGraph graph;
    const Value y = encode(graph, mode).forward.outputs;
    randomize(store_);
    return use(graph, y);
  }

  TextModelConfig config_;
  ParameterStore store_{3};
  std::vector<Ints> rows_ = std::vector<Ints>(kBatch, Ints(kTime));
};

/// Every multiplier equals the first of those that `group` puts together with it.
bool constant_within(const Masks& masks,
                     const std::function<std::size_t(std::size_t, std::size_t, std::size_t)>& group) {
  Floats first(masks.values.size(), -1);
  for (std::size_t t = 0; t < kTime; ++t)
    for (std::size_t b = 0; b < kBatch; ++b)
      for (std::size_t f = 0; f < masks.features; ++f) {
        float& expected = first[group(t, b, f)];
        if (expected < 0) expected = masks.at(t, b, f);
        if (expected != masks.at(t, b, f)) return false;
      }
  return true;
}

double share_dropped(const Masks& masks) {
  return static_cast<double>(std::ranges::count(masks.values, 0.0F)) / static_cast<double>(masks.values.size());
}

/// Of `decisions` independent ones the share lies within four standard deviations of the rate.
bool plausible(double share, double rate, std::size_t decisions) {
  return std::abs(share - rate) < 4 * std::sqrt(rate * (1 - rate) / static_cast<double>(decisions));
}

Masks ratio(const Tensor& noisy, const Tensor& plain) {
  Masks masks{.features = kHidden, .values = {}};
  const auto x = noisy.values<const float>(), y = plain.values<const float>();
  for (std::size_t i = 0; i < x.size(); ++i) masks.values.push_back(x[i] / y[i]);
  return masks;
}

/// Every multiplier is 0 or 1 / (1 - rate).
bool dropped_or_scaled(const Masks& masks) {
  return std::ranges::all_of(masks.values, [](float m) { return m == 0 || std::abs(m - kKept) < 1e-5F; });
}

std::size_t by_position(std::size_t t, std::size_t b, std::size_t) { return t * kBatch + b; }
std::size_t by_text_and_feature(std::size_t, std::size_t b, std::size_t f) { return b * kEmbedding + f; }
std::size_t by_text(std::size_t, std::size_t b, std::size_t) { return b; }
std::size_t by_feature(std::size_t, std::size_t, std::size_t f) { return f; }
std::size_t by_time(std::size_t t, std::size_t, std::size_t) { return t; }

}  // namespace

/// The masks on the embeddings, after checking that as many of the `masks` were dropped as the rate says and that an
/// encoding with these very masks is what training computes.
Masks checked_masks(Encoder& encoder, std::size_t masks) {
  Masks drawn = encoder.embedding_masks(kKept);
  CHECK(plausible(share_dropped(drawn), kRate, masks));
  const Tensor training = encoder.outputs(Mode::train);
  CHECK(difference({&training, 1}, std::vector{encoder.outputs_with(drawn)}, 1e-6) == "");
  return drawn;
}

TEST_CASE("word dropout drops whole words, each by itself") {
  TextModelConfig config = Encoder::config();
  config.word_dropout = kRate;
  Encoder encoder(config);
  const Masks masks = checked_masks(encoder, kTime * kBatch);
  CHECK(constant_within(masks, by_position));
  CHECK_FALSE(constant_within(masks, by_text));
  CHECK_FALSE(constant_within(masks, by_time));
}

TEST_CASE("embedding dropout drops the same features at all words of a text, others in each text") {
  TextModelConfig config = Encoder::config();
  config.embedding_dropout = kRate;
  Encoder encoder(config);
  const Masks masks = checked_masks(encoder, kBatch * kEmbedding);
  CHECK(constant_within(masks, by_text_and_feature));
  CHECK_FALSE(constant_within(masks, by_text));
  CHECK_FALSE(constant_within(masks, by_feature));
}

TEST_CASE("word and embedding dropout together drop what either drops") {
  TextModelConfig config = Encoder::config();
  config.word_dropout = config.embedding_dropout = kRate;
  Encoder encoder(config);
  const Masks masks = encoder.embedding_masks(kKept * kKept);
  const auto is_kept = [](float multiplier) { return multiplier != 0; };
  std::size_t words = 0, features = 0;
  Masks product = masks;
  for (std::size_t b = 0; b < kBatch; ++b) {
    // A word is kept when any of its features is; a feature, when it is kept in any word of the text.
    std::vector<bool> word(kTime, false), feature(kEmbedding, false);
    for (std::size_t t = 0; t < kTime; ++t)
      for (std::size_t e = 0; e < kEmbedding; ++e)
        if (is_kept(masks.at(t, b, e))) word[t] = feature[e] = true;
    words += static_cast<std::size_t>(std::ranges::count(word, false));
    features += static_cast<std::size_t>(std::ranges::count(feature, false));
    for (std::size_t t = 0; t < kTime; ++t)
      for (std::size_t e = 0; e < kEmbedding; ++e)
        product.values[(t * kBatch + b) * kEmbedding + e] = word[t] && feature[e] ? kKept * kKept : 0;
  }
  CHECK(masks.values == product.values);
  CHECK(plausible(static_cast<double>(words) / (kTime * kBatch), kRate, kTime * kBatch));
  CHECK(plausible(static_cast<double>(features) / (kBatch * kEmbedding), kRate, kBatch * kEmbedding));
  const Tensor training = encoder.outputs(Mode::train);
  CHECK(difference({&training, 1}, std::vector{encoder.outputs_with(masks)}, 1e-6) == "");
}

TEST_CASE("output dropout drops every feature of every step by itself, and nothing inside the encoder") {
  TextModelConfig config = Encoder::config();
  config.output_dropout = kRate;
  Encoder encoder(config);
  const Masks masks = ratio(encoder.outputs(Mode::train), encoder.outputs(Mode::infer));
  // The kept outputs are those of inference, so the states that led to them were whole.
  CHECK(dropped_or_scaled(masks));
  CHECK(plausible(share_dropped(masks), kRate, masks.values.size()));
  CHECK_FALSE(constant_within(masks, by_position));
  CHECK_FALSE(constant_within(masks, by_text_and_feature));
  CHECK_FALSE(constant_within(masks, [](auto t, auto, auto f) { return t * kHidden + f; }));
}

TEST_CASE("layer dropout lies between the layers: one layer has none, and it changes all that follows") {
  TextModelConfig config = Encoder::config();
  config.encoder.dropout = kRate;
  Encoder one(config);
  const Tensor training = one.outputs(Mode::train), inference = one.outputs(Mode::infer);
  CHECK(bit_difference({&training, 1}, {&inference, 1}) == "");
  config.encoder.layers = 2;
  Encoder two(config);
  const Masks masks = ratio(two.outputs(Mode::train), two.outputs(Mode::infer));
  CHECK_FALSE(dropped_or_scaled(masks));
  CHECK(share_dropped(masks) == 0);
}

TEST_CASE("a classifier on the last state drops that state's features, each text others") {
  TextModelConfig config = Encoder::config();
  config.classes = 2;
  float TextModelConfig::*const rates[] = {&TextModelConfig::output_dropout, &TextModelConfig::classifier_dropout};
  for (const auto rate : rates) {
    TextModelConfig noisy = config;
    noisy.*rate = kRate;
    ParameterStore store(4);
    std::vector<Ints> rows = random_rows({7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}, config.vocabulary_size, 5);
    const auto scores = [&](const TextModelConfig& model, Mode mode) {
      FedGraph graph;
      const Value y = text_classifier(store, model, graph.feed(columns(rows, 0)), graph.feed(mask_of(rows)), mode);
      return graph.run({y})[0];
    };
    scores(noisy, Mode::train);
    randomize(store);
    for (Ints& row : rows) row = rows[0];
    const auto weights = store.find("classifier/output/w")->value.values<float>();
    std::vector<Tensor> features;
    for (std::size_t f = 0; f < kHidden; ++f) {
      std::ranges::fill(weights, 0.0F);
      weights[2 * f] = 1;  // the score of class 0 is feature f
      std::ranges::fill(store.find("classifier/output/b")->value.values<float>(), 0.0F);
      features.push_back(scores(noisy, Mode::train));
      features.push_back(scores(noisy, Mode::infer));
    }
    Masks masks{.features = kHidden, .values = {}};
    for (std::size_t b = 0; b < kBatch; ++b)
      for (std::size_t f = 0; f < kHidden; ++f)
        masks.values.push_back(features[2 * f].values<float>()[2 * b] / features[2 * f + 1].values<float>()[2 * b]);
    CHECK(dropped_or_scaled(masks));
    CHECK(plausible(share_dropped(masks), kRate, kBatch * kHidden));
    std::size_t different = 0;
    for (std::size_t b = 1; b < kBatch; ++b)
      different += !std::equal(masks.values.begin(), masks.values.begin() + kHidden,
                               masks.values.begin() + static_cast<std::ptrdiff_t>(b * kHidden));
    CHECK(different >= kBatch - 3);
  }
}

TEST_CASE("output dropout of a classifier reaches mean and maximum of the outputs left, not the final state") {
  for (const Pooling pooling : {Pooling::mean, Pooling::last_mean, Pooling::concat}) {
    const std::size_t parts = pooling == Pooling::concat ? 3 : pooling == Pooling::last_mean ? 2 : 1;
    const std::size_t features = parts * kHidden;
    TextModelConfig config = Encoder::config();
    config.output_dropout = kRate;
    config.pooling = pooling;
    config.classes = static_cast<std::int64_t>(features);
    ParameterStore store(4);
    const std::vector<Ints> rows = random_rows({7, 3, 5}, config.vocabulary_size, 5);
    std::vector<Tensor> states;
    const auto scores = [&](Mode mode) {
      FedGraph graph;
      const Value tokens = graph.feed(columns(rows, 0)), mask = graph.feed(mask_of(rows));
      const Value y = text_classifier(store, config, tokens, mask, mode);
      const Value outputs = encode_tokens(store, config, tokens, mask, Mode::infer).forward.outputs;
      randomize(store);
      // Class i is feature i.
      const auto weights = store.find("classifier/output/w")->value.values<float>();
      for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = i % (features + 1) == 0 ? 1 : 0;
      std::ranges::fill(store.find("classifier/output/b")->value.values<float>(), 0.0F);
      states = graph.run({y, outputs});
      return states[0];
    };
    const Tensor training = scores(Mode::train), inference = scores(Mode::infer);
    const auto state = [&](std::size_t t, std::size_t b, std::size_t f) {
      return states[1].values<float>()[(t * rows.size() + b) * kHidden + f];
    };
    std::size_t changed = 0;
    for (std::size_t b = 0; b < rows.size(); ++b)
      for (std::size_t i = 0; i < features; ++i) {
        const float got = training.values<float>()[b * features + i];
        const float whole = inference.values<float>()[b * features + i];
        const bool is_final = pooling != Pooling::mean && i < kHidden;
        const bool is_largest = pooling == Pooling::concat && i >= 2 * kHidden;
        if (is_final) CHECK(got == whole);
        if (!is_final) changed += got == whole ? 0 : 1;
        if (!is_largest) continue;
        // One of the outputs, or the zero of one that was dropped.
        bool found = std::fabs(got) < 1e-6F;
        for (std::size_t t = 0; t < rows[b].size(); ++t)
          found = found || std::fabs(got - state(t, b, i - 2 * kHidden)) < 1e-6F;
        CHECK(found);
      }
    CHECK(changed > rows.size() * kHidden / 3);
  }
}

}  // namespace eddy::test
