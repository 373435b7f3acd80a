// SPDX-License-Identifier: Apache-2.0
// Kernels against oneDNN in alternation within one process: each round times every rival once, and the best round of
// each counts, so that the drift of a shared machine does not favour one of them. Results are compared first.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/mismatch.h"
#include "bench/positive_number.h"
#include "bench/timing.h"
#include "eddy/core/cpu.h"
#include "eddy/core/error.h"
#include "eddy/core/gemm.h"
#include "eddy/core/math.h"
#include "eddy/core/onednn.h"
#include "eddy/core/peak.h"
#include "eddy/core/rnn_kernels.h"
#include "eddy/core/tensor.h"

namespace {

using eddy::Gemm;
using eddy::GemmConfig;
using eddy::Tensor;
using eddy::bench::seconds_of;

int rounds = 7;
bool anything_wrong = false;

/// Whether both agree; says what differs when they do not.
bool agree(std::string_view name, const std::vector<Tensor>& own, const std::vector<Tensor>& dnnl) {
  const std::string wrong = eddy::bench::mismatch(own, dnnl, 1e-3);
  if (wrong.empty()) return true;
  fmt::print("{}: differs from oneDNN: {}\n", name, wrong);
  anything_wrong = true;
  return false;
}

/// Best seconds of each rival over alternating rounds, and the best FMA peak seen between them.
std::vector<double> race(const std::vector<std::function<void()>>& rivals, double* peak) {
  std::vector<double> best(rivals.size(), 1e9);
  std::vector<int> repeats(rivals.size());
  for (std::size_t i = 0; i < rivals.size(); ++i) {
    rivals[i]();
    const double once = seconds_of(rivals[i]);
    repeats[i] = static_cast<int>(std::clamp(0.02 / once, 1.0, 20000.0));
  }
  *peak = 0;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < rivals.size(); ++i) {
      const double elapsed = seconds_of([&] {
        for (int r = 0; r < repeats[i]; ++r) rivals[i]();
      });
      best[i] = std::min(best[i], elapsed / repeats[i]);
    }
    *peak = std::max(*peak, eddy::measure_fma_peak(0.004));
  }
  return best;
}

Tensor filled(std::int64_t floats, float scale = 1.0F) {
  Tensor tensor(eddy::f32, {std::max<std::int64_t>(floats, 1)});
  std::uint32_t state = 12345;
  for (float& v : tensor.values<float>()) {
    state = state * 1664525U + 1013904223U;
    v = scale * (static_cast<float>(state >> 8) / 8388608.0F - 1.0F);
  }
  return tensor;
}

float* floats(const Tensor& tensor) { return static_cast<float*>(tensor.data()); }
Tensor scratch_of(std::size_t bytes) { return Tensor(eddy::f32, {static_cast<std::int64_t>(bytes / 4) + 16}); }

void bench_gemm(std::string_view name, std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a,
                bool transpose_b) {
  GemmConfig config;
  config.m = m;
  config.n = n;
  config.k = k;
  config.transpose_a = transpose_a;
  config.transpose_b = transpose_b;
  const Gemm own(config);
  eddy::DnnlMatmul plain(config), packed(config, true);
  const Tensor a = filled(m * k), b = filled(k * n), c = filled(m * n), dnnl_c = filled(m * n),
               scratch = scratch_of(own.scratch_bytes()),
               dnnl_scratch = scratch_of(std::max(plain.scratch_bytes(), packed.scratch_bytes())),
               packed_b = scratch_of(packed.packed_b_bytes());
  const std::vector<std::function<void()>> rivals{
      [&] { own.run(floats(a), floats(b), floats(c), nullptr, scratch.data()); },
      [&] { plain.run(floats(a), floats(b), floats(dnnl_c), nullptr, dnnl_scratch.data()); },
      [&] {
        packed.pack_b(floats(b), floats(packed_b));
        packed.run(floats(a), floats(packed_b), floats(dnnl_c), nullptr, dnnl_scratch.data());
      }};
  rivals[0]();
  for (const std::size_t rival : {1U, 2U}) {
    rivals[rival]();
    if (!agree(name, {c}, {dnnl_c})) return;
  }
  double peak = 0;
  const std::vector<double> best = race(rivals, &peak);
  const double flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  fmt::print(
      "{:<14} {:>5}x{:>5}x{:>5} {}{}  own {:7.1f}  oneDNN {:7.1f}  packing {:7.1f} GFLOP/s  own/peak {:.2f}  "
      "own/oneDNN {:.2f}  own {:.2f} us\n",
      name, m, n, k, transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', flops / best[0] * 1e-9, flops / best[1] * 1e-9,
      flops / best[2] * 1e-9, flops / best[0] / peak, std::min(best[1], best[2]) / best[0], best[0] * 1e6);
  std::fflush(stdout);
}

/// `count` elements from `first` on.
Tensor part_of(const Tensor& tensor, std::int64_t first, std::int64_t count) {
  const Tensor part(eddy::f32, {count});
  std::copy_n(floats(tensor) + first, count, floats(part));
  return part;
}

