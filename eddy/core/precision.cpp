// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/precision.h"

#include <array>

#include "eddy/core/error.h"

namespace eddy {
namespace {

constexpr std::array kAll{Precision::medium, Precision::high, Precision::highest};

Precision setting = Precision::highest;

}  // namespace

Precision matmul_precision() { return setting; }

void set_matmul_precision(Precision precision) { setting = precision; }

std::string_view name_of(Precision precision) {
  constexpr std::array<std::string_view, 3> kNames{"medium", "high", "highest"};
  return kNames.at(static_cast<std::size_t>(precision));
}

std::optional<Precision> find_precision(std::string_view name) {
  for (const Precision precision : kAll)
    if (name == name_of(precision)) return precision;
  return std::nullopt;
}

Precision precision_of(std::string_view name) {
  const std::optional<Precision> found = find_precision(name);
  require<UsageError>(found.has_value(), "the precision of products is medium, high or highest, not '{}'", name);
  return *found;
}

}  // namespace eddy
