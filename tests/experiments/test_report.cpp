// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "eddy/core/error.h"
#include "eddy/core/tile_product.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/report.h"
#include "eddy/experiments/report_compare.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

Table make_table() {
  return {"Test error",
          {"model", "error (%)", "tokens/s", "note"},
          {{"LSTM", Measure{71.62, 0.44}, Measure{12345, std::nullopt, 0}, "a|b"},
           {"語モデル", Measure{7.06, 0.1}, Measure{std::nan(""), std::nullopt, 0}, "<i>\n"},
           {"naïve", Measure{35.5, std::nullopt}, "", ""}}};
}

TEST_CASE("terminal tables are aligned by what a terminal shows") {
  CHECK(display_width("naïve") == 5);
  CHECK(display_width("nai\xCC\x88ve") == 5);
  CHECK(display_width("語モ") == 4);
  CHECK(display_width("±–") == 2);
  CHECK(display_width("\xff") == 1);
  CHECK(to_text(make_table()) ==
        "Test error\n"
        "model      error (%)  tokens/s  note\n"
        "────────  ──────────  ────────  ────\n"
        "LSTM      71.6 ± 0.4    12,345  a|b\n"
        "語モデル   7.1 ± 0.1         –  <i>\n"
        "naïve           35.5\n");
}

TEST_CASE("Markdown tables escape what would break them") {
  const std::string markdown = to_markdown(make_table());
  CHECK(markdown.starts_with(
      "| model | error (%) | tokens/s | note |\n| --- | ---: | ---: | --- |\n| LSTM | 71.6 ± 0.4 |"));
  CHECK(markdown.find("a\\|b") != std::string::npos);
  CHECK(markdown.find("\\<i\\>") != std::string::npos);
}

TEST_CASE("JSON keeps full precision and has null for no number") {
  const auto json = nlohmann::json::parse(to_json(make_table()));
  CHECK(json["rows"][0][1]["mean"].get<double>() == 71.62);
  CHECK(json["rows"][0][1]["spread"].get<double>() == 0.44);
  CHECK(json["rows"][1][2]["mean"].is_null());
  CHECK(json["rows"][2][1]["spread"].is_null());
  CHECK(json["rows"][1][0] == "語モデル");
}

TEST_CASE("rows of the wrong length are refused") {
  Table table = make_table();
  table.rows[1].pop_back();
  CHECK_THROWS_WITH_AS(to_text(table), doctest::Contains("row 2 of table 'Test error' has 3 cells"), UsageError);
  CHECK_THROWS_AS(to_markdown(table), UsageError);
  CHECK_THROWS_AS(to_json(table), UsageError);
}

Report make_report() {
  Report report;
  report.title = "WordNet <& \"labels\">";
  report.summary = {"Pretraining helps."};
  report.tables = {make_table()};
  report.charts = {{"curves", "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>\n", "Error by epoch & seed"}};
  report.configuration = R"({"hidden":256})";
  report.environment = to_json(collect_environment("eddy experiment 'a b' ```", 7));
  report.command = "eddy experiment 'a b' ```";
  return report;
}

TEST_CASE("a report folder is complete and its page needs nothing else") {
  const TemporaryFolder folder;
  write_report(folder / "out/run", make_report());
  const std::string html = slurp(folder / "out/run/index.html");
  CHECK(html.find("<title>WordNet &lt;&amp; &quot;labels&quot;&gt;</title>") != std::string::npos);
  CHECK(html.find("<svg ") != std::string::npos);
  CHECK(html.find("src=") == std::string::npos);
  CHECK(html.find("href=") == std::string::npos);
  CHECK(html.find("&quot;hidden&quot;: 256") != std::string::npos);
  CHECK(html.find("eddy experiment &#39;a b&#39;") != std::string::npos);
  CHECK(html.find("<td class=\"number\">71.6 ± 0.4</td>") != std::string::npos);
  const std::string markdown = slurp(folder / "out/run/report.md");
  CHECK(markdown.find("(curves.svg)") != std::string::npos);
  CHECK(markdown.find("````sh\n") != std::string::npos);
  const auto json = nlohmann::json::parse(slurp(folder / "out/run/report.json"));
  CHECK(json["configuration"]["hidden"] == 256);
  CHECK(json["environment"]["seed"] == 7);
  CHECK(json["charts"][0]["file"] == "curves.svg");
  CHECK(slurp(folder / "out/run/curves.svg") == make_report().charts[0].svg);
}

