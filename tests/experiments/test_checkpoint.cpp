// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <bit>
#include <cstring>

#include "eddy/core/file.h"
#include "eddy/core/safetensors.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/run_model.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

ParameterStore make_store(std::uint64_t seed = 5) {
  ParameterStore store(seed);
  store.get("embedding/table", {f32, {7, 3}}, normal(1.0f));
  store.get("lstm/weights", {f32, {3, 8}}, glorot_uniform(4));
  store.get("adam/m/lstm/weights", {f32, {3, 8}}, uniform(0.1f), /*trainable=*/false);
  store.get("step", {i32, {}}, zeros(), /*trainable=*/false)->value.values<std::int32_t>()[0] = 1234;
  store.get("flags", {boolean, {3}}, zeros(), /*trainable=*/false)->value.values<bool>()[1] = true;
  return store;
}

CheckpointMetadata make_metadata() {
  CheckpointMetadata metadata;
  metadata.config = R"({"hidden": 256})";
  metadata.vocabulary = {"<unk>", "<eos>", "naïve", "\"quoted\"\t", "語"};
  metadata.vocabulary_counts = {9, 8, 7, 6, 5'000'000'000};
  metadata.position = R"({"epoch": 2, "batch": 17})";
  metadata.random_state = "philox 5 17";
  metadata.more = {{"config", "not the other"}, {"note", "line\nbreak"}};
  metadata.seed = 5;
  return metadata;
}

void check_equal(const ParameterStore& a, const ParameterStore& b) {
  REQUIRE(a.all().size() == b.all().size());
  for (const auto& variable : a.all()) {
    CAPTURE(variable->name);
    const auto other = b.find(variable->name);
    REQUIRE(other != nullptr);
    CHECK(other->trainable == variable->trainable);
    REQUIRE(other->value.type() == variable->value.type());
    CHECK(std::memcmp(other->value.data(), variable->value.data(), variable->value.bytes()) == 0);
  }
}

TEST_CASE("a store and its metadata come back bit for bit") {
  const TemporaryFolder folder;
  const auto path = folder / "run.safetensors";
  ParameterStore store = make_store();
  store.find("lstm/weights")->value.values<float>()[5] = std::bit_cast<float>(0x7fa0beefu);
  save_checkpoint(path, store, make_metadata());
  CHECK(read_checkpoint_metadata(path) == make_metadata());

  CHECK(read_checkpoint_arithmetic(path) == arithmetic_facts());

  ParameterStore empty(99);
  CHECK(load_checkpoint(path, empty) == make_metadata());
  check_equal(store, empty);

  // Programs hold the address of a value: it must be filled in place.
  ParameterStore other = make_store(6);
  const void* address = other.find("lstm/weights")->value.data();
  load_checkpoint(path, other, Restore::exact);
  CHECK(other.find("lstm/weights")->value.data() == address);
  check_equal(store, other);

  // Saving what was loaded gives the same file.
  ParameterStore same_seed(5);
  const CheckpointMetadata metadata = load_checkpoint(path, same_seed);
  save_checkpoint(folder / "again.safetensors", same_seed, metadata);
  CHECK(slurp(folder / "again.safetensors") == slurp(path));
}

TEST_CASE("no metadata is needed") {
  const TemporaryFolder folder;
  save_checkpoint(folder / "a", ParameterStore(3));
  CheckpointMetadata expected;
  expected.seed = 3;
  CHECK(read_checkpoint_metadata(folder / "a") == expected);
}

TEST_CASE("what does not fit is listed in full and changes nothing") {
  const TemporaryFolder folder;
  const auto path = folder / "run.safetensors";
  save_checkpoint(path, make_store());
  ParameterStore store(1);
  store.get("embedding/table", {f32, {9, 3}}, zeros());
  store.get("step", {i32, {}}, zeros(), /*trainable=*/true);
  store.get("extra", {f32, {1}}, zeros());
  store.get("lstm/weights", {f32, {3, 8}}, zeros());
  std::string message;
  try {
    load_checkpoint(path, store, Restore::exact);
  } catch (const DataError& error) {
    message = error.what();
  }
  for (const std::string part :
       {"'embedding/table' is f32[7,3] in the file, but f32[9,3] in the model",
        "'step' is not trainable in the file, but trainable in the model", "'extra' is not in the file",
        "'adam/m/lstm/weights' is not in the model", "'flags' is not in the model", "run.safetensors"}) {
    CAPTURE(message);
    CHECK(message.find(part) != std::string::npos);
  }
  CHECK(store.all().size() == 4);
  CHECK(store.find("lstm/weights")->value.values<float>()[0] == 0);
  // Making what is missing does not excuse the rest.
  CHECK_THROWS_AS(load_checkpoint(path, store), DataError);
  CHECK(store.all().size() == 4);
}

TEST_CASE("a checkpoint that cannot be taken whole changes nothing") {
  const TemporaryFolder folder;
  const auto path = folder / "run.safetensors";
  const ParameterStore saved = make_store();
  save_checkpoint(path, saved);
  SUBCASE("a sealed store lacks a variable") {
    ParameterStore store(1);
    store.get("lstm/weights", {f32, {3, 8}}, zeros());
    store.seal();
    CHECK_THROWS_WITH_AS(load_checkpoint(path, store), doctest::Contains("'step' is not in the model, whose store"),
                         DataError);
    CHECK(store.find("lstm/weights")->value.values<float>()[0] == 0);
  }
  SUBCASE("a boolean is neither 0 nor 1") {
    std::string bytes = read_file(path);
    bytes.back() = 2;  // the smallest elements come last
    write_atomically(path, bytes);
    ParameterStore store = make_store(6);
    CHECK_THROWS_AS(load_checkpoint(path, store), DataError);
    check_equal(store, make_store(6));
  }
}

TEST_CASE("files that are no checkpoint are refused") {
  const TemporaryFolder folder;
  const auto path = folder / "a";
  const std::vector<NamedTensor> none;
  const auto refuse = [&](const std::map<std::string, std::string>& fields, const char* expected) {
    write_safetensors(path, none, fields);
    CHECK_THROWS_WITH_AS(read_checkpoint_metadata(path), doctest::Contains(expected), DataError);
    ParameterStore store;
    CHECK_THROWS_AS(load_checkpoint(path, store), DataError);
  };
  std::map<std::string, std::string> good{{"format", "eddy checkpoint"}, {"format_version", "1"}, {"seed", "1"}};
  write_safetensors(path, none, good);
  CHECK(read_checkpoint_metadata(path).seed == 1);
  refuse({}, "no eddy checkpoint");
  refuse({{"format", "pt"}}, "no eddy checkpoint");
  const auto with = [&](const std::string& key, const std::string& value) {
    auto fields = good;
    fields[key] = value;
    return fields;
  };
  refuse(with("format_version", "2"), "version '2'");
  refuse(with("seed", "x"), "'seed'");
  refuse(with("seed", "99999999999999999999"), "'seed'");
  refuse(with("vocabulary", "[1]"), "'vocabulary'");
  refuse(with("vocabulary", "[\"a\""), "'vocabulary'");
  refuse(with("vocabulary_counts", "[1]"), "0 tokens in its vocabulary, but 1 count");
  write_safetensors(path, none, with("not_trainable", "[\"ghost\"]"));
  CHECK_THROWS_WITH_AS(read_checkpoint_variables(path), doctest::Contains("names 'ghost'"), DataError);
  spit(path, "damaged");
  CHECK_THROWS_AS(read_checkpoint_metadata(path), DataError);
}

TEST_CASE("damaged checkpoints give an error or a load, never a crash") {
  const TemporaryFolder folder;
  const auto path = folder / "a";
  save_checkpoint(path, make_store(), make_metadata());
  const std::string good = slurp(path);
  const auto survives = [&](const std::string& bytes) {
    spit(path, bytes);
    ParameterStore store;
    try {
      load_checkpoint(path, store);
      return true;
    } catch (const DataError&) {
      return false;
    }
  };
  for (std::size_t length = 0; length < good.size(); length += 3) REQUIRE_FALSE(survives(good.substr(0, length)));
  Philox random(2);
  for (int round = 0; round < 1500; ++round) {
    std::string bad = good;
    bad[uniform_index(random, bad.size())] = static_cast<char>(random());
    survives(bad);
  }
}

TEST_CASE("bad metadata is refused before the old file is touched") {
  const TemporaryFolder folder;
  const auto path = folder / "a";
  save_checkpoint(path, make_store(), make_metadata());
  const std::string before = slurp(path);
  CheckpointMetadata metadata = make_metadata();
  metadata.config = "{";
  CHECK_THROWS_AS(save_checkpoint(path, make_store(), metadata), UsageError);
  metadata = make_metadata();
  metadata.vocabulary_counts.pop_back();
  CHECK_THROWS_AS(save_checkpoint(path, make_store(), metadata), UsageError);
  metadata = make_metadata();
  metadata.vocabulary[2] = "\xff";
  CHECK_THROWS_AS(save_checkpoint(path, make_store(), metadata), DataError);
  CHECK(slurp(path) == before);
  CHECK(folder.files() == 1);
}

TEST_CASE("weights are transferred by name with a report") {
  const TemporaryFolder folder;
  ParameterStore source = make_store();
  source.get("softmax/weights", {f32, {3, 7}}, normal(1.0f));
  source.get("old/name", {f32, {2}}, constant_value(2.0f));
  save_checkpoint(folder / "lm", source);
  TransferOptions options;
  options.names = {{"old/name", "new/name"}};
  options.prefixes = {{"lstm/", "classifier/encoder/"}, {"", "classifier/"}};

  for (const bool from_file : {false, true}) {
    ParameterStore target(77);
    target.get("classifier/embedding/table", {f32, {9, 3}}, zeros());
    target.get("classifier/encoder/weights", {f32, {3, 8}}, zeros());
    target.get("classifier/output", {f32, {3, 2}}, constant_value(4.0f));
    target.get("new/name", {f32, {2}}, zeros());
    target.get("step", {i32, {}}, zeros(), /*trainable=*/false);
    const TransferReport report =
        from_file ? transfer(folder / "lm", target, options) : transfer(source, target, options);
    REQUIRE(report.transferred.size() == 2);
    CHECK(report.transferred[0].source == "lstm/weights");
    CHECK(report.transferred[0].target == "classifier/encoder/weights");
    CHECK(report.transferred[1].target == "new/name");
    CHECK(report.missing_in_source == std::vector<std::string>{"classifier/output"});
    CHECK(report.unused_in_source == std::vector<std::string>{"softmax/weights"});
    REQUIRE(report.mismatches.size() == 1);
    CHECK(report.mismatches[0].target == "classifier/embedding/table");
    CHECK(std::memcmp(target.find("classifier/encoder/weights")->value.data(),
                      source.find("lstm/weights")->value.data(), 96) == 0);
    CHECK(target.find("classifier/output")->value.values<float>()[0] == 4);
    CHECK(target.find("classifier/embedding/table")->value.values<float>()[0] == 0);
    CHECK(target.find("step")->value.values<std::int32_t>()[0] == 0);
    const std::string table = to_string(report);
    CHECK(table.find("2 transferred (26 values), 1 not in the source, 1 of another type, 1 unused") !=
          std::string::npos);
    CHECK(table.find("kept: embedding/table is f32[7,3] in the source") != std::string::npos);
    CHECK(table.find("transferred from lstm/weights") != std::string::npos);
  }
}

TEST_CASE("weights go to and come from plain safetensors files") {
  const TemporaryFolder folder;
  const ParameterStore source = make_store();
  save_weights(folder / "weights", source);
  const SafetensorsReader reader(folder / "weights");
  for (const auto& variable : source.all()) CHECK((reader.find(variable->name) != nullptr) == variable->trainable);
  // As another program would have written them.
  std::vector<NamedTensor> tensors;
  for (const SafetensorsEntry& entry : reader.entries()) tensors.push_back({entry.name, reader.read(entry.name)});
  write_safetensors(folder / "plain", tensors);
  ParameterStore target(77);
  for (const auto& variable : source.all())
    if (variable->trainable) target.get(variable->name, variable->value.type(), zeros());
  const TransferReport report = transfer(folder / "plain", target);
  CHECK(report.transferred.size() == tensors.size());
  CHECK(report.missing_in_source.empty());
  for (const auto& variable : target.all())
    CHECK(std::memcmp(variable->value.data(), source.find(variable->name)->value.data(), variable->value.bytes()) == 0);
  CHECK_THROWS_AS(load_checkpoint(folder / "plain", target), DataError);
}

TEST_CASE("a transfer of the embedding alone leaves all else as it is, and out of the report") {
  TrainingConfig config;
  config.transferred = TransferredPart::embedding;
  ParameterStore target(77);
  target.get("embedding/table", {f32, {7, 3}}, zeros());
  target.get("lstm/weights", {f32, {3, 8}}, constant_value(4.0f));
  const TransferReport report = transfer_pretrained(make_store(), target, config);
  REQUIRE(report.transferred.size() == 1);
  CHECK(report.transferred[0].target == "embedding/table");
  CHECK(report.unused_in_source.empty());
  CHECK(report.missing_in_source.empty());
  CHECK(target.find("embedding/table")->value.values<float>()[0] != 0);
  CHECK(target.find("lstm/weights")->value.values<float>()[0] == 4);
}

TEST_CASE("a transfer of two sources to one target is refused; untrainable state goes along on request") {
  ParameterStore source(1);
  source.get("a/w", {f32, {1}}, zeros());
  source.get("b/w", {f32, {1}}, zeros());
  source.get("count", {i32, {}}, zeros(), false)->value.values<std::int32_t>()[0] = 3;
  ParameterStore target(1);
  target.get("count", {i32, {}}, zeros(), false);
  TransferOptions options;
  options.prefixes = {{"a/", "c/"}, {"b/", "c/"}};
  CHECK_THROWS_WITH_AS(transfer(source, target, options), doctest::Contains("to 'c/w'"), UsageError);
  options.prefixes.clear();
  options.trainable_only = false;
  CHECK(transfer(source, target, options).transferred.size() == 1);
  CHECK(target.find("count")->value.values<std::int32_t>()[0] == 3);
}

}  // namespace
}  // namespace eddy
