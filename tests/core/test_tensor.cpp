// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "eddy/core/tensor.h"

namespace eddy::test {
namespace {

TEST_CASE("shapes: no axis of a negative size can be added") {
  CHECK_THROWS_WITH_AS(Shape({2}).appended(-3), doctest::Contains("negative size -3 into shape [2]"), GraphError);
  CHECK_THROWS_WITH_AS(Shape({-1, 32}), doctest::Contains("axis 0 of a shape has the negative size -1: [-1,32]"),
                       GraphError);
  CHECK_THROWS_WITH_AS(Shape({2}).inserted(0, -1), doctest::Contains("negative size -1"), GraphError);
  CHECK(Shape({2}).appended(0) == Shape{2, 0});
}

TEST_CASE("shapes and types are printed in messages as by to_string") {
  const TensorType type{i32, {2, 1, 3}};
  CHECK(fmt::format("{} and {}", type, type.shape) == "i32[2,1,3] and [2,1,3]");
  CHECK(fmt::format("{}", Shape()) == to_string(Shape()));
}

TEST_CASE("tensors: an empty one has nothing to copy or to look at") {
  CHECK(Tensor().values<float>().empty());
  const Tensor number = Tensor::scalar(1.0F);
  CHECK_THROWS_WITH_AS(Tensor().clone(), doctest::Contains("empty tensor"), GraphError);
  CHECK_THROWS_WITH_AS(number.copy_from(Tensor()), doctest::Contains("empty tensor"), GraphError);
  CHECK_THROWS_WITH_AS(Tensor().copy_from(number), doctest::Contains("empty tensor"), GraphError);
  CHECK(Tensor::view({f32, {0, 3}}, nullptr).clone().shape() == Shape{0, 3});
}

TEST_CASE("tensors: made of numbers of any container and kind, or of what is written down") {
  const auto numbers = [](const Tensor& tensor) {
    const auto values = tensor.values<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  const std::vector<float> expected = {1, 0.5F};
  CHECK(numbers(Tensor::from({1.0, 0.5}, {2})) == expected);
  CHECK(numbers(Tensor::from<float>({1, 0.5F}, {1, 2})) == expected);
  CHECK(numbers(Tensor::from(std::vector<double>{1, 0.5}, {2})) == expected);
  CHECK(numbers(Tensor::from(std::array{1.0F, 0.5F}, {2})) == expected);
  CHECK(numbers(Tensor::from(std::span(expected), {2})) == expected);

  const Tensor integers = Tensor::from(std::vector<std::int64_t>{-3, INT32_MAX}, {2});
  CHECK(integers.type() == TensorType{i32, {2}});
  CHECK(integers.values<std::int32_t>()[0] == -3);
  CHECK(integers.values<std::int32_t>()[1] == INT32_MAX);
  CHECK(Tensor::from({7, 8}, {2}).dtype() == i32);
  CHECK(Tensor::from(std::vector<bool>{true, false}, {2}).values<bool>()[0]);
  CHECK_FALSE(Tensor::from({true, false}, {2}).values<bool>()[1]);

  CHECK_THROWS_WITH_AS(Tensor::from(std::vector<std::int64_t>{std::int64_t{1} << 31}, {1}),
                       doctest::Contains("a value is 2147483648, which is no integer of 32 bits"), GraphError);
  CHECK_THROWS_WITH_AS(Tensor::from(std::vector<std::size_t>{SIZE_MAX}, {1}), doctest::Contains("32 bits"), GraphError);
  CHECK_THROWS_WITH_AS(Tensor::from({1, 2, 3}, {2}), doctest::Contains("the number of values is 3"), GraphError);
}

TEST_CASE("tensors: a view lies within, however far its offset is, and begins with an element") {
  const Tensor four(f32, {4});
  CHECK(four.view_at(8, {f32, {2}}).data() == static_cast<std::byte*>(four.data()) + 8);
  CHECK_THROWS_AS(four.view_at(12, {f32, {2}}), GraphError);
  CHECK_THROWS_AS(four.view_at(SIZE_MAX - 3, {f32, {1}}), GraphError);
  CHECK_THROWS_WITH_AS(four.view_at(2, {i32, {1}}), doctest::Contains("cannot begin at byte 2"), GraphError);
  CHECK(four.view_at(2, {boolean, {2}}).shape() == Shape{2});
}

}  // namespace
}  // namespace eddy::test
