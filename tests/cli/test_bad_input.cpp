// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "eddy/core/random.h"
#include "program.h"

namespace eddy {
namespace {

/// Fails as asked, with one line that begins as all errors do.
void check_error(const Arguments& arguments, int status, const std::string& part) {
  const ProgramResult result = run_eddy(arguments);
  std::string command;
  for (const std::string& argument : arguments) command += argument + " ";
  INFO(command << "→ " << result.err);
  CHECK(result.status == status);
  const auto at = result.err.find("eddy: error: ");
  REQUIRE(at != std::string::npos);
  CHECK(result.err.find(part, at) != std::string::npos);
  CHECK(std::count(result.err.begin() + static_cast<std::ptrdiff_t>(at), result.err.end(), '\n') == 1);
}

/// A small language model of texts.txt.
Arguments train_small(const TestFolder& folder, const Arguments& more) {
  return joined({"pretrain", "--data", folder.path("texts.txt"), "--output", folder.path("m.safetensors"), "--hidden",
                 "8", "--embedding", "8"},
                more);
}

/// Of a command, from its help.
std::vector<std::string> subcommands(const std::string& help) {
  std::vector<std::string> names;
  const auto at = help.find("Subcommands:\n");
  if (at == std::string::npos) return names;
  std::istringstream lines(help.substr(help.find('\n', at) + 1));
  // "  name    What it does"; an empty line ends them, and what goes on from the line before is further in.
  for (std::string line; std::getline(lines, line) && !line.empty();)
    if (line.starts_with("  ") && line[2] != ' ') names.push_back(line.substr(2, line.find(' ', 2) - 2));
  return names;
}

}  // namespace

TEST_CASE("help and version of every command") {
  std::vector<Arguments> commands = {{}};
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const ProgramResult result = run_eddy(joined(commands[i], {"--help"}));
    CAPTURE(result.out);
    CHECK(result.status == 0);
    CHECK(result.err.empty());
    CHECK(result.out.size() > 20);
    for (const std::string& name : subcommands(result.out)) commands.push_back(joined(commands[i], {name}));
  }
  for (const Arguments& known : {Arguments{"profile"}, {"seq2seq", "translate"}, {"experiment", "textsum"}})
    CHECK(std::ranges::find(commands, known) != commands.end());
  CHECK(commands.size() > 15);
  CHECK(run_eddy({"--version"}).out.size() > 20);
  CHECK(run_eddy({"pretrain", "--help"}).out.find("--threads") != std::string::npos);
}

TEST_CASE("wrong flags are usage errors, exit 2") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(10, 1));
  const std::string data = folder.path("texts.txt");
  const std::string output = folder.path("m.safetensors");
  check_error({"nonsense"}, 2, "there is no command \"nonsense\"; expected one of pretrain, finetune");
  check_error({"pretrain"}, 2, "--output");
  check_error({"pretrain", "--output", output}, 2, "--data is missing");
  check_error({"pretrain", "--data", data, "--output", output, "--hiden", "3"}, 2, "--hiden");
  check_error({"pretrain", "--data", data, "--output", output, "--hidden", "x"}, 2, "--hidden");
  check_error({"pretrain", "--data", data, "--output", output, "--hidden", "-3"}, 2, "--hidden: hidden_size is -3");
  check_error({"pretrain", "--data", data, "--output", output, "--batch", "-1"}, 2, "batch_size is -1");
  check_error({"pretrain", "--data", data, "--output", output, "--word-dropout", "1"}, 2, "word_dropout is 1");
  check_error({"pretrain", "--data", data, "--output", output, "--lr", "nan"}, 2, "learning_rate");
  check_error({"pretrain", "--data", data, "--output", output, "--optimizer", "adamm"}, 2, "adamm");
  check_error({"pretrain", "--data", data, "--output", output, "--threads", "0"}, 2, "threads");
  check_error({"pretrain", "--data", data, "--output", output, "--precision", "low"}, 2, "medium, high or highest");
  check_error({"pretrain", "--data", data, "--output", output, "--task", "sa", "--bidirectional"}, 2, "bidirectional");
  check_error({"pretrain", "--data", data, "--output", output, "--task", "pa", "--bidirectional"}, 2, "an autoencoder");
  check_error({"pretrain", "--data", data, "--output", output, "--pooling", "mean"}, 2, "--task pa");
  check_error({"pretrain", "--data", data, "--output", output, "--resume"}, 2, "nothing to resume");
  check_error({"finetune", "--data", data, "--output", output, "--joint", "lm", "--linear-gain"}, 2, "excludes");
  check_error({"experiment", "nonsense"}, 2, "there is no command \"nonsense\" of experiment; expected one of ");
}

