// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/row_catch_up.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "eddy/core/simd_targets.h"
#include "eddy/optimizers/vector_tail.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/optimizers/row_catch_up.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<float>;
using Vec = hn::Vec<Tag>;

HWY_INLINE Vec set(float value) { return hn::Set(Tag(), value); }

/// Σ w_k / (a_k r + ε) from the moments.
struct BySeries {
  const RowCatchUp::Plan& plan;
  HWY_INLINE Vec operator()(Vec r) const {
    const Vec scaled = hn::Mul(set(plan.center), r);
    const Vec inverse = hn::Div(set(1), hn::Add(scaled, set(plan.epsilon)));
    const Vec share = hn::Mul(scaled, inverse);
    Vec sum = set(plan.moments[RowCatchUp::kMoments - 1]);
    for (int j = RowCatchUp::kMoments - 2; j >= 0; --j)
      sum = hn::NegMulAdd(share, sum, set(plan.moments[static_cast<std::size_t>(j)]));
    return hn::Mul(sum, inverse);
  }
};

/// The same term by term.
struct ByTerms {
  const RowCatchUp::Plan& plan;
  const float* weights;
  const float* scales;
  HWY_INLINE Vec operator()(Vec r) const {
    Vec sum = hn::Zero(Tag());
    for (int k = 0; k < plan.steps; ++k)
      sum = hn::Add(sum, hn::Div(set(weights[k]), hn::MulAdd(set(scales[k]), r, set(plan.epsilon))));
    return sum;
  }
};

using Row = RowCatchUp::Row;

template <class Sum>
HWY_INLINE void catch_up_vector(const RowCatchUp::Plan& plan, const Sum& sum, const Row& row) {
  const Tag tag;
  const Vec p = hn::LoadU(tag, row.p), m = hn::LoadU(tag, row.m), v = hn::LoadU(tag, row.v);
  hn::StoreU(hn::NegMulAdd(m, sum(hn::Sqrt(v)), hn::Mul(p, set(plan.keep))), tag, row.p_out);
  if (row.m_out == nullptr) return;
  hn::StoreU(hn::Mul(m, set(plan.decay1)), tag, row.m_out);
  hn::StoreU(hn::Mul(v, set(plan.decay2)), tag, row.v_out);
}

template <class Sum>
void catch_up_range(const RowCatchUp::Plan& plan, const Sum& sum, const Row& row, std::int64_t count) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  const auto from = [](auto* array, std::int64_t offset) { return array == nullptr ? nullptr : array + offset; };
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    catch_up_vector(plan, sum,
                    {row.p + i, row.m + i, row.v + i, row.p_out + i, from(row.m_out, i), from(row.v_out, i)});
  if (i == count) return;
  VectorTail<3, HWY_MAX_BYTES> rest(count - i);
  float *p = rest.load(0, row.p + i), *m = rest.load(1, row.m + i), *v = rest.load(2, row.v + i);
  catch_up_vector(plan, sum, {p, m, v, p, m, v});
  rest.store(0, row.p_out + i);
  if (row.m_out == nullptr) return;
  rest.store(1, row.m_out + i);
  rest.store(2, row.v_out + i);
}

void CatchUpBySeries(const RowCatchUp::Plan& plan, const Row& row, std::int64_t count) {
  catch_up_range(plan, BySeries{plan}, row, count);
}

