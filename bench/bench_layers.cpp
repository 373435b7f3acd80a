// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "bench/benchmarks.h"
#include "bench/measure.h"
#include "eddy/core/onednn.h"
#include "eddy/core/precision.h"
#include "eddy/core/random.h"
#include "eddy/graph/builtin.h"
#include "eddy/models/cells.h"
#include "eddy/ops/gru.h"
#include "eddy/ops/lstm.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/scan.h"
#include "eddy/ops/sum.h"

namespace eddy::bench {
namespace {

Tensor random_tensor(const Shape& shape, float limit, std::uint64_t stream) {
  Philox random(3, stream);
  const Tensor tensor(f32, shape);
  for (float& x : tensor.values<float>()) x = uniform_float(random, -limit, limit);
  return tensor;
}

float* data(const Tensor& tensor) { return tensor.values<float>().data(); }

/// Weights, inputs and incoming gradient of a layer, and eddy's graph: forward with, optionally, all gradients. A mask
/// is all ones here: oneDNN's primitives have none, so that it can only cost.
enum class Form {
  standard,        ///< lstm() and gru() as oneDNN defines them
  cell_equations,  ///< lstm() and gru() with the equations of LstmCell and GruCell
  scanned,         ///< scan() over those cells
};

struct Layer {
  LayerShape shape;
  std::int64_t gates;
  Tensor x, w_x, w_h, bias, d_y;
  Tensor bias_h;  ///< GRU only
  Graph graph;
  std::vector<Value> results;
  std::vector<Binding> bindings;

  Layer(const LayerShape& s, std::int64_t g, bool backward, bool masked, Form form = Form::standard)
      : shape(s),
        gates(g),
        x(random_tensor({s.time, s.batch, s.input}, 1, 1)),
        w_x(random_tensor({s.input, g * s.hidden}, 0.08F, 2)),
        w_h(random_tensor({s.hidden, g * s.hidden}, 0.08F, 3)),
        bias(random_tensor({g * s.hidden}, 0.1F, 4)),
        d_y(random_tensor({s.time, s.batch, s.hidden}, 1, 5)) {
    const Value x_in = feed("x", x);
    std::vector<Value> wrt{x_in, feed("w_x", w_x), feed("w_h", w_h), feed("bias", bias)};
    if (gates == 3 && form == Form::standard) {
      bias_h = random_tensor({g * s.hidden}, 0.1F, 6);
      wrt.push_back(feed("bias_h", bias_h));
    }
    Value mask;
    if (masked) {
      const Tensor ones(f32, {s.time, s.batch});
      std::ranges::fill(ones.values<float>(), 1.0F);
      mask = feed("mask", ones);
    }
    const Value y = output(form, wrt, mask);
    results = {y};
    if (!backward) return;
    for (const Value& gradient : dense_gradients(sum(y * feed("d_y", d_y)), wrt)) results.push_back(gradient);
  }

  /// The multiply-adds of the layer's products (2 flops each), which both rivals must do: one pass forward, two back.
  Cost cost(bool backward) const {
    const double products = 2.0 * static_cast<double>(shape.time * shape.batch * gates * shape.hidden) *
                            static_cast<double>(shape.input + shape.hidden);
    double bytes = 0;
    for (const Binding& binding : bindings) bytes += static_cast<double>(binding.tensor.bytes());
    for (const Value& result : results) bytes += static_cast<double>(result.type().bytes());
    return {.flops = products * (backward ? 3 : 1), .bytes = bytes};
  }

 private:
  Value output(Form form, const std::vector<Value>& in, Value mask) {
    if (form == Form::scanned) {
      const Shape state{shape.batch, shape.hidden};
      if (gates == 4)
        return scan(LstmCell{in[1], in[2], in[3]}, in[0], zero_state(in[0], {"h", "c"}, state), {.mask = mask}).output;
      return scan(GruCell{in[1], in[2], in[3]}, in[0], zero_state(in[0], {"h"}, state), {.mask = mask}).output;
    }
    if (gates == 4) return lstm(in[0], in[1], in[2], in[3], {.mask = mask}).outputs;
    if (form == Form::cell_equations)
      return gru(in[0], in[1], in[2], in[3], {.mask = mask, .reset_after = false}).outputs;
    return gru(in[0], in[1], in[2], in[3], {.mask = mask, .recurrent_bias = in[4]}).outputs;
  }
  Value feed(const char* name, const Tensor& tensor) {
    bindings.push_back({name, tensor});
    return graph.input(name, f32, tensor.shape());
  }
};

/// oneDNN's LSTM on the same data; results in the order of Layer::results.
class LstmRival {
 public:
  static constexpr const char* kName = "oneDNN";
  explicit LstmRival(const Layer& layer)
      : layer_(layer),
        primitive_(layer.shape.time, layer.shape.batch, layer.shape.input, layer.shape.hidden),
        zero_(f32, {layer.shape.batch, layer.shape.hidden}),
        states_(f32, {4, layer.shape.batch, layer.shape.hidden}) {
    for (const Value& result : layer.results) results_.emplace_back(result.type());
    primitive_.set_weights(data(layer.w_x), data(layer.w_h), data(layer.bias));
  }
  void run() {
    const std::int64_t size = zero_.elements();
    float* h_last = data(states_);
    primitive_.forward(data(layer_.x), data(zero_), data(zero_), data(results_[0]), h_last, h_last + size);
    if (results_.size() == 1) return;
    primitive_.backward(data(layer_.x), data(zero_), data(zero_), data(results_[0]), h_last, h_last + size,
                        data(layer_.d_y), data(zero_), data(zero_), data(results_[1]), h_last + 2 * size,
                        h_last + 3 * size, data(results_[2]), data(results_[3]), data(results_[4]));
  }
  const std::vector<Tensor>& results() const { return results_; }

