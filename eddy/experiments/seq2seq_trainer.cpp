// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/seq2seq_trainer.h"

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "eddy/core/clock.h"
#include "eddy/core/error.h"
#include "eddy/core/interrupt.h"
#include "eddy/data/pair_batches.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/pair_inputs.h"
#include "eddy/experiments/run_records.h"
#include "eddy/experiments/text_trainer_optimizer.h"
#include "eddy/experiments/training_loop.h"
#include "eddy/graph/program.h"
#include "eddy/models/sequence_decoding.h"
#include "eddy/optimizers/caught_up_rows.h"
#include "eddy/optimizers/minimize.h"

namespace eddy {
namespace {

/// After so many steps in a row without a finite gradient training has failed.
constexpr int kMostSkipped = 20;

PairBatchOptions batches_of(const Seq2SeqConfig& config, bool training) {
  return {.batch_size = static_cast<int>(config.batch_size),
          .max_source = training ? config.max_source : 0,
          .max_target = training ? config.max_target : 0,
          .too_long = training ? config.too_long : TooLong::cut,
          .sizes = config.sizes,
          .reverse_source = config.reverse_source,
          .shuffle = training,
          .seed = config.seed};
}

/// The steps of a batch's source and target: one program each.
using ProgramSize = std::pair<std::int64_t, std::int64_t>;

ProgramSize size_of(const PairBatch& batch) { return {batch.source_time(), batch.target_time()}; }

}  // namespace

class Seq2SeqEvaluator::Impl {
 public:
  Impl(ParameterStore& store, const Seq2SeqConfig& config, std::shared_ptr<Arena> arena)
      : store_(store), config_(config), arena_(arena ? std::move(arena) : std::make_shared<Arena>()) {
    create_parameters(store, config.model);
  }

  double loss(const EncodedPairs& pairs, const std::vector<std::int32_t>& chosen) {
    const CurrentRows current(store_, make_optimizer(config_.optimizer));
    PairBatches batches(pairs, batches_of(config_, false), chosen);
    ProgressOptions shown = progress_;
    shown.total = batches.batches_per_epoch();
    Progress progress(std::move(shown));
    double total = 0, tokens = 0;
    for (std::int64_t i = 0; i < batches.batches_per_epoch(); ++i) {
      stop_if_interrupted();
      const PairBatch batch = batches.next();
      const auto count = static_cast<double>(batch.target_count);
      total += count * static_cast<double>(program_for(batch).run(pair_bindings(batch))[0].item());
      tokens += count;
      progress.count(1, count);
    }
    return total / tokens;
  }

  void show_progress(ProgressOptions progress) { progress_ = std::move(progress); }

 private:
  Program& program_for(const PairBatch& batch) {
    const auto found = programs_.find(size_of(batch));
    if (found != programs_.end()) return found->second;
    Graph graph;
    const Value loss = sequence_loss(store_, config_.model, pair_inputs(graph, batch), Mode::infer);
    return programs_.emplace(size_of(batch), compile(graph, {loss}, {.arena = arena_})).first->second;
  }

  ParameterStore& store_;
  Seq2SeqConfig config_;
  std::shared_ptr<Arena> arena_;
  ProgressOptions progress_ = no_progress();
  std::map<ProgramSize, Program> programs_;
};

Seq2SeqEvaluator::Seq2SeqEvaluator(ParameterStore& store, const Seq2SeqConfig& config, std::shared_ptr<Arena> arena)
    : impl_(std::make_unique<Impl>(store, config, std::move(arena))) {}
Seq2SeqEvaluator::~Seq2SeqEvaluator() = default;
double Seq2SeqEvaluator::loss(const EncodedPairs& pairs, const std::vector<std::int32_t>& chosen) {
  return impl_->loss(pairs, chosen);
}
void Seq2SeqEvaluator::show_progress(ProgressOptions progress) { impl_->show_progress(std::move(progress)); }

class Seq2SeqTrainer::Impl {
 public:
  Impl(ParameterStore& store, const Seq2SeqConfig& config, const EncodedPairs& pairs,
       const std::vector<std::int32_t>& train)
      : store_(store),
        config_(config),
        batches_(pairs, batches_of(config, true), train),
        evaluator_(store, config, arena_) {}

