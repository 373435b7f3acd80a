// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>

#include "eddy/core/error.h"
#include "eddy/experiments/unknown_words.h"

namespace eddy {
namespace {

using Texts = std::vector<std::string>;

TEST_CASE("an unknown word is the source word it looked at most") {
  const Texts names{"<unk>", "<eos>", "met", "yesterday"};
  const TokenSet tokens(names, {.end = 1, .unknown = 0});
  const Texts source{"Ada", "traf", "Grace"};
  // Padding has a larger weight on purpose: it is no word. The last row is the end's.
  const std::array<float, 16> attention{0.1f, 0.2f, 0.3f, 0.9f,  //
                                        0.0f, 1.0f, 0.0f, 0.0f,  //
                                        0.4f, 0.2f, 0.4f, 0.0f,  //
                                        0.0f, 0.0f, 1.0f, 0.0f};
  const std::array<std::int32_t, 3> ids{0, 2, 0};
  CHECK(replace_unknown(ids, tokens, source, attention, 4) == Texts{"Grace", "met", "Ada"});
  CHECK(replace_unknown(ids, tokens, source, attention, 4, true) == Texts{"Ada", "met", "Ada"});
  CHECK(replace_unknown(ids, tokens, {}, attention, 4) == Texts{"<unk>", "met", "<unk>"});
  CHECK(replace_unknown(ids, tokens, {}, {}, 0) == Texts{"<unk>", "met", "<unk>"});
  CHECK_THROWS_AS(replace_unknown(ids, tokens, source, attention, 2), UsageError);
  CHECK_THROWS_AS(replace_unknown(ids, tokens, source, std::span(attention).first(11), 4), UsageError);
}

}  // namespace
}  // namespace eddy
