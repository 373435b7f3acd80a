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

// --- LSTM ---------------------------------------------------------------------------------------------------------

namespace {

using ForwardLstm = dnnl::lstm_forward;
using BackwardLstm = dnnl::lstm_backward;

struct LstmDescs {
  memory::desc x, iter, w_x, w_h, bias, y;
};

ForwardLstm::primitive_desc make_forward(dnnl::rnn_direction direction, const LstmDescs& d,
                                         const dnnl::primitive_attr& attr) {
  const auto training = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return {runtime().engine, training, direction, d.x, d.iter, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter, d.iter, attr};
#else
  return {ForwardLstm::desc(training, direction, d.x, d.iter, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter, d.iter), attr,
          runtime().engine};
#endif
}

BackwardLstm::primitive_desc make_backward(dnnl::rnn_direction direction, const LstmDescs& d,
                                           const dnnl::primitive_attr& attr, const ForwardLstm::primitive_desc& hint) {
  const auto kind = dnnl::prop_kind::backward;
#if DNNL_VERSION_MAJOR >= 3
  return {runtime().engine, kind,   direction, d.x,   d.iter, d.iter, d.w_x,  d.w_h,  d.bias, d.y, d.iter, d.iter, d.x,
          d.iter,           d.iter, d.w_x,     d.w_h, d.bias, d.y,    d.iter, d.iter, hint,   attr};
#else
  return {BackwardLstm::desc(kind, direction, d.x, d.iter, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter, d.iter, d.x,
                             d.iter, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter, d.iter),
          attr, runtime().engine, hint};
#endif
}

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

}  // namespace

struct DnnlLstm::State {
  std::string name;
  dnnl::primitive forward, backward;
  Buffer forward_w_x, forward_w_h, backward_w_x, backward_w_h, bias, workspace, forward_scratch, backward_scratch;
  Buffer d_w_x, d_w_h, d_bias;
  memory plain_w_x, plain_w_h;
  memory x, h0, c0, y, h_last, c_last, d_x, d_h0, d_c0, d_y, d_h_last, d_c_last;
  dnnl::reorder unpack_w_x, unpack_w_h;
  std::vector<dnnl_exec_arg_t> forward_arguments, backward_arguments, unpack_w_x_arguments, unpack_w_h_arguments;
};

