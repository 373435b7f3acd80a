// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace eddy {

/// The files of one part of an experiment, such as a model with its log. A key stands for the settings that made them.
struct PartFiles {
  struct File {
    std::filesystem::path here;   ///< may be a folder
    std::filesystem::path aside;  ///< its name in a folder of what is set aside
  };
  std::string name;              ///< in messages
  std::filesystem::path folder;  ///< of all parts
  /// In the order in which they are moved: what tells the key comes last, so that a kill halfway leaves the rest to be
  /// moved.
  std::vector<File> files;
  /// Names in a folder: the first of them that is there tells the key of all the files.
  std::vector<std::filesystem::path> tellers;
  /// The key that such a file tells; a DataError when it tells none, as one of another version: it then fits nothing.
  std::function<std::string(const std::filesystem::path& teller)> key_of;
};

/// Sets the files aside when another key made them, and brings back those that this one made, so that no change of
/// settings loses what took long to make. Throws DataError. No two at a time with the same folder.
void choose_part_files(const PartFiles& part, const std::string& key);

}  // namespace eddy
