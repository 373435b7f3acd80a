// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/cifar10.h"

#include <string_view>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/data/source.h"
#include "eddy/data/text_lines.h"

namespace eddy {
namespace {

constexpr std::size_t kSide = kCifarRows, kPlane = kSide * kSide, kRecord = 1 + 3 * kPlane;

void append(const NamedText& file, std::string_view stem, std::size_t classes, CorpusArrays& arrays) {
  const std::string& bytes = file.contents;
  require<DataError>(!bytes.empty() && bytes.size() % kRecord == 0,
                     "{}: holds {}, expected records of {} bytes (class, red, green, blue)", file.name,
                     counted(std::ssize(bytes), "byte"), kRecord);
  for (std::size_t i = 0; i < bytes.size() / kRecord; ++i) {
    const std::string_view record = std::string_view(bytes).substr(i * kRecord, kRecord);
    const auto label = static_cast<unsigned char>(record[0]);
    require<DataError>(label < classes, "{}: image {} is of class {}, expected less than {}", file.name, i, label,
                       classes);
    for (std::size_t row = 0; row < kSide; ++row)
      for (std::size_t plane = 0; plane < 3; ++plane)
        for (std::size_t column = 0; column < kSide; ++column)
          arrays.tokens.push_back(static_cast<unsigned char>(record[1 + plane * kPlane + row * kSide + column]));
    arrays.end_document(label, fmt::format("{}:{}", stem, i));
  }
}

}  // namespace

Cifar10 read_cifar10(const std::filesystem::path& source) {
  // In the order of their names, so that the batches are.
  const auto files = read_files_by_name(source, [](std::string_view name) {
    const std::string_view file = last_parts(name, 1);
    return file == "batches.meta.txt" || file == "test_batch.bin" ||
           (file.starts_with("data_batch_") && file.ends_with(".bin"));
  });
  for (const char* name : {"batches.meta.txt", "data_batch_1.bin", "test_batch.bin"})
    require<DataError>(files.contains(name), "{}: holds no file {}", source.string(), name);
  Cifar10 data;
  const NamedText& names = files.at("batches.meta.txt");
  for (Document& line : parse_text_lines(names.contents, names.name).documents)
    data.label_names.push_back(std::move(line.text));
  CorpusArrays train, test;
  for (const auto& [name, file] : files)
    if (name.ends_with(".bin"))
      append(file, std::string_view(name).substr(0, name.size() - 4), data.label_names.size(),
             name == "test_batch.bin" ? test : train);
  data.train = EncodedCorpus(std::move(train));
  data.test = EncodedCorpus(std::move(test));
  return data;
}

}  // namespace eddy
