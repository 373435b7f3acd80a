// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/update_kernels.h"

#include <algorithm>
#include <cmath>

#include "eddy/core/simd_targets.h"
#include "eddy/optimizers/vector_tail.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/optimizers/update_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<float>;
using Vec = hn::Vec<Tag>;

HWY_INLINE Vec set(float value) { return hn::Set(Tag(), value); }

// A rule is a struct with `kSlots` and operator()(g, p, slots): g is the gradient after scaling, clamping and L2.

struct Sgd {
  static constexpr int kSlots = 0;
  const UpdateNumbers& n;
  HWY_INLINE Vec operator()(Vec g, Vec p, Vec*) const { return hn::NegMulAdd(set(n.rate), g, p); }
};

struct Momentum {
  static constexpr int kSlots = 1;
  const UpdateNumbers& n;
  HWY_INLINE Vec operator()(Vec g, Vec p, Vec* slots) const {
    slots[0] = hn::MulAdd(set(n.momentum), slots[0], g);
    const Vec direction = n.nesterov ? hn::MulAdd(set(n.momentum), slots[0], g) : slots[0];
    return hn::NegMulAdd(set(n.rate), direction, p);
  }
};

struct Adagrad {
  static constexpr int kSlots = 1;
  const UpdateNumbers& n;
  HWY_INLINE Vec operator()(Vec g, Vec p, Vec* slots) const {
    slots[0] = hn::MulAdd(g, g, slots[0]);
    const Vec root = hn::Add(hn::Sqrt(slots[0]), set(n.epsilon));
    return hn::Sub(p, hn::Div(hn::Mul(set(n.rate), g), root));
  }
};

struct Adam {
  static constexpr int kSlots = 2;
  const UpdateNumbers& n;
  HWY_INLINE Vec operator()(Vec g, Vec p, Vec* slots) const {
    slots[0] = hn::MulAdd(set(n.beta1), slots[0], hn::Mul(set(n.rest1), g));
    slots[1] = hn::MulAdd(set(n.beta2), slots[1], hn::Mul(hn::Mul(set(n.rest2), g), g));
    const Vec root = hn::MulAdd(hn::Sqrt(slots[1]), set(n.inverse_root_bias2), set(n.epsilon));
    return hn::NegMulAdd(set(n.rate), hn::Div(slots[0], root), hn::Mul(p, set(n.shrink)));
  }
};

// The slots present follow the square in order: the mean when centered, the momentum when there is one.
template <bool kCentered, bool kMomentum>
struct Rmsprop {
  static constexpr int kSlots = 1 + kCentered + kMomentum;
  const UpdateNumbers& n;
  HWY_INLINE Vec operator()(Vec g, Vec p, Vec* slots) const {
    slots[0] = hn::MulAdd(set(n.beta2), slots[0], hn::Mul(hn::Mul(set(n.rest2), g), g));
    Vec square = slots[0];
    if constexpr (kCentered) {
      slots[1] = hn::MulAdd(set(n.beta2), slots[1], hn::Mul(set(n.rest2), g));
      // Rounding may push a variance below zero.
      square = hn::Max(hn::NegMulAdd(slots[1], slots[1], square), hn::Zero(Tag()));
    }
    const Vec root =
        n.epsilon_inside_sqrt ? hn::Sqrt(hn::Add(square, set(n.epsilon))) : hn::Add(hn::Sqrt(square), set(n.epsilon));
    Vec direction = hn::Div(g, root);
    if constexpr (kMomentum) {
      Vec& buffer = slots[1 + kCentered];
      buffer = hn::MulAdd(set(n.momentum), buffer, direction);
      direction = buffer;
    }
    return hn::NegMulAdd(set(n.rate), direction, p);
  }
};

template <class Rule, bool kHasGradient>
HWY_INLINE void update_vector(const Rule& rule, const UpdateSpan& span) {
  const Tag tag;
  const UpdateNumbers& n = rule.n;
  const Vec p = hn::LoadU(tag, span.parameter);
  Vec g = hn::Zero(tag);
  if constexpr (kHasGradient) {
    g = hn::Mul(hn::LoadU(tag, span.gradient), set(n.gradient_scale));
    // A NaN stays one, whatever a target's minimum makes of it.
    if (n.clip_value > 0)
      g = hn::IfThenElse(hn::Eq(g, g), hn::Max(set(-n.clip_value), hn::Min(set(n.clip_value), g)), g);
  }
  if (n.l2 != 0) g = hn::MulAdd(set(n.l2), p, g);
  if constexpr (Rule::kSlots == 0) {
    hn::StoreU(rule(g, p, nullptr), tag, span.parameter);
  } else {
    Vec slots[Rule::kSlots];
    for (int s = 0; s < Rule::kSlots; ++s) slots[s] = hn::LoadU(tag, span.slots[static_cast<std::size_t>(s)]);
    const Vec result = rule(g, p, slots);
    for (int s = 0; s < Rule::kSlots; ++s) hn::StoreU(slots[s], tag, span.slots[static_cast<std::size_t>(s)]);
    hn::StoreU(result, tag, span.parameter);
  }
}