TEST_CASE("a vocabulary without words is refused, and a warm-up without end is told") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(40, 1));
  const Arguments train = train_small(folder, {"--epochs", "1", "--threads", "1", "--no-cache"});
  check_error(joined(train, {"--min-count", "1000"}), 2, "texts.txt: none of its words is in the vocabulary, with");
  check_error(joined(train, {"--vocabulary", "2"}), 2, "--vocabulary 2, --min-count 1 and --min-documents 1");
  const ProgramResult result = run_eddy(joined(train, {"--warm-up", "100"}));
  CHECK(result.status == 0);
  CHECK_MESSAGE(result.err.find("the learning rate warms up for 100 steps, of which there are ") != std::string::npos,
                result.err);
}

TEST_CASE("a command that is not given is named in the help") {
  for (const Arguments& group : {Arguments{}, {"seq2seq"}, {"experiment"}}) {
    CAPTURE(group.size());
    check_error(group, 2, "no command given");
    const ProgramResult result = run_eddy(group);
    CHECK(result.out.empty());
    CHECK(result.err.starts_with(run_eddy(joined(group, {"--help"})).out));
  }
}

TEST_CASE("an unknown flag is named before one that is missing, with the nearest there is") {
  const TestFolder folder;
  const std::string output = folder.path("m.safetensors");
  check_error({"pretrain", "--hiden", "3"}, 2, "there is no flag --hiden of pretrain; did you mean --hidden?");
  check_error({"pretrain", "--output", output, "--hiden=3"}, 2, "no flag --hiden of pretrain; did you mean --hidden?");
  check_error({"pretrain", "--ouptut", output}, 2, "did you mean --output?");
  check_error({"evaluate", "--modle", output}, 2, "did you mean --model?");
  check_error({"pretrain", "--embed", "3"}, 2, "did you mean --embedding?");
  check_error({"pretrain", "--output", output, "--zzzzzzzz"}, 2, "there is no flag --zzzzzzzz of pretrain\n");
  check_error({"seq2seq", "train", "--evaluation_steps", "3"}, 2, "of seq2seq train; did you mean --evaluation-steps?");
  check_error({"seq2seq", "--steps", "3", "train"}, 2, "there is no flag --steps of seq2seq\n");
  check_error({"--vresion"}, 2, "there is no flag --vresion; did you mean --version?");
  check_error({"pretrain", "--output", output, "texts.txt"}, 2, "nothing of pretrain takes the word \"texts.txt\"");
  // A hidden flag is none to propose.
  check_error({"evaluate", "--unlabeled", "x"}, 2, "there is no flag --unlabeled of evaluate\n");
}

TEST_CASE("a table in a folder of texts is refused: its labels would be read as words") {
  const TestFolder folder;
  for (const char* name : {"texts", "more"}) std::filesystem::create_directory(folder.path(name));
  folder.write("texts/a.txt", text_lines(10, 1));
  folder.write("more/labelled.TSV.gz", "a\tb\n");
  folder.write("train.tsv", labelled_lines(60, 1));
  const std::string output = folder.path("m.safetensors");
  const std::string told = "labelled.TSV.gz: is a table by its name, in a folder whose files are read as texts";
  check_error({"pretrain", "--data", folder.path("more"), "--output", output}, 2, told);
  check_error({"pretrain", "--data", folder.path("texts"), "--unlabelled", folder.path("more"), "--output", output}, 2,
              told);
  check_error({"experiment", "texts", "--data", folder.path("train.tsv"), "--unlabelled", folder.path("more"),
               "--label-column", "0", "--text-column", "1", "--output", folder.path("report"), "--rows", "lm",
               "--cache-dir", folder.path("cache")},
              2, told);
}

