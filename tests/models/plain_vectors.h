// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace eddy::test {

using Vector = std::vector<double>;

inline Vector plus(Vector a, const Vector& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

/// x [rows] times w [rows, columns].
inline Vector product(const Vector& x, const Vector& w) {
  Vector result(w.size() / x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < result.size(); ++j) result[j] += x[i] * w[i * result.size() + j];
  return result;
}

}  // namespace eddy::test
