// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/run_weights.h"

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"

namespace eddy {

void load_weights(const std::filesystem::path& path, ParameterStore& store,
                  const std::function<void(ParameterStore& store)>& create) {
  load_checkpoint(path, store);
  const std::size_t in_file = store.all().size();
  try {
    create(store);
  } catch (const GraphError& error) {
    fail<DataError>("{}: weights and config do not agree: {}", path.string(), error.what());
  }
  require<DataError>(store.all().size() == in_file, "{}: holds {}, but the config needs {} more", path.string(),
                     counted(static_cast<std::int64_t>(in_file), "variable"), store.all().size() - in_file);
}

}  // namespace eddy
