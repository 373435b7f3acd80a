// SPDX-License-Identifier: Apache-2.0
// The models of the seq2seq library: parameter counts, values against loops over plain numbers, and that each learns.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "eddy/core/random.h"
#include "eddy/models/seq2seq_library.h"
#include "eddy/ops/abs.h"
#include "eddy/ops/max.h"
#include "eddy/ops/mean_squared_error.h"
#include "eddy/ops/random_key.h"
#include "eddy/ops/sub.h"
#include "eddy/optimizers/minimize.h"
#include "tests/models/model_runs.h"
#include "tests/models/plain_vectors.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

using Model = std::function<Seq2SeqResult(ParameterStore& store, const Seq2SeqInputs& inputs)>;

// The shapes of the original's test file: 5 steps of 3 numbers to 3 steps of 4, with 24 units.
constexpr std::int64_t kIn = 3, kOut = 4, kTime = 5, kLength = 3, kHidden = 24;

SimpleSeq2Seq simple() { return {.output_size = kOut, .output_length = kLength, .hidden_size = kHidden}; }
Seq2Seq full() { return {.output_size = kOut, .output_length = kLength, .hidden_size = kHidden}; }
AttentionSeq2Seq attentive() { return {.output_size = kOut, .output_length = kLength, .hidden_size = kHidden}; }

std::int64_t parameters_of(const Model& model) {
  Graph graph;
  ParameterStore store;
  const Seq2SeqResult result = model(store, {.x = graph.input("x", f32, {kTime, 2, kIn})});
  CHECK(result.output.shape() == Shape{kLength, 2, kOut});
  return store.parameter_count();
}

// One row of the batch in plain numbers.
using Rows = std::vector<Vector>;

struct PlainLstm {
  Vector h, c;
};

class Plain {
 public:
  explicit Plain(const ParameterStore& store, const Seq2SeqCells& cells = {}) : store_(store), cells_(cells) {}

  Vector product(const Vector& x, const std::string& name) const {
    return test::product(x, to_doubles(store_.find("seq2seq/" + name)->value));
  }
  Vector bias(const std::string& name) const {
    const Tensor b = store_.find("seq2seq/" + name)->value;
    return Vector(b.values<float>().begin(), b.values<float>().end());
  }
  Vector dense(const Vector& x, const std::string& name) const {
    return plus(product(x, name + "/w"), bias(name + "/bias"));
  }

  void lstm(const std::string& name, const Vector& x, PlainLstm& state, const Seq2SeqCells& cells) const {
    Vector gates = plus(plus(product(x, name + "/w_x"), product(state.h, name + "/w_h")), bias(name + "/bias"));
    if (store_.find("seq2seq/" + name + "/bias_h")) gates = plus(gates, bias(name + "/bias_h"));
    const std::size_t n = state.c.size();
    const auto gate = [&](std::size_t i) { return std::clamp(0.2 * gates[i] + 0.5, 0.0, 1.0); };
    for (std::size_t i = 0; i < n; ++i) {
      const double c = gate(n + i) * state.c[i] + gate(i) * std::tanh(gates[2 * n + i]);
      state.c[i] = cells.store_tanh_of_cell ? std::tanh(c) : c;
      state.h[i] = (cells.linear_output_gate ? gates[3 * n + i] : gate(3 * n + i)) * std::tanh(c);
    }
  }
  void lstm(const std::string& name, const Vector& x, PlainLstm& state) const { lstm(name, x, state, cells_); }

  Vector output(const std::string& name, const Vector& x, PlainLstm& state) const {
    lstm(name, x, state, {});
    Vector y = plus(product(state.h, name + "/w_y"), bias(name + "/bias_y"));
    for (double& value : y) value = std::tanh(value);
    return y;
  }

 private:
  const ParameterStore& store_;
  Seq2SeqCells cells_;
};

PlainLstm fresh(std::size_t n = kHidden) { return {.h = Vector(n, 0.0), .c = Vector(n, 0.0)}; }

