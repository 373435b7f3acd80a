// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of the text models.

#include "eddy/graph/builder_scope.h"

namespace eddy {

/// Throws GraphError unless `tokens`, the argument of that name, is i32[time, batch], or f32[time, batch, features] in
/// place of embeddings, and `mask`, if there, f32[time, batch].
inline void expect_tokens(const BuilderScope& at, std::string_view name, const Value& tokens, const Value& mask) {
  if (tokens && tokens.dtype() == f32) {
    at.expect(name, tokens, f32, {"time", "batch", "features"});
  } else {
    at.expect(name, tokens, i32, {"time", "batch"});
  }
  if (mask) at.expect("mask", mask, f32, {tokens.dim(0), tokens.dim(1)});
}

}  // namespace eddy
