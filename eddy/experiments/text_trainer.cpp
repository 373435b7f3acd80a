// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/text_trainer.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <variant>

#include "eddy/core/clock.h"
#include "eddy/core/error.h"
#include "eddy/data/bucket_batches.h"
#include "eddy/data/stream_batches.h"
#include "eddy/experiments/text_trainer_graph.h"
#include "eddy/experiments/text_trainer_optimizer.h"
#include "eddy/optimizers/caught_up_rows.h"
#include "eddy/optimizers/minimize.h"
#include "eddy/optimizers/moving_average.h"

namespace eddy {
namespace {

using Batches = std::variant<BucketBatches, StreamBatches>;

/// Documents with a label, where only those can be learned from.
DocumentList trainable_documents(const TrainingConfig& config, const EncodedCorpus& corpus, DocumentList documents) {
  if (learns_without_labels(config)) return documents;
  if (!documents) {
    documents.emplace(static_cast<std::size_t>(corpus.size()));
    std::iota(documents->begin(), documents->end(), 0);
  }
  const std::size_t given = documents->size();
  std::erase_if(*documents, [&](std::int32_t d) { return d >= 0 && d < corpus.size() && corpus.label(d) < 0; });
  require<DataError>(!documents->empty(), "no document of {} has a label to learn", given);
  return documents;
}

Batches make_batches(const TrainingConfig& config, const EncodedCorpus& corpus, DocumentList documents) {
  if (config.stream_steps > 0) return StreamBatches(corpus, task_streams(config, Mode::train), std::move(documents));
  return BucketBatches(corpus, task_batches(config, corpus.longest(), Mode::train),
                       trainable_documents(config, corpus, std::move(documents)));
}

/// What each program of training yields, in this order; carried states follow.
enum Result : std::size_t { kLoss, kStep, kNorm, kRate, kProceed, kCarried };

}  // namespace

class TextTrainer::Impl {
 public:
  Impl(ParameterStore& store, TrainingConfig config, const EncodedCorpus& train, const DocumentList& documents,
       std::shared_ptr<Arena> arena)
      : store_(store),
        config_(std::move(config)),
        arena_(arena ? std::move(arena) : std::make_shared<Arena>()),
        evaluator_(store, config_, arena_),
        batches_(make_batches(config_, train, documents)),
        plateau_(make_plateau(config_.optimizer, store)),
        carried_names_(carried_names(config_)) {
    if (config_.stream_steps > 0) {
      times_ = {config_.stream_steps};
      stream_documents_ = documents ? static_cast<std::int64_t>(documents->size()) : train.size();
    } else {
      times_ = std::get<BucketBatches>(batches_).times();
    }
    const TensorType state{f32, {config_.batch_size, config_.model.encoder.hidden_size}};
    for (const std::string& name : carried_names_)
      carried_.push_back(store_.get("stream/" + name, state, zeros(), /*trainable=*/false));
  }

  StepResult step() {
    const BatchPosition at = position();
    const Batch batch = std::visit([](auto& batches) { return batches.next(); }, batches_);
    Program& step_program = program_of(batch.time(), at.epoch);
    const double start = steady_seconds();
    if (!batch.carry_state)
      for (const auto& state : carried_) std::ranges::fill(state->value.values<float>(), 0.0f);
    std::vector<Binding> inputs = task_bindings(config_, batch, Mode::train);
    for (std::size_t i = 0; i < carried_.size(); ++i) inputs.push_back({carried_names_[i], carried_[i]->value});
    const auto results = step_program.run(inputs);
    for (std::size_t i = 0; i < carried_.size(); ++i) carried_[i]->value.copy_from(results[kCarried + i]);

    StepResult result;
    result.loss = static_cast<double>(results[kLoss].item());
    result.step = results[kStep].values<std::int32_t>()[0];
    result.gradient_norm = static_cast<double>(results[kNorm].item());
    result.learning_rate = static_cast<double>(results[kRate].item());
    result.skipped = !results[kProceed].values<bool>()[0];
    result.tokens = batch.token_count;
    result.targets = count_targets(batch);
    result.seconds = steady_seconds() - start;
    return result;
  }

  Program& program(std::int64_t time) { return program_of(time, position().epoch); }

