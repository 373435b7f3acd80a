// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/shape.h"

namespace eddy {

/// Every buffer eddy allocates starts on this boundary.
inline constexpr std::size_t kAlignment = 64;

/// Memory on a `kAlignment` boundary, on large pages where it fills them; freed with its last owner. Throws
/// MemoryError.
std::shared_ptr<std::byte> allocate_uninitialised(std::size_t bytes);
/// The same, zeroed.
std::shared_ptr<std::byte> allocate_aligned(std::size_t bytes);

/// A dense row-major array. Copies share storage (as a view does); `clone` copies the elements.
/// Concurrent reads are safe; writes need outside synchronisation.
class Tensor {
 public:
  Tensor() = default;
  /// Zero-initialised, owning. Throws MemoryError.
  explicit Tensor(TensorType type);
  Tensor(DType dtype, Shape shape) : Tensor(TensorType{dtype, shape}) {}
  /// A view of foreign memory, which must outlive it.
  static Tensor view(TensorType type, void* data);

  /// Owning copies of the numbers, in order: float and double as f32, integers as i32, bool as boolean. `from` takes a
  /// vector, span or array of them, or what is written down, as in `Tensor::from({1, 2, 3}, {3})`. It throws GraphError
  /// when there are not as many as the shape has elements, or an integer is none of 32 bits.
  static Tensor scalar(float value);
  static Tensor scalar(std::int32_t value);
  template <std::ranges::sized_range Numbers>
  static Tensor from(const Numbers& values, const Shape& shape);
  template <class T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape) {
    return from(std::span<const T>(values.begin(), values.size()), shape);
  }

  explicit operator bool() const { return data_ != nullptr; }
  const TensorType& type() const { return type_; }
  DType dtype() const { return type_.dtype; }
  const Shape& shape() const { return type_.shape; }
  std::int64_t elements() const { return type_.shape.elements(); }
  std::size_t bytes() const { return type_.bytes(); }

  void* data() const { return data_.get(); }
  /// Elements as T; throws GraphError when T is not the dtype. They live as long as the storage; an empty tensor has
  /// none to look at.
  template <class T>
  std::span<T> values() const;
  /// The only element of a one-element tensor, as float. Throws GraphError for any other tensor.
  float item() const;

  /// Throws GraphError when empty.
  Tensor clone() const;
  /// A view of `type` that starts `offset` bytes into this tensor and shares its storage. Throws GraphError when it
  /// does not lie within or would begin inside an element.
  Tensor view_at(std::size_t offset, const TensorType& type) const;
  /// Copies the elements of `source`, which must have the same type; neither may be empty. Else GraphError.
  void copy_from(const Tensor& source) const;

 private:
  TensorType type_;
  std::shared_ptr<std::byte> data_;
};

template <class T>
std::span<T> Tensor::values() const {
  require<GraphError>(type_.dtype == DTypeOf<std::remove_const_t<T>>::value, "tensor {} read as {}", type_,
                      to_string(DTypeOf<std::remove_const_t<T>>::value));
  return {reinterpret_cast<T*>(data_.get()), data_ ? static_cast<std::size_t>(elements()) : 0};
}

template <std::ranges::sized_range Numbers>
Tensor Tensor::from(const Numbers& values, const Shape& shape) {
  using Given = std::ranges::range_value_t<Numbers>;
  static_assert(std::is_arithmetic_v<Given>, "tensors are made of numbers or truth values");
  using Element = std::conditional_t<std::is_floating_point_v<Given>, float,
                                     std::conditional_t<std::is_same_v<Given, bool>, bool, std::int32_t>>;
  const auto count = static_cast<std::int64_t>(std::ranges::size(values));
  require<GraphError>(count == shape.elements(), "the number of values is {}, but shape {} has {}", count, shape,
                      shape.elements());
  Tensor result(DTypeOf<Element>::value, shape);
  auto* element = result.values<Element>().data();
  for (const Given value : values) {
    if constexpr (std::is_same_v<Element, std::int32_t> && !std::is_same_v<Given, std::int32_t>)
      require<GraphError>(std::in_range<std::int32_t>(value), "a value is {}, which is no integer of 32 bits", value);
    *element++ = static_cast<Element>(value);
  }
  return result;
}

}  // namespace eddy
