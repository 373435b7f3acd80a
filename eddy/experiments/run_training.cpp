// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/run_training.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <span>

#include "eddy/core/error.h"
#include "eddy/core/random.h"
#include "eddy/experiments/memory_use.h"
#include "eddy/experiments/progress_interrupt.h"
#include "eddy/experiments/run_log.h"
#include "eddy/experiments/tensorboard.h"

namespace eddy {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Steps in a row without an update after which training has failed for good.
constexpr int kMostSkipped = 100;

std::int64_t steps_in_all(const TextTrainer& trainer) {
  const TrainingConfig& config = trainer.config();
  const std::int64_t steps = config.epochs * trainer.batches_per_epoch();
  return config.max_steps > 0 ? std::min(config.max_steps, steps) : steps;
}

ProgressOptions progress_options(const TextTrainer& trainer, const RunProgress& progress, const RunSettings& settings) {
  ProgressOptions options;
  options.label = settings.label.empty() ? std::string(to_string(trainer.config().task)) : settings.label;
  options.total = steps_in_all(trainer);
  options.done = progress.steps;
  options.style = settings.progress;
  return options;
}

/// Means over the steps since the last line of the log.
struct LogWindow {
  double loss = 0, norm = 0, rate = 0, seconds = 0;
  std::int64_t tokens = 0, steps = 0;

  void add(const StepResult& step) {
    loss += step.loss;
    norm += step.gradient_norm;
    rate = step.learning_rate;
    seconds += step.seconds;
    tokens += step.tokens;
    ++steps;
  }
};

class Run {
 public:
  Run(TextTrainer& trainer, const EncodedCorpus& corpus, const std::vector<std::int32_t>& validation, ModelFile model,
      const RunSettings& settings)
      : trainer_(trainer),
        corpus_(corpus),
        validation_(validation),
        model_(std::move(model)),
        settings_(settings),
        log_(log_path(settings.output), model_.progress.steps),
        tensorboard_(settings.tensorboard.empty()
                         ? nullptr
                         : std::make_unique<TensorBoardWriter>(settings.tensorboard, model_.progress.steps)),
        progress_line_(progress_options(trainer, model_.progress, settings)),
        seconds_before_(model_.progress.seconds) {}

  RunOutcome run() {
    RunOutcome outcome;
    try {
      outcome.reason = train();
    } catch (const Interrupted&) {
      outcome.reason = StopReason::interrupt;
    }
    write_log();
    // The checkpoint comes first: an evaluation that only the end of the run asks for must not steer a continued run.
    save_checkpoint();
    try {
      if (outcome.reason != StopReason::interrupt) finish();
    } catch (const Interrupted&) {
      outcome.reason = StopReason::interrupt;
    }
    progress_line_.finish();
    outcome.progress = progress();
    if (progress().has_best) {
      outcome.best = Evaluation{.loss = progress().best_loss, .error_rate = progress().best_error};
      outcome.best_step = progress().best_step;
    }
    outcome.tokens_per_second = progress_line_.rate();
    return outcome;
  }

 private:
  RunProgress& progress() { return model_.progress; }
  const TrainingConfig& config() const { return trainer_.config(); }
  double seconds() const { return seconds_before_ + seconds_since(start_); }

  StopReason train() {
    // The run that is resumed may have been stopped in the midst of it.
    if (evaluation_due()) evaluate();
    for (;;) {
      if (const auto reason = reason_to_stop()) return *reason;
      train_step();
      if (evaluation_due()) evaluate();
      if (checkpoint_due()) save_checkpoint();
    }
  }

  std::optional<StopReason> reason_to_stop() {
    if (interrupted()) return StopReason::interrupt;
    if (trainer_.position().epoch >= config().epochs) return StopReason::epochs;
    if (config().max_steps > 0 && progress().steps >= config().max_steps) return StopReason::steps;
    if (config().patience > 0 && progress().bad_evaluations >= config().patience) return StopReason::patience;
    if (config().max_seconds > 0 && seconds() >= config().max_seconds) return StopReason::seconds;
    return std::nullopt;
  }

  void train_step() {
    const StepResult step = trainer_.step();
    skipped_ = step.skipped ? skipped_ + 1 : 0;
    require<Error>(
        skipped_ < kMostSkipped,
        "the gradients were not finite in each of the last {} steps, up to step {}; try a learning rate below {}",
        skipped_, progress().steps + 1, config().optimizer.learning_rate);
    ++progress().steps;
    progress().tokens += step.tokens;
    window_.add(step);
    progress_line_.step(step.loss, static_cast<double>(step.tokens));
    if (settings_.log_steps > 0 && progress().steps % settings_.log_steps == 0) write_log();
  }

  bool evaluation_due() const {
    const RunProgress& now = model_.progress;
    if (validation_.empty() || now.steps == 0 || now.evaluated_step == now.steps) return false;
    if (config().evaluation_interval > 0) return now.steps % config().evaluation_interval == 0;
    return trainer_.position().index == 0;
  }

  bool better(const Evaluation& now) const {
    const RunProgress& best = model_.progress;
    if (!best.has_best) return true;
    if (!is_classification(config().task)) return now.loss < best.best_loss;
    if (now.error_rate != best.best_error) return now.error_rate < best.best_error;
    if (settings_.of_equals_the_later) return true;
    return now.loss < best.best_loss;
  }

