// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <string>

#include "eddy/data/encode.h"
#include "eddy/experiments/run_model.h"
#include "eddy/experiments/run_training.h"
#include "eddy/experiments/text_trainer.h"
#include "eddy/experiments/validation_split.h"

/// No state: safe to call concurrently.
namespace eddy {

/// The threads that wrote the checkpoint and the precision of their products are set, unless --threads or --precision
/// says which, so that going on gives the same bits. Returns lines to say where they are others than this process would
/// have by itself, without a final newline; else nothing.
std::string take_recorded_arithmetic(const CLI::App& app, const std::filesystem::path& checkpoint);
/// Says on standard error when this process computes other bits than the one that wrote the checkpoint.
void warn_of_other_bits(const std::filesystem::path& checkpoint);

/// What to say of a data set with so many of them.
std::string ill_formed_text(std::int64_t sequences);

/// What a run is about to do: machine, data, model, training, output. Lines without a final newline.
std::string run_header(const ModelFile& model, const ParameterStore& store, const EncodedDataset& data,
                       const TextTrainer& trainer, const ValidationSplit& split, const std::filesystem::path& output);

/// What it has done.
std::string run_summary(const ModelFile& model, const RunOutcome& outcome, const std::filesystem::path& output);

}  // namespace eddy