DnnlLstm::DnnlLstm(std::int64_t time, std::int64_t batch, std::int64_t input, std::int64_t hidden, bool reverse)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.name = fmt::format("oneDNN lstm T={} B={} E={} H={}", time, batch, input, hidden);
  translated(s.name, [&] {
    const auto direction =
        reverse ? dnnl::rnn_direction::unidirectional_right2left : dnnl::rnn_direction::unidirectional_left2right;
    const Dims w_x_dims{1, 1, input, 4, hidden}, w_h_dims{1, 1, hidden, 4, hidden};
    LstmDescs d;
    d.x = memory::desc(Dims{time, batch, input}, kF32, Tag::tnc);
    d.iter = memory::desc(Dims{1, 1, batch, hidden}, kF32, Tag::ldnc);
    d.w_x = memory::desc(w_x_dims, kF32, Tag::any);
    d.w_h = memory::desc(w_h_dims, kF32, Tag::any);
    d.bias = memory::desc(Dims{1, 1, 4, hidden}, kF32, Tag::ldgo);
    d.y = memory::desc(Dims{time, batch, hidden}, kF32, Tag::tnc);
    const auto forward = make_forward(direction, d, user_scratch_attr());
    const auto backward = make_backward(direction, d, user_scratch_attr(), forward);
    s.forward = ForwardLstm(forward);
    s.backward = BackwardLstm(backward);
    s.forward_w_x = Buffer(forward.weights_layer_desc());
    s.forward_w_h = Buffer(forward.weights_iter_desc());
    s.backward_w_x = Buffer(backward.weights_layer_desc());
    s.backward_w_h = Buffer(backward.weights_iter_desc());
    s.d_w_x = Buffer(backward.diff_weights_layer_desc());
    s.d_w_h = Buffer(backward.diff_weights_iter_desc());
    s.bias = Buffer(d.bias);
    s.d_bias = Buffer(d.bias);
    s.workspace = Buffer(forward.workspace_desc());
    s.forward_scratch = Buffer(forward.scratchpad_desc());
    s.backward_scratch = Buffer(backward.scratchpad_desc());
    s.plain_w_x = make_memory(memory::desc(w_x_dims, kF32, Tag::ldigo));
    s.plain_w_h = make_memory(memory::desc(w_h_dims, kF32, Tag::ldigo));
    for (memory* m : {&s.x, &s.d_x}) *m = make_memory(d.x);
    for (memory* m : {&s.y, &s.d_y}) *m = make_memory(d.y);
    for (memory* m : {&s.h0, &s.c0, &s.h_last, &s.c_last, &s.d_h0, &s.d_c0, &s.d_h_last, &s.d_c_last})
      *m = make_memory(d.iter);
    s.forward_arguments = {{DNNL_ARG_SRC_LAYER, s.x.get()},
                           {DNNL_ARG_SRC_ITER, s.h0.get()},
                           {DNNL_ARG_SRC_ITER_C, s.c0.get()},
                           {DNNL_ARG_WEIGHTS_LAYER, s.forward_w_x.mem.get()},
                           {DNNL_ARG_WEIGHTS_ITER, s.forward_w_h.mem.get()},
                           {DNNL_ARG_BIAS, s.bias.mem.get()},
                           {DNNL_ARG_DST_LAYER, s.y.get()},
                           {DNNL_ARG_DST_ITER, s.h_last.get()},
                           {DNNL_ARG_DST_ITER_C, s.c_last.get()},
                           {DNNL_ARG_WORKSPACE, s.workspace.mem.get()}};
    s.backward_arguments = s.forward_arguments;
    s.backward_arguments[3].memory = s.backward_w_x.mem.get();
    s.backward_arguments[4].memory = s.backward_w_h.mem.get();
    s.forward_arguments.push_back({DNNL_ARG_SCRATCHPAD, s.forward_scratch.mem.get()});
    for (const dnnl_exec_arg_t& argument :
         std::initializer_list<dnnl_exec_arg_t>{{DNNL_ARG_DIFF_SRC_LAYER, s.d_x.get()},
                                                {DNNL_ARG_DIFF_SRC_ITER, s.d_h0.get()},
                                                {DNNL_ARG_DIFF_SRC_ITER_C, s.d_c0.get()},
                                                {DNNL_ARG_DIFF_WEIGHTS_LAYER, s.d_w_x.mem.get()},
                                                {DNNL_ARG_DIFF_WEIGHTS_ITER, s.d_w_h.mem.get()},
                                                {DNNL_ARG_DIFF_BIAS, s.d_bias.mem.get()},
                                                {DNNL_ARG_DIFF_DST_LAYER, s.d_y.get()},
                                                {DNNL_ARG_DIFF_DST_ITER, s.d_h_last.get()},
                                                {DNNL_ARG_DIFF_DST_ITER_C, s.d_c_last.get()},
                                                {DNNL_ARG_SCRATCHPAD, s.backward_scratch.mem.get()}})
      s.backward_arguments.push_back(argument);
    s.unpack_w_x = dnnl::reorder(s.d_w_x.mem, s.plain_w_x);
    s.unpack_w_h = dnnl::reorder(s.d_w_h.mem, s.plain_w_h);
    s.unpack_w_x_arguments = {{DNNL_ARG_FROM, s.d_w_x.mem.get()}, {DNNL_ARG_TO, s.plain_w_x.get()}};
    s.unpack_w_h_arguments = {{DNNL_ARG_FROM, s.d_w_h.mem.get()}, {DNNL_ARG_TO, s.plain_w_h.get()}};
  });
}

DnnlLstm::~DnnlLstm() = default;
DnnlLstm::DnnlLstm(DnnlLstm&&) noexcept = default;
DnnlLstm& DnnlLstm::operator=(DnnlLstm&&) noexcept = default;

