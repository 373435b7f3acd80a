// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "eddy/core/error.h"
#include "eddy/experiments/command_training.h"
#include "eddy/experiments/command_training_flags.h"

namespace eddy {
namespace {

TrainingConfig pretrain_defaults() {
  TrainingConfig config;
  config.task = TrainingTask::language_model;
  config.patience = 3;
  return config;
}

constexpr std::string_view kExamples = R"(Examples:
  eddy pretrain --data texts.txt --output lm.safetensors
  eddy pretrain --data wordnet --task sa --hidden 512 --output sa.safetensors
  eddy pretrain --data aclImdb.tar.xz --max-length 400 --softmax-samples 1000 -o imdb.safetensors
  eddy pretrain --from imdb.safetensors --data texts.txt -o lm.safetensors   (more training, on other text)
  eddy pretrain --from lm.safetensors --data texts.txt --task sa -o sa.safetensors
  eddy pretrain --data texts.txt --task pa --pooling concat -o pa.safetensors
  eddy pretrain --output lm.safetensors --resume --epochs 20)";

}  // namespace

Command add_pretrain_command(CLI::App& program, const CommandLine& line) {
  CLI::App* app = program.add_subcommand("pretrain", "Train a language model or autoencoder on text without labels");
  app->footer(std::string(kExamples));
  auto command = std::make_shared<TrainingCommand>(*app, line, pretrain_defaults());
  const auto set_task = [command](const std::string& name) {
    command->config.values().task = name == "sa"   ? TrainingTask::autoencoder
                                    : name == "pa" ? TrainingTask::pooled_autoencoder
                                                   : TrainingTask::language_model;
  };
  command->config.begin_group("Training");
  CLI::Option* task =
      app->add_option_function<std::string>(
             "--task", set_task,
             "lm: language model; sa: sequence autoencoder; pa: pooled autoencoder, whose words are also "
             "predicted from what a classifier sees of the text")
          ->check(CLI::IsMember({"lm", "sa", "pa"}))
          ->default_str("lm");
  command->config.remember(
      task, [](TrainingConfig & c) -> auto& { return c.task; });
  command->config.value(
      "--bptt", [](TrainingConfig & c) -> auto& { return c.stream_steps; },
      "Language model: read endless streams in windows of so many steps, the state carried on; 0: text by text");
  add_feature_flags(command->config);
  const auto run = [command] {
    ModelFile base;
    base.config = pretrain_defaults();
    const ModelFile model = command->plan(base);
    require<UsageError>(!is_classification(model.config.task), "{} trains a classifier; {} it with eddy finetune",
                        command->origin(), command->run.resume ? "resume" : "use");
    return command->train(model);
  };
  return {app, run};
}

}  // namespace eddy
