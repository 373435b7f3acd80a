// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "eddy/core/gemm.h"
#include "eddy/core/onednn.h"
#include "eddy/core/rnn_kernels.h"
#include "eddy/core/tensor.h"
#include "eddy/core/threads.h"
#include "tests/support/largest.h"

namespace {

using eddy::test::largest_difference;
using Floats = std::vector<float>;
using Doubles = std::vector<double>;

Floats random_values(std::int64_t n, unsigned seed, float scale = 1.0F) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-scale, scale);
  Floats values(static_cast<std::size_t>(n));
  for (float& v : values) v = uniform(generator);
  return values;
}

struct Sizes {
  std::int64_t time, batch, hidden;
};

enum class Cell { lstm, gru_after, gru_before };

struct Case {
  Cell cell = Cell::lstm;
  Sizes sizes{};
  bool reverse = false;
  bool hard = false;
  bool masked = false;
  bool initial = true;  ///< initial states given, gradients of all slots given
};

std::int64_t gates_of(const Case& c) { return c.cell == Cell::lstm ? 4 : 3; }

/// Everything a layer reads. Loss = sum(d_h * states_h) + sum(d_c * states_c).
struct Data {
  Floats gates_x, w_h, b_h, h0, c0, mask, d_h, d_c;
  explicit Data(const Case& c) {
    const std::int64_t time = c.sizes.time, batch = c.sizes.batch, hidden = c.sizes.hidden;
    const std::int64_t gates = gates_of(c), state = batch * hidden;
    gates_x = random_values(time * gates * state, 1, 2.0F);
    w_h = random_values(hidden * gates * hidden, 2, 2.0F / std::sqrt(static_cast<float>(hidden)));
    b_h = random_values(gates * hidden, 3);
    h0 = random_values(state, 4);
    c0 = random_values(state, 5);
    d_h = random_values((time + 1) * state, 6);
    d_c = random_values((time + 1) * state, 7);
    mask.assign(static_cast<std::size_t>(time * batch), 1.0F);
    // Rows of unequal length, a hole in the middle, and the last row masked throughout.
    for (std::int64_t t = 0; t < time; ++t)
      for (std::int64_t b = 0; b < batch; ++b)
        if (c.masked && (t >= time - b % 3 || b == batch - 1 || (b == 1 && t == 1)))
          mask[static_cast<std::size_t>(t * batch + b)] = 0.0F;
    if (!c.initial) {
      std::fill(h0.begin(), h0.end(), 0.0F);
      std::fill(c0.begin(), c0.end(), 0.0F);
      std::fill(d_c.begin(), d_c.end(), 0.0F);
    }
  }
};

/// The definition, written plainly in double.
struct Reference {
  Case c;
  Doubles states_h, states_c;

  static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
  double gate(double x) const { return c.hard ? std::min(std::max(0.2 * x + 0.5, 0.0), 1.0) : sigmoid(x); }

