#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the name of every op declared in the given source files as C++ string literals: "add", "sub", ...
sed -n 's/.*static constexpr std::string_view kName = \("[a-z0-9_]*"\);.*/\1,/p' "$@" | LC_ALL=C sort -u
