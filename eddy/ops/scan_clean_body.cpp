// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/scan_clean_body.h"

#include <map>
#include <string>

#include "eddy/graph/builtin.h"

namespace eddy {
namespace {

/// A state that a needed result reads is needed too. Whether there is one more.
bool add_states(const ScanBody& body, ScanNeeds& needs) {
  std::vector<bool> reached(static_cast<std::size_t>(body.graph->size()), false);
  for (const Value& result : needs.results(body)) reached[static_cast<std::size_t>(result.node())] = true;
  for (int id = body.graph->size() - 1; id >= 0; --id)
    if (reached[static_cast<std::size_t>(id)])
      for (const Value& input : body.graph->node(id).inputs) reached[static_cast<std::size_t>(input.node())] = true;
  bool found = false;
  for (std::size_t i = 0; i < needs.states.size(); ++i) {
    if (needs.states[i] || !reached[static_cast<std::size_t>(body.states[i].node())]) continue;
    needs.states[i] = true;
    found = true;
  }
  return found;
}

bool is_literal(const Value& value) {
  const std::string_view op = node_of(value).op->name();
  return op == ConstantOp::kName || op == "full";
}

/// The body with the literals it captures as its own.
class BodyWithLiterals {
 public:
  BodyWithLiterals(const ScanBody& body, std::span<const Value> captured) : body_(body) {
    for (std::size_t i = 0; i < captured.size(); ++i)
      if (is_literal(captured[i])) copier_.use(body.captures[i], graph_.copy(node_of(captured[i]), {}));
    if (graph_.size() == 0) return;
    for (int id = 0; id < body.graph->size(); ++id) copier_.copy({body.graph.get(), id, 0});
  }

  const Graph& graph() const { return graph_.size() == 0 ? *body_.graph : graph_; }
  std::vector<Value> results(const ScanNeeds& needs) {
    std::vector<Value> results = needs.results(body_);
    if (graph_.size() == 0) return results;
    for (Value& result : results) result = copier_.copy(result);
    return results;
  }

 private:
  const ScanBody& body_;
  Graph graph_;  ///< empty when there are no such literals
  GraphCopier copier_{graph_};
};

}  // namespace

ScanNeeds::ScanNeeds(const ScanOp& op, const std::vector<bool>& used) {
  const ScanBody& body = op.body();
  for (std::size_t i = 0; i < body.states.size(); ++i) states.push_back(used[i] || used[op.first_history() + i]);
  for (std::size_t i = 0; i < body.stacked.size(); ++i) stacked.push_back(used[op.first_stacked() + i]);
  for (std::size_t i = 0; i < body.summed.size(); ++i) sums.push_back(used[op.first_sum() + i]);
  while (add_states(body, *this)) {
  }
}

std::vector<Value> ScanNeeds::results(const ScanBody& body) const {
  std::vector<Value> values;
  const auto take = [&](const std::vector<Value>& from, const std::vector<bool>& wanted) {
    for (std::size_t i = 0; i < from.size(); ++i)
      if (wanted[i]) values.push_back(from[i]);
  };
  take(body.next, states);
  take(body.stacked, stacked);
  take(body.summed, sums);
  return values;
}

CleanScanBody::CleanScanBody(const ScanBody& body, std::span<const Value> captured, const ScanNeeds& needs,
                             const PassSwitches& switches) {
  BodyWithLiterals whole(body, captured);
  lowered = run_passes(whole.graph(), whole.results(needs), switches);
  std::map<std::string, Value> inputs;
  Graph& graph = *lowered.graph;
  for (int id = 0; id < graph.size(); ++id)
    if (const auto* input = dynamic_cast<const InputOp*>(graph.node(id).op.get()))
      inputs[input->label] = {&graph, id, 0};
  const auto find = [&](const std::vector<Value>& from, std::vector<Value>& to) {
    for (const Value& value : from) {
      const auto found = inputs.find(dynamic_cast<const InputOp&>(*node_of(value).op).label);
      to.push_back(found == inputs.end() ? Value() : found->second);
    }
  };
  find(body.sequences, sequences);
  find(body.states, states);
  find(body.captures, captures);
  std::size_t result = 0;
  const auto take = [&](const std::vector<bool>& wanted, std::vector<Value>& to) {
    for (const bool is_wanted : wanted) to.push_back(is_wanted ? lowered.results[result++] : Value());
  };
  take(needs.states, next);
  take(needs.stacked, stacked);
  take(needs.sums, summed);
}

}  // namespace eddy
