// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "eddy/graph/value.h"

/// Training against perturbed inputs (Miyato, Dai & Goodfellow 2017, section 3), as graph builders over any model of
/// embedded texts f32[time, batch, size] under a mask f32[time, batch]. Perturbations are numbers to the gradient that
/// trains: it flows through the perturbed model only. Masked steps are never perturbed. Thread-safe on different
/// graphs. Shapes that do not fit are a GraphError with the user's line.
namespace eddy {

/// What texts are perturbed by.
enum class Perturbation {
  none,
  random,                           ///< noise of no direction, the paper's baseline
  adversarial,                      ///< what raises the loss of the label most
  virtual_adversarial,              ///< what changes the prediction most; needs no label
  adversarial_virtual_adversarial,  ///< the sum of both losses
};

struct AdversarialConfig {
  Perturbation kind = Perturbation::none;
  float norm = 5;  ///< L2 norm of a text's perturbation, over all its steps and features
  /// Whether norms count root mean squares of the embedded elements before dropout, so that one number suits any scale
  /// of embeddings; the paper's are normalised to 1.
  bool relative = true;
  int power_iterations = 1;        ///< virtual adversarial: steps towards the direction of largest change
  float finite_difference = 0.1F;  ///< virtual adversarial: norm of the trial perturbation of a power iteration
  float weight = 1;                ///< factor of the added loss
};

/// x f32[time, batch, size] scaled so that each text has L2 norm `norm`; a text of zeros stays zero.
Value scaled_to_norm(Value x, float norm, SourceLocation where = SourceLocation::current());

/// Mean over the rows with a weight of KL(softmax(from) || softmax(to)), in nats; f32[batch, classes] both, and
/// row_weights f32[batch]. `from` is taken as given.
Value kl_divergence(Value from, Value to, Value row_weights, SourceLocation where = SourceLocation::current());

/// The direction in which `loss` rises fastest: norm * gradient / |gradient|, each text for itself (equation 5).
Value adversarial_perturbation(Value loss, Value embedded, Value mask, float norm,
                               SourceLocation where = SourceLocation::current());

/// Class scores f32[batch, classes] of embedded texts.
using ClassScores = std::function<Value(Value embedded)>;

/// The direction that changes the prediction `scores` most (equations 6 and 7): power iterations on the Hessian of the
/// divergence, from `start` f32[time, batch, size], each by the gradient at a small perturbation. Of the norm, and by
/// trials of the norm, that the config asks for; relative ones count elements of `undropped`, or `embedded` when empty.
Value virtual_adversarial_perturbation(const ClassScores& model, Value embedded, Value mask, Value scores,
                                       Value row_weights, Value start, const AdversarialConfig& config,
                                       Value undropped = {}, SourceLocation where = SourceLocation::current());

/// What the classifier is trained on beside its loss on the texts as they are.
struct ClassifierPass {
  ClassScores model;
  std::function<Value(Value scores)> loss;  ///< of scores, over the rows with a label
  Value embedded;
  Value mask;
  Value scores;          ///< of `embedded`
  Value key;             ///< see random_key
  Value undropped = {};  ///< `embedded` before dropout; empty: the same
};

/// `weight` times the loss of the perturbed texts: that of the labels for random and adversarial perturbations (rows
/// with a label), the divergence from the unperturbed prediction for virtual adversarial ones (all rows that are
/// texts).
Value adversarial_loss(const ClassifierPass& pass, const AdversarialConfig& config,
                       SourceLocation where = SourceLocation::current());

}  // namespace eddy
