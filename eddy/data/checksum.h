// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace eddy {

/// A 64-bit checksum that runs at memory speed. Every change within one 8-byte word changes it; other changes escape
/// with a chance of about 2^-64. Not against forgery. The same on every little-endian machine.
std::uint64_t checksum64(std::span<const std::byte> bytes, std::uint64_t seed = 0);

}  // namespace eddy
