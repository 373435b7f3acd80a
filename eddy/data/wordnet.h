// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <filesystem>
#include <string_view>

#include "eddy/data/document.h"

/// Readers keep no state: safe to call concurrently.
namespace eddy {

/// WordNet's lexicographer files, the classes of its glosses, at their numbers (lexnames(5WN)).
inline constexpr std::array<std::string_view, 45> kLexicographerFiles = {
    "adj.all",          "adj.pert",           "adv.all",
    "noun.Tops",        "noun.act",           "noun.animal",
    "noun.artifact",    "noun.attribute",     "noun.body",
    "noun.cognition",   "noun.communication", "noun.event",
    "noun.feeling",     "noun.food",          "noun.group",
    "noun.location",    "noun.motive",        "noun.object",
    "noun.person",      "noun.phenomenon",    "noun.plant",
    "noun.possession",  "noun.process",       "noun.quantity",
    "noun.relation",    "noun.shape",         "noun.state",
    "noun.substance",   "noun.time",          "verb.body",
    "verb.change",      "verb.cognition",     "verb.communication",
    "verb.competition", "verb.consumption",   "verb.contact",
    "verb.creation",    "verb.emotion",       "verb.motion",
    "verb.perception",  "verb.possession",    "verb.social",
    "verb.stative",     "verb.weather",       "adj.ppl"};

/// Where Debian's wordnet-base puts its files.
inline constexpr std::string_view kWordnetDirectory = "/usr/share/wordnet";

/// The glosses (definition and examples) of data.noun, data.verb, data.adj and data.adv in the order of the files,
/// labelled by lexicographer file; ids are "noun:00001740" (part of speech, byte offset of the synset).
/// Throws DataError naming the file and line, and the Debian package when the files are missing.
Dataset read_wordnet(const std::filesystem::path& directory = kWordnetDirectory);

}  // namespace eddy