  double run(const Doubles& gates_x, const Doubles& w_h, const Doubles& b_h, const Doubles& h0, const Doubles& c0,
             const Data& data) {
    const std::int64_t time = c.sizes.time, batch = c.sizes.batch, hidden = c.sizes.hidden;
    const std::int64_t gates = gates_of(c), state = batch * hidden;
    const auto z = [](std::int64_t i) { return static_cast<std::size_t>(i); };
    states_h.assign(z((time + 1) * state), 0.0);
    states_c = states_h;
    const std::int64_t first = c.reverse ? time : 0;
    std::copy(h0.begin(), h0.end(), states_h.begin() + first * state);
    std::copy(c0.begin(), c0.end(), states_c.begin() + first * state);
    Doubles pre(z(gates * hidden)), rh(z(hidden)), r(z(hidden));
    for (std::int64_t s = 0; s < time; ++s) {
      const std::int64_t t = c.reverse ? time - 1 - s : s, before = c.reverse ? t + 1 : t,
                         after = c.reverse ? t : t + 1;
      for (std::int64_t b = 0; b < batch; ++b) {
        const double* h = &states_h[z((before * batch + b) * hidden)];
        const double* cell = &states_c[z((before * batch + b) * hidden)];
        double* h_new = &states_h[z((after * batch + b) * hidden)];
        double* c_new = &states_c[z((after * batch + b) * hidden)];
        if (data.mask[z(t * batch + b)] == 0.0F) {
          std::copy(h, h + hidden, h_new);
          std::copy(cell, cell + hidden, c_new);
          continue;
        }
        const double* x = &gates_x[z((t * batch + b) * gates * hidden)];
        const auto product = [&](const double* left, std::int64_t j) {
          double sum = 0;
          for (std::int64_t k = 0; k < hidden; ++k) sum += left[k] * w_h[z(k * gates * hidden + j)];
          return sum;
        };
        for (std::int64_t j = 0; j < gates * hidden; ++j) pre[z(j)] = product(h, j);
        for (std::int64_t j = 0; j < hidden; ++j) {
          if (c.cell == Cell::lstm) {
            const double i = gate(pre[z(j)] + x[j]), f = gate(pre[z(hidden + j)] + x[hidden + j]);
            const double g = std::tanh(pre[z(2 * hidden + j)] + x[2 * hidden + j]);
            const double o = gate(pre[z(3 * hidden + j)] + x[3 * hidden + j]);
            c_new[j] = f * cell[j] + i * g;
            h_new[j] = o * std::tanh(c_new[j]);
          } else {
            const bool after_product = c.cell == Cell::gru_after;
            r[z(j)] = gate(pre[z(j)] + x[j] + (after_product ? b_h[z(j)] : 0.0));
            rh[z(j)] = r[z(j)] * h[j];
          }
        }
        if (c.cell == Cell::lstm) continue;
        for (std::int64_t j = 0; j < hidden; ++j) {
          const bool after_product = c.cell == Cell::gru_after;
          const double update = gate(pre[z(hidden + j)] + x[hidden + j] + (after_product ? b_h[z(hidden + j)] : 0.0));
          const double inner = after_product ? r[z(j)] * (pre[z(2 * hidden + j)] + b_h[z(2 * hidden + j)])
                                             : product(rh.data(), 2 * hidden + j);
          const double n = std::tanh(inner + x[2 * hidden + j]);
          h_new[j] = (1 - update) * n + update * h[j];
        }
      }
    }
    double loss = 0;
    for (std::size_t i = 0; i < states_h.size(); ++i) {
      loss += data.d_h[i] * states_h[i];
      if (c.cell == Cell::lstm) loss += data.d_c[i] * states_c[i];
    }
    return loss;
  }
};

/// What the kernels give, weight gradients made as the contract says.
struct Result {
  Floats states_h, states_c, d_gates_x, d_gates_h, d_h0, d_c0, d_w_h;
  bool operator==(const Result&) const = default;
};

eddy::Tensor scratch_of(std::size_t bytes) {
  return eddy::Tensor(eddy::f32, {static_cast<std::int64_t>(bytes / sizeof(float)) + 1});
}

void add_product(const Floats& states, std::int64_t first, const Floats& d_gates, std::int64_t width, std::int64_t from,
                 std::int64_t to, const Sizes& s, Floats& d_w) {
  // d_w[k, j] += sum over steps and rows of states[.., k] * d_gates[.., j]
  for (std::int64_t i = 0; i < s.time * s.batch; ++i)
    for (std::int64_t k = 0; k < s.hidden; ++k)
      for (std::int64_t j = from; j < to; ++j)
        d_w[static_cast<std::size_t>(k * width + j)] +=
            states[static_cast<std::size_t>((first * s.batch + i) * s.hidden + k)] *
            d_gates[static_cast<std::size_t>(i * width + j)];
}

