// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/onednn.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <utility>
#include <vector>

#include "eddy/core/cpu.h"
#include "eddy/core/error.h"
#include "eddy/core/tensor.h"

static_assert(DNNL_VERSION_MAJOR >= 2, "oneDNN 2.6 or newer is needed");

namespace eddy {
namespace {

using dnnl::memory;
using Dims = memory::dims;
using Tag = memory::format_tag;

constexpr auto kF32 = memory::data_type::f32;

/// Caps the ISA where AMX is broken. Runs before the first engine is made, hence before any primitive.
void guard_isa() {
  const char* limit = std::getenv("ONEDNN_MAX_CPU_ISA");
  if (limit == nullptr) limit = std::getenv("DNNL_MAX_CPU_ISA");
  if (must_cap_onednn_isa(cpu_capabilities(), limit)) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core_bf16);
}

struct Runtime {
  dnnl::engine engine;
  dnnl::stream stream;
  Runtime() {
    guard_isa();
    engine = dnnl::engine(dnnl::engine::kind::cpu, 0);
    stream = dnnl::stream(engine);
  }
};

Runtime& runtime() {
  static Runtime instance;
  return instance;
}

std::string isa_name(dnnl_cpu_isa_t isa) {
  switch (isa) {
    case dnnl_cpu_isa_sse41:
      return "sse41";
    case dnnl_cpu_isa_avx:
      return "avx";
    case dnnl_cpu_isa_avx2:
      return "avx2";
    case dnnl_cpu_isa_avx2_vnni:
      return "avx2_vnni";
    case dnnl_cpu_isa_avx512_core:
      return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx:
      return "avx512_core_amx";
    default:
      return fmt::format("isa 0x{:x}", static_cast<unsigned>(isa));
  }
}

[[noreturn]] void rethrow(const dnnl::error& error, const std::string& what) {
  fail("[{}] oneDNN {} on {} says: {} (status {})", what, onednn_version(), onednn_isa(), error.what(),
       static_cast<int>(error.status));
}

/// Runs `body`, turning oneDNN's exceptions into eddy's.
template <class Body>
auto translated(const std::string& what, Body&& body) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    rethrow(error, what);
  }
}

memory make_memory(const memory::desc& desc) { return memory(desc, runtime().engine, DNNL_MEMORY_NONE); }

void set_handle(memory& target, const void* data) {
  // The C call: the C++ wrapper of 2.6 takes an optional stream, that of 3.x an index.
#if DNNL_VERSION_MAJOR >= 3
  const dnnl_status_t status = dnnl_memory_set_data_handle(target.get(), const_cast<void*>(data));
#else
  const dnnl_status_t status =
      dnnl_memory_set_data_handle_v2(target.get(), const_cast<void*>(data), runtime().stream.get());
#endif
  if (status != dnnl_success) fail("oneDNN {} refused a data pointer (status {})", onednn_version(), int(status));
}

/// Executes through the C interface: dnnl::primitive::execute builds a map on the heap each time.
void execute(const dnnl::primitive& primitive, const std::vector<dnnl_exec_arg_t>& arguments, const std::string& what) {
  const dnnl_status_t status = dnnl_primitive_execute(primitive.get(), runtime().stream.get(),
                                                      static_cast<int>(arguments.size()), arguments.data());
  if (status != dnnl_success)
    fail("[{}] oneDNN {} on {} failed to execute (status {})", what, onednn_version(), onednn_isa(), int(status));
}

dnnl::primitive_attr user_scratch_attr() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

void append_activation(dnnl::post_ops& ops, Activation activation) {
  dnnl::algorithm algorithm = dnnl::algorithm::undef;
  switch (activation) {
    case Activation::none:
      return;
    case Activation::relu:
      algorithm = dnnl::algorithm::eltwise_relu;
      break;
    case Activation::tanh:
      algorithm = dnnl::algorithm::eltwise_tanh;
      break;
    case Activation::sigmoid:
      algorithm = dnnl::algorithm::eltwise_logistic;
      break;
  }
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(algorithm, 0.0F, 0.0F);
#else
  ops.append_eltwise(1.0F, algorithm, 0.0F, 0.0F);
#endif
}

