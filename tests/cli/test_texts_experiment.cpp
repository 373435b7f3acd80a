// SPDX-License-Identifier: Apache-2.0
// `eddy experiment texts`: files of one's own, from data to table.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "program.h"

namespace eddy {
namespace {

Arguments texts(const TestFolder& folder, const Arguments& more) {
  return joined({"experiment", "texts", "--output", folder.path("report"), "--cache-dir", folder.path("cache"),
                 "--preset", "quick", "--set", "all.model.embedding_size=8", "all.model.hidden_size=16",
                 "all.optimizer.learning_rate=2e-2", "classifiers.epochs=3"},
                more);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t times = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
  return times;
}

}  // namespace

TEST_CASE("an experiment on files of one's own ends with a table and does nothing twice") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(150, 1));
  folder.write("test.tsv", labelled_lines(60, 2));
  folder.write("more.txt", text_lines(80, 3));
  const Arguments run =
      texts(folder, {"--data", folder.path("train.tsv"), "--test", folder.path("test.tsv"), "--unlabelled",
                     folder.path("more.txt"), "--rows", "lstm,lm,sa,lm-2", "--set", "pretraining.epochs=1"});
  const ProgramResult first = succeed(run);
  CHECK(first.out.find("Test error on 60 texts, 3 classes, 1 seed") != std::string::npos);
  for (const char* row : {" LSTM ", " LM-LSTM ", " SA-LSTM ", " LM-LSTM, 2 layers ", " naive Bayes "})
    CHECK_MESSAGE(first.out.find(row) != std::string::npos, row);
  CHECK(first.out.find("already done") == std::string::npos);
  CHECK(folder.has("report/index.html"));
  CHECK(folder.read("report/report.md").find("more.txt") != std::string::npos);
  const ProgramResult again = succeed(run);
  // Three pretrained models, four classifiers.
  CHECK(count(again.out, "already done") == 7);
  // Another experiment begins with the language model of this one.
  folder.write("other.tsv", labelled_lines(80, 4));
  const Arguments begun = {"experiment",  "texts",
                           "--data",      folder.path("other.tsv"),
                           "--from",      folder.path("report/parts/LM-seed1.safetensors"),
                           "--output",    folder.path("other"),
                           "--cache-dir", folder.path("cache"),
                           "--preset",    "quick",
                           "--rows",      "lm",
                           "--epochs",    "2"};
  const ProgramResult from = succeed(begun);
  CHECK(from.out.find("LM-seed1") == std::string::npos);
  Arguments unnamed = begun;
  folder.write("m\xE9.safetensors", folder.read("report/parts/LM-seed1.safetensors"));
  unnamed[5] = folder.path("m\xE9.safetensors");
  unnamed[7] = folder.path("unnamed");
  CHECK(succeed(unnamed).out.find("test error") != std::string::npos);
  CHECK(succeed(unnamed).out.find("already done") != std::string::npos);
  CHECK(folder.read("other/report.md").find("parts/LM-seed1.safetensors") != std::string::npos);
  const ProgramResult more = succeed(joined(begun, {"--pretraining-epochs", "1"}));
  CHECK(more.out.find("LM-seed1: perplexity") != std::string::npos);
  const ProgramResult sizes = run_eddy(joined(begun, {"--hidden", "32"}));
  CHECK(sizes.status == 2);
  CHECK(sizes.err.find("hidden_size is 16, but pretrained.model.hidden_size") != std::string::npos);
  CHECK(run_eddy(joined(begun, {"--autoencoder-epochs", "1"})).err.find("--autoencoder-epochs does nothing") !=
        std::string::npos);
  CHECK(run_eddy(joined(begun, {"--set", "lm.max_steps=3"})).err.find("is not trained on") != std::string::npos);
  CHECK(run_eddy(joined(begun, {"--vocabulary", "50"})).err.find("leave the flags for that out") != std::string::npos);
  // The models know the columns.
  const ProgramResult told =
      succeed({"evaluate", "--model", folder.path("report/parts/LSTM-150-labels-seed1.safetensors"), "--data",
               folder.path("test.tsv"), "--no-cache"});
  CHECK(told.out.find("texts      60") != std::string::npos);
  const ProgramResult own =
      succeed({"evaluate", "--model", folder.path("report/parts/LSTM-150-labels-seed1.safetensors"), "--no-cache"});
  CHECK(own.err.find("was trained on some of these texts by eddy experiment texts") != std::string::npos);
  const ProgramResult kept =
      run_eddy({"evaluate", "--model", folder.path("report/parts/LSTM-150-labels-seed1.safetensors"), "--part",
                "validation", "--no-cache"});
  CHECK(kept.status == 2);
  CHECK(kept.err.find("eddy experiment texts alone knows") != std::string::npos);
}

