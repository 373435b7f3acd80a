// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/peak.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/command.h"
#include "eddy/experiments/command_header.h"
#include "eddy/experiments/command_sample.h"
#include "eddy/experiments/number_text.h"
#include "eddy/experiments/run_model.h"

namespace eddy {
namespace {

struct InspectCommand {
  std::string model, graph, trace, mode = "train";
  std::int64_t time = 64, batch = 0;
  bool config = false, memory = false, profile = false, all = false, json = false;
  std::optional<std::uint64_t> seed;
};

constexpr std::string_view kExamples = R"(Examples:
  eddy inspect --model lm.safetensors
  eddy inspect --model lm.safetensors --graph graph.dot --mode infer
  eddy inspect --model lm.safetensors --memory --profile --trace trace.json --time 100 --batch 32)";

struct Moments {
  double mean = 0, deviation = 0;
};

Moments moments(std::span<const float> values) {
  Moments result;
  if (values.empty()) return result;
  for (const float value : values) result.mean += static_cast<double>(value);
  result.mean /= static_cast<double>(values.size());
  for (const float value : values) result.deviation += std::pow(static_cast<double>(value) - result.mean, 2);
  result.deviation = std::sqrt(result.deviation / static_cast<double>(values.size()));
  return result;
}

std::vector<std::shared_ptr<Variable>> shown(const InspectCommand& command, const ParameterStore& store) {
  std::vector<std::shared_ptr<Variable>> variables = store.all();
  if (!command.all) std::erase_if(variables, [](const auto& variable) { return !variable->trainable; });
  return variables;
}

void print_parameters(const std::vector<std::shared_ptr<Variable>>& variables) {
  std::size_t width = 9;
  for (const auto& variable : variables) width = std::max(width, variable->name.size());
  fmt::print("{:<{}}  {:<18} {:>12} {:>10} {:>11} {:>11}\n", "parameter", width, "type", "elements", "bytes", "mean",
             "deviation");
  std::int64_t elements = 0;
  std::size_t bytes = 0;
  for (const auto& variable : variables) {
    const Tensor& value = variable->value;
    const bool real = value.dtype() == f32;
    const Moments m = real ? moments(value.values<float>()) : Moments{};
    fmt::print("{:<{}}  {:<18} {:>12} {:>10} {:>11} {:>11}\n", variable->name, width, to_string(value.type()),
               grouped(value.elements()), format_bytes(value.bytes()), real ? fmt::format("{:.4g}", m.mean) : "-",
               real ? fmt::format("{:.4g}", m.deviation) : "-");
    elements += value.elements();
    bytes += value.bytes();
  }
  fmt::print("{:<{}}  {:<18} {:>12} {:>10}\n", fmt::format("{} in all", variables.size()), width, "", grouped(elements),
             format_bytes(bytes));
}

void print_parameters_json(const ModelFile& model, const std::vector<std::shared_ptr<Variable>>& variables) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& variable : variables) {
    const Tensor& value = variable->value;
    nlohmann::ordered_json entry = {{"name", variable->name},
                                    {"dtype", to_string(value.dtype())},
                                    {"shape", std::vector<std::int64_t>(value.shape().begin(), value.shape().end())},
                                    {"elements", value.elements()},
                                    {"bytes", value.bytes()},
                                    {"trainable", variable->trainable}};
    if (value.dtype() == f32) {
      const Moments m = moments(value.values<float>());
      entry["mean"] = m.mean;
      entry["deviation"] = m.deviation;
    }
    list.push_back(std::move(entry));
  }
  const nlohmann::ordered_json result = {{"config", nlohmann::ordered_json::parse(to_json(model.config))},
                                         {"vocabulary", model.text.vocabulary.size()},
                                         {"classes", model.text.label_names},
                                         {"steps", model.progress.steps},
                                         {"parameters", std::move(list)}};
  fmt::print("{}\n", result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void print_summary(const ModelFile& model, const ParameterStore& store) {
  fmt::print("{}\n", describe_model(model.config, store.parameter_count()));
  fmt::print("trained   {} steps, epoch {}, {} tokens of {}{}\n", grouped(model.progress.steps),
             model.progress.position.epoch, grouped(model.progress.tokens), model.data.path,
             model.from.empty() ? "" : ", from " + model.from);
  if (model.progress.has_best)
    fmt::print("best      validation loss {:.4f} at step {}\n", model.progress.best_loss,
               grouped(model.progress.best_step));
  if (!model.text.label_names.empty()) fmt::print("classes   {}\n", fmt::join(model.text.label_names, ", "));
  fmt::print("\n");
}

void write_graph(const std::string& path, const Program& program) {
  const std::string text = path.ends_with(".dot") ? program.dot() : program.text();
  if (path == "-") {
    fmt::print("{}", text);
  } else {
    write_atomically(path, text);
  }
}

void show_program(const InspectCommand& command, LoadedModel& model) {
  TrainingConfig config = model.file.config;
  if (command.batch > 0) config.batch_size = command.batch;
  config.seed = command.seed.value_or(config.seed);
  SampleProgram sample(*model.store, config, command.time, command.mode == "train" ? Mode::train : Mode::infer);
  if (!command.graph.empty()) write_graph(command.graph, sample.program());
  if (command.memory) fmt::print("\n{}", to_string(sample.program().memory_plan()));
  if (!command.profile && command.trace.empty()) return;
  const Profile profile = sample.profile();
  if (command.profile) {
    const double peak = measure_fma_peak() / 1e9;
    fmt::print("\n{} program, {} steps × {} texts; FMA peak {:.0f} GFLOP/s\n{}", command.mode, sample.time(),
               config.batch_size, peak, to_string(profile, peak));
  }
  if (!command.trace.empty()) write_atomically(command.trace, chrome_trace(profile));
}

int inspect(const InspectCommand& command) {
  LoadedModel model = load_model(command.model);
  if (command.graph != "-") {
    if (command.json) {
      print_parameters_json(model.file, shown(command, *model.store));
    } else {
      print_summary(model.file, *model.store);
      print_parameters(shown(command, *model.store));
      if (command.config) fmt::print("\n{}\n", to_json(model.file.config));
    }
  }
  if (!command.graph.empty() || command.memory || command.profile || !command.trace.empty())
    show_program(command, model);
  return 0;
}

}  // namespace

