// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>

#include "eddy/data/wordnet.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::TemporaryFolder;

namespace {

constexpr std::string_view kNoun = "00001740 03 n 01 entity 0 000 | that which is; \"a | b\"  \n";
constexpr std::string_view kVerb = "00001740 29 v 01 breathe 0 000 01 + 02 00 | draw air  \n";
constexpr std::string_view kAdjective = "00001740 00 s 01 able 0 000 | having means  \n";
constexpr std::string_view kAdverb = "00001740 02 r 01 barely 0 000 | only just  \n";

void write_all(const TemporaryFolder& folder) {
  folder.write("data.noun", std::string("  1 licence | 2\n  3 more\n") + std::string(kNoun));
  folder.write("data.verb", kVerb);
  folder.write("data.adj", kAdjective);
  folder.write("data.adv", kAdverb);
}

std::string problem(std::string_view file, const std::string& contents) {
  const TemporaryFolder folder;
  write_all(folder);
  folder.write(file, contents);
  return error_of<DataError>([&] { read_wordnet(folder.path()); });
}

}  // namespace

TEST_CASE("glosses are read with their lexicographer file") {
  const TemporaryFolder folder;
  write_all(folder);
  const Dataset data = read_wordnet(folder.path());
  REQUIRE(data.documents.size() == 4);
  CHECK(data.label_names.size() == 45);
  CHECK(data.documents[0].text == "that which is; \"a | b\"");
  CHECK(data.label_names[static_cast<std::size_t>(data.documents[0].label)] == "noun.Tops");
  CHECK(data.documents[0].id == "noun:00001740");
  CHECK(data.label_names[static_cast<std::size_t>(data.documents[1].label)] == "verb.body");
  CHECK(data.documents[2].id == "adj:00001740");
}

TEST_CASE("damaged WordNet files are named with their line") {
  CHECK(contains(error_of<DataError>([] { read_wordnet("no-such-folder"); }), "no-such-folder/data.noun: not found"));
  CHECK(contains(error_of<DataError>([] { read_wordnet("no-such-folder"); }), "wordnet-base"));
  CHECK(contains(problem("data.verb", ""), "data.verb: holds no synset in 0 lines"));
  CHECK(contains(problem("data.verb", "  1 licence\n"), "data.verb: holds no synset"));
  CHECK(contains(problem("data.adv", std::string(kAdverb) + "rubbish\n"), "data.adv:2: expected a synset"));
  CHECK(contains(problem("data.adv", std::string(kAdverb) + "00001740 02"), "data.adv: is cut off"));
  CHECK(contains(problem("data.noun", std::string(kVerb)), "data.noun:1: synset type is 'v'"));
  CHECK(contains(problem("data.noun", "00001740 45 n 01 x 0 000 | y\n"), "file number is 45, expected at most 44"));
  CHECK(
      contains(problem("data.noun", "00001740 29 n 01 x 0 000 | y\n"), "29 (verb.body) does not belong in data.noun"));
  CHECK(contains(problem("data.noun", "00001740 03 n 01 x 0 000\n"), "data.noun:1: synset has no gloss"));
  CHECK(contains(problem("data.noun", "00001740 03 n 01 x 0 000 |   \n"), "is empty"));
}

TEST_CASE("the whole of WordNet has the known counts") {
  if (!std::filesystem::exists(std::filesystem::path(kWordnetDirectory) / "data.noun")) {
    MESSAGE("skipped: Debian package wordnet-base is not installed");
    return;
  }
  Dataset data = read_wordnet();
  CHECK(data.documents.size() == 117659);
  std::map<std::string, std::set<int>> kinds;
  std::map<std::string, int> sizes;
  for (const Document& document : data.documents) {
    const std::string& name = data.label_names[static_cast<std::size_t>(document.label)];
    const std::string part = name.substr(0, name.find('.'));
    kinds[part].insert(document.label);
    ++sizes[part];
    REQUIRE(document.id.starts_with(part));
  }
  CHECK(kinds["noun"].size() == 26);
  CHECK(kinds["verb"].size() == 15);
  CHECK(kinds["adj"].size() == 3);
  CHECK(kinds["adv"].size() == 1);
  CHECK(sizes["noun"] == 82115);
  CHECK(sizes["verb"] == 13767);
  CHECK(sizes["adj"] == 18156);
  CHECK(sizes["adv"] == 3621);
  CHECK(drop_repeated(data) == 626);
}

}  // namespace eddy
