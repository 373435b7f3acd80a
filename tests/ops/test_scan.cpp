// SPDX-License-Identifier: Apache-2.0
// Loops against the same step function unrolled by hand: values, gradients, second order, options, passes.
#include <doctest/doctest.h>
#include <pthread.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>

#include "eddy/eddy.h"
#include "eddy/ops/check_gradients.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kTime = 6;
constexpr std::int64_t kBatch = 3;
constexpr std::int64_t kIn = 4;
constexpr std::int64_t kHidden = 5;

/// A graph whose inputs come with random data.
class Fed {
 public:
  Graph graph;
  std::vector<Value> leaves;      ///< f32 inputs
  std::vector<int> leaf_tensors;  ///< their places in tensors()

  Value leaf(const Shape& shape, float range = 0.8F) {
    return add({f32, shape}, random_tensor({f32, shape}, random_, -range, range));
  }
  Value add(const TensorType& type, const Tensor& tensor) {
    names_.push_back(fmt::format("in{}", names_.size()));
    tensors_.push_back(tensor);
    const Value value = graph.input(names_.back(), type.dtype, type.shape);
    if (type.dtype == f32) {
      leaves.push_back(value);
      leaf_tensors.push_back(static_cast<int>(tensors_.size()) - 1);
    }
    return value;
  }
  std::vector<Tensor> run(const std::vector<Value>& results, const CompileOptions& options = {}) {
    Program program = compile(graph, results, options);
    run(program, tensors_);
    return run(program, tensors_);
  }
  std::vector<Tensor> run(Program& program, std::span<const Tensor> tensors) const {
    std::vector<Binding> bindings;
    for (std::size_t i = 0; i < names_.size(); ++i) bindings.push_back({names_[i], tensors[i]});
    return copies(program.run(bindings));
  }
  const std::vector<Tensor>& tensors() const { return tensors_; }

 private:
  Philox random_{11};
  std::vector<std::string> names_;
  std::vector<Tensor> tensors_;
};

struct Loop {
  StepFunction step;
  std::vector<Value> sequences;
  State initial;
};

using MakeLoop = Loop (*)(Fed& fed);

LstmCell lstm_weights(Fed& fed, std::int64_t in = kIn) {
  return {.w_x = fed.leaf({in, 4 * kHidden}), .w_h = fed.leaf({kHidden, 4 * kHidden}), .bias = fed.leaf({4 * kHidden})};
}

State lstm_state(Fed& fed) { return {{"h", fed.leaf({kBatch, kHidden})}, {"c", fed.leaf({kBatch, kHidden})}}; }

template <class Cell>
StepFunction on_one(Cell cell) {
  return [cell](std::span<const Value> x, const State& state) { return cell(x[0], state); };
}

Loop lstm_loop(Fed& fed) { return {on_one(lstm_weights(fed)), {fed.leaf({kTime, kBatch, kIn})}, lstm_state(fed)}; }

Loop gru_loop(Fed& fed) {
  const GruCell cell{
      .w_x = fed.leaf({kIn, 3 * kHidden}), .w_h = fed.leaf({kHidden, 3 * kHidden}), .bias = fed.leaf({3 * kHidden})};
  return {on_one(cell), {fed.leaf({kTime, kBatch, kIn})}, {{"h", fed.leaf({kBatch, kHidden})}}};
}

Loop peephole_loop(Fed& fed) {
  const PeepholeLstmCell cell{.base = lstm_weights(fed),
                              .peephole_i = fed.leaf({kHidden}),
                              .peephole_f = fed.leaf({kHidden}),
                              .peephole_o = fed.leaf({kHidden})};
  return {on_one(cell), {fed.leaf({kTime, kBatch, kIn})}, lstm_state(fed)};
}

Loop layer_norm_loop(Fed& fed) {
  const LayerNormLstmCell cell{.base = lstm_weights(fed),
                               .gain_x = fed.leaf({4 * kHidden}),
                               .bias_x = fed.leaf({4 * kHidden}),
                               .gain_h = fed.leaf({4 * kHidden}),
                               .bias_h = fed.leaf({4 * kHidden}),
                               .gain_c = fed.leaf({kHidden}),
                               .bias_c = fed.leaf({kHidden})};
  return {on_one(cell), {fed.leaf({kTime, kBatch, kIn})}, lstm_state(fed)};
}

