// SPDX-License-Identifier: Apache-2.0
// Loops whose results, inputs or gradients are partly not wanted, or wanted in unusual ways.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include "eddy/eddy.h"
#include "eddy/ops/check_gradients.h"
#include "tests/support/largest.h"

namespace eddy::test {
namespace {

/// A graph with inputs of random numbers.
class Fed {
 public:
  Graph graph;

  Value feed(const Shape& shape) {
    const Tensor tensor(f32, shape);
    for (float& x : tensor.values<float>()) x = uniform_float(random_, -1, 1);
    return add(tensor);
  }
  Value feed_ids(const Shape& shape, std::int32_t below) {
    const Tensor tensor(i32, shape);
    for (std::int32_t& id : tensor.values<std::int32_t>())
      id = static_cast<std::int32_t>(uniform_index(random_, below));
    return add(tensor);
  }
  std::vector<Binding> bindings() const {
    std::vector<Binding> result;
    for (std::size_t i = 0; i < tensors_.size(); ++i) result.push_back({names_[i], tensors_[i]});
    return result;
  }
  std::vector<Tensor> run(const std::vector<Value>& values, const PassSwitches& passes) {
    Program program = compile(graph, values, {.passes = passes});
    std::vector<Tensor> results;
    for (const Tensor& tensor : program.run(bindings())) results.push_back(tensor.clone());
    return results;
  }
  /// With all passes as without those that change loops.
  void check_same(const std::vector<Value>& values) {
    const std::vector<Tensor> plain = run(values, {.lower = false, .fuse = false});
    const std::vector<Tensor> optimised = run(values, {});
    for (std::size_t i = 0; i < values.size(); ++i) {
      CAPTURE(i);
      CHECK(largest_difference(optimised[i].values<const float>(), plain[i].values<const float>()) < 1e-5);
    }
  }

 private:
  Value add(const Tensor& tensor) {
    tensors_.push_back(tensor);
    names_.push_back(fmt::format("in{}", names_.size()));
    return graph.input(names_.back(), tensor.dtype(), tensor.shape());
  }

