// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/maximum.h"

#include <algorithm>

#include "eddy/ops/better_of_two.h"

namespace eddy {
namespace {

struct Maximum final : BetterOfTwo<Maximum, Larger> {
  static constexpr std::string_view kName = "maximum";
};

}  // namespace

Value maximum(Operand a, Operand b) { return binary_node(Maximum{}, a, b); }

const RegisterBetterOfTwoCases cases_maximum("maximum", maximum, [](double a, double b) { return std::max(a, b); });

}  // namespace eddy
