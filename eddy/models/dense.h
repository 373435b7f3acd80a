// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: a layer of weights that have names, for models.

#include <string>

#include "eddy/graph/variable.h"
#include "eddy/ops/linear.h"

namespace eddy {

/// Parameters [in, out] and [out], where a checkpoint has them.
struct DenseNames {
  std::string w, bias;
};

inline Value dense(ParameterStore& store, const DenseNames& names, Value x, std::int64_t out,
                   const LinearOptions& options = {}) {
  const Value w = parameter(x.graph(), store, names.w, {x.dim(-1), out}, glorot_uniform());
  return linear(x, w, parameter(x.graph(), store, names.bias, {out}, zeros()), options);
}

}  // namespace eddy
