// SPDX-License-Identifier: Apache-2.0
// Texts as users have them: other encodings, marks, packed files, pipes, headers, and files that changed.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "program.h"
#include "tests/data/files.h"

namespace eddy {
namespace {

using test::contains;

Arguments finetune(const TestFolder& folder, const std::string& data, const std::string& output) {
  return {"finetune",
          "--data",
          folder.path(data),
          "--label-column",
          "0",
          "--output",
          folder.path(output),
          "--hidden",
          "16",
          "--embedding",
          "8",
          "--batch",
          "16",
          "--lr",
          "0.02",
          "--epochs",
          "6",
          "--overwrite"};
}

ProgramResult evaluate(const TestFolder& folder, const std::string& model, const Arguments& more = {}) {
  return run_eddy(joined({"evaluate", "--model", folder.path(model), "--json"}, more));
}

std::string latin1(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// Texts whose only telling words are "été" and "hiver", in Latin-1.
std::string seasons(bool labels) {
  std::string lines;
  for (int i = 0; i < 80; ++i)
    lines += fmt::format("{}{} {} {}\n", labels ? (i % 2 == 0 ? "warm\t" : "cold\t") : "", i % 3 == 0 ? "the" : "a",
                         i % 2 == 0 ? "\xE9t\xE9" : "\xE2pre", i % 5 == 0 ? "now" : "then");
  return lines;
}

std::string answers(const std::string& output) {
  std::istringstream lines(output);
  std::string classes;
  for (std::string line; std::getline(lines, line);) classes += line.substr(0, line.find('\t')) + " ";
  return classes;
}

void check_refused(const ProgramResult& result, int status, const std::string& part) {
  INFO(result.err);
  CHECK(result.status == status);
  CHECK(contains(result.err, part));
  CHECK_FALSE(contains(result.err, "json.exception"));
}

}  // namespace

TEST_CASE("predict reads texts as the training did: encoding, mark, packing") {
  const TestFolder folder;
  folder.write("train.tsv", seasons(true));
  succeed(joined(finetune(folder, "train.tsv", "m.safetensors"), {"--encoding", "latin1"}));
  const Arguments predict = {"predict", "--model", folder.path("m.safetensors")};
  std::string right;
  for (int i = 0; i < 80; ++i) right += i % 2 == 0 ? "warm " : "cold ";
  const ProgramResult trained = succeed(predict, seasons(false));
  CHECK(answers(trained.out) == right);
  CHECK(trained.err.empty());
  const std::string utf8 = latin1(latin1(seasons(false), "\xE9", "\xC3\xA9"), "\xE2", "\xC3\xA2");
  CHECK(contains(succeed(predict, utf8).err, "80 lines read as Latin-1 would be UTF-8, too; --encoding utf8"));
  for (const std::string mark : {"", "\xEF\xBB\xBF"}) {
    const ProgramResult marked = succeed(joined(predict, {"--encoding", "utf8", "--json"}), mark + utf8);
    CHECK(marked.err.empty());
    CHECK(nlohmann::json::parse(marked.out.substr(0, marked.out.find('\n')))["text"] == "the \xC3\xA9t\xC3\xA9 now");
  }
  const ProgramResult broken = succeed(joined(predict, {"--encoding", "utf8"}), seasons(false));
  CHECK(contains(broken.err, "standard input: 120 ill-formed UTF-8 sequences became U+FFFD"));
  check_refused(run_eddy(joined(predict, {"--encoding", "utf8_strict"}), "fine\n\xE9\n"), 1,
                "standard input:2: byte 0xe9");
  check_refused(run_eddy(predict, "one\rtwo\r"), 1, "standard input: ends its lines with carriage returns alone");
  check_refused(run_eddy(predict, std::string("\xFF\xFEt\0h\0e\0\n\0", 10)), 1, "standard input: is UTF-16 text");

  test::write_compressed(folder.path("texts.gz"), seasons(false), test::Packing::tar_gz);
  CHECK(succeed(joined(predict, {folder.path("texts.gz")})).out == trained.out);
  CHECK(succeed(predict, folder.read("texts.gz")).out == trained.out);
  test::write_archive(folder.path("texts.zip"), {{"a.txt", seasons(false)}}, test::Packing::zip);
  check_refused(run_eddy(joined(predict, {folder.path("texts.zip")})), 1, "texts.zip: is an archive");
}

TEST_CASE("flags choose what a word is and which are known") {
  const TestFolder folder;
  folder.write("texts.txt", "It's well-known, isn't it?\nWell, it's rare-rare.\n");
  const auto words = [&](const Arguments& more) {
    succeed(joined(
        {"pretrain", "--data", folder.path("texts.txt"), "--output", folder.path("m.safetensors"), "--hidden", "8",
         "--embedding", "8", "--max-steps", "1", "--overwrite", "--no-cache", "--quiet", "--validation", "0"},
        more));
    return nlohmann::json::parse(
        succeed({"inspect", "--json", "--model", folder.path("m.safetensors")}).out)["vocabulary"];
  };
  // Beside <unk> and <eos>: it's well - known , isn't it ? rare .
  CHECK(words({}) == 12);
  CHECK(words({"--min-documents", "2"}) == 6);                          // it's well - ,
  CHECK(words({"--tokens", "alphanumeric"}) == 9);                      // it s well known isn t rare
  CHECK(words({"--tokens", "alphanumeric", "--min-count", "2"}) == 6);  // it s well rare
  CHECK(words({"--tokens", "alphanumeric", "--min-count", "2", "--min-documents", "2"}) == 5);
  CHECK(words({"--tokens", "alphanumeric", "--min-documents", "2", "--keep-case"}) == 4);  // it s
}

TEST_CASE("a pipe as --data loses nothing") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(400, 1));
  const std::string command =
      std::string(EDDY_PROGRAM) + " pretrain --hidden 8 --embedding 8 --max-steps 1 --overwrite";
  for (const std::string& cache : {std::string("--no-cache"), "--cache-dir " + folder.path("cache")}) {
    const std::string script = "cat " + folder.path("texts.txt") + " | " + command + " " + cache +
                               " --data /dev/stdin --output " + folder.path("m.safetensors") + " 2> " +
                               folder.path("err");
    REQUIRE(std::system(script.c_str()) == 0);
    CHECK(contains(folder.read("err"), "/dev/stdin: 400 texts"));
    CHECK(contains(folder.read("err"), "read once") == (cache != "--no-cache"));
  }
}

