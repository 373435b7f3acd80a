// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstdint>

#include "eddy/core/dtype.h"

namespace eddy {

/// f(T()) with the C++ type T of elements of `dtype`.
template <class Function>
decltype(auto) with_element_type(DType dtype, const Function& f) {
  switch (dtype) {
    case DType::f32:
      return f(float());
    case DType::i32:
      return f(std::int32_t());
    case DType::boolean:
      break;
  }
  return f(bool());
}

}  // namespace eddy