  StepResult step() {
    const PairBatch batch = batches_.next();
    StepResult result;
    Program& program = program_for(batch);
    const double start = steady_seconds();
    const auto results = program.run(pair_bindings(batch));
    result.loss = static_cast<double>(results[0].item());
    result.step = results[1].values<std::int32_t>()[0];
    result.gradient_norm = static_cast<double>(results[2].item());
    result.learning_rate = static_cast<double>(results[3].item());
    result.skipped = !results[4].values<bool>()[0];
    result.tokens = result.targets = batch.target_count;
    result.seconds = steady_seconds() - start;
    return result;
  }

  Seq2SeqEvaluator& evaluator() { return evaluator_; }

  NextStep next_step() {
    const PairBatch batch = batches_.next();
    return {program_for(batch), pair_bindings(batch)};
  }

  PairBatches& batches() { return batches_; }

 private:
  Program& program_for(const PairBatch& batch) {
    const auto found = programs_.find(size_of(batch));
    if (found != programs_.end()) return found->second;
    Graph graph;
    const PairValues pairs = pair_inputs(graph, batch);
    Value own_share;
    if (config_.own_share > 0)
      own_share = linear_decay(0, config_.own_share, config_.own_share_steps)
                      .build(state(graph, store_, "optimizer/step", {i32, {}}));
    const Value loss = sequence_loss(store_, config_.model, pairs, Mode::train, own_share);
    const Updates updates = minimize(loss, store_, make_optimizer(config_.optimizer));
    const std::vector<Value> results{loss, updates.step, updates.gradient_norm, updates.learning_rate, updates.proceed};
    return programs_.emplace(size_of(batch), compile(graph, results, {.arena = arena_})).first->second;
  }

  ParameterStore& store_;
  Seq2SeqConfig config_;
  PairBatches batches_;
  std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();
  Seq2SeqEvaluator evaluator_;
  std::map<ProgramSize, Program> programs_;
};

Seq2SeqTrainer::Seq2SeqTrainer(ParameterStore& store, const Seq2SeqConfig& config, const EncodedPairs& pairs,
                               const std::vector<std::int32_t>& train)
    : impl_(std::make_unique<Impl>(store, config, pairs, train)) {}
Seq2SeqTrainer::~Seq2SeqTrainer() = default;
StepResult Seq2SeqTrainer::step() { return impl_->step(); }
Seq2SeqEvaluator& Seq2SeqTrainer::evaluator() { return impl_->evaluator(); }
Seq2SeqTrainer::NextStep Seq2SeqTrainer::next_step() { return impl_->next_step(); }
BatchPosition Seq2SeqTrainer::position() const { return impl_->batches().position(); }
void Seq2SeqTrainer::seek(const BatchPosition& position) { impl_->batches().seek(position); }
std::int64_t Seq2SeqTrainer::batches_per_epoch() const { return impl_->batches().batches_per_epoch(); }

namespace {

/// One run of the training loop.
class Run : TrainingLoop {
 public:
  Run(ParameterStore& store, const Seq2SeqData& data, Seq2SeqModel& model, const RunSettings& settings)
      : TrainingLoop(settings, course_of(model.config, model.config.evaluation_steps), model.progress.seconds,
                     kMostSkipped),
        store_(store),
        data_(data),
        model_(model),
        settings_(settings),
        trainer_(store, model.config, data.pairs, data.split.train),
        line_(progress_options("seq2seq", model.progress.steps, trainer_.batches_per_epoch())) {
    trainer_.seek(model.progress.position);
    trainer_.evaluator().show_progress(inner_progress("validation", settings.progress));
    plateau_ = make_plateau(model.config.optimizer, store);
  }

  StopReason run() {
    warn_of_warm_up(model_.config.optimizer.schedule.warm_up_steps, trainer_.batches_per_epoch());
    const StopReason reason = run_loop();
    line_.finish();
    return reason;
  }

 private:
  std::int64_t steps_done() const override { return model_.progress.steps; }
  BatchPosition position() const override { return trainer_.position(); }
  const ValidationRecord& validations() const override { return model_.progress.validation; }
  void forget_best() override { model_.progress.validation.has_best = false; }
  const ParameterStore& weights() const override { return store_; }
  bool chooses_best() const override { return !data_.split.validation.empty(); }
  /// Without validation it is the training loss that plateaus are seen in, and the last model that is kept.
  bool evaluates() const override { return true; }

  void open_log() override {
    const Seq2SeqProgress& now = model_.progress;
    records_.emplace(settings_, now.steps, now.window, now.validation.evaluated_step);
  }

