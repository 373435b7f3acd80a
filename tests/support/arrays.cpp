// SPDX-License-Identifier: Apache-2.0
#include "tests/support/arrays.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "eddy/core/error.h"

namespace eddy::test {

std::vector<double> to_doubles(const Tensor& tensor) {
  const auto convert = [](auto values) { return std::vector<double>(values.begin(), values.end()); };
  switch (tensor.dtype()) {
    case DType::f32:
      return convert(tensor.values<const float>());
    case DType::i32:
      return convert(tensor.values<const std::int32_t>());
    case DType::boolean:
      return convert(tensor.values<const bool>());
  }
  return {};
}

Tensor from_doubles(const TensorType& type, std::span<const double> values) {
  require<GraphError>(static_cast<std::int64_t>(values.size()) == type.shape.elements(), "{} values for {}",
                      values.size(), to_string(type));
  const Tensor tensor(type);
  const auto fill = [&](auto target) {
    using T = typename decltype(target)::value_type;
    for (std::size_t i = 0; i < values.size(); ++i) target[i] = static_cast<T>(values[i]);
  };
  switch (type.dtype) {
    case DType::f32:
      fill(tensor.values<float>());
      break;
    case DType::i32:
      fill(tensor.values<std::int32_t>());
      break;
    case DType::boolean:
      fill(tensor.values<bool>());
      break;
  }
  return tensor;
}

Tensor random_tensor(const TensorType& type, Philox& random, float low, float high) {
  std::vector<double> values(static_cast<std::size_t>(type.shape.elements()));
  for (double& value : values) value = std::floor(uniform_float(random, low, high) * 4096.0) / 4096.0;
  return from_doubles(type, values);
}

std::vector<Tensor> copies(std::span<const Tensor> tensors) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) result.push_back(tensor.clone());
  return result;
}

std::string bit_difference(std::span<const Tensor> got, std::span<const Tensor> expected) {
  if (got.size() != expected.size()) return fmt::format("{} tensors, expected {}", got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i].type() != expected[i].type())
      return fmt::format("tensor {} is {}, expected {}", i, to_string(got[i].type()), to_string(expected[i].type()));
    const std::size_t size = size_of(got[i].dtype());
    for (std::size_t at = 0; at < got[i].bytes(); at += size)
      if (std::memcmp(static_cast<const std::byte*>(got[i].data()) + at,
                      static_cast<const std::byte*>(expected[i].data()) + at, size) != 0)
        return fmt::format("tensor {} {} differs at element {}: {} and {}", i, to_string(got[i].type()), at / size,
                           to_doubles(got[i])[at / size], to_doubles(expected[i])[at / size]);
  }
  return {};
}

std::string difference(std::span<const double> got, std::span<const double> expected, double tolerance) {
  if (got.size() != expected.size()) return fmt::format("{} elements, expected {}", got.size(), expected.size());
  double worst = tolerance;
  std::size_t at = got.size();
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i]))) continue;
    const double error = std::abs(got[i] - expected[i]) / (1 + std::abs(expected[i]));
    if (error <= worst) continue;  // false for NaN
    at = i;
    if (std::isnan(error)) break;
    worst = error;
  }
  if (at == got.size()) return {};
  return fmt::format("element {} is {}, expected {} (tolerance {})", at, got[at], expected[at], tolerance);
}

std::string difference(std::span<const Tensor> got, std::span<const Tensor> expected, double tolerance) {
  if (got.size() != expected.size()) return fmt::format("{} tensors, expected {}", got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i].type() != expected[i].type())
      return fmt::format("tensor {} is {}, expected {}", i, to_string(got[i].type()), to_string(expected[i].type()));
    const std::string found = difference(to_doubles(got[i]), to_doubles(expected[i]), tolerance);
    if (!found.empty()) return fmt::format("tensor {}: {}", i, found);
  }
  return {};
}

}  // namespace eddy::test
