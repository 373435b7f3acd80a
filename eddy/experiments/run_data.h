// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/data/encode.h"
#include "eddy/data/unicode.h"
#include "eddy/experiments/training_config_names.h"

/// No state but the cache's files: safe to call concurrently. Configs are plain values.
namespace eddy {

enum class DataFormat { guess, wordnet, imdb, lines, tsv, csv };

/// How a text becomes token ids. A model file holds this, so that all later text is cut alike.
struct TextConfig {
  TokenUnit unit = TokenUnit::word;
  bool lower_case = true;
  bool drop_unknown = false;             ///< tokens outside the vocabulary vanish instead of becoming <unk>
  std::int64_t min_count = 1;            ///< rarer tokens are outside the vocabulary
  std::int64_t min_documents = 1;        ///< and so are those of fewer different texts
  std::int64_t vocabulary_size = 30000;  ///< most entries; 0: no cap
};

/// Where the documents come from.
struct DataConfig {
  std::string path;  ///< file, directory or archive; "wordnet" is Debian's WordNet
  DataFormat format = DataFormat::guess;
  std::vector<std::string> text_columns;  ///< tsv, csv: names or numbers from 0; none: the only one but the label's
  std::string label_column;               ///< tsv, csv: name or number; empty: no labels
  bool header = false;                    ///< tsv, csv: the first line names the columns
  std::vector<std::string> columns;       ///< the names it had when the data were read first
  TextEncoding encoding = TextEncoding::utf8;
  std::string unlabelled;  ///< more texts to train on, one a line: a file or a directory; empty: none
};

template <>
struct EnumNames<DataFormat> {
  static constexpr std::array<EnumName<DataFormat>, 6> list{{{DataFormat::guess, "guess"},
                                                             {DataFormat::wordnet, "wordnet"},
                                                             {DataFormat::imdb, "imdb"},
                                                             {DataFormat::lines, "lines"},
                                                             {DataFormat::tsv, "tsv"},
                                                             {DataFormat::csv, "csv"}}};
};

template <>
struct EnumNames<TokenUnit> {
  static constexpr std::array<EnumName<TokenUnit>, 5> list{{{TokenUnit::word, "word"},
                                                            {TokenUnit::alphanumeric, "alphanumeric"},
                                                            {TokenUnit::whitespace, "whitespace"},
                                                            {TokenUnit::code_point, "code_point"},
                                                            {TokenUnit::grapheme, "grapheme"}}};
};

template <>
struct EnumNames<TextEncoding> {
  static constexpr std::array<EnumName<TextEncoding>, 4> list{{{TextEncoding::utf8, "utf8"},
                                                               {TextEncoding::utf8_strict, "utf8_strict"},
                                                               {TextEncoding::latin1, "latin1"},
                                                               {TextEncoding::utf8_or_latin1, "utf8_or_latin1"}}};
};

/// What a model knows of texts and classes: ids, names, and how text is cut.
struct TextModelVocabulary {
  TextConfig text;
  Vocabulary vocabulary;
  std::vector<std::string> label_names;
};

/// Decides DataFormat::guess from the path. Throws DataError when nothing is there.
DataFormat guess_format(const DataConfig& config);
/// Throws UsageError when a file of a folder that is to be read line by line is a table by its name.
void refuse_tables_in(const std::filesystem::path& folder, std::string_view way_out = {});

struct DataLoading {
  /// Folder of the cache; empty: no cache.
  std::filesystem::path cache;
  /// Vocabulary and classes of a model the data must fit; none: they are made from the data.
  const TextModelVocabulary* model = nullptr;
  /// The classes of `model` as well; off when the model has none that matter.
  bool fixed_labels = false;
  std::function<void(const std::string&)> message;
};

/// Documents with parts "train" (with unlabelled text, if the format has some, at its end) and, if the format has one,
/// "test"; only "train" shapes the vocabulary. From the cache when that is good. `data` is made fit to be kept in a
/// model: its paths absolute, the columns that are read and their names filled in; names it has already must be those
/// of the file. Throws UsageError for a path or column that is not UTF-8, and where a flag is missing. DataError for
/// data that is not there, is malformed or does not fit the model.
EncodedDataset load_data(DataConfig& data, const TextConfig& text, const DataLoading& loading);

/// The same place from any folder. "wordnet" stays as it is.
std::string absolute_data_path(const std::string& path);

/// $XDG_CACHE_HOME/eddy, or ~/.cache/eddy; empty when neither variable is set.
std::filesystem::path default_cache_directory();

/// A number that changes with any token, border or label of the corpus.
std::uint64_t fingerprint(const EncodedCorpus& corpus);

TokenizerOptions tokenizer_options(const TextConfig& text);
/// How texts of a fresh vocabulary are encoded.
EncodeOptions encode_options(const TextConfig& text);

std::string to_json(const DataConfig& config);
std::string to_json(const TextConfig& config);
/// The same for the keys of caches and of what an experiment has finished: without the settings that are younger than
/// those and change nothing, so that the keys stay.
std::string key_text(const TextConfig& config);
/// Members that are not there have their defaults. Throws DataError naming `where` and the key.
DataConfig data_config_from_json(std::string_view json, std::string_view where);
TextConfig text_config_from_json(std::string_view json, std::string_view where);

}  // namespace eddy
