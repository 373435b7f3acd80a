// SPDX-License-Identifier: Apache-2.0
// Attention from its parts: a memory of six things, of which each query wants one. Soft attention written with matmul
// and softmax, the same by the library's Attention, hard attention with top_k, and keys that are learnt.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <cmath>

using namespace eddy;

constexpr std::int64_t kBatch = 2, kSource = 6, kSize = 8;

/// exp(energy) / sum over the positions that are real; energy and mask f32[batch, source].
Value masked_softmax(Value energy, Value mask) { return softmax(where(greater(mask, 0), energy, -1e9)); }

int main() {
  // A memory of random vectors. The second source has four things only; the others are padding.
  Philox random(3);
  Tensor memory(f32, {kBatch, kSource, kSize}), mask(f32, {kBatch, kSource}), query(f32, {kBatch, kSize});
  for (float& x : memory.values<float>()) x = normal_float(random);
  const std::vector<std::int64_t> wanted{4, 1}, lengths{6, 4};
  for (std::int64_t b = 0; b < kBatch; ++b) {
    for (std::int64_t s = 0; s < lengths[b]; ++s) mask.values<float>()[b * kSource + s] = 1;
    for (std::int64_t k = 0; k < kSize; ++k)  // what is wanted, with noise
      query.values<float>()[b * kSize + k] =
          memory.values<float>()[(b * kSource + wanted[b]) * kSize + k] + 0.2f * normal_float(random);
  }

  // --- soft and hard attention ---
  Graph graph;
  const Value m = graph.constant(memory), real = graph.constant(mask), q = graph.input("query", f32, {kBatch, kSize});
  const Value energy = matmul(m, expand_dims(q, 2));                     // [batch, source, 1]
  const Value weights = masked_softmax(squeeze(energy, 2), real);        // [batch, source]
  const Value context = squeeze(matmul(expand_dims(weights, 1), m), 1);  // [batch, size]
  const Attention::Result same = Attention{.energy = AttentionEnergy::dot, .memory = m, .mask = real}(q);
  const Value difference = max(abs(context - same.context)) + max(abs(weights - same.weights));
  const TopK best = top_k(weights, 2);
  Program look = compile(graph, {best.values, best.indices, difference});
  const std::span<const Tensor> seen = look.run({{"query", query}});
  bool right = seen[2].item() < 1e-5f;
  fmt::print("largest difference to Attention: {:.1g}\n", seen[2].item());
  for (std::int64_t b = 0; b < kBatch; ++b) {
    const int place = seen[1].values<int>()[2 * b];
    fmt::print("source {}: place {} with weight {:.3f}, then {} with {:.3f}\n", b, place,
               seen[0].values<float>()[2 * b], seen[1].values<int>()[2 * b + 1], seen[0].values<float>()[2 * b + 1]);
    right = right && place == wanted[b];
  }

  // --- learnt: the query is one number k that means the k-th thing, and what it looks for must be found out ---
  ParameterStore store(/*seed=*/1);
  Graph learning;
  const Value things = learning.constant(memory), numbers = learning.input("numbers", i32, {kBatch});
  const Value asked = embedding(parameter(learning, store, "queries", {kSource, kSize}, normal(0.1f)), numbers);
  const Attention attention{.energy = AttentionEnergy::general,
                            .memory = things,
                            .mask = learning.constant(mask),
                            .w_query = parameter(learning, store, "w_query", {kSize, kSize}, glorot_uniform())};
  const Attention::Result found = attention(asked);
  // The likelihood of looking at the right place, as log of its weight.
  const Value loss = -mean(log(pick(found.weights, numbers) + 1e-6));
  Program train = compile(learning, {loss, minimize(loss, store, adam({.learning_rate = 0.02f}))});
  float nats = 0;
  for (int i = 0; i <= 300; ++i) {
    const std::vector<int> places{i % 6, i % 4};
    nats = train.run({{"numbers", Tensor::from(places, {kBatch})}})[0].item();
    if (i % 100 == 0) fmt::print("step {:3}  loss {:.4f} nats a query\n", i, nats);
  }
  return right && nats < 0.2f ? 0 : 1;
}
