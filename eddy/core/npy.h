// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "eddy/core/safetensors.h"
#include "eddy/core/tensor.h"

/// NumPy's array files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), versions 1 to 3.
/// Booleans, integers and floating point are read, of either byte order and storage order: f64 and f16 become f32,
/// other integers i32 (DataError for one that does not fit). Errors of a file are DataError naming it and what was
/// expected; files are written whole or not at all. Tensors read own their memory. No state: safe to call concurrently.
namespace eddy {

Tensor read_npy(const std::filesystem::path& path);
void write_npy(const std::filesystem::path& path, const Tensor& value);

enum class NpzCompression : std::uint8_t { stored, deflate };

/// The arrays of an .npz archive in stored order, named without ".npy".
std::vector<NamedTensor> read_npz(const std::filesystem::path& path);
/// The same tensors give the same bytes. Names must be distinct UTF-8 without NUL.
void write_npz(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
               NpzCompression compression = NpzCompression::stored);

}  // namespace eddy
