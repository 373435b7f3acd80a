// SPDX-License-Identifier: Apache-2.0
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>

#include "eddy/core/denormals.h"

int main(int argc, char** argv) {
  // As programs run their kernels.
  std::optional<eddy::FloatModes> modes;
  if (std::getenv("EDDY_TEST_WITHOUT_DENORMALS") != nullptr) modes.emplace(eddy::FloatModes::without_denormals());
  return doctest::Context(argc, argv).run();
}