GemmConfig product(std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a, bool transpose_b) {
  GemmConfig config;
  config.m = m;
  config.n = n;
  config.k = k;
  config.transpose_a = transpose_a;
  config.transpose_b = transpose_b;
  return config;
}

/// A layer's forward and backward with the products outside the time loop, next to oneDNN's primitive.
void bench_lstm(std::int64_t time, std::int64_t batch, std::int64_t input, std::int64_t hidden) {
  const std::int64_t rows = time * batch, width = 4 * hidden, state = batch * hidden;
  GemmConfig x_config = product(rows, width, input, false, false);
  x_config.has_bias = true;
  const Gemm x_gemm(x_config), dx_gemm(product(rows, input, width, false, true)),
      dwx_gemm(product(input, width, rows, true, false)), dwh_gemm(product(hidden, width, rows, true, false));
  const eddy::LstmKernel kernel({.time = time, .batch = batch, .hidden = hidden});
  const Tensor x = filled(rows * input), w_x = filled(input * width, 0.08F), w_h = filled(hidden * width, 0.08F),
               bias = filled(width), h0 = filled(state), c0 = filled(state), gates = filled(rows * width),
               states_h = filled((time + 1) * state), states_c = filled((time + 1) * state),
               d_states = filled((time + 1) * state), d_x = filled(rows * input), d_wx = filled(input * width),
               d_wh = filled(hidden * width), d_b = filled(width), d_h0 = filled(state), d_c0 = filled(state),
               d_last(eddy::f32, {state});
  std::size_t bytes = std::max(kernel.forward_scratch_bytes(), kernel.backward_scratch_bytes());
  for (const Gemm* gemm : {&x_gemm, &dx_gemm, &dwx_gemm, &dwh_gemm}) bytes = std::max(bytes, gemm->scratch_bytes());
  const Tensor scratch = scratch_of(bytes);
  const auto input_gemm = [&] { x_gemm.run(floats(x), floats(w_x), floats(gates), floats(bias), scratch.data()); };
  const auto forward = [&] {
    kernel.forward({.gates_x = floats(gates),
                    .w_h = floats(w_h),
                    .h0 = floats(h0),
                    .c0 = floats(c0),
                    .states_h = floats(states_h),
                    .states_c = floats(states_c),
                    .gates = floats(gates)},
                   scratch.data());
  };
  const auto backward = [&] {
    kernel.backward({.gates = floats(gates),
                     .states_c = floats(states_c),
                     .w_h = floats(w_h),
                     .d_states_h = floats(d_states),
                     .d_gates = floats(gates),
                     .d_h0 = floats(d_h0),
                     .d_c0 = floats(d_c0)},
                    scratch.data());
  };
  const auto outside = [&] {
    dx_gemm.run(floats(gates), floats(w_x), floats(d_x), nullptr, scratch.data());
    dwx_gemm.run(floats(x), floats(gates), floats(d_wx), nullptr, scratch.data());
    dwh_gemm.run(floats(states_h), floats(gates), floats(d_wh), nullptr, scratch.data());
    eddy::column_sum(floats(gates), rows, width, width, false, floats(d_b));
  };
  eddy::DnnlLstm dnnl(time, batch, input, hidden);
  dnnl.set_weights(floats(w_x), floats(w_h), floats(bias));
  const Tensor y = filled(time * state), h_last = filled(state), c_last = filled(state);
  // oneDNN's primitive takes no gradient of the initial state itself.
  std::fill_n(floats(d_states), state, 0.0F);
  std::vector<Tensor> d_dnnl;
  for (const Tensor& gradient : {d_x, d_h0, d_c0, d_wx, d_wh, d_b}) d_dnnl.emplace_back(gradient.type());
  const auto dnnl_forward = [&] {
    dnnl.forward(floats(x), floats(h0), floats(c0), floats(y), floats(h_last), floats(c_last));
  };
  const auto dnnl_both = [&] {
    dnnl_forward();
    dnnl.backward(floats(x), floats(h0), floats(c0), floats(y), floats(h_last), floats(c_last),
                  floats(d_states) + state, floats(d_last), floats(d_last), floats(d_dnnl[0]), floats(d_dnnl[1]),
                  floats(d_dnnl[2]), floats(d_dnnl[3]), floats(d_dnnl[4]), floats(d_dnnl[5]));
  };
  double peak = 0;
  // The parts run in a ring, so each finds the memory as it is in a step.
  std::vector<double> part(4, 1e9);
  const auto own = [&] {
    const double t[4] = {seconds_of(input_gemm), seconds_of(forward), seconds_of(backward), seconds_of(outside)};
    for (std::size_t i = 0; i < 4; ++i) part[i] = std::min(part[i], t[i]);
  };
  const auto own_forward = [&] {
    input_gemm();
    forward();
  };
  own();
  dnnl_both();
  std::vector<Tensor> found{part_of(states_h, state, time * state), d_x, d_h0, d_c0, d_wx, d_wh, d_b};
  std::vector<Tensor> expected{y};
  expected.insert(expected.end(), d_dnnl.begin(), d_dnnl.end());
  if (!agree(fmt::format("lstm {}x{}x{}->{}", time, batch, input, hidden), found, expected)) return;
  const std::vector<double> best = race({own, dnnl_both, own_forward, dnnl_forward}, &peak);
  const double forward_flops = 2.0 * static_cast<double>(rows * width) * static_cast<double>(input + hidden);
  const double recurrent = 2.0 * static_cast<double>(rows * width) * static_cast<double>(hidden);
  fmt::print(
      "lstm {}x{}x{}->{}: own {:.1f} ms = {:.2f} of peak ({:.0f}), oneDNN {:.1f} ms, own is {:.2f}x oneDNN "
      "(forward {:.2f}x); shares of peak: x*Wx {:.2f}, forward {:.2f}, backward {:.2f}, outside {:.2f}; {}\n",
      time, batch, input, hidden, best[0] * 1e3, 3 * forward_flops / best[0] / peak, peak * 1e-9, best[1] * 1e3,
      best[1] / best[0], best[3] / best[2], (forward_flops - recurrent) / part[0] / peak, recurrent / part[1] / peak,
      recurrent / part[2] / peak, (2 * forward_flops - recurrent) / part[3] / peak,
      kernel.plan().split == eddy::RnnSplit::columns ? "columns"
      : kernel.plan().split == eddy::RnnSplit::rows  ? "rows"
                                                     : "serial");
  std::fflush(stdout);
}

