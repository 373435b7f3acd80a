// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

/// Part of the program `eddy`: what was typed that is neither a command nor a flag.
namespace eddy {

/// UsageError for a word that stands where a command is expected and is none. Before the app parses.
void check_command_words(const CLI::App& program, int argc, char** argv);

/// UsageError for what the app that parsed could not place, with the nearest flag for one that is mistyped.
void check_unknown_words(const CLI::App& program);

/// Whether the words that were parsed end where a command has to follow.
bool lacks_command(const CLI::App& program);

}  // namespace eddy
