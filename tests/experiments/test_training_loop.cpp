// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <filesystem>

#include "eddy/core/file.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/training_loop.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

/// Evaluations of which none is finite.
class Unmeasurable : TrainingLoop {
 public:
  explicit Unmeasurable(const RunSettings& settings) : TrainingLoop(settings, {.epochs = 2}, 0, 100) {
    store_.get("optimizer/step", {i32, {}}, constant_value(0), /*trainable=*/false);
  }
  StopReason run() { return run_loop(); }

  int outputs = 0;

 private:
  std::int64_t steps_done() const override { return steps_; }
  BatchPosition position() const override { return {.epoch = steps_ / 3, .index = steps_ % 3}; }
  const ValidationRecord& validations() const override { return record_; }
  void forget_best() override {}
  const ParameterStore& weights() const override { return store_; }
  bool chooses_best() const override { return true; }
  void open_log() override {}
  void train_step() override { store_.find("optimizer/step")->value.values<std::int32_t>()[0] = ++steps_; }
  void evaluate() override { record_.note(steps_, true, std::numeric_limits<double>::infinity()); }
  void write_output() override { ++outputs; }
  std::int64_t steps_of(const fs::path&) const override { return 0; }
  void restore_output(const fs::path&) override {}
  void write_checkpoint() override {}

  std::int64_t steps_ = 0;
  ValidationRecord record_;
  ParameterStore store_;
};

}  // namespace

TEST_CASE("a run without one finite evaluation leaves its last model, whatever was there before") {
  const TemporaryFolder folder;
  RunSettings settings;
  settings.output = folder / "model.safetensors";
  settings.checkpoint_seconds = 0;
  for (const bool there : {false, true}) {
    if (there) write_atomically(settings.output, "of another run");
    Unmeasurable loop(settings);
    CHECK(loop.run() == StopReason::epochs);
    CHECK(loop.outputs == 1);
  }
}

}  // namespace eddy
