// SPDX-License-Identifier: Apache-2.0
#include "tests/graph/random_graph.h"

#include "eddy/graph/builtin.h"
#include "eddy/ops/abs.h"
#include "eddy/ops/add.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/div.h"
#include "eddy/ops/log_softmax.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/max.h"
#include "eddy/ops/maximum.h"
#include "eddy/ops/mean.h"
#include "eddy/ops/minimum.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/neg.h"
#include "eddy/ops/relu.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/reverse.h"
#include "eddy/ops/scan.h"
#include "eddy/ops/shift.h"
#include "eddy/ops/sigmoid.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/softmax.h"
#include "eddy/ops/square.h"
#include "eddy/ops/stop_gradient.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/tanh.h"
#include "eddy/ops/top_k.h"
#include "eddy/ops/transpose.h"
#include "eddy/ops/where.h"
#include "tests/support/arrays.h"
#include "tests/support/probe_ops.h"

namespace eddy::test {
namespace {

// Values wider than this could overflow in a chain of products, so growing ops end in a tanh.
Value bounded(Value x) { return tanh(x); }

}  // namespace

RandomGraph::RandomGraph(std::uint64_t seed) : random_(seed, 99), store_(seed) {
  add_sources();
  const std::int64_t nodes = 5 + below(30);
  for (std::int64_t i = 0; i < nodes; ++i) add_node();
  if (chance(2)) add_backward();
  add_updates();
  choose_results();
  for (const Value& variable : variables_) first_values_.push_back(variable_of(variable)->value.clone());
}

void RandomGraph::reset_variables() {
  for (std::size_t i = 0; i < variables_.size(); ++i) variable_of(variables_[i])->value.copy_from(first_values_[i]);
}

std::vector<Tensor> RandomGraph::variable_values() const {
  std::vector<Tensor> values;
  for (const Value& variable : variables_) values.push_back(variable_of(variable)->value.clone());
  return values;
}

Value RandomGraph::pick() {
  // Late values more often, so that chains grow long.
  const auto size = static_cast<std::int64_t>(pool_.size());
  return pool_[static_cast<std::size_t>(size - 1 - std::min(below(size), below(size)))];
}

template <class Fits>
Value RandomGraph::pick_where(Fits&& fits) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    const Value value = pick();
    if (fits(value)) return value;
  }
  return {};
}

void RandomGraph::add_sources() {
  const std::vector<Shape> shapes{{4, 6}, {6}, {6, 3}, {2, 3, 4}, {4}, {}, {1, 6}, {3, 4}, {24}, {4, 1}};
  const std::int64_t inputs = 2 + below(3);
  for (std::int64_t i = 0; i < inputs; ++i) {
    const std::string name = fmt::format("x{}", i);
    const TensorType type{f32, shapes[static_cast<std::size_t>(below(static_cast<std::int64_t>(shapes.size())))]};
    keep(graph_.input(name, f32, type.shape));
    inputs_[name] = random_tensor(type, random_);
  }
  for (std::int64_t i = 0; i < 1 + below(3); ++i) {
    const Shape& shape = shapes[static_cast<std::size_t>(below(static_cast<std::int64_t>(shapes.size())))];
    variables_.push_back(parameter(graph_, store_, fmt::format("w{}", i), shape, uniform(1)));
    keep(variables_.back());
  }
  const Shape& shape = shapes[static_cast<std::size_t>(below(static_cast<std::int64_t>(shapes.size())))];
  keep(graph_.constant(random_tensor({f32, shape}, random_)));
}

void RandomGraph::add_node() {
  const Value x = pick();
  if (x.shape().elements() > 2000) return add_reduction(x);
  if (chance(12)) return add_loop(x);
  switch (below(10)) {
    case 0:
    case 1:
      return add_elementwise(x);
    case 2:
    case 3:
      return add_binary(x);
    case 4:
      return add_move(x);
    case 5:
      return add_reduction(x);
    case 6:
      return add_product(x);
    case 7:
      return add_several_outputs(x);
    case 8:
      return add_constant_part(x);
    default:
      return add_lookup(x);
  }
}

void RandomGraph::add_elementwise(Value x) {
  switch (below(9)) {
    case 0:
      return keep(tanh(x));
    case 1:
      return keep(sigmoid(x));
    case 2:
      return keep(relu(x));
    case 3:
      return keep(-x);
    case 4:
      return keep(bounded(square(x)));
    case 5:
      return keep(abs(x));
    case 6:
      return x.rank() > 0 ? keep(softmax(x, static_cast<int>(below(x.rank())))) : keep(sigmoid(x));
    case 7:
      return x.rank() > 0 ? keep(bounded(log_softmax(x))) : keep(tanh(x));
    default:
      return keep(copy_of(x));
  }
}

