// SPDX-License-Identifier: Apache-2.0
// What is written: never over what is read, never by two runs at once, and never lost without a word.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "eddy/core/file.h"
#include "eddy/core/tile_product.h"
#include "program.h"

namespace eddy {
namespace {

const Arguments kSmall = {"--hidden", "8", "--embedding", "8", "--batch", "4", "--no-cache", "--threads", "1"};

Arguments pretrain(const TestFolder& folder, const std::string& output, const Arguments& more = {}) {
  return joined(joined({"pretrain", "--data", folder.path("texts.txt"), "--output", folder.path(output)}, kSmall),
                more);
}

/// Of a run that goes on until it is stopped, but not for ever.
const Arguments kLong = {"--epochs", "1000000", "--patience", "0", "--log-steps", "1", "--max-seconds", "300"};

/// Waits until the run has written lines of its log.
void wait_for_steps(const TestFolder& folder, const std::string& log, int process) {
  while (std::ranges::count(folder.read(log), '\n') < 3 && kill(process, 0) == 0) usleep(1000);
}

}  // namespace

std::string spanish_pairs() {
  std::string pairs;
  for (int i = 0; i < 40; ++i) pairs += "one two three\tuno dos tres\nfour five\tcuatro cinco\nsix seven\tseis siete\n";
  return pairs;
}

Arguments train_pairs(const std::string& data, const std::string& output) {
  return {"seq2seq",     "train", "--data",      data, "--output", output, "--hidden",     "8",
          "--embedding", "8",     "--batch",     "8",  "--steps",  "2",    "--validation", "1",
          "--test",      "1",     "--min-count", "1",  "--quiet"};
}

TEST_CASE("what a command reads is not replaced by what it writes") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(30, 1));
  folder.write("train.tsv", labelled_lines(30, 2));
  succeed(pretrain(folder, "lm.safetensors", {"--max-steps", "2", "--report", folder.path("rep1")}));
  succeed(pretrain(folder, "lm2.safetensors", {"--max-steps", "2", "--report", folder.path("rep2")}));
  const std::string model = folder.path("lm.safetensors"), texts = folder.path("texts.txt");
  std::filesystem::create_symlink(model, folder.path("link"));
  const auto refused = [&](const Arguments& arguments, const std::string& part) {
    const ProgramResult result = run_eddy(arguments);
    INFO(result.err);
    CHECK(result.status == 2);
    CHECK(result.err.find(part) != std::string::npos);
  };
  const std::string before = folder.read("lm.safetensors"), corpus = folder.read("texts.txt"),
                    page = folder.read("rep1/index.html");
  for (const std::string& output : {model, folder.path("link"), folder.path("./lm.safetensors")}) {
    refused({"inspect", "-m", model, "--graph", output}, "--graph would replace");
    refused({"inspect", "-m", model, "--trace", output}, "--trace would replace");
    for (const std::string flag : {"--trace", "--chart", "--program"})
      refused({"profile", "-m", model, flag, output}, flag + " would replace");
  }
  refused({"report", folder.path("rep1"), folder.path("rep2"), "-o", folder.path("rep1/")}, "one of the reports");
  refused({"report", folder.path("rep1/report.json"), folder.path("rep2"), "-o", folder.path("rep1")},
          "one of the reports");
  refused({"pretrain", "-d", texts, "-o", texts, "--overwrite"}, "is no model, so --overwrite does not replace it");
  refused(
      {"finetune", "--from", model, "-d", folder.path("train.tsv"), "--label-column", "0", "-o", model, "--overwrite"},
      "--output would replace");
  refused({"finetune", "--from", folder.path("lm.checkpoint.safetensors"), "-d", folder.path("train.tsv"),
           "--label-column", "0", "-o", model, "--overwrite"},
          "--output would replace");
  CHECK(folder.read("lm.safetensors") == before);
  CHECK(folder.read("texts.txt") == corpus);
  CHECK(folder.read("rep1/index.html") == page);
  // Nor is another file of the user's.
  for (const std::string& other : {texts, folder.path("lm2.safetensors")}) {
    refused({"inspect", "-m", model, "--graph", other}, "exists and is not a graph as text, so it is not replaced");
    for (const std::string command : {"inspect", "profile"})
      refused({command, "-m", model, "--trace", other}, "exists and is not a Chrome trace, so it is not replaced");
    refused({"profile", "-m", model, "--chart", other}, "exists and is not an SVG picture, so it is not replaced");
    refused({"profile", "-m", model, "--program", other}, "exists and is not a program as text, so");
  }
  refused({"profile", "-m", model, "--chart", folder.path("p.PNG")}, "expected a name that ends in .svg");
  folder.write("empty", "");
  for (const std::string name : {"trace.json", "empty"})
    for (int time = 0; time < 2; ++time)
      succeed({"profile", "-m", model, "--runs", "1", "--trace", folder.path(name), "--chart", folder.path("chart.svg"),
               "--program", folder.path("program.txt")});
  for (int time = 0; time < 2; ++time)
    succeed({"inspect", "-m", model, "--graph", folder.path("graph.dot"), "--trace", folder.path("trace.json")});
  refused({"inspect", "-m", model, "--trace", folder.path("graph.dot")}, "exists and is not a Chrome trace");
  // Other names are as good as ever.
  succeed({"inspect", "-m", model, "--graph", folder.path("graph.txt")});
  succeed({"report", folder.path("rep1"), folder.path("rep2"), "-o", folder.path("both")});
  succeed({"report", folder.path("rep1"), folder.path("rep2"), "-o", folder.path("both")});
}

