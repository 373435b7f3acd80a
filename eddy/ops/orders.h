// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <cstdint>
#include <limits>

#include "eddy/core/math.h"
#include "eddy/core/select.h"
#include "eddy/ops/compare.h"

namespace eddy {

// Which of two elements is the better one, for ops that come for the largest and for the smallest. NaN is the best of
// all in the functions on rows.

struct Larger {
  template <class T>
  static bool beats(T a, T b) {
    return a > b;
  }
  template <class T>
  static T worst() {
    using Limits = std::numeric_limits<T>;
    return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  }
  static float best_value(const float* x, std::int64_t n) { return vector_max_value(x, n); }
  static void best_values(const float* a, const float* b, float* out, std::int64_t n) { vector_max(a, b, out, n); }
  template <class T>
  static std::int64_t first_best(const T* x, std::int64_t n) {
    return vector_first_largest(x, n);
  }
  template <class T>
  static void keep_better(const T* x, std::int32_t index, T* best, std::int32_t* indices, std::int64_t n) {
    vector_keep_larger(x, index, best, indices, n);
  }
  static Value better(Value a, Value b) { return greater(a, b); }
};

struct Smaller {
  template <class T>
  static bool beats(T a, T b) {
    return a < b;
  }
  template <class T>
  static T worst() {
    using Limits = std::numeric_limits<T>;
    return Limits::has_infinity ? Limits::infinity() : Limits::max();
  }
  static float best_value(const float* x, std::int64_t n) { return vector_min_value(x, n); }
  static void best_values(const float* a, const float* b, float* out, std::int64_t n) { vector_min(a, b, out, n); }
  template <class T>
  static std::int64_t first_best(const T* x, std::int64_t n) {
    return vector_first_smallest(x, n);
  }
  template <class T>
  static void keep_better(const T* x, std::int32_t index, T* best, std::int32_t* indices, std::int64_t n) {
    vector_keep_smaller(x, index, best, indices, n);
  }
  static Value better(Value a, Value b) { return less(a, b); }
};

}  // namespace eddy
