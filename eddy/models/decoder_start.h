// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: what a decoder begins with and which ones there cannot be, for the models and their settings.

#include <algorithm>
#include <string_view>

#include "eddy/models/sequence_to_sequence.h"

namespace eddy {

/// The encoder's layer whose final state layer `layer` of a decoder begins with: the top layers of both side by side,
/// and the encoder's top one for all above.
constexpr int handed_layer(int layer, int encoder_layers, int decoder_layers) {
  return std::min(layer + std::max(0, encoder_layers - decoder_layers), encoder_layers - 1);
}

/// Whether anything of the source reaches the decoder: not when it is fed with tokens alone and begins with zeros.
constexpr bool sees_source(const SequenceToSequenceConfig& config) {
  return config.mode != DecoderMode::feedback || config.feedback == Feedback::output || config.hand_over_state;
}
inline constexpr std::string_view kBlindDecoder =
    "a decoder in mode feedback that is fed with tokens alone and begins with zeros never sees the source; hand over "
    "the encoder's states, feed the output back, or choose another mode";

/// Whether input feeding is off or has what it needs.
constexpr bool can_feed_input(const SequenceToSequenceConfig& config) {
  return !config.input_feeding ||
         (config.mode == DecoderMode::attention && config.feedback == Feedback::token &&
          (config.energy == AttentionEnergy::additive || config.energy == AttentionEnergy::general));
}
inline constexpr std::string_view kInputFeedingNeeds =
    "input_feeding needs the attention decoder, fed with tokens, and additive or general energy";

}  // namespace eddy
