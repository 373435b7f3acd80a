// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "eddy/data/document.h"

/// Readers keep no state: safe to call concurrently.
namespace eddy {

/// The sentence polarity set of Rotten Tomatoes (Pang & Lee 2005): rt-polarity.neg and rt-polarity.pos, one tokenised,
/// lower-case sentence a line, from a directory or archive. Labels: 0 = "neg", 1 = "pos"; ids are "rt-polarity.neg:7".
/// Of several copies that of a folder "rt-polaritydata" counts. What is not UTF-8 is read as Latin-1. The set has no
/// split of its own. Throws DataError when a file is missing, or when there are several and none is in that folder.
Dataset read_rotten_tomatoes(const std::filesystem::path& source);

}  // namespace eddy
