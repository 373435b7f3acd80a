// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "eddy/core/random.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "eddy/ops/add.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"
#include "eddy/optimizers/caught_up_rows.h"
#include "eddy/optimizers/minimize.h"
#include "eddy/optimizers/moving_average.h"
#include "eddy/optimizers/row_catch_up.h"
#include "eddy/optimizers/rules.h"
#include "tests/support/largest.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kRows = 601, kTokens = 12;

double rate_of(std::int64_t t) { return 0.01 * (1 + 0.5 * std::sin(0.1 * static_cast<double>(t))); }

/// Adam's steps done - gap + 1, …, done without gradient, one after the other.
void replay(const UpdateRule& rule, std::int64_t gap, std::int64_t done, double& p, double& m, double& v) {
  for (std::int64_t t = done - gap + 1; t <= done; ++t) {
    m *= rule.beta1;
    v *= rule.beta2;
    const double rate = static_cast<double>(static_cast<float>(rate_of(t)));
    const double m_hat = m / (1 - std::pow(rule.beta1, t)), v_hat = v / (1 - std::pow(rule.beta2, t));
    if (rule.kind == UpdateRule::Kind::adamw) p *= 1 - rate * rule.weight_decay;
    p -= rate * m_hat / (std::sqrt(v_hat) + rule.epsilon);
  }
}

TEST_CASE("catching up does what the steps would have done one by one") {
  const UpdateRule rules[] = {
      adam({}).rule,
      adam({.beta1 = 0.5, .beta2 = 0.9}).rule,
      adam({.beta1 = 0.95, .beta2 = 0.9, .epsilon = 0.1}).rule,
      adam({.beta1 = 0, .beta2 = 0.99}).rule,
      adamw({.weight_decay = 0.3}).rule,
  };
  constexpr std::int64_t kWidth = 37;  // whole vectors and a rest
  Philox random(7);
  for (const UpdateRule& rule : rules)
    for (const std::int64_t gap : {1, 2, 5, 17, 100, 256})
      for (const std::int64_t done : {gap, gap + 3, std::int64_t{700}, std::int64_t{100000}}) {
        CAPTURE(rule.beta1);
        CAPTURE(gap);
        CAPTURE(done);
        std::vector<float> rates(RowCatchUp::kWindow);
        for (std::int64_t t = std::max<std::int64_t>(1, done - RowCatchUp::kWindow + 1); t <= done; ++t)
          rates[static_cast<std::size_t>(t % RowCatchUp::kWindow)] = static_cast<float>(rate_of(t));
        std::vector<float> p(kWidth), m(kWidth), v(kWidth), q(kWidth);
        for (std::size_t i = 0; i < p.size(); ++i) {
          p[i] = uniform_float(random, -1, 1);
          m[i] = uniform_float(random, -1, 1);
          // Squares far above and far below epsilon.
          v[i] = std::pow(10.0F, uniform_float(random, -12, 1)) + m[i] * m[i] * (i % 2 == 0 ? 1.0F : 0.0F);
        }
        v[3] = m[3] = 0;
        RowCatchUp catch_up(rule, rates.data(), done);
        catch_up.prepare(gap);
        const std::vector<float> before_p = p, before_m = m, before_v = v;
        catch_up.apply(gap, {p.data(), m.data(), v.data(), q.data(), nullptr, nullptr}, kWidth);
        CHECK(p == before_p);
        catch_up.apply(gap, {p.data(), m.data(), v.data(), p.data(), m.data(), v.data()}, kWidth);
        CHECK(p == q);
        for (std::size_t i = 0; i < p.size(); ++i) {
          double want_p = static_cast<double>(before_p[i]), want_m = static_cast<double>(before_m[i]),
                 want_v = static_cast<double>(before_v[i]);
          replay(rule, gap, done, want_p, want_m, want_v);
          const double moved = std::abs(want_p - static_cast<double>(before_p[i]));
          // Updates in f32 round at each of the steps; so may their sum.
          CHECK(std::abs(static_cast<double>(p[i]) - want_p) <= 4e-6 * moved + 2e-7 * std::max(1.0, std::abs(want_p)));
          CHECK(static_cast<double>(m[i]) == doctest::Approx(want_m).epsilon(1e-6));
          CHECK(static_cast<double>(v[i]) == doctest::Approx(want_v).epsilon(1e-6));
        }
      }
}

/// Rows of a table pulled to numbers of their own, with a weight all rows share and, when asked, a term of all rows.
struct Model {
  Graph graph;
  Value table, loss, whole;

