// SPDX-License-Identifier: Apache-2.0
// The LSTM layer against an LSTM of small ops, against oneDNN's primitive, and against rows run alone.
#include <doctest/doctest.h>

#include <array>

#include "eddy/core/onednn.h"
#include "eddy/core/threads.h"
#include "eddy/graph/program.h"
#include "eddy/ops/add.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/gru.h"
#include "eddy/ops/lstm.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/sigmoid.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/tanh.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kTime = 7;
constexpr std::int64_t kBatch = 5;
constexpr std::int64_t kIn = 6;
constexpr std::int64_t kHidden = 20;

struct Layer {
  Graph graph;
  Value x, w_x, w_h, bias, h0, c0;

  explicit Layer(std::int64_t batch = kBatch, std::int64_t gates = 4)
      : x(graph.input("x", f32, {kTime, batch, kIn})),
        w_x(graph.input("w_x", f32, {kIn, gates * kHidden})),
        w_h(graph.input("w_h", f32, {kHidden, gates * kHidden})),
        bias(graph.input("bias", f32, {gates * kHidden})),
        h0(graph.input("h0", f32, {batch, kHidden})),
        c0(graph.input("c0", f32, {batch, kHidden})) {}
  std::vector<Value> inputs() const { return {x, w_x, w_h, bias, h0, c0}; }
};

std::vector<Tensor> layer_data(std::int64_t batch = kBatch, std::int64_t gates = 4) {
  Philox random(3);
  return {random_tensor({f32, {kTime, batch, kIn}}, random, -1, 1),
          random_tensor({f32, {kIn, gates * kHidden}}, random, -0.5F, 0.5F),
          random_tensor({f32, {kHidden, gates * kHidden}}, random, -0.5F, 0.5F),
          random_tensor({f32, {gates * kHidden}}, random, -0.5F, 0.5F),
          random_tensor({f32, {batch, kHidden}}, random, -1, 1),
          random_tensor({f32, {batch, kHidden}}, random, -1, 1)};
}

std::vector<Binding> bind(const std::vector<Tensor>& data) {
  return {{"x", data[0]}, {"w_x", data[1]}, {"w_h", data[2]}, {"bias", data[3]}, {"h0", data[4]}, {"c0", data[5]}};
}

/// The layer as a user would write it: unrolled over time.
LstmResult unrolled(const Layer& l, bool reverse) {
  Value h = l.h0;
  Value c = l.c0;
  std::vector<Value> outputs(kTime);
  std::vector<Value> cells(kTime);
  for (std::int64_t step = 0; step < kTime; ++step) {
    const std::int64_t t = reverse ? kTime - 1 - step : step;
    const auto [i, f, g, o] = split<4>(matmul(at(l.x, t), l.w_x) + matmul(h, l.w_h) + l.bias, 1);
    c = sigmoid(f) * c + sigmoid(i) * tanh(g);
    h = sigmoid(o) * tanh(c);
    outputs[static_cast<std::size_t>(t)] = h;
    cells[static_cast<std::size_t>(t)] = c;
  }
  return {stack(outputs), h, c, stack(cells)};
}

/// A scalar through all results with different weights, so that no gradient can hide.
Value loss_of(Graph& graph, const std::vector<Value>& results) {
  Philox random(9);
  std::vector<Value> terms;
  for (const Value& result : results)
    terms.push_back(sum(result * graph.constant(random_tensor(result.type(), random))));
  Value total = terms[0];
  for (std::size_t i = 1; i < terms.size(); ++i) total = total + terms[i];
  return total;
}

std::vector<Tensor> values_and_gradients(Layer& layer, const LstmResult& result, const std::vector<Tensor>& data) {
  std::vector<Value> results{result.outputs, result.final_h, result.final_c, result.all_c};
  const Value loss = loss_of(layer.graph, results);
  for (const Value& gradient : dense_gradients(loss, layer.inputs())) results.push_back(gradient);
  Program program = compile(layer.graph, results);
  return copies(program.run(bind(data)));
}

