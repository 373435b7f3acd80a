// SPDX-License-Identifier: Apache-2.0
// A run after the first makes no heap allocation: the C library's own functions are counted, below operator new, so
// that allocations of oneDNN and the OpenMP runtime would show too.
#include <doctest/doctest.h>

#include <cstdlib>  // before the question for __GLIBC__, which no header of doctest answers

#if defined(__has_feature)
#define EDDY_HAS_FEATURE(x) __has_feature(x)
#else
#define EDDY_HAS_FEATURE(x) 0
#endif

// Sanitizers replace malloc themselves, and other C libraries have no __libc_malloc.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !EDDY_HAS_FEATURE(address_sanitizer) && !EDDY_HAS_FEATURE(thread_sanitizer) && !EDDY_HAS_FEATURE(memory_sanitizer)

#include <atomic>
#include <cerrno>

#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "eddy/graph/variable.h"
#include "eddy/models/cells.h"
#include "eddy/models/sequence_decoding.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/embedding.h"
#include "eddy/ops/iota.h"
#include "eddy/ops/layer_norm.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/lstm.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mean.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/scan.h"
#include "eddy/ops/softmax.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/tanh.h"
#include "eddy/ops/top_k.h"
#include "eddy/ops/transpose.h"
#include "eddy/optimizers/minimize.h"
#include "tests/support/arrays.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<int> allocations{0};

void count() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

// NOLINTBEGIN: the names and signatures are the C library's.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  count();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t items, std::size_t bytes) {
  count();
  return __libc_calloc(items, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  count();
  return __libc_realloc(memory, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  count();
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  count();
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  count();
  *memory = __libc_memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}
}
// NOLINTEND