  explicit Model(ParameterStore& store, bool read_all = false)
      : table(parameter(graph, store, "table", {kRows, 9}, uniform(1))) {
    const Value scale = parameter(graph, store, "scale", {9}, constant_value(0.5F));
    const Value target = graph.input("target", f32, {kTokens, 9});
    const Value first = gather_rows(table, graph.input("tokens", i32, {kTokens})) * scale - target;
    const Value second = gather_rows(table, graph.input("others", i32, {kTokens})) - target;
    loss = sum(first * first) + sum(second * second);
    // Not part of the loss, so that the gradient stays row-sparse.
    if (read_all) whole = sum(table);
  }
};

/// Few rows often, most rarely, some never for long.
std::vector<Binding> batch_of(int step) {
  Philox random(static_cast<std::uint64_t>(step + 1));
  const auto tokens = [&] {
    std::vector<std::int32_t> ids;
    for (std::int64_t i = 0; i < kTokens; ++i) {
      const bool rare = uniform_index(random, 3) == 0;
      ids.push_back(static_cast<std::int32_t>(uniform_index(random, rare ? kRows : 5)));
    }
    ids[2] = -1;
    return Tensor::from(ids, {kTokens});
  };
  const Tensor target(f32, {kTokens, 9});
  for (float& value : target.values<float>()) value = uniform_float(random, -1, 1);
  return {{"tokens", tokens()}, {"others", tokens()}, {"target", target}};
}

