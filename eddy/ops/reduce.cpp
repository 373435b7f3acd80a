// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/reduce.h"

#include <algorithm>
#include <numeric>

namespace eddy {

ReducedAxes::ReducedAxes(const Axes& over, bool keep_dims, int rank) : axes(over.list) {
  if (axes.empty()) {
    axes.resize(static_cast<std::size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (int& axis : axes)
    if (axis < 0 && axis >= -rank) axis += rank;
  std::ranges::sort(axes);
  if (keep_dims) kept = axes;
}

Shape ReducedAxes::result(const Shape& x) const {
  Shape shape = x;
  for (std::size_t i = axes.size(); i-- > 0;) {
    const int axis = axes[i];
    require<GraphError>(axis >= 0 && axis < x.rank(), "axis {} is out of range for x of shape {}", axis, x);
    require<GraphError>(i == 0 || axes[i - 1] != axis, "axis {} is given twice", axis);
    if (std::ranges::find(kept, axis) != kept.end()) {
      shape[axis] = 1;
    } else {
      shape = shape.removed(axis);
    }
  }
  return shape;
}

std::int64_t ReducedAxes::count(const Shape& x) const {
  std::int64_t product = 1;
  for (const int axis : axes) product *= x[axis];
  return product;
}

std::vector<int> ReducedAxes::dropped() const {
  std::vector<int> result;
  std::ranges::set_difference(axes, kept, std::back_inserter(result));
  return result;
}

}  // namespace eddy
