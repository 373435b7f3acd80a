// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/builder_scope.h"

#include <string>

#include "eddy/graph/user_line.h"

namespace eddy {
namespace {

Graph& graph_of(std::string_view builder, std::string_view argument, const Value& value, SourceLocation where) {
  require_at(static_cast<bool>(value), where, builder, "{} is empty", argument);
  return value.graph();
}

bool fits(const Value& value, DType dtype, std::initializer_list<AxisSize> axes) {
  if (!value || value.dtype() != dtype || value.rank() != static_cast<int>(axes.size())) return false;
  int axis = 0;
  for (const AxisSize& wanted : axes)
    if (const std::int64_t size = value.dim(axis++); wanted.size >= 0 && size != wanted.size) return false;
  return true;
}

}  // namespace

BuilderScope::BuilderScope(std::string_view builder, std::string_view argument, Value value, SourceLocation where)
    : BuilderScope(builder, graph_of(builder, argument, value, where), where) {}

BuilderScope::BuilderScope(std::string_view builder, Graph& graph, SourceLocation where)
    : origin_(where), builder_(builder), where_(where), graph_(graph) {}

void BuilderScope::expect(std::string_view argument, const Value& value, DType dtype,
                          std::initializer_list<AxisSize> axes) const {
  if (fits(value, dtype, axes)) [[likely]]
    return;
  std::string wanted;
  for (const AxisSize& axis : axes) {
    if (!wanted.empty()) wanted += ',';
    wanted += axis.size >= 0 ? fmt::format("{}", axis.size) : axis.word;
  }
  fail(fmt::format("{} must be {}[{}], not {}", argument, to_string(dtype), wanted, type_text(value)));
}

void BuilderScope::fail(std::string what) const { throw GraphError(builder_, std::move(what), graph_.origin(where_)); }

std::string type_text(const Value& value) { return value ? to_string(value.type()) : "an empty value"; }

}  // namespace eddy
