// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/decoders.h"

#include "eddy/core/clock.h"
#include "eddy/core/error.h"
#include "eddy/core/interrupt.h"
#include "eddy/core/number_text.h"
#include "eddy/data/number_stories.h"
#include "eddy/data/pair_batches.h"
#include "eddy/experiments/decoders_report.h"
#include "eddy/experiments/distinct.h"
#include "eddy/experiments/pair_inputs.h"
#include "eddy/experiments/sequence_accuracy.h"
#include "eddy/experiments/sequence_names.h"
#include "eddy/graph/program.h"
#include "eddy/models/sequence_decoding.h"
#include "eddy/optimizers/minimize.h"

namespace eddy {
namespace {

/// Keras 0.3: rho 0.9 and p -= rate * g / sqrt(a + 1e-6).
Optimizer keras_rmsprop(double rate) {
  return rmsprop({.learning_rate = rate, .smoothing = 0.9, .epsilon = 1e-6, .epsilon_inside_sqrt = true});
}

/// One mode: its weights, its data, the program of a training step and that of decoding all stories.
class Trial {
 public:
  Trial(const DecodersOptions& options, DecoderMode mode)
      : options_(options),
        config_(options.model),
        stories_(number_stories()),
        store_(options.seed),
        batches_(stories_, {.batch_size = static_cast<int>(options.batch_size), .seed = options.seed}),
        all_(PairBatches(stories_, {.batch_size = stories_.size(), .shuffle = false}).next()),
        train_(training_program(mode)),
        decode_(decoding_program()) {}

  /// False when a signal came.
  bool run(DecoderRun& run) {
    const double start = steady_seconds();
    run.mode = config_.mode;
    run.parameters = store_.parameter_count();
    Progress progress({.label = std::string(name_of(config_.mode)),
                       .total = options_.epochs,
                       .unit = "stories",
                       .style = options_.progress});
    while (run.epochs < options_.epochs && !run.reproduced && !interrupted()) {
      run.losses.push_back(train_epoch());
      ++run.epochs;
      run.token_accuracy = measure();
      run.accuracies.push_back(run.token_accuracy);
      run.reproduced = run.token_accuracy == 1;
      progress.step(run.losses.back(), static_cast<double>(stories_.size()));
    }
    run.seconds = steady_seconds() - start;
    read_stories(run);
    return !interrupted();
  }

 private:
  Program training_program(DecoderMode mode) {
    config_.mode = mode;
    Graph graph;
    const PairValues pairs = pair_inputs(graph, all_.source_time(), all_.target_time(), options_.batch_size);
    const Value loss = sequence_loss(store_, config_, pairs, Mode::train);
    return compile(graph, {loss, minimize(loss, store_, keras_rmsprop(options_.learning_rate))});
  }

  Program decoding_program() {
    Graph graph;
    const GreedySequence greedy = greedy_sequence(store_, config_, graph.input("source", i32, all_.source.shape()),
                                                  graph.input("source_mask", f32, all_.source_mask.shape()),
                                                  all_.target_time(), stories_.target_tokens.specials().go);
    std::vector<Value> results{greedy.tokens};
    if (greedy.attention) results.push_back(greedy.attention);
    return compile(graph, results);
  }

  double train_epoch() {
    double loss = 0;
    for (std::int64_t batch = 0; batch < batches_.batches_per_epoch(); ++batch) {
      const PairBatch next = batches_.next();
      const auto results = train_.run(pair_bindings(next));
      loss += static_cast<double>(results[0].item()) * next.real_rows / stories_.size();
    }
    return loss;
  }

  std::span<const Tensor> decode() { return decode_.run({{"source", all_.source}, {"source_mask", all_.source_mask}}); }

  double measure() {
    SequenceAccuracy accuracy;
    accuracy.add(decode()[0], all_.target_out, all_.target_mask);
    return accuracy.token_accuracy();
  }

  void read_stories(DecoderRun& run) {
    const auto results = decode();
    const auto column = [&](const Tensor& ids, std::int64_t row, const TokenSet& tokens) {
      std::vector<std::string> texts;
      const auto values = ids.values<std::int32_t>();
      for (auto i = static_cast<std::size_t>(row); i < values.size(); i += static_cast<std::size_t>(ids.shape()[1]))
        texts.emplace_back(tokens.text(values[i]));
      return texts;
    };
    // Rows come by length; the stories are all as long, so in order.
    for (std::int64_t row = 0; row < all_.rows(); ++row) {
      run.sources.push_back(column(all_.source, row, stories_.source_tokens));
      run.targets.push_back(column(all_.target_out, row, stories_.target_tokens));
      run.predictions.push_back(column(results[0], row, stories_.target_tokens));
    }
    if (results.size() < 2) return;
    const auto weights = results[1].values<float>();
    const auto source = static_cast<std::size_t>(all_.source_time());
    const std::size_t step = source * static_cast<std::size_t>(all_.rows());
    for (std::size_t begin = 0; begin < weights.size(); begin += step)
      run.attention.insert(run.attention.end(), &weights[begin], &weights[begin] + source);
  }

  const DecodersOptions& options_;
  SequenceToSequenceConfig config_;
  EncodedPairs stories_;
  ParameterStore store_;
  PairBatches batches_;
  PairBatch all_;
  Program train_;
  Program decode_;
};

std::string python_list(const std::vector<std::string>& tokens) {
  return fmt::format("['{}']", fmt::join(tokens, "', '"));
}

}  // namespace

DecodersResult run_decoders(const DecodersOptions& options) {
  require<UsageError>(
      !options.modes.empty() && options.epochs > 0 && options.batch_size > 0 && options.learning_rate > 0,
      "{}, {}, batches of {} and a learning rate of {}: each must be positive",
      counted(std::ssize(options.modes), "mode"), counted(options.epochs, "epoch"), options.batch_size,
      options.learning_rate);
  std::vector<std::string_view> names;
  for (const DecoderMode mode : options.modes) names.push_back(name_of(mode));
  check_distinct("the mode", names);
  DecodersResult result;
  for (const DecoderMode mode : options.modes) {
    Trial trial(options, mode);
    result.interrupted = !trial.run(result.runs.emplace_back());
    if (result.interrupted) break;
  }
  std::error_code error;
  const bool kept = result.interrupted && std::filesystem::exists(options.output / "index.html", error);
  result.reported = !options.output.empty() && !kept;
  if (result.reported) write_decoders_report(options, result);
  return result;
}

std::string decoders_listing(const DecoderRun& run) {
  std::string text;
  for (std::size_t story = 0; story < run.targets.size(); ++story)
    text += fmt::format("Target output:\n{}\nPredict output:\n{}\n", python_list(run.targets[story]),
                        python_list(run.predictions[story]));
  return text + fmt::format("Current iter_num is:{}\n", run.epochs);
}

}  // namespace eddy
