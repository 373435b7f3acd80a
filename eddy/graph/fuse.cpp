// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "eddy/graph/aliases.h"
#include "eddy/graph/fused_op.h"
#include "eddy/graph/passes.h"
#include "eddy/graph/precedence.h"
#include "eddy/graph/value_numbers.h"

namespace eddy {
namespace {

constexpr std::size_t kMaxGroup = 64;

/// Room between the ranks of neighbours, for those that must go between later.
constexpr std::int64_t kRankStep = std::int64_t{1} << 28;

/// Rows and columns in which all members of a group are computed; 0 columns: any division will do.
struct Division {
  std::int64_t elements = 0;
  std::int64_t columns = 0;

  bool agree(std::int64_t wanted) {
    if (columns == 0) columns = wanted;
    return columns == wanted;
  }
};

/// How an input of `type` is read while an output of `shape` is computed; nothing when no rows and columns express it.
/// `division` learns what the access demands of it.
std::optional<FusedOp::Access> access_of(const TensorType& type, const Shape& shape, Division& division) {
  FusedOp::Access access{.index = 0, .dtype = type.dtype, .begin = 0, .row_stride = 0, .column_stride = 1};
  const std::int64_t elements = type.shape.elements();
  if (elements == division.elements) {
    access.row_stride = -1;  // of the columns, once they are known
    return access;
  }
  if (elements == 1) {
    access.column_stride = 0;
    return access;
  }
  // The axes along which the input does not move must all be neighbours.
  Shape own = type.shape;
  while (own.rank() < shape.rank()) own = own.inserted(0, 1);
  int first = 0, last = own.rank();
  while (own[first] == 1 && shape[first] != 1) ++first;
  if (own.product(first, last) == shape.product(first, last)) {
    if (!division.agree(elements)) return {};
    return access;
  }
  while (last > 0 && own[last - 1] == 1) --last;
  if (own.product(0, last) == shape.product(0, last)) {
    if (!division.agree(shape.product(last, shape.rank()))) return {};
    access.row_stride = 1;
    access.column_stride = 0;
    return access;
  }
  int middle = 0, back = own.rank();
  while (own[middle] == shape[middle]) ++middle;
  while (own[back - 1] == shape[back - 1]) --back;
  if (own.product(middle, back) != 1 || !division.agree(shape.product(back, shape.rank()))) return {};
  access.row_stride = division.columns;
  access.row_repeat = shape.product(middle, back);
  return access;
}

struct Group {
  std::vector<int> members;  ///< ascending
  std::vector<int> joins;    ///< nodes that only put results of members side by side
  Division division;
  std::int64_t rank = 0;
};

/// For each node the latest one it reads is its parent. A node's ancestors are among those it waits for; to find some
/// of them takes one comparison.
class LatestInputTree {
 public:
  explicit LatestInputTree(const Graph& graph)
      : first_(static_cast<std::size_t>(graph.size())), size_(static_cast<std::size_t>(graph.size()), 1) {
    std::vector<int> parents(first_.size(), -1);
    for (int id = graph.size() - 1; id >= 0; --id) {
      int& parent = parents[static_cast<std::size_t>(id)];
      for (const Value& input : graph.node(id).inputs) parent = std::max(parent, input.node());
      if (parent >= 0) size_[static_cast<std::size_t>(parent)] += size_[static_cast<std::size_t>(id)];
    }
    // Nodes are numbered so that those below one follow it.
    std::vector<int> next(first_.size());
    int next_root = 0;
    for (std::size_t id = 0; id < first_.size(); ++id) {
      int& place = parents[id] >= 0 ? next[static_cast<std::size_t>(parents[id])] : next_root;
      first_[id] = std::exchange(place, place + size_[id]);
      next[id] = first_[id] + 1;
    }
  }

  bool is_below(int id, int ancestor) const {
    const auto top = static_cast<std::size_t>(ancestor);
    const int distance = first_[static_cast<std::size_t>(id)] - first_[top];
    return distance >= 0 && distance < size_[top];
  }

