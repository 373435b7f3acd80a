// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/classification_settings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "eddy/core/error.h"
#include "eddy/experiments/architecture.h"
#include "eddy/experiments/classification_presets.h"
#include "eddy/experiments/run_model.h"
#include "eddy/experiments/strict_json.h"
#include "eddy/experiments/training_config_names.h"

namespace eddy {
namespace {

using Json = nlohmann::json;

std::vector<TrainingConfig*> configs_of(ClassificationOptions& options, std::string_view where) {
  TrainingConfig *lm = &options.language_model, *sa = &options.autoencoder, *pa = &options.pooled_autoencoder;
  TrainingConfig *pretrained = &options.classifier, *perturbed = &options.classifier_perturbed;
  const auto every = [](const auto& configs) { return std::vector<TrainingConfig*>(configs.begin(), configs.end()); };
  if (where == "lm") return {lm};
  if (where == "sa") return {sa};
  if (where == "pa") return {pa};
  if (where == "pretraining") return every(options.pretrainings());
  if (where == "pretrained") return {pretrained, perturbed};
  if (where == "perturbed") return {perturbed};
  if (where == "scratch") return {&options.classifier_scratch};
  if (where == "classifiers") return every(options.classifiers());
  require<UsageError>(
      where == "all",
      "\"{}\" is no config; expected lm, sa, pa, pretraining, pretrained, perturbed, scratch, classifiers or all",
      where);
  return every(options.configs());
}

/// A member of a config that the experiment sets, and what it goes by.
struct DecidedElsewhere {
  const char* key;
  std::string_view by;
};
constexpr std::array<DecidedElsewhere, 9> kDecidedElsewhere = {
    {{"/seed", "--seed and --seeds say"},
     {"/task", "--rows says"},
     {"/joint_task", "--rows says, with lm-joint and sa-joint"},
     {"/model/bidirectional", "--rows says, with -bi"},
     {"/model/vocabulary_size", "--vocabulary and the data say"},
     {"/model/classes", "the data says"},
     {"/row_width", "the data says"},
     {"/validation_fraction", "the experiment says, the same for all rows"},
     {"/validation_by_group", "the data set says"}}};

bool holds(const Json& json, const char* key) { return json.contains(Json::json_pointer(key)); }

void refuse_decided(const Json& json, std::string_view setting) {
  for (const DecidedElsewhere& decided : kDecidedElsewhere)
    require<UsageError>(!holds(json, decided.key), "setting \"{}\": {} is what {}", setting,
                        std::string_view(decided.key).substr(std::string_view(decided.key).rfind('/') + 1), decided.by);
}

/// A config with how it is named in a setting.
struct NamedConfig {
  std::string name;
  TrainingConfig config;
};

NamedConfig named_pretraining(const ClassificationOptions& options, const ClassificationRow& row) {
  switch (row.pretraining) {
    case Pretraining::language_model:
      return {"lm", row.pretrained(options.language_model)};
    case Pretraining::pooled_autoencoder:
      return {"pa", row.pretrained(options.pooled_autoencoder)};
    default:
      return {"sa", row.pretrained(options.autoencoder)};
  }
}

/// What the row's classifier is made of.
NamedConfig base_of_classifier(const ClassificationOptions& options, const ClassificationRow& row) {
  if (row.pretraining == Pretraining::none) return {"scratch", options.classifier_scratch};
  if (row.perturbation == Perturbation::none) return {"pretrained", options.classifier};
  return {"perturbed", options.classifier_perturbed};
}

/// What the row's trainings are made of, as it is named in a setting.
std::vector<std::string> configs_of(const ClassificationOptions& options, const ClassificationRow& row) {
  std::vector<std::string> names = {base_of_classifier(options, row).name};
  if (row.pretraining != Pretraining::none) names.push_back(named_pretraining(options, row).name);
  if (row.after_language_model) names.emplace_back("lm");
  return names;
}

/// Whether a setting that begins with `where` is laid over that config.
bool reaches(std::string_view where, std::string_view name) {
  if (where == "pretraining") return name == "lm" || name == "sa" || name == "pa";
  if (where == "pretrained") return name == "pretrained" || name == "perturbed";
  return where == name || where == "classifiers" || where == "all";
}

NamedConfig named_classifier(const ClassificationOptions& options, const ClassificationRow& row) {
  NamedConfig base = base_of_classifier(options, row);
  return {base.name, row.classifier(std::move(base.config))};
}

/// `to` begins with the weights of `from`; of another shape, or used otherwise, they would be lost without a word.
void check_same_architecture(const NamedConfig& from, const NamedConfig& to) {
  const auto difference = architecture_difference(from.config, to.config);
  if (!difference) return;
  fail<UsageError>(
      "{0}.model.{1} is {2}, but {3}.model.{1}, which begins with those weights, is {4}; expected one value", from.name,
      difference->member, difference->from, to.name, difference->to);
}

/// What makes a model of that task; none: not such a task.
Pretraining pretraining_of(TrainingTask task) {
  if (task == TrainingTask::language_model) return Pretraining::language_model;
  return task == TrainingTask::pooled_autoencoder ? Pretraining::pooled_autoencoder : Pretraining::none;
}

TrainingConfig& config_from(ClassificationOptions& options) {
  const bool pooled = options.from_pretraining == Pretraining::pooled_autoencoder;
  return pooled ? options.pooled_autoencoder : options.language_model;
}

/// The model that the options begin with.
NamedConfig named_beginning(const ClassificationOptions& options) {
  return {options.from.string(), read_model_file(options.from).config};
}

/// The row's classifier and all of its pretraining.
void check_row(const ClassificationOptions& options, const ClassificationRow& row) {
  const Perturbation set = base_of_classifier(options, row).config.adversarial.kind;
  require<UsageError>(row.perturbation == Perturbation::none || set == Perturbation::none || set == row.perturbation,
                      "adversarial.kind is set to {}, but the row's name says {}; expected one of them", name_of(set),
                      name_of(row.perturbation));
  NamedConfig later = named_classifier(options, row);
  check(later.config);
  require<UsageError>(!options.refit || later.config.optimizer.schedule.kind != ScheduleKind::plateau,
                      "{}.optimizer.schedule.kind is plateau, which goes by the validation loss, but the tested model "
                      "trains with the validation part; expected another",
                      later.name);
  if (row.pretraining == Pretraining::none) return;
  for (std::optional<ClassificationRow> step = row; step; step = step->before_pretraining()) {
    if (begins_as_it_is(options, *step)) return check_same_architecture(named_beginning(options), later);
    NamedConfig earlier = named_pretraining(options, *step);
    check(earlier.config);
    check_same_architecture(earlier, later);
    later = std::move(earlier);
  }
  if (!options.from.empty() && pretraining_of(later.config.task) == options.from_pretraining)
    check_same_architecture(named_beginning(options), later);
}

/// "optimizer.learning_rate" with its value as {"optimizer": {"learning_rate": value}}.
Json nested(std::string_view names, Json value, std::string_view setting) {
  const std::size_t dot = names.rfind('.');
  const std::string_view last = names.substr(dot == std::string_view::npos ? 0 : dot + 1);
  require<UsageError>(!last.empty(),
                      "setting \"{}\": a name in its key is empty; expected WHERE.KEY=VALUE, as in "
                      "lm.epochs=3",
                      setting);
  Json json = Json::object();
  json[std::string(last)] = std::move(value);
  if (dot == std::string_view::npos) return json;
  return nested(names.substr(0, dot), std::move(json), setting);
}

/// A name may do without quotes.
Json value_of_setting(std::string_view value, std::string_view setting) {
  if (!Json::accept(value)) return Json(value);
  try {
    return parse_strictly(value, fmt::format("setting \"{}\"", setting));
  } catch (const DataError& error) {
    fail<UsageError>("{}", error.what());
  }
}

TrainingConfig with_setting(const TrainingConfig& config, const Json& json, std::string_view setting) {
  try {
    const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    return training_config_from_json(text, fmt::format("setting \"{}\"", setting), config);
  } catch (const DataError& error) {
    // The JSON is a flag's, not a file's.
    fail<UsageError>("{}", error.what());
  }
}

}  // namespace

void apply_setting(ClassificationOptions& options, std::string_view setting) {
  const std::size_t dot = setting.find('.'), equals = setting.find('=');
  require<UsageError>(dot != std::string_view::npos && equals != std::string_view::npos && dot < equals,
                      "setting \"{}\": expected WHERE.KEY=VALUE, as in lm.epochs=3", setting);
  const Json json =
      nested(setting.substr(dot + 1, equals - dot - 1), value_of_setting(setting.substr(equals + 1), setting), setting);
  refuse_decided(json, setting);
  for (TrainingConfig* config : configs_of(options, setting.substr(0, dot))) {
    *config = with_setting(*config, json, setting);
    check(*config);
    require<UsageError>(
        !holds(json, "/optimizer/schedule/decay_steps") || config->optimizer.schedule.kind != ScheduleKind::cosine,
        "setting \"{}\": a cosine ends with the last step, as epochs and max_steps say; expected "
        "another schedule.kind before",
        setting);
  }
}

void require_used(const ClassificationOptions& options, std::string_view setting) {
  const std::string_view where = setting.substr(0, setting.find('.'));
  const bool used = std::ranges::any_of(options.rows, [&](const ClassificationRow& row) {
    return std::ranges::any_of(configs_of(options, row), [&](std::string_view name) { return reaches(where, name); });
  });
  std::vector<std::string> rows;
  for (const ClassificationRow& row : options.rows) rows.push_back(row.key);
  require<UsageError>(used, "setting \"{}\" does nothing: no row of {} trains by {}", setting, fmt::join(rows, ","),
                      where);
}

TrainingConfig classifier_config(const ClassificationOptions& options, const ClassificationRow& row) {
  return named_classifier(options, row).config;
}

TrainingConfig pretraining_config(const ClassificationOptions& options, const ClassificationRow& row) {
  return named_pretraining(options, row).config;
}

void begin_with(ClassificationOptions& options, const std::filesystem::path& model) {
  const ModelFile file = read_model_file(model);
  require_text_model(model, file.config);
  options.from_pretraining = pretraining_of(file.config.task);
  require<UsageError>(options.from_pretraining != Pretraining::none,
                      "{}: is a model of task {}; expected a language model or pooled autoencoder to begin with",
                      model.string(), to_string(file.config.task));
  options.from = model;
  options.text = file.text.text;
  const bool features = options.from_pretraining == Pretraining::pooled_autoencoder;
  for (TrainingConfig* config : options.configs()) {
    take_architecture(file.config.model, config->model);
    if (features) take_features(file.config.model, config->model);
  }
  for (TrainingConfig* config : configs_of(options, "pretraining")) {
    config->model.adaptive_cutoffs = file.config.model.adaptive_cutoffs;
    config->model.tied_softmax = file.config.model.tied_softmax;
    if (config->model.tied_softmax || !config->model.adaptive_cutoffs.empty()) config->model.softmax_samples = 0;
    fit_to_vocabulary(config->model, file.config.model.vocabulary_size);
  }
  config_from(options).epochs = 0;
}

bool begins_as_it_is(const ClassificationOptions& options, const ClassificationRow& row) {
  return !options.from.empty() && row.pretraining == options.from_pretraining &&
         named_pretraining(options, row).config.epochs == 0;
}

void check_rows(const ClassificationOptions& options) {
  if (!options.from.empty())
    require<UsageError>(to_json(read_model_file(options.from).text.text) == to_json(options.text),
                        "how texts become tokens is said by {}, with the words it knows; leave the flags for that out",
                        options.from.string());
  for (const ClassificationRow& row : options.rows) try {
      check_row(options, row);
    } catch (const UsageError& error) {
      fail<UsageError>("row \"{}\": {}", row.key, error.what());
    }
}

}  // namespace eddy
