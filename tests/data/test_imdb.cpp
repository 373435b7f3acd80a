// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "eddy/data/imdb.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::Packing;
using test::TemporaryFolder;

namespace {

test::NamedTexts reviews() {
  return {{"aclImdb/README", "read me"},
          {"aclImdb/train/pos/10_9.txt", "tenth"},
          {"aclImdb/train/pos/2_7.txt", "good<br /><br />film<br /"},
          {"aclImdb/train/neg/0_3.txt", "bad"},
          {"aclImdb/test/neg/0_2.txt", "awful"},
          {"aclImdb/test/pos/0_10.txt", "great"},
          {"aclImdb/train/unsup/5_0.txt", "what"},
          {"aclImdb/train/unsup/0_0.txt", "ever"},
          {"aclImdb/train/urls_pos.txt", "http\n\nhttp://www.imdb.com/title/tt0453418/usercomments\n"},
          {"aclImdb/train/urls_unsup.txt", "http://www.imdb.com/title/tt7/usercomments"},
          {"aclImdb/train/pos/.listing", "x"}};
}

void check_all(const Imdb& imdb) {
  REQUIRE(imdb.train.documents.size() == 3);
  REQUIRE(imdb.test.documents.size() == 2);
  REQUIRE(imdb.unlabelled.documents.size() == 2);
  CHECK(imdb.train.documents[0].id == "train/neg/0_3");
  CHECK(imdb.train.documents[0].label == 0);
  CHECK(imdb.train.documents[1].id == "train/pos/2_7");
  CHECK(imdb.train.documents[1].text == "good  film<br /");
  CHECK(imdb.train.documents[2].id == "train/pos/10_9");
  CHECK(imdb.train.documents[2].label == 1);
  // The list may be shorter than the folder, or missing.
  CHECK(imdb.train.documents[0].group == -1);
  CHECK(imdb.train.documents[1].group == 453418);
  CHECK(imdb.train.documents[2].group == -1);
  CHECK(imdb.unlabelled.documents[0].group == 7);
  CHECK(imdb.test.documents[1].text == "great");
  CHECK(imdb.unlabelled.documents[0].text == "ever");
  CHECK(imdb.unlabelled.documents[0].label == -1);
  CHECK(imdb.train.label_names == std::vector<std::string>{"neg", "pos"});
}

std::string problem(const test::NamedTexts& files) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "imdb.tar";
  test::write_archive(path, files, Packing::tar);
  return error_of<DataError>([&] { read_imdb(path); });
}

}  // namespace

TEST_CASE("IMDB reads the same from a directory and from archives in any order") {
  const TemporaryFolder folder;
  test::NamedTexts files = reviews();
  for (const auto& [name, text] : files) folder.write(name, text);
  check_all(read_imdb(folder.path()));
  check_all(read_imdb(folder.path() / "aclImdb"));
  for (const Packing packing : {Packing::tar_gz, Packing::tar_xz}) {
    const auto path = folder.path() / "packed";
    test::write_archive(path, files, packing);
    check_all(read_imdb(path));
    std::reverse(files.begin(), files.end());
  }
}

TEST_CASE("IMDB errors name the file or folder") {
  test::NamedTexts files = reviews();
  std::erase_if(files, [](const auto& file) { return contains(file.first, "unsup"); });
  CHECK(problem(files).empty());
  std::erase_if(files, [](const auto& file) { return contains(file.first, "test/neg"); });
  CHECK(contains(problem(files), "imdb.tar: holds no review in test/neg; expected the folders"));
  files = reviews();
  for (const char* name :
       {"train/pos/x_9.txt", "train/pos/7.txt", "train/pos/7_.txt", "train/pos/7_8_9.txt", "train/pos/-7_8.txt"}) {
    CAPTURE(name);
    files.back() = {name, "text"};
    CHECK(contains(problem(files), fmt::format("file {} is not named ID_RATING.txt", name)));
  }
  files.back() = {"train/pos/10_8.txt", "text"};
  CHECK(contains(problem(files), "review 10 stands twice in train/pos"));
  const TemporaryFolder folder;
  CHECK(contains(error_of<DataError>([&] { read_imdb(folder.path()); }), "holds no review in train/neg"));
  CHECK(contains(error_of<DataError>([&] { read_imdb(folder.path() / "none"); }), "does not exist"));
}

}  // namespace eddy