dnnl::matmul::primitive_desc make_matmul(const memory::desc& a, const memory::desc& b, const memory::desc* bias,
                                         const memory::desc& c, const dnnl::primitive_attr& attr) {
  dnnl::engine& engine = runtime().engine;
#if DNNL_VERSION_MAJOR >= 3
  return bias != nullptr ? dnnl::matmul::primitive_desc(engine, a, b, *bias, c, attr)
                         : dnnl::matmul::primitive_desc(engine, a, b, c, attr);
#else
  return bias != nullptr ? dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, *bias, c), attr, engine)
                         : dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, c), attr, engine);
#endif
}

}  // namespace

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

std::string onednn_isa() {
  runtime();
  return isa_name(dnnl_get_effective_cpu_isa());
}

// --- matmul -------------------------------------------------------------------------------------------------------

struct DnnlMatmul::State {
  std::string name;
  std::size_t scratch_bytes = 0;
  std::size_t packed_bytes = 0;
  dnnl::primitive primitive;
  dnnl::reorder pack;
  memory a, b, c, bias, scratch, plain_b;
  std::vector<dnnl_exec_arg_t> arguments;
  std::vector<dnnl_exec_arg_t> pack_arguments;
};

DnnlMatmul::DnnlMatmul(const GemmConfig& given, bool packed_b) : state_(std::make_unique<State>()) {
  const GemmConfig config = given.resolved();
  State& s = *state_;
  s.name = to_string(config);
  require(config.m > 0 && config.n > 0 && config.k > 0 && config.batch > 0, "[{}] oneDNN needs sizes above 0", s.name);
  translated(s.name, [&] {
    const bool batched = config.batch > 1;
    const auto desc = [&](std::int64_t batch, std::int64_t rows, std::int64_t cols, std::int64_t batch_stride,
                          std::int64_t row_stride, std::int64_t col_stride) {
      if (!batched) return memory::desc(Dims{rows, cols}, kF32, Dims{row_stride, col_stride});
      return memory::desc(Dims{batch, rows, cols}, kF32, Dims{batch_stride, row_stride, col_stride});
    };
    const auto operand = [&](std::int64_t rows, std::int64_t cols, bool transposed, std::int64_t ld,
                             std::int64_t stride) {
      const std::int64_t batch = stride == 0 ? 1 : config.batch;
      const std::int64_t batch_stride = stride == 0 ? rows * cols : stride;
      return transposed ? desc(batch, rows, cols, batch_stride, 1, ld) : desc(batch, rows, cols, batch_stride, ld, 1);
    };
    const memory::desc a = operand(config.m, config.k, config.transpose_a, config.lda, config.stride_a);
    const memory::desc b = operand(config.k, config.n, config.transpose_b, config.ldb, config.stride_b);
    const memory::desc c = desc(config.batch, config.m, config.n, config.stride_c, config.ldc, 1);
    const memory::desc bias =
        batched ? memory::desc(Dims{1, 1, config.n}, kF32, Tag::abc) : memory::desc(Dims{1, config.n}, kF32, Tag::ab);
    dnnl::primitive_attr attr = user_scratch_attr();
    dnnl::post_ops ops;
    if (config.accumulate) ops.append_sum(1.0F);
    append_activation(ops, config.activation);
    attr.set_post_ops(ops);
    const memory::desc b_any =
        batched ? memory::desc(Dims{config.stride_b == 0 ? 1 : config.batch, config.k, config.n}, kF32, Tag::any)
                : memory::desc(Dims{config.k, config.n}, kF32, Tag::any);
    const auto pd = make_matmul(a, packed_b ? b_any : b, config.has_bias ? &bias : nullptr, c, attr);
    s.primitive = dnnl::matmul(pd);
    s.a = make_memory(a);
    s.b = make_memory(pd.weights_desc());
    s.c = make_memory(c);
    s.scratch = make_memory(pd.scratchpad_desc());
    s.scratch_bytes = pd.scratchpad_desc().get_size();
    s.arguments = {{DNNL_ARG_SRC, s.a.get()},
                   {DNNL_ARG_WEIGHTS, s.b.get()},
                   {DNNL_ARG_DST, s.c.get()},
                   {DNNL_ARG_SCRATCHPAD, s.scratch.get()}};
    if (config.has_bias) {
      s.bias = make_memory(bias);
      s.arguments.push_back({DNNL_ARG_BIAS, s.bias.get()});
    }
    if (packed_b) {
      s.packed_bytes = pd.weights_desc().get_size();
      s.plain_b = make_memory(b);
      s.pack = dnnl::reorder(s.plain_b, s.b);
      s.pack_arguments = {{DNNL_ARG_FROM, s.plain_b.get()}, {DNNL_ARG_TO, s.b.get()}};
    }
  });
}

