// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "eddy/core/gemm.h"
#include "eddy/graph/op.h"
#include "eddy/graph/value.h"

namespace eddy {

struct LinearOptions {
  Activation activation = Activation::none;
  bool transpose_w = false;  ///< w is stored as [out, in]: an embedding table reused as output layer
};

/// activation(x w + b), f32: x [.., in], w [in, out], b [out] → [.., out]; one product with the bias added while its
/// result is in cache. Throws GraphError when sizes do not fit.
Value linear(Operand x, Operand w, Operand b, LinearOptions options = {});
/// The same without bias.
Value linear(Operand x, Operand w, LinearOptions options = {});

/// The type of a product of x f32[rows, in] and w [in, out], or [out, in] when transposed: f32[rows, out]. Throws
/// GraphError when sizes do not fit.
TensorType linear_type(const TensorType& x, const TensorType& w, bool transpose_w);

/// What a builder that multiplies the last axis of `x` with a matrix begins with.
struct LinearOperands {
  Value rows;     ///< x as [rows, in]
  Value weights;  ///< [in, out], or [out, in] when transposed
  Shape given;    ///< of x
};
/// Throws GraphError of `op`, with the shapes the user gave and the `name` of the weights, when sizes do not fit.
LinearOperands linear_operands(std::string_view op, Operand x, Operand weights, bool transpose_w,
                               std::string_view name);

/// x [rows, in], w [in, out] and the bias of the linear() that `value` is the result of, where that has no activation;
/// nothing for any other value.
std::vector<Value> plain_linear_inputs(Value value);

/// Computes the only output from x, w and the bias; packs a w that stays the same over a loop where that pays.
Kernel linear_kernel(const KernelContext& context, bool transpose_w, Activation activation);

}  // namespace eddy
