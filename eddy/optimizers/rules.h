// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/optimizers/optimizer.h"

namespace eddy {

// Builders of optimizers: `adam({.learning_rate = 1e-3, .clip_norm = 5}, {.lazy_rows = true})`. The formulas stand in
// update_rule.h; defaults and forms are PyTorch's unless a line says otherwise. Weight decay is L2 (added to the
// clipped gradient) except in adamw. All throw UsageError for numbers out of range. They are pure, and keep nothing.

struct SgdOptions {
  Schedule learning_rate = 0.01;
  double clip_norm = 0;
  double weight_decay = 0;
};
Optimizer sgd(const SgdOptions& rule = {}, const UpdateOptions& options = {});

struct MomentumOptions {
  Schedule learning_rate = 0.01;
  double momentum = 0.9;
  bool nesterov = false;
  double clip_norm = 0;
  double weight_decay = 0;
};
Optimizer momentum(const MomentumOptions& rule = {}, const UpdateOptions& options = {});

/// Keras's RMSprop is {.smoothing = 0.9, .epsilon = 1e-7, .epsilon_inside_sqrt = true}.
struct RmspropOptions {
  Schedule learning_rate = 0.01;
  double smoothing = 0.99;
  double epsilon = 1e-8;
  bool epsilon_inside_sqrt = false;
  bool centered = false;
  double momentum = 0;
  double clip_norm = 0;
  double weight_decay = 0;
};
Optimizer rmsprop(const RmspropOptions& rule = {}, const UpdateOptions& options = {});

struct AdagradOptions {
  Schedule learning_rate = 0.01;
  double rate_decay = 0;
  double initial_accumulator = 0;
  double epsilon = 1e-10;
  double clip_norm = 0;
  double weight_decay = 0;
};
Optimizer adagrad(const AdagradOptions& rule = {}, const UpdateOptions& options = {});

struct AdamOptions {
  Schedule learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double clip_norm = 0;
  double weight_decay = 0;
};
Optimizer adam(const AdamOptions& rule = {}, const UpdateOptions& options = {});

/// Decoupled decay: p *= 1 - rate * weight_decay.
struct AdamwOptions {
  Schedule learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double clip_norm = 0;
  double weight_decay = 0.01;
};
Optimizer adamw(const AdamwOptions& rule = {}, const UpdateOptions& options = {});

}  // namespace eddy
