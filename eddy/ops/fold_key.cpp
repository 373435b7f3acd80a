// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/fold_key.h"

#include <algorithm>
#include <array>

#include "eddy/core/random.h"
#include "eddy/ops/binary.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/random_op.h"

namespace eddy {
namespace {

std::array<std::uint32_t, 4> folded(const std::array<std::uint32_t, 4>& key, std::uint32_t index) {
  // The last word keeps these blocks apart from those that random ops draw with the key itself.
  return philox4x32({key[2], key[3], index, 0x666f6c64}, {key[0], key[1]});
}

struct FoldKey final : OpClass<FoldKey> {
  static constexpr std::string_view kName = "fold_key";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_key(inputs[0]);
    require<GraphError>(inputs[1] == TensorType{i32, {}}, "the index must be i32[], it is {}", inputs[1]);
    return {inputs[0]};
  }
  Kernel make_kernel(const KernelContext&) const override {
    return {.run = [](const KernelArgs& args) {
      const auto* key = args.in<std::uint32_t>(0);
      const std::array<std::uint32_t, 4> result =
          folded({key[0], key[1], key[2], key[3]}, args.in<std::uint32_t>(1)[0]);
      std::copy(result.begin(), result.end(), args.out<std::uint32_t>(0));
    }};
  }
};

}  // namespace

Value fold_key(Operand key, Operand index) { return binary_node(FoldKey{}, key, index); }

namespace {

const RegisterOpCase case_fold_key{{
    .name = "fold_key",
    .inputs = {{.type = {i32, {4}}, .low = -9, .high = 9}, {.type = {i32, {}}, .low = -9, .high = 9}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {fold_key(x[0], x[1])}; },
    .reference =
        [](std::span<const std::vector<double>> x) {
          const auto word = [&](std::size_t input, std::size_t i) {
            return static_cast<std::uint32_t>(static_cast<std::int32_t>(x[input][i]));
          };
          FlatArrays result(1);
          for (const std::uint32_t bits : folded({word(0, 0), word(0, 1), word(0, 2), word(0, 3)}, word(1, 0)))
            result[0].push_back(static_cast<std::int32_t>(bits));
          return result;
        },
    .bench_inputs = {{.type = {i32, {4}}, .low = -9, .high = 9}, {.type = {i32, {}}, .low = -9, .high = 9}},
}};

}  // namespace
}  // namespace eddy