TEST_CASE("nothing is written into a folder of texts") {
  const TestFolder folder;
  std::filesystem::create_directories(folder.path("texts"));
  folder.write("texts/a.txt", text_lines(30, 1));
  folder.write("train.tsv", labelled_lines(60, 2));
  const auto refused = [&](const Arguments& arguments, const std::string& flag) {
    const ProgramResult result = run_eddy(arguments);
    INFO(result.err);
    CHECK(result.status == 2);
    CHECK(result.err.find(flag + " " + folder.path("texts/new")) != std::string::npos);
    CHECK_FALSE(folder.has("texts/new"));
    CHECK(result.err.find("which is read; choose another place") != std::string::npos);
  };
  const auto pretrain = [&](const std::string& output, const Arguments& more) {
    return joined(joined({"pretrain", "--data", folder.path("texts"), "--output", folder.path(output), "--max-steps",
                          "2", "--overwrite"},
                         kSmall),
                  more);
  };
  refused(pretrain("texts/new.safetensors", {}), "--output");
  refused(pretrain("m.safetensors", {"--report", folder.path("texts/new")}), "--report");
  refused(pretrain("m.safetensors", {"--tensorboard", folder.path("texts/new")}), "--tensorboard");
  refused({"experiment", "texts", "--data", folder.path("train.tsv"), "--unlabelled", folder.path("texts"), "--output",
           folder.path("texts/new")},
          "--output");
  CHECK_FALSE(folder.has("m.safetensors"));
  succeed(pretrain("m.safetensors", {"--report", folder.path("report")}));
  refused({"evaluate", "--model", folder.path("m.safetensors"), "--report", folder.path("texts/new")}, "--report");
  // Of a folder with --file in it that file alone is read.
  std::filesystem::create_directories(folder.path("pairs"));
  folder.write("pairs/pairs.tsv", spanish_pairs());
  const Arguments train = train_pairs(folder.path("pairs"), folder.path("pairs/new.safetensors"));
  const ProgramResult whole = run_eddy(train);
  CHECK(whole.status == 2);
  CHECK(whole.err.find("which is read; choose another place") != std::string::npos);
  succeed(joined(train, {"--file", "pairs.tsv"}));
}

