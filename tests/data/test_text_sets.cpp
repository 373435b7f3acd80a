// SPDX-License-Identifier: Apache-2.0
// Readers of the classification sets in their published layouts: newsgroups, Rotten Tomatoes, DBpedia, Amazon.
#include <algorithm>
#include <map>

#include "eddy/data/amazon_reviews.h"
#include "eddy/data/dbpedia.h"
#include "eddy/data/entities.h"
#include "eddy/data/newsgroups.h"
#include "eddy/data/rotten_tomatoes.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::NamedTexts;
using test::Packing;
using test::TemporaryFolder;

namespace {

/// `read` of the files as an archive and as a folder, which must give the same.
template <class Read>
auto read_both(const NamedTexts& files, Read&& read) {
  const TemporaryFolder folder;
  test::write_archive(folder / "set.tar.xz", files, Packing::tar_xz);
  for (const auto& [name, text] : files) folder.write("set/" + name, text);
  auto from_archive = read(folder / "set.tar.xz");
  auto from_folder = read(folder / "set");
  return std::pair(std::move(from_archive), std::move(from_folder));
}

void check_same(const Dataset& a, const Dataset& b) {
  CHECK(a.label_names == b.label_names);
  REQUIRE(a.documents.size() == b.documents.size());
  for (std::size_t i = 0; i < a.documents.size(); ++i) {
    CHECK(a.documents[i].text == b.documents[i].text);
    CHECK(a.documents[i].label == b.documents[i].label);
    CHECK(a.documents[i].id == b.documents[i].id);
  }
}

template <class Read>
std::string problem(const NamedTexts& files, Read&& read) {
  const TemporaryFolder folder;
  test::write_archive(folder / "set.tar", files, Packing::tar);
  return error_of<DataError>([&] { read(folder / "set.tar"); });
}

}  // namespace

TEST_CASE("newsgroups are read by group and number, Latin-1 where a message is not UTF-8") {
  const NamedTexts files = {{"20news-bydate-train/sci.space/200", "later"},
                            {"20news-bydate-train/sci.space/30", "caf\xE9"},
                            {"20news-bydate-train/alt.atheism/7", "caf\xC3\xA9"},
                            {"20news-bydate-train/README", "no message"},
                            {"20news-bydate-test/sci.space/5", "test"}};
  const auto [news, same] = read_both(files, read_newsgroups);
  check_same(news.train, same.train);
  check_same(news.test, same.test);
  CHECK(news.train.label_names == std::vector<std::string>{"alt.atheism", "sci.space"});
  REQUIRE(news.train.documents.size() == 3);
  CHECK(news.train.documents[0].text == "caf\xC3\xA9");
  CHECK(news.train.documents[0].label == 0);
  CHECK(news.train.documents[1].id == "train/sci.space/30");
  CHECK(news.train.documents[1].text == "caf\xC3\xA9");
  CHECK(news.train.documents[2].id == "train/sci.space/200");
  REQUIRE(news.test.documents.size() == 1);
  CHECK(news.test.documents[0].label == 1);
  CHECK(news.test.documents[0].id == "test/sci.space/5");
}

TEST_CASE("messages of one subject are a group, with what answers them") {
  const std::vector<std::string> messages = {"From: a\nSubject: Orbits \n\ntext",
                                             "SUBJECT:\tRe: RE:orbits\nFrom: b\n\nSubject: text",
                                             "Subject: Orbits?\n\n",
                                             "From: c\n\nSubject: Orbits",
                                             "Subject: Re: \n\ntext",
                                             "Subject: \xC9toiles\r\n\r\ntext",
                                             "Subject: re: \xC3\x89toiles\n"};
  NamedTexts files = {{"20news-bydate-test/sci.space/1", "Subject: Re: Orbits\n\ntext"}};
  for (std::size_t i = 0; i < messages.size(); ++i)
    files.push_back({fmt::format("20news-bydate-train/{}/{}", i == 1 ? "sci.space" : "alt.space", i), messages[i]});
  const auto [news, same] = read_both(files, read_newsgroups);
  std::map<std::string, std::int64_t> group;
  for (const Dataset* part : {&news.train, &news.test})
    for (const Document& document : part->documents) group[document.id] = document.group;
  CHECK(group.at("train/alt.space/0") >= 0);
  CHECK(group.at("train/sci.space/1") == group.at("train/alt.space/0"));
  CHECK(group.at("test/sci.space/1") == group.at("train/alt.space/0"));
  CHECK(group.at("train/alt.space/2") >= 0);
  CHECK(group.at("train/alt.space/2") != group.at("train/alt.space/0"));
  CHECK(group.at("train/alt.space/3") == -1);
  CHECK(group.at("train/alt.space/4") == -1);
  CHECK(group.at("train/alt.space/5") >= 0);
  CHECK(group.at("train/alt.space/6") == group.at("train/alt.space/5"));
}

TEST_CASE("newsgroups without a part, or with a group only in the test part, are refused") {
  CHECK(contains(problem({{"20news-bydate-train/a/1", "x"}}, read_newsgroups), "1 training and 0 test messages"));
  CHECK(contains(problem({{"20news-bydate-train/a/1", "x"}, {"20news-bydate-test/b/1", "x"}}, read_newsgroups),
                 "group b of test/b/1 has no training messages"));
}

