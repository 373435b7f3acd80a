// SPDX-License-Identifier: Apache-2.0
#include "tests/support/golden.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "eddy/core/error.h"

namespace eddy::test {
namespace {

GoldenArray read_array(const nlohmann::json& json) {
  if (json.is_null()) return {};
  const std::string dtype = json.at("dtype");
  GoldenArray array;
  array.type.dtype = dtype == "f32" ? f32 : dtype == "i32" ? i32 : boolean;
  const std::vector<std::int64_t> dims = json.at("shape");
  array.type.shape = Shape(std::span<const std::int64_t>(dims));
  for (const nlohmann::json& value : json.at("values"))
    array.values.push_back(value.is_boolean() ? static_cast<double>(value.get<bool>()) : value.get<double>());
  require<DataError>(static_cast<std::int64_t>(array.values.size()) == array.type.shape.elements(),
                     "a golden of {} has {} values", to_string(array.type), array.values.size());
  return array;
}

std::vector<GoldenArray> read_arrays(const nlohmann::json& json) {
  std::vector<GoldenArray> arrays;
  for (const nlohmann::json& item : json) arrays.push_back(read_array(item));
  return arrays;
}

}  // namespace

std::vector<Golden> read_goldens(const std::string& group) {
  const std::string path = "tests/goldens/" + group + ".json";
  std::ifstream file(path);
  require<DataError>(file.good(), "cannot read {}; run the tests from the root of the source tree", path);
  std::vector<Golden> goldens;
  const nlohmann::json json = nlohmann::json::parse(file);
  for (const auto& [name, data] : json.items())
    goldens.push_back({name, read_arrays(data.at("inputs")), read_arrays(data.at("outputs")),
                       read_arrays(data.at("weights")), read_arrays(data.at("gradients"))});
  return goldens;
}

Golden read_golden(const std::string& name) {
  for (Golden& golden : read_goldens(name.substr(0, name.find('/'))))
    if (golden.name == name) return std::move(golden);
  fail<DataError>("there is no golden '{}'", name);
}

}  // namespace eddy::test
