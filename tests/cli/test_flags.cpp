// SPDX-License-Identifier: Apache-2.0
// What each flag sets, as the model that a run of one step writes has it, and what the flags of a search change.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "program.h"

namespace eddy {
namespace {

using Json = nlohmann::json;

/// Flags, and members of the config as JSON pointers with the values they then have.
struct Row {
  Arguments flags;
  std::vector<std::pair<std::string, Json>> members;
};

/// Runs `base` without flags, then with those of each row. A member must have its value with the flags alone, so that
/// neither a flag that does nothing nor one the wrong way round passes.
void check_rows(const TestFolder& folder, const Arguments& base, const std::vector<Row>& rows,
                const std::string& output = "m.safetensors", const std::string& anew = "--overwrite") {
  const auto config_of = [&](const Arguments& flags) {
    succeed(joined(replaced(base, flags), {anew}));
    return Json::parse(succeed({"inspect", "--model", folder.path(output), "--json"}).out).at("config");
  };
  const Json plain = config_of({});
  for (const Row& row : rows) {
    CAPTURE(row.flags[0]);
    const Json config = config_of(row.flags);
    for (const auto& expected : row.members) {
      const std::string& member = expected.first;
      CAPTURE(member);
      const Json::json_pointer at(member);
      CHECK(config.at(at) == expected.second);
      CHECK(plain.at(at) != expected.second);
    }
  }
}

Arguments small_run(const TestFolder& folder, const Arguments& command) {
  return joined(command, {"--output", folder.path("m.safetensors"), "--hidden", "8", "--embedding", "8", "--threads",
                          "1", "--quiet"});
}

void write_pairs(const TestFolder& folder, bool all_unknown = false) {
  std::string pairs;
  for (int i = 0; i < 40; ++i) {
    const int a = all_unknown ? i : i % 9, b = all_unknown ? i : i % 5;
    pairs += fmt::format("a{} b{}\tc{} d{}\n", a, b, a, b);
  }
  folder.write("pairs.tsv", pairs);
}

Arguments small_pairs_run(const TestFolder& folder) {
  return small_run(folder, {"seq2seq", "train", "--data", folder.path("pairs.tsv"), "--validation", "4", "--test", "4",
                            "--steps", "1", "--softmax-samples", "0"});
}

}  // namespace

TEST_CASE("what each flag of pretrain sets") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(40, 1));
  const Arguments base =
      small_run(folder, {"pretrain", "--data", folder.path("texts.txt"), "--max-steps", "1", "--no-cache"});
  check_rows(folder, base,
             {{{"--cell", "gru"}, {{"/model/cell", "gru"}}},
              {{"--clip-cell", "2"}, {{"/model/clip_cell", 2}}},
              {{"--layers", "2", "--layer-dropout", "0.25"}, {{"/model/layers", 2}, {"/model/layer_dropout", 0.25}}},
              {{"--bidirectional"}, {{"/model/bidirectional", true}}},
              {{"--normalize-embeddings"}, {{"/model/normalize_embeddings", true}}},
              {{"--word-dropout", "0.25"}, {{"/model/word_dropout", 0.25}}},
              {{"--embedding-dropout", "0.25"}, {{"/model/embedding_dropout", 0.25}}},
              {{"--output-dropout", "0.25"}, {{"/model/output_dropout", 0.25}}},
              {{"--softmax-samples", "5"}, {{"/model/softmax_samples", 5}}},
              {{"--adaptive-softmax", "4,8"}, {{"/model/adaptive_cutoffs", {4, 8}}}},
              {{"--tied-softmax"}, {{"/model/tied_softmax", true}}},
              {{"--optimizer", "momentum", "--momentum", "0.5", "--nesterov"},
               {{"/optimizer/kind", "momentum"}, {"/optimizer/momentum", 0.5}, {"/optimizer/nesterov", true}}},
              {{"--clip", "0", "--clip-value", "0.5"}, {{"/optimizer/clip_norm", 0}, {"/optimizer/clip_value", 0.5}}},
              {{"--clip-exclude", "embedding"}, {{"/optimizer/clip_excluded", {"embedding"}}}},
              {{"--weight-decay", "0.125"}, {{"/optimizer/weight_decay", 0.125}}},
              {{"--lazy-rows"}, {{"/optimizer/lazy_rows", true}}},
              {{"--update-all-rows"}, {{"/optimizer/catch_up_rows", false}}},
              {{"--ema", "0.5"}, {{"/optimizer/ema_decay", 0.5}}},
              {{"--warm-up", "7"}, {{"/optimizer/schedule/warm_up_steps", 7}}},
              {{"--schedule", "cosine", "--decay-steps", "7", "--rate-floor", "0.25"},
               {{"/optimizer/schedule/kind", "cosine"},
                {"/optimizer/schedule/decay_steps", 7},
                {"/optimizer/schedule/floor", 0.25}}},
              {{"--schedule", "plateau", "--decay", "0.25", "--plateau-patience", "7"},
               {{"/optimizer/schedule/kind", "plateau"},
                {"/optimizer/schedule/decay", 0.25},
                {"/optimizer/schedule/patience", 7}}},
              {{"--max-length", "4", "--keep-first"}, {{"/max_length", 4}, {"/keep_last", false}}},
              {{"--bptt", "4"}, {{"/stream_steps", 4}}},
              {{"--task", "sa"}, {{"/task", "autoencoder"}}},
              {{"--batch", "3"}, {{"/batch_size", 3}}},
              {{"--epochs", "77"}, {{"/epochs", 77}}},
              {{"--max-seconds", "777"}, {{"/max_seconds", 777}}},
              {{"--patience", "7"}, {{"/patience", 7}}},
              {{"--evaluate-every", "7"}, {{"/evaluation_interval", 7}}},
              {{"--validation", "0.25"}, {{"/validation_fraction", 0.25}}},
              {{"--seed", "7"}, {{"/seed", 7}}}});
}