TEST_CASE("the LSTM layer equals an LSTM of small ops, values and gradients") {
  for (const bool reverse : {false, true}) {
    INFO("reverse ", reverse);
    const std::vector<Tensor> data = layer_data();
    Layer fused;
    Layer small;
    const auto got = values_and_gradients(
        fused, lstm(fused.x, fused.w_x, fused.w_h, fused.bias, {.h0 = fused.h0, .c0 = fused.c0, .reverse = reverse}),
        data);
    const auto expected = values_and_gradients(small, unrolled(small, reverse), data);
    CHECK(difference(got, expected, 2e-5) == "");
  }
}

TEST_CASE("the LSTM layer equals oneDNN's LSTM primitive, values and gradients") {
  for (const bool reverse : {false, true}) {
    INFO("reverse ", reverse);
    const std::vector<Tensor> data = layer_data();
    Layer layer;
    const LstmResult result =
        lstm(layer.x, layer.w_x, layer.w_h, layer.bias, {.h0 = layer.h0, .c0 = layer.c0, .reverse = reverse});
    Philox random(5);
    const Tensor d_y = random_tensor(result.outputs.type(), random);
    const Tensor d_h = random_tensor(result.final_h.type(), random);
    const Tensor d_c = random_tensor(result.final_c.type(), random);
    const Value loss = sum(result.outputs * layer.graph.constant(d_y)) +
                       sum(result.final_h * layer.graph.constant(d_h)) +
                       sum(result.final_c * layer.graph.constant(d_c));
    std::vector<Value> results{result.outputs, result.final_h, result.final_c};
    for (const Value& gradient : dense_gradients(loss, layer.inputs())) results.push_back(gradient);
    Program program = compile(layer.graph, results);
    const std::vector<Tensor> got = copies(program.run(bind(data)));

    const auto at = [](const Tensor& tensor) { return static_cast<float*>(tensor.data()); };
    DnnlLstm rival(kTime, kBatch, kIn, kHidden, reverse);
    rival.set_weights(at(data[1]), at(data[2]), at(data[3]));
    std::vector<Tensor> expected;
    for (const Tensor& tensor : got) expected.emplace_back(tensor.type());
    rival.forward(at(data[0]), at(data[4]), at(data[5]), at(expected[0]), at(expected[1]), at(expected[2]));
    rival.backward(at(data[0]), at(data[4]), at(data[5]), at(expected[0]), at(expected[1]), at(expected[2]), at(d_y),
                   at(d_h), at(d_c), at(expected[3]), at(expected[7]), at(expected[8]), at(expected[4]),
                   at(expected[5]), at(expected[6]));
    CHECK(difference(got, expected, 2e-5) == "");
  }
}

