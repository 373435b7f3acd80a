// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <time.h>

#include <bit>
#include <cstdlib>
#include <cstring>

#include "eddy/core/error.h"
#include "eddy/core/npy.h"
#include "eddy/core/random.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

std::string array_file(const std::string& literal, const std::string& data, int version = 1) {
  std::string file = "\x93NUMPY";
  file += {static_cast<char>(version), '\0'};
  file += {static_cast<char>(literal.size() & 0xff), static_cast<char>(literal.size() >> 8)};
  if (version > 1) file += std::string(2, '\0');
  return file + literal + data;
}

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  return std::string(reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T));
}

template <class T>
std::vector<T> list_of(const Tensor& tensor) {
  return std::vector<T>(tensor.values<T>().begin(), tensor.values<T>().end());
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

std::vector<NamedTensor> examples() {
  Tensor flags(boolean, {2, 2, 1});
  flags.values<bool>()[3] = true;
  const std::vector<float> numbers{1, -2, std::bit_cast<float>(0x7fc01234u)};
  Tensor random_values(f32, {300, 1000});
  Philox random(3);
  for (float& v : random_values.values<float>()) v = uniform_float(random, -1, 1);
  return {{"x", Tensor::from(numbers, {3})},
          {"flags", flags},
          {"scalar", Tensor::scalar(std::int32_t{-7})},
          {"empty", Tensor(f32, {0, 4})},
          {"folder/größe", random_values}};
}

TEST_CASE("npy: arrays survive a round trip") {
  const TemporaryFolder folder;
  for (const NamedTensor& tensor : examples()) {
    write_npy(folder / "a.npy", tensor.value);
    CHECK(same_bits(read_npy(folder / "a.npy"), tensor.value));
    const std::string bytes = slurp(folder / "a.npy");
    CHECK((bytes.size() - tensor.value.bytes()) % 64 == 0);
  }
  write_npy(folder / "a.npy", Tensor(f32, {3}));
  CHECK(slurp(folder / "a.npy").find("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }") == 10);
}

TEST_CASE("npy: what NumPy writes is read") {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& literal, const std::string& data, int version = 1) {
    spit(folder / "a.npy", array_file(literal, data, version));
    return read_npy(folder / "a.npy");
  };
  const std::string end = ", 'fortran_order': False, 'shape': (2,), }   \n";
  CHECK(list_of<float>(read("{'descr': '<f8'" + end, bytes_of({0.1, -2.0}))) == std::vector<float>{0.1f, -2});
  CHECK(list_of<float>(read("{'descr': '<f2'" + end, bytes_of<std::uint16_t>({0x3c00, 0xc000}))) ==
        std::vector<float>{1, -2});
  CHECK(list_of<std::int32_t>(read("{'descr': '<i8'" + end, bytes_of<std::int64_t>({5, -6}))) ==
        std::vector<std::int32_t>{5, -6});
  CHECK(list_of<std::int32_t>(read("{'descr': '|u1'" + end, "\x05\xff")) == std::vector<std::int32_t>{5, 255});
  CHECK(list_of<std::int32_t>(read("{'descr': '>i4'" + end, std::string("\0\0\1\0\xff\xff\xff\xfe", 8))) ==
        std::vector<std::int32_t>{256, -2});
  CHECK(list_of<std::int32_t>(read("{'descr': '>i2'" + end, std::string("\1\0\xff\xfe", 4))) ==
        std::vector<std::int32_t>{256, -2});
  // Other orders of the keys, other quotes, versions 2 and 3.
  for (const int version : {2, 3}) {
    CHECK(read(R"({"shape": (1, 2), "fortran_order": False, "descr": "<i4"})", bytes_of<std::int32_t>({5, -6}), version)
              .shape() == Shape{1, 2});
  }
  // [[1,2,3],[4,5,6]] column by column
  CHECK(list_of<std::int32_t>(read("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }\n",
                                   bytes_of<std::int32_t>({1, 4, 2, 5, 3, 6}))) ==
        std::vector<std::int32_t>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("npy: malformed files are refused with the reason") {
  const TemporaryFolder folder;
  const auto good = [](const std::string& descr, const std::string& shape) {
    return "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }\n";
  };
  const std::string data(8, '\0');
  struct Case {
    std::string bytes, expected;
  };
  std::string huge_header = array_file("", "", 2);
  huge_header[11] = '\x7f';
  const Case cases[] = {
      {"", "is no .npy array"},
      {"PK\3\4", "is no .npy array"},
      {"\x93NUMPY\x09" + std::string(20, '\0'), "version 9"},
      {huge_header, "is sane"},
      {array_file("", ""), "'{' is expected"},
      {array_file(good("'<f4'", "(2,)"), data).substr(0, 30), "should end at byte"},
      {array_file(good("'<c8'", "(1,)"), data), "type '<c8'"},
      {array_file(good("'|O'", "(1,)"), data), "type '|O'"},
      {array_file(good("''", "(1,)"), data), "type ''"},
      {array_file(good("'f4'", "(1,)"), data), "type 'f4'"},
      {array_file(good("[('a', '<f4')]", "(1,)"), data), "holds records"},
      {array_file(good("'<f4'", "(2)"), data), "',' is expected"},
      {array_file(good("'<f4'", "(-2,)"), data), "a size of the shape"},
      {array_file(good("'<f4'", "(1 2)"), data), "is expected"},
      {array_file(good("'<f4'", "(99999999999999999999,)"), data), "a size of the shape"},
      {array_file(good("'<f4'", "(4294967296, 4294967296)"), data), "too large"},
      {array_file(good("'<f4'", "(1, 1, 1, 1, 1, 1, 1, 1, 2)"), data), "9 axes"},
      {array_file(good("'<f4'", "(3,)"), data), "needs 12 bytes of elements, but 8 follow"},
      {array_file(good("'<f4'", "(1,)"), data), "needs 4 bytes of elements, but 8 follow"},
      {array_file("{'descr': '<f4', 'shape': (2,), }", data), "one each of"},
      {array_file("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", data), "one each of"},
      {array_file("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", data), "True or False"},
      {array_file("{'descr': '<f4, }", data), "closing quote"},
      {array_file(good("'<f4'", "(2,)") + "x", data), "nothing more"},
      {array_file(good("'|b1'", "(8,)"), "\1" + std::string(6, '\0') + "\5"), "element 7 is 5"},
      {array_file(good("'<i8'", "(1,)"), bytes_of<std::int64_t>({1LL << 40})), "does not fit in i32"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.bytes);
    spit(folder / "a.npy", c.bytes);
    CHECK_THROWS_WITH_AS(read_npy(folder / "a.npy"), doctest::Contains(c.expected.c_str()), DataError);
    CHECK_THROWS_WITH_AS(read_npy(folder / "a.npy"), doctest::Contains("a.npy: "), DataError);
  }
  CHECK_THROWS_AS(write_npy(folder / "b.npy", Tensor()), DataError);
}

TEST_CASE("npz: arrays survive a round trip, stored and deflated") {
  const TemporaryFolder folder;
  const auto tensors = examples();
  for (const NpzCompression compression : {NpzCompression::stored, NpzCompression::deflate}) {
    write_npz(folder / "a.npz", tensors, compression);
    const std::string bytes = slurp(folder / "a.npz");
    const auto found = read_npz(folder / "a.npz");
    REQUIRE(found.size() == tensors.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].name == tensors[i].name);
      CHECK(same_bits(found[i].value, tensors[i].value));
    }
    write_npz(folder / "a.npz", tensors, compression);
    CHECK(slurp(folder / "a.npz") == bytes);
  }
  CHECK(std::filesystem::file_size(folder / "a.npz") < 1'200'000);
  write_npz(folder / "b.npz", {});
  CHECK(read_npz(folder / "b.npz").empty());
}

