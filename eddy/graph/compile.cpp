// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "eddy/graph/aliases.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/program_impl.h"
#include "eddy/graph/schedule.h"

namespace eddy {
namespace {

enum class StorageKind { arena, input, constant, variable, result };

/// Operations and bytes of a run from which on holding the threads pays: some hundred microseconds.
constexpr double kTeamWork = 2e7;

/// Memory that one value or several (views, in-place results, updates) occupy.
struct Storage {
  StorageKind kind = StorageKind::arena;
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
  int node = 0;     ///< the node that made it
  int output = 0;   ///< as which of its outputs
  int base = -1;    ///< of ProgramImpl::bases, for all kinds but arena
  int buffer = -1;  ///< of the memory plan, for the arena
};

/// A loop may have thousands of inputs and outputs.
constexpr std::size_t kLongestSignature = 200;

struct Place {
  int storage = -1;
  std::size_t offset = 0;
};

}  // namespace

/// Turns a graph into a program: passes, order, storage, plan, kernels.
class Compiler {
 public:
  Compiler(const Graph& graph, const std::vector<Value>& results, CompileOptions options)
      : source_(graph), impl_(std::make_unique<ProgramImpl>()) {
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Value& result = results[i];
      if (!result) throw GraphError("compile", fmt::format("result {} is an empty value", i), {});
      if (&result.graph() != &graph)
        throw GraphError(
            "compile",
            fmt::format("result {} ({}) is {}", i, result.type(),
                        result.graph().closed() ? "a value of a loop's step, which has ended; expected one "
                                                  "that the step returns"
                                                : "of another graph"),
            result.graph().node(result.node()).origin);
    }
    impl_->options = std::move(options);
    if (!impl_->options.arena) impl_->options.arena = std::make_shared<Arena>();
    PassSwitches passes = impl_->options.passes;
    if (impl_->options.check_finite) passes.fuse = false;  // so that the error can name the op
    impl_->lowered = run_passes(graph, results, passes);
    needed_ = needed_nodes(graph, results);
  }

  /// For the body of a loop.
  Compiler(const Graph& graph, const std::vector<Value>& results, const std::set<std::string>& invariant,
           CompileOptions options)
      : source_(graph), impl_(std::make_unique<ProgramImpl>()), invariant_(&invariant) {
    impl_->options = std::move(options);
    impl_->options.arena = nullptr;  // its memory is the owner's
    impl_->lowered = extract(graph, results, true);
  }

  Program compile() { return Program(take()); }

  std::unique_ptr<ProgramImpl> take() {
    for (int id = 0; id < graph().size(); ++id) aliases_.push_back(aliases_of(graph().node(id)));
    own_results();
    aliases_.resize(static_cast<std::size_t>(graph().size()));  // copies have none
    impl_->order = schedule(graph(), aliases_);
    find_uses();
    assign_storage();
    plan();
    build_instructions();
    list_inputs();
    list_written();
    const Cost cost = impl_->cost();
    impl_->keeps_team = cost.flops + cost.bytes >= kTeamWork;
    return std::move(impl_);
  }

 private:
  Graph& graph() { return *impl_->lowered.graph; }
  Place& place(const Value& value) {
    return places_[static_cast<std::size_t>(value.node())][static_cast<std::size_t>(value.output())];
  }
  Storage& storage_of(const Value& value) { return storages_[static_cast<std::size_t>(place(value).storage)]; }

  bool is_body() const { return invariant_ != nullptr; }
  const std::vector<Alias>& aliases(int id) const { return aliases_[static_cast<std::size_t>(id)]; }