void DnnlLstm::set_weights(const float* w_x, const float* w_h, const float* bias) {
  State& s = *state_;
  translated(s.name, [&] {
    set_handle(s.plain_w_x, w_x);
    set_handle(s.plain_w_h, w_h);
    for (Buffer* target : {&s.forward_w_x, &s.backward_w_x}) reorder(s.plain_w_x, target->mem);
    for (Buffer* target : {&s.forward_w_h, &s.backward_w_h}) reorder(s.plain_w_h, target->mem);
    std::memcpy(s.bias.bytes.get(), bias, s.bias.size);
  });
}

void DnnlLstm::forward(const float* x, const float* h0, const float* c0, float* y, float* h_last, float* c_last) {
  State& s = *state_;
  for (auto [target, data] : std::initializer_list<std::pair<memory*, const float*>>{
           {&s.x, x}, {&s.h0, h0}, {&s.c0, c0}, {&s.y, y}, {&s.h_last, h_last}, {&s.c_last, c_last}})
    set_handle(*target, data);
  execute(s.forward, s.forward_arguments, s.name);
}

void DnnlLstm::backward(const float* x, const float* h0, const float* c0, const float* y, const float* h_last,
                        const float* c_last, const float* d_y, const float* d_h_last, const float* d_c_last, float* d_x,
                        float* d_h0, float* d_c0, float* d_w_x, float* d_w_h, float* d_bias) {
  State& s = *state_;
  for (auto [target, data] : std::initializer_list<std::pair<memory*, const float*>>{{&s.x, x},
                                                                                     {&s.h0, h0},
                                                                                     {&s.c0, c0},
                                                                                     {&s.y, y},
                                                                                     {&s.h_last, h_last},
                                                                                     {&s.c_last, c_last},
                                                                                     {&s.d_y, d_y},
                                                                                     {&s.d_h_last, d_h_last},
                                                                                     {&s.d_c_last, d_c_last},
                                                                                     {&s.d_x, d_x},
                                                                                     {&s.d_h0, d_h0},
                                                                                     {&s.d_c0, d_c0}})
    set_handle(*target, data);
  // The primitive adds to weight gradients.
  for (Buffer* gradient : {&s.d_w_x, &s.d_w_h, &s.d_bias}) std::memset(gradient->bytes.get(), 0, gradient->size);
  execute(s.backward, s.backward_arguments, s.name);
  set_handle(s.plain_w_x, d_w_x);
  set_handle(s.plain_w_h, d_w_h);
  execute(s.unpack_w_x, s.unpack_w_x_arguments, s.name);
  execute(s.unpack_w_h, s.unpack_w_h_arguments, s.name);
  std::memcpy(d_bias, s.d_bias.bytes.get(), s.d_bias.size);
}

// --- GRU ----------------------------------------------------------------------------------------------------------

namespace {

using ForwardGru = dnnl::lbr_gru_forward;
using BackwardGru = dnnl::lbr_gru_backward;

ForwardGru::primitive_desc make_forward_gru(const LstmDescs& d, const dnnl::primitive_attr& attr) {
  const auto training = dnnl::prop_kind::forward_training;
  const auto direction = dnnl::rnn_direction::unidirectional_left2right;
#if DNNL_VERSION_MAJOR >= 3
  return {runtime().engine, training, direction, d.x, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter, attr};
#else
  return {ForwardGru::desc(training, direction, d.x, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter), attr,
          runtime().engine};
#endif
}

BackwardGru::primitive_desc make_backward_gru(const LstmDescs& d, const dnnl::primitive_attr& attr,
                                              const ForwardGru::primitive_desc& hint) {
  const auto kind = dnnl::prop_kind::backward;
  const auto direction = dnnl::rnn_direction::unidirectional_left2right;
#if DNNL_VERSION_MAJOR >= 3
  return {runtime().engine, kind,  direction, d.x,    d.iter, d.w_x,  d.w_h, d.bias, d.y, d.iter, d.x,
          d.iter,           d.w_x, d.w_h,     d.bias, d.y,    d.iter, hint,  attr};
#else
  return {BackwardGru::desc(kind, direction, d.x, d.iter, d.w_x, d.w_h, d.bias, d.y, d.iter, d.x, d.iter, d.w_x, d.w_h,
                            d.bias, d.y, d.iter),
          attr, runtime().engine, hint};
#endif
}

}  // namespace

