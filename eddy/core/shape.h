// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/core.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "eddy/core/dtype.h"

namespace eddy {

/// Sizes of a tensor, slowest axis first. At most `kMaxRank` axes; an empty shape is a scalar. A plain value.
class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  /// Throws GraphError for more than kMaxRank axes, a negative size, or 2^56 elements or more.
  explicit Shape(std::span<const std::int64_t> dims);

  int rank() const { return rank_; }
  /// Number of elements; 1 for a scalar.
  std::int64_t elements() const;
  /// Size of an axis; negative axes count from the end. Throws GraphError when out of range.
  std::int64_t dim(int axis) const { return dims_[static_cast<std::size_t>(normalize_axis(axis))]; }
  /// Neither the axis nor a size that is written is checked.
  std::int64_t operator[](int axis) const { return dims_[static_cast<std::size_t>(axis)]; }
  std::int64_t& operator[](int axis) { return dims_[static_cast<std::size_t>(axis)]; }
  /// Maps a possibly negative axis to 0..rank-1. Throws GraphError when out of range.
  int normalize_axis(int axis) const;

  const std::int64_t* begin() const { return dims_.data(); }
  const std::int64_t* end() const { return dims_.data() + rank_; }

  /// A copy with `size` appended, inserted before `axis`, or with `axis` removed. Throws GraphError for an axis out of
  /// range, a negative size or more than kMaxRank axes.
  Shape appended(std::int64_t size) const;
  Shape inserted(int axis, std::int64_t size) const;
  Shape removed(int axis) const;
  /// Product of the sizes of axes [first, last). Throws GraphError from 2^56 on; axes are not checked.
  std::int64_t product(int first, int last) const;

  friend bool operator==(const Shape& a, const Shape& b);

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

/// "[32,128]"; a scalar prints as "[]".
std::string to_string(const Shape& shape);

/// NumPy broadcasting of two shapes. Throws GraphError naming both when they do not fit.
Shape broadcast(const Shape& a, const Shape& b);
/// Whether `from` can be repeated to exactly `to`.
bool broadcasts_to(const Shape& from, const Shape& to);

/// DType and shape of a tensor or graph value; prints as "f32[32,128]".
struct TensorType {
  DType dtype = DType::f32;
  Shape shape;

  std::size_t bytes() const { return static_cast<std::size_t>(shape.elements()) * size_of(dtype); }
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

std::string to_string(const TensorType& type);

}  // namespace eddy

template <>
struct fmt::formatter<eddy::Shape> : fmt::formatter<fmt::string_view> {
  fmt::format_context::iterator format(const eddy::Shape& shape, fmt::format_context& context) const;
};

template <>
struct fmt::formatter<eddy::TensorType> : fmt::formatter<fmt::string_view> {
  fmt::format_context::iterator format(const eddy::TensorType& type, fmt::format_context& context) const;
};