 private:
  std::vector<int> first_, size_;
};

class Fuser {
 public:
  explicit Fuser(const Lowered& in)
      : in_(in), graph_(*in.graph), tree_(graph_), numbers_(graph_), mapped_(numbers_.count()) {
    group_of_.assign(static_cast<std::size_t>(graph_.size()), -1);
    searched_.assign(group_of_.size(), 0);
    // What depends on an update must run after all readers of the old value, so it shares no node with any of them.
    after_update_.assign(group_of_.size(), false);
    for (int id = 0; id < graph_.size(); ++id) {
      rank_.push_back(kRankStep * id);
      ranks_.insert(ranks_.end(), rank_.back());
      const std::vector<TensorType> types = input_types(node(id));
      const std::vector<Alias> aliases = node(id).op->aliases(types, node(id).outputs);
      has_windows_.push_back(aliases.empty() && types.size() == 1 && node(id).op->input_window(types, 0).has_value());
      after_update_[static_cast<std::size_t>(id)] =
          updates_variable(aliases) || std::ranges::any_of(node(id).inputs, [&](const Value& input) {
            return after_update_[static_cast<std::size_t>(input.node())];
          });
    }
    readers_.resize(group_of_.size());
    for (int id = 0; id < graph_.size(); ++id)
      for (const Value& input : graph_.node(id).inputs) readers_[static_cast<std::size_t>(input.node())].push_back(id);
    is_result_.assign(numbers_.count(), false);
    for (const Value& result : in.results) is_result_[numbers_.of(result)] = true;
  }

  Lowered run() {
    for (int id = 0; id < graph_.size(); ++id) place(id);
    for (int id = 0; id < graph_.size(); ++id) join(id);
    return rebuild();
  }

 private:
  const Node& node(int id) const { return graph_.node(id); }

  bool is_elementwise(const Node& node) const {
    return node.outputs.size() == 1 && node.outputs[0].dtype != DType::i32 &&
           node.inputs.size() <= FusedOp::kMaxArguments && !node.inputs.empty() &&
           node.outputs[0].shape.elements() > 0 && static_cast<bool>(node.op->tile(input_types(node)));
  }

  /// The part of another value that `value` is, when that is strided; reading it there saves a copy.
  std::optional<Window> window_of(const Value& value) const {
    const Node& source = node(value.node());
    if (!has_windows_[static_cast<std::size_t>(value.node())]) return {};
    return source.op->input_window(input_types(source), value.output());
  }

  /// How a value from outside is read: in the node that made it or, given as a window, in that node's input.
  struct Operand {
    FusedOp::Access access;
    bool is_window = false;
  };

  std::optional<Operand> operand(const Value& value, const Shape& shape, Division& division) const {
    if (const std::optional<Window> window = window_of(value))
      if (window->rows * window->width == division.elements && window->width > 0) {
        Division narrowed = division;
        if (narrowed.agree(window->width)) {
          division = narrowed;
          return Operand{.access = {.index = 0,
                                    .dtype = value.dtype(),
                                    .begin = window->begin,
                                    .row_stride = window->stride,
                                    .column_stride = 1},
                         .is_window = true};
        }
      }
    const std::optional<FusedOp::Access> access = access_of(value.type(), shape, division);
    return access ? std::optional(Operand{.access = *access}) : std::nullopt;
  }

  /// Whether the node can be computed in this division, which it may make more definite.
  bool fits(int id, const Group& group, Division& division) const {
    const TensorType& type = node(id).outputs[0];
    if (type.shape.elements() != division.elements) return false;
    return std::ranges::all_of(node(id).inputs, [&](const Value& input) {
      if (group_of_[static_cast<std::size_t>(input.node())] >= 0 && contains(group, input.node()))
        return input.shape().elements() == division.elements;
      return operand(input, type.shape, division).has_value();
    });
  }

  static bool contains(const Group& group, int id) { return std::ranges::binary_search(group.members, id); }

  std::int64_t rank_of(int id) const {
    const int index = group_of_[static_cast<std::size_t>(id)];
    return index >= 0 ? groups_[static_cast<std::size_t>(index)].rank : rank_[static_cast<std::size_t>(id)];
  }

