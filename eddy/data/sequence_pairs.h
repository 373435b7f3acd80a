// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "eddy/data/delimited.h"
#include "eddy/data/source.h"

/// Functions keep no state: safe to call concurrently.
namespace eddy {

/// A text and what it is to become: a sentence and its translation, an article and its headline.
struct TextPair {
  std::string source;
  std::string target;
  /// Where it came from: "fra.txt:7".
  std::string id;
};

struct PairTableOptions {
  Column source = 0;
  Column target = 1;
  /// Delimiter, quotes, header and encoding; the columns and labels in it are not used.
  DelimitedOptions format = tsv_options();
};

/// One pair per record of a TSV or CSV file: `name` in the directory or archive `source`, or, with an empty name,
/// `source` itself. Tatoeba's files are English TAB French, newer ones with a third column, which is ignored.
/// Throws DataError naming file and line as read_delimited.
std::vector<TextPair> read_pair_table(const std::filesystem::path& source, const std::string& name = "",
                                      const PairTableOptions& options = {});

/// Line n of one file with line n of the other, both in the directory or archive `source`. Blank lines count.
/// Throws DataError when a file is missing, is empty or has more lines than the other.
std::vector<TextPair> read_parallel_texts(const std::filesystem::path& source, const std::string& source_name,
                                          const std::string& target_name, TextEncoding encoding = TextEncoding::utf8);

/// The same for two files that stand anywhere.
std::vector<TextPair> read_parallel_files(const std::filesystem::path& source, const std::filesystem::path& target,
                                          TextEncoding encoding = TextEncoding::utf8);

/// The same for texts that were read already.
std::vector<TextPair> pair_lines(NamedText source, NamedText target, TextEncoding encoding = TextEncoding::utf8);

struct PairSplitOptions {
  /// How many keys (of whatever count of pairs) go to each part; -1: a tenth of them, at most 1000.
  std::int64_t validation = 1000;
  std::int64_t test = 1000;
  std::uint64_t seed = 1;
};

/// Pair indices of the three parts, rising; disjoint and together everything.
struct PairSplit {
  std::vector<std::int32_t> train;
  std::vector<std::int32_t> validation;
  std::vector<std::int32_t> test;
};

/// Random split that keeps all pairs of one key in one part; pair i has keys[i]. The test part depends on the seed and
/// the set of keys alone, not on their order. Throws DataError when nothing is left for training.
PairSplit split_by_key(std::span<const std::string> keys, const PairSplitOptions& options = {});

/// The pairs of one key, in the order of first appearance: one source with all its references. Throws DataError for an
/// unknown pair.
std::vector<std::vector<std::int32_t>> group_by_key(std::span<const std::string> keys,
                                                    std::span<const std::int32_t> pairs);

}  // namespace eddy
