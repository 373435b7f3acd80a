// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

#include "eddy/graph/value.h"

namespace eddy {

// Other shapes of the same elements in the same order. All of these are views: they cost nothing at run time. Any
// dtype.

/// `x` as `sizes`, of which one may be -1 and is then computed. Throws GraphError when the element counts differ.
Value reshape(Operand x, std::span<const std::int64_t> sizes);
Value reshape(Operand x, std::initializer_list<std::int64_t> sizes);
Value reshape(Operand x, const Shape& shape);

/// What `value` is a reshape() of; itself when it is none.
Value before_reshape(Value value);

/// Axes first … last (inclusive) joined into one: by default all of them.
Value flatten(Operand x, int first = 0, int last = -1);
/// Without `axis`; throws GraphError unless its size is 1.
Value squeeze(Operand x, int axis);
/// With a new axis of size 1 that becomes axis `axis` of the result; -1 appends it.
Value expand_dims(Operand x, int axis);

/// `x` [time, …] with axes of size 1 after time, so that what follows time has `rank` axes.
Value with_rank_after_time(Value x, int rank);

}  // namespace eddy
