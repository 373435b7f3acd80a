// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "eddy/core/random.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Arguments joined(Arguments first, const Arguments& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

Arguments replaced(Arguments first, const Arguments& second) {
  for (const std::string& flag : second)
    if (const auto at = std::ranges::find(first, flag); flag.starts_with("--") && at != first.end())
      first.erase(at, at + 2);
  return joined(std::move(first), second);
}

ProgramResult succeed(const Arguments& arguments, const std::string& input) {
  ProgramResult result = run_eddy(arguments, input);
  INFO(result.err);
  REQUIRE(result.status == 0);
  return result;
}

ProgramResult run_eddy(const Arguments& arguments, const std::string& input,
                       const std::function<void(int process)>& meanwhile) {
  return run_program(joined({EDDY_PROGRAM}, arguments), input, meanwhile);
}

ProgramResult run_shell(const TestFolder& folder, const std::string& command) {
  const std::string setting = fmt::format("cd '{}' && EDDY='{}' && ", folder.path(""), EDDY_PROGRAM);
  return run_program({"/bin/bash", "-c", setting + "(" + command + ")"});
}

ProgramResult run_program(Arguments words, const std::string& input,
                          const std::function<void(int process)>& meanwhile) {
  const TestFolder folder;
  folder.write("in", input);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    setenv("XDG_CACHE_HOME", folder.path("cache").c_str(), 1);
    const int in = open(folder.path("in").c_str(), O_RDONLY);
    const int out = open(folder.path("out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err = open(folder.path("err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    // Under nohup, or in the background of a shell, these are ignored, and that would be handed on.
    for (const int ignored : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE}) std::signal(ignored, SIG_DFL);
    execv(argv[0], argv.data());
    _exit(127);
  }
  if (meanwhile) meanwhile(child);
  int status = 0;
  waitpid(child, &status, 0);
  ProgramResult result;
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = folder.read("out");
  result.err = folder.read("err");
  return result;
}

TestFolder::TestFolder() {
  static std::atomic<int> count = 0;
  folder_ = fs::temp_directory_path() / fmt::format("eddy_cli_{}_{}", getpid(), count++);
  fs::create_directories(folder_);
}

TestFolder::~TestFolder() {
  std::error_code error;
  fs::remove_all(folder_, error);
}

void TestFolder::write(const std::string& name, const std::string& text) const {
  std::ofstream(folder_ / name, std::ios::binary) << text;
}

std::string TestFolder::read(const std::string& name) const { return contents(folder_ / name); }

std::string labelled_lines(int count, int seed) {
  constexpr std::array<const char*, 3> classes = {"animal", "plant", "stone"};
  constexpr std::array<std::array<const char*, 2>, 3> telling = {
      {{"runs", "barks"}, {"grows", "blooms"}, {"lies", "rolls"}}};
  constexpr std::array<const char*, 8> others = {"the", "a", "small", "one", "here", "today", "often", "again"};
  Philox random(static_cast<std::uint64_t>(seed));
  std::string lines;
  for (int i = 0; i < count; ++i) {
    const auto label = uniform_index(random, 3);
    const auto length = 2 + uniform_index(random, 9);
    const auto place = uniform_index(random, length);
    lines += fmt::format("{}\t", classes[label]);
    for (std::uint64_t t = 0; t < length; ++t)
      lines += fmt::format("{}{}", t == 0 ? "" : " ",
                           t == place ? telling[label][uniform_index(random, 2)] : others[uniform_index(random, 8)]);
    lines += "\n";
  }
  return lines;
}

std::string text_lines(int count, int seed) {
  std::istringstream lines(labelled_lines(count, seed));
  std::string texts;
  for (std::string line; std::getline(lines, line);) texts += line.substr(line.find('\t') + 1) + "\n";
  return texts;
}

void write_headlines(const TestFolder& folder, const std::string& name) {
  fs::create_directories(folder.path(name));
  folder.write(name + "/vocab", "_PAD\n_GO\n_EOS\n_UNK\na\nb\nc\nd\n");
  for (const std::string part : {"train", "dev", "test"}) {
    folder.write(name + "/content-" + part + ".txt", "a b c d\nb c d a\nc c d\n");
    folder.write(name + "/title-" + part + ".txt", "a b\nb c\nc\n");
  }
}

}  // namespace eddy
