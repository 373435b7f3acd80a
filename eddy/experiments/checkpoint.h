// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/graph/variable.h"

/// The state of a training run in one safetensors file. Everything is written whole or not at all, and comes back bit
/// for bit. None of these functions may run while a program that uses the store does. They keep no reference to store
/// or file.
namespace eddy {

/// What a checkpoint holds beside the variables; text must be UTF-8.
struct CheckpointMetadata {
  std::string config{};                           ///< JSON; empty means none
  std::vector<std::string> vocabulary{};          ///< tokens in the order of their ids; may be empty
  std::vector<std::int64_t> vocabulary_counts{};  ///< one per token, or none
  std::string position{};                         ///< JSON: where in the data, and the step; empty means none
  std::string random_state{};                     ///< whatever replays the random numbers
  std::map<std::string, std::string> more{};      ///< anything else
  std::uint64_t seed = 0;                         ///< of the store; filled in by saving
  friend bool operator==(const CheckpointMetadata&, const CheckpointMetadata&) = default;
};

/// Writes every variable with its name, value and trainable flag, and what the bits depend on (see
/// read_checkpoint_arithmetic). UsageError when `config` or `position` is not JSON;
/// DataError when the file cannot be written, and then the old file still stands.
void save_checkpoint(const std::filesystem::path& path, const ParameterStore& store,
                     const CheckpointMetadata& metadata = {});

/// The same with the trainable variables alone: a model without its optimizer, and a plain safetensors file to others.
/// The values as they lie: after training with catch_up_rows within CurrentRows (caught_up_rows.h) only.
void save_weights(const std::filesystem::path& path, const ParameterStore& store,
                  const CheckpointMetadata& metadata = {});

/// The metadata alone; DataError naming the file when it is no checkpoint.
CheckpointMetadata read_checkpoint_metadata(const std::filesystem::path& path);

/// The arithmetic_facts() of the process that wrote it; empty when an older version did.
std::string read_checkpoint_arithmetic(const std::filesystem::path& path);

/// A variable as a checkpoint describes it.
struct CheckpointVariable {
  std::string name{};
  TensorType type{};
  bool trainable = true;
};

/// The variables of a checkpoint by name, without their values.
std::vector<CheckpointVariable> read_checkpoint_variables(const std::filesystem::path& path);
/// The same of any safetensors file; all are trainable but those that a checkpoint says are not.
std::vector<CheckpointVariable> read_safetensors_variables(const std::filesystem::path& path);

enum class Restore : std::uint8_t {
  create,  ///< variables that the store lacks are made
  exact,   ///< store and file must hold the same variables
};

/// Copies all values of the file into the store. A variable of the store that the file lacks, another type or another
/// trainable flag, and with Restore::exact one the store lacks, are a DataError listing them all; the store is then
/// unchanged. (Only a disk that fails during the copy leaves it half filled.)
CheckpointMetadata load_checkpoint(const std::filesystem::path& path, ParameterStore& store,
                                   Restore mode = Restore::create);

/// Source names that begin with `from` begin with `to` in the target.
struct PrefixRule {
  std::string from{};
  std::string to{};
};

struct TransferOptions {
  /// Source name to target name; goes before the prefixes.
  std::map<std::string, std::string> names{};
  /// The longest `from` that fits is used once; other names stay.
  std::vector<PrefixRule> prefixes{};
  /// Only targets whose names begin so get a value, and stand in the report; empty: all.
  std::vector<std::string> only{};
  /// Leaves optimizer slots, counters and other untrainable state of both sides alone.
  bool trainable_only = true;
};

/// What went from where to where by a transfer; names are in order.
struct TransferReport {
  struct Pair {
    std::string source{};
    std::string target{};
    TensorType source_type{};
    TensorType target_type{};
  };
  std::vector<Pair> transferred;
  std::vector<std::string> missing_in_source;  ///< targets that keep their values
  std::vector<std::string> unused_in_source;
  std::vector<Pair> mismatches;  ///< targets of another type, that keep their values
};

/// A table of every variable and a line of totals.
std::string to_string(const TransferReport& report);

/// Copies values by name into the variables `to` already has; none are made. UsageError when two sources get one
/// target name. Of a safetensors file that is no checkpoint, such as PyTorch's, all tensors count as trainable.
TransferReport transfer(const ParameterStore& from, ParameterStore& to, const TransferOptions& options = {});
TransferReport transfer(const std::filesystem::path& file, ParameterStore& to, const TransferOptions& options = {});

}  // namespace eddy
