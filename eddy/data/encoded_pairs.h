// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/data/encoded_corpus.h"
#include "eddy/data/sequence_pairs.h"
#include "eddy/data/token_set.h"
#include "eddy/data/tokenizer.h"
#include "eddy/data/vocabulary.h"

namespace eddy {

/// Pairs as token ids: pair i is document i of both corpora. Copies share the arrays; concurrent reads are safe.
struct EncodedPairs {
  TokenSet source_tokens;
  TokenSet target_tokens;
  EncodedCorpus source;
  EncodedCorpus target;
  /// The targets hold all the end tokens they need (tasks of fixed length), so that batches append none.
  bool targets_complete = false;
  /// Ill-formed UTF-8 sequences of the texts that became U+FFFD.
  std::int64_t invalid_sequences = 0;

  std::int32_t size() const { return source.size(); }
};

/// Collects pairs of ids. One thread at a time.
class PairCollector {
 public:
  PairCollector(TokenSet source_tokens, TokenSet target_tokens);
  /// Throws DataError for an id that is not in its set.
  void add(std::span<const std::int32_t> source, std::span<const std::int32_t> target, std::string_view id);
  /// Gives away all that was collected: the last call.
  EncodedPairs finish(bool targets_complete = false) &&;

 private:
  TokenSet source_tokens_;
  TokenSet target_tokens_;
  CorpusArrays source_;
  CorpusArrays target_;
};

struct PairEncodeOptions {
  TokenizerOptions source_tokenizer = {};
  TokenizerOptions target_tokenizer = {};
  VocabularyOptions source_vocabulary = {};
  VocabularyOptions target_vocabulary = {};
  /// One vocabulary of both sides, by the options of the source.
  bool shared_vocabulary = false;
};

/// The tokens of each source with a space between, as keys for split_by_key and group_by_key: sources the model
/// cannot tell apart have one key.
std::vector<std::string> source_keys(std::span<const TextPair> pairs, const TokenizerOptions& tokenizer = {});

/// The same for pairs that are ids already.
std::vector<std::string> source_keys(const EncodedPairs& pairs);

struct PairVocabularies {
  Vocabulary source;
  Vocabulary target;
};

/// Vocabularies of the listed pairs: give those of training only. Throws DataError for an unknown pair and
/// for text the tokenizer refuses.
PairVocabularies count_pair_vocabularies(std::span<const TextPair> pairs, std::span<const std::int32_t> training,
                                         const PairEncodeOptions& options = {});

/// All pairs, in order. Throws DataError naming the pair for text the tokenizer refuses, and for a token that is not
/// in a set without unknown token.
EncodedPairs encode_pairs(std::span<const TextPair> pairs, const TokenSet& source_tokens, const TokenSet& target_tokens,
                          const PairEncodeOptions& options = {});

}  // namespace eddy
