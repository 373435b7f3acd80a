// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/update_rule.h"

namespace eddy {

UpdateRule::SlotNames UpdateRule::slots() const {
  switch (kind) {
    case Kind::sgd:
      return {};
    case Kind::momentum:
      return {{"momentum"}, 1};
    case Kind::adagrad:
      return {{"adagrad_sum"}, 1};
    case Kind::adam:
    case Kind::adamw:
      return {{"adam_m", "adam_v"}, 2};
    case Kind::rmsprop:
      break;
  }
  SlotNames result{{"rmsprop_square"}, 1};
  if (centered) result.names[static_cast<std::size_t>(result.count++)] = "rmsprop_mean";
  if (momentum != 0) result.names[static_cast<std::size_t>(result.count++)] = "rmsprop_momentum";
  return result;
}

bool UpdateRule::rests_at_zero_gradient() const {
  return weight_decay == 0 && (kind == Kind::sgd || kind == Kind::adagrad);
}

std::string_view to_string(UpdateRule::Kind kind) {
  switch (kind) {
    case UpdateRule::Kind::sgd:
      return "sgd";
    case UpdateRule::Kind::momentum:
      return "momentum";
    case UpdateRule::Kind::rmsprop:
      return "rmsprop";
    case UpdateRule::Kind::adagrad:
      return "adagrad";
    case UpdateRule::Kind::adam:
      return "adam";
    case UpdateRule::Kind::adamw:
      return "adamw";
  }
  return "?";
}

}  // namespace eddy