template <class Rule, bool kHasGradient>
void update_range(const Rule& rule, const UpdateSpan& span, std::int64_t count) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) update_vector<Rule, kHasGradient>(rule, span.from(i));
  if (i == count) return;
  const UpdateSpan tail = span.from(i);
  VectorTail<2 + UpdateRule::kMaxSlots, HWY_MAX_BYTES> rest(count - i);
  UpdateSpan copy;
  if constexpr (kHasGradient) copy.gradient = rest.load(0, tail.gradient);
  copy.parameter = rest.load(1, tail.parameter);
  for (std::size_t s = 0; s < Rule::kSlots; ++s) copy.slots[s] = rest.load(2 + static_cast<int>(s), tail.slots[s]);
  update_vector<Rule, kHasGradient>(rule, copy);
  rest.store(1, tail.parameter);
  for (std::size_t s = 0; s < Rule::kSlots; ++s) rest.store(2 + static_cast<int>(s), tail.slots[s]);
}

template <class Rule>
void update_by(const UpdateNumbers& numbers, const UpdateSpan& span, std::int64_t count) {
  const Rule rule{numbers};
  if (span.gradient != nullptr) {
    update_range<Rule, true>(rule, span, count);
  } else {
    update_range<Rule, false>(rule, span, count);
  }
}

void UpdateElements(const UpdateNumbers& n, const UpdateSpan& span, std::int64_t count) {
  switch (n.kind) {
    case UpdateRule::Kind::sgd:
      return update_by<Sgd>(n, span, count);
    case UpdateRule::Kind::momentum:
      return update_by<Momentum>(n, span, count);
    case UpdateRule::Kind::adagrad:
      return update_by<Adagrad>(n, span, count);
    case UpdateRule::Kind::adam:
    case UpdateRule::Kind::adamw:
      return update_by<Adam>(n, span, count);
    case UpdateRule::Kind::rmsprop:
      if (n.centered && n.has_momentum) return update_by<Rmsprop<true, true>>(n, span, count);
      if (n.centered) return update_by<Rmsprop<true, false>>(n, span, count);
      if (n.has_momentum) return update_by<Rmsprop<false, true>>(n, span, count);
      return update_by<Rmsprop<false, false>>(n, span, count);
  }
}

HWY_INLINE void average_vector(float rest, const float* parameter, float* average) {
  const Vec a = hn::LoadU(Tag(), average);
  hn::StoreU(hn::MulAdd(set(rest), hn::Sub(hn::LoadU(Tag(), parameter), a), a), Tag(), average);
}

void UpdateAverage(float rest, const float* parameter, float* average, std::int64_t count) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) average_vector(rest, parameter + i, average + i);
  VectorTail<2, HWY_MAX_BYTES> rest_of(count - i);
  float* tail = rest_of.load(1, average + i);
  average_vector(rest, rest_of.load(0, parameter + i), tail);
  rest_of.store(1, average + i);
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {

HWY_EXPORT(UpdateElements);
HWY_EXPORT(UpdateAverage);

UpdateSpan UpdateSpan::from(std::int64_t offset) const {
  UpdateSpan result = *this;
  if (gradient != nullptr) result.gradient += offset;
  result.parameter += offset;
  for (float*& slot : result.slots)
    if (slot != nullptr) slot += offset;
  return result;
}

UpdateNumbers update_numbers(const UpdateRule& rule, double rate, std::int64_t step) {
  const auto t = static_cast<double>(std::max<std::int64_t>(step, 1));
  UpdateNumbers n;
  n.kind = rule.kind;
  n.nesterov = rule.nesterov;
  n.centered = rule.centered;
  n.epsilon_inside_sqrt = rule.epsilon_inside_sqrt;
  n.has_momentum = rule.momentum != 0;
  n.momentum = static_cast<float>(rule.momentum);
  n.beta1 = static_cast<float>(rule.beta1);
  n.beta2 = static_cast<float>(rule.beta2);
  n.rest1 = static_cast<float>(1 - rule.beta1);
  n.rest2 = static_cast<float>(1 - rule.beta2);
  n.epsilon = static_cast<float>(rule.epsilon);
  double effective_rate = rate;
  switch (rule.kind) {
    case UpdateRule::Kind::adagrad:
      effective_rate = rate / (1 + (t - 1) * rule.rate_decay);
      break;
    case UpdateRule::Kind::adam:
    case UpdateRule::Kind::adamw:
      effective_rate = rate / (1 - std::pow(rule.beta1, t));
      n.inverse_root_bias2 = static_cast<float>(1 / std::sqrt(1 - std::pow(rule.beta2, t)));
      break;
    default:
      break;
  }
  n.rate = static_cast<float>(effective_rate);
  if (rule.kind == UpdateRule::Kind::adamw) {
    n.shrink = static_cast<float>(1 - rate * rule.weight_decay);
  } else {
    n.l2 = static_cast<float>(rule.weight_decay);
  }
  return n;
}

void update_elements(const UpdateNumbers& numbers, const UpdateSpan& span, std::int64_t count) {
  HWY_DYNAMIC_DISPATCH(UpdateElements)(numbers, span, count);
}

void update_average(float rest, const float* parameter, float* average, std::int64_t count) {
  HWY_DYNAMIC_DISPATCH(UpdateAverage)(rest, parameter, average, count);
}

}  // namespace eddy
#endif  // HWY_ONCE
