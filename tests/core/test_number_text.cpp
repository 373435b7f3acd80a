// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "eddy/core/number_text.h"

namespace eddy {

TEST_CASE("counts have commas, and one thing is no several") {
  CHECK(counted(1, "text") == "1 text");
  CHECK(counted(0, "text") == "0 texts");
  CHECK(counted(1234567, "labelled text") == "1,234,567 labelled texts");
  CHECK(counted(1, "gloss", "glosses") == "1 gloss");
  CHECK(counted(1000, "gloss", "glosses") == "1,000 glosses");
  CHECK(grouped(-1234) == "-1,234");
  CHECK(grouped(999) == "999");
  CHECK(with_thousands("1234.5678") == "1,234.5678");
}

}  // namespace eddy
