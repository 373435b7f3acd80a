// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "eddy/core/error.h"
#include "eddy/experiments/command_training.h"
#include "eddy/experiments/command_training_flags.h"

namespace eddy {
namespace {

TrainingConfig finetune_defaults() {
  TrainingConfig config;
  config.task = TrainingTask::classifier;
  config.model.embedding_dropout = 0.2f;
  config.model.classifier_dropout = 0.3f;
  config.epochs = 30;
  config.patience = 5;
  config.validation_fraction = 0.1;
  config.validation_by_group = true;
  return config;
}

constexpr std::string_view kExamples = R"(Examples:
  eddy finetune --from lm.safetensors --data reviews.csv --header --text-column text --label-column label \
      --output classifier.safetensors
  eddy finetune --data train.tsv --label-column 0 --output classifier.safetensors   (from scratch)
  eddy finetune --from sa.safetensors --data aclImdb.tar.xz --joint sa -o joint.safetensors
  eddy finetune --from lm.safetensors --data aclImdb.tar.xz --adversarial vat -o vat.safetensors
  eddy finetune --from lm.safetensors --data train.tsv --label-column 0 --unlabelled texts/ --joint lm -o j.safetensors
  eddy finetune --output classifier.safetensors --resume)";

struct FinetuneFlags {
  bool linear_gain = false;
  std::string joint;

  TrainingTask task() const {
    if (linear_gain) return TrainingTask::label_gain;
    return joint.empty() ? TrainingTask::classifier : TrainingTask::joint;
  }
};

}  // namespace

Command add_finetune_command(CLI::App& program, const CommandLine& line) {
  CLI::App* app =
      program.add_subcommand("finetune", "Train a text classifier on labelled text, from a pretrained model or anew");
  app->footer(std::string(kExamples));
  auto command = std::make_shared<TrainingCommand>(*app, line, finetune_defaults());
  auto flags = std::make_shared<FinetuneFlags>();
  CLI::Option* gain =
      app->add_flag("--linear-gain", flags->linear_gain, "Predict the class at every step, later steps counting more")
          ->group("Training");
  CLI::Option* joint = app->add_option("--joint", flags->joint,
                                       "Train a language model (lm) or autoencoder (sa) of the same texts beside the "
                                       "classifier, unlabelled texts too")
                           ->check(CLI::IsMember({"lm", "sa"}))
                           ->group("Training");
  joint->excludes(gain);
  command->config.begin_group("Training");
  command->config.value(
      "--joint-weight", [](TrainingConfig & c) -> auto& { return c.joint_weight; }, "Weight of that part's loss");
  command->config.toggle(
      "--mixed-validation", [](TrainingConfig & c) -> auto& { return c.validation_by_group; }, false,
      "Draw the validation texts one by one, even where several are of one film (IMDB)");
  add_adversarial_flags(command->config);
  add_layer_flags(command->config);
  command->config.begin_group("Model");
  command->config.choice(
      "--transfer", [](TrainingConfig & c) -> auto& { return c.transferred; },
      "Of --from: all weights, or the words' embedding alone, the encoder (of the same size) anew");
  add_feature_flags(command->config);
  const auto run = [command, flags] {
    ModelFile base;
    base.config = finetune_defaults();
    base.config.task = flags->task();
    base.config.joint_task = flags->joint == "sa" ? TrainingTask::autoencoder : TrainingTask::language_model;
    const ModelFile model = command->plan(base);
    require<UsageError>(is_classification(model.config.task), "{} trains no classifier; {} it with eddy pretrain",
                        command->origin(), command->run.resume ? "resume" : "use");
    require<UsageError>(command->run.resume || !model.from.empty() || model.config.transferred == TransferredPart::all,
                        "--transfer {} needs --from", name_of(model.config.transferred));
    const bool task_given = flags->linear_gain || !flags->joint.empty();
    require<UsageError>(
        !command->run.resume || !task_given ||
            (model.config.task == base.config.task && model.config.joint_task == base.config.joint_task),
        "--resume cannot change the task from {} to {}", to_string(model.config.task), to_string(base.config.task));
    return command->train(model);
  };
  return {app, run};
}

}  // namespace eddy
