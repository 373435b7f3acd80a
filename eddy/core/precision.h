// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace eddy {

/// How exactly products of matrices take their f32 operands, where a processor gains by less: on AMX. Elsewhere, and
/// in products too small for its tiles, all mean highest. Sums are f32, and so is whatever is stored. In rising order.
enum class Precision : std::uint8_t {
  medium,   ///< as bf16: 8 significant bits, between 2 and 3 decimal digits
  high,     ///< as sums of two bf16: 16 bits, almost 5 digits
  highest,  ///< as they are: 24 bits, 7 digits
};

/// For the whole process; highest by default. Set it while no other thread uses eddy, before programs are compiled:
/// those that are keep what they were compiled for.
Precision matmul_precision();
void set_matmul_precision(Precision precision);

/// "medium", "high" or "highest".
std::string_view name_of(Precision precision);
std::optional<Precision> find_precision(std::string_view name);
/// Throws UsageError for any other text.
Precision precision_of(std::string_view name);

}  // namespace eddy