TEST_CASE("npz: the bytes do not depend on the time zone") {
  const TemporaryFolder folder;
  const auto bytes_in = [&](const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
    write_npz(folder / "a.npz", std::vector<NamedTensor>{{"x", Tensor::scalar(1.0f)}});
    return slurp(folder / "a.npz");
  };
  const char* before = std::getenv("TZ");
  const std::string own = before != nullptr ? before : "";
  const std::string utc = bytes_in("UTC0");
  CHECK(bytes_in("XYZ+11") == utc);
  CHECK(bytes_in("XYZ-13") == utc);
  before != nullptr ? ::setenv("TZ", own.c_str(), 1) : ::unsetenv("TZ");
  ::tzset();
}

TEST_CASE("npz: truncated and flipped archives give an error or a load, never a crash") {
  const TemporaryFolder folder;
  auto tensors = examples();
  tensors.pop_back();
  const auto path = folder / "a.npz";
  for (const NpzCompression compression : {NpzCompression::stored, NpzCompression::deflate}) {
    write_npz(path, tensors, compression);
    const std::string good = slurp(path);
    for (std::size_t length = 0; length < good.size(); ++length) {
      spit(path, good.substr(0, length));
      // The end of a zip archive holds its directory: without it nothing is loaded, or all of it is.
      std::size_t loaded = tensors.size();
      try {
        loaded = read_npz(path).size();
      } catch (const DataError&) {
      }
      REQUIRE(loaded == tensors.size());
    }
    Philox random(11);
    int refused = 0;
    for (int round = 0; round < 2000; ++round) {
      std::string bad = good;
      bad[uniform_index(random, bad.size())] = static_cast<char>(random());
      spit(path, bad);
      try {
        read_npz(path);
      } catch (const DataError&) {
        ++refused;
      }
    }
    CHECK(refused > 100);
  }
}

TEST_CASE("npz: bad archives and names are refused") {
  const TemporaryFolder folder;
  spit(folder / "a.npz", "no archive at all");
  CHECK_THROWS_WITH_AS(read_npz(folder / "a.npz"), doctest::Contains("a.npz: "), DataError);
  CHECK_THROWS_WITH_AS(read_npz(folder / "none.npz"), doctest::Contains("No such file"), DataError);
  const Tensor one = Tensor::scalar(1.0f);
  CHECK_THROWS_AS(write_npz(folder / "b.npz", std::vector<NamedTensor>{{"x", one}, {"x", one}}), DataError);
  CHECK_THROWS_AS(write_npz(folder / "b.npz", std::vector<NamedTensor>{{"x", Tensor()}}), DataError);
  CHECK_THROWS_AS(write_npz(folder / "b.npz", std::vector<NamedTensor>{{std::string("a\0b", 3), one}}), DataError);
  CHECK_FALSE(std::filesystem::exists(folder / "b.npz"));
}

}  // namespace
}  // namespace eddy
