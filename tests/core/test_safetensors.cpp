// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <bit>
#include <cstring>
#include <limits>

#include "eddy/core/error.h"
#include "eddy/core/random.h"
#include "eddy/core/safetensors.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

/// A file with this header and data, the header unpadded.
std::string raw_file(const std::string& header, const std::string& data) {
  const std::uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
}

std::string error_of(const std::filesystem::path& path) {
  try {
    const SafetensorsReader reader(path);
    for (const SafetensorsEntry& entry : reader.entries()) reader.read(entry.name);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  return std::string(reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T));
}

std::vector<NamedTensor> examples() {
  Tensor flags(boolean, {5});
  flags.values<bool>()[1] = flags.values<bool>()[4] = true;
  std::vector<float> numbers(6);
  for (std::size_t i = 0; i < 6; ++i) numbers[i] = 0.5f * static_cast<float>(i) - 1;
  return {{"weights/\"ü\\\n", Tensor::from(numbers, {2, 3})},
          {"flags", flags},
          {"empty", Tensor(f32, {0, 7})},
          {"step", Tensor::scalar(std::int32_t{-42})},
          {"also empty", Tensor(boolean, {0})}};
}

TEST_CASE("tensors and metadata survive a round trip") {
  const TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  const std::map<std::string, std::string> metadata{
      {"config", "{\"a\": 1}"}, {"vocabulary", "naïve\n語\t\"x\""}, {"", ""}};
  const auto tensors = examples();
  write_safetensors(path, tensors, metadata);
  const SafetensorsReader reader(path);
  CHECK(reader.metadata() == metadata);
  CHECK(reader.entries().size() == tensors.size());
  for (const NamedTensor& tensor : tensors) {
    CAPTURE(tensor.name);
    REQUIRE(reader.find(tensor.name) != nullptr);
    CHECK(reader.find(tensor.name)->type() == tensor.value.type());
    CHECK(same_bits(reader.read(tensor.name), tensor.value));
  }
  CHECK(reader.find("absent") == nullptr);
  CHECK_THROWS_AS(reader.read("absent"), DataError);
  CHECK_THROWS_AS(reader.read_into("step", Tensor(f32, {})), DataError);
}

TEST_CASE("the layout is the one other readers expect") {
  const TemporaryFolder folder;
  write_safetensors(folder / "a", examples());
  const std::string bytes = slurp(folder / "a");
  std::uint64_t size = 0;
  std::memcpy(&size, bytes.data(), 8);
  CHECK(size % 8 == 0);
  CHECK(bytes[8] == '{');
  CHECK(bytes.find("__metadata__") == std::string::npos);
  CHECK(bytes.size() == 8 + size + 24 + 4 + 5);  // f32[2,3], a scalar, five booleans
  const SafetensorsReader reader(folder / "a");
  for (const SafetensorsEntry& entry : reader.entries()) CHECK(entry.offset % size_of(entry.element) == 0);
}

TEST_CASE("a file of no tensors is read and written") {
  const TemporaryFolder folder;
  write_safetensors(folder / "a", {}, {{"k", "v"}});
  const SafetensorsReader reader(folder / "a");
  CHECK(reader.entries().empty());
  CHECK(reader.metadata().at("k") == "v");
  spit(folder / "b", raw_file("{}", ""));
  CHECK(SafetensorsReader(folder / "b").entries().empty());
}

TEST_CASE("every bit pattern survives, the payloads of NaN too") {
  const TemporaryFolder folder;
  Tensor patterns(f32, {4096});
  Philox random(1);
  for (float& value : patterns.values<float>()) {
    const std::uint32_t bits = random();
    value = std::bit_cast<float>(bits % 3 == 0 ? bits | 0x7f800001u : bits);
  }
  patterns.values<float>()[0] = std::bit_cast<float>(0x7fa12345u);  // signalling
  patterns.values<float>()[1] = -0.0f;
  write_safetensors(folder / "a", std::vector<NamedTensor>{{"x", patterns}});
  CHECK(same_bits(SafetensorsReader(folder / "a").read("x"), patterns));
}