TEST_CASE("a masked layer gives each row what the row alone gives without padding") {
  const std::vector<std::int64_t> lengths{7, 3, 1, 0, 5};
  const std::vector<Tensor> lstm_data = layer_data();
  const std::vector<Tensor> gru_data = layer_data(kBatch, 3);
  Tensor mask(f32, {kTime, kBatch});
  for (std::int64_t t = 0; t < kTime; ++t)
    for (std::int64_t b = 0; b < kBatch; ++b)
      mask.values<float>()[static_cast<std::size_t>(t * kBatch + b)] = t < lengths[static_cast<std::size_t>(b)] ? 1 : 0;

  for (const bool reverse : {false, true})
    for (const bool is_lstm : {true, false}) {
      INFO("reverse ", reverse, " lstm ", is_lstm);
      const std::vector<Tensor>& data = is_lstm ? lstm_data : gru_data;
      const auto run_layer = [&](std::int64_t batch, std::int64_t time, const std::vector<Tensor>& tensors,
                                 bool masked) {
        Graph graph;
        std::vector<Value> in;
        for (const Tensor& tensor : tensors) in.push_back(graph.constant(tensor));
        const Value m = masked ? graph.constant(mask) : Value();
        REQUIRE(in[0].shape() == Shape{time, batch, kIn});
        if (is_lstm) {
          const LstmResult r =
              lstm(in[0], in[1], in[2], in[3], {.h0 = in[4], .c0 = in[5], .mask = m, .reverse = reverse});
          return copies(compile(graph, {r.outputs, r.final_h, r.final_c}).run());
        }
        const GruResult r = gru(in[0], in[1], in[2], in[3], {.h0 = in[4], .mask = m, .reverse = reverse});
        return copies(compile(graph, {r.outputs, r.final_h}).run());
      };
      const std::vector<Tensor> together = run_layer(kBatch, kTime, data, true);
      for (std::int64_t b = 0; b < kBatch; ++b) {
        INFO("row ", b);
        const std::int64_t length = lengths[static_cast<std::size_t>(b)];
        if (length == 0) continue;
        // The row's own part of every batched tensor.
        const auto row_of = [b](const Tensor& tensor, std::int64_t steps) {
          const std::int64_t width = tensor.shape().dim(-1);
          const bool in_time = tensor.shape().rank() == 3;
          Tensor row(f32, in_time ? Shape{steps, 1, width} : Shape{1, width});
          for (std::int64_t t = 0; t < (in_time ? steps : 1); ++t)
            for (std::int64_t j = 0; j < width; ++j)
              row.values<float>()[static_cast<std::size_t>(t * width + j)] =
                  tensor.values<float>()[static_cast<std::size_t>((t * kBatch + b) * width + j)];
          return row;
        };
        const std::vector<Tensor> alone = run_layer(
            1, length, {row_of(data[0], length), data[1], data[2], data[3], row_of(data[4], 0), row_of(data[5], 0)},
            false);
        std::vector<Tensor> rows;
        for (const Tensor& tensor : together) rows.push_back(row_of(tensor, length));
        CHECK(difference(rows, alone, 1e-6) == "");
        // Nothing but zeros after the row's end.
        const Tensor whole = row_of(together[0], kTime);
        for (std::int64_t i = length * kHidden; i < kTime * kHidden; ++i)
          REQUIRE(whole.values<float>()[static_cast<std::size_t>(i)] == 0);
      }
    }
}

struct InferenceSize {
  std::int64_t time, batch, in, hidden;
};

bool makes_own_gates(const Program& program) { return program.text().find("_inference") != std::string::npos; }

/// Of a layer, its results and how many bytes its program needs, lowered or not.
struct InferenceRun {
  std::vector<Tensor> results;
  std::size_t bytes;
  bool lowered;
};

/// `options`: bit by bit mask, reverse, first states, hard_sigmoid; for GRU also reset_after and a recurrent bias.
InferenceRun run_inference(bool is_lstm, const InferenceSize& size, unsigned options, bool lower) {
  Graph graph;
  Philox random(size.time + options);
  const auto value = [&](const Shape& shape, float most) {
    return graph.constant(random_tensor({f32, shape}, random, -most, most));
  };
  const auto [time, batch, in, hidden] = size;
  const std::int64_t width = (is_lstm ? 4 : 3) * hidden;
  const Value x = value({time, batch, in}, 1), w_x = value({in, width}, 0.4F), w_h = value({hidden, width}, 0.2F),
              bias = value({width}, 0.5F);
  Value mask, h0, c0;
  if ((options & 1U) != 0) {
    Tensor some(f32, {time, batch});
    for (float& one : some.values<float>()) one = uniform_index(random, 4) == 0 ? 0 : 1;
    mask = graph.constant(some);
  }
  const bool reverse = (options & 2U) != 0, hard = (options & 8U) != 0;
  if ((options & 4U) != 0) {
    h0 = value({batch, hidden}, 1);
    c0 = value({batch, hidden}, 1);
  }
  std::vector<Value> results;
  if (is_lstm) {
    const LstmResult r =
        lstm(x, w_x, w_h, bias, {.h0 = h0, .c0 = c0, .mask = mask, .reverse = reverse, .hard_sigmoid = hard});
    results = {r.outputs, r.final_h, r.final_c};
  } else {
    const bool after = (options & 16U) == 0;
    const GruResult r = gru(x, w_x, w_h, bias,
                            {.h0 = h0,
                             .mask = mask,
                             .reverse = reverse,
                             .hard_sigmoid = hard,
                             .reset_after = after,
                             .recurrent_bias = after && (options & 32U) != 0 ? value({width}, 0.5F) : Value()});
    results = {r.outputs, r.final_h};
  }
  CompileOptions compile_options;
  compile_options.passes.lower = lower;
  compile_options.passes.fold = false;
  Program program = compile(graph, results, compile_options);
  return {copies(program.run()), program.memory_plan().arena_bytes, makes_own_gates(program)};
}