TEST_CASE("what a model file cannot hold is refused before training") {
  const TestFolder folder;
  folder.write("train.tsv", latin1(labelled_lines(30, 1), "animal", "anim\xE9"));
  check_refused(run_eddy(finetune(folder, "train.tsv", "m.safetensors")), 1,
                "label is not UTF-8; try --encoding latin1");
  succeed(joined(finetune(folder, "train.tsv", "m.safetensors"), {"--encoding", "latin1"}));
  folder.write("tr\xE9.tsv", labelled_lines(30, 1));
  check_refused(run_eddy(finetune(folder, "tr\xE9.tsv", "n.safetensors")), 2, "the path of the data is not UTF-8");
  CHECK_FALSE(folder.has("n.safetensors"));
}

TEST_CASE("counts of one and of thousands read well, and say what they are of") {
  const TestFolder folder;
  std::string texts;
  for (int i = 0; i < 1500; ++i) texts += "one two three four five\n";
  folder.write("texts.txt", texts);
  folder.write("one.txt", "one two three four five\n");
  const ProgramResult trained =
      succeed({"pretrain", "--data", folder.path("texts.txt"), "--output", folder.path("m.safetensors"), "--no-cache",
               "--hidden", "8", "--embedding", "8", "--batch", "1000", "--epochs", "1", "--validation", "0.2",
               "--max-length", "3"});
  INFO(trained.err);
  CHECK(contains(trained.err, "texts.txt: 1,500 texts, 7,500 tokens; 1,200 to train on, 300 to validate\n"));
  CHECK(contains(trained.err, "  of those to train on: 1,200 texts cut to 3 tokens (2,400 tokens not read)\n"));
  CHECK(contains(trained.err, "1 epoch of 2 steps"));
  const ProgramResult measured =
      succeed({"evaluate", "--model", folder.path("m.safetensors"), "--data", folder.path("one.txt"), "--no-cache"});
  INFO(measured.err);
  CHECK(contains(measured.err, "; 1 text of "));
  CHECK(contains(measured.out, "1 text cut to 3 tokens (2 tokens not read)"));
}

