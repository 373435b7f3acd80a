// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eddy/core/error.h"
#include "tests/core/temporary_folder.h"

namespace eddy::test {

/// A fresh folder, deleted with its contents, that makes files on demand.
class TemporaryFolder : public ::TemporaryFolder {
 public:
  /// Writes a file, with its folders.
  std::filesystem::path write(std::string_view name, std::string_view contents) const {
    const std::filesystem::path file = path() / name;
    std::filesystem::create_directories(file.parent_path());
    spit(file, contents);
    return file;
  }
};

using ::slurp;

using NamedTexts = std::vector<std::pair<std::string, std::string>>;

enum class Packing { tar, tar_gz, tar_xz, tar_zst, zip };

inline void write_archive(const std::filesystem::path& path, const NamedTexts& files, Packing packing) {
  archive* writer = archive_write_new();
  if (packing == Packing::tar_gz) archive_write_add_filter_gzip(writer);
  if (packing == Packing::tar_xz) archive_write_add_filter_xz(writer);
  if (packing == Packing::tar_zst) archive_write_add_filter_zstd(writer);
  if (packing == Packing::zip) {
    archive_write_set_format_zip(writer);
  } else {
    archive_write_set_format_ustar(writer);
  }
  REQUIRE(archive_write_open_filename(writer, path.c_str()) == ARCHIVE_OK);
  for (const auto& [name, text] : files) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_perm(entry, 0644);
    // A name that ends in '/' is a folder.
    archive_entry_set_filetype(entry, name.ends_with('/') ? AE_IFDIR : AE_IFREG);
    archive_entry_set_size(entry, static_cast<la_int64_t>(text.size()));
    REQUIRE(archive_write_header(writer, entry) == ARCHIVE_OK);
    REQUIRE(archive_write_data(writer, text.data(), text.size()) == static_cast<la_ssize_t>(text.size()));
    archive_entry_free(entry);
  }
  REQUIRE(archive_write_close(writer) == ARCHIVE_OK);
  archive_write_free(writer);
}

/// One compressed file that is no archive.
inline void write_compressed(const std::filesystem::path& path, std::string_view text, Packing packing) {
  archive* writer = archive_write_new();
  if (packing == Packing::tar_gz) archive_write_add_filter_gzip(writer);
  if (packing == Packing::tar_xz) archive_write_add_filter_xz(writer);
  if (packing == Packing::tar_zst) archive_write_add_filter_zstd(writer);
  archive_write_set_format_raw(writer);
  REQUIRE(archive_write_open_filename(writer, path.c_str()) == ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  REQUIRE(archive_write_header(writer, entry) == ARCHIVE_OK);
  archive_write_data(writer, text.data(), text.size());
  archive_entry_free(entry);
  REQUIRE(archive_write_close(writer) == ARCHIVE_OK);
  archive_write_free(writer);
}

/// The message of the error of type E that `body` throws; "" when it throws none.
template <class E, class Body>
std::string error_of(Body&& body) {
  try {
    body();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace eddy::test
