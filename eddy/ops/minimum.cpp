// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/minimum.h"

#include <algorithm>

#include "eddy/ops/better_of_two.h"

namespace eddy {
namespace {

struct Minimum final : BetterOfTwo<Minimum, Smaller> {
  static constexpr std::string_view kName = "minimum";
};

}  // namespace

Value minimum(Operand a, Operand b) { return binary_node(Minimum{}, a, b); }

const RegisterBetterOfTwoCases cases_minimum("minimum", minimum, [](double a, double b) { return std::min(a, b); });

}  // namespace eddy