TEST_CASE("folders of a run are none of its files, and a link is the file behind it") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(30, 1));
  const auto pretrain = [&](const Arguments& more) {
    return joined(joined({"pretrain", "--data", folder.path("texts.txt"), "--output", folder.path("m.safetensors"),
                          "--max-steps", "2"},
                         kSmall),
                  more);
  };
  for (const char* flag : {"--report", "--tensorboard"})
    for (const char* name : {"m.safetensors", "m.log.jsonl", "m.safetensors/below"}) {
      const ProgramResult result = run_eddy(pretrain({flag, folder.path(name)}));
      INFO(result.err);
      CHECK(result.status == 2);
      CHECK(result.err.find("a file that this run writes; choose another folder") != std::string::npos);
      CHECK_FALSE(folder.has("m.safetensors"));
    }
  succeed(pretrain({"--report", folder.path("m.safetensors-report")}));
  // Whoever trains by one name keeps those away that come by the other.
  std::filesystem::create_symlink(folder.path("m.safetensors"), folder.path("link.safetensors"));
  const OutputLock lock = OutputLock::of_file(folder.path("m.checkpoint.safetensors"));
  Arguments by_link = pretrain({"--overwrite"});
  *std::ranges::find(by_link, folder.path("m.safetensors")) = folder.path("link.safetensors");
  const ProgramResult second = run_eddy(by_link);
  INFO(second.err);
  CHECK(second.status != 0);
  CHECK(second.err.find("m.checkpoint.safetensors") != std::string::npos);
}

TEST_CASE("an attention map does not replace the model or the texts") {
  const TestFolder folder;
  folder.write("pairs.tsv", spanish_pairs());
  folder.write("in.txt", "one two three\n");
  succeed(train_pairs(folder.path("pairs.tsv"), folder.path("s.safetensors")));
  const std::string before = folder.read("s.safetensors");
  for (const std::string name : {"s.safetensors", "in.txt"}) {
    const ProgramResult result = run_eddy({"seq2seq", "translate", "-m", folder.path("s.safetensors"), "--heat-map",
                                           folder.path(name), folder.path("in.txt")});
    CHECK(result.status == 2);
    CHECK(result.err.find("--heat-map would replace") != std::string::npos);
  }
  folder.write("other.svg", "my notes\n");
  const ProgramResult other =
      run_shell(folder, "$EDDY seq2seq translate -m s.safetensors --heat-map other.svg < in.txt");
  CHECK(other.status == 2);
  CHECK(other.err.find("other.svg: exists and is not an SVG picture, so it is not replaced") != std::string::npos);
  const ProgramResult input = run_shell(folder, "$EDDY seq2seq translate -m s.safetensors --heat-map in.txt < in.txt");
  CHECK(input.status == 2);
  CHECK(input.err.find("--heat-map would replace /dev/stdin, which is read") != std::string::npos);
  CHECK(folder.read("s.safetensors") == before);
  CHECK(folder.read("in.txt") == "one two three\n");
}

TEST_CASE("a second run does not write where one is writing") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  const Arguments first = pretrain(folder, "m.safetensors", kLong);
  ProgramResult overwrites, resumes, without_suffix;
  const ProgramResult stopped = run_eddy(first, {}, [&](int process) {
    wait_for_steps(folder, "m.log.jsonl", process);
    overwrites = run_eddy(joined(first, {"--overwrite", "--seed", "2"}));
    resumes = run_eddy(joined(first, {"--resume"}));
    without_suffix = run_eddy(joined(pretrain(folder, "m", kLong), {"--overwrite"}));
    kill(process, SIGTERM);
  });
  CHECK(stopped.status == 128 + SIGTERM);
  for (const ProgramResult& second : {overwrites, resumes, without_suffix}) {
    CHECK(second.status == 2);
    CHECK(second.err.find("another run is writing") != std::string::npos);
  }
  CHECK_FALSE(folder.has(".m.checkpoint.safetensors.lock"));
  // The lock of a killed run hinders nobody.
  const ProgramResult killed = run_eddy(joined(first, {"--resume"}), {}, [&](int process) {
    // Once it is there, its maker holds it or is about to.
    while (!folder.has(".m.checkpoint.safetensors.lock") && kill(process, 0) == 0) usleep(1000);
    kill(process, SIGKILL);
  });
  CHECK(killed.status == 128 + SIGKILL);
  succeed(joined(first, {"--resume", "--max-steps", "1"}));
  CHECK_FALSE(folder.has(".m.checkpoint.safetensors.lock"));
}