TEST_CASE("other texts than the training's are called by their file, and the training's data stay its own") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(60, 1));
  folder.write("held.tsv", labelled_lines(30, 2));
  succeed(finetune(folder, "train.tsv", "m.safetensors"));
  const ProgramResult held =
      evaluate(folder, "m.safetensors", {"--data", folder.path("held.tsv"), "--report", folder.path("report")});
  CHECK(nlohmann::json::parse(held.out)["part"] == "held.tsv");
  const auto report = nlohmann::json::parse(folder.read("report/report.json"));
  CHECK(contains(folder.read("report/report.md"), "Measured on: "));
  CHECK(report["configuration"]["data"]["path"] == folder.path("train.tsv"));
  CHECK(folder.has("report/confusion-held.tsv.svg"));
  CHECK(nlohmann::json::parse(evaluate(folder, "m.safetensors").out)["part"] == "train");
}

TEST_CASE("a table is read as one by its name, and a report shows no log of another run") {
  const TestFolder folder;
  folder.write("train.dat", labelled_lines(60, 1));
  folder.write("held.tsv", labelled_lines(30, 2));
  std::string csv = labelled_lines(30, 2);
  std::ranges::replace(csv, '\t', ',');
  folder.write("held.csv", csv);
  Arguments tune = {"finetune",    "--data",   folder.path("train.dat"),
                    "--format",    "tsv",      "--label-column",
                    "0",           "--hidden", "8",
                    "--embedding", "8",        "--no-cache",
                    "--quiet",     "-o",       folder.path("m.safetensors")};
  succeed(joined(tune, {"--epochs", "2"}));
  const auto errors = [&](const char* name) {
    return nlohmann::json::parse(evaluate(folder, "m.safetensors", {"--data", folder.path(name)}).out)["error_rate"];
  };
  CHECK(errors("held.csv") == errors("held.tsv"));
  const auto notes = [&](const char* report) {
    succeed({"evaluate", "-m", folder.path("m.safetensors"), "--no-cache", "--sample", "100", "--report",
             folder.path(report)});
    return folder.read(std::string(report) + "/report.md");
  };
  CHECK_FALSE(contains(notes("own"), "drawn at random"));
  CHECK_FALSE(contains(notes("own"), "is of another run"));
  // As an --overwrite that was killed early leaves them.
  const std::string model = folder.read("m.safetensors");
  succeed(joined(tune, {"--epochs", "1", "--seed", "9", "--overwrite"}));
  folder.write("m.safetensors", model);
  CHECK(contains(notes("other"), "The log beside the model is of another run."));
}

