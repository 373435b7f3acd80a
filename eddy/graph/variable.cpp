// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/variable.h"

#include <algorithm>
#include <functional>

#include "eddy/graph/graph.h"
#include "eddy/graph/user_line.h"

namespace eddy {
namespace {

constexpr std::string_view kVariable = "variable";

/// The names that have most of the beginning in common with `name`, at most three.
std::vector<std::string> nearest(std::string_view name, const std::vector<std::shared_ptr<Variable>>& variables) {
  const auto common = [name](const std::string& other) {
    return std::ranges::mismatch(name, other).in1 - name.begin();
  };
  std::vector<std::string> names;
  for (const auto& variable : variables) names.push_back(variable->name);
  std::ranges::stable_sort(names, std::greater(), common);
  names.resize(std::min<std::size_t>(names.size(), 3));
  return names;
}

}  // namespace

std::shared_ptr<Variable> ParameterStore::get(std::string_view name, const TensorType& type,
                                              const Initializer& initializer, bool trainable, SourceLocation where) {
  require_at(!name.empty(), where, kVariable, "a variable needs a name");
  require_at(static_cast<bool>(initializer), where, kVariable, "the initializer of '{}' is an empty function", name);
  if (auto existing = find(name)) {
    require_at(existing->value.type() == type, where, kVariable, "'{}' is {} in the store, but {} is asked for", name,
               existing->value.type(), type);
    require_at(existing->trainable == trainable, where, kVariable, "'{}' is {} in the store, but {} is asked for", name,
               existing->trainable ? "a weight" : "no weight", trainable ? "a weight" : "none");
    return existing;
  }
  if (sealed_)
    fail_at(
        where, kVariable, "there is no '{}', and the store is sealed; {}", name,
        variables_.empty() ? "it is empty" : fmt::format("the nearest are: {}", fmt::join(nearest(name, all()), ", ")));
  auto variable = std::make_shared<Variable>(Variable{std::string(name), Tensor(type), trainable});
  Philox random(seed_, stable_hash(name));
  try {
    initializer(variable->value, random);
  } catch (const GraphError& error) {
    fail_at(where, kVariable, "'{}': {}", name, error.sentence());
  }
  variables_.emplace(std::string(name), variable);
  return variable;
}

std::shared_ptr<Variable> ParameterStore::find(std::string_view name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Variable>> ParameterStore::all() const {
  std::vector<std::shared_ptr<Variable>> result;
  for (const auto& [name, variable] : variables_) result.push_back(variable);
  return result;
}

std::int64_t ParameterStore::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& [name, variable] : variables_)
    if (variable->trainable) count += variable->value.elements();
  return count;
}

void ParameterStore::erase(std::string_view name) {
  const auto found = variables_.find(name);
  if (found != variables_.end()) variables_.erase(found);
}

Value parameter(Graph& graph, ParameterStore& store, std::string_view name, const Shape& shape,
                const Initializer& initializer, SourceLocation where) {
  return graph.variable(store.get(name, {f32, shape}, initializer, /*trainable=*/true, where), where);
}

Value state(Graph& graph, ParameterStore& store, std::string_view name, const TensorType& type,
            const Initializer& initializer, SourceLocation where) {
  return graph.variable(store.get(name, type, initializer, /*trainable=*/false, where), where);
}

}  // namespace eddy
