// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/run_training.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "eddy/core/clock.h"
#include "eddy/core/error.h"
#include "eddy/core/interrupt.h"
#include "eddy/core/number_text.h"
#include "eddy/experiments/run_records.h"
#include "eddy/experiments/text_trainer_optimizer.h"
#include "eddy/experiments/training_loop.h"

namespace eddy {
namespace {

/// Steps in a row without an update after which training has failed for good.
constexpr int kMostSkipped = 100;

class Run : TrainingLoop {
 public:
  Run(TextTrainer& trainer, const EncodedCorpus& corpus, const std::vector<std::int32_t>& validation, ModelFile model,
      const RunSettings& settings)
      : TrainingLoop(settings, course_of(trainer.config(), trainer.config().evaluation_interval),
                     model.progress.seconds, kMostSkipped),
        trainer_(trainer),
        corpus_(corpus),
        validation_(validation),
        model_(std::move(model)),
        settings_(settings),
        progress_line_(progress_options(settings.label.empty() ? std::string(to_string(config().task)) : settings.label,
                                        model_.progress.steps, trainer.batches_per_epoch())) {
    trainer_.evaluator().show_progress(inner_progress("validation", settings.progress));
  }

  RunOutcome run() {
    RunOutcome outcome;
    warn_of_frozen_layers();
    warn_of_warm_up(config().optimizer.schedule.warm_up_steps, trainer_.batches_per_epoch());
    outcome.reason = run_loop();
    progress_line_.finish();
    outcome.progress = progress();
    outcome.progress.seconds = seconds();  // of the last validation too
    if (const ValidationRecord& best = validations(); best.has_best) {
      outcome.best = Evaluation{.loss = best.best_loss, .error_rate = best.best_error};
      outcome.best_step = best.best_step;
    }
    outcome.tokens_per_second = progress_line_.rate();
    return outcome;
  }

 private:
  /// Settings of gradual unfreezing that never come to the lowest layers may be meant, but hardly are.
  void warn_of_frozen_layers() const {
    if (config().unfreeze_epochs == 0 || config().epochs == 0 || settings_.progress == ProgressStyle::quiet) return;
    const auto all = static_cast<std::int64_t>(layer_groups(config().model).size());
    const std::int64_t learn = unfrozen_groups(config(), config().epochs - 1);
    if (learn < all)
      fmt::print(stderr, "unfreeze_epochs is {}: in {} only the upper {} of {} groups of layers learn\n",
                 config().unfreeze_epochs, counted(config().epochs, "epoch"), learn, all);
  }

  RunProgress& progress() { return model_.progress; }
  const TrainingConfig& config() const { return trainer_.config(); }
  std::int64_t steps_done() const override { return model_.progress.steps; }
  bool chooses_best() const override { return !validation_.empty(); }
  BatchPosition position() const override { return trainer_.position(); }
  const ValidationRecord& validations() const override { return model_.progress.validation; }
  void forget_best() override { progress().validation.has_best = false; }
  const ParameterStore& weights() const override { return trainer_.store(); }

  void open_log() override {
    const RunProgress& now = model_.progress;
    records_.emplace(settings_, now.steps, now.window, now.validation.evaluated_step);
  }

  void train_step() override {
    const StepResult step = trainer_.step();
    check_gradients(step, progress().steps + 1, config().optimizer.learning_rate);
    ++progress().steps;
    progress().tokens += step.tokens;
    progress().window.add(step);
    progress_line_.step(step.loss, static_cast<double>(step.tokens));
    if (settings_.log_steps > 0 && progress().steps % settings_.log_steps == 0) write_log();
  }

  bool better(const Evaluation& now) const {
    const ValidationRecord& best = validations();
    if (!best.has_best) return true;
    if (!is_classification(config().task)) return now.loss < best.best_loss;
    if (now.error_rate != best.best_error) return now.error_rate < best.best_error;
    if (settings_.of_equals_the_later) return true;
    return now.loss < best.best_loss;
  }

  void evaluate() override {
    if (validation_.empty()) return save_output();
    const Evaluation now = trainer_.evaluate(corpus_, validation_);
    const bool improved = progress().validation.note(progress().steps, better(now), now.loss, now.error_rate);
    if (improved) save_output();
    trainer_.report_validation(now.loss);
    report(now, improved);
  }

  void report(const Evaluation& now, bool improved) {
    std::vector<RunLog::Field> fields = {{"validation_loss", now.loss}, {"best", improved ? 1 : 0}};
    std::string text =
        fmt::format("step {}, epoch {:.2f}: validation loss {:.4f}", progress().steps, epochs_done(), now.loss);
    if (is_classification(config().task)) {
      fields.emplace_back("validation_error", now.error_rate);
      text += fmt::format(", error {:.2f} %", 100 * now.error_rate);
    } else if (config().row_width == 0) {  // a squared error has no perplexity
      fields.emplace_back("validation_perplexity", now.perplexity());
      text += fmt::format(", perplexity {:.2f}", now.perplexity());
    }
    records_->write(progress().steps, fields);
    progress_line_.message(text + (improved ? "  (best so far)" : ""));
  }

  void end_log() override { write_log(); }

  void write_log() {
    const RunProgress& now = progress();
    records_->write({.steps = now.steps, .epochs = epochs_done(), .tokens = now.tokens, .seconds = seconds()},
                    progress().window);
  }

  double epochs_done() const {
    return static_cast<double>(model_.progress.steps) / static_cast<double>(trainer_.batches_per_epoch());
  }

  void write_output() override {
    model_.progress.position = trainer_.position();
    trainer_.with_averaged_weights([&] { save_model(settings_.output, trainer_.store(), model_); });
  }

  std::int64_t steps_of(const std::filesystem::path& file) const override {
    return read_model_file(file).progress.steps;
  }

  void restore_output(const std::filesystem::path& file) override {
    ModelFile best = model_;
    best.progress = read_model_file(file).progress;
    ParameterStore weights(trainer_.store().seed());
    load_checkpoint(file, weights);
    save_model(settings_.output, weights, best);
  }

  void write_checkpoint() override {
    // JSON has no infinities.
    if (!std::isfinite(progress().window.loss + progress().window.norm)) write_log();
    progress().position = trainer_.position();
    progress().seconds = seconds();
    save_run(checkpoint_path(settings_.output), trainer_.store(), model_);
  }

  TextTrainer& trainer_;
  const EncodedCorpus& corpus_;
  const std::vector<std::int32_t>& validation_;
  ModelFile model_;
  const RunSettings& settings_;
  std::optional<RunRecords> records_;
  Progress progress_line_;
};

}  // namespace

RunOutcome run_training(TextTrainer& trainer, const EncodedCorpus& corpus, const std::vector<std::int32_t>& validation,
                        ModelFile model, const RunSettings& settings) {
  return Run(trainer, corpus, validation, std::move(model), settings).run();
}

std::string to_string(StopReason reason, std::int64_t epochs, std::int64_t max_steps, double max_seconds,
                      std::int64_t patience) {
  switch (reason) {
    case StopReason::epochs:
      return fmt::format("after {}", counted(epochs, "epoch"));
    case StopReason::steps:
      return fmt::format("after {}", counted(max_steps, "step"));
    case StopReason::seconds:
      return fmt::format("after {}", format_duration(max_seconds));
    case StopReason::patience:
      return fmt::format("after {} without a better one", counted(patience, "evaluation"));
    case StopReason::interrupt:
      break;
  }
  return "by a signal";
}

}  // namespace eddy