TEST_CASE("an experiment's results are told as they come, and a run whose reader has gone comes to its end") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(60, 1));
  std::string run = "exec ";
  run += EDDY_PROGRAM;
  for (const std::string& word : texts(folder, {"--data", folder.path("train.tsv"), "--rows", "lstm"}))
    run += " " + word;
  // It trains without end; by then what came before has arrived.
  const auto interrupt = [&](int process) {
    const std::string log = "report/parts/LSTM-48-labels-seed1.log.jsonl";
    while (folder.read(log).empty() && kill(process, 0) == 0) usleep(1000);
    CHECK(folder.read("out").find("naive Bayes: 48 labels, test error") != std::string::npos);
    kill(process, SIGINT);
  };
  const std::string endless = " --set scratch.epochs=1000000 scratch.patience=0 > " + folder.path("out");
  CHECK(run_program({"/bin/bash", "-c", run + endless}, {}, interrupt).status == 130);
  const ProgramResult lost = run_program({"/bin/bash", "-c", run + " > /dev/full"});
  CHECK(lost.status == 1);
  CHECK_MESSAGE(lost.err.find("the standard output cannot be written") != std::string::npos, lost.err);
  CHECK(folder.has("report/index.html"));
}

TEST_CASE("without a test file a part is held out; help names the flags and an example") {
  const TestFolder folder;
  std::string csv = "text,class\n";
  for (int i = 0; i < 60; ++i)
    csv += "\"it " + std::string(i % 2 == 0 ? "runs, " : "grows, ") + std::to_string(i) + "\"," +
           (i % 2 == 0 ? "animal" : "plant") + "\n";
  folder.write("train.csv", csv);
  const Arguments run = texts(folder, {"--data", folder.path("train.csv"), "--header", "--label-column", "class",
                                       "--test-fraction", "0.25", "--rows", "lstm", "--tokens", "whitespace"});
  CHECK(succeed(run).out.find("Test error on 15 texts, 2 classes, 1 seed") != std::string::npos);
  CHECK(count(succeed(joined(run, {"--no-refit"})).out, "already done") == 1);
  // With the validation part it is another model.
  CHECK(count(succeed(joined(run, {"--refit"})).out, "already done") == 0);
  CHECK(count(succeed(joined(run, {"--refit"})).out, "already done") == 2);
  const ProgramResult help = succeed({"experiment", "texts", "--help"});
  for (const char* part : {"--data", "--test ", "--test-fraction", "--unlabelled", "--label-column", "--text-column",
                           "--header", "--format", "--encoding", "--tokens", "--vocabulary", "--preset", "--split-seed",
                           "Example: eddy experiment texts --data train.tsv --test test.tsv"})
    CHECK_MESSAGE(help.out.find(part) != std::string::npos, part);
}