TEST_CASE("flags that contradict each other or do nothing are usage errors, before anything is read") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(10, 1));
  const std::string data = folder.path("texts.txt"), output = folder.path("m.safetensors");
  const auto refused = [&](const Arguments& more, const std::string& part) {
    check_error(joined({"pretrain", "--data", data, "--output", output}, more), 2, part);
  };
  refused({"--resume", "--overwrite"}, "excludes");
  refused({"--lazy-rows", "--update-all-rows"}, "excludes");
  refused({"--nesterov"}, "--nesterov does nothing without --optimizer momentum");
  refused({"--decay", "0.5"}, "--decay does nothing without --schedule");
  refused({"--schedule", "cosine", "--plateau-patience", "2"}, "--plateau-patience does nothing without");
  refused({"--clip", "0", "--clip-exclude", "embedding"}, "--clip-exclude does nothing without --clip");
  refused({"--clip-exclude", "nosuch"}, "clip_excluded nosuch: no parameter's name begins so; they begin with emb");
  folder.write("frozen.json", R"({"optimizer": {"rate_multipliers": {"embeding": 0}}})");
  refused({"--config", folder.path("frozen.json")}, "rate_multipliers embeding: no parameter's name begins so");
  refused({"--schedule", "plateau", "--validation", "0"}, "goes by the validation loss");
  refused({"--bptt", "8", "--max-length", "3"}, "--max-length does nothing without --bptt 0");
  refused({"--bptt", "8", "--keep-first"}, "--keep-first does nothing without --bptt 0");
  refused({"--max-length", "0", "--keep-first"}, "--keep-first does nothing without --max-length");
  refused({"--validation", "0", "--patience", "1"}, "--patience does nothing without --validation");
  refused({"--validation", "0", "--evaluate-every", "5"}, "--evaluate-every does nothing without --validation");
  refused({"--layer-dropout", "0.1"}, "--layer-dropout does nothing without --layers above 1");
  for (const Arguments& words : {Arguments{"--softmax-samples", "5"}, {"--adaptive-softmax", "5"}, {"--tied-softmax"}})
    check_error(joined({"finetune", "--data", data, "--output", output, "--embedding", "256"}, words), 2,
                words[0] + " does nothing without --joint");
  const auto pairs_refused = [&](const Arguments& more, const std::string& part) {
    check_error(joined({"seq2seq", "train", "--data", data, "--output", output}, more), 2, part);
  };
  pairs_refused({"--resume", "--overwrite"}, "excludes");
  pairs_refused({"--energy", "dot"}, "expected --one-way as well, or --energy general");
  pairs_refused({"--decay", "0.5"}, "--decay does nothing without --schedule exponential, step or plateau");
  pairs_refused({"--decay-steps", "5"}, "--decay-steps does nothing without --schedule");
  pairs_refused({"--plateau-patience", "2"}, "--plateau-patience does nothing without --schedule plateau");
  pairs_refused({"--own-share-steps", "5"}, "--own-share-steps does nothing without --own-share");
  pairs_refused({"--mode", "basic", "--own-share", "0.5"},
                "--own-share does nothing without a --mode other than basic");
  pairs_refused({"--mode", "feedback", "--zero-state"}, "never sees the source");
  pairs_refused({"--mode", "feedback", "--energy", "dot"}, "--energy does nothing without --mode attention");
  pairs_refused({"--energy", "general", "--attention", "8"}, "--attention does nothing without --energy additive");
  pairs_refused({"--layer-dropout", "0.1"}, "--layer-dropout does nothing without --encoder-layers above 1");
  pairs_refused({"--schedule", "plateau", "--validation", "0"}, "goes by the validation loss");
  folder.write("notes.txt", "my notes\n");
  check_error({"seq2seq", "train", "--data", data, "--output", folder.path("notes.txt"), "--overwrite"}, 2,
              "is no model, so --overwrite does not replace it");
  CHECK(folder.read("notes.txt") == "my notes\n");
  refused({"--seed", "-1"}, "-1 is no whole number from 0 to 18446744073709551615");
  refused({"--seed", "99999999999999999999"}, "99999999999999999999 is no whole number");
  refused({"--epochs", "99999999999999999999"}, "99999999999999999999 is no whole number");
  folder.write("c.json", R"({"task": "classifier"})");
  refused({"--config", folder.path("c.json")}, "c.json trains a classifier; use it with eddy finetune");
  check_error({"experiment", "decoders", "--feedback", "token", "--output", folder.path("r")}, 2,
              "--modes feedback with --feedback token needs --hand-over");
  check_error({"experiment", "textsum", "--data", data, "--normalisation", "mean", "--alpha", "0.3"}, 2,
              "--alpha does nothing without --normalisation wu");
  check_error({"profile", "--vocabulary", "-5"}, 2, "--vocabulary is -5, expected 0 or more");
  check_error({"evaluate", "--model", output, "--seed", "3"}, 2, "--seed does nothing without --sample");
  check_error({"evaluate", "--model", output, "--json", "--confusion"}, 2, "--json has its counts already");
  check_error({"inspect", "--model", output, "--graph", "t1", "--trace", "t1"}, 2,
              "--graph and --trace are one file, t1");
  CHECK_FALSE(folder.has("m.safetensors"));
  // No lock is left either.
  CHECK_FALSE(folder.has(".m.checkpoint.safetensors.lock"));
}