Loop attention_loop(Fed& fed) {
  constexpr std::int64_t kSource = 7;
  constexpr std::int64_t kAttention = 3;
  const Value memory = fed.leaf({kBatch, kSource, kHidden});
  std::vector<float> mask(kBatch * kSource, 1);
  mask[kSource - 1] = mask[2 * kSource - 1] = mask[2 * kSource - 2] = 0;
  const AttentionDecoderCell cell{.base = lstm_weights(fed, kIn + kHidden),
                                  .attention = {.memory = memory,
                                                .keys = matmul(memory, fed.leaf({kHidden, kAttention})),
                                                .mask = fed.graph.constant(Tensor::from(mask, {kBatch, kSource})),
                                                .w_query = fed.leaf({kHidden, kAttention}),
                                                .w_energy = fed.leaf({kAttention})}};
  return {on_one(cell), {fed.leaf({kTime, kBatch, kIn})}, lstm_state(fed)};
}

/// Parts that leave the loop in every way there is: rows of a table, a hidden layer of the sequence alone, a head that
/// nothing later reads, an integer state, an unused state, an unused sequence.
Loop many_ways_loop(Fed& fed) {
  const Value table = fed.leaf({9, kHidden});
  const Value w_1 = fed.leaf({kIn, 7}), w_2 = fed.leaf({7, kHidden}), w_h = fed.leaf({kHidden, kHidden});
  const Value w_out = fed.leaf({kHidden, 2}), scale = fed.leaf({kHidden});
  const StepFunction step = [=](std::span<const Value> in, const State& s) -> Step {
    const Value deep = matmul(tanh(matmul(in[0], w_1)), w_2);
    const Value row = gather_rows(table, s["id"]);
    const Value h = tanh(deep + row + matmul(s["h"], w_h * sigmoid(scale)));
    return {.output = tanh(matmul(h, w_out)),
            .state = {{"h", h}, {"id", s["id"] + 1}, {"idle", s["idle"] * 0.5 + sum(h)}},
            .outputs = {{"h_and_x", concat({h, in[0]}, 1)}}};
  };
  return {step,
          {fed.leaf({kTime, kBatch, kIn}), fed.leaf({kTime, 2})},
          {{"h", fed.leaf({kBatch, kHidden})},
           {"id", fed.add({i32, {kBatch}}, Tensor::from<std::int32_t>({0, 2, 1}, {kBatch}))},
           {"idle", fed.leaf({kBatch})}}};
}

/// Captured values put beside those of the step: the gradient takes them apart again, by views where the axis leads.
Loop concat_loop(Fed& fed) {
  const Value v = fed.leaf({2, kIn}), w = fed.leaf({kBatch, kIn}), row = fed.leaf({1, kIn});
  const StepFunction step = [=](std::span<const Value> in, const State& s) -> Step {
    const Value x = in[0];
    const Value rows = square(concat({x, v, s["h"]}, 0));
    const Value layers = tanh(stack({x, w, s["h"]}, 0));
    const Value columns = concat({sum(x, 0, /*keep_dims=*/true), row}, 1);
    const Value h = tanh(slice(rows, 0, 1, 1 + kBatch) + at(layers, 1) * at(layers, 2));
    return {.output = slice(rows, 0, 2, 2 + kBatch) * slice(columns, 1, 2, 2 + kIn), .state = {{"h", h}}};
  };
  return {step, {fed.leaf({kTime, kBatch, kIn})}, {{"h", fed.leaf({kBatch, kIn})}}};
}

/// Nothing but views between captured values and a sum over the steps.
Loop plain_concat_loop(Fed& fed) {
  const Value w = fed.leaf({kBatch, kIn}), v = fed.leaf({1, kIn});
  const StepFunction step = [=](std::span<const Value> in, const State&) -> Step {
    const Value rows = tanh(concat({in[0], w}, 0));
    const Value columns = exp(concat({slice(in[0], 0, 0, 1), v}, 1));
    return {.output = slice(rows, 0, 2, 2 + kBatch) * slice(columns, 1, 2, 2 + kIn),
            .state = {},
            .outputs = {{"layers", sum(square(stack({in[0], w}, 0)), 0)}}};
  };
  return {step, {fed.leaf({kTime, kBatch, kIn})}, {}};
}

