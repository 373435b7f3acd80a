// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstddef>
#include <cstdint>

/// The parts of LSTM and GRU layers that go step by step: the recurrent product and the gates. What does not depend on
/// the state stays outside, as plain products over all steps: gates_x = x*Wx + b before; dWx, dWh, db, dx after. For
/// inference, which needs gates_x but once, `forward` can make it of x too, a few steps at a time.
///
/// All arrays are dense row-major f32. Gate order: LSTM i, f, g, o; GRU r, z, n with h' = (1-z)*n + z*h. `mask` is
/// [time,batch] of 0 and 1, or null for all 1: a masked step carries the state through unchanged and costs next to
/// nothing. States have time+1 slots: forward direction keeps the initial state in slot 0 and the state after step t in
/// slot t+1; reverse keeps the initial state in slot `time` and the state after step t in slot t.
/// Calls with different scratch may run concurrently. Bits do not depend on the number of threads.
namespace eddy {

/// How a layer is spread over threads; a fixed function of the sizes and the thread count.
enum class RnnSplit : std::uint8_t {
  serial,
  rows,     ///< each thread does all steps for its rows of the batch: no barriers
  columns,  ///< each thread keeps its columns of the weights in cache; one or two barriers a step
};

struct RnnPlan {
  RnnSplit split = RnnSplit::serial;
  int threads = 1;
  int parts = 0;  ///< of the numbers of products on AMX's tiles; 0 for products on vectors
};

/// What gates_x is made of: x*Wx + b.
struct RnnInput {
  const float* x = nullptr;     ///< [time,batch,input]
  const float* w_x = nullptr;   ///< [input,gates*hidden]
  const float* bias = nullptr;  ///< [gates*hidden]
};

/// Rows of gates_x that are made at once: they stay in cache until their steps have used them.
constexpr std::int64_t kRnnInputRows = 256;

struct LstmConfig {
  std::int64_t time = 0;
  std::int64_t batch = 0;
  std::int64_t hidden = 0;
  std::int64_t input = 0;  ///< of RnnInput; 0: gates_x is given
  bool reverse = false;
  /// Gates i, f, o by clamp(0.2 x + 1/2, 0, 1) instead of the sigmoid.
  bool hard_sigmoid = false;
};

struct LstmForward {
  const float* gates_x;         ///< [time,batch,4*hidden]; unused with an input
  const float* w_h;             ///< [hidden,4*hidden]
  const float* h0 = nullptr;    ///< [batch,hidden]; null for zeros
  const float* c0 = nullptr;    ///< [batch,hidden]; null for zeros
  const float* mask = nullptr;  ///< [time,batch]
  float* states_h;              ///< out [time+1,batch,hidden]
  float* states_c = nullptr;    ///< out [time+1,batch,hidden]; null at inference
  float* gates = nullptr;       ///< out [time,batch,4*hidden] after activation; may be gates_x; null at inference.
                                ///< Rows of masked steps are 0, or left as they are in gates_x.
  float* c_last = nullptr;      ///< out [batch,hidden], needed when states_c is null
  RnnInput input = {};
};

struct LstmBackward {
  const float* gates;                 ///< as `forward` wrote them
  const float* states_c;              ///< as `forward` wrote them
  const float* w_h;                   ///< [hidden,4*hidden]
  const float* mask = nullptr;        ///< [time,batch]
  const float* d_states_h;            ///< [time+1,batch,hidden], gradient of every slot; null for zeros
  const float* d_states_c = nullptr;  ///< [time+1,batch,hidden]; null for zeros
  float* d_gates;                     ///< out [time,batch,4*hidden] before activation, 0 at masked steps; may be gates
  float* d_h0;                        ///< out [batch,hidden]
  float* d_c0;                        ///< out [batch,hidden]
};

/// Planned when built, for num_threads() and matmul_precision() at that time.
class LstmKernel {
 public:
  /// Throws Error for a negative size.
  explicit LstmKernel(const LstmConfig& config);

  const RnnPlan& plan() const { return plan_; }
  std::size_t forward_scratch_bytes() const;
  std::size_t backward_scratch_bytes() const;
  /// `scratch` lies on a kAlignment boundary.
  void forward(const LstmForward& io, void* scratch) const;
  void backward(const LstmBackward& io, void* scratch) const;

 private:
  LstmConfig config_;
  RnnPlan plan_;
};

struct GruConfig {
  std::int64_t time = 0;
  std::int64_t batch = 0;
  std::int64_t hidden = 0;
  std::int64_t input = 0;  ///< of RnnInput; 0: gates_x is given
  bool reverse = false;
  bool hard_sigmoid = false;
  /// True: n = tanh(xn + r*(h*Wn + bn)), as PyTorch and cuDNN. False: n = tanh(xn + (r*h)*Wn), as Cho et al. 2014.
  bool reset_after = true;
};

struct GruForward {
  const float* gates_x;         ///< [time,batch,3*hidden]; unused with an input
  const float* w_h;             ///< [hidden,3*hidden]
  const float* b_h = nullptr;   ///< [3*hidden], only with reset_after; null for zeros
  const float* h0 = nullptr;    ///< [batch,hidden]; null for zeros
  const float* mask = nullptr;  ///< [time,batch]
  float* states_h;              ///< out [time+1,batch,hidden]
  float* gates = nullptr;       ///< out [time,batch,3*hidden] after activation; may be gates_x; null at inference
  float* extra = nullptr;       ///< out [time,batch,hidden]: h*Wn + bn with reset_after, else r*h, which dWn needs
                                ///< (0 at masked steps); null at inference
  RnnInput input = {};
};

struct GruBackward {
  const float* gates;           ///< as `forward` wrote them
  const float* extra;           ///< as `forward` wrote them
  const float* states_h;        ///< as `forward` wrote them
  const float* w_h;             ///< [hidden,3*hidden]
  const float* mask = nullptr;  ///< [time,batch]
  const float* d_states_h;      ///< [time+1,batch,hidden], gradient of every slot; null for zeros
  float* d_gates_x;             ///< out [time,batch,3*hidden] before activation, 0 at masked steps; may be gates
  float* d_gates_h = nullptr;   ///< out [time,batch,3*hidden] with reset_after: the gradient of h*Wh + b_h, which
                                ///< differs from d_gates_x in block n. Unused otherwise.
  float* d_h0;                  ///< out [batch,hidden]
};

/// Planned when built, for num_threads() and matmul_precision() at that time. Weight gradients follow by plain products
/// over all steps: dWh = states^T * d_gates_h with reset_after; else dW[r,z] = states^T * d_gates_x[r,z] and dWn =
/// extra^T * d_gates_x[n].
class GruKernel {
 public:
  explicit GruKernel(const GruConfig& config);

  const RnnPlan& plan() const { return plan_; }
  std::size_t forward_scratch_bytes() const;
  std::size_t backward_scratch_bytes() const;
  void forward(const GruForward& io, void* scratch) const;
  void backward(const GruBackward& io, void* scratch) const;

 private:
  GruConfig config_;
  RnnPlan plan_;
};

}  // namespace eddy