namespace eddy::test {
namespace {

/// Allocations made while `action` runs.
template <class Action>
int allocations_of(Action&& action) {
  allocations = 0;
  counting = true;
  action();
  counting = false;
  return allocations;
}

Tensor random_ids(const Shape& shape, std::uint64_t words) {
  Philox random(5);
  const Tensor ids(i32, shape);
  for (std::int32_t& id : ids.values<std::int32_t>()) id = static_cast<std::int32_t>(uniform_index(random, words));
  return ids;
}

Tensor random_mask(const Shape& shape) {
  Philox random(6);
  const Tensor mask(f32, shape);
  for (float& value : mask.values<float>()) value = uniform_index(random, 4) != 0 ? 1 : 0;
  return mask;
}

/// The first results of some runs, of which only the first one may allocate.
std::vector<float> losses_without_allocation(Program& program, const std::vector<Binding>& bindings) {
  std::vector<float> losses{program.run(bindings)[0].item()};
  for (int run = 0; run < 3; ++run) {
    float loss = 0;
    const int made = allocations_of([&] { loss = program.run(bindings)[0].item(); });
    INFO("run ", run + 2);
    CHECK(made == 0);
    losses.push_back(loss);
  }
  return losses;
}

TEST_CASE("allocations: the counter sees operator new and malloc") {
  CHECK(allocations_of([] {
          std::vector<double> values(1000);
          doctest::String keep(values.data() != nullptr ? "a string too long for the small buffer of doctest" : "");
        }) > 0);
  CHECK(allocations_of([] { allocate_aligned(1 << 16); }) > 0);
}

TEST_CASE("allocations: none from the second run on of a training program") {
  Graph graph;
  ParameterStore store(1);
  constexpr std::int64_t kTime = 7, kBatch = 16, kIn = 24, kHidden = 32, kWords = 50;
  const Value tokens = graph.input("tokens", i32, {kTime, kBatch});
  const Value mask = graph.input("mask", f32, {kTime, kBatch});
  const Value table = parameter(graph, store, "embedding", {kWords, kIn}, uniform(0.1F));
  const LstmResult layer =
      lstm(embedding(table, tokens), parameter(graph, store, "w_x", {kIn, 4 * kHidden}, uniform(0.1F)),
           parameter(graph, store, "w_h", {kHidden, 4 * kHidden}, uniform(0.1F)),
           parameter(graph, store, "bias", {4 * kHidden}, zeros()), {.mask = mask});
  const Value attention = softmax(matmul(transpose(layer.outputs, {1, 0, 2}), transpose(layer.outputs, {1, 2, 0})));
  const Value mixed = tanh(matmul(attention, transpose(layer.outputs, {1, 0, 2})));
  const Value logits =
      linear(transpose(mixed, {1, 0, 2}), parameter(graph, store, "softmax/w", {kHidden, kWords}, uniform(0.1F)),
             parameter(graph, store, "softmax/b", {kWords}, zeros()));
  const Value loss = cross_entropy(logits, tokens, {.weights = mask});
  const Value step = minimize(loss, store, adam({.learning_rate = 1e-3F, .clip_norm = 5}));
  const Value best = top_k(logits, 3).indices;
  Program program = compile(graph, {loss, step, mean(mixed * 2), best});

  const std::vector<float> losses = losses_without_allocation(
      program, {{"tokens", random_ids({kTime, kBatch}, kWords)}, {"mask", random_mask({kTime, kBatch})}});
  CHECK(losses.back() < losses.front());
}

TEST_CASE("allocations: none from the second run on where the text of a type is long") {
  const Shape shape{2, 1, 1, 1, 1, 1, 1, 1000};
  Graph graph;
  const Value x = graph.input("an input with a long name of its own", f32, shape);
  graph.input("one more that no result needs, with a long name", f32, shape);
  Program program = compile(graph, {mean(tanh(x))});
  const Tensor numbers(f32, shape);
  losses_without_allocation(program, {{"one more that no result needs, with a long name", numbers},
                                      {"an input with a long name of its own", numbers}});
  CHECK(allocations_of([&] {
          for (float& number : numbers.values<float>()) number += static_cast<float>(shape.dim(-1));
        }) == 0);
}

TEST_CASE("allocations: none from the second run on of a loop and its gradient") {
  constexpr std::int64_t kTime = 6, kBatch = 8, kIn = 12, kHidden = 16, kWords = 20;
  for (const bool recompute : {false, true}) {
    INFO("recompute ", recompute);
    Graph graph;
    ParameterStore store(1);
    const auto weight = [&](const std::string& name, const Shape& shape) {
      return parameter(graph, store, name, shape, uniform(0.3F));
    };
    const Value tokens = graph.input("tokens", i32, {kTime, kBatch});
    const Value mask = graph.input("mask", f32, {kTime, kBatch});
    const Value v = weight("v", {kHidden, kHidden}), gain = weight("gain", {kHidden}),
                bias = weight("shift", {kHidden});
    const LstmCell cell{.w_x = weight("w_x", {kIn, 4 * kHidden}),
                        .w_h = weight("w_h", {kHidden, 4 * kHidden}),
                        .bias = weight("bias", {4 * kHidden})};
    // A loop in the loop, and ops that are not elementwise.
    const auto inner = [&](Value, const State& state) -> Step {
      return {.output = {}, .state = {{"z", tanh(matmul(state["z"], v))}}};
    };
    const auto step = [&](Value x, const State& state) {
      Step made = cell(x, state);
      const Value settled = scan(inner, iota(graph, 3), {{"z", made.output}}).last["z"];
      made.output = layer_norm(settled, gain, bias) * softmax(settled);
      return made;
    };
    const Value x = embedding(weight("table", {kWords, kIn}), tokens);
    const ScanResult run = scan(step, x, zero_state(x, {"h", "c"}, {kBatch, kHidden}),
                                {.mask = mask, .reverse = true, .truncate = 4, .recompute = recompute});
    const Value loss = cross_entropy(linear(run.output, weight("softmax/w", {kHidden, kWords}), weight("b", {kWords})),
                                     tokens, {.weights = mask});
    Program program = compile(graph, {loss, minimize(loss, store, adam({.learning_rate = 1e-2F, .clip_norm = 5}))});
    const std::vector<float> losses = losses_without_allocation(
        program, {{"tokens", random_ids({kTime, kBatch}, kWords)}, {"mask", random_mask({kTime, kBatch})}});
    CHECK(losses.back() < losses.front());
  }
}

TEST_CASE("allocations: none from the second run on of an encoder-decoder's training step, or of its decoding") {
  constexpr std::int64_t kSource = 7, kTarget = 5, kBatch = 6, kWords = 30;
  SequenceToSequenceConfig config;
  config.source_vocabulary = config.target_vocabulary = config.classes = kWords;
  config.embedding_size = 12;
  config.encoder.hidden_size = 16;
  config.attention_size = 10;
  config.bidirectional = true;
  config.dropout = 0.1F;
  for (const bool sampling : {false, true}) {
    INFO("scheduled sampling and sampled softmax ", sampling);
    config.softmax_samples = sampling ? 8 : 0;
    ParameterStore store(1);
    const std::vector<Binding> bindings{{"source", random_ids({kSource, kBatch}, kWords)},
                                        {"source_mask", random_mask({kSource, kBatch})},
                                        {"target_in", random_ids({kTarget, kBatch}, kWords)},
                                        {"target_out", random_ids({kTarget, kBatch}, kWords)},
                                        {"target_mask", random_mask({kTarget, kBatch})}};
    Graph graph;
    const Value source = graph.input("source", i32, {kSource, kBatch});
    const Value source_mask = graph.input("source_mask", f32, {kSource, kBatch});
    const PairValues pairs{.source = source,
                           .source_mask = source_mask,
                           .target_in = graph.input("target_in", i32, {kTarget, kBatch}),
                           .target_out = graph.input("target_out", i32, {kTarget, kBatch}),
                           .target_mask = graph.input("target_mask", f32, {kTarget, kBatch})};
    const Value own_share = sampling ? full(graph, {f32, {}}, 0.5F) : Value();
    const Value loss = sequence_loss(store, config, pairs, Mode::train, own_share);
    const Value step = minimize(loss, store, adam({.learning_rate = 1e-2F, .clip_norm = 5}));
    Program training = compile(graph, {loss, step});
    losses_without_allocation(training, bindings);

    const GreedySequence greedy = greedy_sequence(store, config, source, source_mask, kTarget, 0);
    Program decoding = compile(graph, {mean(greedy.attention), greedy.tokens});
    losses_without_allocation(decoding, {bindings[0], bindings[1]});
  }
}

}  // namespace
}  // namespace eddy::test

#endif