Command add_inspect_command(CLI::App& program) {
  CLI::App* app = program.add_subcommand("inspect", "Parameters, graph, memory plan and profile of a model");
  app->footer(std::string(kExamples));
  auto command = std::make_shared<InspectCommand>();
  app->add_option("-m,--model", command->model, "Model file or checkpoint")->type_name("FILE")->required();
  app->add_flag("--all", command->all, "Also what is not trained: optimizer slots, counters");
  app->add_flag("--config", command->config, "Also the training config");
  app->add_flag("--json", command->json, "Print parameters and config as JSON");
  app->add_option("--graph", command->graph,
                  "Write the compiled graph: Graphviz for FILE.dot, else text; \"-\" prints it")
      ->type_name("FILE")
      ->group("Program");
  app->add_option("--mode", command->mode, "Which program: a step of training, or inference")
      ->check(CLI::IsMember({"train", "infer"}))
      ->capture_default_str()
      ->group("Program");
  app->add_flag("--memory", command->memory, "Print its memory plan")->group("Program");
  app->add_flag("--profile", command->profile, "Run it and print the time of each node, with its share of the peak")
      ->group("Program");
  app->add_option("--trace", command->trace, "Run it and write a Chrome trace")->type_name("FILE")->group("Program");
  app->add_option("--time", command->time, "Steps of a text")
      ->check(CLI::Range(9, 1 << 20).description(""))
      ->capture_default_str()
      ->group("Program");
  app->add_option("--batch", command->batch, "Texts; 0: as trained")
      ->check(CLI::Range(0, 1 << 16).description(""))
      ->capture_default_str()
      ->group("Program");
  app->add_option("--seed", command->seed, "Of the made-up texts that the program runs on (default: as trained)")
      ->type_name("UINT")
      ->group("Program");
  add_thread_flag(*app);
  return {app, [command] { return inspect(*command); }};
}

}  // namespace eddy
