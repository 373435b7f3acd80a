// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/peak.h"
#include "eddy/core/random.h"
#include "eddy/core/threads.h"
#include "eddy/experiments/chart.h"
#include "eddy/experiments/command.h"
#include "eddy/experiments/command_header.h"
#include "eddy/experiments/command_sample.h"
#include "eddy/experiments/command_training.h"
#include "eddy/experiments/command_training_flags.h"
#include "eddy/experiments/seq2seq_trainer.h"
#include "eddy/graph/profile_totals.h"

namespace eddy {
namespace {

constexpr std::string_view kExamples = R"(Examples:
  eddy profile --task lm --hidden 512 --embedding 256 --vocabulary 10000 --time 100
  eddy profile --data wordnet --task sa --chart profile.svg
  eddy profile --model translator.safetensors --trace trace.json)";

struct ProfileCommand {
  explicit ProfileCommand(CLI::App& app) : data(app), text(app), config(app, {}) {}

  std::string model, config_file, trace, chart, program;
  TrainingTask task = TrainingTask::language_model;
  bool task_given = false;
  std::int64_t time = 64;
  int runs = 5;
  DataFlags data;
  TextFlags text;
  FlagSet<TrainingConfig> config;
};

/// A program that was measured, and what it is.
struct Measured {
  std::string what;
  Profile profile;
  std::string text;
};

/// The model the flags ask for; with --data its texts are read into `data`.
ModelFile planned(ProfileCommand& command, std::optional<EncodedDataset>& data) {
  ModelFile model;
  if (!command.config_file.empty())
    model.config = training_config_from_json(read_file(command.config_file), command.config_file, model.config);
  if (command.task_given || command.config_file.empty()) model.config.task = command.task;
  command.config.apply(model.config);
  command.data.apply(model.data);
  command.text.apply(model.text.text);
  check(model.config);
  if (!model.data.path.empty()) {
    const auto say = [](const std::string& message) { fmt::print(stderr, "{}\n", message); };
    data = load_data(model.data, model.text.text, {.cache = command.data.cache(), .message = say});
    fit_to_data(model, *data);
    return model;
  }
  model.config.model.vocabulary_size = std::max<std::int64_t>(model.text.text.vocabulary_size, 3);
  if (is_classification(model.config.task))
    model.config.model.classes = std::max<std::int64_t>(model.config.model.classes, 2);
  return model;
}

Measured measure_text(const ProfileCommand& command, ParameterStore& store, const TrainingConfig& config,
                      const std::optional<EncodedDataset>& data) {
  SampleProgram sample = data ? SampleProgram(store, config, data->part("train"), Mode::train)
                              : SampleProgram(store, config, command.time, Mode::train);
  Measured result;
  result.profile = sample.profile(command.runs);
  result.text = sample.program().text();
  result.what = fmt::format("{}, {}; {} steps × {} {}texts", to_string(config.task),
                            describe_model(config, store.parameter_count()), sample.time(), config.batch_size,
                            data ? "" : "made-up ");
  return result;
}

/// One batch of made-up pairs of the greatest lengths.
EncodedPairs made_up_pairs(const Seq2SeqModel& model) {
  PairCollector pairs(model.source_tokens, model.target_tokens);
  Philox random(model.config.seed, stable_hash("sample"));
  const auto words = [&](std::int64_t count, std::int64_t size) {
    std::vector<std::int32_t> ids;
    for (std::int64_t i = 0; i < count; ++i)
      ids.push_back(static_cast<std::int32_t>(uniform_index(random, static_cast<std::uint64_t>(size))));
    return ids;
  };
  // Room for the end token.
  const std::int64_t source = std::max<std::int64_t>(model.config.max_source - 1, 1);
  const std::int64_t target = std::max<std::int64_t>(model.config.max_target - 1, 1);
  for (std::int64_t row = 0; row < model.config.batch_size; ++row)
    pairs.add(words(source, model.source_tokens.size()), words(target, model.target_tokens.classes()), "made up");
  return std::move(pairs).finish();
}

Measured measure_pairs(const ProfileCommand& command) {
  const LoadedSeq2Seq loaded = load_seq2seq(command.model);
  const EncodedPairs pairs = made_up_pairs(loaded.model);
  std::vector<std::int32_t> all(static_cast<std::size_t>(pairs.size()));
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
  Seq2SeqTrainer trainer(*loaded.store, loaded.model.config, pairs, all);
  const Seq2SeqTrainer::NextStep step = trainer.next_step();
  step.program.run(step.inputs);  // the first run warms up
  Measured result;
  result.profile = step.program.profile(step.inputs, command.runs);
  result.text = step.program.text();
  result.what = fmt::format("encoder-decoder of {} parameters; {} made-up pairs of up to {} and {} words",
                            loaded.store->parameter_count(), loaded.model.config.batch_size,
                            loaded.model.config.max_source, loaded.model.config.max_target);
  return result;
}

Measured measure(ProfileCommand& command) {
  if (!command.model.empty()) {
    if (is_seq2seq(command.model)) return measure_pairs(command);
    LoadedModel loaded = load_model(command.model);
    command.config.apply(loaded.file.config);
    check(loaded.file.config);
    return measure_text(command, *loaded.store, loaded.file.config, {});
  }
  std::optional<EncodedDataset> data;
  const ModelFile model = planned(command, data);
  ParameterStore store(model.config.seed);
  return measure_text(command, store, model.config, data);
}

BarChart chart_of(const Measured& measured, double peak) {
  BarChart chart{.title = "Time of a training step by op", .x_label = "milliseconds"};
  for (const OpTotal& total : totals_by_op(measured.profile)) {
    if (chart.bars.size() == 20) break;
    const double seconds = std::max(total.seconds, 1e-12);
    chart.bars.push_back({.name = fmt::format("{} ({}×)", total.op, total.count),
                          .value = total.seconds * 1e3,
                          .note = fmt::format("{:.1f} %, {:.0f} GFLOP/s ({:.0f} % of peak), {:.1f} GB/s",
                                              100 * total.seconds / std::max(measured.profile.total_seconds, 1e-12),
                                              total.flops / seconds * 1e-9, 100 * total.flops / seconds / peak,
                                              total.bytes / seconds * 1e-9)});
  }
  return chart;
}

int profile(ProfileCommand& command) {
  double peak = measure_fma_peak(), copy = measure_copy_bandwidth();
  const Measured measured = measure(command);
  peak = std::max(peak, measure_fma_peak());
  copy = std::max(copy, measure_copy_bandwidth());
  fmt::print("{}\n{} threads; FMA peak {:.0f} GFLOP/s, copy bandwidth {:.1f} GB/s\n{}", measured.what, num_threads(),
             peak * 1e-9, copy * 1e-9, to_string(measured.profile, peak * 1e-9));
  if (!command.trace.empty()) write_atomically(command.trace, chrome_trace(measured.profile));
  if (!command.chart.empty()) write_atomically(command.chart, to_svg(chart_of(measured, peak)));
  if (!command.program.empty()) write_atomically(command.program, measured.text);
  return 0;
}

}  // namespace

