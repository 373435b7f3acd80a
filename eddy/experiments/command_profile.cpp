// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/number_text.h"
#include "eddy/core/peak.h"
#include "eddy/core/threads.h"
#include "eddy/experiments/chart.h"
#include "eddy/experiments/command.h"
#include "eddy/experiments/command_header.h"
#include "eddy/experiments/command_outputs.h"
#include "eddy/experiments/command_sample.h"
#include "eddy/experiments/command_sample_pairs.h"
#include "eddy/experiments/command_training.h"
#include "eddy/experiments/command_training_flags.h"
#include "eddy/graph/profile_totals.h"

namespace eddy {
namespace {

constexpr std::string_view kExamples = R"(Examples:
  eddy profile --task lm --hidden 512 --embedding 256 --vocabulary 10000 --time 100
  eddy profile --data wordnet --task sa --chart profile.svg
  eddy profile --model translator.safetensors --trace trace.json)";

struct ProfileCommand {
  explicit ProfileCommand(CLI::App& subcommand)
      : app(subcommand), data(subcommand), text(subcommand), config(subcommand, {}) {}

  CLI::App& app;
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
  command.config.check_applied(model.config);
  check_given_flags(command.app, model.config);
  require<UsageError>(model.text.text.vocabulary_size >= 0, "--vocabulary is {}, expected 0 or more",
                      model.text.text.vocabulary_size);
  if (!model.data.path.empty()) {
    require_text_model(command.config_file, model.config);
    const auto say = [](const std::string& message) { fmt::print(stderr, "{}\n", message); };
    data = load_data(model.data, model.text.text, {.cache = command.data.cache(), .message = say});
    fit_to_data(model, *data);
    return model;
  }
  const bool own_size = command.app.count("--vocabulary") == 0 && model.config.model.vocabulary_size > 0;
  if (!own_size) model.config.model.vocabulary_size = model.text.text.vocabulary_size;
  require<UsageError>(model.config.model.vocabulary_size > Vocabulary::kSpecials,
                      "--vocabulary is {}, expected more than the {} of <unk> and <eos> for made-up texts",
                      model.config.model.vocabulary_size, Vocabulary::kSpecials);
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
  result.what = fmt::format("{}; {} × {}", describe_model(config, store.parameter_count()),
                            counted(sample.time(), "step"), counted(config.batch_size, data ? "text" : "made-up text"));
  return result;
}

Measured measure_pairs(const ProfileCommand& command) {
  const LoadedSeq2Seq loaded = load_seq2seq(command.model);
  SamplePairs sample(*loaded.store, loaded.model);
  Measured result;
  result.profile = sample.profile(command.runs);
  result.text = sample.program().text();
  result.what =
      fmt::format("encoder-decoder of {} parameters; {}", grouped(loaded.store->parameter_count()), sample.what());
  return result;
}

/// UsageError for flags that say how texts are read, or how long made-up ones are, where there are none such.
void check_flags_of_data(const ProfileCommand& command, bool has_data) {
  const FlagNeeds needs(command.app);
  needs("--data", has_data,
        {"--format", "--text-column", "--label-column", "--header", "--no-header", "--encoding", "--unlabelled",
         "--cache-dir", "--no-cache", "--tokens", "--keep-case", "--drop-unknown", "--min-count", "--min-documents"});
  needs("made-up texts: those of --data have lengths of their own", !has_data, {"--time"});
}

/// UsageError for flags that describe another model or other texts than those of --model.
void check_flags_beside_model(const ProfileCommand& command, const std::set<std::string>& groups) {
  for (const CLI::Option* option : std::as_const(command.app).get_options())
    require<UsageError>(option->count() == 0 || !groups.contains(option->get_group()),
                        "--model {} says what {} says; leave one of them out", command.model, option->get_name());
}

Measured measure(ProfileCommand& command) {
  if (!command.model.empty()) {
    const bool pairs = is_seq2seq(command.model);
    std::set<std::string> groups = {"Data", "Tokens", "Model"};
    if (pairs) groups.insert({"Optimizer", "Training"});
    check_flags_beside_model(command, groups);
    if (pairs) return measure_pairs(command);
    LoadedModel loaded = load_model(command.model);
    command.config.apply(loaded.file.config);
    command.config.check_applied(loaded.file.config);
    check_given_flags(command.app, loaded.file.config);
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
  DataConfig given;
  command.data.apply(given);
  if (command.model.empty()) check_flags_of_data(command, !given.path.empty());
  check_outputs({{"--trace", command.trace, "a Chrome trace", kTraceBeginning},
                 {"--chart", command.chart, "an SVG picture", kSvgBeginning},
                 {"--program", command.program, "a program as text", kProgramBeginning}},
                {command.model, command.config_file, given.path, given.unlabelled});
  double peak = measure_fma_peak(), copy = measure_copy_bandwidth();
  const Measured measured = measure(command);
  peak = std::max(peak, measure_fma_peak());
  copy = std::max(copy, measure_copy_bandwidth());
  fmt::print("{}\n{}; FMA peak {:.0f} GFLOP/s, copy bandwidth {:.1f} GB/s\n{}", measured.what,
             counted(num_threads(), "thread"), peak * 1e-9, copy * 1e-9, to_string(measured.profile, peak * 1e-9));
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
  app->add_option(
         "-m,--model", command->model,
         "Model or checkpoint of pretrain, finetune, seq2seq or an experiment on texts whose training to profile, "
         "on made-up texts; else the flags below describe the model")
      ->type_name("FILE");
  const auto set_task = [raw = command.get()](const std::string& name) {
    raw->task_given = true;
    raw->task = name == "sa"           ? TrainingTask::autoencoder
                : name == "pa"         ? TrainingTask::pooled_autoencoder
                : name == "classifier" ? TrainingTask::classifier
                                       : TrainingTask::language_model;
  };
  app->add_option_function<std::string>(
         "--task", set_task, "lm: language model; sa: sequence autoencoder; pa: pooled autoencoder; classifier")
      ->check(CLI::IsMember({"lm", "sa", "pa", "classifier"}))
      ->default_str("lm")
      ->group("Model");
  app->add_option("--config", command->config_file, "JSON file of a training config; flags go before it")
      ->type_name("FILE")
      ->group("Model");
  app->add_option("--time", command->time, "Steps of a made-up text, 9 or more; with --data the first batch is taken")
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
  add_batch_flags(command->config);
  add_computing_flags(*app);
  return {app, [command] { return profile(*command); }};
}

}  // namespace eddy