  void train_step() override {
    const StepResult step = trainer_.step();
    check_gradients(step, model_.progress.steps + 1, model_.config.optimizer.learning_rate);
    Seq2SeqProgress& progress = model_.progress;
    ++progress.steps;
    progress.tokens += step.tokens;
    progress.window.add(step);
    if (std::isfinite(step.loss)) {
      progress.recent_loss += step.loss;
      ++progress.recent_steps;
    }
    line_.step(step.loss, static_cast<double>(step.tokens));
    if (settings_.log_steps > 0 && progress.steps % settings_.log_steps == 0) write_log();
  }

  void end_log() override { write_log(); }

  void write_log() {
    Seq2SeqProgress& now = model_.progress;
    records_->write({.steps = now.steps, .epochs = epochs_done(), .tokens = now.tokens, .seconds = seconds()},
                    now.window);
  }

  double epochs_done() const {
    return static_cast<double>(model_.progress.steps) / static_cast<double>(trainer_.batches_per_epoch());
  }

  void evaluate() override {
    Seq2SeqProgress& progress = model_.progress;
    const bool measured = chooses_best();
    const double loss = measured ? trainer_.evaluator().loss(data_.pairs, data_.split.validation) : 0;
    // NaN when no step since the last time had a finite loss: nothing to see a plateau in.
    const double recent = progress.recent_steps > 0 ? progress.recent_loss / static_cast<double>(progress.recent_steps)
                                                    : std::numeric_limits<double>::quiet_NaN();
    progress.recent_loss = 0;
    progress.recent_steps = 0;
    if (model_.config.plateau_on_training || measured)
      report_plateau(model_.config.plateau_on_training ? recent : loss);
    ValidationRecord& record = progress.validation;
    if (!measured) {
      record.evaluated_step = progress.steps;
      return save_output();
    }
    const bool better = record.note(progress.steps, !record.has_best || loss < record.best_loss, loss);
    if (better) save_output();
    records_->write(progress.steps, {{"training_loss", recent}, {"validation_loss", loss}, {"best", better ? 1 : 0}});
    line_.message(
        fmt::format("step {}, epoch {:.2f}: training loss {:.4f}, validation loss {:.4f}, perplexity {:.2f}{}",
                    progress.steps, epochs_done(), recent, loss, std::exp(loss), better ? "  (best so far)" : ""));
  }

  void report_plateau(double loss) {
    if (plateau_ && !std::isnan(loss) && plateau_->report(loss))
      line_.message(fmt::format("step {}: the learning rate is now {:.3g}", model_.progress.steps,
                                model_.config.optimizer.learning_rate * plateau_->scale()));
  }

  void write_output() override {
    model_.progress.position = trainer_.position();
    const CurrentRows current(store_, make_optimizer(model_.config.optimizer));
    save_seq2seq(settings_.output, store_, model_, false);
  }

  std::int64_t steps_of(const std::filesystem::path& file) const override { return read_seq2seq(file).progress.steps; }

  void restore_output(const std::filesystem::path& file) override {
    Seq2SeqModel best = model_;
    best.progress = read_seq2seq(file).progress;
    ParameterStore weights(store_.seed());
    load_checkpoint(file, weights);
    save_seq2seq(settings_.output, weights, best, false);
  }

  void write_checkpoint() override {
    // JSON has no infinities.
    if (!std::isfinite(model_.progress.window.loss + model_.progress.window.norm)) write_log();
    model_.progress.position = trainer_.position();
    model_.progress.seconds = seconds();
    save_seq2seq(checkpoint_path(settings_.output), store_, model_, true);
  }

  ParameterStore& store_;
  const Seq2SeqData& data_;
  Seq2SeqModel& model_;
  const RunSettings& settings_;
  Seq2SeqTrainer trainer_;
  std::optional<RunRecords> records_;
  Progress line_;
  std::unique_ptr<ReduceOnPlateau> plateau_;
};

}  // namespace

LeftOutPairs left_out_pairs(const Seq2SeqConfig& config, const Seq2SeqData& data) {
  if (!data.split.validation.empty()) PairBatches(data.pairs, batches_of(config, false), data.split.validation);
  const PairBatches training(data.pairs, batches_of(config, true), data.split.train);
  return {.empty = training.left_out_empty(), .too_long = training.left_out_long()};
}

StopReason run_seq2seq(ParameterStore& store, const Seq2SeqData& data, Seq2SeqModel& model,
                       const RunSettings& settings) {
  return Run(store, data, model, settings).run();
}

}  // namespace eddy
