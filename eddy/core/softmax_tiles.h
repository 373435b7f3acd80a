// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include "eddy/core/softmax_products.h"

namespace eddy {

/// The functions on AMX's tiles, with numbers taken apart into 1 to 3 parts; only where tiles::available() holds.
const SoftmaxProducts& softmax_products_on_tiles(int parts);

}  // namespace eddy