 private:
  const Layer& layer_;
  DnnlLstm primitive_;
  Tensor zero_, states_;
  std::vector<Tensor> results_;
};

/// Swaps the blocks of gates r and z in each row of [rows, 3*hidden]: our order to oneDNN's and back.
Tensor swapped_gates(const Tensor& weights, std::int64_t hidden) {
  const Tensor result = weights.clone();
  for (std::int64_t row = 0; row < weights.elements() / (3 * hidden); ++row)
    std::swap_ranges(data(result) + row * 3 * hidden, data(result) + row * 3 * hidden + hidden,
                     data(result) + row * 3 * hidden + hidden);
  return result;
}

class GruRival {
 public:
  static constexpr const char* kName = "oneDNN";
  explicit GruRival(const Layer& layer)
      : layer_(layer),
        primitive_(layer.shape.time, layer.shape.batch, layer.shape.input, layer.shape.hidden),
        zero_(f32, {layer.shape.batch, layer.shape.hidden}),
        states_(f32, {2, layer.shape.batch, layer.shape.hidden}),
        d_bias_(f32, {4 * layer.shape.hidden}) {
    for (const Value& result : layer.results) results_.emplace_back(result.type());
    const std::int64_t hidden = layer.shape.hidden;
    // Biases of z, r, n and the recurrent one of n; those of z and r are sums.
    const Tensor first = swapped_gates(layer.bias, hidden);
    const Tensor second = swapped_gates(layer.bias_h, hidden);
    const Tensor bias(f32, {4 * hidden});
    for (std::int64_t i = 0; i < 3 * hidden; ++i)
      data(bias)[i] = data(first)[i] + (i < 2 * hidden ? data(second)[i] : 0);
    std::copy_n(data(second) + 2 * hidden, hidden, data(bias) + 3 * hidden);
    primitive_.set_weights(data(swapped_gates(layer.w_x, hidden)), data(swapped_gates(layer.w_h, hidden)), data(bias));
  }
  void run() {
    const std::int64_t size = zero_.elements();
    float* h_last = data(states_);
    primitive_.forward(data(layer_.x), data(zero_), data(results_[0]), h_last);
    if (results_.size() == 1) return;
    primitive_.backward(data(layer_.x), data(zero_), data(results_[0]), h_last, data(layer_.d_y), data(zero_),
                        data(results_[1]), h_last + size, data(results_[2]), data(results_[3]), data(d_bias_));
  }
  /// In eddy's order of gates and biases.
  std::vector<Tensor> results() const {
    std::vector<Tensor> result = copies(results_);
    if (result.size() == 1) return result;
    const std::int64_t hidden = layer_.shape.hidden;
    for (const std::size_t i : {2, 3}) result[i] = swapped_gates(result[i], hidden);
    std::copy_n(data(d_bias_), 3 * hidden, data(result[4]));
    result[4] = swapped_gates(result[4], hidden);
    result[5] = result[4].clone();
    std::copy_n(data(d_bias_) + 3 * hidden, hidden, data(result[5]) + 2 * hidden);
    return result;
  }

 private:
  const Layer& layer_;
  DnnlGru primitive_;
  Tensor zero_, states_, d_bias_;
  std::vector<Tensor> results_;
};

/// The built-in layer, as the rival of a loop over cells.
class BuiltInRival {
 public:
  static constexpr const char* kName = "built_in";
  BuiltInRival(const Layer& layer, std::int64_t gates, bool backward, bool masked)
      : layer_(layer.shape, gates, backward, masked, Form::cell_equations),
        program_(compile(layer_.graph, layer_.results)) {}
  void run() { results_ = program_.run(layer_.bindings); }
  std::span<const Tensor> results() const { return results_; }