struct DnnlGru::State {
  std::string name;
  dnnl::primitive forward, backward;
  Buffer forward_w_x, forward_w_h, backward_w_x, backward_w_h, bias, workspace, forward_scratch, backward_scratch;
  Buffer d_w_x, d_w_h, d_bias;
  memory plain_w_x, plain_w_h, x, h0, y, h_last, d_x, d_h0, d_y, d_h_last;
  dnnl::reorder unpack_w_x, unpack_w_h;
  std::vector<dnnl_exec_arg_t> forward_arguments, backward_arguments, unpack_w_x_arguments, unpack_w_h_arguments;
};

DnnlGru::DnnlGru(std::int64_t time, std::int64_t batch, std::int64_t input, std::int64_t hidden)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.name = fmt::format("oneDNN gru T={} B={} E={} H={}", time, batch, input, hidden);
  translated(s.name, [&] {
    const Dims w_x_dims{1, 1, input, 3, hidden}, w_h_dims{1, 1, hidden, 3, hidden};
    LstmDescs d;
    d.x = memory::desc(Dims{time, batch, input}, kF32, Tag::tnc);
    d.iter = memory::desc(Dims{1, 1, batch, hidden}, kF32, Tag::ldnc);
    d.w_x = memory::desc(w_x_dims, kF32, Tag::any);
    d.w_h = memory::desc(w_h_dims, kF32, Tag::any);
    d.bias = memory::desc(Dims{1, 1, 4, hidden}, kF32, Tag::ldgo);
    d.y = memory::desc(Dims{time, batch, hidden}, kF32, Tag::tnc);
    const auto forward = make_forward_gru(d, user_scratch_attr());
    const auto backward = make_backward_gru(d, user_scratch_attr(), forward);
    s.forward = ForwardGru(forward);
    s.backward = BackwardGru(backward);
    s.forward_w_x = Buffer(forward.weights_layer_desc());
    s.forward_w_h = Buffer(forward.weights_iter_desc());
    s.backward_w_x = Buffer(backward.weights_layer_desc());
    s.backward_w_h = Buffer(backward.weights_iter_desc());
    s.d_w_x = Buffer(backward.diff_weights_layer_desc());
    s.d_w_h = Buffer(backward.diff_weights_iter_desc());
    s.bias = Buffer(d.bias);
    s.d_bias = Buffer(d.bias);
    s.workspace = Buffer(forward.workspace_desc());
    s.forward_scratch = Buffer(forward.scratchpad_desc());
    s.backward_scratch = Buffer(backward.scratchpad_desc());
    s.plain_w_x = make_memory(memory::desc(w_x_dims, kF32, Tag::ldigo));
    s.plain_w_h = make_memory(memory::desc(w_h_dims, kF32, Tag::ldigo));
    for (memory* m : {&s.x, &s.d_x}) *m = make_memory(d.x);
    for (memory* m : {&s.y, &s.d_y}) *m = make_memory(d.y);
    for (memory* m : {&s.h0, &s.h_last, &s.d_h0, &s.d_h_last}) *m = make_memory(d.iter);
    s.forward_arguments = {{DNNL_ARG_SRC_LAYER, s.x.get()},
                           {DNNL_ARG_SRC_ITER, s.h0.get()},
                           {DNNL_ARG_WEIGHTS_LAYER, s.forward_w_x.mem.get()},
                           {DNNL_ARG_WEIGHTS_ITER, s.forward_w_h.mem.get()},
                           {DNNL_ARG_BIAS, s.bias.mem.get()},
                           {DNNL_ARG_DST_LAYER, s.y.get()},
                           {DNNL_ARG_DST_ITER, s.h_last.get()},
                           {DNNL_ARG_WORKSPACE, s.workspace.mem.get()}};
    s.backward_arguments = s.forward_arguments;
    s.backward_arguments[2].memory = s.backward_w_x.mem.get();
    s.backward_arguments[3].memory = s.backward_w_h.mem.get();
    s.forward_arguments.push_back({DNNL_ARG_SCRATCHPAD, s.forward_scratch.mem.get()});
    for (const dnnl_exec_arg_t& argument :
         std::initializer_list<dnnl_exec_arg_t>{{DNNL_ARG_DIFF_SRC_LAYER, s.d_x.get()},
                                                {DNNL_ARG_DIFF_SRC_ITER, s.d_h0.get()},
                                                {DNNL_ARG_DIFF_WEIGHTS_LAYER, s.d_w_x.mem.get()},
                                                {DNNL_ARG_DIFF_WEIGHTS_ITER, s.d_w_h.mem.get()},
                                                {DNNL_ARG_DIFF_BIAS, s.d_bias.mem.get()},
                                                {DNNL_ARG_DIFF_DST_LAYER, s.d_y.get()},
                                                {DNNL_ARG_DIFF_DST_ITER, s.d_h_last.get()},
                                                {DNNL_ARG_SCRATCHPAD, s.backward_scratch.mem.get()}})
      s.backward_arguments.push_back(argument);
    s.unpack_w_x = dnnl::reorder(s.d_w_x.mem, s.plain_w_x);
    s.unpack_w_h = dnnl::reorder(s.d_w_h.mem, s.plain_w_h);
    s.unpack_w_x_arguments = {{DNNL_ARG_FROM, s.d_w_x.mem.get()}, {DNNL_ARG_TO, s.plain_w_x.get()}};
    s.unpack_w_h_arguments = {{DNNL_ARG_FROM, s.d_w_h.mem.get()}, {DNNL_ARG_TO, s.plain_w_h.get()}};
  });
}