TEST_CASE("other element types are converted exactly or refused") {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& dtype, std::size_t count, const std::string& data) {
    spit(folder / "a", raw_file(fmt::format(R"({{"x":{{"dtype":"{}","shape":[{}],"data_offsets":[0,{}]}}}})", dtype,
                                            count, data.size()),
                                data));
    return SafetensorsReader(folder / "a").read("x");
  };
  const auto floats = [](const Tensor& t) {
    return std::vector<float>(t.values<float>().begin(), t.values<float>().end());
  };
  const auto ints = [](const Tensor& t) {
    return std::vector<std::int32_t>(t.values<std::int32_t>().begin(), t.values<std::int32_t>().end());
  };
  CHECK(floats(read("F64", 3, bytes_of({1.5, -0.1, 1e300}))) ==
        std::vector<float>{1.5f, -0.1f, std::numeric_limits<float>::infinity()});
  // 1, -2, 65504 (largest), 2^-24 (smallest), 2^-14 (smallest normal), infinity
  CHECK(floats(read("F16", 6, bytes_of<std::uint16_t>({0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x7c00}))) ==
        std::vector<float>{1, -2, 65504, 0x1p-24f, 0x1p-14f, std::numeric_limits<float>::infinity()});
  CHECK(std::bit_cast<std::uint32_t>(floats(read("F16", 1, bytes_of<std::uint16_t>({0xfe01})))[0]) == 0xffc02000u);
  CHECK(std::bit_cast<std::uint32_t>(floats(read("F16", 1, bytes_of<std::uint16_t>({0x8000})))[0]) == 0x80000000u);
  CHECK(floats(read("BF16", 2, bytes_of<std::uint16_t>({0x3f80, 0xc049}))) == std::vector<float>{1, -3.140625f});
  CHECK(ints(read("I64", 2, bytes_of<std::int64_t>({-2147483648LL, 2147483647LL}))) ==
        std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()});
  CHECK(ints(read("U8", 2, bytes_of<std::uint8_t>({0, 255}))) == std::vector<std::int32_t>{0, 255});
  CHECK(ints(read("I8", 1, bytes_of<std::int8_t>({-128}))) == std::vector<std::int32_t>{-128});
  CHECK(ints(read("I16", 1, bytes_of<std::int16_t>({-300}))) == std::vector<std::int32_t>{-300});
  CHECK(ints(read("U16", 1, bytes_of<std::uint16_t>({65535}))) == std::vector<std::int32_t>{65535});
  CHECK(ints(read("U32", 1, bytes_of<std::uint32_t>({7}))) == std::vector<std::int32_t>{7});
  CHECK_THROWS_WITH_AS(read("I64", 2, bytes_of<std::int64_t>({0, 2147483648LL})),
                       doctest::Contains("tensor 'x': element 1 is 2147483648, which does not fit in i32"), DataError);
  CHECK_THROWS_AS(read("U32", 1, bytes_of<std::uint32_t>({0x80000000u})), DataError);
  CHECK_THROWS_WITH_AS(read("BOOL", 3, std::string("\0\1\2", 3)), doctest::Contains("element 2 is 2"), DataError);
  CHECK_THROWS_WITH_AS(read("F8_E4M3", 1, "x"), doctest::Contains("dtype 'F8_E4M3', which is not supported"),
                       DataError);
  // Longer than one piece of the conversion.
  std::string many;
  for (int i = 0; i < 300'000; ++i) many += bytes_of<std::int64_t>({i});
  const auto long_result = ints(read("I64", 300'000, many));
  for (int i = 0; i < 300'000; ++i) REQUIRE(long_result[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("malformed headers are refused with the reason") {
  const TemporaryFolder folder;
  const std::string eight(8, 'd');
  const std::string x = R"("x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const auto tensor = [](const std::string& body) { return R"({"x":{)" + body + "}}"; };
  struct Case {
    std::string header, data, expected;
  };
  const Case cases[] = {
      {"[]", "", "must begin with '{'"},
      {" {}", "", "must begin with '{'"},
      {"", "", "must begin with '{'"},
      {"{", "", "not valid JSON"},
      {"{} x", "", "not valid JSON"},
      {"{" + x + ",}", eight, "not valid JSON"},
      {R"({"a":1})", "", "'a' must be an object, not the number 1"},
      {R"({"a":[]})", "", "'a' must be an object, not an array"},
      {"{" + x + "," + x + "}", eight, "the name 'x' stands twice"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", "", "metadata 'a' stands twice"},
      {R"({"__metadata__":{"a":1}})", "", "metadata 'a' must be text"},
      {R"({"__metadata__":{"a":{}}})", "", "metadata 'a' must be text"},
      {R"({"__metadata__":null})", "", "must be an object, not null"},
      {tensor(R"("dtype":"F32","shape":[2])"), eight, "lacks 'data_offsets'"},
      {tensor(R"("shape":[2],"data_offsets":[0,8])"), eight, "lacks 'dtype'"},
      {tensor(R"("dtype":"F32","data_offsets":[0,8])"), eight, "lacks 'shape'"},
      {tensor(R"("dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8])"), eight,
       "'dtype' of tensor 'x' stands twice"},
      {tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8],"color":1)"), eight, "unknown field 'color'"},
      {tensor(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])"), eight, "whole numbers from 0, not the number -2"},
      {tensor(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])"), eight, "whole numbers from 0"},
      {tensor(R"("dtype":"F32","shape":[[2]],"data_offsets":[0,8])"), eight, "whole numbers from 0, not an array"},
      {tensor(R"("dtype":"F32","shape":2,"data_offsets":[0,8])"), eight,
       "'shape' of tensor 'x' cannot be the number 2"},
      {tensor(R"("dtype":7,"shape":[2],"data_offsets":[0,8])"), eight, "'dtype' of tensor 'x' cannot be the number 7"},
      {tensor(R"("dtype":["F32"],"shape":[2],"data_offsets":[0,8])"), eight,
       "'dtype' of tensor 'x' cannot be an array"},
      {tensor(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8])"), eight, "has 9 axes"},
      {tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8])"), eight, "is too large"},
      {tensor(R"("dtype":"F32","shape":[0,9223372036854775807,4],"data_offsets":[0,0])"), "", "is too large"},
      {tensor(R"("dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8])"), eight, "whole numbers from 0"},
      {tensor(R"("dtype":"F32","shape":[2],"data_offsets":[8])"), eight, "has 1 data_offsets instead of 2"},
      {tensor(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"), eight, "before its begin"},
      {tensor(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])"), eight, "needs 12 bytes, but its offsets span 8"},
      {tensor(R"("dtype":"F32","shape":[2],"data_offsets":[4,12])"), eight, "but the file has only 8"},
      {tensor(R"("dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,18446744073709551615])"), eight,
       "needs 8 bytes"},
      {tensor(R"("dtype":"F32","shape":[2],"data_offsets":[18446744073709551600,18446744073709551608])"), eight,
       "only 8"},
      {tensor(R"("dtype":"F32","shape":[2],"data_offsets":[4,12])"), "xxxx" + eight, "bytes belong to no tensor"},
      {R"({"y":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},)" + x + "}", eight, "tensors overlap"},
      {"{" + x + "}", eight + "z", "describes 8 bytes of data, but 9 follow"},
      {"{" + x + "}", "short", "but the file has only 5"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.header);
    spit(folder / "a", raw_file(c.header, c.data));
    const std::string message = error_of(folder / "a");
    CAPTURE(message);
    CHECK(message.find(c.expected) != std::string::npos);
    CHECK(message.find((folder / "a").string()) == 0);
  }
  spit(folder / "a", "1234567");
  CHECK(error_of(folder / "a").find("has 7 bytes") != std::string::npos);
  spit(folder / "a", bytes_of<std::uint64_t>({100'000'001}) + std::string(100, ' '));
  CHECK(error_of(folder / "a").find("at most 100000000") != std::string::npos);
  spit(folder / "a", bytes_of<std::uint64_t>({50}) + "{}");
  CHECK(error_of(folder / "a").find("should take 50 bytes, but only 2 follow") != std::string::npos);
}

TEST_CASE("deeply nested headers are refused at once") {
  const TemporaryFolder folder;
  spit(folder / "a", raw_file("{\"x\":" + std::string(2'000'000, '['), ""));
  CHECK(error_of(folder / "a").find("must be an object") != std::string::npos);
}

TEST_CASE("truncated and flipped files give an error or a load, never a crash") {
  const TemporaryFolder folder;
  const auto path = folder / "a";
  write_safetensors(path, examples(), {{"config", "{}"}});
  const std::string good = slurp(path);
  for (std::size_t length = 0; length < good.size(); ++length) {
    spit(path, good.substr(0, length));
    REQUIRE(error_of(path) != "no error");
  }
  Philox random(7);
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string bad = good;
    const int flips = 1 + static_cast<int>(uniform_index(random, 3));
    for (int i = 0; i < flips; ++i) bad[uniform_index(random, bad.size())] = static_cast<char>(random());
    spit(path, bad);
    if (error_of(path) != "no error") ++refused;
  }
  CHECK(refused > 1000);
}

TEST_CASE("what cannot be written is refused and leaves no file") {
  const TemporaryFolder folder;
  const Tensor one = Tensor::scalar(1.0f);
  const auto write = [&](std::vector<NamedTensor> tensors, std::map<std::string, std::string> metadata = {}) {
    write_safetensors(folder / "a", tensors, metadata);
  };
  CHECK_THROWS_AS(write({{"x", one}, {"x", one}}), DataError);
  CHECK_THROWS_AS(write({{"__metadata__", one}}), DataError);
  CHECK_THROWS_AS(write({{"\xff", one}}), DataError);
  CHECK_THROWS_AS(write({{"x", one}}, {{"k", "\xc3"}}), DataError);
  CHECK_THROWS_AS(write({{"x", Tensor()}}), DataError);
  CHECK(folder.files() == 0);
}

}  // namespace
}  // namespace eddy