DnnlMatmul::~DnnlMatmul() = default;
DnnlMatmul::DnnlMatmul(DnnlMatmul&&) noexcept = default;
DnnlMatmul& DnnlMatmul::operator=(DnnlMatmul&&) noexcept = default;

std::size_t DnnlMatmul::scratch_bytes() const { return state_->scratch_bytes; }
std::size_t DnnlMatmul::packed_b_bytes() const { return state_->packed_bytes; }

void DnnlMatmul::pack_b(const float* b, float* packed) {
  State& s = *state_;
  require(s.packed_bytes != 0, "[{}] was built without packing", s.name);
  set_handle(s.plain_b, b);
  set_handle(s.b, packed);
  execute(s.pack, s.pack_arguments, s.name);
}

void DnnlMatmul::run(const float* a, const float* b, float* c, const float* bias, void* scratch) {
  State& s = *state_;
  set_handle(s.a, a);
  set_handle(s.b, b);
  set_handle(s.c, c);
  set_handle(s.scratch, scratch);
  if (s.bias) set_handle(s.bias, bias);
  execute(s.primitive, s.arguments, s.name);
}

// --- recurrent layers ---------------------------------------------------------------------------------------------

namespace {

struct RnnDescs {
  dnnl::rnn_direction direction = dnnl::rnn_direction::unidirectional_left2right;
  memory::desc x, iter, w_x, w_h, bias, y;
};

/// What differs between the two kinds of layer: gates, whether there is a cell state, and oneDNN's classes.
struct LstmCell {
  static constexpr std::string_view kName = "lstm";
  static constexpr std::int64_t kGates = 4;
  static constexpr bool kHasCellState = true;
  using Forward = dnnl::lstm_forward;
  using Backward = dnnl::lstm_backward;

  static Forward::primitive_desc forward(const RnnDescs& d, const dnnl::primitive_attr& attr) {
    const auto training = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
    return {runtime().engine, training, d.direction, d.x,    d.iter, d.iter, d.w_x, d.w_h,
            d.bias,           d.y,      d.iter,      d.iter, attr};
#else
    return {Forward::desc(training, d.direction, d.x, d.iter, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter, d.iter), attr,
            runtime().engine};
#endif
  }

  static Backward::primitive_desc backward(const RnnDescs& d, const dnnl::primitive_attr& attr,
                                           const Forward::primitive_desc& hint) {
    const auto kind = dnnl::prop_kind::backward;
#if DNNL_VERSION_MAJOR >= 3
    return {runtime().engine, kind,   d.direction, d.x,    d.iter, d.iter, d.w_x, d.w_h,  d.bias, d.y,
            d.iter,           d.iter, d.x,         d.iter, d.iter, d.w_x,  d.w_h, d.bias, d.y,    d.iter,
            d.iter,           hint,   attr};
#else
    return {Backward::desc(kind, d.direction, d.x, d.iter, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter, d.iter, d.x,
                           d.iter, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter, d.iter),
            attr, runtime().engine, hint};
#endif
  }
};

struct GruCell {
  static constexpr std::string_view kName = "gru";
  static constexpr std::int64_t kGates = 3;
  static constexpr bool kHasCellState = false;
  using Forward = dnnl::lbr_gru_forward;
  using Backward = dnnl::lbr_gru_backward;

  static Forward::primitive_desc forward(const RnnDescs& d, const dnnl::primitive_attr& attr) {
    const auto training = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
    return {runtime().engine, training, d.direction, d.x, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter, attr};
#else
    return {Forward::desc(training, d.direction, d.x, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter), attr,
            runtime().engine};
#endif
  }

