// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/run_data.h"

#include <algorithm>
#include <cstdlib>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/number_text.h"
#include "eddy/data/checksum.h"
#include "eddy/data/corpus_cache.h"
#include "eddy/data/corpus_stream.h"
#include "eddy/data/delimited.h"
#include "eddy/data/imdb.h"
#include "eddy/data/line_stream.h"
#include "eddy/data/source.h"
#include "eddy/data/wordnet.h"
#include "eddy/experiments/table_columns.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

/// "wordnet" names Debian's copy unless a file is called so.
fs::path source_path(const std::string& path) {
  std::error_code error;
  if (path == "wordnet" && !fs::exists(path, error)) return fs::path(kWordnetDirectory);
  return path;
}

/// A review set has train/pos in it or in a folder of it.
bool has_imdb_folders(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path / "train" / "pos", error)) return true;
  std::error_code unread;
  for (fs::directory_iterator at(path, unread); !unread && at != fs::directory_iterator(); at.increment(unread))
    if (fs::is_directory(at->path() / "train" / "pos", error)) return true;
  return false;
}

/// The lines of a file or directory, as often as they are asked for; at least one.
DocumentStream stream_lines(const fs::path& path, TextEncoding encoding) {
  return [path, options = TextLinesOptions{.encoding = encoding}](const LineVisitor& visit) {
    std::int64_t documents = 0;
    const std::int64_t lines = for_each_line(path, options, [&](std::string_view text, std::string_view id) {
      visit(text, id);
      ++documents;
    });
    require<DataError>(documents > 0, "{}: holds no document in {}", path.string(), counted(lines, "line"));
  };
}

/// The documents of DataFormat::lines, with the unlabelled ones at the end.
DocumentStream stream_lines(const DataConfig& data) {
  const DocumentStream first = stream_lines(source_path(data.path), data.encoding);
  if (data.unlabelled.empty()) return first;
  return [first, more = stream_lines(data.unlabelled, data.encoding)](const LineVisitor& visit) {
    first(visit);
    more(visit);
  };
}

Dataset dataset_of(const DocumentStream& documents) {
  Dataset data;
  documents([&](std::string_view text, std::string_view id) {
    data.documents.push_back({std::string(text), -1, std::string(id)});
  });
  return data;
}

struct RawParts {
  Dataset train;
  std::optional<Dataset> test;
};

void report_shared(std::size_t dropped, const DataLoading& loading) {
  if (dropped > 0 && loading.message)
    loading.message(fmt::format("left out {} that also {} in the test part",
                                counted(static_cast<std::int64_t>(dropped), "unlabelled text"),
                                dropped == 1 ? "stands" : "stand"));
}

/// A table, whose contents may have been read already.
Dataset read_table(const DataConfig& data, DataFormat format, const DataLoading& loading,
                   const std::optional<std::string>& contents) {
  DelimitedOptions options = table_options(data, format);
  if (loading.model != nullptr && loading.fixed_labels && options.label_column)
    options.label_names = loading.model->label_names;
  return contents ? parse_delimited(*contents, data.path, options) : read_delimited(data.path, options);
}

RawParts read_raw(const DataConfig& data, DataFormat format, const DataLoading& loading,
                  const std::optional<std::string>& contents) {
  const fs::path path = source_path(data.path);
  switch (format) {
    case DataFormat::wordnet:
      return {read_wordnet(path), std::nullopt};
    case DataFormat::imdb: {
      Imdb imdb = read_imdb(path, {.encoding = data.encoding});
      // A text that is tested must not have been read in pretraining.
      report_shared(drop_shared(imdb.unlabelled, imdb.test), loading);
      append(imdb.train, std::move(imdb.unlabelled));
      return {std::move(imdb.train), std::move(imdb.test)};
    }
    case DataFormat::tsv:
    case DataFormat::csv:
      return {read_table(data, format, loading, contents), std::nullopt};
    default:
      return {dataset_of(stream_lines(data)), std::nullopt};
  }
}

RawParts read_raw_with_unlabelled(const DataConfig& data, DataFormat format, const DataLoading& loading,
                                  const std::optional<std::string>& contents) {
  RawParts raw = read_raw(data, format, loading, contents);
  if (data.unlabelled.empty() || format == DataFormat::lines) return raw;
  Dataset more = dataset_of(stream_lines(data.unlabelled, data.encoding));
  if (raw.test) report_shared(drop_shared(more, *raw.test), loading);
  append(raw.train, std::move(more));
  return raw;
}