TEST_CASE("a training that would change nothing is refused") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(10, 1));
  folder.write("train.tsv", labelled_lines(10, 1));
  const std::string output = folder.path("m.safetensors");
  for (const Arguments& train :
       {Arguments{"pretrain", "--data", folder.path("texts.txt"), "--output", output},
        {"finetune", "--data", folder.path("train.tsv"), "--label-column", "0", "--output", output}}) {
    check_error(joined(train, {"--epochs", "0"}), 2, "epochs is 0, expected 1 to");
    check_error(joined(train, {"--lr", "0"}), 2, "learning_rate is 0, expected more than 0");
  }
  CHECK_FALSE(folder.has("m.safetensors"));
}

TEST_CASE("no number is no value of a flag") {
  const TestFolder folder;
  const std::string output = folder.path("out");
  const std::string refused = "Value nan not in range";
  check_error({"pretrain", "--output", output, "--checkpoint-minutes", "nan"}, 2, refused);
  check_error({"seq2seq", "translate", "--model", output, "--alpha", "nan"}, 2, refused);
  check_error({"seq2seq", "translate", "--model", output, "--coverage", "nan"}, 2, refused);
  check_error({"seq2seq", "translate", "--model", output, "--repetition-penalty", "nan"}, 2, refused);
  check_error({"experiment", "adder", "--output", output, "--lr", "nan"}, 2, refused);
  check_error({"experiment", "decoders", "--output", output, "--lr", "nan"}, 2, refused);
  check_error({"experiment", "imdb", "--output", output, "--checkpoint-minutes", "nan"}, 2, refused);
  check_error({"experiment", "texts", "--output", output, "--data", output, "--test-fraction", "nan"}, 2, refused);
  check_error({"experiment", "adder", "--output", output, "--lr", "2"}, 2, "Value 2 not in range 0 to 1");
  check_error({"experiment", "adder", "--output", output, "--lr", "x"}, 2, "--learning-rate");
  CHECK(run_eddy({"experiment", "texts", "--help"}).out.find("0: only at the beginning and at the end") !=
        std::string::npos);
}

TEST_CASE("where an output cannot be is told before training") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(10, 1));
  folder.write("file", "x");
  const Arguments train = {"pretrain", "--data", folder.path("texts.txt"), "--max-steps", "1"};
  const std::string output = folder.path("m.safetensors");
  check_error(joined(train, {"--output", ""}), 2, "--output is empty");
  check_error(joined(train, {"--output", folder.path("none/m")}), 1, "No such file or directory");
  check_error(joined(train, {"--output", folder.path("m/"), "--overwrite"}), 1, "Is a directory");
  check_error(joined(train, {"--output", output, "--report", folder.path("file")}), 1, "file: is no folder");
  folder.write("index.html", "my page");
  check_error(joined(train, {"--output", output, "--report", folder.path("")}), 2, "is not of a report of eddy's");
  CHECK(folder.read("index.html") == "my page");
  CHECK_FALSE(folder.has("m.safetensors"));
}

TEST_CASE("-d is the data and -o the output of every command that has them") {
  for (const Arguments& command : {Arguments{"pretrain"},
                                   {"finetune"},
                                   {"seq2seq", "train"},
                                   {"experiment", "imdb"},
                                   {"experiment", "texts"},
                                   {"experiment", "piglatin"},
                                   {"experiment", "textsum"}}) {
    const std::string help = succeed(joined(command, {"--help"})).out;
    CAPTURE(command.back());
    CHECK(help.find(" -d,--data ") != std::string::npos);
    CHECK(help.find(" -o,--output ") != std::string::npos);
  }
  for (const Arguments& command : {Arguments{"evaluate"}, {"profile"}, {"seq2seq", "evaluate"}})
    CHECK(succeed(joined(command, {"--help"})).out.find(" -d,--data ") != std::string::npos);
  CHECK(succeed({"report", "--help"}).out.find("one each, separated by commas") != std::string::npos);
}