constexpr const char* kHelp =
    "bench_kernels [all|lstm|gemm] [ROUNDS]\n"
    "Times eddy's kernels against oneDNN's in alternation: layers of an LSTM, products of matrices or (the default)\n"
    "both. Of 7 rounds, or as many as are given, each one's best counts. Results are compared first; a kernel that is\n"
    "wrong is not timed, and makes the exit code 1.\n";

int rounds_from(std::string_view text) {
  const std::optional<int> number = eddy::bench::positive_number(text);
  eddy::require<eddy::UsageError>(number.has_value(), "'{}' is no number of rounds; see --help", text);
  return *number;
}

int run(const std::vector<std::string>& arguments) {
  if (std::ranges::count(arguments, "--help") + std::ranges::count(arguments, "-h") > 0) {
    fmt::print("{}", kHelp);
    return 0;
  }
  const std::string what = arguments.empty() ? "all" : arguments[0];
  eddy::require<eddy::UsageError>(what == "all" || what == "lstm" || what == "gemm", "unexpected '{}'; see --help",
                                  what);
  if (arguments.size() > 1) rounds = rounds_from(arguments[1]);
  eddy::require<eddy::UsageError>(arguments.size() <= 2, "unexpected '{}'; see --help", arguments.back());
  fmt::print("{}\nvectors {}, FMA peak {:.1f} GFLOP/s, copy {:.1f} GB/s\n", eddy::describe_cpu(), eddy::vector_target(),
             eddy::measure_fma_peak() * 1e-9, eddy::measure_copy_bandwidth() * 1e-9);
  if (what == "all" || what == "lstm") {
    for (const std::int64_t batch : {1, 3, 16, 128}) bench_lstm(50, batch, 128, 256);
    bench_lstm(50, 32, 128, 256);
    bench_lstm(100, 32, 256, 512);
    bench_lstm(100, 64, 512, 1024);
    if (what == "lstm") bench_lstm(400, 64, 512, 1024);
    bench_lstm(5, 3, 20, 20);
    bench_lstm(100, 1, 512, 512);
  }
  if (what == "all" || what == "gemm") {
    bench_gemm("softmax", 3200, 10000, 512, false, false);
    bench_gemm("softmax dx", 3200, 512, 10000, false, true);
    bench_gemm("softmax dW", 512, 10000, 3200, true, false);
    bench_gemm("input", 3200, 2048, 256, false, false);
    bench_gemm("input dx", 3200, 256, 2048, false, true);
    bench_gemm("input dWx", 256, 2048, 3200, true, false);
    bench_gemm("input dWh", 512, 2048, 3200, true, false);
    bench_gemm("input 1024", 6400, 4096, 512, false, false);
    bench_gemm("dx 1024", 6400, 512, 4096, false, true);
    bench_gemm("dWh 1024", 1024, 4096, 6400, true, false);
    bench_gemm("small", 64, 256, 256, false, false);
    bench_gemm("small", 32, 1024, 256, false, false);
    bench_gemm("small", 64, 256, 20, false, false);
    bench_gemm("small T", 16, 512, 512, false, true);
    bench_gemm("small T", 64, 256, 256, false, true);
    bench_gemm("vector", 1, 2048, 512, false, false);
    bench_gemm("vector T", 1, 10000, 512, false, true);
    bench_gemm("tiny", 16, 80, 20, false, false);
    bench_gemm("tiny", 3, 80, 20, false, false);
    bench_gemm("tiny dW", 20, 80, 15, true, false);
    bench_gemm("tiny dx", 15, 20, 80, false, true);
  }
  return anything_wrong ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const eddy::Error& error) {
    fmt::print(stderr, "bench_kernels: {}\n", error.what());
    return 1;
  }
}
