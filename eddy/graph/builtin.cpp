// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/builtin.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "eddy/core/element_type.h"
#include "eddy/core/math.h"
#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/user_line.h"

namespace eddy {
namespace {

struct AddN final : OpClass<AddN> {
  static constexpr std::string_view kName = "add_n";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0].dtype == f32, "terms must be f32, not {}", to_string(inputs[0]));
    for (const TensorType& type : inputs)
      require<GraphError>(type == inputs[0], "types differ: {} and {}", to_string(inputs[0]), to_string(type));
    return {inputs[0]};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return std::vector<Gradient>(context.inputs.size(), context.d_out(0));
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    const double elements = static_cast<double>(outputs[0].shape.elements());
    const double terms = static_cast<double>(inputs.size());
    return {.flops = elements * (terms - 1), .bytes = 4 * elements * (terms + 1)};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::share, .offset = 0, .elementwise = true}};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (inputs.size() == 1) return {inputs[0]};
    std::string_view asked;
    for (const Value& input : inputs) {
      const Op& op = *input.graph().node(input.node()).op;
      if (op.name() == std::exchange(asked, op.name())) continue;
      const std::vector<Value> fewer = op.fewer_terms(inputs);
      if (!fewer.empty()) return {add_n(fewer)};
    }
    return {};
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    if (std::ranges::find(context.stepped, false) != context.stepped.end()) return {};
    return {add_n({context.inputs.begin(), context.inputs.end()})};
  }
  TileFunction tile(std::span<const TensorType> inputs) const override {
    return [terms = inputs.size()](const void* const* in, void* out, std::int64_t n) {
      add_terms({in, terms}, static_cast<float*>(out), 0, n);
    };
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t elements = context.outputs[0].shape.elements();
    return {.run = [elements, terms = context.inputs.size()](const KernelArgs& args) {
      parallel_for(elements, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
        add_terms({args.inputs, terms}, args.out<float>(0), begin, end);
      });
    }};
  }

 private:
  /// The output may lie over any term, so all terms of a block are read before it is written.
  static void add_terms(std::span<const void* const> in, float* out, std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t kBlock = 512;
    std::array<float, kBlock> sum;
    for (std::int64_t at = begin; at < end; at += kBlock) {
      const std::int64_t count = std::min(kBlock, end - at);
      const float* so_far = static_cast<const float*>(in[0]) + at;
      if (in.size() == 1) std::copy_n(so_far, count, out + at);
      for (std::size_t term = 1; term < in.size(); ++term) {
        float* to = term + 1 == in.size() ? out + at : sum.data();
        vector_add(so_far, static_cast<const float*>(in[term]) + at, to, count);
        so_far = to;
      }
    }
  }
};

std::int64_t row_size(const Shape& table) { return table.product(1, table.rank()); }

/// The shape of the rows of a table at these indices.
Shape rows_of(const Shape& table, const Shape& indices) {
  Shape shape = indices;
  for (int axis = 1; axis < table.rank(); ++axis) shape = shape.appended(table[axis]);
  return shape;
}

void check_indices(const std::int32_t* indices, std::int64_t count, std::int64_t rows) {
  for (std::int64_t i = 0; i < count; ++i)
    require<GraphError>(indices[i] < rows, "index {} at position {} is out of range for a table of {} rows", indices[i],
                        i, rows);
}

struct ScatterAdd final : OpClass<ScatterAdd> {
  static constexpr std::string_view kName = "scatter_add";
  Shape shape;

  explicit ScatterAdd(const Shape& s) : shape(s) {}
  static void attributes(auto& op, auto&& visit) { visit("shape", op.shape); }

