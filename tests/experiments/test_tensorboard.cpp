// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/experiments/tensorboard.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

/// CRC-32C bit by bit, as polynomial division.
std::uint32_t plain_crc(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
  }
  return crc ^ 0xffffffffu;
}

std::uint32_t plain_mask(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

/// Takes bytes from the front of a text.
struct Bytes {
  std::string_view left;

  std::string_view take(std::size_t count) {
    REQUIRE(left.size() >= count);
    const std::string_view front = left.substr(0, count);
    left.remove_prefix(count);
    return front;
  }
  template <class T>
  T number() {
    T value{};
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = number<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
};

/// A protobuf message: what each field number holds, in order; numbers as their bytes.
std::multimap<std::uint64_t, std::string> fields(std::string_view message) {
  std::multimap<std::uint64_t, std::string> found;
  for (Bytes bytes{message}; !bytes.left.empty();) {
    const std::uint64_t tag = bytes.varint();
    std::string value;
    switch (tag & 7) {
      case 0:
        value = std::to_string(bytes.varint());
        break;
      case 1:
        value = bytes.take(8);
        break;
      case 2:
        value = bytes.take(bytes.varint());
        break;
      case 5:
        value = bytes.take(4);
        break;
      default:
        FAIL("wire type ", tag & 7);
    }
    found.emplace(tag >> 3, value);
  }
  return found;
}

template <class T>
T as(const std::string& bytes) {
  REQUIRE(bytes.size() == sizeof(T));
  T value{};
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

/// The events of a file, every checksum compared.
std::vector<std::multimap<std::uint64_t, std::string>> read_events(const std::string& file) {
  std::vector<std::multimap<std::uint64_t, std::string>> events;
  for (Bytes bytes{file}; !bytes.left.empty();) {
    const std::string_view length = bytes.take(8);
    CHECK(bytes.number<std::uint32_t>() == plain_mask(plain_crc(length)));
    const std::string_view event = bytes.take(Bytes{length}.number<std::uint64_t>());
    CHECK(bytes.number<std::uint32_t>() == plain_mask(plain_crc(event)));
    events.push_back(fields(event));
  }
  return events;
}

TEST_CASE("CRC-32C has the check value of the standard") {
  const std::string_view digits = "123456789";
  CHECK(crc32c(std::as_bytes(std::span(digits))) == 0xe3069283u);
  CHECK(crc32c({}) == 0);
}

TEST_CASE("event files read back record by record") {
  const TemporaryFolder folder;
  double seconds = 1.7e9;
  TensorBoardWriter writer(folder / "logs", 0, [&] { return seconds; });
  seconds += 2.5;
  writer.write(300, {{"loss", 1.25}, {"übung", -3}});
  CHECK(writer.path().filename().string().starts_with("events.out.tfevents.1700000000."));
  const auto events = read_events(slurp(writer.path()));
  REQUIRE(events.size() == 2);
  CHECK(events[0].find(3)->second == "brain.Event:2");
  CHECK(as<double>(events[1].find(1)->second) == 1.7e9 + 2.5);
  CHECK(events[1].find(2)->second == "300");
  const auto values = fields(events[1].find(5)->second);
  REQUIRE(values.count(1) == 2);
  auto value = values.begin();
  CHECK(fields(value->second).find(1)->second == "loss");
  CHECK(as<float>(fields(value->second).find(2)->second) == 1.25f);
  ++value;
  CHECK(fields(value->second).find(1)->second == "übung");
  CHECK(as<float>(fields(value->second).find(2)->second) == -3);
}

TEST_CASE("a resumed run takes back the events of lost steps") {
  const TemporaryFolder folder;
  const TensorBoardWriter writer(folder / "logs", 41, [] { return 1.0; });
  const auto events = read_events(slurp(writer.path()));
  REQUIRE(events.size() == 2);
  CHECK(events[1].find(2)->second == "42");
  CHECK(fields(events[1].find(7)->second).find(1)->second == "1");
}

TEST_CASE("a folder that cannot be made is an error that names it") {
  const TemporaryFolder folder;
  spit(folder / "file", "");
  CHECK_THROWS_WITH_AS(TensorBoardWriter(folder / "file"), doctest::Contains("file"), DataError);
}

TEST_CASE("a writer that cannot be made leaves no file open") {
  const TemporaryFolder folder;
  const auto open_files = [] {
    const std::filesystem::directory_iterator begin("/proc/self/fd");
    return std::distance(begin, std::filesystem::directory_iterator());
  };
  const auto before = open_files();
  int calls = 0;
  const auto broken_clock = [&calls] { return ++calls < 2 ? 1.0 : throw DataError("no time"); };
  CHECK_THROWS_WITH_AS(TensorBoardWriter(folder / "logs", 0, broken_clock), "no time", DataError);
  CHECK(open_files() == before);
}

}  // namespace
}  // namespace eddy
