// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/data/document.h"
#include "eddy/data/encoded_corpus.h"
#include "eddy/data/tokenizer.h"
#include "eddy/data/vocabulary.h"

/// Functions keep no state but the tokenizer's, which is for one thread; data, vocabularies and corpora are only read.
namespace eddy {

/// Tokens that are not in the vocabulary become `<unk>` or vanish.
enum class OutOfVocabulary { unknown, drop };

/// A text as token ids, without `<eos>`: the batchers add that. Throws as Tokenizer::for_each.
std::vector<std::int32_t> encode_text(std::string_view text, Tokenizer& tokenizer, const Vocabulary& vocabulary,
                                      OutOfVocabulary unknown = OutOfVocabulary::unknown);

/// All documents, in order. Throws DataError naming the document for text the tokenizer refuses.
EncodedCorpus encode_corpus(const Dataset& data, Tokenizer& tokenizer, const Vocabulary& vocabulary,
                            OutOfVocabulary unknown = OutOfVocabulary::unknown);

struct EncodeOptions {
  TokenizerOptions tokenizer = {};
  VocabularyOptions vocabulary = {};
  OutOfVocabulary unknown = OutOfVocabulary::unknown;
};

/// A named part of a data set before encoding. Only parts with `in_vocabulary` are counted: leave test text out, and
/// copies of it elsewhere by `uncounted`.
struct DatasetPart {
  std::string name;
  const Dataset* data = nullptr;
  bool in_vocabulary = true;
  std::function<bool(const Document&)> uncounted = {};
};

/// A data set ready for training: its vocabulary and its parts ("train", "test", ...), all in the same ids.
struct EncodedDataset {
  struct Part {
    std::string name;
    EncodedCorpus corpus;
  };
  Vocabulary vocabulary;
  std::vector<std::string> label_names;
  std::vector<Part> parts;
  /// Ill-formed UTF-8 sequences that became U+FFFD.
  std::int64_t invalid_sequences = 0;

  /// Throws DataError for a name that is not there.
  const EncodedCorpus& part(std::string_view name) const;
};

/// Reads every text once: counts the tokens, makes the vocabulary, encodes. Label names are those of the first part;
/// DataError when another part has others.
/// With `vocabulary` given, nothing is counted: the ids are those.
EncodedDataset encode_dataset(std::span<const DatasetPart> parts, const EncodeOptions& options = {},
                              const Vocabulary* vocabulary = nullptr);

}  // namespace eddy
