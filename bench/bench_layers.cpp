// SPDX-License-Identifier: Apache-2.0
// LSTM and GRU layers, forward and backward with the products outside the time loop, next to oneDNN's LSTM primitive at
// the same shape. Each iteration runs both, one after the other, so that both see the same machine.
#include <cmath>

#include "eddy/core/onednn.h"
#include "eddy/core/random.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/variable.h"
#include "eddy/ops/gru.h"
#include "eddy/ops/lstm.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/sum.h"
#include "support.h"

namespace eddy::bench {
namespace {

struct Shapes {
  std::int64_t time, batch, input, hidden;
};

/// benchdnn's training shapes (l1t50mb64sic500, the GNMT set), then those of eddy's models.
const std::vector<Shapes> kShapes = {{50, 64, 500, 500},  {25, 128, 512, 512},  {50, 32, 128, 256},
                                     {100, 32, 256, 512}, {100, 64, 512, 1024}, {400, 64, 512, 1024},
                                     {50, 1, 256, 256},   {50, 3, 256, 256},    {50, 16, 256, 256},
                                     {50, 128, 256, 256}, {5, 3, 20, 20}};

Tensor random_tensor(const Shape& shape, float limit, std::uint64_t stream) {
  Tensor tensor(f32, shape);
  Philox random(1, stream);
  uniform(limit)(tensor, random);
  return tensor;
}

struct Layer {
  Tensor x, w_x, w_h, bias, d_y, mask;
};

Layer make_layer(const Shapes& s, std::int64_t gates) {
  const float limit = 1 / std::sqrt(static_cast<float>(s.hidden));
  Layer layer{
      random_tensor({s.time, s.batch, s.input}, 1, 1),       random_tensor({s.input, gates * s.hidden}, limit, 2),
      random_tensor({s.hidden, gates * s.hidden}, limit, 3), random_tensor({gates * s.hidden}, limit, 4),
      random_tensor({s.time, s.batch, s.hidden}, 1, 5),      Tensor(f32, {s.time, s.batch})};
  for (float& x : layer.mask.values<float>()) x = 1;
  return layer;
}

/// Outputs and all gradients for the gradient d_y of the outputs.
Program layer_program(const Shapes& s, bool is_lstm, bool masked) {
  Graph graph;
  const std::int64_t gates = is_lstm ? 4 : 3;
  const Value x = graph.input("x", f32, {s.time, s.batch, s.input});
  const Value w_x = graph.input("w_x", f32, {s.input, gates * s.hidden});
  const Value w_h = graph.input("w_h", f32, {s.hidden, gates * s.hidden});
  const Value bias = graph.input("bias", f32, {gates * s.hidden});
  const Value d_y = graph.input("d_y", f32, {s.time, s.batch, s.hidden});
  const Value mask = masked ? graph.input("mask", f32, {s.time, s.batch}) : Value();
  const Value outputs =
      is_lstm ? lstm(x, w_x, w_h, bias, {.mask = mask}).outputs : gru(x, w_x, w_h, bias, {.mask = mask}).outputs;
  std::vector<Value> results{outputs};
  for (const Value& gradient : dense_gradients(sum(outputs * d_y), std::vector<Value>{x, w_x, w_h, bias}))
    results.push_back(gradient);
  return compile(graph, results);
}

double layer_flops(const Shapes& s, double gates) {
  const double steps = static_cast<double>(s.time * s.batch);
  return 3 * 2 * steps * gates * static_cast<double>(s.hidden * (s.input + s.hidden));
}

/// oneDNN's primitive on the same arrays; empty sinks for its results.
struct Rival {
  Rival(const Shapes& s, const Layer& l)
      : layer(l),
        primitive(s.time, s.batch, s.input, s.hidden),
        y(f32, {s.time, s.batch, s.hidden}),
        state(f32, {s.batch, s.hidden}),
        h(f32, {s.batch, s.hidden}),
        c(f32, {s.batch, s.hidden}),
        d_h0(f32, {s.batch, s.hidden}),
        d_c0(f32, {s.batch, s.hidden}),
        d_x(f32, l.x.shape()),
        d_w_x(f32, l.w_x.shape()),
        d_w_h(f32, l.w_h.shape()),
        d_bias(f32, l.bias.shape()) {}

