// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "eddy/core/random.h"
#include "eddy/models/evaluation_loss.h"
#include "tests/models/model_runs.h"

using namespace eddy;
using namespace eddy::test;

namespace {

// Large enough that the logits of all positions are more than linear_cross_entropy makes at once.
constexpr std::int64_t kTime = 8, kBatch = 128, kWidth = 5, kClasses = 30001;

Tensor uniform_values(const Shape& shape, std::uint64_t seed) {
  Philox random(seed);
  const Tensor tensor(f32, shape);
  for (float& x : tensor.values<float>()) x = uniform_float(random, -0.5F, 0.5F);
  return tensor;
}

struct Evaluated {
  float loss;
  std::size_t memory;
};

Evaluated evaluate(const Ints& targets, const Tensor& weights, std::int64_t most_bytes) {
  FedGraph fed;
  const Value hidden = fed.feed(uniform_values({kTime, kBatch, kWidth}, 1));
  const Value table = fed.feed(uniform_values({kClasses, kWidth}, 2));
  const Value bias = fed.feed(uniform_values({kClasses}, 3));
  const Value target = fed.feed(Tensor::from(targets, {kTime, kBatch}));
  const Value weight = fed.feed(weights);
  Program program = compile(fed.graph, {evaluation_loss(hidden, table, bias, target, weight, most_bytes)});
  const float loss = program.run(fed.bindings())[0].item();
  return {loss, program.memory_plan().arena_bytes};
}

}  // namespace

TEST_CASE("the loss of a stretch of positions after the other is that of all at once, in less memory") {
  Ints targets;
  for (std::int32_t i = 0; i < kTime * kBatch; ++i) targets.push_back(i % 5 == 4 ? -1 : (i * 37) % kClasses);
  const Tensor weights = uniform_values({kTime, kBatch}, 4);
  for (float& x : weights.values<float>()) x += 0.5F;
  const Evaluated whole = evaluate(targets, weights, 1 << 30);
  const Evaluated stretched = evaluate(targets, weights, 0);
  CHECK(stretched.loss == doctest::Approx(whole.loss).epsilon(1e-6));
  CHECK(whole.loss > 5);
  CHECK(stretched.memory < whole.memory / 3);
}

TEST_CASE("where nothing counts the loss is zero") {
  const Tensor none = Tensor::from(Floats(kTime * kBatch, 0), {kTime, kBatch});
  CHECK(evaluate(Ints(kTime * kBatch, 3), none, 0).loss == 0);
  CHECK(evaluate(Ints(kTime * kBatch, -1), uniform_values({kTime, kBatch}, 4), 0).loss == 0);
}