TEST_CASE("evaluate and predict read as much of a text as is asked") {
  const TestFolder folder;
  std::string lines;
  for (int i = 0; i < 60; ++i) lines += i % 2 == 0 ? "a\tbeak so so so\n" : "b\tfur so so so\n";
  folder.write("train.tsv", lines);
  succeed(joined(finetune(folder, "train.tsv", "m.safetensors"), {"--max-length", "2"}));
  const auto scores = [&](const Arguments& more) {
    return nlohmann::json::parse(evaluate(folder, "m.safetensors", more).out);
  };
  const auto as_trained = scores({}), whole = scores({"--max-length", "0"}), first = scores({"--max-length", "3"});
  CHECK(as_trained["texts_cut"] == 60);
  CHECK(as_trained["error_rate"] == 0.5);
  CHECK(first["tokens_not_read"] == 60);
  CHECK(whole["texts_cut"] == 0);
  CHECK(whole["loss"] != as_trained["loss"]);
  CHECK(contains(succeed({"evaluate", "-m", folder.path("m.safetensors"), "--no-cache", "--max-length", "3"}).out,
                 "60 texts cut to 3 tokens (60 tokens not read)"));
  succeed({"evaluate", "-m", folder.path("m.safetensors"), "--no-cache", "--max-length", "0", "--report",
           folder.path("report")});
  CHECK(contains(folder.read("report/report.md"), "Of each text all tokens were read, in the training at most 2"));
  const Arguments predict = {"predict", "--model", folder.path("m.safetensors")};
  const std::string texts = "beak so so so\nfur so so so\n";
  const auto lines_of = [&](const Arguments& more) {
    const std::string out = succeed(joined(predict, more), texts).out;
    return std::pair(out.substr(0, out.find('\n')),
                     out.substr(out.find('\n') + 1, out.rfind('\n') - out.find('\n') - 1));
  };
  CHECK(lines_of({}).first == lines_of({}).second);
  CHECK(lines_of({"--max-length", "0"}).first != lines_of({"--max-length", "0"}).second);

  folder.write("stream.txt", text_lines(60, 1));
  succeed({"pretrain", "--data", folder.path("stream.txt"), "--bptt", "5", "--hidden", "8", "--embedding", "8",
           "--no-cache", "--quiet", "--epochs", "1", "-o", folder.path("lm.safetensors")});
  check_refused(evaluate(folder, "lm.safetensors", {"--max-length", "3"}), 2, "lm.safetensors reads streams");
}

TEST_CASE("what would measure or train on something else than it says is refused") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(60, 1));
  folder.write("more.txt", text_lines(20, 2));
  const Arguments tune = {"finetune",
                          "--data",
                          folder.path("train.tsv"),
                          "--no-cache",
                          "--label-column",
                          "0",
                          "--hidden",
                          "12",
                          "--embedding",
                          "8",
                          "--epochs",
                          "3",
                          "--patience",
                          "0",
                          "--output",
                          folder.path("m.safetensors")};
  check_refused(run_eddy(joined(tune, {"--text-column", "0"})), 2,
                "--text-column 0 and --label-column 0 are one column");
  check_refused(run_eddy(joined(tune, {"--tensorboard", folder.path("more.txt")})), 1,
                "--tensorboard " + folder.path("more.txt"));
  CHECK_FALSE(folder.has("m.checkpoint.safetensors"));
  succeed(tune);
  const Arguments model = {"--model", folder.path("m.safetensors")};
  check_refused(run_eddy(joined(joined({"evaluate"}, model), {"--unlabelled", folder.path("more.txt")})), 2,
                "give them as --data");
  const Arguments resume = {"finetune", "--resume", "--output", folder.path("m.safetensors")};
  check_refused(run_eddy(joined(resume, {"--epochs", "2"})), 2, "--epochs is 2, but 3 have been trained");
  succeed(joined(resume, {"--epochs", "4"}));
}

TEST_CASE("bad bytes are told of what is measured, too") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(60, 1));
  succeed({"finetune", "--data", folder.path("train.tsv"), "--no-cache", "--label-column", "0", "--hidden", "12",
           "--max-steps", "2", "--output", folder.path("m.safetensors")});
  folder.write("bad.tsv", folder.read("train.tsv") + "animal\tword \xE9\n");
  const ProgramResult measured =
      succeed({"evaluate", "--model", folder.path("m.safetensors"), "--data", folder.path("bad.tsv"), "--no-cache"});
  CHECK(measured.err.find("1 ill-formed UTF-8 sequence became U+FFFD") != std::string::npos);
}

TEST_CASE("predictions are a line for each text, whatever the classes are called") {
  const TestFolder folder;
  std::string table = "label,text\n";
  for (int i = 0; i < 40; ++i) table += i % 2 == 0 ? "\"one\ntwo\",good words\n" : "\"a\tb\",bad words\n";
  folder.write("train.csv", table);
  succeed({"finetune", "--data", folder.path("train.csv"), "--no-cache", "--header", "--label-column", "label",
           "--hidden", "12", "--max-steps", "5", "--output", folder.path("m.safetensors")});
  const ProgramResult shown =
      succeed({"predict", "--model", folder.path("m.safetensors"), "--top", "2"}, "good\nbad\n");
  CHECK(std::ranges::count(shown.out, '\n') == 2);
  CHECK(std::ranges::count(shown.out, '\t') == 6);
}

