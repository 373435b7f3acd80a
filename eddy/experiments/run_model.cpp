// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/run_model.h"

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/data/unicode.h"
#include "eddy/experiments/finite_weights.h"
#include "eddy/experiments/run_weights.h"
#include "eddy/experiments/strict_json.h"
#include "eddy/experiments/text_trainer.h"
#include "eddy/experiments/text_trainer_optimizer.h"
#include "eddy/experiments/training_config_names.h"
#include "eddy/optimizers/caught_up_rows.h"

namespace eddy {

// Not in an unnamed namespace: the JSON templates find these by argument-dependent lookup.

template <class T>
concept IsRunProgress = std::same_as<std::remove_const_t<T>, RunProgress>;

void visit_members(IsRunProgress auto& progress, auto& visit) {
  visit_members_of_progress(progress, visit);
  visit_members_of_window(progress.window, visit);
}

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kKind = "eddy text model 1";

CheckpointMetadata make_metadata(const ModelFile& model) try {
  CheckpointMetadata metadata;
  metadata.config = to_json(model.config);
  metadata.vocabulary = model.text.vocabulary.tokens();
  metadata.vocabulary_counts = model.text.vocabulary.counts();
  metadata.position = to_json_text(model.progress);
  metadata.more["kind"] = std::string(kKind);
  metadata.more["text"] = to_json(model.text.text);
  if (!model.experiment.empty()) metadata.more["experiment"] = model.experiment;
  metadata.more["from"] = repaired_utf8(model.from);  // only told, never opened again
  metadata.more["data"] = to_json(model.data);
  metadata.more["labels"] = nlohmann::json(model.text.label_names).dump();
  return metadata;
} catch (const nlohmann::json::exception&) {
  fail<DataError>("the model cannot be saved: the name of a class or a path in it is not UTF-8");
}

std::vector<std::string> parse_labels(const std::string& text, const std::string& where) {
  std::vector<std::string> labels;
  try {
    labels = nlohmann::json::parse(text).get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    fail<DataError>("{}: the class names are not a JSON list of texts", where);
  }
  return labels;
}

ModelFile parse_metadata(const CheckpointMetadata& metadata, const fs::path& path) {
  const std::string where = path.string();
  const auto kind = metadata.more.find("kind");
  require<DataError>(kind == metadata.more.end() || kind->second != "seq2seq",
                     "{}: is an encoder-decoder; the commands for those are of eddy seq2seq", where);
  require<DataError>(
      kind != metadata.more.end(),
      "{}: holds weights alone, as the experiments on pairs and programs of one's own keep them; expected "
      "a model of eddy pretrain, eddy finetune or an experiment on texts",
      where);
  require<DataError>(kind->second == kKind, "{}: is no model of this program: its kind is \"{}\", expected \"{}\"",
                     where, kind->second, kKind);
  const auto entry = [&](const std::string& name) {
    const auto found = metadata.more.find(name);
    require<DataError>(found != metadata.more.end(), "{}: has no metadata \"{}\"", where, name);
    return found->second;
  };
  ModelFile model;
  model.config = training_config_from_json(metadata.config, where + ": config", older_files_config());
  model.data = data_config_from_json(entry("data"), where + ": data");
  model.text.text = text_config_from_json(entry("text"), where + ": text");
  model.from = entry("from");
  if (const auto made_by = metadata.more.find("experiment"); made_by != metadata.more.end())
    model.experiment = made_by->second;
  model.text.label_names = parse_labels(entry("labels"), where);
  try {
    model.text.vocabulary = Vocabulary::from_lists(metadata.vocabulary, metadata.vocabulary_counts);
  } catch (const Error& error) {
    fail<DataError>("{}: vocabulary: {}", where, error.what());
  }
  model.config.model.word_counts = model.text.vocabulary.counts();
  from_json_text(metadata.position, where + ": position", model.progress);
  const std::int64_t tokens = model.text.vocabulary.size();
  require<DataError>(model.config.model.vocabulary_size == tokens, "{}: config says {}, the vocabulary has {}", where,
                     counted(model.config.model.vocabulary_size, "token"), tokens);
  const auto labels = static_cast<std::int64_t>(model.text.label_names.size());
  require<DataError>(!is_classification(model.config.task) || model.config.model.classes == labels,
                     "{}: config says {}, but names {}", where, counted(model.config.model.classes, "class", "classes"),
                     labels);
  return model;
}

/// A checkpoint may hold moving averages beside the weights; those are what the run's output would hold.
void use_averages(ParameterStore& store) {
  for (const std::shared_ptr<Variable>& variable : store.all())
    if (const auto average = store.find("ema/" + variable->name); average && variable->trainable)
      variable->value.copy_from(average->value);
}

fs::path with_suffix(const fs::path& output, std::string_view suffix) {
  fs::path stem = output;
  if (stem.extension() == ".safetensors") stem.replace_extension();
  return fs::path(stem.string() + std::string(suffix));
}

}  // namespace

