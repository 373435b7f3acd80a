// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "eddy/data/document.h"

/// Readers keep no state: safe to call concurrently.
namespace eddy {

/// Label names are those of the groups, sorted.
struct Newsgroups {
  Dataset train;
  Dataset test;
};

/// The 20 newsgroups in the "bydate" layout, "20news-bydate-train/GROUP/NUMBER" and "…-test/…", from a directory or
/// archive. A message that is not UTF-8 is read as Latin-1. Ids are "train/GROUP/NUMBER"; each part is sorted by group
/// and number. Messages of one subject, answers ("Re:") with them, share a document's group, in whatever newsgroup they
/// are. Throws DataError for a part without messages, or a group that only the test part has.
Newsgroups read_newsgroups(const std::filesystem::path& source);

}  // namespace eddy
