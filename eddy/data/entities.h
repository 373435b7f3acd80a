// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of the readers.

#include <string>
#include <string_view>

namespace eddy {

/// `text` with the character entities of XML (&quot; &apos; &amp; &lt; &gt;) and numeric ones (&#233; &#xE9;) as the
/// characters they stand for, in UTF-8, each decoded once. Anything else stays as it is.
std::string decode_entities(std::string_view text);

}  // namespace eddy
