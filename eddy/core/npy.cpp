// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/npy.h"

#include <algorithm>
#include <string>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/npy_format.h"

namespace eddy {

Tensor read_npy(const std::filesystem::path& path) {
  const InputFile file(path);
  const std::string name = path.string();
  std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), kNpyPrefix)), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(head)));
  const std::size_t length = npy_header_length(head, name);
  require<DataError>(length <= file.size(), "{}: the array's header should end at byte {}, but the file has only {}",
                     name, length, file.size());
  head.resize(length);
  file.read_at(0, std::as_writable_bytes(std::span(head)));
  const NpyHeader header = parse_npy_header(head, name);
  const std::uint64_t found = file.size() - header.data_offset;
  require<DataError>(found == header.data_bytes, "{}: an array of shape {} needs {} bytes of elements, but {} follow",
                     name, to_string(header.shape), header.data_bytes, found);
  std::uint64_t offset = header.data_offset;
  const ByteSource source = [&](std::span<std::byte> bytes) {
    file.read_at(offset, bytes);
    offset += bytes.size();
  };
  return read_npy_elements(header, source, name);
}

void write_npy(const std::filesystem::path& path, const Tensor& value) {
  require<DataError>(static_cast<bool>(value), "{}: there is no array to write", path.string());
  write_atomically(path, [&](AtomicFile& file) {
    file.write(make_npy_header(value.type()));
    file.write(std::span(static_cast<const std::byte*>(value.data()), value.bytes()));
  });
}

}  // namespace eddy
