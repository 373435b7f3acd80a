// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/classification_texts.h"

#include <algorithm>
#include <cmath>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/data/delimited.h"
#include "eddy/data/line_stream.h"
#include "eddy/experiments/classification_presets.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/table_columns.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

/// Of fewer labelled texts too few would choose the epoch.
constexpr std::size_t kFewestTexts = 20;

/// With the columns that the config leaves open filled in.
DelimitedOptions columns_of(DataConfig& config, DataFormat format) {
  TableColumns(config, read_first_record(config.path, table_options(config, format))).complete();
  return table_options(config, format);
}

DataFormat table_format(const DataConfig& config) {
  const DataFormat format = guess_format(config);
  require<UsageError>(is_table(format),
                      "{}: is taken for {}; expected labelled texts in a tsv or csv file, by its name or by --format",
                      config.path, name_of(format));
  return format;
}

/// With the classes `known`; none: those it has.
Dataset read_labelled(const DataConfig& reading, const fs::path& file, const std::vector<std::string>& known) {
  DataConfig config = reading;
  config.path = file.string();
  DelimitedOptions options = columns_of(config, table_format(config));
  options.label_names = known;
  Dataset data = read_delimited(file, options);
  std::vector<std::int32_t> labels;
  for (const Document& document : data.documents) labels.push_back(document.label);
  for (const std::string& warning : class_warnings(labels, data.label_names, config))
    show_text(stdout, fmt::format("{}\n", warning));
  return data;
}

/// What such a file is, its name says: --format is about the labelled ones.
Dataset read_unlabelled(const DataConfig& reading, const fs::path& path) {
  DataConfig config;
  config.path = path.string();
  const DataFormat format = guess_format(config);
  if (is_table(format)) {
    config.text_columns = reading.text_columns;
    config.header = reading.header;
    config.columns = reading.columns;
    config.encoding = reading.encoding;
    if (read_first_record(path, table_options(config, format)).size() == 1) {
      config.text_columns.clear();
      config.columns.clear();
    }
    return read_delimited(path, columns_of(config, format));
  }
  std::error_code error;
  require<DataError>(
      format == DataFormat::lines || fs::is_directory(path, error),
      "{}: is an archive; expected a file or folder of texts, one a line, or a tsv or csv file of more texts",
      config.path);
  refuse_tables_in(path);
  Dataset data;
  const std::int64_t lines =
      for_each_line(path, {.encoding = reading.encoding}, [&](std::string_view text, std::string_view id) {
        data.documents.push_back({std::string(text), -1, std::string(id)});
      });
  require<DataError>(!data.documents.empty(), "{}: holds no text in {}; expected one a line", config.path,
                     counted(lines, "line"));
  return data;
}

void check_classes(const Dataset& data, const ClassificationSource& source) {
  const std::size_t texts = data.documents.size(), classes = data.label_names.size();
  require<DataError>(
      classes > 1, "{}: the label of {} is \"{}\"; expected two classes or more in column {}", source.data.string(),
      texts == 1 ? "the only text" : fmt::format("all {} texts", grouped(static_cast<std::int64_t>(texts))),
      data.label_names.front(), source.reading.label_column);
  require<DataError>(classes < texts, "{}: each of {} has a label of its own; expected classes in column {}",
                     source.data.string(), counted(static_cast<std::int64_t>(texts), "text"),
                     source.reading.label_column);
}

ClassificationTexts read_own_texts(const ClassificationSource& source) {
  require<UsageError>(!source.reading.label_column.empty(), "no label column is chosen");
  const DataConfig reading = completed_reading(source);
  const Dataset labelled = read_labelled(reading, source.data, {});
  check_classes(labelled, source);
  ClassificationTexts texts;
  if (source.test_data.empty()) {
    const auto count = static_cast<std::int64_t>(labelled.documents.size());
    ClassificationSource drawn = source;
    drawn.test =
        std::clamp<std::int64_t>(std::llround(source.test_fraction * static_cast<double>(count)), 1, count - 1);
    texts = hold_out(labelled, drawn);
  } else {
    texts.test = read_labelled(reading, source.test_data, labelled.label_names);
    texts.train = shuffled(labelled, source.split_seed);
  }
  require<DataError>(texts.train.documents.size() >= kFewestTexts, "{}: {} left to train on; expected {} or more",
                     source.data.string(), counted(std::ssize(texts.train.documents), "labelled text"), kFewestTexts);
  Dataset more{{}, labelled.label_names};
  for (const fs::path& path : source.unlabelled_data) append(more, read_unlabelled(reading, path));
  texts.unlabelled = shuffled(more, source.split_seed);
  return texts;
}

}  // namespace

DataConfig completed_reading(const ClassificationSource& source) {
  DataConfig reading = source.reading;
  reading.path = source.data.string();
  columns_of(reading, table_format(reading));
  return reading;
}

ClassificationTask own_texts_task() {
  ClassificationTask task;
  task.name = "texts";
  task.title = "Pretraining on texts of one's own";
  task.summary = "Pretraining against training from scratch on labelled texts of your own, tsv or csv";
  task.unit = "text";
  task.own_files = true;
  task.read = read_own_texts;
  task.preset = untuned_preset;
  return task;
}

}  // namespace eddy
