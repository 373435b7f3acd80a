// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/ops/op_case.h"

namespace eddy {

/// What an op case goes through.
enum class OpCheck : std::uint8_t {
  values,        ///< outputs equal the reference
  gradients,     ///< every differentiable input gets one, equal to finite differences
  second_order,  ///< gradients of gradients equal finite differences, when the case says that there are any
  determinism,   ///< the same bits run after run and program after program
  passes,        ///< passes, shared memory and in-place kernels change nothing
  threads,       ///< one thread and two give close results, also at the bench shapes (of up to 8 million elements)
};

/// "values", "gradients", ...
std::string_view to_string(OpCheck check);

namespace checks {
struct CaseData;  // see check_op_parts.h
}

struct CheckOptions {
  std::vector<OpCheck> checks = {OpCheck::values,      OpCheck::gradients, OpCheck::second_order,
                                 OpCheck::determinism, OpCheck::passes,    OpCheck::threads};
  /// Of the random inputs.
  std::uint64_t seed = 7;
  /// In place of random inputs and of the reference: numbers recorded elsewhere.
  std::shared_ptr<const checks::CaseData> data = nullptr;
};

/// Checks an op case, of the library or of your own. One sentence for each problem, with the op, the case, the output
/// or input, what was expected and what came out; empty when all is well. Exceptions become problems, too. Changes
/// num_threads() meanwhile: no other thread may use eddy.
std::vector<std::string> check_op(const OpCase& op_case, const CheckOptions& options = {});

}  // namespace eddy