/// A gate that opens along the units, phases that advance, and integers beside them.
Loop phase_loop(Fed& fed) {
  const Value w_x = fed.leaf({kIn, kHidden}), w_h = fed.leaf({kHidden, kHidden});
  const StepFunction step = [=](std::span<const Value> in, const State& s) -> Step {
    const Value so_far = cumsum(in[0], 1, {.reverse = true, .exclusive = true});
    const Value a = matmul(so_far, w_x) + matmul(s["h"], w_h);
    const Value gate = cumsum(softmax(a), 1);
    const Value phase = s["phase"] + softplus(a);
    const Value h = gate * sin(phase) + (1 - gate) * cos(s["phase"]) + floor(s["h"] * 0.1 + 0.5);
    return {.output = expm1(h) + sum(log1p(softplus(so_far * 0.5 + 1)), 1, true) * sum(h),
            .state = {{"h", h}, {"phase", phase}, {"n", clamp(abs(-s["n"]) + argmin(a), -3, 9)}}};
  };
  return {step,
          {fed.leaf({kTime, kBatch, kIn})},
          {{"h", fed.leaf({kBatch, kHidden})},
           {"phase", fed.leaf({kBatch, kHidden})},
           {"n", fed.add({i32, {kBatch}}, Tensor::from<std::int32_t>({0, -2, 1}, {kBatch}))}}};
}

/// What scan() promises, spelled out.
ScanResult unrolled(const Loop& loop, const ScanOptions& options) {
  State state = loop.initial;
  std::vector<Value> outputs(kTime);
  std::vector<State> named(kTime);
  for (std::int64_t step = 0; step < kTime; ++step) {
    const std::int64_t t = options.reverse ? kTime - 1 - step : step;
    std::vector<Value> inputs;
    for (const Value& sequence : loop.sequences) inputs.push_back(at(sequence, t));
    State before = state;
    if (options.truncate > 0 && step > 0 && step % options.truncate == 0)
      for (const auto& [name, value] : state)
        if (value.dtype() == f32) before.set(name, stop_gradient(value));
    Step next = loop.step(inputs, before);
    if (options.mask) {
      const Value active = reshape(greater(at(options.mask, t), 0), {kBatch, 1});
      const auto select = [&](Value after, Operand otherwise) {
        return where(after.rank() == 1 ? reshape(active, {kBatch}) : active, after, otherwise);
      };
      for (const auto& [name, value] : state) next.state.set(name, select(next.state[name], value));
      next.output = select(next.output, 0);
      for (const auto& [name, value] : State(next.outputs)) next.outputs.set(name, select(value, 0));
    }
    state = next.state;
    outputs[static_cast<std::size_t>(t)] = next.output;
    named[static_cast<std::size_t>(t)] = next.outputs;
  }
  ScanResult result{.output = stack(outputs, 0), .last = state, .outputs = {}, .states = {}};
  for (const auto& [name, value] : named[0]) {
    std::vector<Value> all;
    for (const State& one : named) all.push_back(one[name]);
    result.outputs.set(name, stack(all, 0));
  }
  return result;
}

/// A scalar that weighs every element of every result differently.
Value asymmetric_loss(Fed& fed, const ScanResult& result) {
  Philox random(5);
  std::vector<Value> terms;
  const auto weigh = [&](const Value& value) {
    if (value.dtype() != f32) return;
    const Value weights = fed.graph.constant(random_tensor(value.type(), random, -1, 1));
    terms.push_back(sum(value * weights));
    terms.push_back(sum(square(value * weights)));
  };
  weigh(result.output);
  for (const auto& [name, value] : result.last) weigh(value);
  for (const auto& [name, value] : result.outputs) weigh(value);
  return add_n(terms);
}

struct Results {
  std::vector<Tensor> values;
  std::vector<Tensor> gradients;
  std::vector<Tensor> second;
};

/// Some rows end early, one has a gap.
Value mask_in(Graph& graph) {
  const std::vector<float> mask{1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0};
  return graph.constant(Tensor::from(mask, {kTime, kBatch}));
}