  static float* data(const Tensor& tensor) { return static_cast<float*>(tensor.data()); }
  void run() {
    primitive.set_weights(data(layer.w_x), data(layer.w_h), data(layer.bias));
    primitive.forward(data(layer.x), data(state), data(state), data(y), data(h), data(c));
    primitive.backward(data(layer.x), data(state), data(state), data(y), data(h), data(c), data(layer.d_y), data(state),
                       data(state), data(d_x), data(d_h0), data(d_c0), data(d_w_x), data(d_w_h), data(d_bias));
  }

  const Layer& layer;
  DnnlLstm primitive;
  Tensor y, state, h, c, d_h0, d_c0, d_x, d_w_x, d_w_h, d_bias;
};

bool agree(benchmark::State& state, const char* what, const Tensor& a, const Tensor& b) {
  double difference = 0, size = 0;
  for (std::int64_t i = 0; i < a.elements(); ++i) {
    const double x = a.values<const float>()[static_cast<std::size_t>(i)],
                 y = b.values<const float>()[static_cast<std::size_t>(i)];
    difference += (x - y) * (x - y);
    size += y * y;
  }
  if (difference <= 1e-8 * size) return true;
  state.SkipWithError(
      fmt::format("{} differs from oneDNN's: relative {:.2e}", what, std::sqrt(difference / size)).c_str());
  return false;
}

void run_layer(benchmark::State& state, const Shapes& s, bool is_lstm, bool masked) {
  const Layer layer = make_layer(s, is_lstm ? 4 : 3);
  Program program = layer_program(s, is_lstm, masked);
  const std::vector<Binding> bindings{{"x", layer.x},       {"w_x", layer.w_x}, {"w_h", layer.w_h},
                                      {"bias", layer.bias}, {"d_y", layer.d_y}, {"mask", layer.mask}};
  const std::span<const Binding> bound(bindings.data(), masked ? 6 : 5);
  std::unique_ptr<Rival> rival;
  const std::span<const Tensor> results = program.run(bound);
  if (is_lstm) {
    rival = std::make_unique<Rival>(s, layer);
    rival->run();
    if (!agree(state, "y", results[0], rival->y) || !agree(state, "dx", results[1], rival->d_x) ||
        !agree(state, "dW", results[3], rival->d_w_h))
      return;
  }
  std::vector<double> ours, theirs, peaks;
  for (auto _ : state) {
    const double start = seconds_now();
    program.run(bound);
    ours.push_back(seconds_now() - start);
    state.SetIterationTime(ours.back());
    if (rival) {
      const double middle = seconds_now();
      rival->run();
      theirs.push_back(seconds_now() - middle);
    }
    peaks.push_back(fma_peak());
  }
  const double seconds = median(ours), flops = layer_flops(s, is_lstm ? 4 : 3);
  state.counters["GFLOP/s"] = flops / seconds * 1e-9;
  state.counters["%peak"] = 100 * flops / seconds / median(peaks);
  if (rival) state.counters["x_oneDNN"] = median(theirs) / seconds;
}

}  // namespace

void register_layers() {
  for (const Shapes& s : kShapes)
    for (const char* kind : {"lstm", "lstm_masked", "gru"}) {
      const std::string name = fmt::format("layer/{}/{}x{}x{}-{}", kind, s.time, s.batch, s.input, s.hidden);
      const bool is_lstm = kind[0] == 'l', masked = std::string_view(kind) == "lstm_masked";
      benchmark::RegisterBenchmark(
          name.c_str(), [s, is_lstm, masked](benchmark::State& state) { run_layer(state, s, is_lstm, masked); })
          ->Unit(benchmark::kMillisecond)
          ->UseManualTime();
    }
}

}  // namespace eddy::bench
