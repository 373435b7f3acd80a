// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/op_case.h"

#include <algorithm>
#include <utility>

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