Results evaluate(MakeLoop make, const ScanOptions& options, bool loop, bool second_order,
                 const CompileOptions& compile_options = {}) {
  Fed fed;
  const Loop parts = make(fed);
  ScanOptions used = options;
  if (options.mask) used.mask = mask_in(fed.graph);  // any value says that a mask is wanted
  const ScanResult result = loop ? scan(parts.step, parts.sequences, parts.initial, used) : unrolled(parts, used);
  const Value loss = asymmetric_loss(fed, result);
  std::vector<Value> values{result.output};
  for (const auto& [name, value] : result.last) values.push_back(value);
  for (const auto& [name, value] : result.outputs) values.push_back(value);
  const std::vector<Value> leaves = fed.leaves;
  const std::vector<Value> gradients = dense_gradients(loss, leaves);
  std::vector<Value> all = values;
  all.insert(all.end(), gradients.begin(), gradients.end());
  std::vector<Value> second;
  if (second_order) {
    std::vector<Value> squares;
    for (const Value& gradient : gradients) squares.push_back(sum(square(gradient)));
    second = dense_gradients(add_n(squares), leaves);
    all.insert(all.end(), second.begin(), second.end());
  }
  const std::vector<Tensor> run = fed.run(all, compile_options);
  const auto begin = run.begin();
  const auto v = static_cast<std::ptrdiff_t>(values.size());
  const auto g = static_cast<std::ptrdiff_t>(gradients.size());
  return {{begin, begin + v}, {begin + v, begin + v + g}, {begin + v + g, run.end()}};
}

void compare(MakeLoop make, const ScanOptions& options, bool second_order, const CompileOptions& compile_options = {}) {
  const Results expected = evaluate(make, options, false, second_order);
  const Results got = evaluate(make, options, true, second_order, compile_options);
  CHECK(difference(got.values, expected.values, 2e-5) == "");
  CHECK(difference(got.gradients, expected.gradients, 1e-4) == "");
  CHECK(difference(got.second, expected.second, 2e-3) == "");
  double norm = 0;
  for (const Tensor& gradient : got.gradients)
    for (const double x : to_doubles(gradient)) norm += x * x;
  CHECK(norm > 0.1);
}

const Value kWanted{reinterpret_cast<Graph*>(1), 0, 0};

struct Named {
  const char* name;
  MakeLoop make;
};

const Named kLoops[] = {{"lstm", lstm_loop},           {"gru", gru_loop},
                        {"peephole", peephole_loop},   {"layer_norm", layer_norm_loop},
                        {"attention", attention_loop}, {"many ways", many_ways_loop},
                        {"concat", concat_loop},       {"plain concat", plain_concat_loop},
                        {"phase", phase_loop}};

TEST_CASE("a loop equals its step function unrolled, to the second order") {
  for (const Named& loop : kLoops) {
    CAPTURE(std::string(loop.name));
    compare(loop.make, {}, true);
  }
}

TEST_CASE("masks, direction, truncation and recomputation do as unrolled") {
  for (const Named& loop : kLoops) {
    CAPTURE(std::string(loop.name));
    compare(loop.make, {.mask = kWanted}, true);
    compare(loop.make, {.reverse = true}, false);
    compare(loop.make, {.mask = kWanted, .reverse = true}, true);
    compare(loop.make, {.truncate = 2}, false);
    compare(loop.make, {.mask = kWanted, .reverse = true, .truncate = 4, .recompute = true}, true);
    compare(loop.make, {.recompute = true}, true);
  }
}

TEST_CASE("gradients of gradients through loops equal finite differences") {
  for (const Named& loop : kLoops)
    for (const bool recompute : {false, true}) {
      CAPTURE(std::string(loop.name));
      CAPTURE(recompute);
      Fed fed;
      const Loop parts = loop.make(fed);
      const ScanResult result = scan(parts.step, parts.sequences, parts.initial,
                                     {.mask = mask_in(fed.graph), .reverse = recompute, .recompute = recompute});
      const std::vector<Value> first = dense_gradients(asymmetric_loss(fed, result), fed.leaves);
      Philox random(8);
      std::vector<Tensor> weights;
      std::vector<Value> weighted;
      for (const Value& gradient : first) {
        weights.push_back(random_tensor(gradient.type(), random, -1, 1));
        weighted.push_back(sum(gradient * fed.graph.constant(weights.back())));
      }
      std::vector<std::vector<double>> second;
      for (const Tensor& tensor : fed.run(dense_gradients(add_n(weighted), fed.leaves)))
        second.push_back(to_doubles(tensor));
      Program program = compile(fed.graph, first);
      const Terms terms = [&](std::span<const Tensor> tensors) {
        const std::vector<Tensor> gradients = fed.run(program, tensors);
        std::vector<double> all;
        for (std::size_t i = 0; i < gradients.size(); ++i) {
          const auto g = gradients[i].values<const float>(), w = weights[i].values<const float>();
          for (std::size_t k = 0; k < g.size(); ++k)
            all.push_back(static_cast<double>(g[k]) * static_cast<double>(w[k]));
        }
        return all;
      };
      CHECK(check_gradients(terms, fed.tensors(), fed.leaf_tensors, second, 4e-3, 3) == "");
    }
}