Result run_kernels(const Case& c, const Data& data) {
  const std::int64_t time = c.sizes.time, batch = c.sizes.batch, hidden = c.sizes.hidden;
  const std::int64_t gates = gates_of(c), state = batch * hidden;
  const float poison = std::nanf("");
  const auto filled = [&](std::int64_t n) { return Floats(static_cast<std::size_t>(n), poison); };
  Result r;
  r.states_h = filled((time + 1) * state);
  r.d_h0 = filled(state);
  r.d_w_h = Floats(static_cast<std::size_t>(hidden * gates * hidden), 0.0F);
  Floats saved = data.gates_x;
  const float* mask = c.masked ? data.mask.data() : nullptr;
  const float* h0 = c.initial ? data.h0.data() : nullptr;
  const std::int64_t first = c.reverse ? 1 : 0;  // slot before step 0
  if (c.cell == Cell::lstm) {
    r.states_c = filled((time + 1) * state);
    r.d_c0 = filled(state);
    const eddy::LstmKernel kernel(
        {.time = time, .batch = batch, .hidden = hidden, .reverse = c.reverse, .hard_sigmoid = c.hard});
    const eddy::Tensor forward_scratch = scratch_of(kernel.forward_scratch_bytes());
    const eddy::Tensor backward_scratch = scratch_of(kernel.backward_scratch_bytes());
    const float* c0 = c.initial ? data.c0.data() : nullptr;
    kernel.forward({.gates_x = saved.data(),
                    .w_h = data.w_h.data(),
                    .h0 = h0,
                    .c0 = c0,
                    .mask = mask,
                    .states_h = r.states_h.data(),
                    .states_c = r.states_c.data(),
                    .gates = saved.data()},
                   forward_scratch.data());
    // Inference gives the same states without keeping anything.
    Floats inference_h = filled((time + 1) * state), last = filled(state);
    kernel.forward({.gates_x = data.gates_x.data(),
                    .w_h = data.w_h.data(),
                    .h0 = h0,
                    .c0 = c0,
                    .mask = mask,
                    .states_h = inference_h.data(),
                    .c_last = last.data()},
                   forward_scratch.data());
    CHECK(inference_h == r.states_h);
    CHECK(std::equal(last.begin(), last.end(), r.states_c.begin() + (c.reverse ? 0 : time) * state));
    kernel.backward({.gates = saved.data(),
                     .states_c = r.states_c.data(),
                     .w_h = data.w_h.data(),
                     .mask = mask,
                     .d_states_h = data.d_h.data(),
                     .d_states_c = c.initial ? data.d_c.data() : nullptr,
                     .d_gates = saved.data(),
                     .d_h0 = r.d_h0.data(),
                     .d_c0 = r.d_c0.data()},
                    backward_scratch.data());
    r.d_gates_x = saved;
    add_product(r.states_h, first, r.d_gates_x, 4 * hidden, 0, 4 * hidden, c.sizes, r.d_w_h);
    return r;
  }
  const bool after = c.cell == Cell::gru_after;
  Floats extra = filled(time * state), gates_out = filled(time * 3 * state);
  r.d_gates_x = gates_out;
  r.d_gates_h = after ? gates_out : Floats();
  const eddy::GruKernel kernel({.time = time,
                                .batch = batch,
                                .hidden = hidden,
                                .reverse = c.reverse,
                                .hard_sigmoid = c.hard,
                                .reset_after = after});
  const eddy::Tensor forward_scratch = scratch_of(kernel.forward_scratch_bytes());
  const eddy::Tensor backward_scratch = scratch_of(kernel.backward_scratch_bytes());
  const float* b_h = after ? data.b_h.data() : nullptr;
  kernel.forward({.gates_x = data.gates_x.data(),
                  .w_h = data.w_h.data(),
                  .b_h = b_h,
                  .h0 = h0,
                  .mask = mask,
                  .states_h = r.states_h.data(),
                  .gates = gates_out.data(),
                  .extra = extra.data()},
                 forward_scratch.data());
  Floats inference_h = filled((time + 1) * state);
  kernel.forward({.gates_x = data.gates_x.data(),
                  .w_h = data.w_h.data(),
                  .b_h = b_h,
                  .h0 = h0,
                  .mask = mask,
                  .states_h = inference_h.data()},
                 forward_scratch.data());
  CHECK(inference_h == r.states_h);
  const eddy::GruBackward backward{.gates = gates_out.data(),
                                   .extra = extra.data(),
                                   .states_h = r.states_h.data(),
                                   .w_h = data.w_h.data(),
                                   .mask = mask,
                                   .d_states_h = data.d_h.data(),
                                   .d_gates_x = r.d_gates_x.data(),
                                   .d_gates_h = after ? r.d_gates_h.data() : nullptr,
                                   .d_h0 = r.d_h0.data()};
  kernel.backward(backward, backward_scratch.data());
  // In place of the gates it gives the same.
  eddy::GruBackward in_place = backward;
  in_place.d_gates_x = gates_out.data();
  kernel.backward(in_place, backward_scratch.data());
  CHECK(gates_out == r.d_gates_x);
  const std::int64_t width = 3 * hidden;
  if (after) {
    add_product(r.states_h, first, r.d_gates_h, width, 0, width, c.sizes, r.d_w_h);
  } else {
    add_product(r.states_h, first, r.d_gates_x, width, 0, 2 * hidden, c.sizes, r.d_w_h);
    add_product(extra, 0, r.d_gates_x, width, 2 * hidden, width, c.sizes, r.d_w_h);
  }
  return r;
}

