// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "eddy/data/encode.h"

/// No state: safe to call concurrently for different files.
namespace eddy {

/// Calls its argument on each document, the same ones in the same order at every call.
using DocumentStream = std::function<void(const std::function<void(std::string_view text, std::string_view id)>&)>;

/// Encodes unlabelled documents into the cache file `path` as part "train", as encode_dataset and save_cache would,
/// byte for byte, but in bounded memory: the documents are read twice and the encoded ones go to disk. Memory holds a
/// longest document, the vocabulary and a few dozen megabytes, whatever the size of the text. With a `vocabulary` that
/// is used and the text is read once. CacheWriteError for what cannot be written, DataError for what cannot be read.
void build_cache(const std::filesystem::path& path, std::uint64_t key, const DocumentStream& documents,
                 const EncodeOptions& options, const Vocabulary* vocabulary = nullptr);

}  // namespace eddy
