// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/experiments/decoders.h"

/// No state. Throws as write_report().
namespace eddy {

/// Writes report.md, report.json, index.html and the charts into the output folder. Keeps no state; no two at a time
/// for one folder.
void write_decoders_report(const DecodersOptions& options, const DecodersResult& result);

}  // namespace eddy
