// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/random.h"
#include "eddy/data/delimited.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::TemporaryFolder;

namespace {

Dataset read(std::string_view contents, const DelimitedOptions& options) {
  const TemporaryFolder folder;
  return read_delimited(folder.write("data.csv", contents), options);
}

std::string problem(std::string_view contents, const DelimitedOptions& options) {
  return error_of<DataError>([&] { read(contents, options); });
}

DelimitedOptions labelled_csv() {
  DelimitedOptions options = csv_options();
  options.header = true;
  options.text_columns = {"title", 2};
  options.label_column = "class";
  return options;
}

}  // namespace

TEST_CASE("CSV with quotes, line ends inside, a header and labels") {
  const Dataset data = read(
      "class,title,body\r\n"
      "sport,\"a, \"\"b\"\"\",\"two\nlines\"\r\n"
      "\r\n"
      "arts,plain,\"\"\r\n"
      "sport,x,y",
      labelled_csv());
  REQUIRE(data.documents.size() == 3);
  CHECK(data.label_names == std::vector<std::string>{"arts", "sport"});
  CHECK(data.documents[0].text == "a, \"b\" two\nlines");
  CHECK(data.documents[0].label == 1);
  CHECK(data.documents[0].id == "data.csv:2");
  CHECK(data.documents[1].text == "plain ");
  CHECK(data.documents[1].label == 0);
  CHECK(data.documents[1].id == "data.csv:5");
  CHECK(data.documents[2].id == "data.csv:6");
}

TEST_CASE("TSV takes quotes as text, numbers sort by value, no label means -1") {
  DelimitedOptions options = tsv_options();
  options.text_columns = {1};
  options.label_column = 0;
  const Dataset data = read("10\tsay \"hi\"\n9\t\"open\n-1\tx\n", options);
  CHECK(data.label_names == std::vector<std::string>{"-1", "9", "10"});
  CHECK(data.documents[0].text == "say \"hi\"");
  CHECK(data.documents[0].label == 2);
  CHECK(data.documents[1].text == "\"open");
  options.label_column.reset();
  CHECK(read("10\tx\n", options).documents[0].label == -1);
}

TEST_CASE("given label names fix the ids") {
  DelimitedOptions options = labelled_csv();
  options.label_names = {"sport", "arts", "other"};
  const Dataset data = read("class,title,body\narts,a,b\n", options);
  CHECK(data.documents[0].label == 1);
  CHECK(data.label_names.size() == 3);
  CHECK(
      contains(problem("class,title,body\narts,a,b\nnews,a,b\n", options), "data.csv:3: label \"news\" is not one of"));
  options.label_names = {"a", "a"};
  CHECK(contains(error_of<UsageError>([&] { read("class,title,body\n", options); }), "given twice"));
}

TEST_CASE("malformed CSV is named with its line") {
  const DelimitedOptions options = labelled_csv();
  CHECK(contains(problem("", options), "data.csv: is empty"));
  CHECK(contains(problem("class,title,body\n", options), "holds a header but no record"));
  CHECK(contains(problem("class,title,body\na,b\n", options), "data.csv:2: record has 2 columns, expected 3"));
  CHECK(contains(problem("class,title,body\na,\"x\ny\",z\na,b,\"c\n\n", options),
                 "data.csv:4: quoted field is not closed"));
  CHECK(contains(problem("class,title,body\na,\"b\"c,d\n", options), "data.csv:2: found 'c' after a closing quote"));
  CHECK(contains(problem("class,title,body\na,b\"c\",d\n", options), "data.csv:2: quote inside a field"));
  CHECK(contains(problem("class,title,body\n,b,c\n", options), "data.csv:2: label is empty"));
  CHECK(contains(problem("kind,title,body\na,b,c\n", options), "data.csv:1: no column \"class\"; the header has kind"));
  DelimitedOptions by_index = csv_options();
  by_index.text_columns = {4};
  CHECK(contains(problem("a,b\n", by_index), "column 4 asked for, the file has 2"));
  by_index.text_columns = {"title"};
  CHECK(contains(problem("a,b\n", by_index), "file is read as one without header"));
}

TEST_CASE("labels are UTF-8, and a header is none when it names a class") {
  DelimitedOptions options = tsv_options();
  options.text_columns = {1};
  options.label_column = 0;
  CHECK(contains(problem("good\tx\nm\xE9"
                         "chant\ty\n",
                         options),
                 "data.csv:2: label is not UTF-8; try --encoding latin1"));
  options.encoding = TextEncoding::latin1;
  CHECK(read("good\tx\nm\xE9"
             "chant\ty\n",
             options)
            .label_names == std::vector<std::string>{"good",
                                                     "m\xC3\xA9"
                                                     "chant"});
  options.header = true;
  CHECK(contains(problem("\ngood\tx\nbad\ty\ngood\tz\n", options), "data.csv:2: is read as the header, but \"good\""));
  options.label_names = {"good", "bad"};
  CHECK(contains(problem("bad\tx\ngood\ty\n", options), "data.csv:1: is read as the header, but \"bad\""));
  CHECK(read("class\ttext\ngood\ty\n", options).documents.size() == 1);
}