TEST_CASE("without gradients a layer makes its gates a few steps at a time, with the same results") {
  for (const bool is_lstm : {true, false})
    for (unsigned options = 0; options < (is_lstm ? 16U : 64U); ++options) {
      INFO("lstm ", is_lstm, " options ", options);
      // Stretches of 51 steps, and one of 6.
      const InferenceSize size{210, 5, 6, 20};
      const InferenceRun whole = run_inference(is_lstm, size, options, false);
      const InferenceRun parts = run_inference(is_lstm, size, options, true);
      CHECK_FALSE(whole.lowered);
      CHECK(parts.lowered);
      CHECK(difference(parts.results, whole.results, 1e-5) == "");
    }
  // One step a stretch; one row a step, the units divided among threads; units that fill no vector.
  for (const InferenceSize& size : {InferenceSize{3, 600, 4, 24}, {700, 1, 33, 128}, {40, 16, 5, 7}, {40, 64, 70, 96}})
    for (const bool is_lstm : {true, false})
      for (const unsigned options : {0U, 3U}) {
        INFO("lstm ", is_lstm, " time ", size.time, " batch ", size.batch, " options ", options);
        const InferenceRun whole = run_inference(is_lstm, size, options, false);
        const InferenceRun parts = run_inference(is_lstm, size, options, true);
        CHECK(parts.lowered);
        CHECK(difference(parts.results, whole.results, 1e-5) == "");
        const int threads = num_threads();
        set_num_threads(1);
        CHECK(difference(run_inference(is_lstm, size, options, true).results, parts.results, 0) == "");
        set_num_threads(threads);
      }
  const InferenceSize large{400, 16, 8, 64};
  CHECK(run_inference(true, large, 0, true).bytes < run_inference(true, large, 0, false).bytes / 2);
}

TEST_CASE("a layer keeps its gates where a gradient reads them, and for few rows") {
  for (const bool is_lstm : {true, false}) {
    Graph graph;
    Philox random(3);
    const auto value = [&](const Shape& shape) { return graph.constant(random_tensor({f32, shape}, random, -1, 1)); };
    const std::int64_t width = is_lstm ? 32 : 24;
    const Value x = graph.input("x", f32, {300, 2, 4}), w_x = value({4, width}), w_h = value({8, width}),
                bias = value({width});
    const Value y = is_lstm ? lstm(x, w_x, w_h, bias).outputs : gru(x, w_x, w_h, bias).outputs;
    CHECK(makes_own_gates(compile(graph, {y})));
    CHECK_FALSE(makes_own_gates(compile(graph, {y, dense_gradient(sum(y), x)})));
  }
  CHECK_FALSE(run_inference(true, {51, 5, 6, 20}, 0, true).lowered);
}

