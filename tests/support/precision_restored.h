// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/core/precision.h"

namespace eddy::test {

/// Its end sets the precision of its beginning.
class PrecisionRestored {
 public:
  PrecisionRestored() = default;
  PrecisionRestored(const PrecisionRestored&) = delete;
  PrecisionRestored& operator=(const PrecisionRestored&) = delete;
  ~PrecisionRestored() { set_matmul_precision(before_); }

 private:
  Precision before_ = matmul_precision();
};

}  // namespace eddy::test