Command add_profile_command(CLI::App& program) {
  CLI::App* app = program.add_subcommand(
      "profile", "Where the time of a training step goes: by op, with flops, bytes and the share of the peak");
  app->footer(std::string(kExamples));
  auto command = std::make_shared<ProfileCommand>(*app);
  app->add_option("-m,--model", command->model,
                  "Model file or checkpoint of any command whose training to profile, on made-up texts; else the flags "
                  "below describe the model")
      ->type_name("FILE");
  const auto set_task = [raw = command.get()](const std::string& name) {
    raw->task_given = true;
    raw->task = name == "sa"           ? TrainingTask::autoencoder
                : name == "classifier" ? TrainingTask::classifier
                                       : TrainingTask::language_model;
  };
  app->add_option_function<std::string>("--task", set_task, "lm: language model; sa: sequence autoencoder; classifier")
      ->check(CLI::IsMember({"lm", "sa", "classifier"}))
      ->default_str("lm");
  app->add_option("--config", command->config_file, "JSON file of a training config; flags go before it")
      ->type_name("FILE");
  app->add_option("--time", command->time, "Steps of a made-up text; with --data the first batch is taken")
      ->check(CLI::Range(9, 1 << 20).description(""))
      ->capture_default_str();
  app->add_option("--runs", command->runs, "Runs whose median is shown")
      ->check(CLI::Range(1, 10000).description(""))
      ->capture_default_str();
  app->add_option("--trace", command->trace, "Write a Chrome trace")->type_name("FILE")->group("Output");
  app->add_option("--chart", command->chart, "Write a picture of the ops' shares (SVG)")
      ->type_name("FILE")
      ->group("Output");
  app->add_option("--program", command->program, "Write the compiled program as text, loops with their bodies")
      ->type_name("FILE")
      ->group("Output");
  add_model_flags(command->config);
  add_optimizer_flags(command->config);
  add_limit_flags(command->config);
  add_thread_flag(*app);
  return {app, [command] { return profile(*command); }};
}

}  // namespace eddy
