// SPDX-License-Identifier: Apache-2.0
#include <eddy/eddy.h>

int main() {
  using namespace eddy;
  Graph graph;
  const Value x = graph.input("x", f32, {2, 3});
  Program program = compile(graph, {sum(tanh(x) * 2.0f)});
  return program.run({{"x", Tensor(f32, {2, 3})}})[0].item() == 0.0f ? 0 : 1;
}
