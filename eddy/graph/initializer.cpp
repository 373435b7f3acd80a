// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/initializer.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/core/math.h"
#include "eddy/core/number_text.h"
#include "eddy/core/threads.h"

namespace eddy {
namespace {

struct Matrix {
  std::int64_t rows, columns;
};

/// A weight as blocks of [rows, columns]; more axes than two count as rows.
Matrix block_of(const Tensor& value, int blocks) {
  const Shape& shape = value.shape();
  require<GraphError>(blocks >= 1, "an initializer needs at least one block, not {}", blocks);
  require<GraphError>(shape.rank() >= 1 && shape.dim(-1) % blocks == 0,
                      "a weight {} does not consist of {} blocks of columns", value.type(), blocks);
  return {shape.product(0, shape.rank() - 1), shape.dim(-1) / blocks};
}

/// Gram-Schmidt, twice for accuracy.
void orthonormalise_rows(float* rows, std::int64_t count, std::int64_t length) {
  for (std::int64_t i = 0; i < count; ++i) {
    float* row = rows + i * length;
    for (int pass = 0; pass < 2; ++pass) {
      for (std::int64_t j = 0; j < i; ++j) {
        const float* other = rows + j * length;
        vector_axpy(-static_cast<float>(vector_dot(row, other, length)), other, row, length);
      }
      vector_scale(static_cast<float>(1 / std::sqrt(vector_sum_squares(row, length))), row, row, length);
    }
  }
}

}  // namespace

Initializer zeros() {
  return [](const Tensor& value, Philox&) { std::memset(value.data(), 0, value.bytes()); };
}

Initializer constant_value(float number) {
  return [number](const Tensor& value, Philox&) {
    if (value.dtype() == i32) {
      for (std::int32_t& x : value.values<std::int32_t>()) x = static_cast<std::int32_t>(number);
    } else {
      for (float& x : value.values<float>()) x = number;
    }
  };
}

Initializer uniform(float limit) {
  return [limit](const Tensor& value, Philox& random) {
    for (float& x : value.values<float>()) x = uniform_float(random, -limit, limit);
  };
}

Initializer normal(float deviation) {
  return [deviation](const Tensor& value, Philox& random) {
    for (float& x : value.values<float>()) x = deviation * normal_float(random);
  };
}

Initializer glorot_uniform(int blocks) {
  return [blocks](const Tensor& value, Philox& random) {
    const Matrix block = block_of(value, blocks);
    uniform(std::sqrt(6.0f / static_cast<float>(block.rows + block.columns)))(value, random);
  };
}

Initializer orthogonal(float gain, int blocks) {
  return [gain, blocks](const Tensor& value, Philox& random) {
    const auto [rows, columns] = block_of(value, blocks);
    const bool wide = rows <= columns;
    const std::int64_t size = rows * columns;
    std::vector<float> q(static_cast<std::size_t>(blocks * size));
    for (float& x : q) x = normal_float(random);
    parallel_for(blocks, 1, [&, rows = rows, columns = columns](std::int64_t begin, std::int64_t end) {
      for (std::int64_t block = begin; block < end; ++block)
        orthonormalise_rows(q.data() + block * size, std::min(rows, columns), std::max(rows, columns));
    });
    float* out = value.values<float>().data();
    for (std::int64_t block = 0; block < blocks; ++block)
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < columns; ++c)
          out[(r * blocks + block) * columns + c] =
              gain * q[static_cast<std::size_t>(block * size + (wide ? r * columns + c : c * rows + r))];
  };
}

Initializer block_bias(int block, int blocks, float number) {
  return [block, blocks, number](const Tensor& value, Philox&) {
    require<GraphError>(block >= 0 && block < blocks, "a bias of {1} has no block {0}, counted from 0", block,
                        counted(blocks, "block"));
    const std::span<float> values = value.values<float>();
    require<GraphError>(values.size() % static_cast<std::size_t>(blocks) == 0, "a bias {} does not consist of {}",
                        value.type(), counted(blocks, "block"));
    const std::size_t size = values.size() / static_cast<std::size_t>(blocks);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = i / size == static_cast<std::size_t>(block) ? number : 0.0f;
  };
}

}  // namespace eddy
