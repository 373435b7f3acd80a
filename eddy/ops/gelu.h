// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// Forms of the Gaussian error linear unit (Hendrycks & Gimpel 2016, section 2).
enum class GeluForm {
  erf,   ///< x/2 (1 + erf(x / sqrt 2))
  tanh,  ///< x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
};

/// The Gaussian error linear unit, f32 of any shape.
Value gelu(Operand x, GeluForm form = GeluForm::erf);

}  // namespace eddy