  /// Whether something outside `late` that it reads waits for `early` as a look at the tree shows; most groups that
  /// must not be joined are told so without a search.
  bool clearly_between(const Group& early, const Group& late) const {
    for (const int member : late.members)
      for (const Value& input : node(member).inputs) {
        if (contains(late, input.node()) || contains(early, input.node())) continue;
        for (const int other : early.members)
          if (tree_.is_below(input.node(), other)) return true;
      }
    return false;
  }

  /// The first node of the unit, a group or a single node, that a node is of.
  int first_of(int id) const {
    const int index = group_of_[static_cast<std::size_t>(id)];
    return index >= 0 ? groups_[static_cast<std::size_t>(index)].members[0] : id;
  }

  /// A search for what a unit waits for, or for what waits for it, among the units ranked from `low` to `high`.
  struct Search {
    bool back;
    int mark;
    std::int64_t low, high;
    std::vector<int> found = {};  ///< first nodes of units
    std::size_t next = 0;
    std::size_t work = 0;
  };

  /// Goes on from a unit. Whether that leads to what carries the mark `other`.
  bool meets(Search& search, int first, int other) {
    const auto visit = [&](int id) {
      ++search.work;
      const int unit = first_of(id);
      int& mark = searched_[static_cast<std::size_t>(unit)];
      if (mark == other) return true;
      if (mark == search.mark || rank_of(unit) < search.low || rank_of(unit) > search.high) return false;
      mark = search.mark;
      search.found.push_back(unit);
      return false;
    };
    const auto visit_around = [&](int id) {
      if (search.back)
        return std::ranges::any_of(node(id).inputs, [&](const Value& input) { return visit(input.node()); });
      for (const int reader : readers_[static_cast<std::size_t>(id)]) {
        if (reader > newest_) break;  // not placed yet, so ranked after all that are
        if (visit(reader)) return true;
      }
      return false;
    };
    const int index = group_of_[static_cast<std::size_t>(first)];
    if (index < 0) return visit_around(first);
    return std::ranges::any_of(groups_[static_cast<std::size_t>(index)].members, visit_around);
  }

  /// The rank where two groups can become one; nothing when something waits for `early` that `late` waits for. What
  /// lies between in rank alone is moved out of the way: before both what `late` waits for, or behind both what waits
  /// for `early`. Both are searched in turn, as either may be most of the graph when the other is nearly nothing.
  std::optional<std::int64_t> common_rank(const Group& early, const Group& late) {
    search_ += 2;
    Search before{.back = true, .mark = search_, .low = early.rank, .high = late.rank};
    Search behind{.back = false, .mark = search_ + 1, .low = early.rank, .high = late.rank};
    int& early_mark = searched_[static_cast<std::size_t>(early.members[0])];
    int& late_mark = searched_[static_cast<std::size_t>(late.members[0])];
    // What the two pass to each other directly does not count.
    early_mark = late_mark = before.mark;
    meets(before, late.members[0], behind.mark);
    early_mark = late_mark = behind.mark;
    if (meets(behind, early.members[0], before.mark)) return {};
    late_mark = before.mark;
    while (before.next < before.found.size() && behind.next < behind.found.size()) {
      const bool back = before.work <= behind.work;
      Search& search = back ? before : behind;
      if (meets(search, search.found[search.next++], back ? behind.mark : before.mark)) return {};
    }
    if (before.next == before.found.size()) {
      rank_between(before.found, early, /*before=*/true);
      return early.rank;
    }
    rank_between(behind.found, late, /*before=*/false);
    return late.rank;
  }

  /// Moves units, named by their first nodes, next to a group without changing the order among them.
  void rank_between(std::vector<int>& units, const Group& group, bool before) {
    if (units.empty()) return;
    std::ranges::sort(units, std::less(), [&](int id) { return rank_of(id); });
    const auto count = static_cast<std::int64_t>(units.size());
    const auto space = [&] {
      const auto at = ranks_.find(group.rank);
      if (before)
        return std::pair(at == ranks_.begin() ? group.rank - kRankStep * (count + 1) : *std::prev(at), group.rank);
      return std::pair(group.rank,
                       std::next(at) == ranks_.end() ? group.rank + kRankStep * (count + 1) : *std::next(at));
    };
    if (const auto [low, high] = space(); high - low <= count) spread_ranks();
    const auto [low, high] = space();
    const std::int64_t step = std::min(kRankStep / 256, (high - low) / (count + 1));
    for (const int id : units) ranks_.erase(rank_of(id));
    // Away from the group, so that there is room for more next to it.
    std::int64_t rank = before ? low : high - step * (count + 1);
    for (const int id : units) {
      rank += step;
      set_rank(id, rank);
      ranks_.insert(rank);
    }
  }

