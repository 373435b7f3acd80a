// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/op_case.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "eddy/core/error.h"

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
                        "a case gives {} fixed values for an input of {}", input.values.size(), to_string(input.type));
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
