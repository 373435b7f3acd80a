// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>

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
