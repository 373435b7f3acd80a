// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "eddy/experiments/command.h"
#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/seq2seq_translator.h"

namespace eddy {

// The subcommands of `eddy seq2seq`. For the main thread; the group must outlive them.
Command add_seq2seq_train(CLI::App& group, const CommandLine& line);
Command add_seq2seq_translate(CLI::App& group);
Command add_seq2seq_evaluate(CLI::App& group, const CommandLine& line);

/// What every command that trains an encoder-decoder lets choose: its sizes, and its training.
void add_pair_model_flags(FlagSet<Seq2SeqConfig>& flags);
void add_pair_training_flags(FlagSet<Seq2SeqConfig>& flags);

/// What pairs are read from: of a folder with --file in it that file alone.
std::filesystem::path pair_source(const PairDataConfig& data);

/// How to search. `options` must outlive the app's parsing.
void add_search_flags(CLI::App& app, TranslatorOptions& options);
/// These and what translate and evaluate have beside them.
void add_decoding_flags(CLI::App& app, TranslatorOptions& options);
/// UsageError for flags of them that do nothing beside the others.
void check_decoding_flags(const CLI::App& app, const TranslatorOptions& options);

}  // namespace eddy
