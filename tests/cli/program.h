// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace eddy {

/// How a child process ended, and what it said.
struct ProgramResult {
  int status = -1;  ///< exit status; 128 + signal when a signal ended it
  std::string out;
  std::string err;
};

using Arguments = std::vector<std::string>;

Arguments joined(Arguments first, const Arguments& second);
/// The same, where flags of the second list, which take one value, stand in place of those of the first.
Arguments replaced(Arguments first, const Arguments& second);

/// Runs the built `eddy` with these arguments and standard input. `meanwhile` is called with its process id.
ProgramResult run_eddy(const Arguments& arguments, const std::string& input = {},
                       const std::function<void(int process)>& meanwhile = {});
/// The same for any program: its path, then its arguments.
ProgramResult run_program(Arguments words, const std::string& input = {},
                          const std::function<void(int process)>& meanwhile = {});

/// The same where nothing may go wrong: the test ends with what was said otherwise.
ProgramResult succeed(const Arguments& arguments, const std::string& input = {});

/// A fresh folder that goes away with the object.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& text) const;
  std::string read(const std::string& name) const;
  bool has(const std::string& name) const { return std::filesystem::exists(folder_ / name); }

 private:
  std::filesystem::path folder_;
};

/// Runs a shell command in the folder; "$EDDY" is the program.
ProgramResult run_shell(const TestFolder& folder, const std::string& command);

/// "class TAB text" lines; one word of each text tells its class.
std::string labelled_lines(int count, int seed);
/// Texts alone.
std::string text_lines(int count, int seed);
/// A corpus for the experiment textsum.
void write_headlines(const TestFolder& folder, const std::string& name);

}  // namespace eddy
