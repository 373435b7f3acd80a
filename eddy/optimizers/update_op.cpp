// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/update_op.h"

#include <algorithm>
#include <cstring>

#include "eddy/core/number_text.h"
#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/user_line.h"
#include "eddy/optimizers/update_kernels.h"

namespace eddy {
namespace {

constexpr std::string_view op_name(UpdateRule::Kind kind) {
  switch (kind) {
    case UpdateRule::Kind::sgd:
      return "sgd_update";
    case UpdateRule::Kind::momentum:
      return "momentum_update";
    case UpdateRule::Kind::rmsprop:
      return "rmsprop_update";
    case UpdateRule::Kind::adagrad:
      return "adagrad_update";
    case UpdateRule::Kind::adam:
      return "adam_update";
    case UpdateRule::Kind::adamw:
      return "adamw_update";
  }
  return "?";
}

/// Updates the rows [begin, end): those in `indices` (ascending) with their gradient, the others with zeros.
void update_all_rows(const UpdateNumbers& numbers, const UpdateSpan& span, const std::int32_t* indices,
                     std::int64_t count, std::int64_t width, std::int64_t begin, std::int64_t end) {
  std::int64_t k = std::lower_bound(indices, indices + count, begin) - indices;
  for (std::int64_t row = begin; row < end;) {
    const std::int64_t next = k < count ? std::min<std::int64_t>(indices[k], end) : end;
    if (next > row) {
      UpdateSpan idle = span.from(row * width);
      idle.gradient = nullptr;
      update_elements(numbers, idle, (next - row) * width);
    }
    if (next < end) {
      UpdateSpan touched = span.from(next * width);
      touched.gradient = span.gradient + k++ * width;
      update_elements(numbers, touched, width);
    }
    row = next + 1;
  }
}

template <UpdateRule::Kind kKind>
struct UpdateOp final : OpClass<UpdateOp<kKind>> {
  static constexpr std::string_view kName = op_name(kKind);
  UpdateSettings settings;
  bool sparse;

  UpdateOp(const UpdateSettings& s, bool is_sparse) : settings(s), sparse(is_sparse) {}
  static void attributes(auto& op, auto&& visit) {
    visit("nesterov", op.settings.rule.nesterov);
    visit("centered", op.settings.rule.centered);
    visit("epsilon_inside_sqrt", op.settings.rule.epsilon_inside_sqrt);
    visit("momentum", op.settings.rule.momentum);
    visit("beta1", op.settings.rule.beta1);
    visit("beta2", op.settings.rule.beta2);
    visit("epsilon", op.settings.rule.epsilon);
    visit("rate_decay", op.settings.rule.rate_decay);
    visit("weight_decay", op.settings.rule.weight_decay);
    visit("rate_multiplier", op.settings.rate_multiplier);
    visit("clip_value", op.settings.clip_value);
    visit("only_touched_rows", op.settings.rows == UpdatedRows::touched);
    visit("sparse", op.sparse);
  }

  // inputs: parameter, slots…, gradient or (indices, rows), learning rate, step, gradient scale, proceed
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const TensorType& parameter = inputs[0];
    require<GraphError>(parameter.dtype == f32, "the parameter must be f32, it is {}", to_string(parameter));
    for (std::size_t i = 1; i < first_gradient(); ++i)
      require<GraphError>(inputs[i] == parameter, "the parameter is {}, its slot {}", to_string(parameter),
                          to_string(inputs[i]));
    const TensorType& gradient = inputs[controls() - 1];
    if (sparse) {
      const TensorType& indices = inputs[first_gradient()];
      require<GraphError>(
          parameter.shape.rank() >= 1 && indices.dtype == i32 && indices.shape.rank() == 1 && gradient.dtype == f32 &&
              gradient.shape.elements() == indices.shape[0] * width(parameter.shape),
          "rows {} at {} do not match the parameter {}", to_string(gradient), to_string(indices), to_string(parameter));
    } else {
      require<GraphError>(gradient == parameter, "the parameter is {}, its gradient {}", to_string(parameter),
                          to_string(gradient));
    }
    const DType expected[] = {f32, i32, f32, boolean};
    for (std::size_t i = 0; i < 4; ++i)
      require<GraphError>(inputs[controls() + i] == TensorType{expected[i], {}}, "control {} is {}, not {}[]", i,
                          to_string(inputs[controls() + i]), to_string(expected[i]));
    return std::vector<TensorType>(first_gradient(), parameter);
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    std::vector<Alias> result;
    for (int i = 0; i < static_cast<int>(first_gradient()); ++i)
      result.push_back({.output = i, .input = i, .kind = Alias::Kind::update});
    return result;
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    const bool all = !sparse || settings.rows == UpdatedRows::all;
    const auto gradient = static_cast<double>(inputs[controls() - 1].bytes());
    const double array = all ? static_cast<double>(inputs[0].bytes()) : gradient;
    const auto arrays = static_cast<double>(first_gradient());
    return {.flops = array / 4 * (2 + 4 * (arrays - 1)), .bytes = 2 * array * arrays + gradient};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t elements = context.inputs[0].shape.elements();
    if (!sparse) {
      return kernel(context, [elements](const UpdateNumbers& numbers, const UpdateSpan& span, const std::int32_t*) {
        parallel_for(elements, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
          update_elements(numbers, span.from(begin), end - begin);
        });
      });
    }
    const std::int64_t rows = context.inputs[0].shape[0];
    const std::int64_t named = context.inputs[first_gradient()].shape[0];
    const std::int64_t row_width = width(context.inputs[0].shape);
    const std::int64_t grain = grain_of(row_width);
    const bool all = settings.rows == UpdatedRows::all;
    return kernel(context, [=](const UpdateNumbers& numbers, const UpdateSpan& span, const std::int32_t* indices) {
      // The coalesced indices end with padding of -1.
      const std::int64_t count =
          std::partition_point(indices, indices + named, [](std::int32_t i) { return i >= 0; }) - indices;
      parallel_for(all ? rows : count, grain, [&](std::int64_t begin, std::int64_t end) {
        if (all) return update_all_rows(numbers, span, indices, count, row_width, begin, end);
        for (std::int64_t k = begin; k < end; ++k) {
          UpdateSpan row = span.from(indices[k] * row_width);
          row.gradient = span.gradient + k * row_width;
          update_elements(numbers, row, row_width);
        }
      });
    });
  }