Rows row_of(const Tensor& tensor, std::int64_t batch) {
  Rows rows;
  const std::int64_t width = tensor.shape()[2];
  for (std::int64_t t = 0; t < tensor.shape()[0]; ++t) {
    const auto first = tensor.values<float>().begin() + (t * tensor.shape()[1] + batch) * width;
    rows.emplace_back(first, first + width);
  }
  return rows;
}

/// Runs the model on two rows, the second one padded after 3 steps, and compares with `plain` for each row alone.
void check_against(const Model& model, const std::function<Rows(const ParameterStore&, const Rows& x)>& plain,
                   const Tensor& teacher = {}) {
  Philox random(5);
  const Tensor x = random_tensor({f32, {kTime, 2, kIn}}, random, -1, 1);
  const Tensor mask = Tensor::from(Floats{1, 1, 1, 1, 1, 1, 1, 0, 1, 0}, {kTime, 2});
  FedGraph graph;
  ParameterStore store;
  const auto build = [&] {
    return model(store,
                 {.x = graph.feed(x), .mask = graph.feed(mask), .teacher = teacher ? graph.feed(teacher) : Value()})
        .output;
  };
  const Value output = build();
  randomize(store);
  const Tensor got = graph.run({output})[0];
  for (const std::int64_t batch : {0, 1}) {
    Rows real = row_of(x, batch);
    if (batch == 1) real.resize(3);
    const Rows expected = plain(store, real);
    const Rows rows = row_of(got, batch);
    REQUIRE(expected.size() == rows.size());
    for (std::size_t t = 0; t < rows.size(); ++t)
      for (std::size_t i = 0; i < rows[t].size(); ++i)
        CHECK(rows[t][i] == doctest::Approx(expected[t][i]).epsilon(1e-4));
  }
}

std::string numbered(const char* name, std::size_t i) { return fmt::format("{}{}", name, i); }

/// The parts that two models share: layers with states of their own.
Vector through(const Plain& plain, const char* name, Vector x, std::vector<PlainLstm>& states) {
  for (std::size_t l = 0; l < states.size(); ++l) {
    plain.lstm(numbered(name, l), x, states[l]);
    x = states[l].h;
  }
  return x;
}

Rows plain_simple(const ParameterStore& store, const Rows& x, std::vector<PlainLstm> encoder,
                  std::vector<PlainLstm> decoder, const Seq2SeqCells& cells = {}) {
  const Plain plain(store, cells);
  Vector meaning;
  for (const Vector& step : x) meaning = through(plain, "encoder", step, encoder);
  Rows outputs;
  for (std::int64_t t = 0; t < kLength; ++t) outputs.push_back(through(plain, "decoder", meaning, decoder));
  return outputs;
}

struct PlainOptions {
  std::size_t depth = 1;
  bool shared = true;
  bool peek = false;
  Rows teacher = {};
  bool leaks = false;
  bool handed_over = true;
  Readout encoder_readout = Readout::add;
};

Vector merged(Readout readout, Vector x, const Vector& last) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (readout == Readout::add) x[i] += last[i];
    if (readout == Readout::multiply) x[i] *= last[i];
    if (readout == Readout::average) x[i] = (x[i] + last[i]) / 2;
    if (readout == Readout::maximum) x[i] = std::max(x[i], last[i]);
    if (readout == Readout::only) x[i] = last[i];
  }
  return x;
}

Rows plain_full(const ParameterStore& store, const Rows& x, const PlainOptions& options) {
  const Plain plain(store);
  std::vector<PlainLstm> states(options.depth, fresh());
  const auto state = [&](std::size_t l) -> PlainLstm& { return states[options.shared ? 0 : l]; };
  Vector readout(kHidden, 0.0);
  for (const Vector& step : x) {
    Vector value = merged(options.encoder_readout, plain.dense(step, "input"), readout);
    for (std::size_t l = 0; l < options.depth; ++l) {
      plain.lstm(numbered("encoder", l), value, state(l));
      value = state(l).h;
    }
    readout = value;
  }
  const Vector meaning = plain.dense(readout, "meaning");
  if (!options.handed_over) states.assign(options.depth, fresh());
  Vector last = meaning;
  Rows outputs;
  for (std::size_t t = 0; t < kLength; ++t) {
    if (!options.teacher.empty() && t > 0) last = options.teacher[options.leaks ? t : t - 1];
    Vector value = options.peek ? plus(last, meaning) : last;
    for (std::size_t l = 0; l < options.depth; ++l) value = plain.output(numbered("decoder", l), value, state(l));
    outputs.push_back(last = value);
  }
  return outputs;
}

