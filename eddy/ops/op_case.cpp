// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/op_case.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"

namespace eddy {
namespace {

struct Registry {
  std::vector<OpCase> cases;
  bool sorted = false;
};

// A function-local static, because registrations of other files run before this file's own.
Registry& registry() {
  static Registry instance;
  return instance;
}

std::vector<std::string> texts(std::span<const TensorType> types) {
  std::vector<std::string> result;
  for (const TensorType& type : types) result.push_back(to_string(type));
  return result;
}

}  // namespace

RegisterOpCase::RegisterOpCase(OpCase op_case) {
  registry().cases.push_back(std::move(op_case));
  registry().sorted = false;
}

std::span<const OpCase> op_cases() {
  Registry& all = registry();
  if (!std::exchange(all.sorted, true))
    std::ranges::stable_sort(all.cases, {}, [](const OpCase& op_case) -> const std::string& { return op_case.name; });
  return all.cases;
}

Tensor case_tensor(const CaseInput& input, Philox& random) {
  const Tensor tensor(input.type);
  const auto fill = [&](auto values, auto draw) {
    require<GraphError>(input.values.empty() || input.values.size() == values.size(),
                        "a case gives {} for an input of {}", counted(std::ssize(input.values), "fixed value"),
                        to_string(input.type));
    using T = typename decltype(values)::value_type;
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = input.values.empty() ? static_cast<T>(draw()) : static_cast<T>(input.values[i]);
  };
  if (input.spread) {
    std::vector<float> values(static_cast<std::size_t>(input.type.shape.elements()));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = (static_cast<float>(i) - static_cast<float>(values.size() / 2)) / 32;
    shuffle(std::span(values), random);
    return Tensor::from(values, input.type.shape);
  }
  switch (input.type.dtype) {
    case DType::f32: {
      constexpr double kGrid = 4096;
      const double first = std::ceil(input.low * kGrid);
      const double last = std::floor(input.high * kGrid);
      require<GraphError>(first <= last, "a case wants numbers in [{}, {}]", input.low, input.high);
      const auto steps = static_cast<std::uint64_t>(last - first) + 1;
      fill(tensor.values<float>(), [&] { return (first + static_cast<double>(uniform_index(random, steps))) / kGrid; });
      break;
    }
    case DType::i32: {
      const auto low = static_cast<std::int64_t>(input.low);
      const auto high = static_cast<std::int64_t>(input.high);
      require<GraphError>(low < high, "a case wants integers in [{}, {})", low, high);
      fill(tensor.values<std::int32_t>(), [&] {
        return low + static_cast<std::int64_t>(uniform_index(random, static_cast<std::uint64_t>(high - low)));
      });
      break;
    }
    case DType::boolean:
      fill(tensor.values<bool>(), [&] { return uniform_index(random, 2) == 1; });
      break;
  }
  return tensor;
}

std::vector<CaseInput> inputs_at(const OpCase& op_case, std::span<const TensorType> types) {
  std::vector<CaseInput> inputs = op_case.bench_inputs.empty() ? op_case.inputs : op_case.bench_inputs;
  const auto same_dtype = [](const CaseInput& input, const TensorType& type) { return input.type.dtype == type.dtype; };
  require<UsageError>(std::ranges::equal(inputs, types, same_dtype), "{} takes inputs as {}, not {}", op_case.name,
                      types_text(inputs), fmt::join(texts(types), ","));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    CaseInput& input = inputs[i];
    input.type = types[i];
    const auto size = static_cast<std::size_t>(types[i].shape.elements());
    if (const std::vector<double> once = input.values; !once.empty() && once.size() != size) {
      input.values.resize(size);
      for (std::size_t k = 0; k < size; ++k) input.values[k] = once[k % once.size()];
    }
    if (!input.index_of) continue;
    const CaseAxis& along = *input.index_of;
    const TensorType& table = types[static_cast<std::size_t>(along.input)];
    // Where there is no such axis the op itself will say what it wants.
    if (along.axis < table.shape.rank() && along.axis >= -table.shape.rank())
      input.high = static_cast<float>(table.shape.dim(along.axis));
  }
  return inputs;
}

