// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <unordered_map>
#include <utility>

#include "eddy/graph/fused_op.h"
#include "eddy/graph/passes.h"

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
  explicit Fuser(const Lowered& in) : in_(in), graph_(*in.graph), tree_(graph_) {
    group_of_.assign(static_cast<std::size_t>(graph_.size()), -1);
    searched_.assign(group_of_.size(), 0);
    for (int id = 0; id < graph_.size(); ++id) {
      rank_.push_back(kRankStep * id);
      ranks_.insert(ranks_.end(), rank_.back());
      has_windows_.push_back(aliases_of(node(id)).empty() && node(id).inputs.size() == 1 &&
                             node(id).op->input_window(input_types(node(id)), 0).has_value());
    }
    readers_.resize(group_of_.size());
    for (int id = 0; id < graph_.size(); ++id)
      for (const Value& input : graph_.node(id).inputs) readers_[static_cast<std::size_t>(input.node())].push_back(id);
    // What depends on an update must run after all readers of the old value, so it shares no node with any of them.
    after_update_.assign(group_of_.size(), false);
    for (int id = 0; id < graph_.size(); ++id) {
      bool after = std::ranges::any_of(aliases_of(node(id)),
                                       [](const Alias& alias) { return alias.kind == Alias::Kind::update; });
      for (const Value& input : node(id).inputs) after = after || after_update_[static_cast<std::size_t>(input.node())];
      after_update_[static_cast<std::size_t>(id)] = after;
    }
    for (const Value& result : in.results) is_result_.insert({result.node(), result.output()});
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

  std::optional<FusedOp::Access> operand(const Value& value, const Shape& shape, Division& division) const {
    if (const std::optional<Window> window = window_of(value))
      if (window->rows * window->width == division.elements && window->width > 0) {
        Division narrowed = division;
        if (narrowed.agree(window->width)) {
          division = narrowed;
          return FusedOp::Access{.index = 0,
                                 .dtype = value.dtype(),
                                 .begin = window->begin,
                                 .row_stride = window->stride,
                                 .column_stride = 1};
        }
      }
    return access_of(value.type(), shape, division);
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

  /// Whether something waits for `early` that `late` waits for. If not, what `late` waits for is ranked before `early`,
  /// so that the two may become one there.
  bool between(const Group& early, const Group& late) {
    ++search_;
    std::vector<int> found;  // first nodes of units ranked between the two
    const auto visit = [&](int id) {
      const int index = group_of_[static_cast<std::size_t>(id)];
      const int first = index >= 0 ? groups_[static_cast<std::size_t>(index)].members[0] : id;
      int& searched = searched_[static_cast<std::size_t>(first)];
      if (searched == search_ || rank_of(id) < early.rank) return;
      searched = search_;
      found.push_back(first);
    };
    for (const int member : late.members)
      for (const Value& input : node(member).inputs)
        if (!contains(late, input.node()) && !contains(early, input.node())) visit(input.node());
    for (std::size_t next = 0; next < found.size(); ++next) {
      const int index = group_of_[static_cast<std::size_t>(found[next])];
      const std::vector<int> single{found[next]};
      for (const int member : index >= 0 ? groups_[static_cast<std::size_t>(index)].members : single)
        for (const Value& input : node(member).inputs) {
          if (contains(early, input.node())) return true;
          if (index < 0 || group_of_[static_cast<std::size_t>(input.node())] != index) visit(input.node());
        }
    }
    rank_before(early, found);
    return false;
  }

  /// Moves units, named by their first nodes, before `early` without changing the order among them.
  void rank_before(const Group& early, std::vector<int>& units) {
    if (units.empty()) return;
    std::ranges::sort(units, std::less(), [&](int id) { return rank_of(id); });
    const auto count = static_cast<std::int64_t>(units.size());
    const auto space = [&] {
      const auto at = ranks_.find(early.rank);
      return std::pair(at == ranks_.begin() ? early.rank - kRankStep * (count + 1) : *std::prev(at), early.rank);
    };
    if (const auto [before, after] = space(); after - before <= count) spread_ranks();
    const auto [before, after] = space();
    const std::int64_t step = std::min(kRankStep / 256, (after - before) / (count + 1));
    for (const int id : units) ranks_.erase(rank_of(id));
    std::int64_t rank = before;
    for (const int id : units) {
      rank += step;
      set_rank(id, rank);
      ranks_.insert(ranks_.end(), rank);
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
    if (between(early, late)) return;
    both.rank = early.rank;
    ranks_.erase(late.rank);
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

  bool worth(const Group& group) const { return group.members.size() + group.joins.size() >= 2; }

  Lowered rebuild() {
    Lowered out{std::make_unique<Graph>(), {}};
    target_ = out.graph.get();
    mapped_.resize(static_cast<std::size_t>(graph_.size()));
    // Units: single nodes, and groups in the place of their last member.
    std::vector<int> unit(static_cast<std::size_t>(graph_.size()));
    std::map<int, std::vector<int>> parts;
    for (int id = 0; id < graph_.size(); ++id) {
      const int index = group_of_[static_cast<std::size_t>(id)];
      unit[static_cast<std::size_t>(id)] = id;
      if (index >= 0 && worth(groups_[static_cast<std::size_t>(index)])) {
        const Group& group = groups_[static_cast<std::size_t>(index)];
        unit[static_cast<std::size_t>(id)] =
            std::max(group.members.back(), group.joins.empty() ? 0 : group.joins.back());
      }
      parts[unit[static_cast<std::size_t>(id)]].push_back(id);
    }
    std::map<int, std::set<int>> followers;
    std::map<int, int> waiting;
    for (const auto& [name, members] : parts) waiting[name] = 0;
    for (int id = 0; id < graph_.size(); ++id)
      for (const int source : needed_by(id)) {
        const int from = unit[static_cast<std::size_t>(source)], to = unit[static_cast<std::size_t>(id)];
        if (from != to && followers[from].insert(to).second) ++waiting[to];
      }
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (const auto& [name, count] : waiting)
      if (count == 0) ready.push(name);
    while (!ready.empty()) {
      const int name = ready.top();
      ready.pop();
      emit(name, parts[name]);
      for (const int next : followers[name])
        if (--waiting[next] == 0) ready.push(next);
    }
    for (const Value& result : in_.results)
      out.results.push_back(
          mapped_[static_cast<std::size_t>(result.node())][static_cast<std::size_t>(result.output())]);
    return out;
  }

  /// Nodes whose values the node's unit reads: windows are read from their source.
  std::vector<int> needed_by(int id) const {
    std::vector<int> result;
    for (const Value& input : node(id).inputs) result.push_back(input.node());
    const int index = group_of_[static_cast<std::size_t>(id)];
    if (index >= 0 && worth(groups_[static_cast<std::size_t>(index)]))
      for (const Value& input : node(id).inputs)
        if (window_of(input)) result.push_back(node(input.node()).inputs[0].node());
    return result;
  }

  Value mapped(const Value& value) const {
    return mapped_[static_cast<std::size_t>(value.node())][static_cast<std::size_t>(value.output())];
  }

  void emit(int name, const std::vector<int>& members) {
    if (members.size() == 1) {
      std::vector<Value> inputs;
      for (const Value& input : node(name).inputs) inputs.push_back(mapped(input));
      mapped_[static_cast<std::size_t>(name)] = Graph::outputs(target_->copy(node(name), std::move(inputs)));
      return;
    }
    emit_group(groups_[static_cast<std::size_t>(group_of_[static_cast<std::size_t>(members[0])])]);
  }

  bool is_read_outside(int id, const Group& group) const {
    if (is_result_.contains({id, 0})) return true;
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
    for (const auto& [id, output] : outputs)
      mapped_[static_cast<std::size_t>(id)] = {values[static_cast<std::size_t>(output)]};
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
    FusedOp::Access access = *operand(input, node(member).outputs[0].shape, division);
    const bool is_window = access.row_stride > 0 && access.column_stride == 1 && access.row_repeat == 1 &&
                           window_of(input) && access.row_stride == window_of(input)->stride;
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
  std::vector<int> group_of_;
  // Single nodes and groups are ranked so that each comes after what it reads; joining two keeps it so.
  std::vector<std::int64_t> rank_;  ///< by node; of single ones
  std::set<std::int64_t> ranks_;    ///< of all
  std::vector<int> searched_;       ///< by first node: the last search that found the unit
  int search_ = 0;
  std::vector<bool> has_windows_;  ///< by node: its outputs can be read in its input; views need not, they are free
  std::vector<bool> after_update_;
  std::vector<std::vector<int>> readers_;
  std::set<std::pair<int, int>> is_result_;
  std::vector<Group> groups_;
  Graph* target_ = nullptr;
  std::vector<std::vector<Value>> mapped_;
};

}  // namespace

Lowered fuse_elementwise(const Lowered& in) {
  const Lowered fused = Fuser(in).run();
  // What was read in place of a copy leaves the copy without readers.
  return extract(*fused.graph, fused.results, true);
}

}  // namespace eddy