TEST_CASE("any pass may be off") {
  for (int off = 0; off < 8; ++off) {
    CAPTURE(off);
    CompileOptions options;
    options.passes.prune = off != 0;
    options.passes.simplify = off != 1;
    options.passes.fold = off != 2;
    options.passes.cse = off != 3;
    options.passes.lower = off != 4;
    options.passes.fuse = off != 5;
    options.reuse_memory = off != 6;
    options.in_place = off != 7;
    for (const Named& loop : kLoops) {
      CAPTURE(std::string(loop.name));
      compare(loop.make, {.mask = kWanted}, false, options);
    }
  }
}

TEST_CASE("zoneout keeps other elements at each step, as often as asked, and the gradient replays them") {
  constexpr std::int64_t kSteps = 40;
  const auto run = [](const std::vector<Tensor>* kept) {
    Fed fed;
    const LstmCell base = lstm_weights(fed);
    const State initial = lstm_state(fed);
    const Value x = fed.leaf({kSteps, kBatch, kIn});
    ScanResult result;
    if (kept == nullptr) {
      const Value key = fed.add({i32, {4}}, Tensor::from<std::int32_t>({1, 2, 3, 4}, {4}));
      const ZoneoutLstmCell cell{.base = base, .key = key, .rate_c = 0.4F, .rate_h = 0.2F};
      result = scan(cell, {x, iota(fed.graph, kSteps)}, initial);
    } else {
      const StepFunction step = [&](std::span<const Value> in, const State& s) {
        Step next = base(in[0], s);
        next.state = {{"h", where(in[1], s["h"], next.state["h"])}, {"c", where(in[2], s["c"], next.state["c"])}};
        return Step{.output = next.state["h"], .state = next.state};
      };
      result = scan(step, {x, fed.graph.constant((*kept)[0]), fed.graph.constant((*kept)[1])}, initial);
    }
    std::vector<Value> values = dense_gradients(asymmetric_loss(fed, {.output = result.output}), fed.leaves);
    values.push_back(result.output);
    if (kept == nullptr) values.insert(values.begin(), {result.outputs["kept_h"], result.outputs["kept_c"]});
    return fed.run(values);
  };
  const std::vector<Tensor> drawn = run(nullptr);
  const std::vector<Tensor> kept{drawn[0], drawn[1]};
  CHECK(difference(std::span(drawn).subspan(2), run(&kept), 1e-5) == "");
  const double elements = kSteps * kBatch * kHidden;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::vector<double> flags = to_doubles(kept[i]);
    const double share = std::accumulate(flags.begin(), flags.end(), 0.0) / elements;
    CHECK(share == doctest::Approx(i == 0 ? 0.2 : 0.4).epsilon(0.15));
    int steps_alike = 0;
    constexpr auto kStep = static_cast<std::ptrdiff_t>(kBatch * kHidden);
    for (std::ptrdiff_t t = 1; t < kSteps; ++t)
      steps_alike += std::equal(flags.begin() + t * kStep, flags.begin() + (t + 1) * kStep, flags.begin());
    CHECK(steps_alike < 3);
  }
}

TEST_CASE("loops side by side and within each other draw other random numbers") {
  // The place of a loop in its graph gives it its streams; padding moves it.
  for (int padding = 0; padding < 6; ++padding) {
    CAPTURE(padding);
    Fed fed;
    const Value key = fed.add({i32, {4}}, Tensor::from<std::int32_t>({1, 2, 3, 4}, {4}));
    const Value ones = full(fed.graph, {f32, {5, 8}}, 1);
    const StepFunction drop = [&](std::span<const Value> in, const State&) -> Step {
      return {.output = dropout(in[0], 0.5F, key)};
    };
    const StepFunction outer = [&](std::span<const Value> in, const State&) -> Step {
      return {.output = scan(drop, {in[0]}, {}).output};
    };
    const Value nested = scan(outer, {reshape(ones, {1, 5, 8})}, {}).output;
    Value shift = full(fed.graph, {f32, {}}, 0);
    for (int i = 0; i < padding; ++i) shift = shift + full(fed.graph, {f32, {}}, static_cast<float>(i));
    const Value sibling = scan(drop, {ones + shift * 0}, {}).output;
    const std::vector<Tensor> masks = fed.run({reshape(nested, {5, 8}), sibling});
    CHECK(to_doubles(masks[0]) != to_doubles(masks[1]));
  }
}