TEST_CASE("bad reports are refused before anything is written") {
  const TemporaryFolder folder;
  for (const std::string name : {"", "../x", "a/b", ".hidden", "a b"}) {
    Report report = make_report();
    report.charts[0].name = name;
    CHECK_THROWS_AS(write_report(folder / "out", report), UsageError);
  }
  Report report = make_report();
  report.charts.push_back(report.charts[0]);
  CHECK_THROWS_AS(write_report(folder / "out", report), UsageError);
  report = make_report();
  report.configuration = "{";
  CHECK_THROWS_AS(write_report(folder / "out", report), UsageError);
  CHECK(folder.files() == 0);
  spit(folder / "file", "");
  CHECK_THROWS_AS(write_report(folder / "file", make_report()), DataError);
}

TEST_CASE("a report replaces reports and nothing else") {
  const TemporaryFolder folder;
  write_report(folder / "out", make_report());
  CHECK_NOTHROW(check_report_folder(folder / "out"));
  CHECK_NOTHROW(write_report(folder / "out", make_report()));
  // What a kill leaves of a first report.
  std::filesystem::remove(folder / "out/index.html");
  std::filesystem::remove(folder / "out/report.md");
  CHECK_NOTHROW(write_report(folder / "out", make_report()));

  for (const char* name : {"index.html", "report.json", "report.md", "curves.svg"}) {
    CAPTURE(name);
    const auto site = folder / "site";
    std::filesystem::create_directories(site);
    spit(site / name, "<html>my own</html>");
    CHECK_THROWS_WITH_AS(write_report(site, make_report()), doctest::Contains("is not of a report of eddy's"),
                         UsageError);
    if (name != std::string_view("curves.svg")) CHECK_THROWS_AS(check_report_folder(site), UsageError);
    CHECK(slurp(site / name) == "<html>my own</html>");
    std::filesystem::remove_all(site);
  }
}

TEST_CASE("an experiment's report is replaced by the experiment alone") {
  const TemporaryFolder folder;
  write_report(folder / "out", make_report());
  std::filesystem::create_directories(folder / "out/parts");
  CHECK_THROWS_WITH_AS(check_report_folder(folder / "out"), doctest::Contains("out: is the folder of an experiment"),
                       UsageError);
  CHECK_NOTHROW(check_experiment_folder(folder / "out"));
  CHECK_NOTHROW(write_report(folder / "out", make_report()));
}

TEST_CASE("a report whose configuration and environment are empty objects is a page") {
  Report report = make_report();
  report.configuration = report.environment = "{}";
  CHECK(to_html(report).find("Environment") != std::string::npos);
}

TEST_CASE("settings that are empty lists or objects are shown and compared as such") {
  Report one = make_report(), other = make_report();
  one.environment = R"({"cutoffs":[],"rates":{},"none":null})";
  one.configuration = R"({"model":{"cutoffs":[],"hidden":256}})";
  other.configuration = R"({"model":{"cutoffs":[2000,10000],"hidden":256}})";
  const std::string page = to_html(one);
  for (const char* cell : {">[]</td>", ">{}</td>", ">null</td>"}) CHECK(page.find(cell) != std::string::npos);
  const std::string compared = to_html(compare_reports({{"one", one}, {"other", other}}));
  CHECK(compared.find(">[]</td>") != std::string::npos);
  CHECK(compared.find(">model.cutoffs.1</td>") != std::string::npos);
  CHECK(compared.find("model.hidden") == std::string::npos);
}

