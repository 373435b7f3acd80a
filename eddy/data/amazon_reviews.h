// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "eddy/data/document.h"

/// Readers keep no state: safe to call concurrently.
namespace eddy {

/// The review texts of the multi-domain sentiment set (Blitzer et al. 2007): what stands between <review_text> and
/// </review_text> in every file *.review of a directory or archive, as unlabelled documents. A file that is not UTF-8
/// is read as Latin-1; ids are "books/positive.review:3", the third review of the file. Throws DataError when there is
/// no review, or one is not closed.
Dataset read_amazon_reviews(const std::filesystem::path& source);

}  // namespace eddy
