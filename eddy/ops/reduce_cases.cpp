// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/reduce_cases.h"

#include <algorithm>
#include <map>
#include <utility>

namespace eddy {

OpCase reduce_case(std::string name, TensorType type, std::vector<int> axes, bool keep_dims, ReduceBuilder build,
                   ReduceReference reference) {
  return {
      .name = std::move(name),
      .inputs = {{type, -4, 4}},
      .build = [=](Graph&, std::span<const Value> x) -> std::vector<Value> { return {build(x[0], axes, keep_dims)}; },
      .reference =
          [=, shape = type.shape](std::span<const std::vector<double>> x) {
            // Elements with equal indices on the axes that stay belong together; such keys sort as the result does.
            std::map<std::vector<std::int64_t>, std::vector<double>> groups;
            for (std::int64_t i = 0; i < shape.elements(); ++i) {
              std::vector<std::int64_t> key;
              std::int64_t rest = i;
              for (int axis = shape.rank() - 1; axis >= 0; rest /= shape[axis], --axis) {
                const bool reduced = axes.empty() || std::ranges::any_of(axes, [&](int a) {
                                       return (a < 0 ? a + shape.rank() : a) == axis;
                                     });
                if (!reduced) key.insert(key.begin(), rest % shape[axis]);
              }
              groups[key].push_back(x[0][static_cast<std::size_t>(i)]);
            }
            FlatArrays result(1);
            for (const auto& [key, values] : groups) result[0].push_back(reference(values));
            return result;
          },
  };
}

RegisterReduceCases::RegisterReduceCases(const std::string& name, const ReduceBuilder& build,
                                         const ReduceReference& reference) {
  struct Kind {
    const char* label;
    Shape shape;
    std::vector<int> axes;
    Shape bench;
  };
  const std::vector<Kind> kinds{{"all", {3, 17}, {}, {3200, 2048}},
                                {"rows", {3, 17}, {-1}, {3200, 2048}},
                                {"columns", {19, 5}, {0}, {3200, 2048}},
                                {"many_columns", {2, 600}, {0}, {}},
                                {"many_rows", {150, 3}, {0}, {}},
                                {"middle", {2, 11, 3}, {1}, {}},
                                {"outer", {2, 3, 4, 5}, {0, 2}, {}},
                                {"inner", {2, 3, 4, 5}, {-1, 1}, {}},
                                {"long", {33000}, {0}, {}},
                                {"single", {3, 1, 4}, {1}, {}}};
  for (const Kind& kind : kinds) {
    for (const bool keep_dims : {false, true}) {
      if (keep_dims && kind.shape.elements() > 1000) continue;
      OpCase op_case = reduce_case(name + "/" + kind.label + (keep_dims ? "_kept" : ""), {f32, kind.shape}, kind.axes,
                                   keep_dims, build, reference);
      op_case.inputs[0].spread = name == "max" || name == "min";
      if (!keep_dims && kind.bench.rank() > 0) op_case.bench_inputs = {{{f32, kind.bench}}};
      const RegisterOpCase registration(std::move(op_case));
    }
  }
}

}  // namespace eddy
