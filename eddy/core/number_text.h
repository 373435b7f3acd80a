// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of what is printed.

#include <cstdint>
#include <string>
#include <string_view>

/// Pure functions.
namespace eddy {

/// "-1234567.5" as "-1,234,567.5"
std::string with_thousands(std::string digits);

/// 1234567 as "1,234,567"
std::string grouped(std::int64_t number);

/// "1 text", "1,234 texts"; `several` where that is no noun with an s, as in "1 class", "2 classes".
std::string counted(std::int64_t number, std::string_view one, std::string_view several = {});

}  // namespace eddy
