// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_data_flags.h"

#include "eddy/core/error.h"
#include "eddy/experiments/table_columns.h"

namespace eddy {

void add_reading_flags(FlagSet<DataConfig>& flags) {
  flags.choice(
      "--format", [](DataConfig & c) -> auto& { return c.format; }, "Kind of data");
  flags
      .value(
          "--text-column", [](DataConfig & c) -> auto& { return c.text_columns; },
          "tsv, csv: column of the text, by name or number from 0; given several times, their texts are joined")
      ->type_name("COLUMN")
      ->default_str("")
      ->allow_extra_args(false);
  flags
      .value(
          "--label-column", [](DataConfig & c) -> auto& { return c.label_column; },
          "tsv, csv: column of the class, by name or number from 0")
      ->type_name("COLUMN");
  flags.toggle(
      "--header", [](DataConfig & c) -> auto& { return c.header; }, true, "tsv, csv: the first line names the columns");
  flags.choice(
      "--encoding", [](DataConfig & c) -> auto& { return c.encoding; }, "Encoding of the texts");
}

DataFlags::DataFlags(CLI::App& app) : app_(app), data_(app, {}) {
  data_.begin_group("Data");
  data_
      .value(
          "-d,--data", [](DataConfig & c) -> auto& { return c.path; },
          "File, folder of text files, or IMDB's archive; \"wordnet\" is Debian's WordNet")
      ->type_name("PATH");
  add_reading_flags(data_);
  data_
      .toggle(
          "--no-header", [](DataConfig & c) -> auto& { return c.header; }, false,
          "tsv, csv: it does not, although it did in the training")
      ->excludes(app.get_option("--header"));
  data_
      .value(
          "--unlabelled", [](DataConfig & c) -> auto& { return c.unlabelled; },
          "File or directory of more texts to train on, one a line, without labels")
      ->type_name("PATH");
  app.add_option("--cache-dir", cache_, "Folder for tokenised data, so that the next start is instant")
      ->type_name("DIR")
      ->group("Data")
      ->capture_default_str();
  app.add_flag("--no-cache", no_cache_, "Neither read nor write that cache")->group("Data");
}

void DataFlags::apply(DataConfig& config) {
  data_.apply(config);
  if (config.path.empty()) return;
  for (const char* flag : {"--text-column", "--label-column", "--header", "--no-header"}) {
    if (app_.count(flag) == 0) continue;
    const DataFormat format = guess_format(config);
    require<UsageError>(is_table(format), "{} is of tsv and csv, but {} is taken for {}; --format says what it is",
                        flag, config.path, name_of(format));
  }
}

void add_max_length_flag(CLI::App& app, std::optional<std::int64_t>& length) {
  app.add_option("--max-length", length, "Tokens of a text that are read (default: as in the training); 0: all")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40).description(""));
}

void apply_max_length(std::optional<std::int64_t> length, const std::string& model, TrainingConfig& config) {
  if (!length) return;
  require<UsageError>(config.stream_steps == 0, "--max-length: {} reads streams, to their end", model);
  config.evaluation_max_length = *length;
}

TextFlags::TextFlags(CLI::App& app) : text_(app, {}) {
  text_.begin_group("Tokens");
  text_.choice(
      "--tokens", [](TextConfig & c) -> auto& { return c.unit; }, "What a token is");
  text_.toggle(
      "--keep-case", [](TextConfig & c) -> auto& { return c.lower_case; }, false, "Do not lower-case the text");
  text_.toggle(
      "--drop-unknown", [](TextConfig & c) -> auto& { return c.drop_unknown; }, true,
      "Leave out words outside the vocabulary instead of reading <unk>");
  text_.value(
      "--min-count", [](TextConfig & c) -> auto& { return c.min_count; }, "Rarer words are outside the vocabulary");
  text_.value(
      "--min-documents", [](TextConfig & c) -> auto& { return c.min_documents; },
      "Words of fewer different texts are, too");
  text_.value(
      "--vocabulary", [](TextConfig & c) -> auto& { return c.vocabulary_size; },
      "Most entries of the vocabulary; 0: no limit");
}

}  // namespace eddy