Doubles widen(const Floats& values) { return {values.begin(), values.end()}; }

void check_case(const Case& c) {
  const std::int64_t time = c.sizes.time, batch = c.sizes.batch, hidden = c.sizes.hidden;
  INFO("cell ", static_cast<int>(c.cell), " T ", time, " B ", batch, " H ", hidden, " reverse ", c.reverse, " hard ",
       c.hard, " masked ", c.masked);
  const Data data(c);
  const Result got = run_kernels(c, data);
  Reference reference{c, {}, {}};
  Doubles gates_x = widen(data.gates_x), w_h = widen(data.w_h), b_h = widen(data.b_h), h0 = widen(data.h0),
          c0 = widen(data.c0);
  const auto loss = [&] { return reference.run(gates_x, w_h, b_h, h0, c0, data); };
  loss();
  CHECK(largest_difference(got.states_h, reference.states_h) < 2e-5);
  if (c.cell == Cell::lstm) CHECK(largest_difference(got.states_c, reference.states_c) < 2e-5);
  // Finite differences in double of a sample of elements of each input.
  const auto compare = [&](const char* name, Doubles& input, const Floats& gradient) {
    const std::size_t stride = std::max<std::size_t>(1, input.size() / 40);
    for (std::size_t i = 0; i < input.size(); i += stride) {
      const double at = input[i], step = 1e-5;
      input[i] = at + step;
      const double above = loss();
      input[i] = at - step;
      const double below = loss();
      input[i] = at;
      INFO(name, "[", i, "]");
      CHECK(std::fabs((above - below) / (2 * step) - gradient[i]) < 2e-4 * (1 + std::fabs(gradient[i])));
    }
  };
  compare("gates_x", gates_x, got.d_gates_x);
  compare("w_h", w_h, got.d_w_h);
  compare("h0", h0, got.d_h0);
  if (c.cell == Cell::lstm) compare("c0", c0, got.d_c0);
  if (c.cell == Cell::gru_after) {
    Floats d_b(data.b_h.size(), 0.0F);
    for (std::size_t i = 0; i < got.d_gates_h.size(); ++i) d_b[i % d_b.size()] += got.d_gates_h[i];
    compare("b_h", b_h, d_b);
  }
}

}  // namespace

TEST_CASE("recurrent kernels match the definition and its finite differences") {
  const Sizes sizes[] = {{1, 1, 1}, {4, 3, 5}, {3, 7, 20}, {2, 13, 37}, {5, 4, 16}, {2, 5, 130}};
  for (const Cell cell : {Cell::lstm, Cell::gru_after, Cell::gru_before})
    for (const Sizes& s : sizes)
      for (const bool reverse : {false, true})
        for (const bool masked : {false, true})
          check_case({.cell = cell, .sizes = s, .reverse = reverse, .masked = masked, .initial = s.batch != 4});
}

TEST_CASE("hard sigmoid gates") {
  for (const Cell cell : {Cell::lstm, Cell::gru_after, Cell::gru_before})
    check_case({.cell = cell, .sizes = {3, 4, 9}, .hard = true, .masked = true});
}

TEST_CASE("recurrent kernels give the same bits on any number of threads and every split") {
  const int before = eddy::num_threads();
  bool seen_rows = false, seen_columns = false;
  for (const Cell cell : {Cell::lstm, Cell::gru_after, Cell::gru_before})
    for (const Sizes& s : {Sizes{20, 13, 70}, Sizes{6, 3, 200}, Sizes{5, 40, 230}}) {
      const Case c{.cell = cell, .sizes = s, .masked = true};
      const Data data(c);
      eddy::set_num_threads(1);
      const Result one = run_kernels(c, data);
      for (const int threads : {2, 3}) {
        eddy::set_num_threads(threads);
        const eddy::RnnPlan plan = eddy::LstmKernel({.time = s.time, .batch = s.batch, .hidden = s.hidden}).plan();
        seen_rows |= plan.split == eddy::RnnSplit::rows;
        seen_columns |= plan.split == eddy::RnnSplit::columns;
        CHECK(run_kernels(c, data) == one);
      }
    }
  eddy::set_num_threads(before);
  CHECK(seen_rows);
  CHECK(seen_columns);
}

