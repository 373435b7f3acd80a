// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "eddy/experiments/report.h"

/// Pure functions.
namespace eddy {

/// UsageError naming the row that is shorter or longer than the header.
void check_table(const Table& table);
/// "47.1 ± 0.4", on one line.
std::string cell_text(const TableCell& cell);
/// Columns with a number and otherwise only empty cells and numbers; they are aligned to the right.
std::vector<bool> numeric_columns(const Table& table);
/// Text with what Markdown would take for markup escaped, on one line.
std::string markdown_escaped(std::string_view text);

}  // namespace eddy
