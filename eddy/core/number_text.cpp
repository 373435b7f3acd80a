// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/number_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace eddy {

std::string with_thousands(std::string digits) {
  std::size_t end = std::min(digits.find('.'), digits.size());
  const std::size_t begin = digits.starts_with('-') ? 1 : 0;
  while (end > begin + 3) {
    end -= 3;
    digits.insert(end, ",");
  }
  return digits;
}

std::string grouped(std::int64_t number) { return with_thousands(std::to_string(number)); }

std::string counted(std::int64_t number, std::string_view one, std::string_view several) {
  if (number == 1) return fmt::format("1 {}", one);
  return several.empty() ? fmt::format("{} {}s", grouped(number), one) : fmt::format("{} {}", grouped(number), several);
}

}  // namespace eddy