  /// A result that shows an input, a constant or a variable gets memory of its own, so that it keeps its value. In the
  /// body of a loop so does one that shows a part of something, or something another result shows.
  void own_results() {
    std::set<std::pair<int, int>> owned;
    for (Value& result : impl_->lowered.results) {
      Value root = result;
      for (bool found = true; found;) {
        found = false;
        const Node& node = graph().node(root.node());
        for (const Alias& alias : aliases(root.node())) {
          if (alias.output != root.output() || alias.kind == Alias::Kind::share) continue;
          root = node.inputs[static_cast<std::size_t>(alias.input)];
          found = true;
          break;
        }
      }
      const std::string_view name = graph().node(root.node()).op->name();
      const bool shares = is_body() && (root.type().bytes() != result.type().bytes() ||
                                        !owned.emplace(root.node(), root.output()).second);
      if (name == "input" || name == "constant" || name == "variable" || shares) {
        const OriginScope origin(graph(), graph().node(result.node()).origin);
        result = copy_of(result);
      }
    }
  }

  void find_uses() {
    const auto nodes = static_cast<std::size_t>(graph().size());
    position_.assign(nodes, 0);
    for (std::size_t i = 0; i < impl_->order.size(); ++i)
      position_[static_cast<std::size_t>(impl_->order[i])] = static_cast<int>(i);
    last_use_.resize(nodes);
    places_.resize(nodes);
    for (std::size_t id = 0; id < nodes; ++id) {
      const std::size_t outputs = graph().node(static_cast<int>(id)).outputs.size();
      last_use_[id].assign(outputs, -1);
      places_[id].resize(outputs);
    }
    for (std::size_t id = 0; id < nodes; ++id)
      for (const Value& input : graph().node(static_cast<int>(id)).inputs) {
        int& last = last_use(input);
        last = std::max(last, position_[id]);
      }
    end_ = static_cast<int>(impl_->order.size());
    for (const Value& result : impl_->lowered.results) last_use(result) = end_;
    // A view keeps its source alive.
    for (auto it = impl_->order.rbegin(); it != impl_->order.rend(); ++it) {
      const Node& node = graph().node(*it);
      for (const Alias& alias : aliases(*it)) {
        if (alias.kind != Alias::Kind::view) continue;
        int& source = last_use(node.inputs[static_cast<std::size_t>(alias.input)]);
        source = std::max(source, last_use_[static_cast<std::size_t>(*it)][static_cast<std::size_t>(alias.output)]);
      }
    }
  }

  int& last_use(const Value& value) {
    return last_use_[static_cast<std::size_t>(value.node())][static_cast<std::size_t>(value.output())];
  }

  int new_base(std::byte* address) {
    impl_->bases.push_back(address);
    return static_cast<int>(impl_->bases.size()) - 1;
  }

  void assign_storage() {
    impl_->bases.push_back(nullptr);  // the arena, known at run time
    for (const int id : impl_->order) {
      const Node& node = graph().node(id);
      if (assign_leaf(id, node)) continue;
      for (int output = 0; output < static_cast<int>(node.outputs.size()); ++output) {
        const Value value{&graph(), id, output};
        const std::optional<Place> reused = reuse(node, value);
        if (reused) {
          place(value) = *reused;
          Storage& storage = storage_of(value);
          storage.last = std::max(storage.last, last_use(value));
        } else if (last_use(value) >= 0) {
          place(value) = new_storage({.kind = StorageKind::arena,
                                      .bytes = value.type().bytes(),
                                      .first = position(id),
                                      .last = last_use(value),
                                      .node = id,
                                      .output = output});
        }
      }
    }
    for (const Value& result : impl_->lowered.results) {
      Storage& storage = storage_of(result);
      if (storage.kind == StorageKind::result) continue;
      storage.kind = StorageKind::result;
      if (is_body()) {
        storage.base = new_base(nullptr);
        continue;
      }
      impl_->result_memory.emplace_back(boolean, Shape{static_cast<std::int64_t>(storage.bytes)});
      storage.base = new_base(static_cast<std::byte*>(impl_->result_memory.back().data()));
      result_memory_of_[storage.base] = impl_->result_memory.size() - 1;
      impl_->plan.result_bytes += storage.bytes;
    }
  }

  int position(int id) const { return position_[static_cast<std::size_t>(id)]; }

  Place new_storage(const Storage& storage) {
    storages_.push_back(storage);
    return {static_cast<int>(storages_.size()) - 1, 0};
  }

