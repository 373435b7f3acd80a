// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: the adaptor of oneDNN, which tests and benchmarks compare with.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "eddy/core/gemm.h"

/// The adaptor to oneDNN, 2.6 or 3.x. No other file includes its headers or tests its version.
/// Primitives are made by constructors; `run` makes no heap allocation of its own and takes scratch from the caller.
/// One object serves one caller at a time; different objects may run concurrently. Errors are rethrown as eddy::Error
/// naming the op, its shapes, the ISA and the version.
namespace eddy {

/// "2.6.3"
std::string onednn_version();
/// "avx512_core_bf16"; the highest instruction set oneDNN will use, after the AMX guard.
std::string onednn_isa();

/// A matrix product by oneDNN's matmul primitive; the meaning of the configuration is that of Gemm.
class DnnlMatmul {
 public:
  /// With `packed_b`, B is first put by `pack_b` into the layout the primitive likes best.
  explicit DnnlMatmul(const GemmConfig& config, bool packed_b = false);
  ~DnnlMatmul();
  DnnlMatmul(DnnlMatmul&&) noexcept;
  DnnlMatmul& operator=(DnnlMatmul&&) noexcept;

  std::size_t scratch_bytes() const;
  /// Bytes of packed B; 0 without packing.
  std::size_t packed_b_bytes() const;
  void pack_b(const float* b, float* packed);
  /// `b` is what pack_b wrote when built with `packed_b`.
  void run(const float* a, const float* b, float* c, const float* bias, void* scratch);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// oneDNN's own single-layer f32 LSTM for training: the oracle of our tests and the rival of our benchmarks.
/// Gate order i, f, g, o; no masks. Shapes: x[time,batch,input], h0 and c0 [batch,hidden], w_x[input,4*hidden],
/// w_h[hidden,4*hidden], bias[4*hidden], y[time,batch,hidden].
class DnnlLstm {
 public:
  DnnlLstm(std::int64_t time, std::int64_t batch, std::int64_t input, std::int64_t hidden, bool reverse = false);
  ~DnnlLstm();
  DnnlLstm(DnnlLstm&&) noexcept;
  DnnlLstm& operator=(DnnlLstm&&) noexcept;

  /// Brings the weights into the layouts of both directions; needed after each change.
  void set_weights(const float* w_x, const float* w_h, const float* bias);
  void forward(const float* x, const float* h0, const float* c0, float* y, float* h_last, float* c_last);
  /// After `forward` on the same data. Gradients with respect to y, the last h and the last c come in; `d_w_x` ...
  /// are added to nothing: they are overwritten.
  void backward(const float* x, const float* h0, const float* c0, const float* y, const float* h_last,
                const float* c_last, const float* d_y, const float* d_h_last, const float* d_c_last, float* d_x,
                float* d_h0, float* d_c0, float* d_w_x, float* d_w_h, float* d_bias);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// oneDNN's own single-layer f32 GRU for training with the bias inside the reset gate ("linear before reset", as
/// PyTorch): the rival of our benchmarks. Gate order z, r, n, which oneDNN calls u, r, o; no masks. Shapes as for
/// DnnlLstm with 3*hidden for 4*hidden, but bias[4*hidden]: those of z, r, n and the recurrent one of n.
class DnnlGru {
 public:
  DnnlGru(std::int64_t time, std::int64_t batch, std::int64_t input, std::int64_t hidden);
  ~DnnlGru();
  DnnlGru(DnnlGru&&) noexcept;
  DnnlGru& operator=(DnnlGru&&) noexcept;

  void set_weights(const float* w_x, const float* w_h, const float* bias);
  void forward(const float* x, const float* h0, float* y, float* h_last);
  void backward(const float* x, const float* h0, const float* y, const float* h_last, const float* d_y,
                const float* d_h_last, float* d_x, float* d_h0, float* d_w_x, float* d_w_h, float* d_bias);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eddy
