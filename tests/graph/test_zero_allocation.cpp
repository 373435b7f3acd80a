// SPDX-License-Identifier: Apache-2.0
// A run after the first makes no heap allocation: the C library's own functions are counted, below operator new, so
// that allocations of oneDNN and the OpenMP runtime would show too.
#include <doctest/doctest.h>

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
#include <cstdlib>

#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "eddy/graph/variable.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/embedding.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/lstm.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mean.h"
#include "eddy/ops/mul.h"
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

TEST_CASE("allocations: the counter sees operator new and malloc") {
  CHECK(allocations_of([] { delete new int(1); }) >= 0);  // may be optimised away
  CHECK(allocations_of([] {
          std::vector<double> values(1000);
          doctest::String keep(values.data() != nullptr ? "a string too long for the small buffer of doctest" : "");
        }) > 0);
  CHECK(allocations_of([] { std::free(std::malloc(10)); }) <= 1);
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

  Philox random(5);
  const Tensor token_values(i32, {kTime, kBatch});
  for (std::int32_t& token : token_values.values<std::int32_t>())
    token = static_cast<std::int32_t>(uniform_index(random, kWords));
  const Tensor mask_values(f32, {kTime, kBatch});
  for (float& value : mask_values.values<float>()) value = uniform_index(random, 4) != 0 ? 1 : 0;

  const float first = program.run({{"tokens", token_values}, {"mask", mask_values}})[0].item();
  float last = first;
  for (int run = 0; run < 3; ++run) {
    const int made = allocations_of([&] {
      last = program.run({{"tokens", token_values}, {"mask", mask_values}})[0].item();
    });
    INFO("run ", run + 2);
    CHECK(made == 0);
  }
  CHECK(last < first);
}

}  // namespace
}  // namespace eddy::test

#endif
