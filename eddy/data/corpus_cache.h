// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "eddy/core/error.h"
#include "eddy/data/encode.h"

namespace eddy {

/// Goes up when a reader, the tokenizer or the encoding makes other ids of the same files and options, or brings the
/// documents in another order.
inline constexpr std::int64_t kEncodingVersion = 5;

/// What a cached data set was made from. Two keys differ when a source file's path, size or time of change, or any
/// option, differs. A plain value.
class CacheKey {
 public:
  /// A file, or every file under a directory. Throws DataError when it is not there.
  CacheKey& add_source(const std::filesystem::path& source);
  CacheKey& add_option(std::string_view name, std::string_view value);
  CacheKey& add_option(std::string_view name, std::int64_t value);
  /// An option for each of the values.
  CacheKey& add_options(std::string_view name, std::span<const std::string> values);
  /// How this program makes ids of texts: kEncodingVersion and the version of ICU it runs with.
  CacheKey& add_encoding();
  std::uint64_t hash() const { return hash_; }

 private:
  void absorb(std::string_view text);

  std::uint64_t hash_ = 0;
};

/// The file of a data set's cache. `key` has its paths and options, and the state of the files and the encoding only
/// afterwards: what is made of a changed source or by a new version then replaces the old cache.
std::filesystem::path cache_file(const std::filesystem::path& folder, std::string_view name, const CacheKey& key);

/// Writes the data set to `path`, whole or not at all. Throws DataError when it cannot. Keeps nothing of `data`.
void save_cache(const std::filesystem::path& path, std::uint64_t key, const EncodedDataset& data);

struct CacheLoad {
  std::optional<EncodedDataset> data;
  /// Without data: why, in a few words, such as "does not exist" or "is damaged: ...".
  std::string reason;
};

/// Maps a cache and believes nothing in it: version, key, length, checksum and every array are checked, piece by piece.
/// Never throws for the contents of the file. The data set's arrays stay in the file, whose pages come and go; it may
/// be replaced meanwhile, as save_cache does, but not cut short in place. The mapping lives as long as a copy of a
/// corpus in it.
CacheLoad load_cache(const std::filesystem::path& path, std::uint64_t key);

/// A cache cannot be written, which is no fault of the data.
class CacheWriteError : public Error {
 public:
  using Error::Error;
};

using CacheMessage = std::function<void(const std::string& message)>;

/// The data set from the cache when that is good, else from `build`, then saved. `message` hears why a cache is not
/// used or cannot be written, which is no error; what `build` throws passes through. Missing parent folders are made.
/// `build_file`, where given, writes the cache itself in place of `build`, for data beyond memory (see build_cache); of
/// its errors, too, all but CacheWriteError pass through. Processes may share a cache, whose file appears whole.
EncodedDataset load_or_build(const std::filesystem::path& path, std::uint64_t key,
                             const std::function<EncodedDataset()>& build, const CacheMessage& message = {},
                             const std::function<void()>& build_file = {});

}  // namespace eddy