TEST_CASE("columns are told of tables alone, and tables are no unlabelled lines") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(40, 1));
  folder.write("train.tsv", labelled_lines(60, 1));
  const Arguments pretrain = {"pretrain", "--data", folder.path("texts.txt"), "--output",
                              folder.path("lm.safetensors")};
  for (const Arguments& flag : {Arguments{"--text-column", "1"}, {"--label-column", "0"}, {"--header"}})
    check_refused(run_eddy(joined(pretrain, flag)), 2,
                  flag[0] + " is of tsv and csv, but " + folder.path("texts.txt") + " is taken for lines");
  check_refused(run_eddy(joined(finetune(folder, "train.tsv", "m.safetensors"),
                                {"--joint", "lm", "--unlabelled", folder.path("train.tsv")})),
                2, "train.tsv: is a table by its name; expected a file or folder of unlabelled texts");
}

TEST_CASE("a column of texts is not taken for one of classes") {
  const TestFolder folder;
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += fmt::format("{}\ttext {}\n", i % 2 == 0 ? "good" : "bad", i);
  folder.write("train.tsv", lines);
  check_refused(run_eddy({"finetune", "--data", folder.path("train.tsv"), "--label-column", "1", "--output",
                          folder.path("m.safetensors")}),
                1, "train.tsv: each of 20 texts has a class of its own; expected classes in column 1");
  CHECK_FALSE(folder.has("m.safetensors"));
}

TEST_CASE("evaluate says when texts are those of the training, and measures those kept out") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(60, 1));
  succeed(finetune(folder, "train.tsv", "m.safetensors"));
  const ProgramResult whole = evaluate(folder, "m.safetensors");
  CHECK(nlohmann::json::parse(whole.out)["documents"] == 60);
  CHECK(contains(whole.err, "was trained on these texts, but for those that --part validation"));
  CHECK_FALSE(contains(whole.err, "is a checkpoint"));
  CHECK(contains(evaluate(folder, "m.checkpoint.safetensors").err, "is a checkpoint: its weights are those after"));
  const ProgramResult kept = evaluate(folder, "m.safetensors", {"--part", "validation"});
  CHECK(nlohmann::json::parse(kept.out)["documents"] == 6);
  CHECK(nlohmann::json::parse(kept.out)["part"] == "validation");
  CHECK_FALSE(contains(kept.err, "warning"));

  // By its contents the file is known elsewhere too.
  folder.write("moved.tsv", folder.read("train.tsv"));
  CHECK(contains(evaluate(folder, "m.safetensors", {"--data", folder.path("moved.tsv")}).err, "was trained on these"));
  folder.write("test.tsv", labelled_lines(30, 2));
  const ProgramResult other = evaluate(folder, "m.safetensors", {"--data", folder.path("test.tsv")});
  CHECK(other.status == 0);
  CHECK_FALSE(contains(other.err, "warning"));
  check_refused(evaluate(folder, "m.safetensors", {"--data", folder.path("test.tsv"), "--part", "validation"}), 2,
                "have no validation part");
  check_refused(evaluate(folder, "m.safetensors", {"--data", folder.path("test.tsv"), "--part", "test"}), 2,
                "--part test: " + folder.path("test.tsv") + " has no such part, but train, validation");
  folder.write("lines.txt", text_lines(40, 4));
  check_refused(evaluate(folder, "m.safetensors", {"--data", folder.path("lines.txt")}), 1,
                folder.path("lines.txt") + ": no text of 40 has a class to compare with");
  folder.write("train.tsv", labelled_lines(40, 3));
  CHECK(contains(evaluate(folder, "m.safetensors").err, "is not just what"));
}

