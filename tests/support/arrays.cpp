// SPDX-License-Identifier: Apache-2.0
#include "tests/support/arrays.h"

#include <cmath>

#include "eddy/core/error.h"

namespace eddy::test {

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

}  // namespace eddy::test
