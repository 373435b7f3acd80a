// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <filesystem>

#include "eddy/core/error.h"
#include "eddy/core/file_operations.h"
#include "tests/core/temporary_folder.h"

namespace eddy {

namespace fs = std::filesystem;

TEST_CASE("files and folders are made, moved, listed and removed") {
  const TemporaryFolder folder;
  make_folder(folder / "a/b");
  make_folder(folder / "a/b");
  spit(folder / "a/b/file", "new");
  move_path(folder / "a/b/file", folder / "c/d/file");
  CHECK(slurp(folder / "c/d/file") == "new");
  spit(folder / "e", "old");
  move_path(folder / "c/d/file", folder / "e");
  CHECK(slurp(folder / "e") == "new");
  // A folder takes the place of another with all that is in it.
  make_folder(folder / "full/inner");
  spit(folder / "c/d/other", "");
  move_path(folder / "c", folder / "full");
  CHECK(paths_in(folder / "full") == std::vector<fs::path>{folder / "full/d"});
  CHECK(paths_in(folder / "c").empty());
  remove_file(folder / "e");
  remove_file(folder / "e");
  CHECK_FALSE(path_exists(folder / "e"));
}

TEST_CASE("what the system refuses is an error that names the path and says why") {
  const TemporaryFolder folder;
  spit(folder / "file", "");
  make_folder(folder / "full/inner");
  fs::create_symlink(folder / "loop", folder / "loop");
  const auto names = [&](const char* path, const char* reason, auto operation) {
    CHECK_THROWS_WITH_AS(operation(folder / path), doctest::Contains((folder / path).c_str()), DataError);
    CHECK_THROWS_WITH_AS(operation(folder / path), doctest::Contains(reason), DataError);
  };
  names("loop", "cannot be examined: Too many levels", path_exists);
  names("file", "cannot be made: Not a directory", make_folder);
  names("file/below", "cannot be made: Not a directory", make_folder);
  names("full", "cannot be removed: Directory not empty", remove_file);
  names("file", "cannot be listed: Not a directory", paths_in);
  names("none", "No such file", [&](const fs::path& path) { move_path(path, folder / "elsewhere"); });
}

}  // namespace eddy
