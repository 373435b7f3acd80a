// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/run_data.h"
#include "eddy/experiments/training_config.h"

/// Part of the program `eddy`, for its main thread. The objects and their app hold
/// addresses into each other: both must live until apply().
namespace eddy {

/// Flags that say how a file of labelled texts is read: its format, columns, header and encoding.
void add_reading_flags(FlagSet<DataConfig>& flags);

/// --max-length for texts that are otherwise read as far as in the training. `length` must outlive the app's parsing.
void add_max_length_flag(CLI::App& app, std::optional<std::int64_t>& length);
/// Lays it over the config of `model`. UsageError where a model does not read text by text.
void apply_max_length(std::optional<std::int64_t> length, const std::string& model, TrainingConfig& config);

/// Flags that say where the documents are and how they are read.
class DataFlags {
 public:
  explicit DataFlags(CLI::App& app);

  /// UsageError for flags of columns where the data has none.
  void apply(DataConfig& config);
  /// The cache folder; empty when it is switched off.
  std::filesystem::path cache() const { return no_cache_ ? std::filesystem::path() : std::filesystem::path(cache_); }

 private:
  const CLI::App& app_;
  FlagSet<DataConfig> data_;
  std::string cache_ = default_cache_directory().string();
  bool no_cache_ = false;
};

/// Flags that say how text becomes tokens.
class TextFlags {
 public:
  explicit TextFlags(CLI::App& app);
  void apply(TextConfig& config) { text_.apply(config); }

 private:
  FlagSet<TextConfig> text_;
};

}  // namespace eddy