void RandomGraph::add_binary(Value x) {
  const Value y = pick_where([&](Value v) {
    try {
      return broadcast(x.shape(), v.shape()).elements() <= 2000;
    } catch (const GraphError&) {
      return false;
    }
  });
  if (!y) return add_elementwise(x);
  switch (below(8)) {
    case 0:
      return keep(x + y);
    case 1:
      return keep(x - y);
    case 2:
      return keep(bounded(x * y));
    case 3:
      return keep(bounded(x / (square(y) + 1)));
    case 4:
      return keep(maximum(x, y));
    case 5:
      return keep(minimum(x, y));
    case 6:
      return keep(where(less(x, y), x, bounded(x * y)));
    default:
      return x.type() == y.type() ? keep(add_n({x, y, x})) : keep(y + x);
  }
}

void RandomGraph::add_move(Value x) {
  const int rank = x.rank();
  if (rank == 0) return keep(reshape(x, {1, 1}));
  const auto axis = static_cast<int>(below(rank));
  const std::int64_t size = x.dim(axis);
  switch (below(8)) {
    case 0:
      return keep(reshape(x, {-1}));
    case 1:
      return x.shape().elements() % 4 == 0 ? keep(reshape(x, {4, -1})) : keep(flatten(x));
    case 2: {
      const std::int64_t begin = below(size);
      return keep(slice(x, axis, begin, begin + 1 + below(size - begin)));
    }
    case 3: {
      const std::int64_t begin = below(x.dim(0));  // a view
      return keep(slice(x, 0, begin));
    }
    case 4:
      return rank > 1 ? keep(transpose(x)) : keep(reverse(x));
    case 5:
      return keep(shift(x, below(5) - 2, 0.5F));
    case 6:
      return keep(reverse(x, axis));
    default:
      return keep(stop_gradient(x));
  }
}

void RandomGraph::add_reduction(Value x) {
  if (x.rank() == 0) return keep(x + 1);
  const auto axis = static_cast<int>(below(x.rank()));
  const bool keep_dims = chance(2);
  switch (below(4)) {
    case 0:
      return keep(bounded(sum(x, axis, keep_dims)));
    case 1:
      return keep(mean(x, axis, keep_dims));
    case 2:
      return keep(max(x, axis, keep_dims));
    default:
      return keep(mean(x));
  }
}

void RandomGraph::add_product(Value x) {
  if (x.rank() != 2) return add_elementwise(x);
  const Value y = pick_where([&](Value v) { return v.rank() == 2 && (v.dim(0) == x.dim(1) || v.dim(1) == x.dim(1)); });
  if (!y) return keep(bounded(matmul(x, x, {.transpose_b = true})));
  if (y.dim(0) == x.dim(1)) return keep(bounded(matmul(x, y)));
  keep(bounded(chance(2) ? matmul(x, y, {.transpose_b = true}) : matmul(x, transpose(y))));
}

void RandomGraph::add_several_outputs(Value x) {
  if (x.rank() == 0) return add_elementwise(x);
  const auto axis = static_cast<int>(below(x.rank()));
  if (x.dim(axis) % 2 == 0) {
    const std::vector<Value> parts = split(x, 2, axis);
    keep(parts[0]);
    keep(parts[1]);
    if (chance(2)) keep(concat({parts[1], tanh(parts[0]), parts[1]}, axis));
  } else if (x.dim(-1) > 1) {
    keep(top_k(x, x.dim(-1) - 1).values);
  } else {
    keep(stack({x, tanh(x)}, axis));
  }
}

void RandomGraph::add_constant_part(Value x) {
  switch (below(6)) {
    case 0:
      return keep(x * 1);
    case 1:
      return keep(x + 0);
    case 2:
      return keep(-(-x));
    case 3:
      return keep(x + tanh(graph_.constant(0.3F)) * sigmoid(graph_.constant(2.0F)));
    case 4:
      return keep(x - full(graph_, x.type(), 0.25F));
    // The same twice, for CSE.
    default:
      return keep(tanh(x) + tanh(x));
  }
}

void RandomGraph::add_lookup(Value x) {
  if (x.rank() == 0) return add_elementwise(x);
  std::vector<std::int32_t> rows(static_cast<std::size_t>(1 + below(5)));
  for (std::int32_t& row : rows) row = static_cast<std::int32_t>(below(x.dim(0) + 1)) - 1;
  keep(gather_rows(x, graph_.constant(Tensor::from(rows, {static_cast<std::int64_t>(rows.size())}))));
}

