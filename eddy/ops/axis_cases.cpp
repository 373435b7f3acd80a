// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/axis_cases.h"

#include <utility>

#include "eddy/ops/axis_split.h"

namespace eddy {

RegisterAxisCases::RegisterAxisCases(const std::string& name, const AxisBuilder& build,
                                     const VectorReference& reference, Shape bench) {
  struct Kind {
    const char* label;
    Shape shape;
    int axis;
    float low;
    float high;
  };
  const std::vector<Kind> kinds{{"last", {3, 19}, -1, -2, 2},     {"middle", {2, 5, 3}, 1, -2, 2},
                                {"first", {4, 70}, 0, -2, 2},     {"vector", {7}, 0, -2, 2},
                                {"large", {3, 5}, -1, 996, 1000}, {"large_first", {5, 3}, 0, -1000, -996}};
  for (const Kind& kind : kinds) {
    OpCase op_case{
        .name = name + "/" + kind.label,
        .inputs = {{{f32, kind.shape}, kind.low, kind.high}},
        .build = [build, axis = kind.axis](Graph&, std::span<const Value> x) -> std::vector<Value> {
          return {build(x[0], axis)};
        },
        .reference =
            [reference, split = AxisSplit(kind.shape, kind.axis)](std::span<const std::vector<double>> x) {
              FlatArrays result(1);
              for (std::int64_t outer = 0; outer < split.outer; ++outer)
                for (std::int64_t i = 0; i < split.inner; ++i) {
                  std::vector<double> column;
                  for (std::int64_t k = 0; k < split.size; ++k)
                    column.push_back(x[0][static_cast<std::size_t>((outer * split.size + k) * split.inner + i)]);
                  const std::vector<double> values = reference(column);
                  const auto size = static_cast<std::int64_t>(values.size());
                  result[0].resize(static_cast<std::size_t>(split.outer * size * split.inner));
                  for (std::int64_t k = 0; k < size; ++k)
                    result[0][static_cast<std::size_t>((outer * size + k) * split.inner + i)] =
                        values[static_cast<std::size_t>(k)];
                }
              return result;
            },
        .value_tolerance = 1e-5,
    };
    // Steps of finite differences are coarse next to numbers near 1000.
    if (kind.low < -10 || kind.high > 10) op_case.gradient_tolerance = 1e-2;
    if (std::string_view(kind.label) == "last") op_case.bench_inputs = {{{f32, bench}}};
    const RegisterOpCase registration(std::move(op_case));
  }
}

}  // namespace eddy
