// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/encoded_pairs.h"

#include <fmt/ranges.h>

#include <utility>

#include "eddy/core/error.h"
#include "eddy/data/text_to_ids.h"

namespace eddy {

namespace {

std::vector<std::int32_t> encode(const std::string& text, const std::string& id, Tokenizer& tokenizer,
                                 const TokenSet& tokens) {
  std::vector<std::int32_t> ids;
  std::string stranger;
  tokenize_named("pair", id, text, tokenizer, [&](std::string_view token) {
    ids.push_back(tokens.find(token));
    if (ids.back() < 0 && stranger.empty()) stranger = token;
  });
  require<DataError>(stranger.empty(), "pair {}: \"{}\" is not one of the {} tokens", id, stranger, tokens.size());
  return ids;
}

void append(std::span<const std::int32_t> ids, const TokenSet& tokens, std::string_view id, CorpusArrays& corpus) {
  for (const std::int32_t number : ids)
    require<DataError>(number >= 0 && number < tokens.size(), "pair {}: token {} is not one of {}", id, number,
                       tokens.size());
  corpus.tokens.insert(corpus.tokens.end(), ids.begin(), ids.end());
}

}  // namespace

PairCollector::PairCollector(TokenSet source_tokens, TokenSet target_tokens)
    : source_tokens_(std::move(source_tokens)), target_tokens_(std::move(target_tokens)) {}

void PairCollector::add(std::span<const std::int32_t> source, std::span<const std::int32_t> target,
                        std::string_view id) {
  append(source, source_tokens_, id, source_);
  append(target, target_tokens_, id, target_);
  source_.end_document(-1, id);
  target_.end_document(-1, id);
}

EncodedPairs PairCollector::finish(bool targets_complete) && {
  return {std::move(source_tokens_), std::move(target_tokens_), EncodedCorpus(std::move(source_)),
          EncodedCorpus(std::move(target_)), targets_complete};
}

std::vector<std::string> source_keys(std::span<const TextPair> pairs, const TokenizerOptions& tokenizer) {
  Tokenizer cutter(tokenizer);
  std::vector<std::string> keys;
  keys.reserve(pairs.size());
  for (const TextPair& pair : pairs) {
    std::string& key = keys.emplace_back();
    tokenize_named("pair", pair.id, pair.source, cutter, [&](std::string_view token) {
      if (!key.empty()) key += ' ';
      key += token;
    });
  }
  return keys;
}

std::vector<std::string> source_keys(const EncodedPairs& pairs) {
  std::vector<std::string> keys;
  keys.reserve(static_cast<std::size_t>(pairs.size()));
  for (std::int32_t i = 0; i < pairs.size(); ++i)
    keys.push_back(fmt::format("{}", fmt::join(pairs.source.document(i), " ")));
  return keys;
}

PairVocabularies count_pair_vocabularies(std::span<const TextPair> pairs, std::span<const std::int32_t> training,
                                         const PairEncodeOptions& options) {
  Tokenizer source_tokenizer(options.source_tokenizer);
  Tokenizer target_tokenizer(options.target_tokenizer);
  TokenCounter source;
  TokenCounter separate_target;
  TokenCounter& target = options.shared_vocabulary ? source : separate_target;
  for (const std::int32_t i : training) {
    require<DataError>(i >= 0 && static_cast<std::size_t>(i) < pairs.size(), "pair {} asked for, there are {}", i,
                       pairs.size());
    const TextPair& pair = pairs[static_cast<std::size_t>(i)];
    tokenize_named("pair", pair.id, pair.source, source_tokenizer, [&](std::string_view token) { source.add(token); });
    source.add_document();
    tokenize_named("pair", pair.id, pair.target, target_tokenizer, [&](std::string_view token) { target.add(token); });
    target.add_document();
  }
  if (options.shared_vocabulary) {
    const Vocabulary shared(source, options.source_vocabulary);
    return {shared, shared};
  }
  return {Vocabulary(source, options.source_vocabulary), Vocabulary(target, options.target_vocabulary)};
}

EncodedPairs encode_pairs(std::span<const TextPair> pairs, const TokenSet& source_tokens, const TokenSet& target_tokens,
                          const PairEncodeOptions& options) {
  Tokenizer source_tokenizer(options.source_tokenizer);
  Tokenizer target_tokenizer(options.target_tokenizer);
  PairCollector collector(source_tokens, target_tokens);
  for (const TextPair& pair : pairs)
    collector.add(encode(pair.source, pair.id, source_tokenizer, source_tokens),
                  encode(pair.target, pair.id, target_tokenizer, target_tokens), pair.id);
  EncodedPairs encoded = std::move(collector).finish();
  encoded.invalid_sequences = source_tokenizer.invalid_sequences() + target_tokenizer.invalid_sequences();
  return encoded;
}

}  // namespace eddy
