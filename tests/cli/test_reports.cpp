// SPDX-License-Identifier: Apache-2.0
// Reports of runs, comparisons, event files, and the options of finetune that change its loss or its rates.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "program.h"

namespace eddy {
namespace {

Arguments finetune(const TestFolder& folder, const std::string& output, const Arguments& more = {}) {
  return joined({"finetune", "--data", folder.path("train.tsv"), "--label-column", "0", "--output", folder.path(output),
                 "--batch", "16", "--no-cache"},
                more);
}
const Arguments kSmall = {"--hidden", "16", "--embedding", "12", "--epochs", "2", "--log-steps", "2"};

TEST_CASE("finetune and evaluate write reports, and report compares them") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(120, 1));
  folder.write("test.tsv", labelled_lines(60, 2));
  succeed(finetune(folder, "a.safetensors",
                   joined(kSmall, {"--report", folder.path("reports/a"), "--tensorboard", folder.path("events")})));
  const auto a = nlohmann::json::parse(folder.read("reports/a/report.json"));
  CHECK(a["tables"][0]["rows"][0][0] == "validation");
  CHECK(a["configuration"]["training"]["model"]["hidden_size"] == 16);
  CHECK(a["environment"]["seed"] == 1);
  CHECK(a["command"].get<std::string>().find("--report") != std::string::npos);
  std::vector<std::string> charts;
  for (const auto& chart : a["charts"]) charts.push_back(chart["file"]);
  CHECK(charts == Arguments{"loss.svg", "error.svg", "gradient-norm.svg", "learning-rate.svg", "speed.svg",
                            "memory.svg", "confusion-validation.svg"});
  const std::string page = folder.read("reports/a/index.html");
  CHECK(page.find("<svg ") != std::string::npos);
  CHECK(page.find("src=") == std::string::npos);
  int events = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path("events"))) {
    CHECK(entry.path().filename().string().starts_with("events.out.tfevents."));
    CHECK(entry.file_size() > 300);
    ++events;
  }
  CHECK(events == 1);

  succeed({"evaluate", "--model", folder.path("a.safetensors"), "--data", folder.path("test.tsv"), "--label-column",
           "0", "--no-cache", "--report", folder.path("reports/b")});
  const auto b = nlohmann::json::parse(folder.read("reports/b/report.json"));
  CHECK(b["tables"][0]["rows"][0][1]["mean"] == 60);
  CHECK(b["charts"].size() == 7);  // the log of the training still stands beside the model

  // Files and folders have all sorts of names.
  folder.write("my тест <b>.tsv", labelled_lines(60, 2));
  succeed({"evaluate", "--model", folder.path("a.safetensors"), "--data", folder.path("my тест <b>.tsv"),
           "--label-column", "0", "--no-cache", "--sample", "20", "--seed", "7", "--report", folder.path("reports/c")});
  const auto c = nlohmann::json::parse(folder.read("reports/c/report.json"));
  CHECK(c["tables"][0]["rows"][0][0] == "my тест <b>.tsv");
  CHECK(c["summary"].dump().find("20 texts of the part, drawn at random with seed 7") != std::string::npos);
  CHECK(folder.has("reports/c/confusion-my-b-.tsv.svg"));

  const ProgramResult compared =
      succeed({"report", folder.path("reports/a"), folder.path("reports/b"), "--output", folder.path("both")});
  CHECK(compared.out.find("macro F1") != std::string::npos);
  const auto both = nlohmann::json::parse(folder.read("both/report.json"));
  CHECK(both["charts"][0]["lines"]["series"][0]["name"] == "a: training");
  CHECK(folder.read("both/index.html").find("2 runs compared") != std::string::npos);
  succeed({"report", folder.path("reports/a"), folder.path("reports/b/report.json"), "-o", folder.path("named"),
           "--names", "first,second"});
  CHECK(folder.read("named/report.md").find("| second |") != std::string::npos);
  CHECK(run_eddy({"report", folder.path("reports/a"), "-o", folder.path("one")}).status == 2);
  CHECK(run_eddy({"report", folder.path("reports"), folder.path("none"), "-o", folder.path("one")}).status == 1);
}

TEST_CASE("the report of an experiment is not replaced by another") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(60, 1));
  succeed(finetune(folder, "a.safetensors", joined(kSmall, {"--report", folder.path("a")})));
  std::filesystem::copy(folder.path("a"), folder.path("experiment"));
  std::filesystem::create_directories(folder.path("experiment/parts"));
  const std::string page = folder.read("experiment/index.html");
  for (const Arguments& more :
       {Arguments{"report", folder.path("a"), folder.path("a/report.json"), "--names", "x,y", "-o"},
        {"evaluate", "--model", folder.path("a.safetensors"), "--report"}}) {
    const ProgramResult result = run_eddy(joined(more, {folder.path("experiment")}));
    CHECK(result.status == 2);
    CHECK_MESSAGE(result.err.find("is the folder of an experiment") != std::string::npos, result.err);
  }
  CHECK(folder.read("experiment/index.html") == page);
}

TEST_CASE("pretrain reports its curves and perplexity") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  succeed(joined({"pretrain", "--data", folder.path("texts.txt"), "--output", folder.path("lm.safetensors"),
                  "--no-cache", "--validation", "0.2", "--report", folder.path("report")},
                 kSmall));
  const auto json = nlohmann::json::parse(folder.read("report/report.json"));
  CHECK(json["tables"][0]["columns"].back() == "perplexity");
  CHECK(json["tables"][0]["rows"][0][1]["mean"] == 12);
}

