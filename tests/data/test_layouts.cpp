// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "eddy/data/layouts.h"

namespace eddy {

namespace {
constexpr std::int32_t kEos = 1;
const std::vector<std::int32_t> kText = {20, 21, 22, 23};  // w x y z
const std::vector<std::int32_t> kNone;
}  // namespace

TEST_CASE("language model: each token predicts the next, the last one <eos>") {
  CHECK(language_model_sequence(kText, kEos) == Sequence{{20, 21, 22, 23}, {21, 22, 23, 1}, {1, 1, 1, 1}});
  CHECK(language_model_sequence(kText, 24) == Sequence{{20, 21, 22, 23}, {21, 22, 23, 24}, {1, 1, 1, 1}});
  CHECK(language_model_sequence(kNone, kEos) == Sequence{});
}

TEST_CASE("linear label gain: from 0 to 1 over the text") {
  CHECK(label_gain_sequence(kText, 7) == Sequence{{20, 21, 22, 23}, {7, 7, 7, 7}, {0, 1.0f / 3, 2.0f / 3, 1}});
  CHECK(label_gain_sequence(std::vector<std::int32_t>{20}, 7) == Sequence{{20}, {7}, {1}});
  CHECK(label_gain_sequence(kNone, 7) == Sequence{});
}

}  // namespace eddy
