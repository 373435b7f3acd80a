// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "eddy/core/number_text.h"
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

std::map<int, const LoopKernel*> loops_of(const ProgramImpl& program) {
  std::map<int, const LoopKernel*> loops;
  for (const Instruction& instruction : program.instructions)
    if (const LoopKernel* loop = loop_of(instruction)) loops.emplace(instruction.node, loop);
  return loops;
}

/// Boxes and edges of the nodes, whose names begin with `prefix`.
void append_boxes(const Graph& graph, const std::string& prefix, std::string& text) {
  for (int id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    text += fmt::format("  {}{} [label=\"%{} {}\\n{}\\n{}\", fillcolor=\"{}\", tooltip=\"{}\"];\n", prefix, id, id,
                        node.op->name(), escape(node.op->attribute_text()), join_types(node.outputs), color_of(node),
                        escape(to_string(node.origin)));
    for (const Value& input : node.inputs) text += fmt::format("  {0}{1} -> {0}{2};\n", prefix, input.node(), id);
  }
}

void append_results(const std::vector<Value>& results, const std::string& prefix, std::string& text) {
  for (std::size_t i = 0; i < results.size(); ++i)
    text += fmt::format("  {0}r{1} [label=\"result {1}\", shape=ellipse];\n  {0}{2} -> {0}r{1};\n", prefix, i,
                        results[i].node());
}

/// Each loop in a frame with what a step of it does.
void append_program(const ProgramImpl& program, const std::string& prefix, std::string& text) {
  append_boxes(*program.lowered.graph, prefix, text);
  append_results(program.lowered.results, prefix, text);
  for (const auto& [id, loop] : loops_of(program)) {
    const std::string name = fmt::format("{}{}", prefix, id);
    text += fmt::format("  subgraph cluster_{0} {{\n  label=\"each of {1}\";\n  {0};\n", name,
                        counted(loop->steps, "step"));
    append_program(*loop->body, name + "_", text);
    text += "  }\n";
  }
}

std::string digraph(const std::string& content) {
  return "digraph eddy {\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n" + content + "}\n";
}

/// One line a node, those of a loop's body below it and further in.
void append_text(const ProgramImpl& program, const std::string& indent, std::string& text) {
  const Graph& graph = *program.lowered.graph;
  const std::map<int, const LoopKernel*> loops = loops_of(program);
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
    text += fmt::format("{}  each of {}:\n", indent, counted(loop->second->steps, "step"));
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

std::string graph_dot(const Graph& graph) {
  std::string text;
  append_boxes(graph, "n", text);
  return digraph(text);
}

std::string Program::text() const {
  std::string text;
  append_text(impl(), "", text);
  return text;
}

std::string Program::dot() const {
  std::string text;
  append_program(impl(), "n", text);
  return digraph(text);
}

}  // namespace eddy
