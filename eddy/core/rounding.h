// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels and memory plans.

#include <concepts>
#include <type_traits>

namespace eddy {

/// The lowest multiple of `unit` that is not below `value`.
template <std::integral T>
constexpr T round_up(T value, std::type_identity_t<T> unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace eddy