void CatchUpByTerms(const RowCatchUp::Plan& plan, const float* weights, const float* scales, const Row& row,
                    std::int64_t count) {
  catch_up_range(plan, ByTerms{plan, weights, scales}, row, count);
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {

HWY_EXPORT(CatchUpBySeries);
HWY_EXPORT(CatchUpByTerms);

namespace {

/// Relative error of the sum that the moments may leave: below f32's rounding.
constexpr double kSeriesError = 1e-8;

}  // namespace

RowCatchUp::RowCatchUp(const UpdateRule& rule, const float* rates, std::int64_t done)
    : epsilon_(rule.epsilon), plans_{} {
  const double shrink = rule.kind == UpdateRule::Kind::adamw ? rule.weight_decay : 0;
  double later = 1;  // what the decays of all later steps leave
  for (std::int64_t age = 0; age < kWindow; ++age) {
    const auto i = static_cast<std::size_t>(age);
    const std::int64_t t = done - age;
    if (t < 1) {
      rate_[i] = 0;
      scale_[i] = 1;
      keep_[i] = later;
      continue;
    }
    const auto rate = static_cast<double>(rates[t % kWindow]);
    if (rates[t % kWindow] == kNotNoted) noted_ = std::min(noted_, age);
    const auto step = static_cast<double>(t);
    rate_[i] = rate / (1 - std::pow(rule.beta1, step)) * later;
    scale_[i] = 1 / std::sqrt(1 - std::pow(rule.beta2, step));
    later *= 1 - rate * shrink;
    keep_[i] = later;
  }
  const double root = std::sqrt(rule.beta2);
  power1_[0] = root2_[0] = 1;
  for (std::size_t k = 1; k <= kWindow; ++k) {
    power1_[k] = power1_[k - 1] * rule.beta1;
    root2_[k] = root2_[k - 1] * root;
  }
}

void RowCatchUp::steps_of(std::int64_t gap, double* weights, double* scales) const {
  for (std::int64_t k = 1; k <= gap; ++k) {
    const auto age = static_cast<std::size_t>(gap - k);
    weights[k - 1] = rate_[age] * power1_[static_cast<std::size_t>(k)];
    scales[k - 1] = scale_[age] * root2_[static_cast<std::size_t>(k)];
  }
}

void RowCatchUp::prepare(std::int64_t gap) {
  Plan& plan = plans_[static_cast<std::size_t>(gap)];
  if (plan.ready) return;
  plan.ready = true;
  plan.steps = static_cast<int>(gap);
  plan.epsilon = static_cast<float>(epsilon_);
  if (gap == 0) return;
  const auto steps = static_cast<std::size_t>(gap);
  plan.keep = static_cast<float>(keep_[steps - 1]);
  plan.decay1 = static_cast<float>(power1_[steps]);
  plan.decay2 = static_cast<float>(root2_[steps] * root2_[steps]);
  std::array<double, kWindow> weights, scales;
  steps_of(gap, weights.data(), scales.data());
  double total = 0, center = 0;
  for (std::size_t k = 0; k < steps; ++k) {
    total += weights[k];
    center += weights[k] * scales[k];
  }
  center = total > 0 ? center / total : scales[0];
  std::array<double, kMoments> moments{};
  double error = 0;
  for (std::size_t k = 0; k < steps; ++k) {
    const double distance = scales[k] / center - 1;
    double power = weights[k];
    for (double& moment : moments) {
      moment += power;
      power *= distance;
    }
    // The tail of the geometric series, at its largest where ε does not count.
    error += std::abs(power) / std::min(1.0, 1 + distance);
  }
  plan.center = static_cast<float>(center);
  for (std::size_t j = 0; j < kMoments; ++j) plan.moments[j] = static_cast<float>(moments[j]);
  plan.moments_suffice = error <= kSeriesError * total;
}

void RowCatchUp::apply(std::int64_t gap, const Row& row, std::int64_t count) const {
  const Plan& plan = plans_[static_cast<std::size_t>(gap)];
  if (gap == 0) {
    const auto copy = [count](const float* from, float* to) {
      if (to != nullptr && to != from) std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
    };
    copy(row.p, row.p_out);
    copy(row.m, row.m_out);
    copy(row.v, row.v_out);
    return;
  }
  if (plan.moments_suffice) {
    HWY_DYNAMIC_DISPATCH(CatchUpBySeries)(plan, row, count);
    return;
  }
  std::array<double, kWindow> weights, scales;
  steps_of(gap, weights.data(), scales.data());
  std::array<float, kWindow> weights32, scales32;
  for (std::size_t k = 0; k < static_cast<std::size_t>(gap); ++k) {
    weights32[k] = static_cast<float>(weights[k]);
    scales32[k] = static_cast<float>(scales[k]);
  }
  HWY_DYNAMIC_DISPATCH(CatchUpByTerms)
  (plan, weights32.data(), scales32.data(), row, count);
}

}  // namespace eddy
#endif  // HWY_ONCE
