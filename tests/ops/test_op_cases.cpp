// SPDX-License-Identifier: Apache-2.0
// Every registered op case goes through every check of check_op(). EDDY_OP_CASE=<part of a name> picks some.
#include <doctest/doctest.h>

#include <cstdlib>
#include <set>

#include "tests/ops/case_program.h"

namespace eddy::test {
namespace {

/// Each problem fails its case, not the run.
void check_all(OpCheck check) {
  const char* wanted = std::getenv("EDDY_OP_CASE");
  for (const OpCase& op_case : op_cases()) {
    if (wanted != nullptr && op_case.name.find(wanted) == std::string::npos) continue;
    for (const std::string& problem : problems_of(op_case, check)) FAIL_CHECK(problem);
  }
}

TEST_CASE("op cases: each has a unique name, a builder and something to compare with") {
  std::set<std::string> names;
  for (const OpCase& op_case : op_cases()) {
    INFO("op case ", op_case.name);
    CHECK(names.insert(op_case.name).second);
    CHECK(static_cast<bool>(op_case.build));
    CHECK(op_case.reference);
  }
}

TEST_CASE("op cases: values equal the reference") { check_all(OpCheck::values); }

TEST_CASE("op cases: gradients equal finite differences and the goldens") { check_all(OpCheck::gradients); }

TEST_CASE("op cases: gradients of gradients equal finite differences") { check_all(OpCheck::second_order); }

TEST_CASE("op cases: the same bits run after run and program after program") { check_all(OpCheck::determinism); }

TEST_CASE("op cases: passes, shared memory and in-place kernels change nothing") { check_all(OpCheck::passes); }

TEST_CASE("op cases: one thread and two give close results, also at the sizes models use") {
  check_all(OpCheck::threads);
}

}  // namespace
}  // namespace eddy::test