TEST_CASE("what each flag of finetune sets beside those of pretrain") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(40, 1));
  const Arguments base = small_run(folder, {"finetune", "--data", folder.path("train.tsv"), "--label-column", "0",
                                            "--max-steps", "1", "--no-cache"});
  check_rows(folder, base,
             {{{"--classifier-dropout", "0.5"}, {{"/model/classifier_dropout", 0.5}}},
              {{"--classifier-hidden", "4"}, {{"/model/classifier_hidden_size", 4}}},
              {{"--pooling", "concat"}, {{"/model/pooling", "concat"}}},
              {{"--linear-gain"}, {{"/task", "label_gain"}}},
              {{"--joint", "sa", "--joint-weight", "0.5"},
               {{"/task", "joint"}, {"/joint_task", "autoencoder"}, {"/joint_weight", 0.5}}},
              {{"--mixed-validation"}, {{"/validation_by_group", false}}},
              {{"--layer-rate-decay", "0.5"}, {{"/layer_rate_decay", 0.5}}},
              {{"--unfreeze-epochs", "2"}, {{"/unfreeze_epochs", 2}}},
              {{"--adversarial", "vat", "--perturbation-norm", "7", "--absolute-perturbation", "--adversarial-weight",
                "0.25", "--power-iterations", "3", "--finite-difference", "0.25"},
               {{"/adversarial/kind", "vat"},
                {"/adversarial/norm", 7},
                {"/adversarial/relative", false},
                {"/adversarial/weight", 0.25},
                {"/adversarial/power_iterations", 3},
                {"/adversarial/finite_difference", 0.25}}}});
}

TEST_CASE("what each flag of seq2seq train sets") {
  const TestFolder folder;
  write_pairs(folder);
  check_rows(
      folder, small_pairs_run(folder),
      {{{"--cell", "gru"}, {{"/model/cell", "gru"}}},
       {{"--clip-cell", "2"}, {{"/model/clip_cell", 2}}},
       {{"--attention", "6"}, {{"/model/attention_size", 6}}},
       {{"--dropout", "0.5"}, {{"/model/dropout", 0.5}}},
       {{"--softmax-samples", "3"}, {{"/model/softmax_samples", 3}}},
       {{"--mode", "feedback"}, {{"/model/mode", "feedback"}}},
       {{"--energy", "dot", "--one-way"}, {{"/model/energy", "dot"}, {"/model/bidirectional", false}}},
       {{"--input-feeding"}, {{"/model/input_feeding", true}}},
       {{"--encoder-layers", "2", "--layer-dropout", "0.25"},
        {{"/model/encoder_layers", 2}, {"/model/layer_dropout", 0.25}}},
       {{"--decoder-layers", "2"}, {{"/model/decoder_layers", 2}}},
       {{"--zero-state"}, {{"/model/hand_over_state", false}}},
       {{"--keep-case"}, {{"/data/lower_case", false}}},
       {{"--source-words", "7"}, {{"/data/source_words", 7}, {"/model/source_vocabulary", 8}}},
       {{"--target-words", "7"}, {{"/data/target_words", 7}, {"/model/target_vocabulary", 8}}},
       {{"--min-count", "1"}, {{"/data/min_count", 1}}},
       {{"--min-documents", "2"}, {{"/data/min_documents", 2}}},
       {{"--validation", "3"}, {{"/data/validation", 3}}},
       {{"--test", "3"}, {{"/data/test", 3}}},
       {{"--source-column", "1", "--target-column", "0"}, {{"/data/source_column", 1}, {"/data/target_column", 0}}},
       {{"--max-source", "7"}, {{"/max_source", 7}}},
       {{"--max-target", "7"}, {{"/max_target", 7}}},
       {{"--own-share", "0.25", "--own-share-steps", "7"}, {{"/own_share", 0.25}, {"/own_share_steps", 7}}},
       {{"--schedule", "exponential", "--decay", "0.25", "--decay-steps", "7", "--warm-up", "3"},
        {{"/optimizer/schedule/kind", "exponential"},
         {"/optimizer/schedule/decay", 0.25},
         {"/optimizer/schedule/decay_steps", 7},
         {"/optimizer/schedule/warm_up_steps", 3}}},
       {{"--schedule", "plateau", "--plateau-patience", "7"}, {{"/optimizer/schedule/patience", 7}}},
       {{"--clip", "7"}, {{"/optimizer/clip_norm", 7}}},
       {{"--batch", "3"}, {{"/batch_size", 3}}},
       {{"--epochs", "77"}, {{"/epochs", 77}}},
       {{"--seconds", "777"}, {{"/max_seconds", 777}}},
       {{"--patience", "7"}, {{"/patience", 7}}},
       {{"--evaluation-steps", "7"}, {{"/evaluation_steps", 7}}},
       {{"--seed", "7"}, {{"/seed", 7}}}});
}