/// One node of a loop's body, on values of one type in `pool`; `outside` (may be empty) broadcasts to that type.
Value RandomGraph::body_op(std::vector<Value>& pool, const Value& outside) {
  const auto any = [&] { return pool[static_cast<std::size_t>(below(static_cast<std::int64_t>(pool.size())))]; };
  const Value a = any();
  const Value b = any();
  switch (below(8)) {
    case 0:
      return bounded(a + b);
    case 1:
      return bounded(a * b);
    case 2:
      return sigmoid(a);
    case 3:
      return maximum(a, b);
    case 4:
      return a - sigmoid(b);
    case 5:
      return outside ? bounded(a + outside) : tanh(a);
    case 6:
      return outside ? bounded(a * outside) : -a;
    default:
      // A product with itself or with a weight, which may leave the loop.
      return a.rank() == 2 && a.dim(0) == a.dim(1) ? bounded(matmul(a, b)) : bounded(square(a));
  }
}

void RandomGraph::add_loop(Value x) {
  if (x.rank() == 0 || x.dim(0) > 6) return add_move(x);
  const Shape shape = x.shape().removed(0);
  const Value outside = pick_where([&](Value v) { return broadcasts_to(v.shape(), shape); });
  const Value weight = shape.rank() == 2 ? pick_where([&](Value v) {
    return v.shape() == Shape{shape[1], shape[1]};
  })
                                         : Value();
  const std::int64_t states = 1 + below(2);
  State initial;
  for (std::int64_t i = 0; i < states; ++i) {
    const Value start = pick_where([&](Value v) { return v.shape() == shape; });
    initial.set(i == 0 ? "a" : "b", start && chance(2) ? start : full(graph_, {f32, shape}, 0.25F));
  }
  ScanOptions options{.reverse = chance(3), .truncate = chance(4) ? 1 + below(x.dim(0)) : 0, .recompute = chance(4)};
  if (shape.rank() > 0 && chance(3)) {
    const TensorType type{f32, {x.dim(0), shape[0]}};
    const Tensor mask(type);
    for (float& value : mask.values<float>()) value = chance(3) ? 0.0F : 1.0F;
    options.mask = graph_.constant(mask);
  }
  const auto step = [&](Value in, const State& before) {
    std::vector<Value> pool{in};
    for (const State::Entry& entry : before) pool.push_back(entry.second);
    if (weight) pool.push_back(bounded(matmul(in, weight)));
    for (std::int64_t i = 0; i < 2 + below(4); ++i) pool.push_back(body_op(pool, outside));
    // Every state moves on, the last one by the newest value.
    State after;
    for (const State::Entry& entry : before) after.set(entry.first, bounded(entry.second + pool.back()));
    return Step{.output = chance(4) ? Value() : body_op(pool, outside), .state = after};
  };
  const ScanResult loop = scan(step, x, initial, options);
  has_loop_ = true;
  if (loop.output) keep(loop.output);
  for (const State::Entry& entry : loop.last)
    if (chance(2)) keep(entry.second);
  if (!loop.output || chance(4)) keep(loop.states["a"]);
}

void RandomGraph::add_backward() {
  const Value last = pick();
  const Value other = pick();
  const Value loss = add_n({weighted_sum(last, graph_.constant(random_tensor(last.type(), random_))),
                            weighted_sum(other, graph_.constant(random_tensor(other.type(), random_)))});
  for (const Value& gradient : dense_gradients(loss, variables_)) keep(gradient);
}

void RandomGraph::add_updates() {
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    if (chance(3)) continue;
    const Value variable = variables_[i];
    const Value like = pick_where([&](Value v) { return v.type() == variable.type(); });
    const Value updated = assign(variable, bounded(variable * 0.75F + (like ? like : variable)));
    updates_.push_back(updated);
    if (chance(2)) keep(tanh(updated));
    if (chance(3)) updates_.push_back(assign(updated, bounded(updated + 0.125F)));
  }
}

void RandomGraph::choose_results() {
  for (std::int64_t i = 0; i < 1 + below(5); ++i) results_.push_back(pick());
  if (chance(4)) results_.push_back(results_[0]);
  if (updates_.empty()) return;
  // Updates happen because a result needs them: directly, or through after().
  if (chance(2)) {
    results_.insert(results_.end(), updates_.begin(), updates_.end());
  } else {
    results_[0] = after(copy_of(results_[0]), updates_);  // a copy, for the old value of a variable cannot outlive it
  }
}

}  // namespace eddy::test