  static Backward::primitive_desc backward(const RnnDescs& d, const dnnl::primitive_attr& attr,
                                           const Forward::primitive_desc& hint) {
    const auto kind = dnnl::prop_kind::backward;
#if DNNL_VERSION_MAJOR >= 3
    return {runtime().engine, kind,  d.direction, d.x,    d.iter, d.w_x,  d.w_h, d.bias, d.y, d.iter, d.x,
            d.iter,           d.w_x, d.w_h,       d.bias, d.y,    d.iter, hint,  attr};
#else
    return {Backward::desc(kind, d.direction, d.x, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter, d.x, d.iter, d.w_x, d.w_h,
                           d.bias, d.y, d.iter),
            attr, runtime().engine, hint};
#endif
  }
};

/// A memory that owns its bytes, zeroed.
struct Buffer {
  std::shared_ptr<std::byte> bytes;
  memory mem;
  std::size_t size = 0;
  Buffer() = default;
  explicit Buffer(const memory::desc& desc)
      : bytes(allocate_aligned(std::max<std::size_t>(desc.get_size(), 1))),
        mem(make_memory(desc)),
        size(desc.get_size()) {
    set_handle(mem, bytes.get());
  }
};

void reorder(memory& from, memory& to) {
  dnnl::reorder(from, to).execute(runtime().stream, from, to);
  runtime().stream.wait();
}

/// A state before the first step and after the last one, and their gradients.
struct StateMemories {
  memory first, last, d_first, d_last;
  explicit StateMemories(const memory::desc& desc)
      : first(make_memory(desc)), last(make_memory(desc)), d_first(make_memory(desc)), d_last(make_memory(desc)) {}
  StateMemories() = default;
};

/// A recurrent layer for training, forward and backward.
struct RnnLayer {
  using Handles = std::initializer_list<std::pair<memory*, const float*>>;

  std::string name;
  dnnl::primitive forward, backward;
  Buffer forward_w_x, forward_w_h, backward_w_x, backward_w_h, bias, workspace, forward_scratch, backward_scratch;
  Buffer d_w_x, d_w_h, d_bias;
  memory plain_w_x, plain_w_h, x, y, d_x, d_y;
  StateMemories h, c;
  dnnl::reorder unpack_w_x, unpack_w_h;
  std::vector<dnnl_exec_arg_t> forward_arguments, backward_arguments, unpack_w_x_arguments, unpack_w_h_arguments;

  template <class Cell>
  void make(std::int64_t time, std::int64_t batch, std::int64_t input, std::int64_t hidden, bool reverse) {
    name = fmt::format("oneDNN {} T={} B={} E={} H={}", Cell::kName, time, batch, input, hidden);
    translated(name, [&] {
      const Dims w_x_dims{1, 1, input, Cell::kGates, hidden}, w_h_dims{1, 1, hidden, Cell::kGates, hidden};
      RnnDescs d;
      if (reverse) d.direction = dnnl::rnn_direction::unidirectional_right2left;
      d.x = memory::desc(Dims{time, batch, input}, kF32, Tag::tnc);
      d.iter = memory::desc(Dims{1, 1, batch, hidden}, kF32, Tag::ldnc);
      d.w_x = memory::desc(w_x_dims, kF32, Tag::any);
      d.w_h = memory::desc(w_h_dims, kF32, Tag::any);
      d.bias = memory::desc(Dims{1, 1, 4, hidden}, kF32, Tag::ldgo);
      d.y = memory::desc(Dims{time, batch, hidden}, kF32, Tag::tnc);
      const auto forward_desc = Cell::forward(d, user_scratch_attr());
      const auto backward_desc = Cell::backward(d, user_scratch_attr(), forward_desc);
      forward = typename Cell::Forward(forward_desc);
      backward = typename Cell::Backward(backward_desc);
      forward_w_x = Buffer(forward_desc.weights_layer_desc());
      forward_w_h = Buffer(forward_desc.weights_iter_desc());
      backward_w_x = Buffer(backward_desc.weights_layer_desc());
      backward_w_h = Buffer(backward_desc.weights_iter_desc());
      d_w_x = Buffer(backward_desc.diff_weights_layer_desc());
      d_w_h = Buffer(backward_desc.diff_weights_iter_desc());
      bias = Buffer(d.bias);
      d_bias = Buffer(d.bias);
      workspace = Buffer(forward_desc.workspace_desc());
      forward_scratch = Buffer(forward_desc.scratchpad_desc());
      backward_scratch = Buffer(backward_desc.scratchpad_desc());
      plain_w_x = make_memory(memory::desc(w_x_dims, kF32, Tag::ldigo));
      plain_w_h = make_memory(memory::desc(w_h_dims, kF32, Tag::ldigo));
      for (memory* m : {&x, &d_x}) *m = make_memory(d.x);
      for (memory* m : {&y, &d_y}) *m = make_memory(d.y);
      h = StateMemories(d.iter);
      if (Cell::kHasCellState) c = StateMemories(d.iter);
      wire(Cell::kHasCellState);
    });
  }

