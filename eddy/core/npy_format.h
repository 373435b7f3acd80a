// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of core/npy.h.

#include <cstdint>
#include <string>
#include <string_view>

#include "eddy/core/file_elements.h"
#include "eddy/core/tensor.h"

namespace eddy {

/// What the header of an .npy file says.
struct NpyHeader {
  FileElement element = FileElement::f32;
  bool big_endian = false;
  bool column_major = false;  ///< "fortran_order": the first axis runs fastest
  Shape shape;
  std::uint64_t data_offset = 0;
  std::uint64_t data_bytes = 0;
};

/// Bytes of the magic, the version and the largest length field.
inline constexpr std::size_t kNpyPrefix = 12;
/// More than this is no header.
inline constexpr std::size_t kNpyLargestHeader = std::size_t{1} << 20;

/// Length of magic, version, length field and header, told by the first min(kNpyPrefix, size) bytes of a file.
std::size_t npy_header_length(std::string_view prefix, std::string_view file);
/// Parses those bytes. DataError naming `file` and the byte.
NpyHeader parse_npy_header(std::string_view bytes, std::string_view file);
/// Everything before the elements; its length divides by 64.
std::string make_npy_header(const TensorType& type);
/// Reads the elements that follow the header.
Tensor read_npy_elements(const NpyHeader& header, const ByteSource& source, std::string_view file);

}  // namespace eddy
