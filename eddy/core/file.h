// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Whole-file reading and replacement. What fails is a DataError naming the file and what the system said. An object
/// is for one thread unless it says otherwise; the functions may be called concurrently, and of those that write one
/// path the last one stands.
namespace eddy {

/// The contents of a file (a pipe or device is read to its end).
std::string read_file(const std::filesystem::path& path);

/// An open file read at any offset; holds one descriptor. `read_at` may be called concurrently. DataError for what is
/// no regular file.
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;

  const std::filesystem::path& path() const { return path_; }
  /// Bytes, as they were when the file was opened.
  std::uint64_t size() const { return size_; }
  /// Fills `out` from `offset`; DataError when the file ends before.
  void read_at(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// A file mapped read-only; the bytes live as long as this object. Nobody may shorten the file meanwhile (the system
/// answers that with SIGBUS); use InputFile where that can happen. Concurrent reads are safe. DataError for what is no
/// regular file.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }
  /// Takes the pages out of the process's memory; those read again come from the system's cache or the disk. May be
  /// called while others read.
  void drop_pages() const noexcept;

 private:
  std::span<const std::byte> bytes_;
};

/// Bytes that do not fit into memory: a file without a name, gone with the object. Written from front to back, then
/// read at any offset. One thread at a time.
class SpillFile {
 public:
  /// In the folder of the file that will hold the result.
  explicit SpillFile(const std::filesystem::path& folder);
  ~SpillFile();
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;

  void append(std::span<const std::byte> bytes);
  /// After the last append: takes no more memory.
  void end_writing();
  std::uint64_t size() const { return written_ + buffer_.size(); }
  /// Fills `out` from `offset`; DataError when the file ends before.
  void read_at(std::uint64_t offset, std::span<std::byte> out);
  /// Calls `visit` on pieces of at most a megabyte, from the first byte to the last.
  void for_each_block(const std::function<void(std::span<const std::byte>)>& visit);

 private:
  void flush();

  std::filesystem::path folder_;
  int descriptor_ = -1;
  std::uint64_t written_ = 0;
  std::vector<std::byte> buffer_;
};

/// Appends `bytes` to an open file by one write, so that a crash leaves them whole or not at all. DataError naming
/// `path` when that fails. The descriptor stays the caller's.
void append_at_once(int descriptor, std::string_view bytes, const std::filesystem::path& path);

/// How a file in the making is kept: without a name, so that even SIGKILL leaves nothing behind, or under a temporary
/// name where the file system cannot do that.
enum class TemporaryKind : std::uint8_t { unnamed_if_possible, named };

/// A new version of a file, put in place as a whole by `commit` and gone without a trace otherwise. The data is flushed
/// to disk before it takes the name. A symbolic link is followed; anything but a regular file is refused.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path, TemporaryKind kind = TemporaryKind::unnamed_if_possible);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// Bytes written so far.
  std::uint64_t size() const { return size_; }
  /// Flushes and renames. On an error the old file still stands, unless the message says otherwise.
  void commit();

 private:
  [[noreturn]] void give_up(std::string_view what);
  bool open_unnamed();
  void open_named();
  /// That of the file to be replaced.
  void keep_mode();
  /// Gives an unnamed file its temporary name.
  void name_file();
  void discard() noexcept;

  std::filesystem::path path_;
  std::filesystem::path folder_;
  std::filesystem::path temporary_;  // empty while the file has no name
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// While one lives, nobody else gets one of the same output: two runs would mix their files. UsageError when there
/// is one, DataError when nothing can be written there. It stands in a hidden file that goes away with it; of a process
/// that was killed the file stays, and the next lock takes it over. File systems that know no locks give none.
class OutputLock {
 public:
  /// Of a file, which need not be there, and of what stands beside it.
  static OutputLock of_file(const std::filesystem::path& file);
  /// Of a folder and all that is in it; makes the folder where needed.
  static OutputLock of_folder(const std::filesystem::path& folder);
  ~OutputLock();
  OutputLock(const OutputLock&) = delete;
  OutputLock& operator=(const OutputLock&) = delete;

 private:
  OutputLock(std::filesystem::path lock, const std::filesystem::path& output);
  /// Whether the open file is the one that has the name.
  bool has_name() const;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// UsageError when a file or folder to be written is, by whatever name, one of those that are read: it would be
/// destroyed. So it is for one in a folder that is read: it would be read the next time. Empty paths and those that
/// name nothing are passed over. `what` says which output it is, as "--graph".
void require_no_input(std::string_view what, const std::filesystem::path& output,
                      const std::vector<std::filesystem::path>& inputs);

/// DataError unless a file can be written there, as far as can be told before it is: its folder is there and open to
/// writing, and the name is not that of a folder or device.
void require_writable(const std::filesystem::path& output);

void write_atomically(const std::filesystem::path& path, std::string_view text);
void write_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
/// `fill` writes the contents piece by piece; when it throws, nothing changes on disk.
void write_atomically(const std::filesystem::path& path, const std::function<void(AtomicFile&)>& fill);

}  // namespace eddy
