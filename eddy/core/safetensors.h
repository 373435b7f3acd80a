// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/core/file.h"
#include "eddy/core/file_elements.h"
#include "eddy/core/tensor.h"

/// Files of named tensors in the safetensors format (https://github.com/huggingface/safetensors): 8 bytes with the
/// size of a JSON header, the header, then the elements, all little-endian and without gaps.
namespace eddy {

struct NamedTensor {
  std::string name;
  Tensor value;
};

/// One tensor as the header describes it.
struct SafetensorsEntry {
  std::string name;
  FileElement element = FileElement::f32;
  Shape shape;
  std::uint64_t offset = 0;  ///< of the first element, in bytes from the start of the file
  std::uint64_t bytes = 0;

  /// What `read` returns: f64, f16 and bf16 become f32; other integers become i32.
  TensorType type() const { return {dtype_of(element), shape}; }
};

/// Reads the header at once and tensors when asked. Everything the header claims is checked on opening: DataError names
/// the file, the tensor and what was expected. Holds the file open; concurrent reads are safe.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  /// In the order of the data.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// nullptr when there is none. Else it lives as long as the reader.
  const SafetensorsEntry* find(std::string_view name) const;
  /// DataError when there is none of that name, or a value does not fit the type read. The tensor owns its memory.
  Tensor read(std::string_view name) const;
  /// Into a tensor of the entry's type. DataError as above, and for a tensor of another type.
  void read_into(std::string_view name, const Tensor& out) const;

 private:
  const SafetensorsEntry& entry(std::string_view name) const;
  void check_layout(std::uint64_t data_begin);

  InputFile file_;
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
  std::map<std::string, std::string> metadata_;
};

/// Writes tensors straight from their memory; the file appears whole or not at all. The order of the data is that of
/// element size, then name. DataError for names that repeat, are "__metadata__" or are not UTF-8.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace eddy