std::string types_text(std::span<const CaseInput> inputs) {
  std::vector<TensorType> types;
  for (const CaseInput& input : inputs) types.push_back(input.type);
  return fmt::format("{}", fmt::join(texts(types), ","));
}

std::vector<TensorType> parse_types(std::string_view text) {
  // Larger tensors overflow sizes in bytes long before they fit in memory.
  constexpr std::int64_t kMostElements = std::int64_t{1} << 40;
  const auto wrong = [&](std::string_view what, std::string_view rest) {
    fail<UsageError>(
        "'{}': {} at '{}'; expected types with their sizes, as f32[3200,512],i32[3200], where a type is f32, i32 or "
        "bool and [] a scalar",
        text, what, rest);
  };
  std::vector<TensorType> types;
  std::string_view rest = text;
  const auto skip = [&](char c) {
    if (rest.empty() || rest[0] != c) return false;
    rest.remove_prefix(1);
    return true;
  };
  do {
    TensorType type;
    const std::string_view start = rest;
    const std::string_view name = rest.substr(0, rest.find_first_of("[,"));
    const std::array<DType, 3> all{f32, i32, boolean};
    const auto found = std::ranges::find_if(all, [&](DType dtype) { return to_string(dtype) == name; });
    if (found == all.end()) wrong("no type", start);
    type.dtype = *found;
    rest.remove_prefix(name.size());
    if (!skip('[')) wrong("no '['", start);
    std::vector<std::int64_t> sizes;
    std::int64_t elements = 1;
    while (!rest.starts_with(']')) {
      if (!sizes.empty() && !skip(',')) wrong("no ']'", start);
      std::int64_t size = 0;
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
      if (error != std::errc() || size < 1) wrong("no size of at least 1", rest);
      rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
      if (size > kMostElements / elements) wrong("too many elements", start);
      elements *= size;
      sizes.push_back(size);
    }
    if (sizes.size() > Shape::kMaxRank) wrong(fmt::format("more than {} axes", Shape::kMaxRank), start);
    rest.remove_prefix(1);
    type.shape = Shape(std::span<const std::int64_t>(sizes));
    types.push_back(type);
  } while (skip(','));
  if (!rest.empty()) wrong("no ','", rest);
  return types;
}

OpCase unary_case(std::string name, std::function<Value(Operand)> build, std::function<double(double)> reference,
                  float low, float high) {
  return {
      .name = std::move(name),
      .inputs = {{{f32, {3, 37}}, low, high}},
      .build = [build = std::move(build)](Graph&, std::span<const Value> inputs) -> std::vector<Value> {
        return {build(inputs[0])};
      },
      .reference =
          [reference = std::move(reference)](std::span<const std::vector<double>> inputs) {
            std::vector<double> result(inputs[0].size());
            std::ranges::transform(inputs[0], result.begin(), reference);
            return FlatArrays{std::move(result)};
          },
      .bench_inputs = {{{f32, {3200, 512}}, low, high}},
  };
}

OpCase binary_case(std::string name, std::function<Value(Operand, Operand)> build,
                   std::function<double(double, double)> reference, float low, float high) {
  return {
      .name = std::move(name),
      .inputs = {{{f32, {3, 1, 5}}, low, high}, {{f32, {4, 5}}, low, high}},
      .build = [build = std::move(build)](Graph&, std::span<const Value> inputs) -> std::vector<Value> {
        return {build(inputs[0], inputs[1])};
      },
      .reference =
          [reference = std::move(reference)](std::span<const std::vector<double>> inputs) {
            std::vector<double> result;
            for (std::size_t i = 0; i < 3; ++i)
              for (std::size_t j = 0; j < 4; ++j)
                for (std::size_t k = 0; k < 5; ++k)
                  result.push_back(reference(inputs[0][i * 5 + k], inputs[1][j * 5 + k]));
            return FlatArrays{std::move(result)};
          },
      .bench_inputs = {{{f32, {3200, 512}}, low, high}, {{f32, {3200, 512}}, low, high}},
  };
}

}  // namespace eddy
