// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/encode.h"

#include <utility>

#include "eddy/core/error.h"
#include "eddy/data/text_to_ids.h"

namespace eddy {

namespace {

/// Turns counter numbers into vocabulary ids, in place.
void renumber(CorpusArrays& arrays, std::span<const std::int32_t> id_of, OutOfVocabulary unknown) {
  std::size_t to = 0;
  std::size_t from = 0;
  for (std::size_t document = 1; document < arrays.offsets.size(); ++document) {
    for (const auto end = static_cast<std::size_t>(arrays.offsets[document]); from < end; ++from) {
      const std::int32_t id = id_under(unknown, id_of[static_cast<std::size_t>(arrays.tokens[from])]);
      if (id >= 0) arrays.tokens[to++] = id;
    }
    arrays.offsets[document] = static_cast<std::int64_t>(to);
  }
  arrays.tokens.resize(to);
  arrays.tokens.shrink_to_fit();
}

/// Those of the first part, which all parts must have.
std::vector<std::string> label_names_of(std::span<const DatasetPart> parts) {
  if (parts.empty()) return {};
  const std::vector<std::string>& names = parts[0].data->label_names;
  for (const DatasetPart& part : parts)
    require<DataError>(part.data->label_names == names,
                       "part \"{}\" of the data set has {} label names that differ from the {} of part \"{}\"",
                       part.name, part.data->label_names.size(), names.size(), parts[0].name);
  return names;
}

/// The vocabulary of `result`, and its parts.
void count_and_encode(std::span<const DatasetPart> parts, const EncodeOptions& options, Tokenizer& tokenizer,
                      EncodedDataset& result) {
  TokenCounter counter;
  std::vector<CorpusArrays> arrays(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const DatasetPart& part = parts[i];
    for (const Document& document : part.data->documents) {
      const bool counts = part.in_vocabulary && !(part.uncounted && part.uncounted(document));
      if (counts) counter.add_document();
      tokenize_named("document", document.id, document.text, tokenizer, [&](std::string_view token) {
        arrays[i].tokens.push_back(counts ? counter.add(token) : counter.add_uncounted(token));
      });
      arrays[i].end_document(document.label, document.id, document.group);
    }
  }
  result.vocabulary = Vocabulary(counter, options.vocabulary);
  std::vector<std::int32_t> id_of(static_cast<std::size_t>(counter.table().size()));
  for (std::int32_t i = 0; i < counter.table().size(); ++i)
    id_of[static_cast<std::size_t>(i)] = result.vocabulary.find(counter.table().text(i));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    renumber(arrays[i], id_of, options.unknown);
    result.parts.push_back({parts[i].name, EncodedCorpus(std::move(arrays[i]))});
  }
}

}  // namespace

std::vector<std::int32_t> encode_text(std::string_view text, Tokenizer& tokenizer, const Vocabulary& vocabulary,
                                      OutOfVocabulary unknown) {
  std::vector<std::int32_t> ids;
  tokenizer.for_each(text, IdAppender{vocabulary, unknown, ids});
  return ids;
}

EncodedCorpus encode_corpus(const Dataset& data, Tokenizer& tokenizer, const Vocabulary& vocabulary,
                            OutOfVocabulary unknown) {
  CorpusArrays arrays;
  for (const Document& document : data.documents) {
    tokenize_named("document", document.id, document.text, tokenizer, IdAppender{vocabulary, unknown, arrays.tokens});
    arrays.end_document(document.label, document.id, document.group);
  }
  return EncodedCorpus(std::move(arrays));
}

const EncodedCorpus& EncodedDataset::part(std::string_view name) const {
  std::string known;
  for (const Part& part : parts) {
    if (part.name == name) return part.corpus;
    known += (known.empty() ? "" : ", ") + part.name;
  }
  fail<DataError>("data set has no part \"{}\"; it has {}", name, known.empty() ? "none" : known);
}

EncodedDataset encode_dataset(std::span<const DatasetPart> parts, const EncodeOptions& options,
                              const Vocabulary* vocabulary) {
  Tokenizer tokenizer(options.tokenizer);
  EncodedDataset result;
  result.label_names = label_names_of(parts);
  if (vocabulary == nullptr) {
    count_and_encode(parts, options, tokenizer, result);
  } else {
    result.vocabulary = *vocabulary;
    for (const DatasetPart& part : parts)
      result.parts.push_back({part.name, encode_corpus(*part.data, tokenizer, *vocabulary, options.unknown)});
  }
  result.invalid_sequences = tokenizer.invalid_sequences();
  return result;
}

}  // namespace eddy