TEST_CASE("the data of a model are found from any folder") {
  const TestFolder folder;
  std::filesystem::create_directories(folder.path("a"));
  std::filesystem::create_directories(folder.path("b"));
  folder.write("a/train.tsv", labelled_lines(60, 1));
  folder.write("b/train.tsv", labelled_lines(20, 2));
  const std::string program = EDDY_PROGRAM;
  const std::string script =
      "cd " + folder.path("a") + " && " + program +
      " finetune --no-cache --quiet --data train.tsv --label-column 0 -o m.safetensors --hidden 8 "
      "--embedding 8 --max-steps 2 && cd ../b && " +
      program + " evaluate --no-cache --model ../a/m.safetensors --json > out 2> err";
  REQUIRE(std::system(script.c_str()) == 0);
  CHECK(nlohmann::json::parse(folder.read("b/out"))["documents"] == 60);
}

TEST_CASE("a header that was in the training is not taken for granted") {
  const TestFolder folder;
  folder.write("train.tsv", "class\ttext\n" + labelled_lines(60, 1));
  folder.write("test.tsv", labelled_lines(60, 2));
  succeed(joined(finetune(folder, "train.tsv", "m.safetensors"), {"--header"}));
  const Arguments test = {"--data", folder.path("test.tsv")};
  check_refused(evaluate(folder, "m.safetensors", test), 1, "--no-header");
  const ProgramResult whole = evaluate(folder, "m.safetensors", joined(test, {"--no-header"}));
  CHECK(nlohmann::json::parse(whole.out)["documents"] == 60);
  check_refused(run_eddy(joined(finetune(folder, "test.tsv", "n.safetensors"), {"--header"})), 1,
                "is read as the header");
}

TEST_CASE("a model of images is no model of texts, and its program can be looked at") {
  const TestFolder folder;
  std::string images;
  for (int i = 0; i < 24; ++i) images += static_cast<char>(i % 2) + std::string(3072, i % 2 == 0 ? '\x10' : '\x70');
  test::write_archive(
      folder.path("cifar.tar"),
      {{"batches.meta.txt", "dark\nbright\n"}, {"data_batch_1.bin", images}, {"test_batch.bin", images}},
      test::Packing::tar);
  succeed({"experiment",
           "cifar10",
           "--data",
           folder.path("cifar.tar"),
           "--output",
           folder.path("report"),
           "--cache-dir",
           folder.path("cache"),
           "--preset",
           "quick",
           "--rows",
           "lm",
           "--hidden",
           "8",
           "--pretraining-epochs",
           "1",
           "--epochs",
           "1",
           "--set",
           "all.batch_size=4"});
  const std::string lm = folder.path("report/parts/LM-seed1.safetensors");
  const std::string classifier = folder.path("report/parts/LM-LSTM-24-labels-seed1.safetensors");
  folder.write("train.tsv", labelled_lines(40, 1));
  folder.write("texts.txt", text_lines(40, 1));
  folder.write("rows.json", R"({"row_width": 4})");
  const std::string expected = "expected a model of texts";
  check_refused(run_eddy({"predict", "--model", classifier}), 2, expected);
  check_refused(evaluate(folder, "report/parts/LM-LSTM-24-labels-seed1.safetensors",
                         {"--data", folder.path("train.tsv"), "--label-column", "0"}),
                2, expected);
  check_refused(evaluate(folder, "report/parts/LM-LSTM-24-labels-seed1.safetensors"), 2, expected);
  for (const Arguments& more : {Arguments{"--from", lm}, {"--config", folder.path("rows.json")}})
    for (const Arguments& train : {Arguments{"finetune", "--data", folder.path("train.tsv"), "--label-column", "0"},
                                   {"pretrain", "--data", folder.path("texts.txt")}})
      check_refused(run_eddy(joined(joined(train, more), {"--output", folder.path("m.safetensors")})), 2, expected);
  CHECK_FALSE(std::filesystem::exists(folder.path("m.safetensors")));
  for (const std::string& model : {lm, classifier}) {
    CHECK(contains(succeed({"inspect", "--model", model, "--memory"}).out, "parameter"));
    CHECK(contains(succeed({"profile", "--model", model, "--time", "9", "--runs", "1"}).out, "9 steps × 4 "));
  }
}

}  // namespace eddy
