// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/data/encoded_pairs.h"
#include "eddy/data/pair_batches.h"
#include "eddy/data/source.h"

/// Readers keep no state: safe to call concurrently.
namespace eddy {

/// The files of a headline corpus in the layout of deepnlp's textsum; found as read_named_files finds them.
struct HeadlineFiles {
  std::string vocabulary = "vocab";
  std::string train_content = "content-train.txt";
  std::string train_title = "title-train.txt";
  std::string dev_content = "content-dev.txt";
  std::string dev_title = "title-dev.txt";
  std::string test_content = "content-test.txt";
  std::string test_title = "title-test.txt";
};

/// One part: the texts as they stand, and the same pairs as ids.
struct HeadlinePart {
  std::vector<TextPair> texts;
  EncodedPairs pairs;
};

/// Texts with their headlines, cut into words by spaces. Both sides share the ids of the vocabulary file, in which
/// `_PAD`, `_GO`, `_EOS` and `_UNK` are 0 to 3; each digit counts as 0.
struct HeadlineCorpus {
  TokenSet tokens;
  HeadlinePart train;
  HeadlinePart dev;
  HeadlinePart test;
};

/// Reads a corpus from a directory or archive in one pass. `vocabulary_size` > 0 uses only the first tokens of the
/// file, the specials among them. Throws DataError naming file and line for a vocabulary that does not begin with the
/// specials, has an empty line or a token twice, and for texts without partner.
HeadlineCorpus read_headlines(const std::filesystem::path& source, const HeadlineFiles& files = {},
                              std::int64_t vocabulary_size = 0);

/// Tokens of a vocabulary file, one a line, the specials first.
TokenSet parse_headline_vocabulary(const NamedText& text, std::int64_t vocabulary_size = 0);

/// ASCII digits become 0: "30 VIP" gives "00 VIP".
std::string digits_to_zero(std::string_view text);

/// The sizes of textsum's buckets (120, 30), (200, 35), (300, 40), (400, 40) and (500, 40). Its texts are shorter than
/// the size, and so are its headlines with their end token; these are the lengths that fit.
std::vector<PairSize> headline_sizes();

}  // namespace eddy