  Philox random_{5};
  std::vector<std::string> names_;
  std::vector<Tensor> tensors_;
};

TEST_CASE("of two loops, one after the other, the gradient of one parameter alone may be asked for") {
  Fed fed;
  const Value x = fed.feed({3, 2}), a = fed.feed({2}), b = fed.feed({2});
  const Value zero = full(fed.graph, {f32, {2}}, 0);
  const auto first = [&](Value in, const State& s) -> Step {
    return {.state = {{"h", tanh(s["h"] + in * a)}, {"k", tanh(s["k"] + in * b)}}};
  };
  const ScanResult one = scan(first, x, {{"h", zero}, {"k", zero}});
  const auto second = [&](std::span<const Value> in, const State& s) -> Step {
    return {.state = {{"z", tanh(s["z"] + in[0] + tanh(in[1]) * 0.5F)}}};
  };
  const ScanResult two = scan(second, {one.states["h"], one.states["k"]}, {{"z", zero}});
  const Value loss = sum(two.last["z"]);
  const std::vector<Value> d = dense_gradients(loss, {a, b});
  fed.check_same({loss, d[0]});
  fed.check_same({loss, d[1]});
  fed.check_same({loss, d[0], d[1]});
}

TEST_CASE("the outputs of a loop may depend on none of its inputs") {
  Fed fed;
  const Value x = fed.feed({3, 2});
  const Value one = fed.graph.constant(Tensor::from<float>({1, 2}, {2}));
  const auto constant = [&](Value, const State&) -> Step { return {.output = one}; };
  const auto zeros = [&](Value in, const State&) -> Step { return {.output = full(in.graph(), {f32, {2}}, 0)}; };
  fed.check_same({scan(constant, x, {}).output});
  fed.check_same({scan(zeros, x, {}).output, scan(constant, x, {}).output * x});
}

TEST_CASE("a gradient that is the same at every step meets values that are not") {
  Fed fed;
  const Value x = fed.feed({3, 5, 8}), c = fed.feed({5, 8}), w = fed.feed({8, 8}), v = fed.feed({8, 8});
  const auto step = [&](Value in, const State&) -> Step { return {.output = matmul(tanh(matmul(in, w) + c), v)}; };
  const Value loss = sum(square(scan(step, x, {}).output));
  const Value penalty = sum(square(dense_gradient(loss, c)));
  const std::vector<Value> d = dense_gradients(penalty, {w, v});
  const std::vector<Tensor> plain = fed.run({d[0], d[1]}, {.lower = false, .fuse = false});
  const std::vector<Tensor> optimised = fed.run({d[0], d[1]}, {});
  for (std::size_t i = 0; i < 2; ++i) CHECK(relative_difference(optimised[i], plain[i]) < 1e-4);
  CHECK(check_gradients(penalty * 1e-3F, {w, v}, fed.bindings(), 1e-2) == "");
}

TEST_CASE("what no gradient passes may be a mask or a loss's weights") {
  Fed fed;
  const Value x = fed.feed({3, 2, 4}), w = fed.feed({4, 5}), labels = fed.feed_ids({3, 2}, 5);
  const Value logits = matmul(x, w);
  SUBCASE("weights behind stop_gradient") {
    const Value loss = cross_entropy(logits, labels, {.weights = stop_gradient(square(max(logits, -1)))});
    CHECK_NOTHROW(fed.check_same({loss, dense_gradient(loss, w)}));
    CHECK_THROWS_WITH_AS(dense_gradients(cross_entropy(logits, labels, {.weights = square(max(logits, -1))}), {w}),
                         doctest::Contains("no gradient with respect to the weights"), GraphError);
  }
  SUBCASE("a mask behind stop_gradient, made by a loop") {
    const Value u = fed.feed({4});
    const auto step = [&](Value in, const State& s) -> Step {
      const Value h = tanh(s["h"] + in * u);
      return {.output = cast(greater(mean(h, 1), 0), f32), .state = {{"h", h}}};
    };
    const ScanResult loop = scan(step, x, zero_state(x, {"h"}, {2, 4}));
    const Value w_x = fed.feed({4, 12}), w_h = fed.feed({3, 12}), bias = fed.feed({12});
    // The loop's output has no gradient in itself, beside a state that has.
    for (const Value& mask : {stop_gradient(loop.output), loop.output}) {
      const Value loss = sum(lstm(x, w_x, w_h, bias, {.mask = mask}).outputs) + sum(loop.last["h"]);
      const std::vector<Value> d = dense_gradients(loss, {u, w_x});
      fed.check_same({loss, d[0], d[1]});
    }
  }
  SUBCASE("weights that a step makes of integers, to the second order") {
    const auto step = [&](std::span<const Value> in, const State&) -> Step {
      const Value weights = cast(greater(in[1], 1), f32);
      return {.output = cross_entropy(matmul(in[0], w), in[1], {.weights = weights})};
    };
    const Value loss = sum(scan(step, {x, labels}, {}).output);
    const Value penalty = sum(square(dense_gradient(loss, w)));
    CHECK(check_gradients(penalty, {w}, fed.bindings(), 1e-2) == "");
  }
}

TEST_CASE("gradients pass states that pass values on") {
  Fed fed;
  const Value x = fed.feed({4, 2}), start = fed.feed({2});
  // "b" is what "a" was a step before, and "c" what "b" was; the output reads "c" alone.
  const auto step = [](Value in, const State& s) -> Step {
    return {.output = s["c"] * 2, .state = {{"a", in}, {"b", s["a"]}, {"c", s["b"]}}};
  };
  const ScanResult loop = scan(step, x, {{"a", start}, {"b", start}, {"c", start}});
  CHECK(check_gradients(sum(square(loop.output)), {x, start}, fed.bindings()) == "");
}

TEST_CASE("sums of sums of one value are built once") {
  Fed fed;
  const Value x = fed.feed({3, 2}), w = fed.feed({2});
  const auto step = [&](Value in, const State&) -> Step {
    Value y = w + in * 0;
    for (int i = 0; i < 20; ++i) y = y + y;
    return {.output = y * in};
  };
  const Value d = dense_gradient(sum(scan(step, x, {}).output), w);
  Program program = compile(fed.graph, {d});
  CHECK(program.instruction_count() < 100);
  const Tensor plain = fed.run({d}, {.lower = false, .fuse = false})[0];
  CHECK(relative_difference(program.run(fed.bindings())[0], plain) < 1e-5);
}

TEST_CASE("a large constant in a step is not copied into keys") {
  Fed fed;
  const Value table = fed.graph.constant(Tensor(f32, {1 << 16, 4}));
  const Value ids = fed.feed_ids({3, 2}, 1 << 16);
  scan([&](Value in, const State&) -> Step { return {.output = gather_rows(table, in)}; }, ids, {});
  std::size_t longest = 0;
  for (int id = 0; id < fed.graph.size(); ++id)
    if (fed.graph.node(id).op->name() == "scan")
      longest = std::max(longest, fed.graph.node(id).op->attribute_bytes().size());
  CHECK(longest > 0);
  CHECK(longest < 2000);
}

TEST_CASE("constants that a step captures have gradients") {
  Fed fed;
  const Value x = fed.graph.constant(Tensor::from<float>({1, 1}, {2, 1}));
  const Value half = full(fed.graph, {f32, {1}}, 0.5F);
  const Value weight = fed.graph.constant(Tensor::from<float>({0.5F}, {1}));
  const auto gradient_of = [&](Value captured, Value initial) {
    const auto step = [&](Value in, const State& s) -> Step {
      const Value h = s["h"] + in * captured;
      return {.output = h, .state = {{"h", h}}};
    };
    return dense_gradient(sum(scan(step, x, {{"h", initial}}).last["h"]), captured);
  };
  const std::vector<Value> gradients{gradient_of(half, half), gradient_of(weight, half), gradient_of(weight, weight)};
  fed.check_same(gradients);
  const std::vector<Tensor> found = fed.run(gradients, {});
  CHECK(found[0].item() == 3);
  CHECK(found[1].item() == 2);
  CHECK(found[2].item() == 3);
}

TEST_CASE("a state without a way for a gradient may be the weights of a loss in the loop") {
  Fed fed;
  const Value x = fed.feed({3, 2, 5}), targets = fed.feed_ids({3, 2}, 5);
  const Value w = fed.feed({5, 5});
  const auto step = [&](std::span<const Value> in, const State& s) -> Step {
    const Value loss = cross_entropy(matmul(in[0], w), in[1], {.weights = s["alive"], .reduction = Reduction::sum});
    return {.output = loss, .state = {{"alive", s["alive"] * cast(not_equal(in[1], 0), f32)}}};
  };
  const Value ones = full(fed.graph, {f32, {2}}, 1);
  const Value loss = sum(scan(step, std::vector<Value>{x, targets}, {{"alive", ones}}).output);
  const Value d = dense_gradient(loss, w);
  // The same without a loop.
  Value alive = ones, unrolled;
  for (int t = 0; t < 3; ++t) {
    const Value now =
        cross_entropy(matmul(at(x, t), w), at(targets, t), {.weights = alive, .reduction = Reduction::sum});
    unrolled = unrolled ? unrolled + now : now;
    alive = alive * cast(not_equal(at(targets, t), 0), f32);
  }
  const Value expected = dense_gradient(unrolled, w);
  fed.check_same({loss, d});
  const std::vector<Tensor> found = fed.run({d, expected}, {});
  CHECK(largest_difference(found[0].values<const float>(), found[1].values<const float>()) < 1e-5);
}

TEST_CASE("a state that the loss does not read has no part in the gradient") {
  ParameterStore store(1);
  Graph graph;
  const Value x = graph.constant(Tensor::from<float>({1, 2, 0, 0, 3, 4}, {3, 2}));
  const Value w = parameter(graph, store, "w", {2, 2}, uniform(1)), b = parameter(graph, store, "b", {2}, uniform(1));
  const Value lost = parameter(graph, store, "lost", {}, uniform(1)),
              start = parameter(graph, store, "start", {}, zeros());
  const Value zero = full(graph, {f32, {2}}, 0);
  const auto look = [&](int kind) {
    const auto step = [&, kind](Value xt, const State& s) -> Step {
      const Value h = tanh(matmul(s["h"], w) + xt * b);
      // An infinite derivative where x is 0, and one that there is not.
      const Value seen = kind == 0   ? sqrt(sum(square(xt * b)))
                         : kind == 1 ? cross_entropy(reshape(h, {1, 2}), full(h.graph(), {i32, {1}}, 0),
                                                     {.weights = reshape(sum(square(h)), {1})})
                                     : s["seen"] + sum(h) * lost;
      return {.output = h, .state = {{"h", h}, {"seen", seen}}};
    };
    const ScanResult result = scan(step, x, {{"h", zero}, {"seen", start}});
    const Value loss = sum(square(result.output));
    const std::vector<Gradient> found = gradients(loss, {w, b, lost, start});
    CHECK(found[2].empty());
    CHECK(found[3].empty());
    Program program = compile(graph, {found[0].dense_part(), found[1].dense_part(), result.last["seen"]});
    std::vector<Tensor> results;
    for (const Tensor& tensor : program.run()) results.push_back(tensor.clone());
    return results;
  };
  const std::vector<Tensor> plain = look(2);
  for (const int kind : {0, 1}) {
    const std::vector<Tensor> found = look(kind);
    for (const std::size_t i : {0U, 1U})
      CHECK(largest_difference(found[i].values<const float>(), plain[i].values<const float>()) == 0);
  }
}

TEST_CASE("a truncated gradient reaches the initial state from the first stretch") {
  Fed fed;
  const Value x = fed.feed({4, 2}), h0 = fed.feed({2});
  const auto gradient = [&](std::int64_t truncate, const Value& loss_of) {
    const auto step = [](Value in, const State& s) -> Step {
      const Value h = tanh(s["h"] + in);
      return {.output = h, .state = {{"h", h}}};
    };
    const Value outputs = scan(step, x, {{"h", h0}}, {.truncate = truncate}).output;
    return dense_gradient(sum(outputs * loss_of), h0);
  };
  const Value all = full(fed.graph, {f32, {4, 2}}, 1);
  const Value first = fed.graph.constant(Tensor::from<float>({1, 1, 1, 1, 0, 0, 0, 0}, {4, 2}));
  const std::vector<Tensor> found =
      fed.run({gradient(0, all), gradient(4, all), gradient(0, first), gradient(2, all)}, {});
  CHECK(largest_difference(found[1].values<const float>(), found[0].values<const float>()) < 1e-6);
  CHECK(largest_difference(found[3].values<const float>(), found[2].values<const float>()) < 1e-6);
}

TEST_CASE("a step writes to no variable around it, and none of its values is used after it") {
  Fed fed;
  ParameterStore store(1);
  const Value x = fed.feed({4, 2});
  const Value count = state(fed.graph, store, "count", {f32, {}});
  const auto counts = [&](Value in, const State&) -> Step { return {.output = in + assign(count, count + 1)}; };
  CHECK_THROWS_WITH_AS(scan(counts, x, {}), doctest::Contains("a step of a loop cannot write to a variable"),
                       GraphError);

  Value leak;
  const auto leaks = [&](Value in, const State&) -> Step {
    leak = in * 2;
    return {.output = in};
  };
  scan(leaks, x, {});
  const auto step = [&](Value in, const State& s) -> Step { return {.state = {{"h", s["h"] + in}}}; };
  CHECK_THROWS_WITH_AS(scan(step, x, {{"h", leak}}), doctest::Contains("[scan] state 'h' is a value of the step of"),
                       GraphError);
  CHECK_THROWS_WITH_AS(scan(step, leak, {{"h", x}}), doctest::Contains("[scan] a sequence is a value of the step of"),
                       GraphError);
  CHECK_THROWS_WITH_AS(leak + 1, doctest::Contains("argument 0 is a value of a loop's step, which has ended"),
                       GraphError);
  CHECK_THROWS_WITH_AS(sum(leak), doctest::Contains("which has ended"), GraphError);
  CHECK_THROWS_WITH_AS(compile(fed.graph, {leak}),
                       doctest::Contains("[compile] result 0 (f32[2]) is a value of a loop's"), GraphError);

  // A function of one value would leave the other sequences unread.
  const auto of_one = [](Value in, const State&) -> Step { return {.output = in}; };
  CHECK_THROWS_WITH_AS(scan(of_one, {x, x}, {}),
                       doctest::Contains("[scan] the step is a function of one Value, but there are 2 sequences"),
                       GraphError);
  scan(of_one, x, {}, {.mask = fed.graph.constant(Tensor(f32, {4, 2})), .truncate = 2});  // adds sequences of its own
}

TEST_CASE("a loop within a step belongs to it only when its graph does") {
  Fed fed;
  const Value x = fed.feed({2, 3, 2}), wx = fed.feed({2, 12}), wh = fed.feed({4, 12}), b = fed.feed({12});
  // Second derivatives by way of a layer in an inner loop, taken in an outer step or not.
  const auto penalty = [&](Value in) {
    const auto inner = [&](Value v, const State& s) -> Step {
      const Value h = gru(expand_dims(v, 0), wx, wh, b, {.h0 = s["h"]}).final_h;
      return {.output = h, .state = {{"h", h}}};
    };
    const Value zero = full(in.graph(), {f32, {3, 4}}, 0);
    const Value loss = sum(square(scan(inner, stack({in, in}), {{"h", zero}}).output));
    const Value d = dense_gradient(loss, in);
    return dense_gradient(sum(square(d)), in);
  };
  const ScanResult looped = scan([&](Value in, const State&) -> Step { return {.output = penalty(in)}; }, x, {});
  const Value unrolled = stack({penalty(at(x, 0)), penalty(at(x, 1))});
  const std::vector<Tensor> found = fed.run({looped.output, unrolled}, {});
  CHECK(largest_difference(found[0].values<const float>(), found[1].values<const float>()) < 1e-4);

  // A graph of its own, built in a step, has loops of its own.
  const auto builds_another = [](Value in, const State&) -> Step {
    Graph other;
    const Value y = other.constant(Tensor::from<float>({1, 2, 3}, {3}));
    const Value zero = other.constant(0.0F);
    const auto add_up = [](Value v, const State& s) -> Step { return {.state = {{"sum", s["sum"] + v}}}; };
    Program program = compile(other, {scan(add_up, y, {{"sum", zero}}).last["sum"]});
    return {.output = in * program.run()[0].item()};
  };
  const Value six_times = scan(builds_another, x, {}).output;
  const std::vector<Tensor> products = fed.run({six_times, x * 6.0F}, {});
  CHECK(largest_difference(products[0].values<const float>(), products[1].values<const float>()) < 1e-6);
}

TEST_CASE("a gradient that finds no way through a loop needs no pass to clear it away") {
  Graph graph;
  const Value x = graph.input("x", f32, {3, 2});
  const ScanResult loop = scan(
      [](Value, const State& state) {
        return Step{.output = {}, .state = {{"s", tanh(state["s"])}}};
      },
      x, {{"s", full(graph, {f32, {2}}, 0.5F)}});
  const std::vector<Value> gradients = dense_gradients(sum(loop.last["s"]), {x, loop.last["s"]});
  Program program = compile(graph, gradients, {.passes = {.prune = false}});
  const Tensor zeros(f32, {3, 2});
  std::ranges::fill(zeros.values<float>(), 0.0F);
  const auto results = program.run({{"x", zeros}});
  for (const float d : results[0].values<float>()) CHECK(d == 0);
  for (const float d : results[1].values<float>()) CHECK(d == 1);
}

TEST_CASE("a loop over no steps leaves the states as they are, and has gradients of zero to second order") {
  for (const PassSwitches& passes : {PassSwitches{}, PassSwitches{.lower = false, .fuse = false}})
    for (const ScanOptions& options : {ScanOptions{}, ScanOptions{.reverse = true, .truncate = 2, .recompute = true}})
      for (const bool masked : {false, true}) {
        Fed fed;
        const Value x = fed.feed({0, 2, 3}), h = fed.feed({2, 3}), w = fed.feed({3, 3});
        ScanOptions with_mask = options;
        if (masked) with_mask.mask = fed.feed({0, 2});
        const auto step = [&](Value in, const State& s) -> Step {
          const Value next = tanh(in + matmul(s["h"], w));
          return {next * 2, {{"h", next}}, {{"likeliest", argmax(next, 1)}}};
        };
        const ScanResult none = scan(step, x, {{"h", h}}, with_mask);
        CHECK(none.output.type() == TensorType{f32, {0, 2, 3}});
        CHECK(none.states["h"].type() == TensorType{f32, {0, 2, 3}});
        CHECK(none.outputs["likeliest"].type() == TensorType{i32, {0, 2}});
        const std::vector<Value> wrt{x, h, w};
        const Value loss = sum(square(none.output)) + sum(square(none.last["h"]));
        const std::vector<Value> first = dense_gradients(loss, wrt);
        const std::vector<Value> second = dense_gradients(sum(square(first[1])) + sum(square(first[2])), wrt);
        const std::vector<Tensor> got =
            fed.run({none.output, none.last["h"], first[0], first[1], first[2], second[1], second[2], h}, passes);
        CHECK(got[0].shape() == Shape{0, 2, 3});
        CHECK(got[2].shape() == Shape{0, 2, 3});
        for (std::size_t i = 0; i < 6; ++i) {
          const float initial = got[7].values<const float>()[i];
          CHECK(got[1].values<const float>()[i] == initial);
          CHECK(got[3].values<const float>()[i] == 2 * initial);
          CHECK(got[5].values<const float>()[i] == 8 * initial);
        }
        for (const std::size_t i : {4, 6})
          for (const float d : got[i].values<const float>()) CHECK(d == 0);
      }
}

TEST_CASE("an element that a step refuses is told with its step") {
  Graph graph;
  const Value tokens = graph.input("tokens", i32, {100, 4}), table = full(graph, {f32, {10, 2}}, 1);
  const auto step = [&](Value token, const State& state) {
    return Step{.output = {}, .state = {{"h", tanh(state["h"] + embedding(table, token))}}};
  };
  Program program = compile(graph, {scan(step, tokens, {{"h", full(graph, {f32, {4, 2}}, 0)}}).last["h"]});
  const Tensor bad(i32, {100, 4});
  std::ranges::fill(bad.values<std::int32_t>(), 0);
  bad.values<std::int32_t>()[77 * 4 + 1] = 10;
  CHECK_THROWS_WITH_AS(program.run({{"tokens", bad}}), doctest::Contains("of 10 rows, in step 77 of 100"), GraphError);
}

TEST_CASE("sizes beyond all bounds are refused, whatever op asks for them") {
  Fed fed;
  const Value x = fed.feed({2});
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS_WITH_AS(pad(x, 0, kMost, 1), doctest::Contains("[pad] cannot pad by"), GraphError);
  CHECK_THROWS_WITH_AS(pad(x, 0, std::int64_t{1} << 55, std::int64_t{1} << 55), doctest::Contains("[pad]"), GraphError);
  CHECK_THROWS_WITH_AS(shift(x, std::numeric_limits<std::int64_t>::min()), doctest::Contains("[shift]"), GraphError);
}

TEST_CASE("two optimizers of one graph move its random key on together") {
  ParameterStore store(1);
  Graph graph;
  const Value key = random_key(graph, store);
  std::vector<Value> results;
  for (const std::string name : {"one", "two"}) {
    const Value w = parameter(graph, store, name, {4}, uniform(1));
    const Value loss = sum(square(dropout(w, 0.5F, key)));
    results.push_back(
        minimize(loss, store, sgd({.learning_rate = 0.1}, {.allow_unused = true, .name = "sgd/" + name})));
  }
  Program program = compile(graph, results);
  program.run();
  CHECK(store.find("random/key")->value.values<std::int32_t>()[2] == 1);
  program.run();
  CHECK(store.find("random/key")->value.values<std::int32_t>()[2] == 2);
}

}  // namespace
}  // namespace eddy::test
