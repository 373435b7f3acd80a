// SPDX-License-Identifier: Apache-2.0
// Every learning rate schedule and every optimizer: what the rates are, who finds the bottom of a narrow valley, what
// happens when progress stops, and gradients of one's own making.
#include "tour.h"

using namespace eddy;

namespace {

/// The rates at step 15 of each schedule; all begin at 0.1.
int schedules() {
  Tour tour;
  Graph graph;
  const Value step = graph.input("step", i32, {});
  const Schedule steps = step_decay(0.1, 0.5, 10);
  SHOW(Schedule(0.1).build(step), {0.1});
  SHOW(exponential_decay(0.1, 0.5, 10).build(step), {0.035355});
  SHOW(steps.build(step), {0.05});
  SHOW(linear_decay(0.1, 0.02, 20).build(step), {0.04});
  SHOW(cosine_decay(0.1, 20).build(step), {0.014645});
  SHOW(piecewise_constant({5, 12}, {0.1, 0.03, 0.01}).build(step), {0.01});
  SHOW(piecewise({10}, {0.1, linear_decay(0.1, 0, 10)}).build(step), {0.05});
  SHOW(warm_up(20, 0.1).build(step), {0.075});
  SHOW(warm_up(5, steps, 0.5).build(step), {0.05});  // `steps` counts from the end of the warm-up
  // One's own is a function from the step to the rate.
  const Schedule own([](Value t, SourceLocation) { return 0.1f * rsqrt(cast(t + 1, f32)); });
  SHOW(own.build(step), {0.025});
  return tour.wrong(graph, {{"step", Tensor::scalar(15)}});
}

/// A valley twenty times as steep on one side as on the other, with its bottom at (1, -2).
Value valley(Graph& graph, ParameterStore& store) {
  const Value at = parameter(graph, store, "at", {2}, zeros());
  const Value bottom = graph.constant(Tensor::from<float>({1, -2}, {2}));
  const Value steepness = graph.constant(Tensor::from<float>({1, 20}, {2}));
  return sum(steepness * square(at - bottom)) * 0.5f;
}

float height_after(const Optimizer& optimizer, int steps) {
  ParameterStore store;
  Graph graph;
  const Value height = valley(graph, store);
  Program step = compile(graph, {height, minimize(height, store, optimizer)});
  for (int i = 0; i < steps; ++i) step.run();
  return step.run()[0].item();
}

int optimizers() {
  const Schedule falling = cosine_decay(0.3, 200);
  const std::pair<const char*, Optimizer> all[] = {
      {"sgd", sgd({.learning_rate = 0.09})},
      {"momentum", momentum({.learning_rate = 0.02, .momentum = 0.9})},
      {"momentum, Nesterov's", momentum({.learning_rate = 0.02, .momentum = 0.9, .nesterov = true})},
      {"rmsprop", rmsprop({.learning_rate = falling})},
      {"adagrad", adagrad({.learning_rate = 0.5})},
      {"adam", adam({.learning_rate = falling})},
      {"adam, clipped", adam({.learning_rate = falling, .clip_norm = 5})},
      {"adamw", adamw({.learning_rate = falling, .weight_decay = 1e-4})},
      {"sgd, elements clipped", sgd({.learning_rate = 0.09}, {.clip_value = 10})},
  };
  int wrong = 0;
  for (const auto& one : all) {
    const float height = height_after(one.second, 200);
    fmt::print("{:<22} {:.2g} above the bottom after 200 steps, from 40.5\n", one.first, height);
    wrong += !(height < 1e-3f);
  }
  return wrong;
}

/// The rate falls when a value that is reported stops improving, in every program of the store.
int plateau() {
  ParameterStore store;
  Graph graph;
  const Value height = valley(graph, store);
  const Updates updates = minimize(height, store, sgd({.learning_rate = 0.09}));
  Program step = compile(graph, {height, updates, updates.learning_rate, updates.gradient_norm});
  ReduceOnPlateau watch(store, {.factor = 0.5, .patience = 3});
  int falls = 0;
  for (int i = 0; i < 40; ++i) {
    step.run();
    falls += watch.report(i < 10 ? 10 - i : 1);  // say, a validation loss that stays at 1 from then on
  }
  const float rate = step.run()[2].item();
  fmt::print("{} falls of the rate: {:.6f} left of 0.09\n", falls, rate);
  const float scale = learning_rate_scale(store, "optimizer")->value.item();
  return falls == 7 && std::abs(rate - 0.09f * scale) < 1e-7f ? 0 : 1;
}

/// Gradients of one's own making: only their signs, which takes equal steps on both sides of the valley.
int own_gradients() {
  ParameterStore store;
  Graph graph;
  const Value height = valley(graph, store);
  std::vector<ParameterGradient> signs;
  for (const Value& parameter : graph.parameters()) {
    const Value slope = dense_gradient(height, parameter);
    signs.push_back({parameter, where(greater(slope, 0), 1.0f, full(graph, slope.type(), -1))});
  }
  const Updates updates = apply_gradients(signs, store, sgd({.learning_rate = linear_decay(0.05, 0, 200)}));
  Program step = compile(graph, {height, updates});
  for (int i = 0; i < 200; ++i) step.run();
  const float last = step.run()[0].item();
  fmt::print("by the signs of the gradients: {:.2g} above the bottom\n", last);
  return last < 1e-3f ? 0 : 1;
}

}  // namespace

int main() {
  int wrong = schedules();
  wrong += optimizers();
  wrong += plateau();
  wrong += own_gradients();
  return wrong == 0 ? 0 : 1;
}
