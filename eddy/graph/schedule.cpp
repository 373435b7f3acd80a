// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/schedule.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <utility>

#include "eddy/graph/builtin.h"

namespace eddy {
namespace {

using ValueKey = std::pair<int, int>;

ValueKey key(const Value& value) { return {value.node(), value.output()}; }

}  // namespace

std::vector<int> schedule(const Graph& graph) {
  const int count = graph.size();
  // The value whose memory each view shows.
  std::map<ValueKey, ValueKey> viewed;
  const auto root = [&](ValueKey value) {
    const auto found = viewed.find(value);
    return found == viewed.end() ? value : found->second;
  };
  std::map<ValueKey, std::vector<int>> readers;
  std::map<ValueKey, int> writers;
  for (int id = 0; id < count; ++id) {
    const Node& node = graph.node(id);
    const std::vector<Alias> aliases = aliases_of(node);
    // A view runs no kernel: what reads it counts, not the view.
    const auto shows = [](const Alias& alias) { return alias.kind == Alias::Kind::view; };
    if (std::ranges::none_of(aliases, shows))
      for (const Value& input : node.inputs) readers[root(key(input))].push_back(id);
    for (const Alias& alias : aliases) {
      const ValueKey source = root(key(node.inputs[static_cast<std::size_t>(alias.input)]));
      if (alias.kind == Alias::Kind::view) viewed[{id, alias.output}] = source;
      if (alias.kind != Alias::Kind::update) continue;
      const auto [other, fresh] = writers.emplace(source, id);
      if (!fresh)
        throw GraphError(node.op->name(),
                         fmt::format("the same value is already written over by [{}]; update its new value instead",
                                     graph.node(other->second).op->name()),
                         node.origin);
    }
  }
  std::vector<std::vector<int>> followers(static_cast<std::size_t>(count));
  std::vector<int> waiting(static_cast<std::size_t>(count), 0);
  const auto precede = [&](int before, int after) {
    followers[static_cast<std::size_t>(before)].push_back(after);
    ++waiting[static_cast<std::size_t>(after)];
  };
  for (int id = 0; id < count; ++id)
    for (const Value& input : graph.node(id).inputs) precede(input.node(), id);
  for (const auto& [value, writer] : writers)
    for (const int reader : readers[value])
      if (reader != writer) precede(reader, writer);

  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (int id = 0; id < count; ++id)
    if (waiting[static_cast<std::size_t>(id)] == 0) ready.push(id);
  std::vector<int> order;
  while (!ready.empty()) {
    const int id = ready.top();
    ready.pop();
    order.push_back(id);
    for (const int next : followers[static_cast<std::size_t>(id)])
      if (--waiting[static_cast<std::size_t>(next)] == 0) ready.push(next);
  }
  if (static_cast<int>(order.size()) == count) return order;
  for (const auto& [value, writer] : writers)
    if (waiting[static_cast<std::size_t>(writer)] > 0)
      throw GraphError(graph.node(writer).op->name(), "writes over a value that is read by what depends on the update",
                       graph.node(writer).origin);
  fail<GraphError>("the graph has a cycle");
}

}  // namespace eddy
