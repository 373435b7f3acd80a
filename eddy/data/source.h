// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace eddy {

/// A data set stands in a directory or in one archive (tar, also gzip, bzip2, xz, lzma, zstd or lz4; zip). These
/// functions read both alike, in one pass, and write nothing to disk. File names are relative, with '/' between
/// parts and no leading "./" or "/". Only regular files count; in directories, links are followed, and one that leads
/// nowhere or to a folder it lies in is an error. So are two files of one name in an archive.
/// Errors are DataError naming the source, the file inside and what libarchive or the system said. Functions keep no
/// state and may be called concurrently; what a visitor throws passes through.

struct SourceFile {
  std::string name;
  /// Bytes; -1 where an archive does not say.
  std::int64_t size = 0;
};

/// All files: sorted by name for a directory, in stored order for an archive. Those in it whose names, or whose
/// folders' names, begin with a dot are left out.
std::vector<SourceFile> list_files(const std::filesystem::path& source);

using FileFilter = std::function<bool(std::string_view name)>;
using FileVisitor = std::function<void(const std::string& name, std::string contents)>;

/// Calls `visit` on every file for which `wanted` is true, in the order of list_files. Unwanted files are not read.
void read_files(const std::filesystem::path& source, const FileFilter& wanted, const FileVisitor& visit);

struct NamedText {
  /// Says where the text stands, for errors: "set.tar.xz/pairs/fra.txt".
  std::string name;
  std::string contents;
};

/// The files of a source that `names` mean, in that order: a name is the whole one or its last parts, so that "fra.txt"
/// finds "tatoeba/fra.txt". DataError when a name means no file or several.
std::vector<NamedText> read_named_files(const std::filesystem::path& source, std::span<const std::string> names);

/// The wanted files by the last part of their path. Throws DataError when two of them have the same.
std::map<std::string, NamedText> read_files_by_name(const std::filesystem::path& source, const FileFilter& wanted);

/// One file: `name` in the directory or archive `source`, or, with an empty name, `source` itself, plain or compressed,
/// or the only file in it.
NamedText read_named_text(const std::filesystem::path& source, const std::string& name);

/// The last `count` parts of a '/' path; empty when it has fewer.
std::string_view last_parts(std::string_view path, int count);

/// Reads a file or an open descriptor from the beginning, block by block, and unpacks it on the way when it is gzip,
/// bzip2, xz, zstd or lz4, told by the first bytes. It opens once and never goes back, so that a pipe loses nothing.
/// One thread at a time.
class BlockReader {
 public:
  explicit BlockReader(const std::filesystem::path& path);
  /// Of a descriptor that stays the caller's; `name` stands in errors.
  BlockReader(int descriptor, std::string name);
  ~BlockReader();
  BlockReader(BlockReader&& other) noexcept;
  BlockReader& operator=(BlockReader&& other) noexcept;

  /// What comes next, empty at the end; waits for it. Lives until the next call.
  std::string_view next();
  /// Whether next() would have to wait for the other end of a pipe. What is packed is taken to flow.
  bool would_wait();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Whether these are the first bytes of a zip or tar archive.
bool looks_like_archive(std::string_view beginning);

/// The whole of one file, decompressed when it is gzip, bzip2, xz, zstd or lz4 (told by its first bytes, not its name).
std::string read_text_file(const std::filesystem::path& path);

/// The same block by block: calls `visit` on what comes next until the end.
void read_text_blocks(const std::filesystem::path& path, const std::function<void(std::string_view)>& visit);

}  // namespace eddy
