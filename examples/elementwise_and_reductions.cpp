// SPDX-License-Identifier: Apache-2.0
// A walk along the ops that work on numbers one by one, on pairs of them, and that make one number of many. Each line
// says what comes out.
#include "tour.h"

using namespace eddy;

int main() {
  Tour tour;
  Graph graph;
  const Value x = graph.input("x", f32, {4});
  const Value y = graph.input("y", f32, {4});
  const Value n = graph.input("n", i32, {4});
  const Value m = graph.input("m", f32, {2, 3});

  // --- arithmetic: f32 or i32; numbers and smaller shapes repeat as in NumPy ---
  SHOW(add(x, y), {0, 1.5, 3, 6});  // the same as x + y
  SHOW(sub(x, y), {-4, -2.5, -1, -2});
  SHOW(mul(x, y), {-4, -1, 2, 8});
  SHOW(div(x, y), {-1, -0.25, 0.5, 0.5});
  SHOW(neg(x), {2, 0.5, -1, -2});
  SHOW((1 - x) * 2, {6, 3, 0, -2});
  SHOW(n + n, {0, 2, 4, -2});
  SHOW(m - mean(m, 1, true), {-1, 0, 1, -1, 0, 1});
  SHOW(pow(y, 3), {8, 8, 8, 64});
  SHOW(maximum(x, 0.5), {0.5, 0.5, 1, 2});
  SHOW(minimum(x, y), {-2, -0.5, 1, 2});
  SHOW(clamp(x, -1, 1), {-1, -0.5, 1, 1});
  SHOW(clamp(n, 0, 1), {0, 1, 1, 0});
  SHOW(add_n({x, x, y}), {-2, 1, 4, 8});

  // --- functions of one number ---
  SHOW(abs(x), {2, 0.5, 1, 2});
  SHOW(abs(-n), {0, 1, 2, 1});
  SHOW(floor(x), {-2, -1, 1, 2});
  SHOW(ceil(x), {-2, 0, 1, 2});
  SHOW(round(x * 1.25), {-2, -1, 1, 2});
  SHOW(square(x), {4, 0.25, 1, 4});
  SHOW(sqrt(y), {1.414214, 1.414214, 1.414214, 2});
  SHOW(rsqrt(y), {0.707107, 0.707107, 0.707107, 0.5});
  SHOW(reciprocal(x), {-0.5, -2, 1, 0.5});
  SHOW(exp(x), {0.135335, 0.606531, 2.718282, 7.389056});
  SHOW(log(y), {0.693147, 0.693147, 0.693147, 1.386294});
  SHOW(expm1(x), {-0.864665, -0.393469, 1.718282, 6.389056});
  SHOW(log1p(y), {1.098612, 1.098612, 1.098612, 1.609438});
  SHOW(sin(x), {-0.909297, -0.479426, 0.841471, 0.909297});
  SHOW(cos(x), {-0.416147, 0.877583, 0.540302, -0.416147});
  SHOW(tanh(x), {-0.964028, -0.462117, 0.761594, 0.964028});
  SHOW(sigmoid(x), {0.119203, 0.377541, 0.731059, 0.880797});
  SHOW(hard_sigmoid(x), {0.1, 0.4, 0.7, 0.9});
  SHOW(relu(x), {0, 0, 1, 2});
  SHOW(softplus(x), {0.126928, 0.474077, 1.313262, 2.126928});
  SHOW(gelu(x), {-0.045500, -0.154269, 0.841345, 1.954500});
  SHOW(gelu(x, GeluForm::tanh), {-0.045402, -0.154286, 0.841192, 1.954598});

  // --- questions, and what to do about the answers ---
  SHOW(equal(n, 1), {0, 1, 0, 0});
  SHOW(not_equal(n, 1), {1, 0, 1, 1});
  SHOW(less(x, 1), {1, 1, 0, 0});
  SHOW(less_equal(x, 1), {1, 1, 1, 0});
  SHOW(greater(x, y), {0, 0, 0, 0});
  SHOW(greater_equal(abs(x), y), {1, 0, 0, 0});
  SHOW(logical_and(less(x, 1), greater(x, -1)), {0, 1, 0, 0});
  SHOW(logical_or(less(x, -1), greater(x, 1)), {1, 0, 0, 1});
  SHOW(logical_not(less(x, 1)), {0, 0, 1, 1});
  SHOW(where(less(x, 0), y, x), {2, 2, 1, 2});
  SHOW(cast(less(x, 1), f32), {1, 1, 0, 0});
  SHOW(cast(x, i32), {-2, 0, 1, 2});

  // --- one number of many: over all axes, one or several, which may stay with size 1 ---
  SHOW(sum(m), {21});
  SHOW(sum(m, 0), {5, 7, 9});
  SHOW(sum(m, {0, 1}, true), {21});
  SHOW(mean(m, -1), {2, 5});
  SHOW(max(m, 0), {4, 5, 6});
  SHOW(min(m, 1, true), {1, 4});
  SHOW(argmax(m), {2, 2});
  SHOW(argmin(m), {0, 0});
  SHOW(cumsum(m, 1), {1, 3, 6, 4, 9, 15});  // as many as there were: sums so far
  SHOW(cumsum(m, 1, {.reverse = true, .exclusive = true}), {5, 3, 0, 11, 6, 0});
  SHOW(sum_to(m, {1, 3}), {5, 7, 9});  // what broadcasting did, undone
  SHOW(sum_along(m, {0, 1}, {1}), {21});
  SHOW(logsumexp(m), {3.407606, 6.407606});
  SHOW(softmax(m), {0.090031, 0.244728, 0.665241, 0.090031, 0.244728, 0.665241});
  SHOW(log_softmax(m, 0), {-3.048587, -3.048587, -3.048587, -0.048587, -0.048587, -0.048587});
  SHOW(mean_squared_error(x, y), {6.8125});
  SHOW(mean_squared_error(x, y, cast(less(x, 0), f32)), {11.125});  // only where x < 0

  const Tensor numbers = Tensor::from<float>({-2, -0.5f, 1, 2}, {4});
  const Tensor others = Tensor::from<float>({2, 2, 2, 4}, {4});
  const Tensor integers = Tensor::from({0, 1, 2, -1}, {4});
  const Tensor matrix = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  return tour.wrong(graph, {{"x", numbers}, {"y", others}, {"n", integers}, {"m", matrix}}) == 0 ? 0 : 1;
}