TEST_CASE("random ops of one step draw other numbers each, whatever graphs their inputs are of") {
  Fed fed;
  const Value key = fed.add({i32, {4}}, Tensor::from<std::int32_t>({1, 2, 3, 4}, {4}));
  const Value ones = fed.add({f32, {64}}, from_doubles({f32, {64}}, std::vector<double>(64, 1)));
  const Value targets = fed.add({i32, {1}}, Tensor(i32, {1}));
  const StepFunction step = [&](std::span<const Value> in, const State&) -> Step {
    const Value own_key = fold_key(key, in[0]);
    const Value own_targets = targets + in[0] * 0;
    const auto sampled = [&](Value with, Value beside) {
      return log_uniform_sampler(with, 16, 1000, beside, {.unique = false}).ids;
    };
    return {.output = {},
            .state = {},
            .outputs = {{"a", dropout(ones, 0.5F, own_key)},
                        {"b", dropout(ones, 0.5F, own_key)},
                        {"c", sampled(own_key, targets)},
                        {"d", sampled(own_key, targets)},
                        {"e", sampled(key, own_targets)},
                        {"f", sampled(key, own_targets)}}};
  };
  const State found = scan(step, {iota(fed.graph, 2)}, {}).outputs;
  for (const std::string pair : {"ab", "cd", "ef"}) {
    CAPTURE(pair);
    const std::vector<Tensor> drawn = fed.run({found[pair.substr(0, 1)], found[pair.substr(1)]});
    CHECK(to_doubles(drawn[0]) != to_doubles(drawn[1]));
  }
}

TEST_CASE("values of as many axes as there can be have no place for time, but do in a loop") {
  const Shape deep{1, 1, 1, 1, 1, 2, 2, 5};
  const auto build = [&](Fed& fed, bool loop) {
    const Value x = fed.leaf({kTime, 2, 2, 5}), w = reshape(fed.leaf({5, 5}), {1, 1, 1, 1, 1, 1, 5, 5}),
                h = fed.leaf({2, 2, 5});
    const auto step = [&](Value in, Value state) {
      const Value product = matmul(reshape(tanh(in), deep), w);
      return reshape(tanh(transpose(product, {0, 1, 2, 3, 4, 6, 5, 7}) + reshape(state, deep)), {2, 2, 5});
    };
    if (loop) {
      const auto function = [&](Value in, const State& s) -> Step {
        const Value next = step(in, s["h"]);
        return {.output = flatten(matmul(reshape(next, deep), w)), .state = {{"h", next}}};
      };
      return scan(function, x, {{"h", h}}).output;
    }
    std::vector<Value> all;
    Value state = h;
    for (std::int64_t t = 0; t < kTime; ++t) {
      state = step(at(x, t), state);
      all.push_back(flatten(matmul(reshape(state, deep), w)));
    }
    return stack(all, 0);
  };
  std::vector<std::vector<Tensor>> runs;
  for (const bool loop : {false, true}) {
    Fed fed;
    const Value output = build(fed, loop);
    std::vector<Value> values = dense_gradients(asymmetric_loss(fed, {.output = output}), fed.leaves);
    values.push_back(output);
    runs.push_back(fed.run(values));
  }
  CHECK(difference(runs[1], runs[0], 1e-4) == "");
}

/// Runs `work` where recursion as deep as a chain is long has no room.
void on_small_stack(std::function<void()> work) {
  pthread_attr_t small;
  REQUIRE(pthread_attr_init(&small) == 0);
  REQUIRE(pthread_attr_setstacksize(&small, std::size_t{256} * 1024) == 0);
  const auto start = [](void* function) -> void* {
    (*static_cast<std::function<void()>*>(function))();
    return nullptr;
  };
  pthread_t thread{};
  REQUIRE(pthread_create(&thread, &small, start, &work) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&small);
}

