// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/sequence_pairs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/core/random.h"
#include "eddy/data/text_lines.h"
#include "eddy/data/token_table.h"

namespace eddy {

namespace {

std::vector<TextPair> zip(Dataset sources, Dataset targets) {
  std::vector<TextPair> pairs;
  pairs.reserve(sources.documents.size());
  for (std::size_t i = 0; i < sources.documents.size(); ++i) {
    Document& source = sources.documents[i];
    pairs.push_back({std::move(source.text), std::move(targets.documents[i].text), std::move(source.id)});
  }
  return pairs;
}

}  // namespace

std::vector<TextPair> read_pair_table(const std::filesystem::path& source, const std::string& name,
                                      const PairTableOptions& options) {
  const NamedText text = read_named_text(source, name);
  DelimitedOptions format = options.format;
  format.label_column.reset();
  format.text_columns = {options.source};
  Dataset sources = parse_delimited(text.contents, text.name, format);
  format.text_columns = {options.target};
  return zip(std::move(sources), parse_delimited(text.contents, text.name, format));
}

std::vector<TextPair> read_parallel_texts(const std::filesystem::path& source, const std::string& source_name,
                                          const std::string& target_name, TextEncoding encoding) {
  const std::array<std::string, 2> names{source_name, target_name};
  std::vector<NamedText> texts = read_named_files(source, names);
  return pair_lines(std::move(texts[0]), std::move(texts[1]), encoding);
}

std::vector<TextPair> read_parallel_files(const std::filesystem::path& source, const std::filesystem::path& target,
                                          TextEncoding encoding) {
  return pair_lines(read_named_text(source, ""), read_named_text(target, ""), encoding);
}

std::vector<TextPair> pair_lines(NamedText source, NamedText target, TextEncoding encoding) {
  const TextLinesOptions options{.encoding = encoding, .skip_blank = false};
  Dataset sources = parse_text_lines(std::move(source.contents), source.name, options);
  Dataset targets = parse_text_lines(std::move(target.contents), target.name, options);
  const std::size_t lines = std::min(sources.documents.size(), targets.documents.size());
  require<DataError>(sources.documents.size() == targets.documents.size(),
                     "{}:{}: has no partner: {} has {} lines and {} has {}; expected line n of one to belong to line n "
                     "of the other",
                     sources.documents.size() > lines ? source.name : target.name, lines + 1, source.name,
                     sources.documents.size(), target.name, targets.documents.size());
  return zip(std::move(sources), std::move(targets));
}

PairSplit split_by_key(std::span<const std::string> keys, const PairSplitOptions& options) {
  std::vector<std::string> distinct(keys.begin(), keys.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  const auto count = static_cast<std::int64_t>(distinct.size());
  constexpr std::int64_t kMost = 1000, kShare = 10;
  const auto size_of = [&](std::int64_t asked) { return asked == -1 ? std::min(kMost, count / kShare) : asked; };
  const std::int64_t validation = size_of(options.validation), test = size_of(options.test);
  require<DataError>(validation >= 0 && test >= 0 && test < count && validation < count - test,
                     "{} for validation and {} for test asked for, of {}; expected some left for training",
                     counted(validation, "source"), grouped(test), counted(count, "different source"));
  Philox random(options.seed, stable_hash("pair split"));
  shuffle(std::span(distinct), random);
  TokenTable held_out;
  for (std::int64_t i = 0; i < test + validation; ++i) held_out.insert(distinct[static_cast<std::size_t>(i)]);
  PairSplit split;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::int32_t place = held_out.find(keys[i]);
    (place < 0 ? split.train : place < test ? split.test : split.validation).push_back(static_cast<std::int32_t>(i));
  }
  return split;
}

std::vector<std::vector<std::int32_t>> group_by_key(std::span<const std::string> keys,
                                                    std::span<const std::int32_t> pairs) {
  std::vector<std::vector<std::int32_t>> groups;
  TokenTable seen;
  for (const std::int32_t pair : pairs) {
    require<DataError>(pair >= 0 && static_cast<std::size_t>(pair) < keys.size(), "pair {} asked for, there are {}",
                       pair, keys.size());
    const auto group = static_cast<std::size_t>(seen.insert(keys[static_cast<std::size_t>(pair)]));
    if (group == groups.size()) groups.emplace_back();
    groups[group].push_back(pair);
  }
  return groups;
}

}  // namespace eddy
