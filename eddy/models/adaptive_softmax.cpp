// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/adaptive_softmax.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/graph/builder_scope.h"
#include "eddy/ops/add.h"
#include "eddy/ops/cluster_targets.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/linear_cross_entropy.h"
#include "eddy/ops/log_softmax.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/slice.h"

namespace eddy {
namespace {

/// A softmax over one stretch.
struct Stretch {
  Value input;  ///< f32[rows, width]: hidden states, projected
  Value table;  ///< [classes, width]
  Value bias;   ///< [classes]
};

/// The head, then the tails.
std::vector<Stretch> stretches(const BuilderScope& at, ParameterStore& store, const std::string& name,
                               const AdaptiveSoftmaxConfig& config, Value hidden) {
  const std::vector<std::int64_t>& cuts = config.cutoffs;
  at.check(!cuts.empty() && cuts.front() > 0 && cuts.back() < config.vocabulary &&
               std::ranges::adjacent_find(cuts, std::greater_equal()) == cuts.end(),
           "the cutoffs of an adaptive softmax over {} must rise between 1 and {}, they are {}",
           counted(config.vocabulary, "word"), config.vocabulary - 1, fmt::join(cuts, ", "));
  at.check(config.divisor >= 1, "the divisor of an adaptive softmax must be positive, it is {}", config.divisor);
  at.expect("hidden", hidden, f32, {"rows", "hidden_size"});
  Graph& graph = at.graph();
  const auto stretch = [&](const std::string& part, Value input, std::int64_t classes) {
    const float limit = 1.0F / std::sqrt(static_cast<float>(input.dim(1)));
    return Stretch{.input = input,
                   .table = parameter(graph, store, part + "/table", {classes, input.dim(1)}, uniform(limit)),
                   .bias = parameter(graph, store, part + "/bias", {classes}, zeros())};
  };
  const auto tails = static_cast<std::int64_t>(cuts.size());
  std::vector<Stretch> result{stretch(name + "/head", hidden, cuts.front() + tails)};
  std::int64_t width = hidden.dim(1);
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    const std::string part = fmt::format("{}/tail{}", name, i);
    const std::int64_t end = i + 1 < cuts.size() ? cuts[i + 1] : config.vocabulary;
    width = std::max<std::int64_t>(1, width / config.divisor);
    const Value projection = parameter(graph, store, part + "/projection", {hidden.dim(1), width}, glorot_uniform());
    result.push_back(stretch(part, matmul(hidden, projection), end - cuts[i]));
  }
  return result;
}

}  // namespace

Value adaptive_softmax_loss(ParameterStore& store, const std::string& name, const AdaptiveSoftmaxConfig& config,
                            Value hidden, Value targets, Value weights, SourceLocation where) {
  const BuilderScope at("adaptive_softmax_loss", "hidden", hidden, where);
  const std::vector<Stretch> parts = stretches(at, store, name, config, hidden);
  at.expect("targets", targets, i32, {hidden.dim(0)});
  at.expect("weights", weights, f32, {hidden.dim(0)});
  std::vector<std::int64_t> cutoffs = config.cutoffs;
  cutoffs.push_back(config.vocabulary);
  const std::vector<Value> of_part = cluster_targets(targets, cutoffs);
  // Shares rather than a mean at the end: the gradients need no scaling.
  const Value shares = shares_of_mean(targets, weights);
  Value loss;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Value part = linear_cross_entropy(parts[i].input, parts[i].table, parts[i].bias, of_part[i], shares);
    loss = loss ? loss + part : part;
  }
  return loss;
}

Value adaptive_log_probabilities(ParameterStore& store, const std::string& name, const AdaptiveSoftmaxConfig& config,
                                 Value hidden, SourceLocation where) {
  const BuilderScope at("adaptive_log_probabilities", "hidden", hidden, where);
  const std::vector<Stretch> parts = stretches(at, store, name, config, hidden);
  std::vector<Value> columns;
  Value head;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Value scores = log_softmax(linear(parts[i].input, parts[i].table, parts[i].bias, {.transpose_w = true}), 1);
    if (i == 0) head = scores;
    const std::int64_t first = config.cutoffs.front() + static_cast<std::int64_t>(i) - 1;
    columns.push_back(i == 0 ? slice(head, 1, 0, config.cutoffs.front()) : scores + slice(head, 1, first, first + 1));
  }
  return concat(columns, 1);
}

}  // namespace eddy
