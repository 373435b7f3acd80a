// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "eddy/graph/program_impl.h"

namespace eddy {
namespace {

std::string join_types(const std::vector<TensorType>& types) {
  std::string text;
  for (const TensorType& type : types) text += (text.empty() ? "" : ", ") + to_string(type);
  return text;
}

std::string node_line(const Graph& graph, int id) {
  const Node& node = graph.node(id);
  std::string inputs;
  for (const Value& input : node.inputs) {
    inputs += fmt::format("{}%{}", inputs.empty() ? "" : ", ", input.node());
    if (graph.node(input.node()).outputs.size() > 1) inputs += fmt::format(".{}", input.output());
  }
  return fmt::format("%{} = {}({}){} : {}", id, node.op->name(), inputs, braced_attributes(*node.op),
                     join_types(node.outputs));
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

const char* color_of(const Node& node) {
  const std::string_view name = node.op->name();
  if (name == "variable") return "#cfe8cf";
  if (name == "input") return "#cfe0f5";
  if (name == "constant") return "#eeeeee";
  return node.origin.scope.starts_with("gradient") ? "#f7dcc8" : "#ffffff";
}

std::string digraph(const Graph& graph, const std::vector<Value>& results) {
  std::string text = "digraph eddy {\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n";
  for (int id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    text += fmt::format("  n{} [label=\"%{} {}\\n{}\\n{}\", fillcolor=\"{}\", tooltip=\"{}\"];\n", id, id,
                        node.op->name(), escape(node.op->attribute_text()), join_types(node.outputs), color_of(node),
                        escape(to_string(node.origin)));
    for (const Value& input : node.inputs) text += fmt::format("  n{} -> n{};\n", input.node(), id);
  }
  for (std::size_t i = 0; i < results.size(); ++i)
    text += fmt::format("  r{} [label=\"result {}\", shape=ellipse];\n  n{} -> r{};\n", i, i, results[i].node(), i);
  return text + "}\n";
}

/// One line a node, those of a loop's body below it and further in.
void append_text(const ProgramImpl& program, const std::string& indent, std::string& text) {
  const Graph& graph = *program.lowered.graph;
  std::map<int, const LoopKernel*> loops;
  for (const Instruction& instruction : program.instructions)
    if (const LoopKernel* loop = loop_of(instruction)) loops.emplace(instruction.node, loop);
  for (const int id : program.order) {
    std::string memory;
    for (const Slot& slot : program.value_slots[static_cast<std::size_t>(id)]) {
      memory += memory.empty() ? "" : ", ";
      memory += slot.base < 0    ? "unused"
                : slot.base == 0 ? fmt::format("arena+{}", slot.offset)
                                 : fmt::format("base{}+{}", slot.base, slot.offset);
    }
    text += fmt::format("{}{}  @ {}  {}\n", indent, node_line(graph, id), memory, to_string(graph.node(id).origin));
    const auto loop = loops.find(id);
    if (loop == loops.end()) continue;
    text += fmt::format("{}  each of {} steps:\n", indent, loop->second->steps);
    append_text(*loop->second->body, indent + "    ", text);
  }
}

}  // namespace

std::string braced_attributes(const Op& op, std::size_t longest) {
  std::string attributes = op.attribute_text();
  if (attributes.empty()) return {};
  if (attributes.size() > longest) attributes = attributes.substr(0, longest) + "…";
  return " {" + attributes + "}";
}

std::string signature(const Node& node) {
  std::string inputs;
  for (const Value& input : node.inputs) inputs += (inputs.empty() ? "" : ", ") + to_string(input.type());
  return fmt::format("{}({}) -> {}", node.op->name(), inputs, join_types(node.outputs));
}

std::string graph_text(const Graph& graph) {
  std::string text;
  for (int id = 0; id < graph.size(); ++id)
    text += fmt::format("{}  {}\n", node_line(graph, id), to_string(graph.node(id).origin));
  return text;
}

std::string graph_dot(const Graph& graph) { return digraph(graph, {}); }

std::string Program::text() const {
  std::string text;
  append_text(impl(), "", text);
  return text;
}

std::string Program::dot() const { return digraph(*impl().lowered.graph, impl().lowered.results); }

}  // namespace eddy
