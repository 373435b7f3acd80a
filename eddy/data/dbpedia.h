// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "eddy/data/document.h"

/// Readers keep no state: safe to call concurrently.
namespace eddy {

struct Dbpedia {
  Dataset train;
  Dataset test;
  Dataset unlabelled;   ///< texts of the further CSV files, if there are any; labels are -1
  bool titles = false;  ///< the texts begin with their titles
};

/// The DBpedia ontology set (Zhang et al. 2015): classes.txt, train.csv and test.csv with "class, title, abstract",
/// classes counted from 1, from a directory or archive. Other CSV files beside them are more text of the same form.
/// Where the training texts have no titles, those of the others are left out too. Throws DataError for a missing file
/// or a bad record.
Dbpedia read_dbpedia(const std::filesystem::path& source);

}  // namespace eddy
