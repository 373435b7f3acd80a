// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/data/encoded_pairs.h"

/// A pure function: safe to call concurrently.
namespace eddy {

/// The five stories of the four decoder modes (jacoxu/encoder_decoder): the digits "1 2 3 4 5" to "21 22 23 24 25" and
/// the same numbers in English. Both sides share 51 ids: 0 is padding, and the go of decoders that are fed tokens, the
/// words follow from 1 in string order ("1", "10", "11", ..., "2", "20", ..., "eight", "eighteen", ...). Every story
/// has 5 steps, so there is no end token.
EncodedPairs number_stories();

}  // namespace eddy
