// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: what a classifier sees of a text, and what is trained to see it.

#include "eddy/models/text_model.h"

namespace eddy {

/// What is dropped of a batch of texts between encoder and classes, as factors. Drawn once, so that a perturbed text
/// differs from the text in the perturbation alone.
struct FeatureDropouts {
  Value outputs, reverse_outputs;  ///< f32[time, batch, hidden], or [batch, hidden] of final states; empty: none
  Value features;                  ///< f32[batch, features]
};

/// For embedded tokens f32[time, batch, …]; nothing in Mode::infer.
FeatureDropouts draw_feature_dropouts(ParameterStore& store, const TextModelConfig& config, Value embedded, Mode mode);

/// The relu layer before the classes, if the config has one: "classifier/hidden/{w,b}" over f32[..., features].
Value hidden_features(ParameterStore& store, const TextModelConfig& config, Value features);

/// f32[batch, features]: the states of the encoder pooled as the config says, those of both directions side by side,
/// then the relu layer. `encoded` is without output dropout, which is among the `dropouts`.
Value text_features(ParameterStore& store, const TextModelConfig& config, const EncodedText& encoded, Value mask,
                    const FeatureDropouts& dropouts);

/// Of a pooled autoencoder, f32[time, batch, hidden]: the encoder's state before each step (zero before the first), and
/// a linear function of the features of the whole text: "context/w" [features, hidden], "context/b" [hidden].
Value states_before(ParameterStore& store, const TextModelConfig& config, Value embedded, Value mask, Mode mode);

}  // namespace eddy