TEST_CASE("bad files of one's own are told in a line") {
  const TestFolder folder;
  const auto fails = [&](const Arguments& more, int status, const std::string& message) {
    const ProgramResult result = run_eddy(texts(folder, more));
    INFO(result.err);
    CHECK(result.status == status);
    CHECK(result.err.find("eddy: error: ") != std::string::npos);
    CHECK_MESSAGE(result.err.find(message) != std::string::npos, message);
  };
  folder.write("train.tsv", labelled_lines(60, 1));
  folder.write("train.dat", labelled_lines(60, 1));
  folder.write("one.tsv", "animal\tit runs\nanimal\tit barks\n");
  folder.write("three.tsv", "animal\tit\truns\nplant\tit\tgrows\n");
  folder.write("broken.tsv", "animal\tit runs\nplant\n");
  folder.write("empty.tsv", "");
  folder.write("strange.tsv", "animal\tit runs\ncloud\tit rains\n");
  const std::string data = folder.path("train.tsv");
  fails({}, 2, "--data is required");
  fails({"--data", folder.path("none.tsv")}, 1, "none.tsv: does not exist");
  fails({"--data", folder.path("train.dat")}, 2,
        "train.dat: is taken for lines; expected labelled texts in a tsv or csv");
  fails({"--data", folder.path("one.tsv")}, 1, "one.tsv: the label of all 2 texts is \"animal\"; expected two classes");
  fails({"--data", folder.path("three.tsv")}, 2, "three.tsv: has 3 columns");
  fails({"--data", folder.path("broken.tsv")}, 1, "broken.tsv:2: record has 1 column, expected 2");
  fails({"--data", folder.path("empty.tsv")}, 1, "empty.tsv: is empty");
  fails({"--data", data, "--test", folder.path("empty.tsv")}, 1, "empty.tsv: is empty");
  fails({"--data", data, "--test", folder.path("strange.tsv")}, 1,
        "strange.tsv:2: label \"cloud\" is not one of the 3");
  fails({"--data", data, "--label-column", "class", "--text-column", "text"}, 2, "asked for by name");
  fails({"--data", data, "--test", data}, 1, "train.tsv: every text to train on is a test text too");
  fails({"--data", data, "--label-column", "7"}, 1, "column 7 asked for, the file has 2 columns");
  fails({"--data", data, "--unlabelled", folder.path("none.txt")}, 1, "none.txt: does not exist");
  fails({"--data", data, "--test", data, "--test-fraction", "0.1"}, 2, "--test excludes --test-fraction");
  fails({"--data", data, "--refit", "--no-refit"}, 2, "excludes");
  fails({"--data", data, "--test-fraction", "2"}, 2, "--test-fraction");
  fails({"--data", data, "--rows", "gru"}, 2, "there is no row \"gru\"");
  REQUIRE(mkfifo(folder.path("pipe").c_str(), 0600) == 0);
  const std::string pipe = "pipe: is a pipe or device, which can be read but once";
  fails({"--data", folder.path("pipe"), "--format", "tsv"}, 2, pipe);
  fails({"--data", data, "--test", folder.path("pipe")}, 2, pipe);
  fails({"--data", data, "--unlabelled", folder.path("pipe")}, 2, pipe);
  const auto does_nothing = [&](const std::string& rows, const std::string& where) {
    fails({"--data", data, "--rows", rows, "--set", where + ".batch_size=7"}, 2,
          "setting \"" + where + ".batch_size=7\" does nothing: no row of " + rows + " trains by " + where);
  };
  for (const char* where : {"lm", "sa", "pretraining", "pretrained", "perturbed"}) does_nothing("lstm,lstm-at", where);
  for (const char* where : {"sa", "perturbed", "scratch"}) does_nothing("lm", where);
  does_nothing("sa", "lm");
  fails({"--data", data, "--labels", "500"}, 2, "500 labels asked for, the data has");
  // The flag --no-header is of other commands.
  folder.write("named.tsv", "class\ttext\n" + labelled_lines(60, 1));
  fails({"--data", folder.path("named.tsv"), "--header", "--test", data}, 1, "give the file");
  CHECK_FALSE(folder.has("report"));
}

}  // namespace eddy
