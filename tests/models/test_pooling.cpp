// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "eddy/graph/program.h"
#include "eddy/models/text_classifier.h"

using namespace eddy;

namespace {

TextModelConfig pooling_config(Pooling pooling) {
  TextModelConfig config;
  config.vocabulary_size = 11;
  config.embedding_size = 5;
  config.encoder.hidden_size = 6;
  config.classes = 3;
  config.pooling = pooling;
  return config;
}

/// Class scores of rows of `tokens`, time-major, with the given lengths.
Tensor scores(ParameterStore& store, const TextModelConfig& config, const std::vector<std::int32_t>& tokens,
              const std::vector<std::int64_t>& lengths) {
  const auto batch = static_cast<std::int64_t>(lengths.size());
  const std::int64_t time = static_cast<std::int64_t>(tokens.size()) / batch;
  Tensor mask(f32, {time, batch});
  for (std::int64_t t = 0; t < time; ++t)
    for (std::int64_t b = 0; b < batch; ++b)
      mask.values<float>()[static_cast<std::size_t>(t * batch + b)] =
          t < lengths[static_cast<std::size_t>(b)] ? 1.0f : 0.0f;
  Graph graph;
  const Value in = graph.input("tokens", i32, {time, batch});
  const Value mask_in = graph.input("mask", f32, {time, batch});
  Program program = compile(graph, {text_classifier(store, config, in, mask_in, Mode::infer)});
  return program.run({{"tokens", Tensor::from(tokens, {time, batch})}, {"mask", mask}})[0].clone();
}

}  // namespace

TEST_CASE("every pooling sees only the real steps") {
  for (const Pooling pooling : {Pooling::last, Pooling::mean, Pooling::last_mean, Pooling::concat})
    for (const bool bidirectional : {false, true}) {
      TextModelConfig config = pooling_config(pooling);
      config.bidirectional = bidirectional;
      ParameterStore store(3);
      const Tensor both = scores(store, config, {2, 3, 4, 5, 6, 7, 0, 8, 0, 9}, {3, 5});
      const Tensor first = scores(store, config, {2, 4, 6}, {3}), second = scores(store, config, {3, 5, 7, 8, 9}, {5});
      for (std::size_t c = 0; c < 3; ++c) {
        CHECK(both.values<const float>()[c] == doctest::Approx(first.values<const float>()[c]));
        CHECK(both.values<const float>()[3 + c] == doctest::Approx(second.values<const float>()[c]));
      }
      const std::int64_t parts = pooling == Pooling::concat ? 3 : pooling == Pooling::last_mean ? 2 : 1;
      CHECK(store.find("classifier/output/w")->value.shape() == Shape{parts * 6 * (bidirectional ? 2 : 1), 3});
    }
}

TEST_CASE("of an empty row every pooling leaves the bias alone") {
  for (const Pooling pooling : {Pooling::last, Pooling::mean, Pooling::last_mean, Pooling::concat}) {
    ParameterStore store(5);
    const Tensor both = scores(store, pooling_config(pooling), {2, 3, 4, 5}, {0, 2});
    for (std::size_t c = 0; c < 3; ++c) CHECK(both.values<const float>()[c] == 0);
  }
}

TEST_CASE("poolings of one step agree") {
  ParameterStore store(4);
  const Tensor last = scores(store, pooling_config(Pooling::last), {2, 3}, {1, 1});
  const Tensor mean = scores(store, pooling_config(Pooling::mean), {2, 3}, {1, 1});
  for (std::size_t i = 0; i < 6; ++i)
    CHECK(last.values<const float>()[i] == doctest::Approx(mean.values<const float>()[i]));
}