  // inputs: indices, rows, base (may be absent)
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(shape.rank() >= 1, "the table must have at least one axis");
    require<GraphError>(inputs[0].dtype == i32, "indices must be i32, not {}", to_string(inputs[0]));
    const TensorType table{f32, shape}, rows{f32, rows_of(shape, inputs[0].shape)};
    require<GraphError>(inputs[1] == rows, "rows must be {} for indices {} and a table {}, not {}", rows, inputs[0],
                        table, inputs[1]);
    if (inputs.size() > 2) require<GraphError>(inputs[2] == table, "base {} is not {}", inputs[2], table);
    return {table};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    std::vector<Gradient> result(context.inputs.size());
    if (context.needs(1)) result[1] = gather_rows(context.d_out(0), context.in(0));
    if (context.inputs.size() > 2) result[2] = context.d_out(0);
    return result;
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    const auto rows = static_cast<double>(inputs[1].bytes());
    return {.flops = rows / 4,
            .bytes = 3 * rows + static_cast<double>(outputs[0].bytes()) * (inputs.size() > 2 ? 2 : 1)};
  }
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    if (inputs.size() < 3) return {};
    return {{.output = 0, .input = 2, .kind = Alias::Kind::share}};
  }
  Value summed_over_time(const TimeContext& context) const override {
    if (context.inputs.size() > 2 || !context.stepped[0] || !context.stepped[1]) return {};
    return scatter_add({}, shape, context.in(0), context.in(1));
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t count = context.inputs[0].shape.elements();
    const std::int64_t width = row_size(shape);
    const std::int64_t table_rows = shape[0];
    const bool has_base = context.inputs.size() > 2;
    return {.run = [=](const KernelArgs& args) {
      const auto* indices = args.in<std::int32_t>(0);
      const float* rows = args.in<float>(1);
      float* out = args.out<float>(0);
      check_indices(indices, count, table_rows);
      const auto bytes = static_cast<std::size_t>(table_rows * width) * sizeof(float);
      if (!has_base) {
        std::memset(out, 0, bytes);
      } else if (args.inputs[2] != args.outputs[0]) {
        std::memcpy(out, args.in<float>(2), bytes);
      }
      // Threads share out columns, so repeated indices add up in one order.
      const std::int64_t grain = std::max<std::int64_t>(16, kElementwiseGrain / std::max<std::int64_t>(count, 1));
      parallel_for(width, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = 0; i < count; ++i) {
          if (indices[i] < 0) continue;
          float* target = out + indices[i] * width;
          const float* source = rows + i * width;
          for (std::int64_t j = begin; j < end; ++j) target[j] += source[j];
        }
      });
    }};
  }
};

struct GatherRows final : OpClass<GatherRows> {
  static constexpr std::string_view kName = "gather_rows";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0].shape.rank() >= 1, "the table must have at least one axis, it is {}",
                        to_string(inputs[0]));
    require<GraphError>(inputs[1].dtype == i32, "indices must be i32, not {}", to_string(inputs[1]));
    return {{inputs[0].dtype, rows_of(inputs[0].shape, inputs[1].shape)}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {RowSparse{.indices = context.in(1), .rows = context.d_out(0)}, {}};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return {.flops = 0, .bytes = 2.0 * static_cast<double>(outputs[0].bytes() + inputs[1].bytes())};
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    if (context.stepped[0]) return {};
    return {gather_rows(context.in(0), context.in(1))};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t count = context.inputs[1].shape.elements();
    const std::int64_t table_rows = context.inputs[0].shape[0];
    const std::size_t bytes =
        static_cast<std::size_t>(row_size(context.inputs[0].shape)) * size_of(context.inputs[0].dtype);
    return {.run = [=](const KernelArgs& args) {
      const auto* table = args.in<std::byte>(0);
      const auto* indices = args.in<std::int32_t>(1);
      auto* out = args.out<std::byte>(0);
      check_indices(indices, count, table_rows);
      const auto grain = static_cast<std::int64_t>(std::max<std::size_t>(1, 65536 / std::max<std::size_t>(bytes, 1)));
      parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          std::byte* target = out + static_cast<std::size_t>(i) * bytes;
          if (indices[i] < 0) {
            std::memset(target, 0, bytes);
          } else {
            std::memcpy(target, table + static_cast<std::size_t>(indices[i]) * bytes, bytes);
          }
        }
      });
    }};
  }
};

struct Copy final : OpClass<Copy> {
  static constexpr std::string_view kName = "copy";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  std::vector<Gradient> gradient(const GradientContext& context) const override { return {context.d_out(0)}; }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::size_t bytes = context.outputs[0].bytes();
    return {.run = [bytes](const KernelArgs& args) { std::memcpy(args.outputs[0], args.inputs[0], bytes); }};
  }
};

struct Full final : OpClass<Full> {
  static constexpr std::string_view kName = "full";
  TensorType type;
  double number;