  void set_rank(int id, std::int64_t rank) {
    const int index = group_of_[static_cast<std::size_t>(id)];
    (index >= 0 ? groups_[static_cast<std::size_t>(index)].rank : rank_[static_cast<std::size_t>(id)]) = rank;
  }

  /// Makes room between all ranks.
  void spread_ranks() {
    std::unordered_map<std::int64_t, std::int64_t> spread;
    std::int64_t next = 0;
    for (const std::int64_t rank : ranks_) spread[rank] = kRankStep * next++;
    for (int id = 0; id < graph_.size(); ++id)
      if (group_of_[static_cast<std::size_t>(id)] < 0)
        rank_[static_cast<std::size_t>(id)] = spread.at(rank_[static_cast<std::size_t>(id)]);
    for (Group& group : groups_)
      if (!group.members.empty()) group.rank = spread.at(group.rank);
    ranks_.clear();
    for (std::int64_t i = 0; i < next; ++i) ranks_.insert(ranks_.end(), kRankStep * i);
  }

  /// Puts a node into a group of its own, and joins that with the groups it reads from.
  void place(int id) {
    if (!is_elementwise(node(id)) || after_update_[static_cast<std::size_t>(id)]) return;
    Group own{
        .members = {id}, .joins = {}, .division = {.elements = node(id).outputs[0].shape.elements(), .columns = 0}};
    Division division = own.division;
    if (!fits(id, own, division)) return;
    own.division = division;
    own.rank = rank_[static_cast<std::size_t>(id)];
    newest_ = id;
    group_of_[static_cast<std::size_t>(id)] = static_cast<int>(groups_.size());
    groups_.push_back(own);
    for (const Value& input : node(id).inputs) {
      const int other = group_of_[static_cast<std::size_t>(input.node())];
      if (other >= 0) merge(group_of_[static_cast<std::size_t>(id)], other);
    }
  }

  void merge(int a, int b) {
    if (a == b) return;
    Group& first = groups_[static_cast<std::size_t>(a)];
    Group& second = groups_[static_cast<std::size_t>(b)];
    if (first.division.elements != second.division.elements || first.members.size() + second.members.size() > kMaxGroup)
      return;
    const Group& early = first.rank < second.rank ? first : second;
    const Group& late = first.rank < second.rank ? second : first;
    if (clearly_between(early, late)) return;
    Group both{.members = first.members, .joins = {}, .division = {.elements = first.division.elements, .columns = 0}};
    both.members.insert(both.members.end(), second.members.begin(), second.members.end());
    std::ranges::sort(both.members);
    Division division = both.division;
    for (const int member : both.members)
      if (!fits(member, both, division)) return;
    both.division = division;
    // What lies between would have to run after the group and before it.
    const std::optional<std::int64_t> rank = common_rank(early, late);
    if (!rank) return;
    both.rank = *rank;
    ranks_.erase(*rank == early.rank ? late.rank : early.rank);
    for (const int member : second.members) group_of_[static_cast<std::size_t>(member)] = a;
    second.members.clear();
    first = std::move(both);
  }