  void evaluate() {
    const Evaluation now = trainer_.evaluate(corpus_, validation_);
    progress().evaluated_step = progress().steps;
    const bool improved = std::isfinite(now.loss) && better(now);
    ++progress().evaluations;
    if (improved) {
      progress().has_best = true;
      progress().best_loss = now.loss;
      progress().best_error = now.error_rate;
      progress().best_step = progress().steps;
      progress().bad_evaluations = 0;
      save_best();
    } else {
      ++progress().bad_evaluations;
    }
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
    } else {
      fields.emplace_back("validation_perplexity", now.perplexity());
      text += fmt::format(", perplexity {:.2f}", now.perplexity());
    }
    log(fields);
    progress_line_.message(text + (improved ? "  (best so far)" : ""));
  }

  void write_log() {
    if (window_.steps == 0) return;
    const auto steps = static_cast<double>(window_.steps);
    log({{"epoch", epochs_done()},
         {"loss", window_.loss / steps},
         {"gradient_norm", window_.norm / steps},
         {"learning_rate", window_.rate},
         {"tokens", static_cast<double>(progress().tokens)},
         {"tokens_per_second", static_cast<double>(window_.tokens) / window_.seconds},
         {"seconds", seconds()},
         {"resident_mb", std::round(static_cast<double>(memory_use().resident) / 1e5) / 10}});
    window_ = {};
  }

  void log(const std::vector<RunLog::Field>& fields) {
    log_.write(progress().steps, fields);
    if (tensorboard_) tensorboard_->write(progress().steps, fields);
  }

  double epochs_done() const {
    return static_cast<double>(model_.progress.steps) / static_cast<double>(trainer_.batches_per_epoch());
  }

  void save_best() {
    model_.progress.position = trainer_.position();
    trainer_.with_averaged_weights([&] { save_model(settings_.output, trainer_.store(), model_); });
  }

  bool checkpoint_due() const {
    if (settings_.checkpoint_steps > 0 && model_.progress.steps % settings_.checkpoint_steps == 0) return true;
    return settings_.checkpoint_seconds > 0 && seconds_since(saved_) >= settings_.checkpoint_seconds;
  }

  void save_checkpoint() {
    progress().position = trainer_.position();
    progress().seconds = seconds();
    save_run(checkpoint_path(settings_.output), trainer_.store(), model_);
    saved_ = Clock::now();
  }

  /// The output must exist after a finished run, and be that of the best state, its last one among them.
  void finish() {
    if (validation_.empty()) {
      save_best();
    } else if (progress().evaluated_step != progress().steps) {
      evaluate();
    }
    // Every evaluation may have been infinite; a model is owed all the same.
    std::error_code error;
    if (!std::filesystem::exists(settings_.output, error)) save_best();
  }

  TextTrainer& trainer_;
  const EncodedCorpus& corpus_;
  const std::vector<std::int32_t>& validation_;
  ModelFile model_;
  const RunSettings& settings_;
  RunLog log_;
  std::unique_ptr<TensorBoardWriter> tensorboard_;
  Progress progress_line_;
  LogWindow window_;
  int skipped_ = 0;
  double seconds_before_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point saved_ = Clock::now();
};

}  // namespace

ValidationSplit split_validation(const TrainingConfig& config, const EncodedCorpus& corpus) {
  ValidationSplit split;
  for (std::int32_t i = 0; i < corpus.size(); ++i) {
    // Unlabelled text can join in training but says nothing about errors.
    const bool candidate = !is_classification(config.task) || corpus.label(i) >= 0;
    (candidate ? split.validation : split.train).push_back(i);
  }
  auto& candidates = split.validation;
  Philox random(config.seed, stable_hash("validation"));
  shuffle(std::span(candidates), random);
  auto kept =
      static_cast<std::size_t>(std::llround(config.validation_fraction * static_cast<double>(candidates.size())));
  if (config.validation_fraction > 0) {
    require<DataError>(candidates.size() >= 2, "{} document{} cannot be split into training and validation",
                       candidates.size(), candidates.size() == 1 ? "" : "s");
    kept = std::clamp<std::size_t>(kept, 1, candidates.size() - 1);
  }
  split.train.insert(split.train.end(), candidates.begin() + static_cast<std::ptrdiff_t>(kept), candidates.end());
  candidates.resize(kept);
  std::ranges::sort(split.train);
  std::ranges::sort(split.validation);
  return split;
}

RunOutcome run_training(TextTrainer& trainer, const EncodedCorpus& corpus, const std::vector<std::int32_t>& validation,
                        ModelFile model, const RunSettings& settings) {
  return Run(trainer, corpus, validation, std::move(model), settings).run();
}

std::string to_string(StopReason reason, const TrainingConfig& config) {
  switch (reason) {
    case StopReason::epochs:
      return fmt::format("after {} epoch{}", config.epochs, config.epochs == 1 ? "" : "s");
    case StopReason::steps:
      return fmt::format("after {} steps", config.max_steps);
    case StopReason::seconds:
      return fmt::format("after {}", format_duration(config.max_seconds));
    case StopReason::patience:
      return fmt::format("after {} evaluations without a better one", config.patience);
    case StopReason::interrupt:
      break;
  }
  return "by a signal";
}

}  // namespace eddy