TEST_CASE("the first record is told from the beginning of a file") {
  const TemporaryFolder folder;
  DelimitedOptions options = csv_options();
  using Fields = std::vector<std::string>;
  // Quoted fields that do not end in the first block, and much behind the record.
  const std::string wide = std::string(700000, 'x') + "\n\"\"y";
  const std::string rest(3000000, 'z');
  const auto path = folder.write("wide.csv",
                                 "\xEF\xBB\xBF"
                                 "a,\"" +
                                     wide + "\",c\r\n" + rest);
  CHECK(read_first_record(path, options) == Fields{"a", std::string(700000, 'x') + "\n\"y", "c"});
  CHECK(first_record("\n\na,b", "f", options) == Fields{"a", "b"});
  CHECK(contains(error_of<DataError>([&] { first_record("\n\n", "f", options); }), "f: is empty"));
  CHECK(contains(error_of<DataError>([&] { read_first_record(folder.write("open.csv", "a,\"b\n"), options); }),
                 "open.csv:1: quoted field is not closed"));
  // More than is searched: what is broken from the beginning is told as such.
  const std::string much(17 << 20, 'z');
  const auto problem_of = [&](const std::string& beginning) {
    return error_of<DataError>([&] { read_first_record(folder.write("much.csv", beginning + much), options); });
  };
  CHECK(contains(problem_of("a\"b,c\n"), "much.csv:1: quote inside a field"));
  CHECK(contains(problem_of("\"a\"b,c\n"), "much.csv:1: found 'b' after a closing quote"));
  CHECK(contains(problem_of("a,\"b\n"), "much.csv: its first record does not end within 16 MB"));
  CHECK(read_first_record(folder.write("marked.csv", "\xEF\xBB\xBF\"a\",b\n" + much), options) == Fields{"a", "b"});
  options.encoding = TextEncoding::latin1;
  CHECK(first_record("caf\xE9,b", "f", options) == Fields{"caf\xC3\xA9", "b"});
  options.encoding = TextEncoding::utf8;
  options.header = true;
  CHECK(contains(error_of<DataError>([&] { first_record("caf\xE9,b", "f", options); }),
                 "f:1: name of a column is not UTF-8"));
}

TEST_CASE("a table that mixes encodings is decoded field by field, the header like the rest") {
  DelimitedOptions options = csv_options();
  options.header = true;
  options.encoding = TextEncoding::utf8_or_latin1;
  options.text_columns = {
      "gr\xC3\xB6\xC3\x9F"
      "e"};
  const std::string table =
      "gr\xC3\xB6\xC3\x9F"
      "e,label\nm\xE4"
      "chtig,caf\xC3\xA9\n";
  for (const std::string mark : {"", "\xEF\xBB\xBF"}) {
    const Dataset data = read(mark + table, options);
    REQUIRE(data.documents.size() == 1);
    CHECK(data.documents[0].text ==
          "m\xC3\xA4"
          "chtig");
    CHECK(first_record(mark + table, "f", options)[0] == std::get<std::string>(options.text_columns[0]));
  }
  options.text_columns = {1};
  CHECK(read(table, options).documents[0].text == "caf\xC3\xA9");
  options.encoding = TextEncoding::utf8_strict;
  CHECK(contains(problem("\xEF\xBB\xBF" + table, options), "data.csv:2: byte 0xe4 at offset 18"));
}

TEST_CASE("a column is asked for by name only where one is called so") {
  DelimitedOptions options = labelled_csv();
  CHECK(contains(problem("class,title,body,title\na,b,c,d\n", options),
                 "two columns of the header are called \"title\""));
  CHECK(read("class,title,body,other,other\na,b,c,d,e\n", options).documents[0].text == "b c");
  options.text_columns = {3};
  CHECK(read("class,title,body,title\na,b,c,d\n", options).documents[0].text == "d");
}

TEST_CASE("whatever is written with quotes reads back, and noise never crashes") {
  Philox random(7);
  constexpr std::string_view kAlphabet = "ab,\"\n\r ";
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> fields(3);
    std::string line;
    for (std::string& field : fields) {
      for (std::uint64_t n = uniform_index(random, 8); n > 0; --n) field += kAlphabet[uniform_index(random, 7)];
      line += line.empty() ? "\"" : ",\"";
      for (const char c : field) line += c == '"' ? "\"\"" : std::string(1, c);
      line += '"';
    }
    DelimitedOptions options = csv_options();
    options.text_columns = {0, 1, 2};
    const Dataset data = read(line + "\r\n" + line, options);
    REQUIRE(data.documents.size() == 2);
    CHECK(data.documents[1].text == fields[0] + " " + fields[1] + " " + fields[2]);
    // Without quotes around it, the same text is either read or refused with the file's name.
    std::string noise;
    for (int i = 0; i < 20; ++i) noise += kAlphabet[uniform_index(random, 7)];
    options.text_columns = {0};
    try {
      read(noise, options);
    } catch (const DataError& error) {
      CHECK(contains(error.what(), "data.csv"));
    }
  }
}

}  // namespace eddy