TEST_CASE("output that is lost is an error") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(30, 1));
  succeed(pretrain(folder, "lm.safetensors", {"--max-steps", "2", "--report", folder.path("rep1")}));
  succeed(pretrain(folder, "lm2.safetensors", {"--max-steps", "2", "--report", folder.path("rep2")}));
  for (const std::string command :
       {"--help", "--version", "pretrain --help", "inspect -m lm.safetensors", "inspect -m lm.safetensors --graph -",
        "evaluate -m lm.safetensors -d texts.txt --json --no-cache", "report rep1 rep2 -o both"}) {
    CAPTURE(command);
    const ProgramResult full = run_shell(folder, "$EDDY " + command + " > /dev/full");
    CHECK(full.status == 1);
    CHECK(full.err.find("eddy: error: the standard output cannot be written: No space left on device\n") !=
          std::string::npos);
    CHECK(run_shell(folder, "$EDDY " + command + " >&-").status == 1);
  }
}

TEST_CASE("a file opened by a run does not take the place of a closed stream") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(30, 1));
  const std::string train =
      "$EDDY pretrain -d texts.txt --hidden 8 --embedding 8 --no-cache --max-steps 5 --log-steps 1 ";
  const ProgramResult plain = run_shell(folder, train + "-o a.safetensors");
  REQUIRE_MESSAGE(plain.status == 0, plain.err);
  CHECK(run_shell(folder, train + "-o b.safetensors <&- >&- 2>&-").status == 0);
  CHECK(folder.read("a.safetensors") == folder.read("b.safetensors"));
  CHECK(std::ranges::count(folder.read("b.log.jsonl"), '\n') == std::ranges::count(folder.read("a.log.jsonl"), '\n'));
}

TEST_CASE("a closed terminal stops a run like SIGTERM, and everything is saved") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  const ProgramResult stopped = run_eddy(pretrain(folder, "m.safetensors", kLong), {}, [&](int process) {
    wait_for_steps(folder, "m.log.jsonl", process);
    kill(process, SIGHUP);
    kill(process, SIGHUP);
  });
  CHECK(stopped.status == 128 + SIGHUP);
  CHECK(stopped.err.find("Everything is saved") != std::string::npos);
  CHECK(folder.has("m.checkpoint.safetensors"));
}

TEST_CASE("a run outlives who reads its progress") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  const ProgramResult result = run_shell(folder,
                                         "$EDDY pretrain -d texts.txt -o m.safetensors --hidden 8 --embedding 8 "
                                         "--no-cache --max-steps 60 --evaluate-every 1 --patience 0 2>&1 | "
                                         "head -1; exit ${PIPESTATUS[0]}");
  CHECK(result.status == 0);
  CHECK(folder.has("m.safetensors"));
  CHECK(folder.has("m.checkpoint.safetensors"));
}

TEST_CASE("the limit of a file's size is an error that names the file") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  const ProgramResult result =
      run_shell(folder,
                "ulimit -f 4; $EDDY pretrain -d texts.txt -o m.safetensors --hidden 32 --embedding 32 "
                "--no-cache --max-steps 3 --quiet");
  CHECK(result.status == 1);
  CHECK(result.err.find("m.") != std::string::npos);
  CHECK(result.err.find("cannot be written: File too large") != std::string::npos);
}

