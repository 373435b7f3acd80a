// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

/// Pure functions.
namespace eddy {

/// "-1234567.5" as "-1,234,567.5"
std::string with_thousands(std::string digits);

/// 1234567 as "1,234,567"
std::string grouped(std::int64_t number);

}  // namespace eddy