DnnlGru::~DnnlGru() = default;
DnnlGru::DnnlGru(DnnlGru&&) noexcept = default;
DnnlGru& DnnlGru::operator=(DnnlGru&&) noexcept = default;

void DnnlGru::set_weights(const float* w_x, const float* w_h, const float* bias) {
  State& s = *state_;
  translated(s.name, [&] {
    set_handle(s.plain_w_x, w_x);
    set_handle(s.plain_w_h, w_h);
    for (Buffer* target : {&s.forward_w_x, &s.backward_w_x}) reorder(s.plain_w_x, target->mem);
    for (Buffer* target : {&s.forward_w_h, &s.backward_w_h}) reorder(s.plain_w_h, target->mem);
    std::memcpy(s.bias.bytes.get(), bias, s.bias.size);
  });
}

void DnnlGru::forward(const float* x, const float* h0, float* y, float* h_last) {
  State& s = *state_;
  for (auto [target, data] :
       std::initializer_list<std::pair<memory*, const float*>>{{&s.x, x}, {&s.h0, h0}, {&s.y, y}, {&s.h_last, h_last}})
    set_handle(*target, data);
  execute(s.forward, s.forward_arguments, s.name);
}

void DnnlGru::backward(const float* x, const float* h0, const float* y, const float* h_last, const float* d_y,
                       const float* d_h_last, float* d_x, float* d_h0, float* d_w_x, float* d_w_h, float* d_bias) {
  State& s = *state_;
  for (auto [target, data] : std::initializer_list<std::pair<memory*, const float*>>{{&s.x, x},
                                                                                     {&s.h0, h0},
                                                                                     {&s.y, y},
                                                                                     {&s.h_last, h_last},
                                                                                     {&s.d_y, d_y},
                                                                                     {&s.d_h_last, d_h_last},
                                                                                     {&s.d_x, d_x},
                                                                                     {&s.d_h0, d_h0}})
    set_handle(*target, data);
  // The primitive adds to weight gradients.
  for (Buffer* gradient : {&s.d_w_x, &s.d_w_h, &s.d_bias}) std::memset(gradient->bytes.get(), 0, gradient->size);
  execute(s.backward, s.backward_arguments, s.name);
  set_handle(s.plain_w_x, d_w_x);
  set_handle(s.plain_w_h, d_w_h);
  execute(s.unpack_w_x, s.unpack_w_x_arguments, s.name);
  execute(s.unpack_w_h, s.unpack_w_h_arguments, s.name);
  std::memcpy(d_bias, s.d_bias.bytes.get(), s.d_bias.size);
}

}  // namespace eddy
