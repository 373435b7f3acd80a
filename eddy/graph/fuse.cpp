// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "eddy/graph/fuse_groups.h"
#include "eddy/graph/fused_op.h"
#include "eddy/graph/passes.h"
#include "eddy/graph/precedence.h"
#include "eddy/graph/value_numbers.h"

namespace eddy {
namespace {

/// Makes each group of nodes one node.
class Fuser {
 public:
  explicit Fuser(const Lowered& in)
      : in_(in), graph_(*in.graph), groups_(graph_), numbers_(graph_), mapped_(numbers_.count()) {
    is_result_.assign(numbers_.count(), false);
    for (const Value& result : in.results) is_result_[numbers_.of(result)] = true;
  }

  Lowered run() {
    Lowered out{std::make_unique<Graph>(), {}};
    target_ = out.graph.get();
    // Units: single nodes, and groups in the place of their last member.
    std::vector<int> unit(static_cast<std::size_t>(graph_.size()));
    for (int id = 0; id < graph_.size(); ++id) {
      unit[static_cast<std::size_t>(id)] = id;
      if (const FusionGroups::Group* group = groups_.group_of(id))
        unit[static_cast<std::size_t>(id)] =
            std::max(group->members.back(), group->joins.empty() ? 0 : group->joins.back());
    }
    Precedence precedence(graph_.size());
    for (int id = 0; id < graph_.size(); ++id)
      for (const int source : needed_by(id)) {
        const int from = unit[static_cast<std::size_t>(source)], to = unit[static_cast<std::size_t>(id)];
        if (from != to) precedence.add(from, to);
      }
    for (const int id : precedence.order())
      if (unit[static_cast<std::size_t>(id)] == id) emit(id);
    for (const Value& result : in_.results) out.results.push_back(mapped(result));
    return out;
  }

 private:
  const Node& node(int id) const { return graph_.node(id); }

  /// Nodes whose values the node's unit reads: windows are read from their source.
  std::vector<int> needed_by(int id) const {
    std::vector<int> result;
    for (const Value& input : node(id).inputs) result.push_back(input.node());
    if (groups_.group_of(id) != nullptr)
      for (const Value& input : node(id).inputs)
        if (groups_.window_of(input)) result.push_back(node(input.node()).inputs[0].node());
    return result;
  }

  const Value& mapped(const Value& value) const { return mapped_[numbers_.of(value)]; }

  void emit(int id) {
    if (const FusionGroups::Group* group = groups_.group_of(id)) return emit_group(*group);
    std::vector<Value> inputs;
    for (const Value& input : node(id).inputs) inputs.push_back(mapped(input));
    const Value first = target_->copy(node(id), std::move(inputs));
    const int outputs = static_cast<int>(node(id).outputs.size());
    for (int i = 0; i < outputs; ++i) mapped_[numbers_.of(id, i)] = {target_, first.node(), i};
  }

  bool is_read_outside(int id, const FusionGroups::Group& group) const {
    if (is_result_[numbers_.of(id, 0)]) return true;
    return std::ranges::any_of(groups_.readers(id), [&](int reader) {
      return !group.contains(reader) && std::ranges::find(group.joins, reader) == group.joins.end();
    });
  }

  void emit_group(const FusionGroups::Group& group) {
    FusedOp::Plan plan;
    plan.columns = group.division.columns > 0 ? group.division.columns : group.division.elements;
    plan.rows = group.division.elements / plan.columns;
    std::vector<Value> inputs;
    std::map<int, int> instruction_of;
    std::vector<std::pair<int, int>> outputs;  // node, output of the fused op
    for (const int member : group.members) {
      FusedOp::Instruction instruction{.op = node(member).op,
                                       .input_types = input_types(node(member)),
                                       .type = node(member).outputs[0],
                                       .sources = {},
                                       .results = {}};
      for (const Value& input : node(member).inputs)
        instruction.sources.push_back(source_of(input, member, group, instruction_of, plan, inputs));
      if (is_read_outside(member, group)) {
        const int index = add_output(plan, node(member).outputs[0]);
        outputs.emplace_back(member, index);
        instruction.results.push_back(static_cast<int>(plan.results.size()));
        plan.results.push_back({.index = index,
                                .dtype = instruction.type.dtype,
                                .begin = 0,
                                .row_stride = plan.columns,
                                .column_stride = 1});
      }
      instruction_of[member] = static_cast<int>(plan.instructions.size());
      plan.instructions.push_back(std::move(instruction));
    }
    for (const int joint : group.joins) {
      const Node& at = node(joint);
      const int index = add_output(plan, at.outputs[0]);
      outputs.emplace_back(joint, index);
      for (std::size_t i = 0; i < at.inputs.size(); ++i) {
        const Window window = *at.op->output_window(input_types(at), static_cast<int>(i));
        auto& instruction = plan.instructions[static_cast<std::size_t>(instruction_of.at(at.inputs[i].node()))];
        instruction.results.push_back(static_cast<int>(plan.results.size()));
        plan.results.push_back({.index = index,
                                .dtype = at.outputs[0].dtype,
                                .begin = window.begin,
                                .row_stride = window.stride,
                                .column_stride = 1});
      }
    }
    const Node& first = node(group.members[0]);
    const Node made{std::make_shared<const FusedOp>(plan), inputs, plan.outputs, first.origin};
    const std::vector<Value> values = Graph::outputs(target_->copy(made, inputs));
    for (const auto& [id, output] : outputs) mapped_[numbers_.of(id, 0)] = values[static_cast<std::size_t>(output)];
  }

  static int add_output(FusedOp::Plan& plan, const TensorType& type) {
    plan.outputs.push_back(type);
    return static_cast<int>(plan.outputs.size()) - 1;
  }

  FusedOp::Source source_of(const Value& input, int member, const FusionGroups::Group& group,
                            const std::map<int, int>& instruction_of, FusedOp::Plan& plan,
                            std::vector<Value>& inputs) const {
    if (group.contains(input.node())) return {.is_operand = false, .index = instruction_of.at(input.node())};
    FusedDivision division = group.division;
    auto [access, is_window] = *groups_.operand(input, node(member).outputs[0].shape, division);
    if (access.row_stride < 0) access.row_stride = plan.columns;
    const Value source = is_window ? mapped(node(input.node()).inputs[0]) : mapped(input);
    const auto known = std::ranges::find(inputs, source);
    access.index = static_cast<int>(known - inputs.begin());
    if (known == inputs.end()) inputs.push_back(source);
    for (std::size_t i = 0; i < plan.operands.size(); ++i) {
      const FusedOp::Access& other = plan.operands[i];
      if (other.index == access.index && other.begin == access.begin && other.row_stride == access.row_stride &&
          other.column_stride == access.column_stride && other.row_repeat == access.row_repeat)
        return {.is_operand = true, .index = static_cast<int>(i)};
    }
    plan.operands.push_back(access);
    return {.is_operand = true, .index = static_cast<int>(plan.operands.size()) - 1};
  }

  const Lowered& in_;
  const Graph& graph_;
  const FusionGroups groups_;
  const ValueNumbers numbers_;
  std::vector<bool> is_result_;  ///< by value
  Graph* target_ = nullptr;
  std::vector<Value> mapped_;  ///< by value
};

}  // namespace

// What was read in place of a copy leaves the copy without readers.
Lowered fuse_elementwise(Lowered in) { return prune(Fuser(in).run()); }

}  // namespace eddy