TEST_CASE("normalised embeddings go from pretraining through a resumed finetuning to prediction") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  folder.write("train.tsv", labelled_lines(60, 2));
  succeed(joined({"pretrain", "--data", folder.path("texts.txt"), "--output", folder.path("lm.safetensors"),
                  "--no-cache", "--normalize-embeddings"},
                 kSmall));
  const Arguments more = {"--from",
                          folder.path("lm.safetensors"),
                          "--adversarial",
                          "vat",
                          "--perturbation-norm",
                          "1",
                          "--unfreeze-epochs",
                          "1",
                          "--layer-rate-decay",
                          "0.5"};
  succeed(finetune(folder, "whole.safetensors", joined(more, {"--max-steps", "10"})));
  succeed(finetune(folder, "parts.safetensors", joined(more, {"--max-steps", "5"})));
  succeed({"finetune", "--output", folder.path("parts.safetensors"), "--resume", "--max-steps", "10", "--no-cache"});
  CHECK(folder.read("whole.safetensors") == folder.read("parts.safetensors"));
  CHECK(succeed({"predict", "--model", folder.path("whole.safetensors")}, "the small one barks\n").out.size() > 5);
  const auto json =
      nlohmann::json::parse(succeed({"inspect", "--model", folder.path("whole.safetensors"), "--json"}).out);
  CHECK(json["config"]["model"]["normalize_embeddings"] == true);
  CHECK(json["config"]["adversarial"]["kind"] == "vat");
  const ProgramResult refused = run_eddy(finetune(folder, "x.safetensors", {"--linear-gain", "--adversarial", "at"}));
  CHECK(refused.status == 2);
  CHECK(refused.err.find("adversarial training (at) is of a classifier") != std::string::npos);
}

TEST_CASE("of a pretrained model the embedding alone goes over when that is asked for") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  folder.write("train.tsv", labelled_lines(60, 2));
  succeed(
      joined({"pretrain", "--data", folder.path("texts.txt"), "--output", folder.path("lm.safetensors"), "--no-cache"},
             kSmall));
  const Arguments from = {"--from", folder.path("lm.safetensors"), "--max-steps", "2"};
  const ProgramResult words = succeed(finetune(folder, "words.safetensors", joined(from, {"--transfer", "embedding"})));
  CHECK(words.err.find("1 transferred") != std::string::npos);
  CHECK(words.err.find("0 unused") != std::string::npos);
  const ProgramResult all = succeed(finetune(folder, "all.safetensors", from));
  CHECK(all.err.find("4 transferred") != std::string::npos);
  const ProgramResult alone = run_eddy(finetune(folder, "x.safetensors", {"--transfer", "embedding"}));
  CHECK(alone.status == 2);
  CHECK(alone.err.find("--transfer embedding needs --from") != std::string::npos);
}

TEST_CASE("unlabelled texts beside labelled ones are read where a task learns from them") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(60, 2));
  folder.write("texts.txt", text_lines(40, 3));
  const auto steps = [&](const std::string& output, const Arguments& more) {
    succeed(finetune(folder, output, joined(kSmall, more)));
    const ProgramResult shown = succeed({"inspect", "--model", folder.path(output), "--json"});
    CHECK(nlohmann::json::parse(shown.out)["config"]["epochs"] == 2);
    std::int64_t last = 0;
    std::istringstream lines(folder.read(output.substr(0, output.find('.')) + ".log.jsonl"));
    for (std::string line; std::getline(lines, line);) last = nlohmann::json::parse(line)["step"];
    return last;
  };
  const Arguments unlabelled = {"--unlabelled", folder.path("texts.txt")};
  const std::int64_t labelled = steps("at.safetensors", {"--adversarial", "at"});
  CHECK(steps("vat.safetensors", joined(unlabelled, {"--adversarial", "vat"})) > labelled);
  CHECK(steps("joint.safetensors", joined(unlabelled, {"--joint", "lm"})) > labelled);
  const ProgramResult useless = run_eddy(finetune(folder, "x.safetensors", unlabelled));
  CHECK(useless.status == 2);
  CHECK(useless.err.find("--unlabelled does nothing without --joint or --adversarial vat") != std::string::npos);
  const ProgramResult missing =
      run_eddy(finetune(folder, "x.safetensors", {"--joint", "lm", "--unlabelled", folder.path("none")}));
  CHECK(missing.status == 1);
  CHECK(missing.err.find("none: does not exist") != std::string::npos);
}

TEST_CASE("a folder of text files is read as their lines, with and without the cache") {
  const TestFolder folder;
  std::filesystem::create_directories(folder.path("texts/more"));
  folder.write("texts/a.txt", text_lines(40, 1));
  folder.write("texts/more/b.txt", text_lines(20, 2));
  const auto pretrain = [&](const std::string& output, const Arguments& cache) {
    return joined(joined({"pretrain", "--data", folder.path("texts"), "--output", folder.path(output), "--bptt", "8",
                          "--max-steps", "6", "--batch", "4"},
                         kSmall),
                  cache);
  };
  succeed(pretrain("memory.safetensors", {"--no-cache"}));
  succeed(pretrain("stream.safetensors", {"--cache-dir", folder.path("cache")}));
  CHECK(folder.read("memory.safetensors") == folder.read("stream.safetensors"));
}

}  // namespace
}  // namespace eddy