 private:
  Layer layer_;
  Program program_;
  std::span<const Tensor> results_;
};

/// Times eddy's layer, and the rival after each iteration, so that both see the same machine.
template <class Rival>
void run_layer(benchmark::State& state, const LayerShape& shape, std::int64_t gates, bool backward, bool masked) {
  constexpr bool kScanned = std::is_same_v<Rival, BuiltInRival>;
  Layer layer(shape, gates, backward, masked, kScanned ? Form::scanned : Form::standard);
  Program program = compile(layer.graph, layer.results);
  Rival rival = [&] {
    if constexpr (kScanned) {
      return Rival(layer, gates, backward, masked);
    } else {
      return Rival(layer);
    }
  }();
  rival.run();
  const double tolerance = matmul_precision() == Precision::medium ? 5e-2 : 1e-3;
  const std::string wrong = mismatch(program.run(layer.bindings), rival.results(), tolerance);
  if (!wrong.empty()) return refuse(state, fmt::format("differs from {}: {}", Rival::kName, wrong));
  std::vector<double> rival_seconds;
  const double seconds = measure(
      state, layer.cost(backward), [&] { program.run(layer.bindings); },
      [&] { rival_seconds.push_back(seconds_of([&] { rival.run(); })); });
  if (seconds <= 0) return;
  const double rival_median = median(rival_seconds);
  state.counters[fmt::format("{}_ms", Rival::kName)] = rival_median * 1e3;
  state.counters[fmt::format("x_{}", Rival::kName)] = rival_median / seconds;
  state.counters["tokens/s"] = static_cast<double>(shape.time * shape.batch) / seconds;
}

std::vector<LayerShape> standard_shapes() {
  std::vector<LayerShape> shapes;
  for (const char* text : {"50x32x128x256", "100x32x256x512", "100x64x512x1024", "400x64x512x1024", "100x1x256x512",
                           "100x3x256x512", "100x16x256x512", "100x128x256x512", "30x32x256x256", "5x3x20x20",
                           // benchdnn's training shapes
                           "l1t50mb64sic500", "l1t50mb32sic1760", "l1t100mb32sic1760", "l1t200mb32sic1760",
                           "l1t25mb128sic512", "l1t50mb128sic1024", "l1t629mb128sic128", "l1t952mb128sic128"})
    shapes.push_back(parse_layer_shape(text));
  return shapes;
}

}  // namespace

LayerShape parse_layer_shape(std::string_view text) {
  const auto wrong = [&] {
    fail<UsageError>(
        "'{}' is neither time x batch x input x hidden, as 100x32x256x512, nor a problem of benchdnn, as "
        "l1t50mb64sic500",
        text);
  };
  LayerShape shape;
  shape.name = text;
  const char* at = text.data();
  const char* end = text.data() + text.size();
  const auto number = [&] {
    std::int64_t value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || value <= 0) wrong();
    at = next;
    return value;
  };
  if (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    for (std::int64_t* size : {&shape.time, &shape.batch, &shape.input, &shape.hidden}) {
      if (size != &shape.time && (at == end || *at++ != 'x')) wrong();
      *size = number();
    }
    if (at != end) wrong();
    return shape;
  }
  std::int64_t layers = 1;
  std::int64_t state_size = 0;
  while (at != end) {
    const char* key = at;
    while (at != end && *at >= 'a' && *at <= 'z') ++at;
    const std::string_view name(key, static_cast<std::size_t>(at - key));
    const std::int64_t value = number();
    if (name == "l")
      layers = value;
    else if (name == "t")
      shape.time = value;
    else if (name == "mb")
      shape.batch = value;
    else if (name == "sic")
      state_size = value;
    else if (name == "slc")
      shape.input = value;
    else if (name == "dhc")
      shape.hidden = value;
    else
      wrong();
  }
  if (shape.input == 0) shape.input = state_size;
  if (shape.hidden == 0) shape.hidden = state_size;
  if (layers != 1 || shape.time == 0 || shape.batch == 0 || shape.input == 0 || shape.hidden == 0) wrong();
  if (state_size != 0 && state_size != shape.hidden) wrong();
  return shape;
}

void register_layer_benchmarks(const std::vector<LayerShape>& problems) {
  for (const LayerShape& shape : problems.empty() ? standard_shapes() : problems) {
    for (const bool backward : {false, true}) {
      const char* what = backward ? "training" : "forward";
      const auto add = [&](const char* kind, auto function) {
        benchmark::RegisterBenchmark(fmt::format("layer/{}/{}/{}", kind, what, shape.name).c_str(), std::move(function))
            ->UseManualTime()
            ->MinTime(1.0)
            ->Unit(benchmark::kMillisecond);
      };
      for (const bool masked : {false, true}) {
        add(masked ? "lstm_masked" : "lstm",
            [=](benchmark::State& state) { run_layer<LstmRival>(state, shape, 4, backward, masked); });
        add(masked ? "gru_masked" : "gru",
            [=](benchmark::State& state) { run_layer<GruRival>(state, shape, 3, backward, masked); });
        add(masked ? "scan_lstm_masked" : "scan_lstm",
            [=](benchmark::State& state) { run_layer<BuiltInRival>(state, shape, 4, backward, masked); });
        add(masked ? "scan_gru_masked" : "scan_gru",
            [=](benchmark::State& state) { run_layer<BuiltInRival>(state, shape, 3, backward, masked); });
      }
    }
  }
}

}  // namespace eddy::bench