OutOfVocabulary unknown_rule(const TextConfig& text) {
  return text.drop_unknown ? OutOfVocabulary::drop : OutOfVocabulary::unknown;
}

/// `model`: whose vocabulary; none: a fresh one.
EncodedDataset encode(const RawParts& raw, const TextConfig& text, const TextModelVocabulary* model) {
  std::vector<DatasetPart> parts = {{"train", &raw.train, true}};
  if (raw.test) parts.push_back({"test", &*raw.test, false});
  if (model == nullptr) return encode_dataset(parts, encode_options(text));
  return encode_dataset(parts, encode_options(model->text), &model->vocabulary);
}

void check_labels(const EncodedDataset& result, const DataConfig& data, const DataLoading& loading) {
  if (loading.model == nullptr || !loading.fixed_labels) return;
  const std::vector<std::string>& known = loading.model->label_names;
  if (result.label_names.empty() || result.label_names == known) return;
  fail<DataError>("{}: it has {} ({}, …), other than the {} of the model ({}, …)", data.path,
                  counted(std::ssize(result.label_names), "class", "classes"), result.label_names.front(),
                  counted(std::ssize(known), "class", "classes"), known.empty() ? "none" : known.front());
}

/// A pipe or device can be read but once, and has no size and time to know it again by.
bool can_be_read_again(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return !fs::exists(status) || fs::is_regular_file(status) || fs::is_directory(status);
}

void check_utf8(const std::string& text, std::string_view what) {
  if (find_invalid_utf8(text) == std::string::npos) return;
  fail<UsageError>("{} is not UTF-8, so a model file cannot hold it: {}", what, repaired_utf8(text));
}

/// Makes the config fit to be kept; the contents of a table that can be read but once are returned.
std::optional<std::string> complete(DataConfig& data, DataFormat format, const DataLoading& loading) {
  const bool chosen_now = loading.model == nullptr;  // a model's own texts are read as they were
  data.path = absolute_data_path(data.path);
  if (!data.unlabelled.empty()) data.unlabelled = absolute_data_path(data.unlabelled);
  if (!data.unlabelled.empty()) {
    DataConfig more;
    more.path = data.unlabelled;
    // Its labels would be read as words.
    require<UsageError>(!is_table(guess_format(more)),
                        "{}: is a table by its name; expected a file or folder of unlabelled texts, one a line",
                        data.unlabelled);
    if (chosen_now) refuse_tables_in(data.unlabelled);
  }
  if (chosen_now && data.format == DataFormat::guess && format == DataFormat::lines)
    refuse_tables_in(source_path(data.path), " (--format lines reads it so)");
  check_utf8(data.path, "the path of the data");
  check_utf8(data.unlabelled, "the path of the unlabelled texts");
  check_utf8(data.label_column, "the name of the label column");
  for (const std::string& column : data.text_columns) check_utf8(column, "the name of a text column");
  if (!is_table(format)) return std::nullopt;
  const DelimitedOptions options = table_options(data, format);
  std::optional<std::string> contents;
  if (!can_be_read_again(data.path)) contents = read_text_file(data.path);
  TableColumns columns(data,
                       contents ? first_record(*contents, data.path, options) : read_first_record(data.path, options));
  columns.complete();
  if (loading.message) loading.message(columns.text());
  return contents;
}

/// In lower case, without the ending of a packed file.
std::string plain_name(std::string name) {
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  for (const std::string_view packed : {".gz", ".xz", ".bz2", ".zst", ".lz4", ".lzma"})
    if (name.ends_with(packed)) name.resize(name.size() - packed.size());
  return name;
}

DataFormat format_of_file(std::string_view plain_name) {
  if (plain_name.ends_with(".tsv")) return DataFormat::tsv;
  return plain_name.ends_with(".csv") ? DataFormat::csv : DataFormat::lines;
}

}  // namespace

std::string absolute_data_path(const std::string& path) {
  if (source_path(path) != fs::path(path)) return path;  // a name, not a path
  const fs::path absolute = fs::absolute(path);
  // Behind a link, ".." is not what it seems.
  return std::ranges::find(absolute, fs::path("..")) == absolute.end() ? absolute.lexically_normal().string()
                                                                       : absolute.string();
}

