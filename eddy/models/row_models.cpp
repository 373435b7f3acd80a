// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/row_models.h"

#include "eddy/graph/builder_scope.h"
#include "eddy/models/dense.h"
#include "eddy/models/text_features.h"
#include "eddy/ops/mean_squared_error.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/shift.h"
#include "eddy/ops/slice.h"

namespace eddy {
namespace {

void check_rows(const BuilderScope& at, const TextModelConfig& config, Value rows, Value mask) {
  at.check(!config.bidirectional, "rows are predicted in one direction, but the config asks for two");
  at.check(!config.encoder.reverse, "a stack that reads backwards would have read what it is to predict");
  at.expect("rows", rows, f32, {"time", "batch", "width"});
  at.expect("mask", mask, f32, {rows.dim(0), rows.dim(1)});
}

/// Error of predicting `rows` f32[time, batch, width] from `outputs` f32[time, batch, hidden] where the mask is 1.
Value prediction_error(ParameterStore& store, Value outputs, Value rows, Value mask) {
  const NameScope scope(rows.graph(), "rows");
  const Value predicted = dense(store, {"rows/w", "rows/b"}, outputs, rows.dim(-1));
  return mean_squared_error(predicted, rows, expand_dims(mask, 2));
}

}  // namespace

Value next_row_loss(ParameterStore& store, const TextModelConfig& config, Value rows, Value mask, Mode mode,
                    SourceLocation where) {
  const BuilderScope at("next_row_loss", "rows", rows, where);
  check_rows(at, config, rows, mask);
  const std::int64_t time = rows.dim(0);
  at.check(time >= 2, "predicting the next row needs two of them, not {}", time);
  const Value outputs = encode_tokens(store, config, rows, mask, mode).forward.outputs;
  return prediction_error(store, slice(outputs, 0, 0, time - 1), slice(rows, 0, 1), slice(mask, 0, 1));
}

Value row_autoencoder_loss(ParameterStore& store, const TextModelConfig& config, Value rows, Value mask, Mode mode,
                           SourceLocation where) {
  const BuilderScope at("row_autoencoder_loss", "rows", rows, where);
  check_rows(at, config, rows, mask);
  StackState meaning;
  {
    const NameScope scope(rows.graph(), "read");
    meaning = encode_tokens(store, config, rows, mask, mode).forward.last;
  }
  const NameScope scope(rows.graph(), "write");
  const Value outputs = encode_tokens(store, config, shift(rows, 1), mask, mode, meaning).forward.outputs;
  return prediction_error(store, outputs, rows, mask);
}

Value row_pooled_autoencoder_loss(ParameterStore& store, const TextModelConfig& config, Value rows, Value mask,
                                  Mode mode, SourceLocation where) {
  const BuilderScope at("row_pooled_autoencoder_loss", "rows", rows, where);
  check_rows(at, config, rows, mask);
  const Value read = embed_tokens(store, config, rows, mode);
  return prediction_error(store, states_before(store, config, read, mask, mode), rows, mask);
}

}  // namespace eddy