TransferReport transfer_pretrained(const ParameterStore& from, ParameterStore& store, const TrainingConfig& config) {
  TransferOptions options;
  if (config.transferred == TransferredPart::embedding) options.only = {"embedding"};
  return transfer(from, store, options);
}

void require_text_model(const fs::path& where, const TrainingConfig& config) {
  require<UsageError>(config.row_width == 0,
                      "{}: is of rows of {}, such as images (row_width); expected a model of texts", where.string(),
                      counted(config.row_width, "number"));
}

void check_savable(const ModelFile& model) {
  for (const std::string& token : model.text.vocabulary.tokens())
    require<DataError>(find_invalid_utf8(token) == std::string::npos,
                       "the model cannot be saved: its token \"{}\" is not UTF-8", repaired_utf8(token));
  make_metadata(model);
}

void save_model(const fs::path& path, const ParameterStore& store, const ModelFile& model) {
  // Times and where the log stands are left out, so that equal runs give equal files.
  ModelFile file = model;
  file.progress.seconds = 0;
  file.progress.window = {};
  save_weights(path, store, make_metadata(file));
}

void save_run(const fs::path& path, const ParameterStore& store, const ModelFile& model) {
  save_checkpoint(path, store, make_metadata(model));
}

ModelFile read_model_file(const fs::path& path) { return parse_metadata(read_checkpoint_metadata(path), path); }

namespace {

/// Training writes no other weights; nothing can be made of them.
void require_finite(const fs::path& path, const ParameterStore& store) {
  const std::string wrong = non_finite_weight(store);
  require<DataError>(wrong.empty(), "{}: {}", path.string(), wrong);
}

}  // namespace

LoadedModel load_model(const fs::path& path) {
  const CheckpointMetadata metadata = read_checkpoint_metadata(path);
  LoadedModel loaded{parse_metadata(metadata, path), std::make_unique<ParameterStore>(metadata.seed)};
  load_weights(path, *loaded.store,
               [&](ParameterStore& store) { create_parameters(store, loaded.file.config, Mode::infer); });
  use_averages(*loaded.store);
  require_finite(path, *loaded.store);
  bring_rows_up_to_date(*loaded.store, make_optimizer(loaded.file.config));
  return loaded;
}

std::string describe_model(const TrainingConfig& config, std::int64_t parameters) {
  const TextModelConfig& model = config.model;
  const std::string read = config.row_width > 0 ? fmt::format("rows of {}", counted(config.row_width, "number"))
                                                : fmt::format("embedding {}, vocabulary {}", model.embedding_size,
                                                              grouped(model.vocabulary_size));
  return fmt::format("{}: {}{} {} × {}, {}{}, {} parameters", to_string(config.task),
                     model.bidirectional ? "bidirectional " : "", name_of(model.encoder.cell), model.encoder.layers,
                     model.encoder.hidden_size, read,
                     model.classes > 0 ? ", " + counted(model.classes, "class", "classes") : "", grouped(parameters));
}

fs::path checkpoint_path(const fs::path& output) { return with_suffix(output, ".checkpoint.safetensors"); }
fs::path scheduled_path(const fs::path& output) { return with_suffix(output, ".scheduled.safetensors"); }
fs::path log_path(const fs::path& output) { return with_suffix(output, ".log.jsonl"); }

}  // namespace eddy
