// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <type_traits>

namespace eddy {

/// Calls `body(context)` with all num_threads() threads at hand: until it returns, run_team() gives its work to threads
/// that are already waiting, instead of forking a team each time. That costs a fraction of a fork, and where another
/// busy process shares the processors, waiting threads give way to it. Exceptions pass through. Calls may nest.
void run_resident(void (*body)(void* context), void* context);

template <class Body>
void with_resident_team(Body&& body) {
  using Callable = std::remove_reference_t<Body>;
  run_resident([](void* context) { (*static_cast<Callable*>(context))(); },
               const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace eddy