TEST_CASE("no steps, no rows") {
  const eddy::LstmKernel kernel({.time = 0, .batch = 2, .hidden = 3});
  const Floats h0 = random_values(6, 1), c0 = random_values(6, 2);
  Floats h(6), c(6), last(6);
  const eddy::Tensor scratch = scratch_of(kernel.forward_scratch_bytes());
  kernel.forward({.gates_x = nullptr,
                  .w_h = nullptr,
                  .h0 = h0.data(),
                  .c0 = c0.data(),
                  .states_h = h.data(),
                  .states_c = c.data(),
                  .c_last = last.data()},
                 scratch.data());
  CHECK(h == h0);
  CHECK(c == c0);
  CHECK(last == c0);
}

TEST_CASE("the LSTM kernels agree with oneDNN's LSTM primitive") {
  const Sizes s{7, 11, 48};
  const std::int64_t input = 33, rows = s.time * s.batch, width = 4 * s.hidden, state = s.batch * s.hidden;
  for (const bool reverse : {false, true}) {
    const Case c{.sizes = s, .reverse = reverse};
    Data data(c);
    const Floats x = random_values(rows * input, 11), w_x = random_values(input * width, 12, 0.3F),
                 bias = random_values(width, 13);
    const auto filled = [](std::int64_t n) { return Floats(static_cast<std::size_t>(n)); };
    // Only the outputs of steps and the last states have gradients in the primitive.
    const std::int64_t initial_slot = reverse ? s.time : 0, last_slot = reverse ? 0 : s.time,
                       first_output = reverse ? 0 : 1;
    std::fill_n(data.d_h.begin() + initial_slot * state, state, 0.0F);
    const Floats d_c_last(data.d_c.begin() + last_slot * state, data.d_c.begin() + (last_slot + 1) * state);
    std::fill(data.d_c.begin(), data.d_c.end(), 0.0F);
    std::copy(d_c_last.begin(), d_c_last.end(), data.d_c.begin() + last_slot * state);
    const Floats d_y(data.d_h.begin() + first_output * state, data.d_h.begin() + (first_output + s.time) * state);

    eddy::GemmConfig config;
    config.m = rows;
    config.n = width;
    config.k = input;
    config.has_bias = true;
    const eddy::Gemm gemm(config);
    gemm.run(x.data(), w_x.data(), data.gates_x.data(), bias.data(), scratch_of(gemm.scratch_bytes()).data());
    const Result got = run_kernels(c, data);

    eddy::DnnlLstm lstm(s.time, s.batch, input, s.hidden, reverse);
    lstm.set_weights(w_x.data(), data.w_h.data(), bias.data());
    Floats y = filled(s.time * state), h_last = filled(state), c_last = filled(state);
    lstm.forward(x.data(), data.h0.data(), data.c0.data(), y.data(), h_last.data(), c_last.data());
    const Floats zeros = filled(state);
    Floats d_x = filled(rows * input), d_h0 = filled(state), d_c0 = filled(state), d_w_x = filled(input * width),
           d_w_h = filled(s.hidden * width), d_bias = filled(width);
    lstm.backward(x.data(), data.h0.data(), data.c0.data(), y.data(), h_last.data(), c_last.data(), d_y.data(),
                  zeros.data(), d_c_last.data(), d_x.data(), d_h0.data(), d_c0.data(), d_w_x.data(), d_w_h.data(),
                  d_bias.data());
    const auto check_near = [](const char* name, const float* a, const Floats& b) {
      INFO(name);
      CHECK(largest_difference(std::span(a, b.size()), b) < 5e-5);
    };
    check_near("y", got.states_h.data() + first_output * state, y);
    check_near("c_last", got.states_c.data() + last_slot * state, c_last);
    check_near("d_h0", got.d_h0.data(), d_h0);
    check_near("d_c0", got.d_c0.data(), d_c0);
    check_near("d_w_h", got.d_w_h.data(), d_w_h);
  }
}