DataFormat guess_format(const DataConfig& config) {
  if (config.format != DataFormat::guess) return config.format;
  const fs::path path = source_path(config.path);
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  require<DataError>(fs::exists(status), "{}: does not exist; expected a file, a directory or an archive of texts",
                     config.path);
  if (fs::is_directory(status)) {
    if (fs::exists(path / "data.noun", error)) return DataFormat::wordnet;
    return has_imdb_folders(path) ? DataFormat::imdb : DataFormat::lines;
  }
  const std::string name = plain_name(path.filename().string());
  for (const std::string_view archive : {".tar", ".tgz", ".txz", ".zip"})
    if (name.ends_with(archive)) return DataFormat::imdb;
  return format_of_file(name);
}

void refuse_tables_in(const fs::path& folder, std::string_view way_out) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return;
  for (const SourceFile& file : list_files(folder))
    require<UsageError>(!is_table(format_of_file(plain_name(file.name))),
                        "{}: is a table by its name, in a folder whose files are read as texts, one a line; its "
                        "labels would be read as words{}",
                        (folder / file.name).string(), way_out);
}

EncodedDataset load_data(DataConfig& data, const TextConfig& text, const DataLoading& loading) {
  require<UsageError>(!data.path.empty(), "no data given; expected a file, a directory or an archive of texts");
  const DataFormat format = guess_format(data);
  const std::optional<std::string> contents = complete(data, format, loading);
  require_no_input("--cache-dir", loading.cache, {source_path(data.path), data.unlabelled});
  const auto build = [&] {
    const RawParts raw = read_raw_with_unlabelled(data, format, loading, contents);
    return encode(raw, text, loading.model);
  };
  bool cached = !loading.cache.empty();
  for (const std::string& path : {data.path, data.unlabelled})
    if (cached && !path.empty() && !can_be_read_again(path)) {
      cached = false;
      if (loading.message)
        loading.message(fmt::format("{}: is a pipe or device, so it is read once, without cache", path));
    }
  EncodedDataset result;
  if (!cached) {
    result = build();
  } else {
    DataConfig resolved = data;
    resolved.format = format;
    resolved.path = fs::absolute(source_path(data.path)).lexically_normal().string();
    const TextModelVocabulary* model = loading.model;
    const TextConfig& read_as = model != nullptr ? model->text : text;
    CacheKey key;
    key.add_option("data", to_json(resolved)).add_option("fixed labels", loading.fixed_labels ? 1 : 0);
    key.add_option("text", key_text(read_as));
    if (model != nullptr) key.add_options("token", model->vocabulary.tokens()).add_options("label", model->label_names);
    const fs::path file = cache_file(loading.cache, fs::path(resolved.path).filename().string(), key);
    key.add_encoding().add_source(resolved.path);
    if (!resolved.unlabelled.empty()) key.add_source(resolved.unlabelled);
    std::function<void()> build_file;
    // Text alone may be larger than memory.
    if (format == DataFormat::lines)
      build_file = [&] {
        build_cache(file, key.hash(), stream_lines(data), encode_options(read_as),
                    model != nullptr ? &model->vocabulary : nullptr);
      };
    result = load_or_build(file, key.hash(), build, loading.message, build_file);
  }
  check_labels(result, data, loading);
  if (is_table(format) && loading.message)
    for (const std::string& warning : class_warnings(result.part("train").labels(), result.label_names, data))
      loading.message(warning);
  return result;
}

fs::path default_cache_directory() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return fs::path(cache) / "eddy";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return fs::path(home) / ".cache" / "eddy";
  return {};
}

std::uint64_t fingerprint(const EncodedCorpus& corpus) {
  const auto absorbed = [&](auto values, std::uint64_t seed) {
    Checksum64 checksum(seed);
    corpus.scan(values, [&](auto piece) { checksum.add(std::as_bytes(piece)); });
    return checksum.value();
  };
  return absorbed(corpus.labels(), absorbed(corpus.offsets(), absorbed(corpus.tokens(), 0)));
}

TokenizerOptions tokenizer_options(const TextConfig& text) {
  return {.unit = text.unit, .lower_case = text.lower_case};
}

EncodeOptions encode_options(const TextConfig& text) {
  return {.tokenizer = tokenizer_options(text),
          .vocabulary = {.min_count = text.min_count,
                         .min_documents = text.min_documents,
                         .max_size = text.vocabulary_size},
          .unknown = unknown_rule(text)};
}

}  // namespace eddy
