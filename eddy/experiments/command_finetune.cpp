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
  std::string from;
  bool linear_gain = false;
  std::string joint;

  TrainingTask task() const {
    if (linear_gain) return TrainingTask::label_gain;
    return joint.empty() ? TrainingTask::classifier : TrainingTask::joint;
  }
};

/// By name or by what it leads to; the file may be gone by now.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return a == b || std::filesystem::equivalent(a, b, error);
}

/// Architecture, vocabulary and lengths of the pretrained model; dropouts and all else of the defaults.
ModelFile base_on(const std::string& from, const ModelFile& defaults) {
  const ModelFile pretrained = read_model_file(from);
  ModelFile base = defaults;
  const TextModelConfig& source = pretrained.config.model;
  TextModelConfig& model = base.config.model;
  model.vocabulary_size = source.vocabulary_size;
  model.embedding_size = source.embedding_size;
  model.encoder.cell = source.encoder.cell;
  model.encoder.hidden_size = source.encoder.hidden_size;
  model.encoder.layers = source.encoder.layers;
  model.encoder.reverse = source.encoder.reverse;
  model.encoder.forget_bias = source.encoder.forget_bias;
  model.encoder.clip_cell = source.encoder.clip_cell;
  model.bidirectional = source.bidirectional;
  model.normalize_embeddings = source.normalize_embeddings;
  model.tied_softmax = source.tied_softmax;
  base.config.max_length = pretrained.config.max_length;
  base.config.keep_last = pretrained.config.keep_last;
  base.text = pretrained.text;
  base.text.label_names.clear();
  base.from = from;
  return base;
}

void check_architecture(const ModelFile& base, const ModelFile& model) {
  const TextModelConfig& a = base.config.model;
  const TextModelConfig& b = model.config.model;
  const auto same = [&](std::string_view flag, auto from, auto wanted) {
    require<UsageError>(from == wanted, "{} is {}, but {} has {}; leave the flag out", flag, wanted, base.from, from);
  };
  same("--embedding", a.embedding_size, b.embedding_size);
  same("--hidden", a.encoder.hidden_size, b.encoder.hidden_size);
  same("--layers", a.encoder.layers, b.encoder.layers);
  same("--cell", name_of(a.encoder.cell), name_of(b.encoder.cell));
  same("--bidirectional", a.bidirectional, b.bidirectional);
  same("--normalize-embeddings", a.normalize_embeddings, b.normalize_embeddings);
  require<UsageError>(to_json(base.text.text) == to_json(model.text.text),
                      "the flags of group Tokens change how text becomes tokens, but the vocabulary is that of {}",
                      base.from);
}

}  // namespace

Command add_finetune_command(CLI::App& program, const CommandLine& line) {
  CLI::App* app =
      program.add_subcommand("finetune", "Train a text classifier on labelled text, from a pretrained model or anew");
  app->footer(std::string(kExamples));
  auto command = std::make_shared<TrainingCommand>(*app, line, finetune_defaults());
  auto flags = std::make_shared<FinetuneFlags>();
  app->add_option("--from", flags->from, "Pretrained model: its architecture, vocabulary and weights")
      ->type_name("FILE")
      ->group("Model");
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
  add_adversarial_flags(command->config);
  add_layer_flags(command->config);
  command->config.begin_group("Model");
  command->config.choice(
      "--transfer", [](TrainingConfig & c) -> auto& { return c.transferred; },
      "Of --from: all weights, or the words' embedding alone, the encoder (of the same size) anew");
  command->config.value(
      "--classifier-hidden", [](TrainingConfig & c) -> auto& { return c.model.classifier_hidden_size; },
      "Width of a layer before the classes; 0: none");
  command->config.value(
      "--classifier-dropout", [](TrainingConfig & c) -> auto& { return c.model.classifier_dropout; },
      "Dropout before the classes");
  command->config.choice(
      "--pooling", [](TrainingConfig & c) -> auto& { return c.model.pooling; }, "States the classifier sees");
  const auto run = [command, flags] {
    ModelFile base;
    base.config = finetune_defaults();
    if (!flags->from.empty() && !command->resume) base = base_on(flags->from, base);
    base.config.task = flags->task();
    base.config.joint_task = flags->joint == "sa" ? TrainingTask::autoencoder : TrainingTask::language_model;
    const ModelFile model = command->plan(base);
    require<UsageError>(is_classification(model.config.task), "{} trains no classifier; {} it with eddy pretrain",
                        command->origin(), command->resume ? "resume" : "use");
    require<UsageError>(!command->resume || flags->from.empty() || same_file(flags->from, model.from),
                        "--resume cannot change --from, which is {}",
                        model.from.empty() ? "none" : "\"" + model.from + "\"");
    if (!command->resume && !flags->from.empty()) check_architecture(base, model);
    require<UsageError>(command->resume || !flags->from.empty() || model.config.transferred == TransferredPart::all,
                        "--transfer {} needs --from", name_of(model.config.transferred));
    const bool task_given = flags->linear_gain || !flags->joint.empty();
    require<UsageError>(
        !command->resume || !task_given ||
            (model.config.task == base.config.task && model.config.joint_task == base.config.joint_task),
        "--resume cannot change the task from {} to {}", to_string(model.config.task), to_string(base.config.task));
    return command->train(model, !model.from.empty(), command->resume ? "" : model.from);
  };
  return {app, run};
}

}  // namespace eddy
