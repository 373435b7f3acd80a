// SPDX-License-Identifier: Apache-2.0
// What can be seen of a graph and a program: gradients of any order, who made which node, what shares memory, text and
// pictures, where the time goes, and values as NumPy files.
#include <eddy/eddy.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

using namespace eddy;

namespace {

int wrong = 0;
void check(bool holds, std::string_view what) {
  fmt::print("{} {}\n", holds ? "yes:" : "NO: ", what);
  wrong += !holds;
}

/// Gradients are values of the same graph, so they can be differentiated again.
void look_at_gradients() {
  Graph graph;
  const Value x = graph.input("x", f32, {}), y = graph.input("y", f32, {});
  const Value z = x * x * x * y;
  const std::vector<Value> first = dense_gradients(z, {x, y});
  const Value dx = first[0], dy = first[1];
  const Value dxdx = dense_gradient(dx, x);
  // From values with gradients of one's own: d(2 x^2 + 3 x y)/dx.
  const std::vector<Seed> seeds{{.value = x * x, .gradient = graph.constant(2)},
                                {.value = x * y, .gradient = graph.constant(3)}};
  const Value mixed = backpropagate(seeds, {{x}})[0].dense(x);
  const Value frozen = dense_gradient(stop_gradient(x) * x, x);
  Program program = compile(graph, {dx, dy, dxdx, mixed, frozen});
  const auto at = program.run({{"x", Tensor::scalar(2.0f)}, {"y", Tensor::scalar(5.0f)}});
  check(at[0].item() == 60 && at[1].item() == 8, "d(x^3 y)/dx = 3 x^2 y and d(x^3 y)/dy = x^3");
  check(at[2].item() == 60, "the second derivative is 6 x y");
  check(at[3].item() == 23, "seeds 2 and 3 give 4 x + 3 y");
  check(at[4].item() == 2, "stop_gradient makes one x of x * x a number");
}

/// The gradient of a table is rows and their indices, as many as the batch has tokens.
void look_at_sparse_gradients() {
  Graph graph;
  ParameterStore store;
  const Value table = parameter(graph, store, "table", {1000, 2}, constant_value(1));
  const Value tokens = graph.input("tokens", i32, {4});
  const Gradient gradient = gradients(sum(square(embedding(table, tokens))), {table})[0];
  const RowSparse rows = coalesce(gradient.sparse_parts(), table.shape());
  Program program = compile(graph, {rows.indices, rows.rows});
  const auto found = program.run({{"tokens", Tensor::from({7, 3, 7, 999}, {4})}});
  const auto indices = found[0].values<int>();
  check(gradient.is_sparse() && rows.rows.dim(0) == 4, "the gradient of a table of 1,000 rows has 4");
  check(indices[0] == 3 && indices[1] == 7 && indices[2] == 999 && indices[3] == -1, "each row is named once");
  check(found[1].values<float>()[2] == 4, "row 7 was read twice: 2 * 2");
}

/// Updates of variables are values too: a running total, and a result that waits for them.
void look_at_state() {
  Graph graph;
  ParameterStore store;
  const Value number = graph.input("number", f32, {});
  const Value total = state(graph, store, "total", {f32, {}});
  const Value before = copy_of(total);  // the old value, kept
  const Value added = assign(total, total + number);
  Program program = compile(graph, {after(before, {added})});
  for (const float x : {1.0f, 2.0f, 3.0f}) program.run({{"number", Tensor::scalar(x)}});
  check(store.find("total")->value.item() == 6, "three runs added up 1 + 2 + 3");
  check(variable_of(total) == store.find("total").get(), "the value knows its variable");
}

/// A small model to look at.
struct Model {
  ParameterStore store{1};
  Graph graph;
  Value x, loss;
  Model() : x(graph.input("x", f32, {64, 128})) {
    const NameScope scope(graph, "model");
    const Value w = parameter(graph, store, "w", {128, 256}, glorot_uniform());
    const Value hidden = relu(matmul(x, w) + parameter(graph, store, "b", {256}, zeros()));
    loss = mean(square(reshape(hidden, {-1}) * 0.5f));
  }
};

void look_at_nodes() {
  const Model model;
  int constants = 0, views = 0, here = 0;
  for (int id = 0; id < model.graph.size(); ++id) {
    const Node& node = model.graph.node(id);
    for (const Alias& alias : aliases_of(node)) views += alias.kind == Alias::Kind::view;
    const Value value(const_cast<Graph*>(&model.graph), id, 0);
    constants += constant_of(value) != nullptr && is_constant(value, 0.5f);
    here += to_string(node.origin).find("inspecting_programs.cpp") != std::string::npos;
    std::string types;
    for (const TensorType& type : input_types(node)) types += " " + to_string(type);
    fmt::print("  {:<10}{:<26}{}\n", node.op->name(), types, to_string(node.origin));
  }
  check(constants == 1 && views == 1, "one constant 0.5; the reshape is a view");
  check(here == model.graph.size(), "every node names a line of this file");
}

void look_at_programs(const std::filesystem::path& folder) {
  Model model;
  Program step = compile(model.graph, {model.loss, minimize(model.loss, model.store, sgd({.learning_rate = 0.1f}))});
  Tensor x(f32, {64, 128});
  Philox random(3);
  for (float& value : x.values<float>()) value = normal_float(random);
  const std::vector<Binding> inputs{{"x", x}};
  step.run(inputs);

  // --- text, pictures, memory ---
  check(graph_text(model.graph).find("matmul") != std::string::npos, "the graph as text");
  check(graph_dot(model.graph).starts_with("digraph") && step.dot().starts_with("digraph"), "graph and program as DOT");
  const MemoryPlan& plan = step.memory_plan();
  fmt::print("{} of {} are alive at step {}; without sharing it were {}\n",
             format_bytes(plan.bytes_alive(plan.peak_step())), format_bytes(plan.arena_bytes), plan.peak_step(),
             format_bytes(plan.unshared_bytes));
  check(plan.arena_bytes < plan.unshared_bytes, "buffers share memory");
  // The planner on its own: b and c are never alive together.
  const MemoryPlan own = plan_memory({{.bytes = 1024, .first = 0, .last = 3, .label = "a"},
                                      {.bytes = 512, .first = 0, .last = 1, .label = "b"},
                                      {.bytes = 256, .first = 2, .last = 3, .label = "c"}});
  check(own.arena_bytes == 1536 && own.offsets[1] == own.offsets[2], "c lies where b was");

  // --- time ---
  const Profile profile = step.profile(inputs, 3);
  fmt::print("{}", to_string(profile, measure_fma_peak() / 1e9));
  const std::vector<OpTotal> totals = totals_by_op(profile);
  double seconds = 0;
  for (const OpTotal& total : totals) seconds += total.seconds;
  check(seconds > 0 && totals[0].seconds >= totals.back().seconds, "ops by their time, the slowest first");
  write_atomically(folder / "trace.json", chrome_trace(profile));  // for a trace viewer
  write_atomically(folder / "step.dot", step.dot());               // for Graphviz
  check(std::filesystem::file_size(folder / "trace.json") > 100, "a Chrome trace is written");

  // --- values: for NumPy, and for other frameworks ---
  const Tensor w = model.store.find("w")->value;
  write_npy(folder / "w.npy", w);
  std::vector<NamedTensor> weights;
  for (const auto& variable : model.store.all()) weights.push_back({variable->name, variable->value});
  write_npz(folder / "weights.npz", weights, NpzCompression::deflate);
  write_safetensors(folder / "weights.safetensors", weights);
  const auto same = [&](const Tensor& other) { return std::ranges::equal(w.values<float>(), other.values<float>()); };
  check(same(read_npy(folder / "w.npy")), "an .npy file holds the same numbers");
  check(read_npz(folder / "weights.npz").size() == weights.size(), "an .npz archive holds all arrays");
  check(same(SafetensorsReader(folder / "weights.safetensors").read("w")), "a safetensors file, too");
}

}  // namespace

int main() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("eddy-example-{}", getpid());
  std::filesystem::create_directories(folder);
  look_at_gradients();
  look_at_sparse_gradients();
  look_at_state();
  look_at_nodes();
  look_at_programs(folder);
  std::filesystem::remove_all(folder);
  return wrong == 0 ? 0 : 1;
}