 private:
  static std::int64_t width(const Shape& shape) { return shape.product(1, shape.rank()); }
  std::size_t first_gradient() const { return 1 + static_cast<std::size_t>(settings.rule.slots().count); }
  std::size_t controls() const { return first_gradient() + (sparse ? 2 : 1); }

  /// Wraps `update(numbers, span, indices)` with what every update does.
  template <class Update>
  Kernel kernel(const KernelContext& context, Update update) const {
    const auto arrays = static_cast<int>(first_gradient());
    const auto control = static_cast<int>(controls());
    const std::size_t bytes = context.inputs[0].bytes();
    return {.run = [=, settings = settings, sparse = sparse](const KernelArgs& args) {
      UpdateSpan span;
      for (int i = 0; i < arrays; ++i) {
        if (args.outputs[i] != args.inputs[i]) std::memcpy(args.outputs[i], args.inputs[i], bytes);
        if (i > 0) span.slots[static_cast<std::size_t>(i - 1)] = args.out<float>(i);
      }
      if (!*args.in<bool>(control + 3)) return;
      span.parameter = args.out<float>(0);
      span.gradient = args.in<float>(control - 1);
      const double rate = static_cast<double>(*args.in<float>(control)) * settings.rate_multiplier;
      UpdateNumbers numbers = update_numbers(settings.rule, rate, *args.in<std::int32_t>(control + 1));
      numbers.gradient_scale = *args.in<float>(control + 2);
      numbers.clip_value = static_cast<float>(settings.clip_value);
      update(numbers, span, sparse ? args.in<std::int32_t>(control - 2) : nullptr);
    }};
  }
};

std::shared_ptr<const Op> make_update(const UpdateSettings& settings, bool sparse) {
  using Kind = UpdateRule::Kind;
  switch (settings.rule.kind) {
    case Kind::sgd:
      return std::make_shared<const UpdateOp<Kind::sgd>>(settings, sparse);
    case Kind::momentum:
      return std::make_shared<const UpdateOp<Kind::momentum>>(settings, sparse);
    case Kind::rmsprop:
      return std::make_shared<const UpdateOp<Kind::rmsprop>>(settings, sparse);
    case Kind::adagrad:
      return std::make_shared<const UpdateOp<Kind::adagrad>>(settings, sparse);
    case Kind::adam:
      return std::make_shared<const UpdateOp<Kind::adam>>(settings, sparse);
    case Kind::adamw:
      return std::make_shared<const UpdateOp<Kind::adamw>>(settings, sparse);
  }
  fail<GraphError>("unknown update rule {}", static_cast<int>(settings.rule.kind));
}

}  // namespace

std::vector<Value> update_parameter(const UpdateSettings& settings, Value parameter, const std::vector<Value>& slots,
                                    const Gradient& gradient, const UpdateControls& controls, SourceLocation where) {
  const std::string_view op = op_name(settings.rule.kind);
  require_at(static_cast<int>(slots.size()) == settings.rule.slots().count, where, op, "{} given, {} needed",
             counted(std::ssize(slots), "slot"), settings.rule.slots().count);
  std::vector<Value> inputs{parameter};
  inputs.insert(inputs.end(), slots.begin(), slots.end());
  if (gradient.is_sparse()) {
    require_at(gradient.sparse_parts().size() == 1, where, op,
               "the row-sparse gradient has {} parts, coalesce it first", gradient.sparse_parts().size());
    inputs.push_back(gradient.sparse_parts()[0].indices);
    inputs.push_back(gradient.sparse_parts()[0].rows);
  } else {
    require_at(gradient.is_dense(), where, op, "the gradient is {}",
               gradient.empty() ? "empty" : "dense and row-sparse at once");
    inputs.push_back(gradient.dense_part());
  }
  inputs.insert(inputs.end(), {controls.learning_rate, controls.step, controls.gradient_scale, controls.proceed});
  Graph& graph = parameter.graph();
  std::vector<Value> result =
      graph.outputs(graph.add(make_update(settings, gradient.is_sparse()), std::move(inputs), where));
  return result;
}

}  // namespace eddy
