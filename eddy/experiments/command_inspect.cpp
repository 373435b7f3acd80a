// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/number_text.h"
#include "eddy/core/peak.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/command.h"
#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/command_header.h"
#include "eddy/experiments/command_outputs.h"
#include "eddy/experiments/command_sample.h"
#include "eddy/experiments/command_sample_pairs.h"
#include "eddy/experiments/run_model.h"
#include "eddy/experiments/sequence_names.h"

namespace eddy {
namespace {

struct InspectCommand {
  std::string model, graph, trace, mode = "train";
  std::int64_t time = 64, batch = 0;
  bool config = false, memory = false, profile = false, all = false, json = false;
  std::optional<std::uint64_t> seed;

  bool shows_program() const { return !graph.empty() || memory || profile || !trace.empty(); }
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

nlohmann::ordered_json parameters_json(const std::vector<std::shared_ptr<Variable>>& variables) {
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
  return list;
}

void print_model_json(const InspectCommand& command, const ModelFile& model, const ParameterStore& store) {
  print_json({{"config", nlohmann::ordered_json::parse(to_json(model.config))},
              {"vocabulary", model.text.vocabulary.size()},
              {"classes", model.text.label_names},
              {"steps", model.progress.steps},
              {"parameters", parameters_json(shown(command, store))}});
}

void print_model_json(const InspectCommand& command, const Seq2SeqModel& model, const ParameterStore& store) {
  print_json({{"config", nlohmann::ordered_json::parse(to_json(model.config))},
              {"source_vocabulary", model.source_tokens.size()},
              {"target_vocabulary", model.target_tokens.size()},
              {"steps", model.progress.steps},
              {"parameters", parameters_json(shown(command, store))}});
}

void print_summary(const ModelFile& model, const ParameterStore& store) {
  fmt::print("{}\n", describe_model(model.config, store.parameter_count()));
  fmt::print("trained   {}, epoch {}, {} of {}{}\n", counted(model.progress.steps, "step"),
             model.progress.position.epoch, counted(model.progress.tokens, "token"), model.data.path,
             model.from.empty() ? "" : ", from " + model.from);
  if (model.progress.validation.has_best)
    fmt::print("best      validation loss {:.4f} at step {}\n", model.progress.validation.best_loss,
               grouped(model.progress.validation.best_step));
  if (!model.text.label_names.empty()) fmt::print("classes   {}\n", fmt::join(model.text.label_names, ", "));
  fmt::print("\n");
}

void print_summary(const Seq2SeqModel& model, const ParameterStore& store) {
  const SequenceToSequenceConfig& config = model.config.model;
  fmt::print("encoder-decoder ({}): {}{} {} + {} × {}, embedding {}, {} and {} words, {} parameters\n",
             name_of(config.mode), config.bidirectional ? "bidirectional " : "", name_of(config.encoder.cell),
             config.encoder.layers, config.decoder_layers, config.encoder.hidden_size, config.embedding_size,
             grouped(model.source_tokens.size()), grouped(model.target_tokens.size()),
             grouped(store.parameter_count()));
  fmt::print("trained   {}, epoch {}, {} of {}\n", counted(model.progress.steps, "step"), model.progress.position.epoch,
             counted(model.progress.tokens, "target word"), model.config.data.path);
  if (model.progress.validation.has_best)
    fmt::print("best      validation loss {:.4f} at step {}\n", model.progress.validation.best_loss,
               grouped(model.progress.validation.best_step));
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

/// `what` it runs on.
template <class Sample>
void show_sample(const InspectCommand& command, Sample& sample, const std::string& what) {
  if (!command.graph.empty()) write_graph(command.graph, sample.program());
  if (command.memory) fmt::print("\n{}", to_string(sample.program().memory_plan()));
  if (!command.profile && command.trace.empty()) return;
  const Profile profile = sample.profile();
  if (command.profile) {
    const double peak = measure_fma_peak() / 1e9;
    fmt::print("\n{} program, {}; FMA peak {:.0f} GFLOP/s\n{}", command.mode, what, peak, to_string(profile, peak));
  }
  if (!command.trace.empty()) write_atomically(command.trace, chrome_trace(profile));
}

void show_program(const InspectCommand& command, LoadedModel& model) {
  TrainingConfig config = model.file.config;
  if (command.batch > 0) config.batch_size = command.batch;
  config.seed = command.seed.value_or(config.seed);
  SampleProgram sample(*model.store, config, command.time, command.mode == "train" ? Mode::train : Mode::infer);
  show_sample(command, sample,
              fmt::format("{} × {}", counted(sample.time(), "step"), counted(config.batch_size, "text")));
}

void show_program(const InspectCommand& command, LoadedSeq2Seq& loaded) {
  Seq2SeqModel model = loaded.model;
  if (command.batch > 0) model.config.batch_size = command.batch;
  model.config.seed = command.seed.value_or(model.config.seed);
  SamplePairs sample(*loaded.store, model);
  show_sample(command, sample, sample.what());
}

template <class Model, class Loaded>
void show(const InspectCommand& command, const Model& model, Loaded& loaded) {
  if (command.graph != "-") {
    if (command.json) {
      print_model_json(command, model, *loaded.store);
    } else {
      print_summary(model, *loaded.store);
      print_parameters(shown(command, *loaded.store));
      if (command.config) fmt::print("\n{}\n", to_json(model.config));
    }
  }
  if (command.shows_program()) show_program(command, loaded);
}

void check_files(const InspectCommand& command) {
  require<UsageError>(!command.json || command.graph != "-",
                      "--json and --graph - would both print; give --graph a file");
  const bool dot = command.graph.ends_with(".dot");
  check_outputs({{"--graph", command.graph == "-" ? "" : command.graph,
                  dot ? "a graph for Graphviz" : "a graph as text", dot ? kDotBeginning : kProgramBeginning},
                 {"--trace", command.trace, "a Chrome trace", kTraceBeginning}},
                {command.model});
}

int inspect(const CLI::App& app, const InspectCommand& command) {
  const FlagNeeds needs(app);
  needs("--graph, --memory, --profile or --trace", command.shows_program(), {"--mode", "--time", "--batch", "--seed"});
  check_files(command);
  if (is_seq2seq(command.model)) {
    require<UsageError>(command.mode == "train", "{}: is an encoder-decoder; of those only the train program is shown",
                        command.model);
    LoadedSeq2Seq loaded = load_seq2seq(command.model);
    show(command, loaded.model, loaded);
  } else {
    LoadedModel loaded = load_model(command.model);
    show(command, loaded.file, loaded);
  }
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
  CLI::Option* json = app->add_flag("--json", command->json, "Print parameters and config as JSON");
  app->add_option("--graph", command->graph,
                  "Write the compiled graph: Graphviz for FILE.dot, else text; \"-\" prints it")
      ->type_name("FILE")
      ->group("Program");
  app->add_option("--mode", command->mode, "Which program: a step of training, or inference")
      ->check(CLI::IsMember({"train", "infer"}))
      ->capture_default_str()
      ->group("Program");
  // Their text after the JSON would make it none.
  app->add_flag("--memory", command->memory, "Print its memory plan")->excludes(json)->group("Program");
  app->add_flag("--profile", command->profile, "Run it and print the time of each node, with its share of the peak")
      ->excludes(json)
      ->group("Program");
  app->add_option("--trace", command->trace, "Run it and write a Chrome trace")->type_name("FILE")->group("Program");
  app->add_option("--time", command->time,
                  "Steps of a text, 9 or more; of pairs the longest that were trained on are taken")
      ->check(CLI::Range(9, 1 << 20).description(""))
      ->capture_default_str()
      ->group("Program");
  app->add_option("--batch", command->batch, "Texts or pairs; 0: as trained")
      ->check(CLI::Range(0, 1 << 16).description(""))
      ->capture_default_str()
      ->group("Program");
  app->add_option("--seed", command->seed, "Of the made-up texts that the program runs on (default: as trained)")
      ->type_name("UINT")
      ->group("Program");
  add_computing_flags(*app);
  return {app, [app, command] { return inspect(*app, *command); }};
}

}  // namespace eddy
