// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/adversarial.h"

#include "eddy/core/number_text.h"
#include "eddy/graph/builder_scope.h"
#include "eddy/graph/gradient.h"
#include "eddy/ops/abs.h"
#include "eddy/ops/add.h"
#include "eddy/ops/div.h"
#include "eddy/ops/log_softmax.h"
#include "eddy/ops/max.h"
#include "eddy/ops/maximum.h"
#include "eddy/ops/mean_divisor.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/random_normal.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/softmax.h"
#include "eddy/ops/sqrt.h"
#include "eddy/ops/square.h"
#include "eddy/ops/stop_gradient.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

Value gradient_as_number(Value loss, Value at) { return stop_gradient(dense_gradient(loss, at)); }

Value without_padding(Value x, Value mask) { return x * expand_dims(mask, 2); }

/// 1 for rows that are texts, f32[batch].
Value texts_of(Value mask) { return max(mask, {0}); }

void expect_texts(const BuilderScope& at, Value embedded, Value mask) {
  at.expect("embedded", embedded, f32, {"time", "batch", "size"});
  at.expect("mask", mask, f32, {embedded.dim(0), embedded.dim(1)});
}

/// A perturbation in the config's unit of norms.
Value in_unit(Value perturbation, Value undropped, Value mask, const AdversarialConfig& config) {
  if (!config.relative) return perturbation;
  const Value elements = maximum(sum(mask), 1.0F) * static_cast<float>(undropped.dim(2));
  return perturbation * stop_gradient(sqrt(sum(square(without_padding(undropped, mask))) / elements));
}

}  // namespace

Value scaled_to_norm(Value x, float norm, SourceLocation where) {
  const BuilderScope at("scaled_to_norm", "x", x, where);
  at.expect("x", x, f32, {"time", "batch", "size"});
  // By the largest element first, so that no square over- or underflows.
  const Value largest = max(abs(x), {0, 2}, /*keep_dims=*/true) + 1e-12F;
  const Value length = largest * sqrt(sum(square(x / largest), {0, 2}, /*keep_dims=*/true) + 1e-6F);
  return x / length * norm;
}

Value kl_divergence(Value from, Value to, Value row_weights, SourceLocation where) {
  const BuilderScope at("kl_divergence", "from", from, where);
  at.expect("from", from, f32, {"batch", "classes"});
  at.expect("to", to, f32, {from.dim(0), from.dim(1)});
  at.expect("row_weights", row_weights, f32, {from.dim(0)});
  const Value given = stop_gradient(from);
  const Value of_rows = sum(softmax(given) * (log_softmax(given) - log_softmax(to)), {1});
  return sum(of_rows * row_weights) / mean_divisor(sum(row_weights));
}

Value adversarial_perturbation(Value loss, Value embedded, Value mask, float norm, SourceLocation where) {
  const BuilderScope at("adversarial_perturbation", "embedded", embedded, where);
  expect_texts(at, embedded, mask);
  return scaled_to_norm(without_padding(gradient_as_number(loss, embedded), mask), norm);
}

Value virtual_adversarial_perturbation(const ClassScores& model, Value embedded, Value mask, Value scores,
                                       Value row_weights, Value start, const AdversarialConfig& config, Value undropped,
                                       SourceLocation where) {
  const BuilderScope at("virtual_adversarial_perturbation", "embedded", embedded, where);
  expect_texts(at, embedded, mask);
  at.expect("start", start, f32, {embedded.dim(0), embedded.dim(1), embedded.dim(2)});
  if (!undropped) undropped = embedded;
  expect_texts(at, undropped, mask);
  Value direction = start;
  for (int i = 0; i < config.power_iterations; ++i) {
    const Value trial =
        in_unit(scaled_to_norm(without_padding(direction, mask), config.finite_difference), undropped, mask, config);
    const Value divergence = kl_divergence(scores, model(embedded + trial), row_weights);
    direction = gradient_as_number(divergence, trial);
  }
  return in_unit(scaled_to_norm(without_padding(direction, mask), config.norm), undropped, mask, config);
}

Value adversarial_loss(const ClassifierPass& pass, const AdversarialConfig& config, SourceLocation where) {
  const BuilderScope at("adversarial_loss", "embedded", pass.embedded, where);
  expect_texts(at, pass.embedded, pass.mask);
  at.expect("scores", pass.scores, f32, {pass.embedded.dim(1), "classes"});
  at.check(config.norm >= 0 && config.power_iterations >= 1, "a perturbation of norm {} found in {} cannot be made",
           config.norm, counted(config.power_iterations, "step"));
  const NameScope scope(at.graph(), "adversarial");
  const auto& [model, loss, embedded, mask, scores, key, given_undropped] = pass;
  const Value undropped = given_undropped ? given_undropped : embedded;
  expect_texts(at, undropped, mask);
  const bool both = config.kind == Perturbation::adversarial_virtual_adversarial;
  const auto unit = [&](Value perturbation) { return in_unit(perturbation, undropped, pass.mask, config); };
  Value added;
  const auto add_loss = [&](Value more) { added = added ? added + more : more; };
  if (config.kind == Perturbation::random) {
    const Value noise = without_padding(random_normal(key, embedded.shape()), mask);
    add_loss(loss(model(embedded + unit(scaled_to_norm(noise, config.norm)))));
  }
  if (config.kind == Perturbation::adversarial || both)
    add_loss(loss(model(embedded + unit(adversarial_perturbation(loss(scores), embedded, mask, config.norm)))));
  if (config.kind == Perturbation::virtual_adversarial || both) {
    const Value texts = texts_of(mask);
    const Value perturbation = virtual_adversarial_perturbation(
        model, embedded, mask, scores, texts, random_normal(key, embedded.shape()), config, undropped);
    add_loss(kl_divergence(scores, model(embedded + perturbation), texts));
  }
  at.check(static_cast<bool>(added), "there is no perturbation to train against");
  return added * config.weight;
}

}  // namespace eddy