  Full(const TensorType& t, double n) : type(t), number(t.dtype == f32 ? static_cast<float>(n) : n) {}
  static void attributes(auto& op, auto&& visit) {
    visit("dtype", op.type.dtype);
    visit("shape", op.type.shape);
    if (op.type.dtype == f32)
      visit("number", static_cast<float>(op.number));
    else
      visit("number", op.number);
  }
  std::vector<TensorType> infer(std::span<const TensorType>) const override {
    constexpr double kEnd = 1U << 31U;
    require<GraphError>(type.dtype != i32 || (number > -kEnd - 1 && number < kEnd), "{} is no i32", number);
    return {type};
  }
  Kernel make_kernel(const KernelContext&) const override {
    const std::int64_t elements = type.shape.elements();
    return with_element_type(type.dtype, [&](auto zero) {
      using T = decltype(zero);
      return Kernel{.run = [elements, value = static_cast<T>(number)](const KernelArgs& args) {
        std::fill_n(args.out<T>(0), elements, value);
      }};
    });
  }
};

struct After final : OpClass<After> {
  static constexpr std::string_view kName = "after";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    std::vector<Gradient> result(context.inputs.size());
    result[0] = context.d_out(0);
    return result;
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::view}};
  }
  Kernel make_kernel(const KernelContext&) const override { return {}; }
};

struct Assign final : OpClass<Assign> {
  static constexpr std::string_view kName = "assign";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0] == inputs[1], "the variable is {}, the new value {}", to_string(inputs[0]),
                        to_string(inputs[1]));
    return {inputs[0]};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::update}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::size_t bytes = context.outputs[0].bytes();
    return {.run = [bytes](const KernelArgs& args) { std::memmove(args.outputs[0], args.inputs[1], bytes); }};
  }
};

template <class O>
const O* leaf(Value value) {
  return value ? dynamic_cast<const O*>(value.graph().node(value.node()).op.get()) : nullptr;
}

}  // namespace

const Tensor* constant_of(Value value) {
  const auto* op = leaf<ConstantOp>(value);
  return op != nullptr ? &op->tensor : nullptr;
}

bool is_constant(Value value, float number) {
  if (const auto* op = leaf<Full>(value)) return op->number == number;
  const Tensor* tensor = constant_of(value);
  if (tensor == nullptr || tensor->dtype() != f32) return false;
  return std::ranges::all_of(tensor->values<const float>(), [number](float x) { return x == number; });
}

const Variable* variable_of(Value value) {
  const auto* op = leaf<VariableOp>(value);
  return op != nullptr ? op->variable.get() : nullptr;
}

namespace {

/// The graph of an argument that must be there.
Graph& graph_of(std::string_view op, Value value, SourceLocation where) {
  require_at(static_cast<bool>(value), where, op, "the argument is an empty value");
  return value.graph();
}

}  // namespace

Value add_n(const std::vector<Value>& values, SourceLocation where) {
  require_at(!values.empty(), where, AddN::kName, "nothing to add");
  if (values.size() == 1) return values[0];
  return add_node(graph_of(AddN::kName, values[0], where), AddN{}, values, where);
}

Value scatter_add(Value base, const Shape& shape, Value indices, Value rows, SourceLocation where) {
  std::vector<Value> inputs{indices, rows};
  if (base) inputs.push_back(base);
  return add_node(graph_of(ScatterAdd::kName, indices, where), ScatterAdd(shape), std::move(inputs), where);
}

Value gather_rows(Operand table, Operand indices) {
  return add_node(graph_of(GatherRows::kName, table.value, table.where), GatherRows{}, {table.value, indices.value},
                  table.where);
}

Value copy_of(Value value, SourceLocation where) {
  return add_node(graph_of(Copy::kName, value, where), Copy{}, {value}, where);
}

Value full(Graph& graph, const TensorType& type, double number, SourceLocation where) {
  return add_node(graph, Full(type, number), {}, where);
}

Value after(Value value, const std::vector<Value>& others, SourceLocation where) {
  std::vector<Value> inputs{value};
  inputs.insert(inputs.end(), others.begin(), others.end());
  return add_node(graph_of(After::kName, value, where), After{}, std::move(inputs), where);
}

Value assign(Value target, Operand value) {
  return add_node(graph_of(Assign::kName, target, value.where), Assign{}, {target, value.value}, value.where);
}

}  // namespace eddy
