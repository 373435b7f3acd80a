// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/schedule.h"

#include <algorithm>
#include <numeric>

#include "eddy/graph/aliases.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/precedence.h"
#include "eddy/graph/value_numbers.h"

namespace eddy {
namespace {

std::string written_twice(const Node& node, const Alias& alias, const Node& other) {
  const Variable* variable = variable_of(node.inputs[static_cast<std::size_t>(alias.input)]);
  return fmt::format(
      "{} is written over by [{}] already {}; update its new value instead, or give one of two optimizers that share "
      "it another name",
      variable == nullptr ? "the same value" : "variable '" + variable->name + "'", other.op->name(),
      to_string(other.origin));
}

}  // namespace

std::vector<int> schedule(const Graph& graph, std::span<const std::vector<Alias>> aliases) {
  const int count = graph.size();
  const auto aliases_at = [&](int id) -> const std::vector<Alias>& { return aliases[static_cast<std::size_t>(id)]; };
  const ValueNumbers numbers(graph);
  // By value: the one whose memory it shows, and the node that writes over that memory or -1.
  std::vector<std::size_t> root(numbers.count());
  std::iota(root.begin(), root.end(), std::size_t{0});
  std::vector<int> writer(numbers.count(), -1);
  for (int id = 0; id < count; ++id) {
    const Node& node = graph.node(id);
    for (const Alias& alias : aliases_at(id)) {
      const std::size_t source = root[numbers.of(node.inputs[static_cast<std::size_t>(alias.input)])];
      if (alias.kind == Alias::Kind::view) root[numbers.of(id, alias.output)] = source;
      if (alias.kind != Alias::Kind::update) continue;
      if (const int other = writer[source]; other >= 0)
        throw GraphError(node.op->name(), written_twice(node, alias, graph.node(other)), node.origin);
      writer[source] = id;
    }
  }
  Precedence precedence(count);
  for (int id = 0; id < count; ++id) {
    // A view runs no kernel: what reads it counts, not the view.
    const bool reads = !is_view(aliases_at(id));
    for (const Value& input : graph.node(id).inputs) {
      precedence.add(input.node(), id);
      const int over = writer[root[numbers.of(input)]];
      if (reads && over >= 0 && over != id) precedence.add(id, over);
    }
  }
  std::vector<int> order = precedence.order();
  if (static_cast<int>(order.size()) == count) return order;
  std::vector<bool> ordered(static_cast<std::size_t>(count), false);
  for (const int id : order) ordered[static_cast<std::size_t>(id)] = true;
  for (const int id : writer)
    if (id >= 0 && !ordered[static_cast<std::size_t>(id)])
      throw GraphError(graph.node(id).op->name(), "writes over a value that is read by what depends on the update",
                       graph.node(id).origin);
  fail<GraphError>("the graph has a cycle");
}

}  // namespace eddy