TEST_CASE("help tells what a flag takes") {
  const std::string help = run_eddy({"pretrain", "--help"}).out;
  CHECK(help.find("--text-column COLUMN ") != std::string::npos);
  CHECK(help.find("COLUMN ...") == std::string::npos);
  CHECK(run_eddy({"report", "--help"}).out.find("...") != std::string::npos);
}

TEST_CASE("wrong data and files are errors, exit 1, and leave nothing behind") {
  const TestFolder folder;
  const std::string output = folder.path("m.safetensors");
  folder.write("texts.txt", text_lines(10, 1));
  folder.write("empty.txt", "");
  folder.write("one.txt", "only one text\n");
  folder.write("bad.tsv", "a\tb\nc\n");
  folder.write("bad.json", "{\"batch\": 3}");
  folder.write("bad.safetensors", "these are no tensors");
  const auto train = [&](const std::string& data) {
    return Arguments{"pretrain", "--data", folder.path(data), "--output", output};
  };
  check_error(train("missing.txt"), 1, "does not exist");
  check_error(train("empty.txt"), 1, "empty.txt");
  check_error(train("one.txt"), 1, "cannot be split");
  check_error(train("bad.tsv"), 2, "bad.tsv: has 2 columns; say with --text-column");
  check_error(joined(train("bad.tsv"), {"--text-column", "1"}), 1, "bad.tsv:2");
  check_error({"finetune", "--data", folder.path("texts.txt"), "--output", output}, 1, "has 0 classes");
  Arguments with_config = train("texts.txt");
  with_config.insert(with_config.end(), {"--config", folder.path("bad.json")});
  check_error(with_config, 1, "bad.json: unknown key \"batch\", expected one of ");
  check_error({"evaluate", "--model", folder.path("bad.safetensors"), "--data", folder.path("texts.txt")}, 1,
              "bad.safetensors");
  check_error({"predict", "--model", folder.path("missing.safetensors")}, 1, "missing.safetensors");
  check_error({"inspect", "--model", folder.path("texts.txt")}, 1, "texts.txt");
  CHECK_FALSE(folder.has("m.safetensors"));
  CHECK_FALSE(folder.has("m.checkpoint.safetensors"));
}

TEST_CASE("a run is not overwritten or changed by mistake") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(20, 1));
  const Arguments train = train_small(folder, {"--max-steps", "2", "--quiet"});
  REQUIRE(run_eddy(train).status == 0);
  const std::string before = folder.read("m.safetensors");
  check_error(train, 2, "--resume goes on with it");
  check_error({"pretrain", "--output", folder.path("m.safetensors"), "--resume", "--hidden", "9"}, 2,
              "model/hidden_size (8 → 9)");
  check_error({"finetune", "--output", folder.path("m.safetensors"), "--resume"}, 2,
              "m.checkpoint.safetensors trains no classifier; resume it with eddy pretrain");
  check_error({"predict", "--model", folder.path("m.safetensors")}, 2, "no classes to predict");
  check_error({"finetune", "--from", folder.path("m.safetensors"), "--data", folder.path("texts.txt"), "--output",
               folder.path("c.safetensors"), "--hidden", "9"},
              2, "--hidden is 9");
  CHECK(folder.read("m.safetensors") == before);
}

TEST_CASE("a damaged model file is an error or loads, but never crashes") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(20, 1));
  REQUIRE(run_eddy({"pretrain", "--data", folder.path("texts.txt"), "--output", folder.path("m.safetensors"),
                    "--hidden", "8", "--embedding", "8", "--max-steps", "2"})
              .status == 0);
  const std::string good = folder.read("m.safetensors");
  Philox random(3);
  for (int i = 0; i < 24; ++i) {
    std::string bad = good;
    if (i % 3 == 0) {
      bad.resize(uniform_index(random, bad.size()));
    } else {
      // The header, with the config in it, is at the beginning.
      const std::size_t range = i % 3 == 1 ? std::min<std::size_t>(bad.size(), 4000) : bad.size();
      for (int n = 0; n < 3; ++n) bad[uniform_index(random, range)] = static_cast<char>(uniform_index(random, 256));
    }
    folder.write("bad.safetensors", bad);
    const ProgramResult result = run_eddy({"inspect", "--model", folder.path("bad.safetensors")});
    INFO(result.err);
    const bool told = result.status == 1 && result.err.find("eddy: error: ") != std::string::npos;
    const bool fine = result.status == 0;
    CHECK((told || fine));
  }
}

}  // namespace eddy