TEST_CASE("the steps of a loop may be chains of thousands of nodes, and so may their gradients") {
  Fed fed;
  const Value x = fed.leaf({2, 1, 3}), w = fed.leaf({3}), m = fed.leaf({3, 3});
  const auto chain = [&](Value value) {
    for (int i = 0; i < 5000; ++i) value = value * w;
    return value;
  };
  const auto step = [&](Value in, const State& s) -> Step {
    const Value h = chain(s["h"] + in);
    return {.output = matmul(chain(in), m) + h, .state = {{"h", h}}};
  };
  const Value output = scan(step, x, zero_state(x, {"h"}, {1, 3})).output;
  const std::vector<Value> wrt{x};
  // With w of ones the chains change nothing.
  std::optional<Program> program;
  on_small_stack([&] { program = compile(fed.graph, {output, dense_gradients(sum(output), wrt)[0]}); });
  const std::vector<float> steps{1, 2, 3, 40, 50, 60}, ones(3, 1), zeros(9, 0);
  const std::vector<Tensor> results = fed.run(
      *program,
      std::vector<Tensor>{Tensor::from(steps, {2, 1, 3}), Tensor::from(ones, {3}), Tensor::from(zeros, {3, 3})});
  CHECK(to_doubles(results[0]) == std::vector<double>{1, 2, 3, 41, 52, 63});
  CHECK(to_doubles(results[1]) == std::vector<double>{2, 2, 2, 1, 1, 1});
}

/// An op whose lowering is wrong in one of the ways there are.
struct Mislowered final : OpClass<Mislowered> {
  static constexpr std::string_view kName = "mislowered";
  bool of_other_type;
  explicit Mislowered(bool other) : of_other_type(other) {}
  static void attributes(auto& op, auto&& visit) { visit("of_other_type", op.of_other_type); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0], inputs[0]}; }
  std::vector<Value> lower(std::span<const Value> inputs, const std::vector<bool>&,
                           const PassSwitches&) const override {
    if (!of_other_type) return {inputs[0], {}};
    return {inputs[0], reshape(inputs[0], {-1})};
  }
  Kernel make_kernel(const KernelContext&) const override { return {}; }
};

TEST_CASE("what an op is lowered to must be of the types of its outputs") {
  Graph graph;
  const Value x = graph.input("x", f32, {2, 3});
  const auto outputs = [&](bool of_other_type) {
    return Graph::outputs(add_node(graph, Mislowered(of_other_type), {x}, SourceLocation::current()));
  };
  CHECK_THROWS_WITH_AS(compile(graph, {outputs(true)[1]}),
                       doctest::Contains("[mislowered] output 1 is lowered to f32[6], expected f32[2,3]  ("),
                       GraphError);
  CHECK_THROWS_WITH_AS(compile(graph, {outputs(false)[1]}), doctest::Contains("lowered to nothing, expected f32[2,3]"),
                       GraphError);
  CHECK_NOTHROW(compile(graph, {outputs(false)[0]}));
}

TEST_CASE("a loop inside a loop") {
  const auto build = [](Fed& fed, bool loops) {
    const Value x = fed.leaf({kTime, kBatch, kHidden});
    const Value w = fed.leaf({kHidden, kHidden});
    const Value v = fed.leaf({kHidden, kHidden});
    const auto inner = [&](Value start) {
      const auto step = [&](const State& s) { return tanh(matmul(s["z"], v) + start * 0.3); };
      if (loops) {
        const StepFunction function = [&](std::span<const Value>, const State& s) -> Step {
          return {.state = {{"z", step(s)}}};
        };
        return scan(function, {iota(fed.graph, 3)}, {{"z", start}}).last["z"];
      }
      Value z = start;
      for (int i = 0; i < 3; ++i) z = step({{"z", z}});
      return z;
    };
    const auto outer = [&](Value in, Value h) { return inner(matmul(h, w) + in); };
    if (loops) {
      const auto step = [&](Value in, const State& s) -> Step {
        const Value h = outer(in, s["h"]);
        return {.output = h, .state = {{"h", h}}};
      };
      return scan(step, x, zero_state(x, {"h"}, {kBatch, kHidden})).output;
    }
    Value h = full(fed.graph, {f32, {kBatch, kHidden}}, 0);
    std::vector<Value> all;
    for (std::int64_t t = 0; t < kTime; ++t) all.push_back(h = outer(at(x, t), h));
    return stack(all, 0);
  };
  std::vector<std::vector<Tensor>> runs;
  for (const bool loops : {false, true}) {
    Fed fed;
    const Value output = build(fed, loops);
    std::vector<Value> values = dense_gradients(asymmetric_loss(fed, {.output = output}), fed.leaves);
    values.push_back(output);
    runs.push_back(fed.run(values));
  }
  CHECK(difference(runs[1], runs[0], 1e-4) == "");
}