  Program& program_of(std::int64_t time, std::int64_t epoch) {
    // Which layers learn is part of a program.
    if (const std::int64_t groups = unfrozen_groups(config_, epoch); groups != groups_) {
      programs_.clear();
      groups_ = groups;
    }
    const auto found = programs_.find(time);
    if (found != programs_.end()) return found->second;
    Graph graph;
    const TaskGraph task = build_task(graph, store_, config_, time, Mode::train);
    const Updates updates = minimize(task.loss, store_, make_optimizer(config_, groups_, batches_per_epoch()));
    const Value stepped =
        config_.optimizer.ema_decay > 0
            ? exponential_moving_average(updates, store_, config_.optimizer.ema_decay, {.warm_up = true})
            : updates.step;
    std::vector<Value> results = {task.loss, stepped, updates.gradient_norm, updates.learning_rate, updates.proceed};
    results.insert(results.end(), task.carried.begin(), task.carried.end());
    CompileOptions options;
    options.arena = arena_;
    return programs_.emplace(time, compile(graph, results, std::move(options))).first->second;
  }

  std::int64_t batches_per_epoch() const {
    return std::visit([](const auto& batches) { return batches.batches_per_epoch(); }, batches_);
  }

  BatchPosition position() const {
    return std::visit([](const auto& batches) { return batches.position(); }, batches_);
  }

  bool has_averages() const {
    return std::ranges::any_of(store_.all(), [](const auto& variable) { return variable->name.starts_with("ema/"); });
  }

  std::int64_t count_targets(const Batch& batch) const {
    if (!is_classification(config_.task)) return predicted_tokens(config_, batch);
    const auto weights = batch.row_weights.values<float>();
    return static_cast<std::int64_t>(std::accumulate(weights.begin(), weights.end(), 0.0));
  }

  ParameterStore& store_;
  TrainingConfig config_;
  std::shared_ptr<Arena> arena_;
  TextEvaluator evaluator_;
  Batches batches_;
  std::unique_ptr<ReduceOnPlateau> plateau_;
  std::vector<std::string> carried_names_;
  std::vector<std::shared_ptr<Variable>> carried_;
  std::vector<std::int64_t> times_;
  std::map<std::int64_t, Program> programs_;
  std::int64_t stream_documents_ = 0;
  std::int64_t groups_ = 0;  // of layers that the programs train
};

void create_parameters(ParameterStore& store, const TrainingConfig& config, Mode mode) {
  check(config);
  const std::int64_t any_length = config.row_width > 0 ? 2 * config.row_width : 8;
  Graph graph;
  build_task(graph, store, config, any_length, mode);
}

TextTrainer::TextTrainer(ParameterStore& store, TrainingConfig config, const EncodedCorpus& train,
                         const DocumentList& documents, std::shared_ptr<Arena> arena)
    : impl_(std::make_unique<Impl>(store, std::move(config), train, documents, std::move(arena))) {}

TextTrainer::~TextTrainer() = default;
TextTrainer::TextTrainer(TextTrainer&&) noexcept = default;

StepResult TextTrainer::step() { return impl_->step(); }

std::int64_t TextTrainer::steps() const {
  const auto step = impl_->store_.find("optimizer/step");
  return step ? step->value.values<std::int32_t>()[0] : 0;
}

BatchPosition TextTrainer::position() const { return impl_->position(); }

void TextTrainer::seek(const BatchPosition& position) {
  std::visit([&](auto& batches) { batches.seek(position); }, impl_->batches_);
}

std::int64_t TextTrainer::batches_per_epoch() const { return impl_->batches_per_epoch(); }

std::int64_t TextTrainer::documents_per_epoch() const {
  if (const auto* buckets = std::get_if<BucketBatches>(&impl_->batches_)) return buckets->documents_per_epoch();
  return impl_->stream_documents_;
}

CutDocuments TextTrainer::cut_documents() const {
  if (const auto* buckets = std::get_if<BucketBatches>(&impl_->batches_)) return buckets->cut();
  return {};
}

Evaluation TextTrainer::evaluate(const EncodedCorpus& corpus, const DocumentList& documents) {
  Evaluation result;
  with_averaged_weights([&] { result = impl_->evaluator_.evaluate(corpus, documents); });
  return result;
}

void TextTrainer::report_validation(double loss) {
  if (impl_->plateau_) impl_->plateau_->report(loss);
}

void TextTrainer::with_averaged_weights(const std::function<void()>& body) {
  if (impl_->config_.optimizer.ema_decay == 0) {
    const CurrentRows current(impl_->store_, make_optimizer(impl_->config_));
    return body();
  }
  // Before the first step there are no averages yet, and they would equal the weights.
  if (!impl_->has_averages()) return body();
  const AveragedWeights averaged(impl_->store_);
  body();
}

Program& TextTrainer::program(std::int64_t time) { return impl_->program(time); }
const std::vector<std::int64_t>& TextTrainer::times() const { return impl_->times_; }
TextEvaluator& TextTrainer::evaluator() { return impl_->evaluator_; }
const TrainingConfig& TextTrainer::config() const { return impl_->config_; }
ParameterStore& TextTrainer::store() const { return impl_->store_; }

}  // namespace eddy
