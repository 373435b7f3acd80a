// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of compilation.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "eddy/graph/graph.h"

namespace eddy {

/// Several elementwise ops run tile by tile, so that what passes between them stays in cache. Made by the fusion pass
/// only: it has no gradient.
/// All of them compute `rows` x `columns` elements. An operand or result lies in memory as rows `row_stride` elements
/// apart, from `begin` on; with a column stride of 0 one element serves a whole row, and each row serves `row_repeat`
/// neighbouring ones.
class FusedOp final : public Op {
 public:
  /// Most inputs one of its ops may have.
  static constexpr std::size_t kMaxArguments = 16;

  struct Access {
    int index = 0;  ///< of the node's input or output
    DType dtype = DType::f32;
    std::int64_t begin = 0;
    std::int64_t row_stride = 0;
    int column_stride = 1;
    std::int64_t row_repeat = 1;
  };
  /// Where an instruction finds an argument: an operand, or the result of an earlier instruction.
  struct Source {
    bool is_operand = false;
    int index = 0;
  };
  struct Instruction {
    std::shared_ptr<const Op> op;
    std::vector<TensorType> input_types;
    TensorType type;
    std::vector<Source> sources;
    std::vector<int> results;  ///< where the value goes, besides to later instructions
  };
  struct Plan {
    std::int64_t rows = 1;
    std::int64_t columns = 0;
    std::vector<Access> operands;
    std::vector<Access> results;
    std::vector<Instruction> instructions;
    std::vector<TensorType> outputs;
  };

  explicit FusedOp(Plan plan);

  std::string_view name() const override { return "fused"; }
  std::vector<TensorType> infer(std::span<const TensorType>) const override { return plan_.outputs; }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
  Kernel make_kernel(const KernelContext& context) const override;
  std::shared_ptr<const Op> clone() const override { return std::make_shared<const FusedOp>(*this); }
  /// The names of its ops, in order.
  std::string attribute_text() const override;
  std::string attribute_bytes() const override;

 private:
  Plan plan_;
};

}  // namespace eddy
