// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/wordnet_parts.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "eddy/core/file.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/run_model.h"

namespace eddy {
namespace {

using Json = nlohmann::ordered_json;

Json to_json_value(const RunRecord& record) {
  Json curve = Json::array();
  for (const CurvePoint& point : record.curve) curve.push_back({point.epoch, point.train_loss, point.validation});
  return {{"row", record.row},
          {"seed", record.seed},
          {"labels", record.labels},
          {"test_error", record.test_error},
          {"validation", record.validation},
          {"best_epoch", record.best_epoch},
          {"seconds", record.seconds},
          {"tokens_per_second", record.tokens_per_second},
          {"curve", std::move(curve)}};
}

RunRecord from_json_value(const Json& json) {
  RunRecord record;
  json.at("row").get_to(record.row);
  json.at("seed").get_to(record.seed);
  json.at("labels").get_to(record.labels);
  json.at("test_error").get_to(record.test_error);
  json.at("validation").get_to(record.validation);
  json.at("best_epoch").get_to(record.best_epoch);
  json.at("seconds").get_to(record.seconds);
  json.at("tokens_per_second").get_to(record.tokens_per_second);
  for (const Json& point : json.at("curve"))
    record.curve.push_back({point.at(0).get<double>(), point.at(1).get<double>(), point.at(2).get<double>()});
  return record;
}

}  // namespace

bool FinishedParts::load(const std::string& part, const TrainingConfig& config, RunRecord& record,
                         ParameterStore* store) const {
  std::ifstream file(folder_ / (part + ".json"));
  if (!file) return false;
  const Json json = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  try {
    if (json.is_discarded() || json.at("data") != data_ || json.at("config") != Json::parse(to_json(config)))
      return false;
    const RunRecord found = from_json_value(json.at("record"));
    if (store != nullptr) load_checkpoint(folder_ / (part + ".safetensors"), *store);
    record = found;
    return true;
  } catch (const Json::exception&) {
    return false;  // written by another version
  } catch (const DataError& error) {
    fmt::print("{}: its weights cannot be used, so it is done again: {}\n", part, error.what());
    return false;
  }
}

void FinishedParts::save(const std::string& part, const TrainingConfig& config, const RunRecord& record,
                         const ParameterStore& store) const {
  std::filesystem::create_directories(folder_);
  ModelFile model{.config = config, .data = {}, .text = vocabulary_, .from = {}, .progress = {}};
  model.data.path = "wordnet";
  model.data.format = DataFormat::wordnet;
  save_model(folder_ / (part + ".safetensors"), store, model);
  const Json json{{"data", data_}, {"config", Json::parse(to_json(config))}, {"record", to_json_value(record)}};
  write_atomically(folder_ / (part + ".json"), json.dump(1));
}

void FinishedParts::clear() const { std::filesystem::remove_all(folder_); }

}  // namespace eddy
