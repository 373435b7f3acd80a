// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/core/packed_product.h"
#include "eddy/graph/op.h"
#include "eddy/graph/value.h"

namespace eddy {

struct MatmulOptions {
  bool transpose_a = false;  ///< a is stored as [.., k, m]
  bool transpose_b = false;  ///< b is stored as [.., n, k]
};

/// Matrix products, f32: a [.., m, k] times b [.., k, n] → [.., m, n]. Axes before the last two broadcast as in NumPy.
/// A vector [k] as `a` is a row, as `b` a column, and that axis is missing from the result. Operands are never copied
/// to transpose them. With a 2-D `b` all rows of `a` go through one product. Throws GraphError when inner sizes differ.
Value matmul(Operand a, Operand b, MatmulOptions options = {});

/// The kernel of out = in(0) * in(1) (+ in(2)) inside a loop in which in(1) stays the same.
Kernel packed_kernel(const PackedProduct& product, bool has_bias);

}  // namespace eddy
