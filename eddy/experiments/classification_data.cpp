// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/classification_data.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/number_text.h"
#include "eddy/data/corpus_cache.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/run_model.h"

namespace eddy {
namespace {

/// A document's ids as bytes, to be looked up.
std::string_view bytes_of(const EncodedCorpus& corpus, std::int32_t document) {
  const auto bytes = std::as_bytes(corpus.document(document));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// `vocabulary`: of the model that the options begin with; none: a fresh one.
EncodedDataset encode(const ClassificationOptions& options, const Vocabulary* vocabulary) {
  const ClassificationTask& task = classification_task(options.source.task);
  if (task.read_encoded) return task.read_encoded(options.source);
  ClassificationTexts texts = task.read(options.source);
  append(texts.train, std::move(texts.unlabelled));
  std::unordered_set<std::string_view> tests;
  for (const Document& document : texts.test.documents) tests.insert(document.text);
  const auto is_test = [&](const Document& document) { return document.label < 0 && tests.contains(document.text); };
  const std::vector<DatasetPart> parts{{"train", &texts.train, true, is_test}, {"test", &texts.test, false}};
  return encode_dataset(parts, encode_options(options.text), vocabulary);
}

/// One is its own name.
std::string names_of(const std::vector<std::filesystem::path>& paths) {
  std::string names;
  for (const auto& path : paths) names += (names.empty() ? "" : "\n") + path.string();
  return names;
}

/// Documents whose loss is followed during pretraining: at most so many, and at most one in twenty.
constexpr std::int32_t kMostFollowed = 2000;

/// Of a `published` set the labelled training texts stay what they are, those among the test texts too.
void find_parts(ClassificationData& data, bool published) {
  const EncodedCorpus &train = data.encoded.part("train"), &test = data.encoded.part("test");
  std::unordered_set<std::string_view> tests;
  for (std::int32_t i = 0; i < test.size(); ++i) tests.insert(bytes_of(test, i));
  while (data.labelled < train.size() && train.label(data.labelled) >= 0) ++data.labelled;
  require<DataError>(data.labelled > 0 && test.size() > 0, "{} labelled and {} test documents; expected some of each",
                     data.labelled, test.size());
  const std::int32_t followed = train.size() - std::min(kMostFollowed, train.size() / 20);
  for (std::int32_t i = 0; i < train.size(); ++i) {
    const bool shared = tests.contains(bytes_of(train, i));
    if (shared && i < data.labelled) ++data.test_in_train;
    if (shared && i >= data.labelled) {
      data.test_in_unlabelled.push_back(i);
    } else if (!shared || published) {
      const bool follows = i >= followed && train.length(i) > 0;
      (follows ? data.pretraining_validation : data.pretraining).push_back(i);
    }
  }
}

/// Tables are read twice, and whatever there is once more by a run that goes on.
void require_kept(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  require<UsageError>(
      !std::filesystem::exists(status) || std::filesystem::is_regular_file(status) ||
          std::filesystem::is_directory(status),
      "{}: is a pipe or device, which can be read but once; an experiment reads its texts again when it "
      "goes on, so expected a file or folder",
      path.string());
}

std::uint64_t identity_of(const EncodedDataset& encoded, const TextConfig& text) {
  CacheKey key;
  key.add_option("text", key_text(text));
  const auto add = [&key](const EncodedCorpus& corpus, auto values) {
    corpus.scan(values, [&key](auto piece) {
      key.add_option("values", {reinterpret_cast<const char*>(piece.data()), piece.size_bytes()});
    });
  };
  for (const EncodedDataset::Part& part : encoded.parts) {
    key.add_option("part", part.name);
    add(part.corpus, part.corpus.tokens());
    add(part.corpus, part.corpus.offsets());
    add(part.corpus, part.corpus.labels());
  }
  return key.add_options("token", encoded.vocabulary.tokens()).add_options("label", encoded.label_names).hash();
}

}  // namespace

ClassificationData load_classification_data(const ClassificationOptions& options) {
  const ClassificationSource& source = options.source;
  const bool own_files = classification_task(source.task).own_files;
  require<UsageError>(!source.data.empty(), "no data given for {}; expected its archive or folder", source.task);
  require<UsageError>(source.unlabelled.empty() || !source.unlabelled_data.empty(),
                      "no data given for the other text, {}; expected its archive or folder (--unlabelled-data)",
                      source.unlabelled);
  // Where only the files of a layout are read, a cache among them would still make itself stale.
  std::vector<std::filesystem::path> inputs = source.unlabelled_data;
  inputs.insert(inputs.end(), {source.data, source.test_data});
  require_no_input("--cache-dir", options.cache, inputs);
  for (const std::filesystem::path& input : inputs) require_kept(input);
  CacheKey key;
  key.add_option("task", source.task).add_option("data", source.data.string());
  key.add_option("unlabelled", source.unlabelled).add_option("from", names_of(source.unlabelled_data));
  key.add_option("test", source.test).add_option("split", static_cast<std::int64_t>(source.split_seed));
  key.add_option("text", key_text(options.text));
  if (own_files) {
    key.add_option("reading", to_json(source.reading)).add_option("test texts", source.test_data.string());
    key.add_option("held out", fmt::format("{}", source.test_fraction));
  }
  std::optional<Vocabulary> vocabulary;
  if (!options.from.empty()) {
    vocabulary = read_model_file(options.from).text.vocabulary;
    key.add_options("token", vocabulary->tokens());
  }
  const auto build = [&] { return encode(options, vocabulary ? &*vocabulary : nullptr); };
  const std::filesystem::path file = cache_file(options.cache, source.task, key);
  key.add_encoding().add_source(source.data);
  if (!source.test_data.empty()) key.add_source(source.test_data);
  for (const auto& path : source.unlabelled_data) key.add_source(path);
  ClassificationData data;
  if (options.cache.empty()) {
    data.encoded = build();
  } else {
    data.encoded = load_or_build(file, key.hash(), build,
                                 [](const std::string& message) { show_text(stdout, fmt::format("{}\n", message)); });
  }
  if (data.encoded.invalid_sequences > 0)
    show_text(stdout,
              fmt::format("{} became U+FFFD\n", counted(data.encoded.invalid_sequences, "ill-formed UTF-8 sequence")));
  data.identity = identity_of(data.encoded, options.text);
  find_parts(data, !own_files);
  require<DataError>(!data.pretraining.empty(), "{}: every text to train on is a test text too; expected others",
                     source.data.string());
  return data;
}

}  // namespace eddy
