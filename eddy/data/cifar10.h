// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "eddy/data/encoded_corpus.h"

/// Readers keep no state: safe to call concurrently.
namespace eddy {

/// Numbers of one row of an image: 32 pixels of red, then of green, then of blue, each 0 to 255.
inline constexpr int kCifarRow = 96;
/// Rows of an image.
inline constexpr int kCifarRows = 32;

/// Each image is a document of kCifarRows * kCifarRow numbers, row by row; ids are "data_batch_1:17", from 0.
struct Cifar10 {
  EncodedCorpus train;
  EncodedCorpus test;
  std::vector<std::string> label_names;
};

/// CIFAR-10 (Krizhevsky 2009) in its binary layout, from a directory or archive: data_batch_N.bin for training, of
/// which there may be fewer than five, test_batch.bin, and batches.meta.txt with the names of the classes. A record is
/// a byte for the class and 3 planes of 32 x 32 bytes, in any number. Throws DataError for a missing file, one that
/// does not hold whole records, or a class without name.
Cifar10 read_cifar10(const std::filesystem::path& source);

}  // namespace eddy