  /// A node that puts results of one group side by side lets the group write them there.
  void join(int id) {
    const Node& joint = node(id);
    if (joint.inputs.size() < 2 || joint.outputs.size() != 1 || joint.outputs[0].dtype == DType::i32) return;
    const int index = group_of_[static_cast<std::size_t>(joint.inputs[0].node())];
    if (index < 0) return;
    Group& group = groups_[static_cast<std::size_t>(index)];
    Division division = group.division;
    for (std::size_t i = 0; i < joint.inputs.size(); ++i) {
      const Value& input = joint.inputs[i];
      const std::optional<Window> window = joint.op->output_window(input_types(joint), static_cast<int>(i));
      if (!window || !contains(group, input.node()) || window->rows * window->width != division.elements ||
          !division.agree(window->width))
        return;
    }
    for (const int member : group.members)
      if (!fits(member, group, division)) return;
    // The joint becomes a result of the group; as it reads nothing else, nothing lies between.
    group.division = division;
    group.joins.push_back(id);
    group_of_[static_cast<std::size_t>(id)] = index;
  }

  /// The group the node becomes a part of, or null when it stays alone.
  const Group* fused_group(int id) const {
    const int index = group_of_[static_cast<std::size_t>(id)];
    if (index < 0) return nullptr;
    const Group& group = groups_[static_cast<std::size_t>(index)];
    return group.members.size() + group.joins.size() >= 2 ? &group : nullptr;
  }

  Lowered rebuild() {
    Lowered out{std::make_unique<Graph>(), {}};
    target_ = out.graph.get();
    // Units: single nodes, and groups in the place of their last member.
    std::vector<int> unit(static_cast<std::size_t>(graph_.size()));
    for (int id = 0; id < graph_.size(); ++id) {
      unit[static_cast<std::size_t>(id)] = id;
      if (const Group* group = fused_group(id))
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

  /// Nodes whose values the node's unit reads: windows are read from their source.
  std::vector<int> needed_by(int id) const {
    std::vector<int> result;
    for (const Value& input : node(id).inputs) result.push_back(input.node());
    if (fused_group(id) != nullptr)
      for (const Value& input : node(id).inputs)
        if (window_of(input)) result.push_back(node(input.node()).inputs[0].node());
    return result;
  }

  const Value& mapped(const Value& value) const { return mapped_[numbers_.of(value)]; }

  void emit(int id) {
    if (const Group* group = fused_group(id)) return emit_group(*group);
    std::vector<Value> inputs;
    for (const Value& input : node(id).inputs) inputs.push_back(mapped(input));
    const Value first = target_->copy(node(id), std::move(inputs));
    const int outputs = static_cast<int>(node(id).outputs.size());
    for (int i = 0; i < outputs; ++i) mapped_[numbers_.of(id, i)] = {target_, first.node(), i};
  }

  bool is_read_outside(int id, const Group& group) const {
    if (is_result_[numbers_.of(id, 0)]) return true;
    return std::ranges::any_of(readers_[static_cast<std::size_t>(id)], [&](int reader) {
      return !contains(group, reader) && std::ranges::find(group.joins, reader) == group.joins.end();
    });
  }

  void emit_group(const Group& group) {
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

  FusedOp::Source source_of(const Value& input, int member, const Group& group,
                            const std::map<int, int>& instruction_of, FusedOp::Plan& plan,
                            std::vector<Value>& inputs) const {
    if (contains(group, input.node())) return {.is_operand = false, .index = instruction_of.at(input.node())};
    Division division = group.division;
    auto [access, is_window] = *operand(input, node(member).outputs[0].shape, division);
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
  const LatestInputTree tree_;
  const ValueNumbers numbers_;
  std::vector<int> group_of_;
  // Single nodes and groups are ranked so that each comes after what it reads; joining two keeps it so.
  std::vector<std::int64_t> rank_;  ///< by node; of single ones
  std::set<std::int64_t> ranks_;    ///< of all
  std::vector<int> searched_;       ///< by first node: the mark of the last search that found the unit
  int search_ = 0;
  int newest_ = -1;                ///< the last node that was placed
  std::vector<bool> has_windows_;  ///< by node: its outputs can be read in its input; views need not, they are free
  std::vector<bool> after_update_;
  std::vector<std::vector<int>> readers_;
  std::vector<bool> is_result_;  ///< by value
  std::vector<Group> groups_;
  Graph* target_ = nullptr;
  std::vector<Value> mapped_;  ///< by value
};

}  // namespace

// What was read in place of a copy leaves the copy without readers.
Lowered fuse_elementwise(Lowered in) { return prune(Fuser(in).run()); }

}  // namespace eddy