TEST_CASE("a run that goes on with other threads says that its bits are others") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(30, 1));
  const ProgramResult first = succeed(pretrain(folder, "m.safetensors", {"--max-steps", "2"}));
  CHECK(first.err.find("kernels on ") != std::string::npos);
  const Arguments resume = {"pretrain", "-o", folder.path("m.safetensors"), "--resume", "--no-cache", "--max-steps"};
  const ProgramResult other = succeed(joined(resume, {"3", "--threads", "2"}));
  CHECK(other.err.find("eddy: warning: " + folder.path("m.checkpoint.safetensors") +
                       " was written with other threads (1, now 2)") != std::string::npos);
  CHECK(succeed(joined(resume, {"4", "--threads", "2"})).err.find("warning") == std::string::npos);
}

TEST_CASE("a run goes on with the threads it had, if no others are asked for") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(30, 1));
  folder.write("pairs.tsv", spanish_pairs());
  const auto thread_runs = [&](const Arguments& begin, const Arguments& limit, const std::string& flag) {
    const std::string said = "threads   3, as in the run that goes on, not the ";
    succeed(joined(begin, {"--overwrite", "--threads", "3"}));
    const ProgramResult same = succeed(joined(limit, {flag, "3"}));
    CHECK_MESSAGE(same.err.find(said) != std::string::npos, same.err);
    CHECK_MESSAGE(same.err.find("warning") == std::string::npos, same.err);
    const ProgramResult others = succeed(joined(limit, {flag, "4", "--threads", "1"}));
    CHECK(others.err.find("was written with other threads (3, now 1)") != std::string::npos);
    CHECK(others.err.find(said) == std::string::npos);
    CHECK(succeed(joined(limit, {flag, "5", "--quiet"})).err.empty());
  };
  thread_runs({"pretrain", "-d", folder.path("texts.txt"), "-o", folder.path("m.safetensors"), "--hidden", "8",
               "--embedding", "8", "--no-cache", "--max-steps", "2"},
              {"pretrain", "-o", folder.path("m.safetensors"), "--resume", "--no-cache"}, "--max-steps");
  thread_runs(train_pairs(folder.path("pairs.tsv"), folder.path("s.safetensors")),
              {"seq2seq", "train", "-o", folder.path("s.safetensors"), "--resume"}, "--steps");
}

TEST_CASE("a run goes on with the precision it had, if no other is asked for") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(30, 1));
  const std::string said = "precision medium, as in the run that goes on";
  const ProgramResult first = succeed(pretrain(folder, "m.safetensors", {"--max-steps", "2", "--precision", "medium"}));
  CHECK((first.err.find(" at medium precision, ") != std::string::npos) == tiles::available());
  const Arguments resume = {"pretrain", "-o", folder.path("m.safetensors"), "--resume", "--no-cache", "--max-steps"};
  const ProgramResult same = succeed(joined(resume, {"3"}));
  CHECK_MESSAGE(same.err.find(said) != std::string::npos, same.err);
  CHECK(same.err.find("warning") == std::string::npos);
  const ProgramResult other = succeed(joined(resume, {"4", "--precision", "highest"}));
  CHECK(other.err.find(said) == std::string::npos);
  const std::string changed = "was written with other precision (\"medium\", now \"highest\")";
  CHECK((other.err.find(changed) != std::string::npos) == tiles::available());
}

TEST_CASE("a run goes on from its own pretrained model only") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(30, 1));
  folder.write("train.tsv", labelled_lines(30, 2));
  for (const std::string name : {"a.safetensors", "b.safetensors"})
    succeed(pretrain(folder, name, {"--max-steps", "2"}));
  const auto finetune = [&](const Arguments& more) {
    return run_eddy(joined({"finetune", "-d", folder.path("train.tsv"), "--label-column", "0", "--no-cache", "-o",
                            folder.path("c.safetensors")},
                           more));
  };
  REQUIRE(finetune({"--from", folder.path("a.safetensors"), "--max-steps", "2"}).status == 0);
  const ProgramResult other = finetune({"--from", folder.path("b.safetensors"), "--max-steps", "3", "--resume"});
  CHECK(other.status == 2);
  CHECK(other.err.find("--resume cannot change --from") != std::string::npos);
  CHECK(finetune({"--from", folder.path("a.safetensors"), "--max-steps", "3", "--resume"}).status == 0);
}

}  // namespace eddy