Rows plain_attentive(const ParameterStore& store, const Rows& x, std::size_t depth, bool linear) {
  const Plain plain(store);
  Rows memory(x.size());
  std::vector<PlainLstm> forward(depth, fresh()), reverse(depth, fresh());
  for (std::size_t t = 0; t < x.size(); ++t) memory[t] = through(plain, "encoder", x[t], forward);
  for (std::size_t t = x.size(); t-- > 0;)
    memory[t] = plus(memory[t], through(plain, "encoder_reverse", x[t], reverse));
  std::vector<PlainLstm> states(depth, fresh());
  Rows outputs;
  for (std::int64_t t = 0; t < kLength; ++t) {
    Vector context(kHidden, 0.0), energy;
    for (const Vector& step : memory) {
      if (linear) {
        energy.push_back(plain.product(step, "attention/w_memory")[0] +
                         plain.product(states[0].c, "attention/w_query")[0] + plain.bias("attention/bias")[0]);
      } else {
        Vector sum = plus(plain.dense(step, "attention/keys"), plain.product(states[0].c, "attention/w_query"));
        for (double& value : sum) value = std::tanh(value);
        energy.push_back(plain.product(sum, "attention/w_energy")[0]);
      }
    }
    double total = 0;
    for (const double e : energy) total += std::exp(e);
    for (std::size_t j = 0; j < memory.size(); ++j)
      for (std::size_t i = 0; i < kHidden; ++i) context[i] += std::exp(energy[j]) / total * memory[j][i];
    Vector value = context;
    for (std::size_t l = 0; l < depth; ++l) value = plain.output(numbered("decoder", l), value, states[l]);
    outputs.push_back(value);
  }
  return outputs;
}

}  // namespace

TEST_CASE("seq2seq library: parameter counts of the original at its test shapes") {
  SimpleSeq2Seq original = simple();
  original.two_layers_at_depth_1 = true;
  CHECK(parameters_of(original) == 3296);
  CHECK(parameters_of(simple()) == 3152);  // one decoder layer at depth 1: 144 fewer
  CHECK(parameters_of(full()) == 7784);
  Seq2Seq peeking = full();
  peeking.peek = true;
  CHECK(parameters_of(peeking) == 7784);
  AttentionSeq2Seq linear = attentive();
  linear.linear_energy = true;
  CHECK(parameters_of(linear) == 10325);
  // Additive energy: keys 24 * 24 + 24, query 24 * 24 and energy 24 instead of 2 * 24 + 1.
  CHECK(parameters_of(attentive()) == 10325 - 49 + 1200);
}

TEST_CASE("seq2seq library: values of SimpleSeq2Seq") {
  using States = std::vector<PlainLstm>;
  check_against(simple(), [](const ParameterStore& store, const Rows& x) {
    return plain_simple(store, x, {fresh()}, {fresh(kOut)});
  });
  SimpleSeq2Seq deep = simple();
  deep.depth = {2, 3};
  check_against(deep, [](const ParameterStore& store, const Rows& x) {
    return plain_simple(store, x, States(2, fresh()), {fresh(), fresh(), fresh(kOut)});
  });
  SimpleSeq2Seq original = simple();
  original.two_layers_at_depth_1 = true;
  original.cells.store_tanh_of_cell = true;
  for (const bool linear_output_gate : {false, true}) {
    original.cells.linear_output_gate = linear_output_gate;
    check_against(original, [&](const ParameterStore& store, const Rows& x) {
      return plain_simple(store, x, {fresh()}, {fresh(kOut), fresh(kOut)}, original.cells);
    });
  }
}

