// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <set>
#include <string>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/npy.h"
#include "eddy/core/npy_format.h"

namespace eddy {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

struct CloseReader {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
struct CloseWriter {
  void operator()(archive* writer) const { archive_write_free(writer); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using Reader = std::unique_ptr<archive, CloseReader>;
using Writer = std::unique_ptr<archive, CloseWriter>;
using Entry = std::unique_ptr<archive_entry, FreeEntry>;

std::string reason_of(archive* handle) {
  const char* text = archive_error_string(handle);
  return text != nullptr ? text : "its structure is broken";
}

/// libarchive converts names by way of the thread's locale; this one makes it pass UTF-8 on.
class Utf8Names {
 public:
  Utf8Names() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ != nullptr) previous_ = ::uselocale(locale_);
  }
  ~Utf8Names() {
    if (locale_ == nullptr) return;
    ::uselocale(previous_);
    ::freelocale(locale_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t locale_;
  locale_t previous_ = nullptr;
};

/// Appends at most `limit` bytes of the current entry; returns how many came.
std::size_t read_some(archive* reader, std::size_t limit, std::string& out, const std::string& what) {
  const std::size_t begin = out.size();
  out.resize(begin + limit);
  std::size_t used = 0;
  while (used < limit) {
    const la_ssize_t count = archive_read_data(reader, out.data() + begin + used, limit - used);
    if (count == ARCHIVE_RETRY) continue;
    require<DataError>(count >= 0, "{}: cannot be unpacked: {}", what, reason_of(reader));
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
  }
  out.resize(begin + used);
  return used;
}

/// The current entry as an array. Memory grows with what is really there, whatever the headers claim.
Tensor read_entry(archive* reader, const std::string& what) {
  std::string bytes;
  read_some(reader, kNpyPrefix, bytes, what);
  const std::size_t length = npy_header_length(bytes, what);
  if (length > bytes.size()) read_some(reader, length - bytes.size(), bytes, what);
  require<DataError>(bytes.size() >= length, "{}: ends at byte {}, within the array's header", what, bytes.size());
  std::string data = bytes.substr(length);
  bytes.resize(length);
  const NpyHeader header = parse_npy_header(bytes, what);
  while (data.size() < header.data_bytes) {
    const auto missing = static_cast<std::size_t>(header.data_bytes - data.size());
    if (read_some(reader, std::min(missing, kPieceBytes), data, what) == 0) break;
  }
  std::string surplus;
  require<DataError>(data.size() == header.data_bytes && read_some(reader, 1, surplus, what) == 0,
                     "{}: an array of shape {} needs {} bytes of elements, but {} follow", what,
                     to_string(header.shape), header.data_bytes,
                     data.size() < header.data_bytes ? std::to_string(data.size()) : "more");
  std::size_t used = 0;
  const ByteSource source = [&](std::span<std::byte> out) {
    std::memcpy(out.data(), data.data() + used, out.size());
    used += out.size();
  };
  return read_npy_elements(header, source, what);
}

/// Where libarchive's bytes go; exceptions must not cross its C code.
struct Target {
  AtomicFile& file;
  std::exception_ptr error;
};

la_ssize_t write_piece(archive* writer, void* context, const void* bytes, std::size_t size) {
  auto* target = static_cast<Target*>(context);
  try {
    target->file.write(std::span(static_cast<const std::byte*>(bytes), size));
    return static_cast<la_ssize_t>(size);
  } catch (...) {
    target->error = std::current_exception();
    archive_set_error(writer, EIO, "write failed");
    return -1;
  }
}

class ZipWriter {
 public:
  ZipWriter(AtomicFile& file, NpzCompression compression, std::string name)
      : target_{file, nullptr}, name_(std::move(name)), writer_(archive_write_new()), entry_(archive_entry_new()) {
    require<MemoryError>(writer_ && entry_, "{}: there is no memory to pack it", name_);
    check(archive_write_set_format_zip(writer_.get()));
    check(compression == NpzCompression::stored ? archive_write_zip_set_compression_store(writer_.get())
                                                : archive_write_zip_set_compression_deflate(writer_.get()));
    // Names are UTF-8 whatever the program's locale.
    check(archive_write_set_options(writer_.get(), "zip:hdrcharset=UTF-8"));
    check(archive_write_set_bytes_in_last_block(writer_.get(), 1));
    check(archive_write_open(writer_.get(), &target_, nullptr, write_piece, nullptr));
  }

  void add(const NamedTensor& tensor) {
    const std::string header = make_npy_header(tensor.value.type());
    archive_entry_clear(entry_.get());
    archive_entry_set_pathname_utf8(entry_.get(), (tensor.name + ".npy").c_str());
    archive_entry_set_filetype(entry_.get(), S_IFREG);
    archive_entry_set_perm(entry_.get(), 0644);
    // Without a time, which zip would write as that of the zone: the zero of zip stands there, so the bytes repeat.
    archive_entry_set_size(entry_.get(), static_cast<la_int64_t>(header.size() + tensor.value.bytes()));
    check(archive_write_header(writer_.get(), entry_.get()));
    write(header.data(), header.size());
    write(tensor.value.data(), tensor.value.bytes());
    check(archive_write_finish_entry(writer_.get()));
  }

  void close() { check(archive_write_close(writer_.get())); }

 private:
  void write(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const char*>(data);
    while (size > 0) {
      const la_ssize_t count = archive_write_data(writer_.get(), bytes, std::min(size, kPieceBytes));
      if (count <= 0) check(ARCHIVE_FATAL);
      bytes += count;
      size -= static_cast<std::size_t>(count);
    }
  }

  void check(int code) {
    if (code == ARCHIVE_OK) return;
    if (target_.error) std::rethrow_exception(target_.error);
    fail<DataError>("{}: cannot be packed: {}", name_, reason_of(writer_.get()));
  }

  Target target_;
  std::string name_;
  Writer writer_;
  Entry entry_;
};

}  // namespace

std::vector<NamedTensor> read_npz(const std::filesystem::path& path) {
  const std::string name = path.string();
  // Opened once by ourselves, because libarchive's message for a missing file lacks the reason.
  { const InputFile probe(path); }
  const Utf8Names names;
  const Reader reader(archive_read_new());
  require<MemoryError>(reader != nullptr, "{}: there is no memory to unpack it", name);
  archive_read_support_format_zip(reader.get());
  require<DataError>(archive_read_open_filename(reader.get(), path.c_str(), kPieceBytes) == ARCHIVE_OK,
                     "{}: cannot be read as a zip archive: {}", name, reason_of(reader.get()));
  std::vector<NamedTensor> result;
  std::set<std::string> seen;
  while (true) {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(reader.get(), &entry);
    if (code == ARCHIVE_EOF) break;
    if (code == ARCHIVE_RETRY) continue;
    require<DataError>(code == ARCHIVE_OK || code == ARCHIVE_WARN, "{}: cannot be read as a zip archive: {}", name,
                       reason_of(reader.get()));
    const char* utf8 = archive_entry_pathname_utf8(entry);
    const char* raw = utf8 != nullptr ? utf8 : archive_entry_pathname(entry);
    require<DataError>(raw != nullptr, "{}: an entry has no name", name);
    std::string file = raw;
    require<DataError>(file.ends_with(".npy"), "{}: holds '{}', but only .npy arrays are expected", name, file);
    require<DataError>(seen.insert(file).second, "{}: '{}' stands twice", name, file);
    Tensor value = read_entry(reader.get(), fmt::format("{}: {}", name, file));
    file.resize(file.size() - 4);
    result.push_back({std::move(file), std::move(value)});
  }
  return result;
}

void write_npz(const std::filesystem::path& path, std::span<const NamedTensor> tensors, NpzCompression compression) {
  std::set<std::string_view> names;
  for (const NamedTensor& tensor : tensors) {
    require<DataError>(static_cast<bool>(tensor.value), "{}: array '{}' has no value", path.string(), tensor.name);
    require<DataError>(names.insert(tensor.name).second, "{}: two arrays are named '{}'", path.string(), tensor.name);
    require<DataError>(tensor.name.find('\0') == std::string::npos, "{}: a name holds a NUL byte", path.string());
  }
  write_atomically(path, [&](AtomicFile& file) {
    const Utf8Names names_as_utf8;
    ZipWriter zip(file, compression, path.string());
    for (const NamedTensor& tensor : tensors) zip.add(tensor);
    zip.close();
  });
}

}  // namespace eddy
