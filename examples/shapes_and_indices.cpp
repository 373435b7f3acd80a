// SPDX-License-Identifier: Apache-2.0
// A walk along the ops that move numbers: other shapes, pieces and joints, and elements picked by their indices. Each
// line says what comes out.
#include "tour.h"

using namespace eddy;

int main() {
  Tour tour;
  Graph graph;
  const Value m = graph.input("m", f32, {2, 3});  // 1 2 3 / 4 5 6
  const Value v = graph.input("v", f32, {3});     // 10 20 30
  const Value i = graph.input("i", i32, {2});     // 2 0

  // --- the same elements in other shapes, and in another order ---
  SHOW(reshape(m, {3, -1}), {1, 2, 3, 4, 5, 6});
  SHOW(flatten(m), {1, 2, 3, 4, 5, 6});
  SHOW(squeeze(expand_dims(v, 0), 0), {10, 20, 30});
  SHOW(transpose(m), {1, 4, 2, 5, 3, 6});
  SHOW(transpose(expand_dims(m, 0), {2, 0, 1}), {1, 4, 2, 5, 3, 6});
  SHOW(reverse(v), {30, 20, 10});
  SHOW(shift(v, 1), {0, 10, 20});  // one step later in time
  SHOW(shift(i, -1), {0, -1});     // the next token; -1 is what losses and tables ignore
  SHOW(shift(v, -1, 9), {20, 30, 9});

  // --- pieces and joints ---
  SHOW(slice(m, 1, 1), {2, 3, 5, 6});
  SHOW(slice(v, 0, -2, -1), {20});
  SHOW(at(m, 1), {4, 5, 6});
  SHOW(split(m, 3, 1)[2], {3, 6});
  SHOW(pad(v, 0, 1, 2, -1), {-1, 10, 20, 30, -1, -1});
  SHOW(concat({m, expand_dims(v, 0)}, 0), {1, 2, 3, 4, 5, 6, 10, 20, 30});
  SHOW(stack({v, v * 2}, 1), {10, 20, 20, 40, 30, 60});

  // --- made of nothing or little ---
  SHOW(full(graph, {f32, {2}}, 7), {7, 7});
  SHOW(iota(graph, 4, 1, 2), {1, 3, 5, 7});
  SHOW(broadcast_to(v, {2, 3}), {10, 20, 30, 10, 20, 30});
  SHOW(broadcast_along(i, {2, 2}, {1}), {2, 2, 0, 0});  // along a new axis 1
  SHOW(one_hot(i, 3), {0, 0, 1, 1, 0, 0});
  SHOW(cast(one_hot(shift(i, 1), 3), i32), {0, 0, 0, 0, 0, 1});  // nothing for -1

  // --- rows of a table, by token ---
  SHOW(embedding(m, i * 0 + 1), {4, 5, 6, 4, 5, 6});
  SHOW(gather_rows(v, i), {30, 10});  // the same for any dtype and rank
  SHOW(scatter_add(v, {3}, i, full(graph, {f32, {2}}, 1)), {11, 20, 31});

  // --- elements along an axis ---
  SHOW(pick(m, i), {3, 4});  // one of each row
  SHOW(gather_along(m, expand_dims(i, 1), 1), {3, 4});
  SHOW(scatter_along(expand_dims(cast(i, f32), 1), expand_dims(i, 1), 1, 3), {0, 0, 2, 0, 0, 0});
  SHOW(top_k(m, 2).values, {3, 2, 6, 5});
  SHOW(top_k(m, 2).indices, {2, 1, 2, 1});

  // --- products ---
  SHOW(matmul(m, v), {140, 320});
  SHOW(matmul(m, m, {.transpose_b = true}), {14, 32, 32, 77});
  SHOW(linear(m, transpose(m), cast(i, f32)), {16, 32, 34, 77});
  SHOW(linear_argmax(m, m, cast(i, f32)), {1, 1});  // the class of the largest logit; sooner found in a loop
  SHOW(linear(neg(m), m, {.activation = Activation::relu, .transpose_w = true}), {0, 0, 0, 0});
  // Rows that are padding cost nothing, forwards (zeros) or in the gradient of weights.
  SHOW(masked_linear(m, transpose(m), cast(i, f32), cast(greater(i, 0), f32)), {16, 32, 0, 0});
  SHOW(masked_row_sum(m, m, cast(greater(i, 0), f32)), {1, 2, 3, 2, 4, 6, 3, 6, 9});

  const Tensor matrix = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor vector = Tensor::from<float>({10, 20, 30}, {3});
  const Tensor indices = Tensor::from({2, 0}, {2});
  return tour.wrong(graph, {{"m", matrix}, {"v", vector}, {"i", indices}}) == 0 ? 0 : 1;
}