TEST_CASE("what is wrong with a loop is said with the user's line") {
  Fed fed;
  const Value x = fed.leaf({kTime, kBatch, kHidden});
  const State start = zero_state(x, {"h"}, {kBatch, kHidden});
  const auto message = [&](const StepFunction& step, const std::vector<Value>& sequences, const ScanOptions& options) {
    try {
      scan(step, sequences, start, options);
    } catch (const GraphError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  const auto has = [](const std::string& text, std::initializer_list<const char*> parts) {
    for (const char* part : parts)
      if (text.find(part) == std::string::npos) return text + " lacks: " + part;
    return std::string();
  };
  const StepFunction keep = [](std::span<const Value> in, const State& s) -> Step {
    return {.output = in[0], .state = {{"h", s["h"]}}};
  };
  const StepFunction forgets = [](std::span<const Value> in, const State&) -> Step { return {.output = in[0]}; };
  const StepFunction grows = [](std::span<const Value> in, const State& s) -> Step {
    return {.output = in[0], .state = {{"h", concat({s["h"], s["h"]}, 1)}}};
  };
  const StepFunction unknown = [](std::span<const Value> in, const State& s) -> Step {
    return {.output = in[0], .state = {{"h", s["cell"]}}};
  };
  CHECK(has(message(keep, {}, {}), {"[scan]", "needs a sequence"}) == "");
  const StepFunction own_input = [](std::span<const Value> in, const State& s) -> Step {
    return {.output = in[0] + in[0].graph().input("mine", f32, in[0].shape()), .state = {{"h", s["h"]}}};
  };
  CHECK(has(message(own_input, {x}, {}), {"[scan]", "makes an input 'mine'", "test_scan.cpp"}) == "");
  ParameterStore store;
  const StepFunction writes = [&](std::span<const Value> in, const State& s) -> Step {
    const Value count = state(in[0].graph(), store, "count", {f32, {}});
    return {.output = in[0] + assign(count, count + 1), .state = {{"h", s["h"]}}};
  };
  CHECK(has(message(writes, {x}, {}), {"[assign]", "a step of a loop cannot write to a variable", "test_scan.cpp"}) ==
        "");
  const Value outside = state(x.graph(), store, "outside", {f32, {}});
  const StepFunction writes_captured = [&](std::span<const Value> in, const State& s) -> Step {
    return {.output = in[0] + assign(outside, outside + 1), .state = {{"h", s["h"]}}};
  };
  CHECK(has(message(writes_captured, {x}, {}), {"[assign]", "cannot write to a variable"}) == "");
  const StepFunction counts_words = [&](std::span<const Value> in, const State& s) -> Step {
    return {.output = in[0] + assign(outside, sum(in[0])), .state = {{"h", s["h"]}}};
  };
  CHECK(has(message(counts_words, {x}, {}), {"[assign]", "cannot write to a variable"}) == "");
  const StepFunction twice = [](std::span<const Value> in, const State& s) -> Step {
    return {.output = in[0], .state = {{"h", s["h"]}, {"h", s["h"]}}};
  };
  CHECK(has(message(twice, {x}, {}), {"[state]", "'h' is given twice", "test_scan.cpp"}) == "");
  CHECK(has(message({}, {x}, {}), {"[scan]", "the step is an empty function"}) == "");
  CHECK(has(message(keep, {x, fed.leaf({2, 2})}, {}), {"differ in length", "f32[6,3,5]", "f32[2,2]"}) == "");
  CHECK(has(message(keep, {x}, {.mask = fed.leaf({5, 3})}), {"f32[time=6, batch]", "f32[5,3]"}) == "");
  CHECK(has(message(forgets, {x}, {}), {"[scan]", "does not return state 'h'", "test_scan.cpp"}) == "");
  CHECK(has(message(grows, {x}, {}), {"state 'h' is f32[3,5] at first, but f32[3,10] after a step"}) == "");
  CHECK(has(message(unknown, {x}, {}), {"there is no 'cell'; there are: h"}) == "");
}

TEST_CASE("a loop repeats its bits") {
  Fed fed;
  const Loop parts = lstm_loop(fed);
  const Value loss = asymmetric_loss(fed, scan(parts.step, parts.sequences, parts.initial));
  std::vector<Value> values = dense_gradients(loss, fed.leaves);
  values.push_back(loss);
  CHECK(bit_difference(fed.run(values), fed.run(values)) == "");
}

}  // namespace
}  // namespace eddy::test