  void set_weights(const float* w_x, const float* w_h, const float* bias_values) {
    translated(name, [&] {
      set_handle(plain_w_x, w_x);
      set_handle(plain_w_h, w_h);
      for (Buffer* target : {&forward_w_x, &backward_w_x}) reorder(plain_w_x, target->mem);
      for (Buffer* target : {&forward_w_h, &backward_w_h}) reorder(plain_w_h, target->mem);
      std::memcpy(bias.bytes.get(), bias_values, bias.size);
    });
  }

  void run_forward(Handles handles) {
    for (auto [target, data] : handles) set_handle(*target, data);
    execute(forward, forward_arguments, name);
  }

  void run_backward(Handles handles, float* out_d_w_x, float* out_d_w_h, float* out_d_bias) {
    for (auto [target, data] : handles) set_handle(*target, data);
    // The primitive adds to weight gradients.
    for (Buffer* gradient : {&d_w_x, &d_w_h, &d_bias}) std::memset(gradient->bytes.get(), 0, gradient->size);
    execute(backward, backward_arguments, name);
    set_handle(plain_w_x, out_d_w_x);
    set_handle(plain_w_h, out_d_w_h);
    execute(unpack_w_x, unpack_w_x_arguments, name);
    execute(unpack_w_h, unpack_w_h_arguments, name);
    std::memcpy(out_d_bias, d_bias.bytes.get(), d_bias.size);
  }

 private:
  void wire(bool has_cell_state) {
    std::vector<dnnl_exec_arg_t> both = {{DNNL_ARG_SRC_LAYER, x.get()},     {DNNL_ARG_SRC_ITER, h.first.get()},
                                         {DNNL_ARG_BIAS, bias.mem.get()},   {DNNL_ARG_DST_LAYER, y.get()},
                                         {DNNL_ARG_DST_ITER, h.last.get()}, {DNNL_ARG_WORKSPACE, workspace.mem.get()}};
    std::vector<dnnl_exec_arg_t> gradients = {
        {DNNL_ARG_DIFF_SRC_LAYER, d_x.get()},           {DNNL_ARG_DIFF_SRC_ITER, h.d_first.get()},
        {DNNL_ARG_DIFF_WEIGHTS_LAYER, d_w_x.mem.get()}, {DNNL_ARG_DIFF_WEIGHTS_ITER, d_w_h.mem.get()},
        {DNNL_ARG_DIFF_BIAS, d_bias.mem.get()},         {DNNL_ARG_DIFF_DST_LAYER, d_y.get()},
        {DNNL_ARG_DIFF_DST_ITER, h.d_last.get()}};
    if (has_cell_state) {
      both.push_back({DNNL_ARG_SRC_ITER_C, c.first.get()});
      both.push_back({DNNL_ARG_DST_ITER_C, c.last.get()});
      gradients.push_back({DNNL_ARG_DIFF_SRC_ITER_C, c.d_first.get()});
      gradients.push_back({DNNL_ARG_DIFF_DST_ITER_C, c.d_last.get()});
    }
    forward_arguments = both;
    forward_arguments.push_back({DNNL_ARG_WEIGHTS_LAYER, forward_w_x.mem.get()});
    forward_arguments.push_back({DNNL_ARG_WEIGHTS_ITER, forward_w_h.mem.get()});
    forward_arguments.push_back({DNNL_ARG_SCRATCHPAD, forward_scratch.mem.get()});
    backward_arguments = both;
    backward_arguments.insert(backward_arguments.end(), gradients.begin(), gradients.end());
    backward_arguments.push_back({DNNL_ARG_WEIGHTS_LAYER, backward_w_x.mem.get()});
    backward_arguments.push_back({DNNL_ARG_WEIGHTS_ITER, backward_w_h.mem.get()});
    backward_arguments.push_back({DNNL_ARG_SCRATCHPAD, backward_scratch.mem.get()});
    unpack_w_x = dnnl::reorder(d_w_x.mem, plain_w_x);
    unpack_w_h = dnnl::reorder(d_w_h.mem, plain_w_h);
    unpack_w_x_arguments = {{DNNL_ARG_FROM, d_w_x.mem.get()}, {DNNL_ARG_TO, plain_w_x.get()}};
    unpack_w_h_arguments = {{DNNL_ARG_FROM, d_w_h.mem.get()}, {DNNL_ARG_TO, plain_w_h.get()}};
  }
};

}  // namespace