TEST_CASE("seq2seq library: values of Seq2Seq") {
  for (const std::size_t depth : {1, 2}) {
    for (const bool shared : {true, false}) {
      for (const bool peek : {false, true}) {
        CAPTURE(depth);
        CAPTURE(shared);
        CAPTURE(peek);
        Seq2Seq model = full();
        model.depth = static_cast<int>(depth);
        model.inner_broadcast_state = shared;
        model.peek = peek;
        check_against(model, [&](const ParameterStore& store, const Rows& x) {
          return plain_full(store, x, {.depth = depth, .shared = shared, .peek = peek});
        });
      }
    }
  }
}

TEST_CASE("seq2seq library: a Seq2Seq decoder may begin with zeros, and its encoder reads its output in several ways") {
  Seq2Seq model = full();
  model.broadcast_state = false;
  check_against(
      model, [](const ParameterStore& store, const Rows& x) { return plain_full(store, x, {.handed_over = false}); });
  for (const Readout readout :
       {Readout::none, Readout::add, Readout::multiply, Readout::average, Readout::maximum, Readout::only}) {
    CAPTURE(static_cast<int>(readout));
    model = full();
    model.encoder_readout = readout;
    check_against(model, [&](const ParameterStore& store, const Rows& x) {
      return plain_full(store, x, {.encoder_readout = readout});
    });
  }
}

TEST_CASE("seq2seq library: forget gates begin with the bias that is asked for") {
  Seq2Seq model = full();
  model.cells.forget_bias = 0.75F;
  ParameterStore store;
  Graph graph;
  model(store, {.x = graph.input("x", f32, {kTime, 2, kIn})});
  for (const char* name : {"seq2seq/encoder0", "seq2seq/decoder0"}) CHECK(wrong_bias(store, name, 4, 0.75F) == "");
}

TEST_CASE("seq2seq library: the teacher shows the target of the step before; the original the target itself") {
  Philox random(9);
  const std::vector<float> values = [&] {
    const Tensor t = random_tensor({f32, {kLength, 1, kOut}}, random, -1, 1);
    return Floats(t.values<float>().begin(), t.values<float>().end());
  }();
  // Both rows have one teacher, so that the plain loop needs one.
  Tensor teacher(f32, {kLength, 2, kOut});
  Rows rows(kLength);
  for (std::size_t t = 0; t < kLength; ++t) {
    for (std::size_t i = 0; i < kOut; ++i) {
      const float value = values[t * kOut + i];
      teacher.values<float>()[t * 2 * kOut + i] = teacher.values<float>()[(t * 2 + 1) * kOut + i] = value;
      rows[t].push_back(static_cast<double>(value));
    }
  }
  for (const bool leaks : {false, true}) {
    Seq2Seq model = full();
    model.teacher_leaks_target = leaks;
    const auto plain = [&](const ParameterStore& store, const Rows& x) {
      return plain_full(store, x, {.teacher = rows, .leaks = leaks});
    };
    check_against(model, plain, teacher);
  }
}

TEST_CASE("seq2seq library: values of AttentionSeq2Seq") {
  for (const std::size_t depth : {1, 2, 3}) {
    for (const bool linear : {false, true}) {
      AttentionSeq2Seq model = attentive();
      model.depth = static_cast<int>(depth);
      model.linear_energy = linear;
      check_against(
          model, [&](const ParameterStore& store, const Rows& x) { return plain_attentive(store, x, depth, linear); });
    }
  }
}

TEST_CASE("seq2seq library: a linear energy looks at the same place at every step, an additive one does not") {
  Philox random(5);
  const Tensor x = random_tensor({f32, {kTime, 1, kIn}}, random, -1, 1);
  for (const bool linear : {true, false}) {
    AttentionSeq2Seq model = attentive();
    model.linear_energy = linear;
    FedGraph graph;
    ParameterStore store;
    const Value attention = model(store, {.x = graph.feed(x)}).attention;
    randomize(store);
    const Tensor weights = graph.run({attention})[0];
    double moved = 0;
    for (std::size_t j = 0; j < kTime; ++j)
      moved += std::abs(static_cast<double>(weights.values<float>()[j] - weights.values<float>()[2 * kTime + j]));
    if (linear) {
      CHECK(moved < 1e-6);
    } else {
      CHECK(moved > 1e-3);
    }
  }
}

