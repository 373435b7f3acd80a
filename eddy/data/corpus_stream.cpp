// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/corpus_stream.h"

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/data/corpus_cache.h"
#include "eddy/data/corpus_cache_writer.h"
#include "eddy/data/large_counter.h"
#include "eddy/data/text_to_ids.h"

namespace eddy {
namespace {

/// Runs `body`, whose errors are of the cache, not of the documents.
template <class Body>
auto writing(Body&& body) {
  try {
    return body();
  } catch (const DataError& error) {
    throw CacheWriteError(error.what());
  }
}

/// The arrays of a corpus in the making, on disk.
struct SpilledCorpus {
  explicit SpilledCorpus(const std::filesystem::path& folder)
      : tokens(folder), offsets(folder), labels(folder), id_text(folder), id_ends(folder) {
    append(offsets, std::int64_t{0});
  }

  template <class T>
  static void append(SpillFile& file, T value) {
    file.append(std::as_bytes(std::span(&value, 1)));
  }
  void add(std::span<const std::int32_t> document, std::string_view id) {
    tokens.append(std::as_bytes(document));
    append(offsets, static_cast<std::int64_t>(tokens.size() / sizeof(std::int32_t)));
    append(labels, std::int32_t{-1});
    id_text.append(std::as_bytes(std::span(id)));
    append(id_ends, static_cast<std::int64_t>(id_text.size()));
  }

  SpillFile tokens, offsets, labels, id_text, id_ends;
};

Vocabulary count_words(const DocumentStream& documents, const EncodeOptions& options,
                       const std::filesystem::path& folder) {
  Tokenizer tokenizer(options.tokenizer);
  LargeCounter counter(folder);
  documents([&](std::string_view text, std::string_view id) {
    counter.add_document();
    tokenize_named("document", id, text, tokenizer,
                   [&](std::string_view token) { writing([&] { counter.add(token); }); });
  });
  return writing([&] { return counter.vocabulary(options.vocabulary); });
}

}  // namespace

void build_cache(const std::filesystem::path& path, std::uint64_t key, const DocumentStream& documents,
                 const EncodeOptions& options, const Vocabulary* vocabulary) {
  const Vocabulary chosen = vocabulary != nullptr ? *vocabulary : count_words(documents, options, path.parent_path());
  Tokenizer tokenizer(options.tokenizer);
  SpilledCorpus corpus = writing([&] { return SpilledCorpus(path.parent_path()); });
  std::vector<std::int32_t> ids;
  documents([&](std::string_view text, std::string_view id) {
    ids.clear();
    tokenize_named("document", id, text, tokenizer, IdAppender{chosen, options.unknown, ids});
    writing([&] { corpus.add(ids, id); });
  });
  const auto fill = [&](PayloadWriter& writer) {
    write_strings(writer, chosen.tokens());
    writer.array(std::span<const std::int64_t>(chosen.counts()));
    write_strings(writer, {});
    writer.number(tokenizer.invalid_sequences());
    writer.number(1);
    writer.text("train");
    writer.spilled(corpus.tokens, sizeof(std::int32_t));
    writer.spilled(corpus.offsets, sizeof(std::int64_t));
    writer.spilled(corpus.labels, sizeof(std::int32_t));
    writer.spilled(corpus.id_text, 1);
    writer.spilled(corpus.id_ends, sizeof(std::int64_t));
    writer.array(std::span<const std::int64_t>());  // no groups
  };
  writing([&] { write_cache(path, key, fill); });
}

}  // namespace eddy