TEST_CASE("what each flag of textsum sets") {
  const TestFolder folder;
  write_headlines(folder, "news");
  const Arguments base = {"experiment",  "textsum",
                          "--data",      folder.path("news"),
                          "--output",    folder.path("report"),
                          "--hidden",    "8",
                          "--embedding", "8",
                          "--attention", "8",
                          "--steps",     "1",
                          "--longest",   "3",
                          "--threads",   "1",
                          "--measured",  "1"};
  check_rows(
      folder, base,
      {{{"--forwards"}, {{"/reverse_source", false}}},
       {{"--too-long", "leave_out"}, {{"/too_long", "leave_out"}}},
       {{"--words", "7"}, {{"/data/source_words", 7}, {"/data/target_words", 7}}},
       {{"--layers", "1"}, {{"/model/encoder_layers", 1}, {"/model/decoder_layers", 1}}},
       {{"--input-feeding"}, {{"/model/input_feeding", true}}},
       {{"--buckets", "6x4", "9x5"}, {{"/sizes", {{{"source", 6}, {"target", 4}}, {{"source", 9}, {"target", 5}}}}}},
       {{"--decay", "0.25", "--plateau-patience", "7"},
        {{"/optimizer/schedule/decay", 0.25}, {"/optimizer/schedule/patience", 7}}},
       {{"--preset", "medium"}, {{"/optimizer/kind", "sgd"}, {"/model/input_feeding", true}}}},
      "report/best.safetensors", "--force");
}

TEST_CASE("what each flag of a search changes") {
  const TestFolder folder;
  write_pairs(folder);
  succeed(small_pairs_run(folder));
  struct Found {
    std::vector<std::string> words;
    double score;
  };
  const auto translate = [&](const Arguments& flags) {
    const Arguments base = {"seq2seq", "translate",  "-m", folder.path("m.safetensors"),
                            "--json",  "--threads",  "1",  "--beam",
                            "1",       "--shortest", "6",  "--longest",
                            "7"};
    const Json found = Json::parse(succeed(replaced(base, flags), "a1 b1\n").out).at("translations").at(0);
    Found result{.words = {}, .score = found.at("score").get<double>()};
    std::istringstream words(found.at("text").get<std::string>());
    for (std::string word; words >> word;) result.words.push_back(word);
    return result;
  };
  const auto different = [](const Found& found) {
    return std::set<std::string>(found.words.begin(), found.words.end()).size();
  };
  // Greedy search finds the same words, however they are scored.
  const Found none = translate({"--normalisation", "none"}), mean = translate({"--normalisation", "mean"});
  REQUIRE(none.words.size() >= 6);
  CHECK(mean.words == none.words);
  const double steps = none.score / mean.score;
  CHECK(steps == doctest::Approx(7).epsilon(1e-6));
  for (const double alpha : {0.0, 0.5, 2.0})
    CHECK(translate({"--normalisation", "wu", "--alpha", std::to_string(alpha)}).score ==
          doctest::Approx(none.score / std::pow((5 + steps) / 6, alpha)).epsilon(1e-6));
  // Source words that get less than a whole look cost, in proportion.
  const auto covered = [&](const std::string& weight) {
    return translate({"--normalisation", "none", "--coverage", weight, "--shortest", "1", "--longest", "2"}).score;
  };
  CHECK(covered("1") < covered("0"));
  CHECK(covered("2") - covered("0") == doctest::Approx(2 * (covered("1") - covered("0"))).epsilon(1e-6));
  CHECK(translate({"--shortest", "2", "--longest", "3"}).words.size() <= 3);
  CHECK(different(none) < none.words.size());
  for (const Arguments& rule : {Arguments{"--no-repeat", "1"}, {"--repetition-penalty", "100"}}) {
    const Found found = translate(rule);
    CHECK(found.words.size() >= 6);
    CHECK(different(found) == found.words.size());
  }
}

TEST_CASE("an unknown word is the source's, or said to be unknown") {
  const TestFolder folder;
  write_pairs(folder, /*all_unknown=*/true);
  succeed(small_pairs_run(folder));
  const Arguments translate = {"seq2seq", "translate", "-m", folder.path("m.safetensors"), "--beam", "1", "--shortest",
                               "1",       "--longest", "2"};
  CHECK(succeed(translate, "a1 a1\n").out.starts_with("a1"));
  CHECK(succeed(joined(translate, {"--keep-unknown"}), "a1 a1\n").out.starts_with("<unk>"));
}

}  // namespace eddy