namespace {

/// Sines of random frequency and phase: 12 values in, the next 6 out. Means are 0, so the mean predicts nothing.
struct Waves {
  Tensor x{f32, {12, 64, 1}};
  Tensor y{f32, {6, 64, 1}};

  void draw(Philox& random) const {
    for (std::size_t b = 0; b < 64; ++b) {
      const double pace = 0.3 + 0.6 * static_cast<double>(uniform_float(random, 0, 1));
      const double phase = 2 * std::numbers::pi * static_cast<double>(uniform_float(random, 0, 1));
      for (std::size_t t = 0; t < 18; ++t) {
        const auto value = static_cast<float>(0.8 * std::sin(pace * static_cast<double>(t) + phase));
        if (t < 12)
          x.values<float>()[t * 64 + b] = value;
        else
          y.values<float>()[(t - 12) * 64 + b] = value;
      }
    }
  }
};

/// Mean squared error on fresh waves over that of predicting the mean.
double share_left(const std::function<Seq2SeqResult(ParameterStore&, const Seq2SeqInputs&, bool training)>& model,
                  int steps) {
  ParameterStore store(3);
  const auto build = [&](Graph& graph, bool training) {
    const Value x = graph.input("x", f32, {12, 64, 1}), y = graph.input("y", f32, {6, 64, 1});
    return mean_squared_error(model(store, {.x = x, .key = {}, .teacher = training ? y : Value()}, training).output, y);
  };
  Graph training, testing;
  const Updates updates = minimize(build(training, true), store, adam({.learning_rate = 5e-3, .clip_norm = 1}));
  Program train = compile(training, {updates});
  Program test = compile(testing, {build(testing, false)});
  Philox random(1);
  const Waves waves;
  for (int step = 0; step < steps; ++step) {
    waves.draw(random);
    train.run({{"x", waves.x}, {"y", waves.y}});
  }
  waves.draw(random);
  double variance = 0;
  for (const float value : waves.y.values<float>()) variance += static_cast<double>(value * value) / (6.0 * 64.0);
  return static_cast<double>(test.run({{"x", waves.x}, {"y", waves.y}})[0].item()) / variance;
}

}  // namespace

TEST_CASE("seq2seq library: each model goes on with a wave, far better than its mean") {
  const auto without_teacher = [](auto model) {
    return [model](ParameterStore& store, Seq2SeqInputs inputs, bool) {
      inputs.teacher = {};
      return model(store, inputs);
    };
  };
  const SimpleSeq2Seq one{.output_size = 1, .output_length = 6, .hidden_size = 24, .depth = 2};
  const Seq2Seq two{.output_size = 1, .output_length = 6, .hidden_size = 24};
  const AttentionSeq2Seq three{.output_size = 1, .output_length = 6, .hidden_size = 24};
  const double of_simple = share_left(without_teacher(one), 400);
  const double of_full = share_left(without_teacher(two), 400);
  const double of_attentive = share_left(without_teacher(three), 400);
  const double of_taught =
      share_left([&](ParameterStore& store, const Seq2SeqInputs& inputs, bool) { return two(store, inputs); }, 400);
  MESSAGE(
      fmt::format("error left of that of the mean: SimpleSeq2Seq {:.3f}, Seq2Seq {:.3f}, with a teacher {:.3f}, "
                  "AttentionSeq2Seq {:.3f}",
                  of_simple, of_full, of_taught, of_attentive));
  CHECK(of_simple < 0.1);
  CHECK(of_full < 0.1);
  CHECK(of_taught < 0.1);
  CHECK(of_attentive < 0.1);
}

