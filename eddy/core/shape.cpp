// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/shape.h"

#include <algorithm>

#include "eddy/core/error.h"

namespace eddy {

Shape::Shape(std::span<const std::int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  require<GraphError>(rank_ <= kMaxRank, "a shape has at most {} axes, {} were given", int{kMaxRank}, dims.size());
  for (int i = 0; i < rank_; ++i) {
    const std::int64_t size = dims[static_cast<std::size_t>(i)];
    require<GraphError>(size >= 0,
                        "axis {} of a shape has the negative size {}: [{}]; a graph has fixed sizes, expected one for "
                        "each axis",
                        i, size, fmt::join(dims, ","));
    dims_[static_cast<std::size_t>(i)] = size;
  }
  elements();
}

std::int64_t Shape::elements() const { return product(0, rank_); }

std::int64_t Shape::product(int first, int last) const {
  std::int64_t result = 1;
  for (int i = first; i < last; ++i)
    // So far below the largest number that bytes can be counted too.
    require<GraphError>(!__builtin_mul_overflow(result, (*this)[i], &result) && result < std::int64_t{1} << 56,
                        "a shape of {} has too many elements", *this);
  return result;
}

int Shape::normalize_axis(int axis) const {
  require<GraphError>(axis >= -rank_ && axis < rank_, "axis {} is out of range for shape {}", axis, *this);
  return axis < 0 ? axis + rank_ : axis;
}

Shape Shape::appended(std::int64_t size) const { return inserted(rank_, size); }

Shape Shape::inserted(int axis, std::int64_t size) const {
  require<GraphError>(rank_ < kMaxRank, "shape {} has no room for another axis, {} are the most", *this, kMaxRank);
  require<GraphError>(axis >= 0 && axis <= rank_, "cannot insert axis {} into shape {}", axis, *this);
  require<GraphError>(size >= 0, "cannot insert an axis of the negative size {} into shape {}", size, *this);
  Shape result = *this;
  std::copy_backward(result.dims_.begin() + axis, result.dims_.begin() + rank_, result.dims_.begin() + rank_ + 1);
  result[axis] = size;
  ++result.rank_;
  return result;
}

Shape Shape::removed(int axis) const {
  const int position = normalize_axis(axis);
  Shape result = *this;
  std::copy(dims_.begin() + position + 1, dims_.begin() + rank_, result.dims_.begin() + position);
  --result.rank_;
  result[result.rank_] = 0;
  return result;
}

bool operator==(const Shape& a, const Shape& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ",")); }

Shape broadcast(const Shape& a, const Shape& b) {
  Shape result = a.rank() >= b.rank() ? a : b;
  for (int i = 1; i <= result.rank(); ++i) {
    const std::int64_t da = i <= a.rank() ? a[a.rank() - i] : 1;
    const std::int64_t db = i <= b.rank() ? b[b.rank() - i] : 1;
    require<GraphError>(da == db || da == 1 || db == 1, "shapes {} and {} do not broadcast: sizes {} and {} differ", a,
                        b, da, db);
    result[result.rank() - i] = da == 1 ? db : da;
  }
  return result;
}

bool broadcasts_to(const Shape& from, const Shape& to) {
  if (from.rank() > to.rank()) return false;
  for (int i = 1; i <= from.rank(); ++i) {
    const std::int64_t size = from[from.rank() - i];
    if (size != 1 && size != to[to.rank() - i]) return false;
  }
  return true;
}

std::string to_string(const TensorType& type) { return fmt::format("{}{}", to_string(type.dtype), type.shape); }

}  // namespace eddy

fmt::format_context::iterator fmt::formatter<eddy::Shape>::format(const eddy::Shape& shape,
                                                                  fmt::format_context& context) const {
  return fmt::formatter<fmt::string_view>::format(eddy::to_string(shape), context);
}

fmt::format_context::iterator fmt::formatter<eddy::TensorType>::format(const eddy::TensorType& type,
                                                                       fmt::format_context& context) const {
  return fmt::formatter<fmt::string_view>::format(eddy::to_string(type), context);
}
