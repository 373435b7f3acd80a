// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/cifar10.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::NamedTexts;
using test::Packing;
using test::TemporaryFolder;

namespace {

/// An image of a class whose byte at (plane, row, column) is (10 plane + 3 row + column + class) mod 256.
std::string record(int label) {
  std::string bytes(1, static_cast<char>(label));
  for (int plane = 0; plane < 3; ++plane)
    for (int row = 0; row < 32; ++row)
      for (int column = 0; column < 32; ++column)
        bytes.push_back(static_cast<char>((100 * plane + 3 * row + column + label) % 256));
  return bytes;
}

NamedTexts images() {
  return {{"cifar/batches.meta.txt", "airplane\ncat\n\n"},
          {"cifar/data_batch_2.bin", record(0)},
          {"cifar/data_batch_1.bin", record(1) + record(0)},
          {"cifar/test_batch.bin", record(1)},
          {"cifar/readme.html", "x"}};
}

std::string problem(const NamedTexts& files) {
  const TemporaryFolder folder;
  test::write_archive(folder / "cifar.tar", files, Packing::tar);
  return error_of<DataError>([&] { read_cifar10(folder / "cifar.tar"); });
}

}  // namespace

TEST_CASE("CIFAR-10 images become rows of red, green and blue") {
  const TemporaryFolder folder;
  test::write_archive(folder / "cifar.tar.xz", images(), Packing::tar_xz);
  const Cifar10 data = read_cifar10(folder / "cifar.tar.xz");
  CHECK(data.label_names == std::vector<std::string>{"airplane", "cat"});
  REQUIRE(data.train.size() == 3);
  REQUIRE(data.test.size() == 1);
  CHECK(data.train.id(0) == "data_batch_1:0");
  CHECK(data.train.id(2) == "data_batch_2:0");
  CHECK(data.train.label(0) == 1);
  CHECK(data.train.label(1) == 0);
  const auto numbers = data.train.document(0);
  REQUIRE(numbers.size() == kCifarRows * kCifarRow);
  for (int row = 0; row < 32; ++row)
    for (int plane = 0; plane < 3; ++plane)
      for (int column = 0; column < 32; ++column)
        CHECK(numbers[static_cast<std::size_t>(row * kCifarRow + plane * 32 + column)] ==
              (100 * plane + 3 * row + column + 1) % 256);
}

TEST_CASE("CIFAR-10 files that are cut, missing or of unknown classes are refused") {
  NamedTexts files = images();
  files[2].second.pop_back();
  CHECK(contains(problem(files), "data_batch_1.bin: holds 6,145 bytes, expected records of 3073"));
  files[2].second = record(2);
  CHECK(contains(problem(files), "image 0 is of class 2, expected less than 2"));
  files.erase(files.begin() + 3);
  CHECK(contains(problem(files), "holds no file test_batch.bin"));
}

}  // namespace eddy