TEST_CASE("a layer over no steps leaves its states as they are, and has gradients of zero to second order") {
  for (const bool is_gru : {false, true}) {
    CAPTURE(is_gru);
    Graph graph;
    const std::int64_t gates = is_gru ? 3 : 4;
    const std::vector<Value> wrt{graph.input("x", f32, {0, 2, 3}), graph.input("w_x", f32, {3, 5 * gates}),
                                 graph.input("w_h", f32, {5, 5 * gates}), graph.input("bias", f32, {5 * gates}),
                                 graph.input("h0", f32, {2, 5})};
    Value outputs, last;
    if (is_gru) {
      const GruResult layer = gru(wrt[0], wrt[1], wrt[2], wrt[3], {.h0 = wrt[4]});
      outputs = layer.outputs;
      last = layer.final_h;
    } else {
      const LstmResult layer = lstm(wrt[0], wrt[1], wrt[2], wrt[3], {.h0 = wrt[4]});
      outputs = layer.outputs;
      last = layer.final_h;
    }
    std::vector<Value> results{outputs, last};
    const std::vector<Value> first = dense_gradients(sum(outputs * outputs) + sum(last * last), wrt);
    Value loss = sum(first[0] * first[0]);
    for (std::size_t i = 1; i < wrt.size(); ++i) loss = loss + sum(first[i] * first[i]);
    for (const auto& gradients : {first, dense_gradients(loss, wrt)})
      results.insert(results.end(), gradients.begin(), gradients.end());
    Program program = compile(graph, results);
    Philox random(3);
    std::vector<Tensor> data;
    std::vector<Binding> bindings;
    for (const Value& input : wrt) data.push_back(random_tensor(input.type(), random));
    constexpr std::array kNames{"x", "w_x", "w_h", "bias", "h0"};
    for (std::size_t i = 0; i < kNames.size(); ++i) bindings.push_back({kNames[i], data[i]});
    const std::vector<Tensor> got = copies(program.run(bindings));
    CHECK(got[0].shape() == Shape{0, 2, 5});
    CHECK(bit_difference(std::span(&got[1], 1), std::span(&data[4], 1)) == "");
    // Of the squares of the last state, and of those of twice it.
    const std::vector<double> h0 = to_doubles(data[4]);
    for (const auto& [order, factor] : {std::pair<std::size_t, double>(0, 2), std::pair<std::size_t, double>(1, 8)}) {
      const std::size_t begin = 2 + order * wrt.size();
      for (std::size_t i = 0; i + 1 < wrt.size(); ++i)
        for (const double d : to_doubles(got[begin + i])) CHECK(d == 0);
      for (std::size_t i = 0; i < h0.size(); ++i) CHECK(to_doubles(got[begin + 4])[i] == factor * h0[i]);
    }
  }
}

TEST_CASE("recurrent layers name what does not fit") {
  Layer layer;
  const auto refused = [](const char* message) { return doctest::Contains(message); };
  CHECK_THROWS_WITH_AS(lstm(layer.h0, layer.w_x, layer.w_h, layer.bias),
                       refused("[lstm] x must be f32[time, batch, in], it is f32[5,20]"), GraphError);
  CHECK_THROWS_WITH_AS(lstm(layer.x, layer.w_h, layer.w_h, layer.bias),
                       refused("[lstm] w_x must be f32[6, 4 hidden], it is f32[20,80]"), GraphError);
  CHECK_THROWS_WITH_AS(gru(layer.x, layer.w_x, layer.w_h, layer.bias),
                       refused("[gru] w_x must be f32[6, 3 hidden], it is f32[6,80]"), GraphError);
  CHECK_THROWS_WITH_AS(lstm(layer.x, layer.w_x, layer.w_x, layer.bias),
                       refused("[lstm] w_h must be f32[20,80] beside x f32[7,5,6] and w_x f32[6,80], it is f32[6,80]"),
                       GraphError);
  CHECK_THROWS_WITH_AS(lstm(layer.x, layer.w_x, layer.w_h, layer.h0), refused("[lstm] bias must be f32[80] beside"),
                       GraphError);
  CHECK_THROWS_WITH_AS(lstm(layer.x, layer.w_x, layer.w_h, layer.bias, {.c0 = layer.bias}),
                       refused("[lstm] c0 must be f32[5,20] beside"), GraphError);
  CHECK_THROWS_WITH_AS(lstm(layer.x, layer.w_x, layer.w_h, layer.bias, {.mask = layer.h0}),
                       doctest::Contains("the mask must be f32[7,5]"), GraphError);
  const Value w_x = layer.graph.input("gru_w_x", f32, {6, 60}), w_h = layer.graph.input("gru_w_h", f32, {20, 60});
  const Value bias = layer.graph.input("gru_bias", f32, {60});
  CHECK_THROWS_WITH_AS(gru(layer.x, w_x, w_h, bias, {.recurrent_bias = layer.bias}),
                       refused("[gru] recurrent_bias must be f32[60], as bias is, it is f32[80]"), GraphError);
  CHECK_THROWS_WITH_AS(gru(layer.x, w_x, w_h, bias, {.reset_after = false, .recurrent_bias = bias}),
                       refused("[gru] recurrent_bias needs reset_after"), GraphError);
}

}  // namespace
}  // namespace eddy::test
