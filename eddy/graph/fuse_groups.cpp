// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/fuse_groups.h"

#include <functional>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "eddy/graph/aliases.h"

namespace eddy {
namespace {

constexpr std::size_t kMaxGroup = 64;

/// Room between the ranks of neighbours, for those that must go between later.
constexpr std::int64_t kRankStep = std::int64_t{1} << 28;

}  // namespace

bool can_be_fused(const Node& node) {
  return node.outputs.size() == 1 && node.outputs[0].dtype != DType::i32 &&
         node.inputs.size() <= FusedOp::kMaxArguments && !node.inputs.empty() && node.outputs[0].shape.elements() > 0 &&
         static_cast<bool>(node.op->tile(input_types(node)));
}

FusionGroups::FusionGroups(const Graph& graph) : graph_(graph), tree_(graph) {
  index_.assign(static_cast<std::size_t>(graph_.size()), -1);
  searched_.assign(index_.size(), 0);
  // What depends on an update must run after all readers of the old value, so it shares no node with any of them.
  after_update_.assign(index_.size(), false);
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
  readers_.resize(index_.size());
  for (int id = 0; id < graph_.size(); ++id)
    for (const Value& input : graph_.node(id).inputs) readers_[static_cast<std::size_t>(input.node())].push_back(id);
  for (int id = 0; id < graph_.size(); ++id) place(id);
  for (int id = 0; id < graph_.size(); ++id) join(id);
}

std::optional<Window> FusionGroups::window_of(const Value& value) const {
  const Node& source = node(value.node());
  if (!has_windows_[static_cast<std::size_t>(value.node())]) return {};
  return source.op->input_window(input_types(source), value.output());
}

std::optional<FusionGroups::Operand> FusionGroups::operand(const Value& value, const Shape& shape,
                                                           FusedDivision& division) const {
  if (const std::optional<Window> window = window_of(value))
    if (window->rows * window->width == division.elements && window->width > 0) {
      FusedDivision narrowed = division;
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
  const std::optional<FusedOp::Access> access = fused_access(value.type(), shape, division);
  return access ? std::optional(Operand{.access = *access}) : std::nullopt;
}

bool FusionGroups::fits(int id, const Group& group, FusedDivision& division) const {
  const TensorType& type = node(id).outputs[0];
  if (type.shape.elements() != division.elements) return false;
  return std::ranges::all_of(node(id).inputs, [&](const Value& input) {
    if (index_[static_cast<std::size_t>(input.node())] >= 0 && group.contains(input.node()))
      return input.shape().elements() == division.elements;
    return operand(input, type.shape, division).has_value();
  });
}

std::int64_t FusionGroups::rank_of(int id) const {
  const int index = index_[static_cast<std::size_t>(id)];
  return index >= 0 ? groups_[static_cast<std::size_t>(index)].rank : rank_[static_cast<std::size_t>(id)];
}

/// Whether something outside `late` that it reads waits for `early` as a look at the tree shows; most groups that
/// must not be joined are told so without a search.
bool FusionGroups::clearly_between(const Group& early, const Group& late) const {
  for (const int member : late.members)
    for (const Value& input : node(member).inputs) {
      if (late.contains(input.node()) || early.contains(input.node())) continue;
      for (const int other : early.members)
        if (tree_.is_below(input.node(), other)) return true;
    }
  return false;
}

/// The first node of the unit, a group or a single node, that a node is of.
int FusionGroups::first_of(int id) const {
  const int index = index_[static_cast<std::size_t>(id)];
  return index >= 0 ? groups_[static_cast<std::size_t>(index)].members[0] : id;
}

/// Goes on from a unit. Whether that leads to what carries the mark `other`.
bool FusionGroups::meets(Search& search, int first, int other) {
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
  const int index = index_[static_cast<std::size_t>(first)];
  if (index < 0) return visit_around(first);
  return std::ranges::any_of(groups_[static_cast<std::size_t>(index)].members, visit_around);
}

/// The rank where two groups can become one; nothing when something waits for `early` that `late` waits for. What
/// lies between in rank alone is moved out of the way: before both what `late` waits for, or behind both what waits
/// for `early`. Both are searched in turn, as either may be most of the graph when the other is nearly nothing.
std::optional<std::int64_t> FusionGroups::common_rank(const Group& early, const Group& late) {
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
void FusionGroups::rank_between(std::vector<int>& units, const Group& group, bool before) {
  if (units.empty()) return;
  std::ranges::sort(units, std::less(), [&](int id) { return rank_of(id); });
  const auto count = static_cast<std::int64_t>(units.size());
  const auto space = [&] {
    const auto at = ranks_.find(group.rank);
    if (before)
      return std::pair(at == ranks_.begin() ? group.rank - kRankStep * (count + 1) : *std::prev(at), group.rank);
    return std::pair(group.rank, std::next(at) == ranks_.end() ? group.rank + kRankStep * (count + 1) : *std::next(at));
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

void FusionGroups::set_rank(int id, std::int64_t rank) {
  const int index = index_[static_cast<std::size_t>(id)];
  (index >= 0 ? groups_[static_cast<std::size_t>(index)].rank : rank_[static_cast<std::size_t>(id)]) = rank;
}

/// Makes room between all ranks.
void FusionGroups::spread_ranks() {
  std::unordered_map<std::int64_t, std::int64_t> spread;
  std::int64_t next = 0;
  for (const std::int64_t rank : ranks_) spread[rank] = kRankStep * next++;
  for (int id = 0; id < graph_.size(); ++id)
    if (index_[static_cast<std::size_t>(id)] < 0)
      rank_[static_cast<std::size_t>(id)] = spread.at(rank_[static_cast<std::size_t>(id)]);
  for (Group& group : groups_)
    if (!group.members.empty()) group.rank = spread.at(group.rank);
  ranks_.clear();
  for (std::int64_t i = 0; i < next; ++i) ranks_.insert(ranks_.end(), kRankStep * i);
}

/// Puts a node into a group of its own, and joins that with the groups it reads from.
void FusionGroups::place(int id) {
  if (!can_be_fused(node(id)) || after_update_[static_cast<std::size_t>(id)]) return;
  Group own{.members = {id}, .joins = {}, .division = {.elements = node(id).outputs[0].shape.elements(), .columns = 0}};
  FusedDivision division = own.division;
  if (!fits(id, own, division)) return;
  own.division = division;
  own.rank = rank_[static_cast<std::size_t>(id)];
  newest_ = id;
  index_[static_cast<std::size_t>(id)] = static_cast<int>(groups_.size());
  groups_.push_back(own);
  for (const Value& input : node(id).inputs) {
    const int other = index_[static_cast<std::size_t>(input.node())];
    if (other >= 0) merge(index_[static_cast<std::size_t>(id)], other);
  }
}

void FusionGroups::merge(int a, int b) {
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
  FusedDivision division = both.division;
  for (const int member : both.members)
    if (!fits(member, both, division)) return;
  both.division = division;
  // What lies between would have to run after the group and before it.
  const std::optional<std::int64_t> rank = common_rank(early, late);
  if (!rank) return;
  both.rank = *rank;
  ranks_.erase(*rank == early.rank ? late.rank : early.rank);
  for (const int member : second.members) index_[static_cast<std::size_t>(member)] = a;
  second.members.clear();
  first = std::move(both);
}

/// A node that puts results of one group side by side lets the group write them there.
void FusionGroups::join(int id) {
  const Node& joint = node(id);
  if (joint.inputs.size() < 2 || joint.outputs.size() != 1 || joint.outputs[0].dtype == DType::i32) return;
  const int index = index_[static_cast<std::size_t>(joint.inputs[0].node())];
  if (index < 0) return;
  Group& group = groups_[static_cast<std::size_t>(index)];
  FusedDivision division = group.division;
  for (std::size_t i = 0; i < joint.inputs.size(); ++i) {
    const Value& input = joint.inputs[i];
    const std::optional<Window> window = joint.op->output_window(input_types(joint), static_cast<int>(i));
    if (!window || !group.contains(input.node()) || window->rows * window->width != division.elements ||
        !division.agree(window->width))
      return;
  }
  for (const int member : group.members)
    if (!fits(member, group, division)) return;
  // The joint becomes a result of the group; as it reads nothing else, nothing lies between.
  group.division = division;
  group.joins.push_back(id);
  index_[static_cast<std::size_t>(id)] = index;
}

}  // namespace eddy
