// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/core/safetensors_header.h"

namespace eddy {

SafetensorsReader::SafetensorsReader(const std::filesystem::path& path) : file_(path) {
  const std::string name = path.string();
  require<DataError>(file_.size() >= 8, "{}: has {}, but a safetensors file begins with 8 bytes of header size", name,
                     counted(static_cast<std::int64_t>(file_.size()), "byte"));
  std::uint64_t header_size = 0;
  file_.read_at(0, std::as_writable_bytes(std::span(&header_size, 1)));
  require<DataError>(header_size <= kSafetensorsLargestHeader,
                     "{}: byte 0: the header size is {}, but at most {} is allowed (is this a safetensors file?)", name,
                     header_size, kSafetensorsLargestHeader);
  require<DataError>(header_size <= file_.size() - 8, "{}: the header should take {}, but only {} follow", name,
                     counted(static_cast<std::int64_t>(header_size), "byte"), file_.size() - 8);
  std::string text(header_size, '\0');
  file_.read_at(8, std::as_writable_bytes(std::span(text)));
  require<DataError>(text.starts_with('{'), "{}: byte 8: the header must begin with '{{'", name);
  SafetensorsHeader header = parse_safetensors_header(text, name);
  entries_ = std::move(header.entries);
  metadata_ = std::move(header.metadata);
  check_layout(8 + header_size);
}

void SafetensorsReader::check_layout(std::uint64_t data_begin) {
  const std::uint64_t data_bytes = file_.size() - data_begin;
  // Empty tensors may share their place with the next one.
  std::sort(entries_.begin(), entries_.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::tuple(a.offset, a.bytes) < std::tuple(b.offset, b.bytes);
  });
  std::uint64_t end = 0;
  for (SafetensorsEntry& entry : entries_) {
    require<DataError>(entry.offset <= data_bytes && entry.bytes <= data_bytes - entry.offset,
                       "{}: tensor '{}' takes bytes {} to {} of the data, but the file has only {}", path().string(),
                       entry.name, entry.offset, entry.offset + entry.bytes, data_bytes);
    require<DataError>(entry.offset == end, "{}: tensor '{}' begins at byte {} of the data, but {} is expected ({})",
                       path().string(), entry.name, entry.offset, end,
                       entry.offset < end ? "tensors overlap" : "bytes belong to no tensor");
    end += entry.bytes;
    entry.offset += data_begin;
  }
  require<DataError>(end == data_bytes, "{}: the header describes {} of data, but {} follow it", path().string(),
                     counted(static_cast<std::int64_t>(end), "byte"), data_bytes);
  for (std::size_t i = 0; i < entries_.size(); ++i) by_name_.emplace(entries_[i].name, i);
}

const SafetensorsEntry* SafetensorsReader::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

const SafetensorsEntry& SafetensorsReader::entry(std::string_view name) const {
  const SafetensorsEntry* found = find(name);
  require<DataError>(found != nullptr, "{}: has no tensor '{}'", path().string(), name);
  return *found;
}

Tensor SafetensorsReader::read(std::string_view name) const {
  Tensor result(entry(name).type());
  read_into(name, result);
  return result;
}

void SafetensorsReader::read_into(std::string_view name, const Tensor& out) const {
  const SafetensorsEntry& found = entry(name);
  require<DataError>(out.type() == found.type(), "{}: tensor '{}' is {}, but {} is expected", path().string(), name,
                     to_string(found.type()), to_string(out.type()));
  std::uint64_t offset = found.offset;
  const ByteSource source = [&](std::span<std::byte> bytes) {
    file_.read_at(offset, bytes);
    offset += bytes.size();
  };
  read_elements(source, found.element, /*big_endian=*/false, out,
                fmt::format("{}: tensor '{}'", path().string(), name));
}

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& tensor : tensors) {
    require<DataError>(static_cast<bool>(tensor.value), "{}: tensor '{}' has no value", path.string(), tensor.name);
    require<DataError>(tensor.name != kSafetensorsMetadataKey, "{}: a tensor cannot be named '{}'", path.string(),
                       tensor.name);
    order.push_back(&tensor);
  }
  // Large elements first, so that all of them lie on multiples of their size.
  std::sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    const std::size_t size_a = size_of(a->value.dtype());
    const std::size_t size_b = size_of(b->value.dtype());
    return size_a != size_b ? size_a > size_b : a->name < b->name;
  });
  std::vector<std::string_view> names;
  for (const NamedTensor* tensor : order) names.push_back(tensor->name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  require<DataError>(twice == names.end(), "{}: two tensors are named '{}'", path.string(),
                     twice == names.end() ? "" : *twice);

  const std::string header = make_safetensors_header(order, metadata, path.string());
  write_atomically(path, [&](AtomicFile& file) {
    const std::uint64_t header_size = header.size();
    file.write(std::as_bytes(std::span(&header_size, 1)));
    file.write(header);
    for (const NamedTensor* tensor : order)
      file.write(std::span(static_cast<const std::byte*>(tensor->value.data()), tensor->value.bytes()));
  });
}

}  // namespace eddy