double distance(const Tensor& a, const Tensor& b) {
  return largest_difference(a.values<const float>(), b.values<const float>());
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

TEST_CASE("rows caught up later train as dense updates do") {
  const Schedule rate = warm_up(20, cosine_decay(0.02, 700, 0.001));
  const auto optimizers = [&](bool catch_up) {
    const UpdateOptions options{.rate_multipliers = {{"table", 0.7}}, .catch_up_rows = catch_up};
    return std::vector<Optimizer>{adam({.learning_rate = rate, .clip_norm = 3}, options),
                                  adam({.learning_rate = rate, .beta1 = 0.5, .epsilon = 0.01}, options),
                                  adamw({.learning_rate = rate, .weight_decay = 0.2}, options)};
  };
  for (std::size_t which = 0; which < 3; ++which) {
    CAPTURE(which);
    ParameterStore dense_store(3), store(3);
    Model dense_model(dense_store), model(store);
    const Optimizer optimizer = optimizers(true)[which];
    Program dense = compile(dense_model.graph,
                            {dense_model.loss, minimize(dense_model.loss, dense_store, optimizers(false)[which])});
    Program program = compile(model.graph, {model.loss, minimize(model.loss, store, optimizer)});
    for (int step = 0; step < 600; ++step) {
      const double want = static_cast<double>(dense.run(batch_of(step))[0].item());
      CHECK(static_cast<double>(program.run(batch_of(step))[0].item()) == doctest::Approx(want).epsilon(2e-5));
    }
    const Tensor got = store.find("table")->value, want = dense_store.find("table")->value;
    const Tensor raw = got.clone();
    CHECK(distance(got, want) > 1e-4);  // some rows are behind
    {
      const CurrentRows current(store, optimizer);
      CHECK(distance(got, want) < 2e-5);
    }
    CHECK(same_bits(got, raw));
    bring_rows_up_to_date(store, optimizer);
    CHECK(distance(got, want) < 2e-5);
    for (const char* slot : {"optimizer/adam_m/table", "optimizer/adam_v/table"})
      CHECK(distance(store.find(slot)->value, dense_store.find(slot)->value) < 2e-5);
    const double loss = static_cast<double>(dense.run(batch_of(600))[0].item());
    CHECK(static_cast<double>(program.run(batch_of(600))[0].item()) == doctest::Approx(loss).epsilon(2e-5));
  }
}

TEST_CASE("whatever else reads the table in a program that trains sees it up to date") {
  const Optimizer optimizer = adam({.learning_rate = 0.02}, {.catch_up_rows = true});
  for (const bool passes : {true, false}) {
    ParameterStore copy(3);
    Model other(copy, true);
    Program program = compile(other.graph, {other.whole, other.table, minimize(other.loss, copy, optimizer)},
                              {.passes = {passes, passes, passes, passes, passes, passes}});
    ParameterStore again(3);
    Model plain(again, true);
    Program reference =
        compile(plain.graph, {plain.whole, plain.table, minimize(plain.loss, again, adam({.learning_rate = 0.02}))});
    for (int step = 0; step < 50; ++step) {
      const auto want = reference.run(batch_of(step));
      const auto got = program.run(batch_of(step));
      CHECK(static_cast<double>(got[0].item()) == doctest::Approx(static_cast<double>(want[0].item())).epsilon(1e-4));
      CHECK(distance(got[1], want[1]) < 1e-5);
    }
  }
}

TEST_CASE("a run with rows left behind resumes bit for bit, whatever was looked at meanwhile") {
  const Optimizer optimizer = adam({.learning_rate = 0.02, .clip_norm = 2}, {.catch_up_rows = true});
  ParameterStore straight(3), resumed(99);
  Model model(straight);
  Program program = compile(model.graph, {model.loss, minimize(model.loss, straight, optimizer)});
  for (int step = 0; step < 30; ++step) program.run(batch_of(step));
  { const CurrentRows look(straight, optimizer); }
  for (const std::shared_ptr<Variable>& variable : straight.all())
    resumed.get(variable->name, variable->value.type(), zeros(), variable->trainable)->value.copy_from(variable->value);
  for (int step = 30; step < 300; ++step) program.run(batch_of(step));
  Model again(resumed);
  Program rest = compile(again.graph, {again.loss, minimize(again.loss, resumed, optimizer)});
  for (int step = 30; step < 300; ++step) rest.run(batch_of(step));
  REQUIRE(straight.all().size() == resumed.all().size());
  for (const std::shared_ptr<Variable>& variable : straight.all()) {
    CAPTURE(variable->name);
    CHECK(same_bits(resumed.find(variable->name)->value, variable->value));
  }
}

TEST_CASE("rows can be left behind from any step on") {
  ParameterStore dense_store(3), store(3);
  Model dense_model(dense_store), first(store), second(store);
  const Optimizer optimizer = adam({.learning_rate = 0.02}, {.catch_up_rows = true});
  Program dense = compile(dense_model.graph,
                          {dense_model.loss, minimize(dense_model.loss, dense_store, adam({.learning_rate = 0.02}))});
  Program before = compile(first.graph, {first.loss, minimize(first.loss, store, adam({.learning_rate = 0.02}))});
  for (int step = 0; step < 40; ++step) {
    dense.run(batch_of(step));
    before.run(batch_of(step));
  }
  Program program = compile(second.graph, {second.loss, minimize(second.loss, store, optimizer)});
  for (int step = 40; step < 80; ++step) {
    dense.run(batch_of(step));
    program.run(batch_of(step));
  }
  const CurrentRows current(store, optimizer);
  CHECK(distance(store.find("table")->value, dense_store.find("table")->value) < 1e-5);
}

TEST_CASE("what an update makes of a table that is behind cannot be read") {
  for (const bool catch_up : {true, false}) {
    ParameterStore store(3);
    Model model(store);
    const Updates updates = minimize(model.loss, store, adam({.learning_rate = 0.02}, {.catch_up_rows = catch_up}));
    for (const Updates::Parameter& parameter : updates.parameters) {
      CHECK_NOTHROW(compile(model.graph, {updates.step, parameter.before}));
      if (!catch_up || variable_of(parameter.before)->name != "table") {
        CHECK_NOTHROW(compile(model.graph, {updates.step, sum(parameter.after)}));
        continue;
      }
      CHECK_THROWS_WITH_AS(compile(model.graph, {updates.step, sum(parameter.after)}),
                           doctest::Contains("[sum] reads what an update makes of"), GraphError);
      CHECK_THROWS_WITH_AS(compile(model.graph, {updates.step, parameter.after}),
                           doctest::Contains("a result is what an update makes of"), GraphError);
    }
  }
}

TEST_CASE("a step without finite gradients leaves everything but its counter") {
  const Optimizer optimizer = adam({.learning_rate = 0.02}, {.catch_up_rows = true});
  ParameterStore store(3);
  Model model(store);
  Program program = compile(model.graph, {model.loss, minimize(model.loss, store, optimizer)});
  for (int step = 0; step < 10; ++step) program.run(batch_of(step));
  std::map<std::string, Tensor> before;
  for (const std::shared_ptr<Variable>& variable : store.all()) before[variable->name] = variable->value.clone();
  std::vector<Binding> bad = batch_of(11);
  bad[2].tensor.values<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  program.run(bad);
  for (const std::shared_ptr<Variable>& variable : store.all()) {
    CAPTURE(variable->name);
    CHECK(same_bits(before[variable->name], variable->value) == (variable->name != "optimizer/skipped_steps"));
  }
}

TEST_CASE("a program that shares the steps of a table but does not update it so is refused") {
  const Optimizer optimizer = adam({.learning_rate = 0.02}, {.catch_up_rows = true});
  ParameterStore store(3);
  Model model(store);
  Program program = compile(model.graph, {model.loss, minimize(model.loss, store, optimizer)});
  const auto frozen = [&](const Optimizer& other) {
    Optimizer without = other;
    without.options.rate_multipliers = {{"table", 0}};
    Model again(store);
    minimize(again.loss, store, without);
  };
  const auto dense = [&] {
    Model again(store, true);
    minimize(again.loss + again.whole, store, optimizer);
  };
  const std::size_t variables = store.all().size();
  CHECK_THROWS_WITH_AS(frozen(optimizer), doctest::Contains("rows of 'table' are left behind"), GraphError);
  CHECK_THROWS_WITH_AS(dense(), doctest::Contains("rows of 'table' are left behind"), GraphError);
  CHECK(store.all().size() == variables);
  Optimizer of_its_own = optimizer;
  of_its_own.options.name = "other";
  frozen(of_its_own);
  // Updates of all rows: not while some are behind.
  const Optimizer plain = adam({.learning_rate = 0.02});
  program.run(batch_of(0));
  CHECK_THROWS_WITH_AS(frozen(plain), doctest::Contains("call bring_rows_up_to_date"), GraphError);
  bring_rows_up_to_date(store, optimizer);
  frozen(plain);
  Model again(store);
  minimize(again.loss, store, optimizer);
}

TEST_CASE("steps of a program without catch_up_rows, built before, are noticed however many they are") {
  const Optimizer optimizer = adam({.learning_rate = 0.02}, {.catch_up_rows = true});
  for (const int before : {0, 5}) {
    for (const int between : {1, 2, 254, 255, 256, 257, 600}) {
      CAPTURE(before);
      CAPTURE(between);
      ParameterStore store(3);
      Model dense(store), sparse(store);
      Program plain = compile(dense.graph, {minimize(dense.loss, store, adam({.learning_rate = 0.02}))});
      Program program = compile(sparse.graph, {minimize(sparse.loss, store, optimizer)});
      for (int step = 0; step < before; ++step) program.run(batch_of(step));
      for (int step = 0; step < between; ++step) plain.run(batch_of(step));
      CHECK_THROWS_WITH_AS(program.run(batch_of(0)), doctest::Contains("a program that does not update it so"),
                           GraphError);
      CHECK_THROWS_WITH_AS(bring_rows_up_to_date(store, optimizer), doctest::Contains("some steps since"), GraphError);
    }
  }
}

/// Rows 0 and 1, or others, of two tables pulled to 1.
struct TwoTables {
  ParameterStore store{3};

  Program program(const Optimizer& optimizer, bool both) {
    Graph graph;
    const Value tokens = graph.input("tokens", i32, {2});
    const auto pulled = [&](const char* name) {
      return sum(square(gather_rows(parameter(graph, store, name, {8, 2}, uniform(1)), tokens) - 1));
    };
    const Value loss = both ? pulled("a") + pulled("b") : pulled("a");
    return compile(graph, {loss, minimize(loss, store, optimizer)});
  }
  static float run(Program& program, std::int32_t row) {
    return program.run({{"tokens", Tensor::from<std::int32_t>({row, row + 1}, {2})}})[0].item();
  }
  std::vector<float> values(const char* name) const {
    const std::span<const float> values = store.find(name)->value.values<const float>();
    return {values.begin(), values.end()};
  }
};

TEST_CASE("steps of a program that leaves a table out, built before, are noticed") {
  const Optimizer optimizer = adam({.learning_rate = 0.05}, {.catch_up_rows = true, .allow_unused = true});
  for (const int between : {1, 20, 255, 300}) {
    CAPTURE(between);
    TwoTables tables;
    Program one = tables.program(optimizer, false), both = tables.program(optimizer, true);
    for (int step = 0; step < 3; ++step) TwoTables::run(both, 0);
    for (int step = 0; step < between; ++step) TwoTables::run(one, 0);
    CHECK_THROWS_WITH_AS(TwoTables::run(both, 0), doctest::Contains("some steps since were not noted"), GraphError);
  }
}

TEST_CASE("steps at another multiplier of the rate move rows that were left behind by that multiplier") {
  const auto train = [](TwoTables& tables, bool catch_up) {
    Optimizer slow = adam({.learning_rate = 0.05}, {.rate_multipliers = {{"b", 0.1}}, .catch_up_rows = catch_up});
    const Optimizer fast = adam({.learning_rate = 0.05}, {.catch_up_rows = catch_up});
    Program first = tables.program(slow, true), second = tables.program(fast, true);
    for (int step = 0; step < 3; ++step) TwoTables::run(second, 0);
    for (int step = 0; step < 20; ++step) TwoTables::run(first, 4);
    TwoTables::run(second, 0);
    if (catch_up) bring_rows_up_to_date(tables.store, fast);
  };
  TwoTables dense, behind;
  train(dense, false);
  train(behind, true);
  for (const char* name : {"a", "b"}) {
    const std::vector<float> want = dense.values(name), got = behind.values(name);
    for (std::size_t i = 0; i < want.size(); ++i) CHECK(got[i] == doctest::Approx(want[i]).epsilon(1e-5));
  }
}

TEST_CASE("programs that leave rows behind pass the check for finite numbers") {
  const Optimizer optimizer = adam({}, {.catch_up_rows = true});
  ParameterStore store(3);
  Model model(store);
  const Value step = minimize(model.loss, store, optimizer);
  Program program = compile(model.graph, {model.loss, step}, {.check_finite = true});
  for (int i = 0; i < 3; ++i) CHECK(std::isfinite(program.run(batch_of(i))[0].item()));
}

TEST_CASE("rows that a checkpoint of before tables had rates of their own leaves behind are caught up") {
  const Optimizer optimizer = adam({.learning_rate = 0.05}, {.rate_multipliers = {{"b", 0.5}}, .catch_up_rows = true});
  TwoTables now;
  Program program = now.program(optimizer, true);
  TwoTables::run(program, 0);
  for (int step = 0; step < 10; ++step) TwoTables::run(program, 4);
  TwoTables before;
  for (const std::shared_ptr<Variable>& variable : now.store.all()) {
    const std::string& name = variable->name;
    if (name == "optimizer/learning_rates/b") continue;
    const std::string there = name == "optimizer/learning_rates/a" ? "optimizer/learning_rates" : name;
    const auto copy = before.store.get(there, variable->value.type(), zeros(), variable->trainable);
    copy->value.copy_from(variable->value);
    if (there == "optimizer/learning_rates") copy->value.values<float>()[12] = std::nanf("");
  }
  Program resumed = before.program(optimizer, true);
  for (Program* one : {&program, &resumed}) TwoTables::run(*one, 0);
  CHECK(before.values("a") == now.values("a"));
  CHECK(before.values("b") == now.values("b"));
}

TEST_CASE("rows are brought up to date once, however many look at them") {
  const Optimizer optimizer = adam({.learning_rate = 0.05}, {.catch_up_rows = true});
  TwoTables tables;
  Program program = tables.program(optimizer, true);
  TwoTables::run(program, 0);
  for (int step = 0; step < 10; ++step) TwoTables::run(program, 4);
  const std::vector<float> before = tables.values("a");
  {
    const CurrentRows outer(tables.store, optimizer);
    const std::vector<float> current = tables.values("a");
    CHECK(current != before);
    {
      const CurrentRows inner(tables.store, optimizer);
      CHECK(tables.values("a") == current);
    }
    CHECK(tables.values("a") == current);
  }
  CHECK(tables.values("a") == before);
}

TEST_CASE("moving averages and rows left behind are refused together") {
  ParameterStore store(3);
  Model model(store);
  const Updates updates = minimize(model.loss, store, adam({}, {.catch_up_rows = true}));
  CHECK_THROWS_WITH_AS(exponential_moving_average(updates, store, 0.9), doctest::Contains("catch_up_rows"), GraphError);
}

TEST_CASE("rules that cannot catch up update all rows as ever") {
  for (const Optimizer& optimizer :
       {adam({.weight_decay = 0.1}, {.catch_up_rows = true}), momentum({}, {.catch_up_rows = true})}) {
    ParameterStore store(3);
    Model model(store);
    compile(model.graph, {minimize(model.loss, store, optimizer)});
    CHECK(store.find("optimizer/row_step/table") == nullptr);
  }
}

}  // namespace
}  // namespace eddy::test