TEST_CASE("seq2seq library: the configurations of the original's tests and examples train") {
  struct Shapes {
    std::int64_t time, in, length, out;
  };
  const auto train = [](const Model& model, const Shapes& shapes, bool teacher = false) {
    ParameterStore store;
    FedGraph graph;
    Philox random(2);
    const Value x = graph.feed(random_tensor({f32, {shapes.time, 4, shapes.in}}, random, -1, 1));
    const Value y = graph.feed(random_tensor({f32, {shapes.length, 4, shapes.out}}, random, -1, 1));
    const Seq2SeqResult result =
        model(store, {.x = x, .key = random_key(graph.graph, store), .teacher = teacher ? y : Value()});
    const Value loss = mean_squared_error(result.output, y);
    const Updates updates = minimize(loss, store, sgd({.learning_rate = 0.1}));
    Program program = compile(graph.graph, {loss, updates});
    const double first = static_cast<double>(program.run(graph.bindings())[0].item());
    for (int step = 0; step < 30; ++step) program.run(graph.bindings());
    CHECK(static_cast<double>(program.run(graph.bindings())[0].item()) < first);
  };
  const Shapes tests{kTime, kIn, kLength, kOut};
  for (const int depth : {1, 2, 3}) {
    CAPTURE(depth);
    SimpleSeq2Seq simple_model = simple();
    Seq2Seq full_model = full();
    AttentionSeq2Seq attentive_model = attentive();
    simple_model.depth = full_model.depth = attentive_model.depth = depth;
    train(simple_model, tests);
    train(attentive_model, tests);
    train(full_model, tests);
    full_model.peek = true;
    train(full_model, tests);
    train(full_model, tests, true);
  }
  for (const Seq2SeqDepth depth : {Seq2SeqDepth(1), Seq2SeqDepth(3), Seq2SeqDepth(4, 5)})
    train(SimpleSeq2Seq{.output_size = 8, .output_length = 8, .hidden_size = 10, .depth = depth}, {8, 5, 8, 8});
  for (const bool peek : {false, true})
    train(Seq2Seq{.output_size = 20, .output_length = 8, .hidden_size = 10, .depth = 4, .dropout = 0.1F, .peek = peek},
          {7, 5, 8, 20});
  Seq2Seq uneven{.output_size = 20, .output_length = 8, .hidden_size = 10, .depth = {2, 3}};
  uneven.inner_broadcast_state = false;
  train(uneven, {7, 5, 8, 20});
  train(AttentionSeq2Seq{.output_size = 20, .output_length = 8, .hidden_size = 10, .depth = 4, .dropout = 0.1F},
        {7, 5, 8, 20});
}

TEST_CASE("seq2seq library: dropout reaches each model, however shallow") {
  const auto differs = [](const Model& model, bool drops) {
    ParameterStore store;
    FedGraph graph;
    Philox random(3);
    const Value x = graph.feed(random_tensor({f32, {kTime, 4, kIn}}, random, -1, 1));
    const Value dropped = model(store, {.x = x, .key = random_key(graph.graph, store)}).output;
    const Value whole = model(store, {.x = x}).output;
    Program program = compile(graph.graph, {max(abs(dropped - whole))});
    CHECK((program.run(graph.bindings())[0].item() > 1e-3F) == drops);
  };
  for (const bool drops : {true, false}) {
    SimpleSeq2Seq simple_model = simple();
    Seq2Seq full_model = full();
    AttentionSeq2Seq attentive_model = attentive();
    simple_model.dropout = full_model.dropout = attentive_model.dropout = drops ? 0.7F : 0.0F;
    differs(simple_model, drops);
    differs(full_model, drops);
    differs(attentive_model, drops);
  }
}

TEST_CASE("seq2seq library: wrong sizes and inputs are told") {
  Graph graph;
  ParameterStore store;
  const Value x = graph.input("x", f32, {5, 2, 3});
  CHECK_THROWS_WITH_AS(SimpleSeq2Seq{}(store, {.x = x}), doctest::Contains("output size 0"), GraphError);
  CHECK_THROWS_WITH_AS(simple()(store, {.x = x, .teacher = x}), doctest::Contains("no use for a teacher"), GraphError);
  CHECK_THROWS_WITH_AS(full()(store, {.x = x, .teacher = x}), doctest::Contains("must be f32[3,2,4]"), GraphError);
  SimpleSeq2Seq negative = simple();
  negative.dropout = -0.1F;
  CHECK_THROWS_WITH_AS(negative(store, {.x = x}), doctest::Contains("dropout"), GraphError);
  Seq2Seq shallow = full();
  shallow.depth = {1, 0};
  CHECK_THROWS_WITH_AS(shallow(store, {.x = x}), doctest::Contains("depth of at least 1, not 1 and 0"), GraphError);
}

}  // namespace eddy::test