struct DnnlLstm::State : RnnLayer {};

DnnlLstm::DnnlLstm(std::int64_t time, std::int64_t batch, std::int64_t input, std::int64_t hidden, bool reverse)
    : state_(std::make_unique<State>()) {
  state_->make<LstmCell>(time, batch, input, hidden, reverse);
}

DnnlLstm::~DnnlLstm() = default;
DnnlLstm::DnnlLstm(DnnlLstm&&) noexcept = default;
DnnlLstm& DnnlLstm::operator=(DnnlLstm&&) noexcept = default;

void DnnlLstm::set_weights(const float* w_x, const float* w_h, const float* bias) {
  state_->set_weights(w_x, w_h, bias);
}

void DnnlLstm::forward(const float* x, const float* h0, const float* c0, float* y, float* h_last, float* c_last) {
  State& s = *state_;
  s.run_forward({{&s.x, x}, {&s.h.first, h0}, {&s.c.first, c0}, {&s.y, y}, {&s.h.last, h_last}, {&s.c.last, c_last}});
}

void DnnlLstm::backward(const float* x, const float* h0, const float* c0, const float* y, const float* h_last,
                        const float* c_last, const float* d_y, const float* d_h_last, const float* d_c_last, float* d_x,
                        float* d_h0, float* d_c0, float* d_w_x, float* d_w_h, float* d_bias) {
  State& s = *state_;
  s.run_backward({{&s.x, x},
                  {&s.h.first, h0},
                  {&s.c.first, c0},
                  {&s.y, y},
                  {&s.h.last, h_last},
                  {&s.c.last, c_last},
                  {&s.d_y, d_y},
                  {&s.h.d_last, d_h_last},
                  {&s.c.d_last, d_c_last},
                  {&s.d_x, d_x},
                  {&s.h.d_first, d_h0},
                  {&s.c.d_first, d_c0}},
                 d_w_x, d_w_h, d_bias);
}

struct DnnlGru::State : RnnLayer {};

DnnlGru::DnnlGru(std::int64_t time, std::int64_t batch, std::int64_t input, std::int64_t hidden)
    : state_(std::make_unique<State>()) {
  state_->make<GruCell>(time, batch, input, hidden, false);
}

DnnlGru::~DnnlGru() = default;
DnnlGru::DnnlGru(DnnlGru&&) noexcept = default;
DnnlGru& DnnlGru::operator=(DnnlGru&&) noexcept = default;

void DnnlGru::set_weights(const float* w_x, const float* w_h, const float* bias) {
  state_->set_weights(w_x, w_h, bias);
}

void DnnlGru::forward(const float* x, const float* h0, float* y, float* h_last) {
  State& s = *state_;
  s.run_forward({{&s.x, x}, {&s.h.first, h0}, {&s.y, y}, {&s.h.last, h_last}});
}

void DnnlGru::backward(const float* x, const float* h0, const float* y, const float* h_last, const float* d_y,
                       const float* d_h_last, float* d_x, float* d_h0, float* d_w_x, float* d_w_h, float* d_bias) {
  State& s = *state_;
  s.run_backward({{&s.x, x},
                  {&s.h.first, h0},
                  {&s.y, y},
                  {&s.h.last, h_last},
                  {&s.d_y, d_y},
                  {&s.h.d_last, d_h_last},
                  {&s.d_x, d_x},
                  {&s.h.d_first, d_h0}},
                 d_w_x, d_w_h, d_bias);
}

}  // namespace eddy