  bool assign_leaf(int id, const Node& node) {
    Storage storage{
        .kind = StorageKind::constant, .bytes = node.outputs.empty() ? 0 : node.outputs[0].bytes(), .node = id};
    const auto hold = [&](const Tensor& tensor) {
      impl_->held.push_back(tensor);
      storage.base = new_base(static_cast<std::byte*>(tensor.data()));
    };
    if (const auto* input = dynamic_cast<const InputOp*>(node.op.get())) {
      storage.kind = StorageKind::input;
      storage.base = new_base(nullptr);
      impl_->inputs.push_back({input->label, input->type, storage.base, node.origin});
    } else if (const auto* constant = dynamic_cast<const ConstantOp*>(node.op.get())) {
      hold(constant->tensor);
      impl_->plan.constant_bytes += storage.bytes;
    } else if (const auto* variable = dynamic_cast<const VariableOp*>(node.op.get())) {
      storage.kind = StorageKind::variable;
      hold(variable->variable->value);
      impl_->plan.variable_bytes += storage.bytes;
    } else {
      return false;
    }
    place({&graph(), id, 0}) = new_storage(storage);
    return true;
  }

  /// Memory of an input that an output takes over, if any.
  std::optional<Place> reuse(const Node& node, const Value& value) {
    for (const Alias& alias : aliases(value.node())) {
      if (alias.output != value.output()) continue;
      const Value& input = node.inputs[static_cast<std::size_t>(alias.input)];
      const Place source = place(input);
      switch (alias.kind) {
        case Alias::Kind::view:
          return Place{source.storage, source.offset + alias.offset};
        case Alias::Kind::update:
          if (storage_of(input).kind != StorageKind::variable)
            throw GraphError(node.op->name(), fmt::format("input {} must be a variable", alias.input), node.origin);
          return source;
        case Alias::Kind::share:
          if (last_use(value) >= 0 && may_share(node, value, alias)) return source;
      }
    }
    return std::nullopt;
  }

