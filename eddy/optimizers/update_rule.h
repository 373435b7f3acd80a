// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace eddy {

/// The numbers of one update rule: a plain value, made by the builders in rules.h. With gradient g (clipped), parameter
/// p, rate r and step t = 1, 2, …; all arrays elementwise. L2 weight decay first makes g += weight_decay * p, except in
/// adamw, which shrinks p *= 1 - r * weight_decay instead. Sources: momentum Polyak 1964, nesterov Sutskever
/// et al. 2013 (section 2, with the momentum applied a step ahead), rmsprop Tieleman & Hinton 2012 (lecture 6.5),
/// centered Graves 2013 (equations 38 to 45), adagrad Duchi et al. 2011.
struct UpdateRule {
  enum class Kind : std::uint8_t {
    sgd,       ///< p -= r g
    momentum,  ///< b = momentum b + g; p -= r b, or with nesterov p -= r (g + momentum b)
    rmsprop,   ///< a = beta2 a + (1 - beta2) g²; p -= r g / (sqrt(a) + epsilon); with its variants below
    adagrad,   ///< a += g²; p -= r / (1 + (t - 1) rate_decay) g / (sqrt(a) + epsilon)
    adam,      ///< Kingma & Ba 2015, algorithm 1, with both bias corrections
    adamw,     ///< the same with decoupled weight decay, Loshchilov & Hutter 2019, algorithm 2
  };
  static constexpr int kMaxSlots = 3;

  Kind kind = Kind::sgd;
  bool nesterov = false;
  bool centered = false;             ///< rmsprop: subtracts the squared mean of the gradient from a
  bool epsilon_inside_sqrt = false;  ///< rmsprop: sqrt(a + epsilon), as Keras and TensorFlow have it
  double momentum = 0;               ///< momentum, and rmsprop when not 0
  double beta1 = 0;
  double beta2 = 0;
  double epsilon = 0;
  double rate_decay = 0;
  double initial_accumulator = 0;
  double weight_decay = 0;

  /// Names of the slots, arrays shaped like the parameter: "adam_m", "adam_v".
  struct SlotNames {
    std::array<std::string_view, kMaxSlots> names;
    int count = 0;
  };
  SlotNames slots() const;
  /// Whether a gradient of zero changes neither parameter nor slots, so that rows without a gradient may be left alone.
  bool rests_at_zero_gradient() const;
};

/// "adam"
std::string_view to_string(UpdateRule::Kind kind);

}  // namespace eddy
