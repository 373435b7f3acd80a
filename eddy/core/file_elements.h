// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "eddy/core/tensor.h"

/// Elements as array files store them, and their way into tensors. Stateless; safe to call concurrently.
namespace eddy {

/// Element types found in files. eddy writes boolean, i32 and f32 only.
enum class FileElement : std::uint8_t { boolean, i8, u8, i16, u16, i32, u32, i64, u64, f16, bf16, f32, f64 };

std::size_t size_of(FileElement element);
/// The dtype such elements get in a tensor: boolean, i32 for integers, f32 for floating point.
DType dtype_of(FileElement element);
/// True when reading changes the type: integers must then fit in 32 bits, f64 is rounded to f32.
bool is_converted(FileElement element);

/// A shape found in a file; DataError beginning with `what` when it has too many axes or
/// does not fit in memory.
Shape checked_shape(std::span<const std::uint64_t> dims, std::string_view what);

/// Fills the buffer with the next bytes of a file, or throws.
using ByteSource = std::function<void(std::span<std::byte>)>;

/// Reads the elements of `out`, whose dtype must be dtype_of(element), converting in pieces. `big_endian` swaps bytes.
/// Throws DataError beginning with `what` for a value that does not fit and for booleans other than 0 and 1. What
/// `source` throws passes through.
void read_elements(const ByteSource& source, FileElement element, bool big_endian, const Tensor& out,
                   std::string_view what);

}  // namespace eddy
