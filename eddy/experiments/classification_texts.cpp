// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/classification_texts.h"

#include <algorithm>
#include <cmath>

#include "eddy/core/error.h"
#include "eddy/data/delimited.h"
#include "eddy/data/line_stream.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

/// Of fewer labelled texts too few would choose the epoch.
constexpr std::size_t kFewestTexts = 20;

Column parse_column(const std::string& text) {
  const bool number = !text.empty() && text.size() < 7 && text.find_first_not_of("0123456789") == std::string::npos;
  if (number) return std::stoi(text);
  return text;
}

bool is_delimited(DataFormat format) { return format == DataFormat::tsv || format == DataFormat::csv; }

/// The only column beside the label's. What is wrong with the label's, the reader says when it is asked for that.
Column other_column(const fs::path& file, const DelimitedOptions& options) {
  const std::vector<std::string> first = read_first_record(file, options);
  const Column& label = *options.label_column;
  std::size_t place = first.size();
  if (const int* number = std::get_if<int>(&label)) {
    place = static_cast<std::size_t>(*number);
  } else if (options.header) {
    place = static_cast<std::size_t>(std::ranges::find(first, std::get<std::string>(label)) - first.begin());
  }
  if (place >= first.size()) return label;
  require<UsageError>(first.size() == 2,
                      "{}: has {} column{}; expected that of the label and one more, or --text-column", file.string(),
                      first.size(), first.size() == 1 ? "" : "s");
  return place == 0 ? 1 : 0;
}

DelimitedOptions delimited_options(const DataConfig& reading, DataFormat format) {
  require<UsageError>(!reading.label_column.empty(), "no label column is chosen");
  DelimitedOptions options = format == DataFormat::csv ? csv_options() : tsv_options();
  options.header = reading.header;
  options.encoding = reading.encoding;
  options.label_column = parse_column(reading.label_column);
  options.text_columns.clear();
  for (const std::string& column : reading.text_columns) options.text_columns.push_back(parse_column(column));
  return options;
}

/// With the classes `known`; none: those it has.
Dataset read_labelled(const DataConfig& reading, const fs::path& file, const std::vector<std::string>& known) {
  DataConfig config = reading;
  config.path = file.string();
  const DataFormat format = guess_format(config);
  require<UsageError>(is_delimited(format),
                      "{}: is taken for {}; expected labelled texts in a tsv or csv file, by its name or by --format",
                      config.path, name_of(format));
  DelimitedOptions options = delimited_options(reading, format);
  if (options.text_columns.empty()) options.text_columns = {other_column(file, options)};
  options.label_names = known;
  return read_delimited(file, options);
}

/// What such a file is, its name says: --format is about the labelled ones.
Dataset read_unlabelled(const DataConfig& reading, const fs::path& path) {
  DataConfig config;
  config.path = path.string();
  const DataFormat format = guess_format(config);
  if (is_delimited(format)) {
    DelimitedOptions options = delimited_options(reading, format);
    if (options.text_columns.empty()) {
      const bool texts_alone = read_first_record(path, options).size() == 1;
      options.text_columns = {texts_alone ? 0 : other_column(path, options)};
    }
    options.label_column.reset();
    return read_delimited(path, options);
  }
  std::error_code error;
  require<DataError>(
      format == DataFormat::lines || fs::is_directory(path, error),
      "{}: is an archive; expected a file or folder of texts, one a line, or a tsv or csv file of more texts",
      config.path);
  Dataset data;
  const std::int64_t lines =
      for_each_line(path, {.encoding = reading.encoding}, [&](std::string_view text, std::string_view id) {
        data.documents.push_back({std::string(text), -1, std::string(id)});
      });
  require<DataError>(!data.documents.empty(), "{}: holds no text in {} lines; expected one a line", config.path, lines);
  return data;
}

void check_classes(const Dataset& data, const ClassificationSource& source) {
  const std::size_t texts = data.documents.size(), classes = data.label_names.size();
  require<DataError>(classes > 1, "{}: the label of all {} texts is \"{}\"; expected two classes or more in column {}",
                     source.data.string(), texts, data.label_names.front(), source.reading.label_column);
  require<DataError>(classes < texts, "{}: each of {} texts has a label of its own; expected classes in column {}",
                     source.data.string(), texts, source.reading.label_column);
}

ClassificationTexts read_own_texts(const ClassificationSource& source) {
  const Dataset labelled = read_labelled(source.reading, source.data, {});
  check_classes(labelled, source);
  ClassificationTexts texts;
  if (source.test_data.empty()) {
    const auto count = static_cast<std::int64_t>(labelled.documents.size());
    ClassificationSource drawn = source;
    drawn.test =
        std::clamp<std::int64_t>(std::llround(source.test_fraction * static_cast<double>(count)), 1, count - 1);
    texts = hold_out(labelled, drawn);
  } else {
    texts.test = read_labelled(source.reading, source.test_data, labelled.label_names);
    texts.train = shuffled(labelled, source.split_seed);
  }
  require<DataError>(texts.train.documents.size() >= kFewestTexts,
                     "{}: {} labelled texts are left to train on; expected {} or more", source.data.string(),
                     texts.train.documents.size(), kFewestTexts);
  Dataset more{{}, labelled.label_names};
  for (const fs::path& path : source.unlabelled_data) append(more, read_unlabelled(source.reading, path));
  texts.unlabelled = shuffled(more, source.split_seed);
  return texts;
}

}  // namespace

ClassificationTask own_texts_task() {
  ClassificationTask task;
  task.name = "texts";
  task.title = "Pretraining on texts of one's own";
  task.summary = "Pretraining against training from scratch on labelled texts of your own, tsv or csv";
  task.unit = "text";
  task.own_files = true;
  task.read = read_own_texts;
  return task;
}

}  // namespace eddy
