// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/error.h"

namespace eddy {
namespace {

std::string composed(std::string_view op, std::string_view sentence, const Origin& origin) {
  std::string text;
  if (!op.empty()) text += fmt::format("[{}] ", op);
  text += sentence;
  if (!origin.file.empty()) text += "  " + to_string(origin);
  return text;
}

}  // namespace

std::string to_string(const Origin& origin) {
  if (origin.scope.empty()) return fmt::format("({}:{})", origin.file, origin.line);
  return fmt::format("({}:{}, scope {})", origin.file, origin.line, origin.scope);
}

GraphError::GraphError(std::string_view op, std::string sentence, Origin origin)
    : Error(composed(op, sentence, origin)),
      parts_(std::make_shared<const Parts>(Parts{std::string(op), std::move(sentence), std::move(origin)})) {}

GraphError GraphError::within(std::string_view op, const Origin& origin) const {
  return {parts_->op.empty() ? op : parts_->op, parts_->sentence,
          parts_->origin.file.empty() ? origin : parts_->origin};
}

}  // namespace eddy