  bool may_share(const Node& node, const Value& value, const Alias& alias) {
    const Value& input = node.inputs[static_cast<std::size_t>(alias.input)];
    const Place source = place(input);
    const Storage& storage = storages_[static_cast<std::size_t>(source.storage)];
    const int now = position(value.node());
    if (!impl_->options.in_place || storage.kind != StorageKind::arena || storage.last != now || source.offset != 0 ||
        storage.bytes != value.type().bytes())
      return false;
    // The same memory under another input would be read after it is written, unless element by element.
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Place other = place(node.inputs[i]);
      if (static_cast<int>(i) == alias.input || other.storage != source.storage) continue;
      if (!alias.elementwise || other.offset != source.offset || node.inputs[i].type() != input.type()) return false;
    }
    for (int output = 0; output < value.output(); ++output)
      if (place({&graph(), value.node(), output}).storage == source.storage) return false;
    return true;
  }

  /// Made once a node: each output of a loop has a label.
  const std::string& short_signature(int node) {
    const auto [place, fresh] = signatures_.try_emplace(node);
    std::string& text = place->second;
    if (!fresh) return text;
    text = signature(graph().node(node));
    if (text.size() > kLongestSignature) text = text.substr(0, kLongestSignature) + "…";
    return text;
  }

  /// "output 1 of scan(…) -> …  model.cpp:12".
  std::string label_of(const Storage& storage) {
    const Node& node = graph().node(storage.node);
    return fmt::format("{}{} {}", node.outputs.size() > 1 ? fmt::format("output {} of ", storage.output) : "",
                       short_signature(storage.node), to_string(node.origin));
  }

  void plan() {
    std::vector<BufferLife> buffers;
    for (Storage& storage : storages_) {
      if (storage.kind != StorageKind::arena) continue;
      storage.buffer = static_cast<int>(buffers.size());
      buffers.push_back({storage.bytes, storage.first, std::max(storage.first, storage.last), label_of(storage)});
    }
    kernels_.resize(impl_->order.size());
    find_invariants();
    for (std::size_t i = 0; i < impl_->order.size(); ++i) {
      const Node& node = graph().node(impl_->order[i]);
      kernels_[i] = make_kernel(impl_->order[i], node);
      if (kernels_[i].scratch_bytes == 0) continue;
      scratch_buffers_.resize(impl_->order.size(), -1);
      scratch_buffers_[i] = static_cast<int>(buffers.size());
      const bool kept = static_cast<bool>(kernels_[i].prepare);
      const int first = kept ? 0 : static_cast<int>(i);
      const int last = kept ? end_ : first;
      buffers.push_back(
          {kernels_[i].scratch_bytes, first, last, fmt::format("scratch of {}", short_signature(impl_->order[i]))});
      if (const auto* loop = kernels_[i].run.target<LoopKernel>())
        buffers.back().body = std::shared_ptr<const MemoryPlan>(loop->body, &loop->body->plan);
    }
    MemoryPlan plan = plan_memory(std::move(buffers), impl_->options.reuse_memory);
    plan.result_bytes = impl_->plan.result_bytes;
    plan.variable_bytes = impl_->plan.variable_bytes;
    plan.constant_bytes = impl_->plan.constant_bytes;
    impl_->plan = std::move(plan);
    if (is_body()) return;
    try {
      impl_->options.arena->reserve(impl_->plan.arena_bytes);
    } catch (const MemoryError&) {
      fail<MemoryError>("there is no memory to run the program with: {}", to_string(impl_->plan));
    }
  }

  /// Nodes of a loop's body whose memory holds the same at all steps: leaves and views of them.
  void find_invariants() {
    if (!is_body()) return;
    invariants_.assign(static_cast<std::size_t>(graph().size()), false);
    for (const int id : impl_->order) {
      const Node& node = graph().node(id);
      const auto index = static_cast<std::size_t>(id);
      if (const auto* input = dynamic_cast<const InputOp*>(node.op.get())) {
        invariants_[index] = invariant_->contains(input->label);
      } else if (node.op->name() == "constant") {
        invariants_[index] = true;
      } else if (is_view(aliases(id))) {
        invariants_[index] = invariants_[static_cast<std::size_t>(node.inputs[0].node())];
      }
    }
  }

  Kernel make_kernel(int id, const Node& node) {
    const std::vector<TensorType> inputs = input_types(node);
    const std::unique_ptr<bool[]> used(new bool[node.outputs.size()]);
    bool any = false;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      used[i] = places_[static_cast<std::size_t>(id)][i].storage >= 0;
      any = any || used[i];
    }
    if (!any) return {};  // its result is dead, and pruning is off
    const std::unique_ptr<bool[]> invariant(new bool[node.inputs.size()]);
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      invariant[i] = is_body() && invariants_[static_cast<std::size_t>(node.inputs[i].node())];
    try {
      return node.op->make_kernel({inputs,
                                   node.outputs,
                                   {used.get(), node.outputs.size()},
                                   {invariant.get(), is_body() ? node.inputs.size() : 0},
                                   &impl_->options});
    } catch (const Error& error) {
      fail_in(node, error, signature(node) + ": ");
    }
  }

  Slot slot_of(const Value& value) {
    const Place at = place(value);
    if (at.storage < 0) return {};
    const Storage& storage = storages_[static_cast<std::size_t>(at.storage)];
    if (storage.kind != StorageKind::arena) return {storage.base, at.offset};
    return {0, impl_->plan.offsets[static_cast<std::size_t>(storage.buffer)] + at.offset};
  }

  void build_instructions() {
    impl_->value_slots.resize(static_cast<std::size_t>(graph().size()));
    for (std::size_t i = 0; i < impl_->order.size(); ++i) {
      const int id = impl_->order[i];
      const Node& node = graph().node(id);
      for (const Value& output : graph().outputs({&graph(), id, 0}))
        impl_->value_slots[static_cast<std::size_t>(id)].push_back(slot_of(output));
      if (!kernels_[i].run || is_view(aliases(id))) continue;
      Instruction instruction{std::move(kernels_[i]), id, static_cast<int>(impl_->slots.size()),
                              static_cast<int>(node.inputs.size()), static_cast<int>(node.outputs.size())};
      for (const Value& input : node.inputs) impl_->slots.push_back(slot_of(input));
      for (const Slot& slot : impl_->value_slots[static_cast<std::size_t>(id)]) impl_->slots.push_back(slot);
      const int scratch = scratch_buffers_.empty() ? -1 : scratch_buffers_[i];
      impl_->slots.push_back(scratch < 0 ? Slot{} : Slot{0, impl_->plan.offsets[static_cast<std::size_t>(scratch)]});
      impl_->instructions.push_back(std::move(instruction));
    }
    impl_->addresses.resize(impl_->slots.size());
    if (is_body()) {
      for (const Value& result : impl_->lowered.results) impl_->result_bases.push_back(slot_of(result).base);
      return;
    }
    for (const Value& result : impl_->lowered.results) {
      const Slot slot = slot_of(result);
      // The tensor shares ownership of the program's result memory.
      const Tensor& memory = impl_->result_memory[result_memory_of_.at(slot.base)];
      impl_->results.push_back(memory.view_at(slot.offset, result.type()));
    }
  }

  /// Adds the inputs of the source graph that no kernel reads, and sorts all by name.
  void list_inputs() {
    std::vector<ProgramInput>& inputs = impl_->inputs;
    std::set<std::string> read;
    for (const ProgramInput& input : inputs) read.insert(input.name);
    for (int id = 0; !is_body() && id < source_.size(); ++id) {
      const auto* input = dynamic_cast<const InputOp*>(source_.node(id).op.get());
      if (input != nullptr && !read.contains(input->label))
        inputs.push_back(
            {input->label, input->type, -1, source_.node(id).origin, needed_[static_cast<std::size_t>(id)]});
    }
    std::ranges::sort(inputs, std::less(), &ProgramInput::name);
    impl_->bound.resize(inputs.size());
  }

  /// Memory that a run writes and the user can see.
  void list_written() {
    const auto add = [&](const Tensor& tensor, std::string_view what) {
      const auto* begin = static_cast<const std::byte*>(tensor.data());
      if (tensor.bytes() > 0) impl_->written.push_back({begin, begin + tensor.bytes(), std::string(what)});
    };
    for (const Tensor& result : impl_->result_memory) add(result, "a result");
    for (const int id : impl_->order)
      for (const Alias& alias : aliases(id)) {
        if (alias.kind != Alias::Kind::update) continue;
        const Node& target = graph().node(storage_of({&graph(), id, alias.output}).node);
        const Variable& variable = *dynamic_cast<const VariableOp&>(*target.op).variable;
        add(variable.value, fmt::format("the variable '{}'", variable.name));
      }
    std::ranges::sort(impl_->written, std::less(), &WrittenMemory::begin);
  }

  const Graph& source_;
  std::unique_ptr<ProgramImpl> impl_;
  const std::set<std::string>* invariant_ = nullptr;
  std::vector<bool> invariants_;
  std::vector<bool> needed_;                 ///< by node of the source graph: whether a result depends on it
  std::vector<std::vector<Alias>> aliases_;  ///< by node
  int end_ = 0;
  std::vector<int> position_;
  std::vector<std::vector<int>> last_use_;
  std::vector<std::vector<Place>> places_;
  std::vector<Storage> storages_;
  std::vector<Kernel> kernels_;
  std::vector<int> scratch_buffers_;
  std::map<int, std::string> signatures_;        ///< by node, as far as they were needed
  std::map<int, std::size_t> result_memory_of_;  ///< by base
};

Program compile(const Graph& graph, const std::vector<Value>& results, CompileOptions options) {
  return Compiler(graph, results, std::move(options)).compile();
}

std::unique_ptr<ProgramImpl> compile_body(const Graph& graph, const std::vector<Value>& results,
                                          const std::set<std::string>& invariant, const CompileOptions* options) {
  return Compiler(graph, results, invariant, options != nullptr ? *options : CompileOptions()).take();
}

}  // namespace eddy