TEST_CASE("whether a report can be written is known beforehand") {
  const TemporaryFolder folder;
  spit(folder / "file", "");
  CHECK_THROWS_WITH_AS(check_report_folder(folder / "file"), doctest::Contains("is no folder"), DataError);
  CHECK_THROWS_WITH_AS(check_report_folder(folder / "file/below"), doctest::Contains("is no folder"), DataError);
  CHECK_NOTHROW(check_report_folder(folder / "a/b/c"));
  CHECK_NOTHROW(check_report_folder("not-yet-there"));
  CHECK(folder.files() == 1);
}

TEST_CASE("what the bits depend on is compared with this process") {
  CHECK(changed_arithmetic(arithmetic_facts()).empty());
  CHECK(changed_arithmetic("").empty());
  CHECK(changed_arithmetic("{}").empty());
  CHECK(changed_arithmetic("no JSON").empty());
  auto other = nlohmann::json::parse(arithmetic_facts());
  other["vector_target"] = "Z80";
  other["eddy"] = "99";
  other["threads"] = 1000;
  other["precision"] = "medium";
  const std::vector<std::string> changes = changed_arithmetic(other.dump());
  // Without AMX all precisions are one.
  REQUIRE(changes.size() == (tiles::available() ? 3 : 2));
  CHECK(changes[0].starts_with("threads (1000, now "));
  CHECK(changes[1].starts_with("vector_target (\"Z80\", now "));
  if (tiles::available()) CHECK(changes[2] == "precision (\"medium\", now \"highest\")");
  CHECK(recorded_threads(other.dump()) == 1000);
  CHECK(recorded_precision(other.dump()) == Precision::medium);
  for (const char* facts : {"", "{}", R"({"precision": 1})", R"({"precision": "low"})"})
    CHECK_FALSE(recorded_precision(facts));
  for (const char* facts : {"", "no JSON", "[1]", "{}", R"({"threads": "2"})", R"({"threads": 0})",
                            R"({"threads": -1})", R"({"threads": 1025})", R"({"threads": 18446744073709551615})"})
    CHECK_FALSE(recorded_threads(facts));
}

TEST_CASE("instructions are the same under the name that earlier versions gave them") {
  auto earlier = nlohmann::json::parse(arithmetic_facts());
  const bool same = earlier["vector_target"] == "AVX-512";
  earlier["vector_target"] = "AVX3";
  CHECK(changed_arithmetic(earlier.dump()).empty() == same);
}

TEST_CASE("the environment is complete") {
  const Environment facts = collect_environment("cmd", 3);
  CHECK_FALSE(facts.cpu.empty());
  CHECK(facts.threads >= 1);
  CHECK(facts.date.size() == 20);
  CHECK(facts.eddy_version == eddy_version());
  CHECK(facts.onednn_version.find('.') != std::string::npos);
  CHECK(nlohmann::json::parse(to_json(facts))["seed"] == 3);
  CHECK_FALSE(nlohmann::json::parse(to_json(collect_environment())).contains("seed"));
  CHECK(nlohmann::json::accept(to_json(collect_environment("\xff"))));
}

TEST_CASE("a shell reads the command back as it was") {
  const std::vector<std::string> words{"a=b",      "",  "it's", "x y",       "$HOME",
                                       "--seed=3", "*", "語",   "new\nline", "back\\slash"};
  std::string command = "printf '%s\\0' " + shell_command(words);
  std::FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string found;
  for (int c = 0; (c = std::fgetc(pipe)) != EOF;) found += static_cast<char>(c);
  CHECK(::pclose(pipe) == 0);
  std::string expected;
  for (const std::string& word : words) expected += word + '\0';
  CHECK(found == expected);
  CHECK(shell_command(std::vector<std::string>{"eddy", "--seed=3", "a/b"}) == "eddy --seed=3 a/b");
  CHECK(shell_command(std::vector<std::string>{"a=b", "c"}) == "'a=b' c");
}

}  // namespace
}  // namespace eddy