TEST_CASE("Rotten Tomatoes takes the copy in the original folder, whatever the order") {
  NamedTexts files = {{"rt/latin1-variant/rt-polarity.neg", "other\n"},
                      {"rt/latin1-variant/rt-polarity.pos", "other\n"},
                      {"rt/rt-polaritydata/rt-polarity.neg", "bad film\nna\xEFve\n"},
                      {"rt/rt-polaritydata/rt-polarity.pos", "good film\n"}};
  for (int order = 0; order < 2; ++order) {
    const auto [data, same] = read_both(files, read_rotten_tomatoes);
    check_same(data, same);
    CHECK(data.label_names == std::vector<std::string>{"neg", "pos"});
    REQUIRE(data.documents.size() == 3);
    CHECK(data.documents[1].text == "na\xC3\xAFve");
    CHECK(data.documents[1].label == 0);
    CHECK(data.documents[2].text == "good film");
    CHECK(data.documents[2].label == 1);
    CHECK(data.documents[2].id == "rt-polarity.pos:1");
    std::reverse(files.begin(), files.end());
  }
  CHECK(contains(problem({{"a/rt-polarity.neg", "x\n"}}, read_rotten_tomatoes), "holds no file rt-polarity.pos"));
  CHECK(contains(problem({{"a/rt-polarity.neg", "x\n"}, {"b/rt-polarity.neg", "x\n"}}, read_rotten_tomatoes),
                 "expected one of them"));
}

TEST_CASE("DBpedia reads classes, titles with abstracts, and further files as unlabelled text") {
  NamedTexts files = {{"dbpedia/classes.txt", "Company\nArtist\n"},
                      {"dbpedia/train.csv", "2,\"A \"\"B\"\"\",\"sings\"\n1,\"\",\"sells\"\n"},
                      {"dbpedia/test.csv", "1,\"C\",\"buys\"\n"},
                      {"dbpedia/extra/more.csv", "2,\"\",\"paints\"\n"}};
  const auto [data, same] = read_both(files, read_dbpedia);
  check_same(data.train, same.train);
  check_same(data.test, same.test);
  check_same(data.unlabelled, same.unlabelled);
  CHECK(data.titles);
  CHECK(data.train.label_names == std::vector<std::string>{"Company", "Artist"});
  REQUIRE(data.train.documents.size() == 2);
  CHECK(data.train.documents[0].text == "A \"B\" sings");
  CHECK(data.train.documents[0].label == 1);
  REQUIRE(data.test.documents.size() == 1);
  CHECK(data.test.documents[0].text == "C buys");
  REQUIRE(data.unlabelled.documents.size() == 1);
  CHECK(data.unlabelled.documents[0].label == -1);

  files[1].second = "2,\"\",\"sings\"\n";
  const auto [bare, again] = read_both(files, read_dbpedia);
  CHECK_FALSE(bare.titles);
  CHECK(bare.test.documents[0].text == "buys");
  files[1].second = "3,\"\",\"sings\"\n";
  CHECK(contains(problem(files, read_dbpedia), "train.csv:1: label \"3\" is not one of the 2 known"));
  files.erase(files.begin() + 2);
  files[1].second = "1,\"\",\"sings\"\n";
  CHECK(contains(problem(files, read_dbpedia), "holds no file test.csv"));
}

TEST_CASE("entities become their characters once; what is none stays") {
  CHECK(decode_entities("&lt;b&gt; &amp;quot; &apos;") == "<b> &quot; '");
  CHECK(decode_entities("&#233;&#xE9;&#x1F600;&#45;") == "\xC3\xA9\xC3\xA9\xF0\x9F\x98\x80-");
  for (const char* none : {"", "&", "AT&T; x", "&nbsp;", "&#;", "&#x;", "&#0;", "&#xD800;", "&#1114112;", "&#12a;",
                           "&#99999999999;", "& quot;", "&quot"})
    CHECK(decode_entities(none) == none);
  CHECK(decode_entities("&&lt;&lt") == "&<&lt");
}

TEST_CASE("Amazon reviews are the texts between the tags, whatever else there is") {
  const NamedTexts files = {{"amazon/sorted_data_acl/books/positive.review",
                             "<review>\n<title>\nT\n</title>\n<review_text>\nfine b\xE9"
                             "book\n\nsecond\n</review_text>\n</review>\n"
                             "<review>\n<review_text>\na &quot;short&#34; one\n</review_text>\n</review>\n"},
                            {"amazon/README.txt", "<review_text>none</review_text>"}};
  const auto [data, same] = read_both(files, read_amazon_reviews);
  check_same(data, same);
  REQUIRE(data.documents.size() == 2);
  CHECK(data.documents[0].text ==
        "fine b\xC3\xA9"
        "book\n\nsecond");
  CHECK(data.documents[0].label == -1);
  CHECK(data.documents[1].text == "a \"short\" one");
  CHECK(data.documents[1].id == "books/positive.review:2");
  CHECK(contains(problem({{"a/b.review", "<review_text> x"}}, read_amazon_reviews), "review 1 has no </review_text>"));
  CHECK(contains(problem({{"a/b.txt", "x"}}, read_amazon_reviews), "holds no review"));
}

}  // namespace eddy
