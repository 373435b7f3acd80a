// SPDX-License-Identifier: Apache-2.0
// A decoder of one's own: a pointer network (Vinyals et al. 2015, "Pointer Networks") that sorts. Each step of it
// answers with a place in the source instead of a word, and reads next what stands there. One step function serves
// training, where it reads the true places, and use, where it reads its own.
#include <eddy/eddy.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

using namespace eddy;

constexpr std::int64_t kNumbers = 5, kBatch = 64, kHidden = 48;

// --- the decoder ---
class PointerDecoder {
 public:
  /// `read` f32[time, batch, hidden]: what the encoder made of each place.
  PointerDecoder(Graph& graph, ParameterStore& store, Value read)
      : cell_{.w_x = parameter(graph, store, "decoder/w_x", {1, 4 * kHidden}, glorot_uniform(4)),
              .w_h = parameter(graph, store, "decoder/w_h", {kHidden, 4 * kHidden}, orthogonal(1, 4)),
              .bias = parameter(graph, store, "decoder/bias", {4 * kHidden}, block_bias(1, 4, 1.0f))},
        w_query_(parameter(graph, store, "pointer/w_query", {kHidden, kHidden}, glorot_uniform())),
        w_energy_(parameter(graph, store, "pointer/w_energy", {kHidden}, uniform(0.3f))) {
    // The same at every step, so it is computed once, here.
    keys_ = matmul(transpose(read, {1, 0, 2}),
                   parameter(graph, store, "pointer/w_keys", {kHidden, kHidden}, glorot_uniform()));
  }

  /// x f32[batch, 1], the number at the place before. The output is the score of each place, f32[batch, time].
  Step operator()(Value x, const State& state) const {
    Step step = cell_(x, state);
    step.output = matmul(tanh(keys_ + expand_dims(matmul(step.output, w_query_), 1)), w_energy_);
    return step;
  }

 private:
  LstmCell cell_;
  Value w_query_, w_energy_, keys_;
};

/// The encoder: the numbers f32[time, batch, 1] as an LSTM has read them, and its final states.
ScanResult encode(Graph& graph, ParameterStore& store, Value numbers) {
  const LstmCell cell{.w_x = parameter(graph, store, "encoder/w_x", {1, 4 * kHidden}, glorot_uniform(4)),
                      .w_h = parameter(graph, store, "encoder/w_h", {kHidden, 4 * kHidden}, orthogonal(1, 4)),
                      .bias = parameter(graph, store, "encoder/bias", {4 * kHidden}, block_bias(1, 4, 1.0f))};
  return scan(cell, numbers, zero_state(numbers, {"h", "c"}, {numbers.dim(1), kHidden}));
}

// --- training: the step reads the true number before ---
Value pointer_loss(ParameterStore& store, Value numbers, Value sorted_before, Value places) {
  Graph& graph = numbers.graph();
  const ScanResult read = encode(graph, store, numbers);
  const PointerDecoder decoder(graph, store, read.output);
  const Value scores = scan(decoder, sorted_before, read.last).output;
  return cross_entropy(reshape(scores, {kNumbers * kBatch, kNumbers}), reshape(places, {kNumbers * kBatch}));
}

// --- use: the step reads the number at the place it chose itself ---
Value sorted_places(ParameterStore& store, Value numbers) {
  Graph& graph = numbers.graph();
  const ScanResult read = encode(graph, store, numbers);
  const PointerDecoder decoder(graph, store, read.output);
  const Value by_row = transpose(squeeze(numbers, 2), {1, 0});
  State start = read.last;
  start.set("x", full(graph, {f32, {kBatch, 1}}, 0));
  start.set("place", full(graph, {i32, {kBatch}}, 0));
  const auto choose = [&](Value, const State& state) {
    Step step = decoder(state["x"], state);
    const Value place = argmax(step.output);
    step.state.set("place", place);
    step.state.set("x", expand_dims(sum(one_hot(place, kNumbers) * by_row, 1), 1));
    return step;
  };
  return scan(choose, iota(graph, kNumbers), start).states["place"];
}

/// Random numbers with the places that sort them.
struct Sorting {
  Tensor numbers{f32, {kNumbers, kBatch, 1}};
  Tensor sorted_before{f32, {kNumbers, kBatch, 1}};  ///< 0, then the sorted numbers but the last
  Tensor places{i32, {kNumbers, kBatch}};

  void draw(Philox& random) const {
    const auto value = numbers.values<float>(), before = sorted_before.values<float>();
    for (float& v : value) v = uniform_float(random, 0, 1);
    for (std::size_t b = 0; b < kBatch; ++b) {
      std::vector<std::size_t> order(kNumbers);
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::ranges::sort(order, {}, [&](std::size_t t) { return value[t * kBatch + b]; });
      for (std::size_t t = 0; t < kNumbers; ++t) {
        places.values<int>()[t * kBatch + b] = static_cast<int>(order[t]);
        before[t * kBatch + b] = t == 0 ? 0 : value[order[t - 1] * kBatch + b];
      }
    }
  }
};

int main() {
  set_num_threads(1);  // steps this small are not worth sharing
  ParameterStore store(/*seed=*/1);
  Graph training;
  const Shape frames{kNumbers, kBatch, 1};
  const Value loss = pointer_loss(store, training.input("numbers", f32, frames), training.input("before", f32, frames),
                                  training.input("places", i32, {kNumbers, kBatch}));
  Program train = compile(training, {loss, minimize(loss, store, adam({.learning_rate = 0.005f, .clip_norm = 2}))});
  Graph using_it;
  Program sort = compile(using_it, {sorted_places(store, using_it.input("numbers", f32, frames))});

  Philox random(7);
  const Sorting batch;
  for (int i = 0; i <= 1500; ++i) {
    batch.draw(random);
    const float nats =
        train.run({{"numbers", batch.numbers}, {"before", batch.sorted_before}, {"places", batch.places}})[0].item();
    if (i % 300 == 0) fmt::print("step {:4}  loss {:.4f} nats a place\n", i, nats);
  }

  batch.draw(random);
  const Tensor places = sort.run({{"numbers", batch.numbers}})[0];
  int right = 0;
  for (std::size_t i = 0; i < kNumbers * kBatch; ++i) right += places.values<int>()[i] == batch.places.values<int>()[i];
  for (std::size_t b = 0; b < 3; ++b) {
    std::vector<std::string> sorted;
    for (std::size_t t = 0; t < kNumbers; ++t) {
      const auto place = static_cast<std::size_t>(places.values<int>()[t * kBatch + b]);
      sorted.push_back(fmt::format("{:.2f}", batch.numbers.values<float>()[place * kBatch + b]));
    }
    fmt::print("{}\n", fmt::join(sorted, " "));
  }
  const double share = static_cast<double>(right) / static_cast<double>(kNumbers * kBatch);
  fmt::print("{:.1f} % of {} places right\n", 100 * share, kNumbers * kBatch);
  return share > 0.9 ? 0 : 1;
}
