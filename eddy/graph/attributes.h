// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "eddy/core/tensor.h"

namespace eddy {

/// Prints each attribute an op declares as "name=value"; the text of a graph dump.
class AttributePrinter {
 public:
  template <class T>
  void operator()(std::string_view name, const T& value) {
    if (!text_.empty()) text_ += ", ";
    text_ += fmt::format("{}={}", name, format(value));
  }
  std::string take() { return std::move(text_); }

 private:
  template <class T>
  static std::string format(const T& value) {
    if constexpr (std::is_enum_v<T> && !std::same_as<T, DType>) {
      return fmt::format("{}", static_cast<int>(value));
    } else if constexpr (std::same_as<T, Shape> || std::same_as<T, DType>) {
      return std::string(to_string(value));
    } else if constexpr (std::same_as<T, Tensor>) {
      return value.elements() == 1 ? fmt::format("{}", value.item()) : to_string(value.type());
    } else if constexpr (requires { value.data(), value.size(), value[0]; } &&
                         !std::convertible_to<T, std::string_view>) {
      // Not fmt::join: GCC 12 warns falsely inside it.
      std::string text;
      for (const auto& item : value) text += fmt::format("{}{}", text.empty() ? "" : ",", item);
      return "[" + text + "]";
    } else {
      return fmt::format("{}", value);
    }
  }

  std::string text_;
};

/// Appends the exact bytes of each attribute: two ops of one name are equal when these strings are.
class AttributeSerializer {
 public:
  template <class T>
  void operator()(std::string_view name, const T& value) {
    append(name);
    append(value);
  }
  std::string take() { return std::move(bytes_); }

 private:
  template <class T>
  void append(const T& value) {
    if constexpr (std::convertible_to<T, std::string_view>) {
      const std::string_view text = value;
      append(text.size());
      bytes_.append(text);
    } else if constexpr (std::same_as<T, Shape>) {
      append(value.rank());
      for (const std::int64_t size : value) append(size);
    } else if constexpr (std::same_as<T, Tensor>) {
      append(value.dtype());
      append(value.shape());
      bytes_.append(static_cast<const char*>(value.data()), value.bytes());
    } else if constexpr (std::is_trivially_copyable_v<T>) {
      bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    } else {
      append(value.size());
      for (const auto& item : value) append(item);
    }
  }

  std::string bytes_;
};

}  // namespace eddy
