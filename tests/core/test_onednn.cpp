// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "eddy/core/barrier.h"
#include "eddy/core/error.h"
#include "eddy/core/onednn.h"
#include "eddy/core/peak.h"
#include "eddy/core/threads.h"

TEST_CASE("oneDNN's refusals name the op, the library and the instruction set") {
  eddy::GemmConfig config;
  config.m = 4;
  config.n = 5;
  config.k = 0;
  CHECK_THROWS_AS(eddy::DnnlMatmul{config}, eddy::Error);
  try {
    eddy::DnnlLstm(-1, 2, 3, 4);
    FAIL("a negative time was accepted");
  } catch (const eddy::Error& error) {
    const std::string text = error.what();
    CHECK(text.find("oneDNN lstm T=-1 B=2 E=3 H=4") != std::string::npos);
    CHECK(text.find(eddy::onednn_version()) != std::string::npos);
    CHECK(text.find(eddy::onednn_isa()) != std::string::npos);
  }
}

TEST_CASE("packing is refused where it was not planned") {
  eddy::GemmConfig config;
  config.m = config.n = config.k = 4;
  eddy::DnnlMatmul matmul(config);
  std::vector<float> b(16), packed(64);
  CHECK(matmul.packed_b_bytes() == 0);
  CHECK_THROWS_AS(matmul.pack_b(b.data(), packed.data()), eddy::Error);
}

TEST_CASE("the barrier keeps a team in step, also when threads outnumber processors") {
  constexpr int kThreads = 4, kSteps = 200;
  eddy::Barrier barrier;
  std::vector<int> counts(kThreads * 16, 0);
  bool in_step = true;
  eddy::parallel_team(kThreads, [&](int thread, int team) {
    for (int step = 1; step <= kSteps; ++step) {
      counts[static_cast<std::size_t>(thread) * 16] = step;
      barrier.wait(team);
      if (thread == 0)
        for (int other = 0; other < team; ++other)
          if (counts[static_cast<std::size_t>(other) * 16] != step) in_step = false;
      barrier.wait(team);
    }
  });
  CHECK(in_step);
}

TEST_CASE("peaks are measured") {
  CHECK(eddy::measure_fma_peak(0.0) > 1e8);
  CHECK(eddy::measure_copy_bandwidth(0.0) > 1e7);
}
