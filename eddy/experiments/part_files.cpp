// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/part_files.h"

#include <span>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/file_operations.h"
#include "eddy/data/checksum.h"
#include "eddy/experiments/progress.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

/// Of what made the files in a folder; empty when there are none.
std::string key_in(const PartFiles& part, const fs::path& folder) {
  for (const fs::path& name : part.tellers) {
    const fs::path teller = folder / name;
    if (!path_exists(teller)) continue;
    try {
      return part.key_of(teller);
    } catch (const DataError&) {
      return fmt::format("unknown-{:016x}", checksum64(MappedFile(teller).bytes()));
    }
  }
  return {};
}

}  // namespace

void choose_part_files(const PartFiles& part, const std::string& key) {
  const fs::path others = part.folder / "of-other-settings";
  const std::string found = key_in(part, part.folder);
  if (!found.empty() && found != key) {
    const fs::path aside = others / found;
    show_text(stdout, fmt::format("{}: what other settings made is kept in {}\n", part.name, aside.string()));
    for (const PartFiles::File& file : part.files)
      if (path_exists(file.here)) move_path(file.here, aside / file.aside);
  }
  // By what is in them: the version that named a folder may have known fewer settings.
  for (const fs::path& folder : paths_in(others)) {
    if (key_in(part, folder) != key) continue;
    // A kill may have come between the moves of an earlier run, so both may hold something.
    for (const PartFiles::File& file : part.files)
      if (path_exists(folder / file.aside)) move_path(folder / file.aside, file.here);
    return;
  }
}

}  // namespace eddy
