// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "eddy/core/error.h"

/// A pure function.
namespace eddy {

/// Throws UsageError when a value is given twice: its results would have one name.
template <class T>
void check_distinct(std::string_view what, const std::vector<T>& values) {
  for (auto value = values.begin(); value != values.end(); ++value)
    require<UsageError>(std::find(values.begin(), value, *value) == value, "{} {} is given twice", what, *value);
}

}  // namespace eddy
