// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "eddy/data/document.h"
#include "eddy/data/unicode.h"

/// Readers keep no state: safe to call concurrently.
namespace eddy {

struct ImdbOptions {
  /// The reviews hold HTML line breaks; each becomes a space.
  bool replace_line_breaks = true;
  TextEncoding encoding = TextEncoding::utf8;
};

/// Labels: 0 = "neg", 1 = "pos"; `unlabelled` is train/unsup with label -1 and may be empty.
struct Imdb {
  Dataset train;
  Dataset test;
  Dataset unlabelled;
};

/// The large movie review data set (Maas et al. 2011), from its directory or archive, whatever the top folder is
/// called. Ids are "train/pos/ID_RATING"; in each part neg stands before pos, and each is sorted by number, whatever
/// the order in the archive. 123 texts are in both train and test, 266 in both test and unsup: see drop_shared.
/// A document's group is the number of its film, where the lists of addresses (train/urls_pos.txt, …) tell it.
/// Throws DataError for a missing folder, a file name that is not ID_RATING.txt, or an id that stands twice.
Imdb read_imdb(const std::filesystem::path& source, const ImdbOptions& options = {});

}  // namespace eddy
