// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of optimizers.

#include <array>
#include <cstdint>

#include "eddy/optimizers/update_rule.h"

namespace eddy {

/// What Adam's steps without a gradient do to a row, all of them at once. With decays β1, β2 and a row (p, m, v) last
/// touched g steps ago, the k-th of these steps subtracts w_k m / (a_k sqrt(v) + ε) from p, where w_k = rate β1^k /
/// (1 - β1^t) and a_k = β2^(k/2) / sqrt(1 - β2^t): a sum over k that depends on an element through sqrt(v) only. As a_k
/// hardly varies where w_k counts, a few moments of it give the sum to rounding error; where they do not (in the first
/// steps of a training), it is added up. Weights are only decoupled from p in Adam and AdamW without L2 decay.
/// Trivially copyable, so that it can live in the scratch of a kernel.
class RowCatchUp {
 public:
  /// Most steps a row may be behind.
  static constexpr std::int64_t kWindow = 256;

  static constexpr float kNotNoted = -1;

  /// After `done` steps; `rates` holds the learning rate of step t at t % kWindow, kNotNoted for one not yet noted.
  RowCatchUp(const UpdateRule& rule, const float* rates, std::int64_t done);

  /// Of how many steps up to the last the rates were noted without a break: as far as a row may be behind.
  std::int64_t noted() const { return noted_; }

  /// Must be called for a gap in [0, noted()] before rows are that far behind; not concurrently.
  void prepare(std::int64_t gap);

  /// Elements of a row, and where to write them: over the arguments, if need be. `m_out` and `v_out` may be null.
  struct Row {
    const float *p, *m, *v;
    float *p_out, *m_out, *v_out;
  };
  /// `count` elements of a row that is `gap` steps behind. Safe on several threads.
  void apply(std::int64_t gap, const Row& row, std::int64_t count) const;

  static constexpr int kMoments = 6;
  /// The steps of one gap.
  struct Plan {
    bool ready = false;
    bool moments_suffice = false;
    int steps = 0;
    float keep = 1;    ///< what decoupled weight decay leaves of p
    float decay1 = 1;  ///< of m
    float decay2 = 1;  ///< of v
    float epsilon = 0;
    float center = 1;                          ///< mean of a_k under w_k
    std::array<float, kMoments> moments = {};  ///< Σ w_k (a_k / center - 1)^j
  };

 private:
  /// w_k and a_k for k = 1, …, gap.
  void steps_of(std::int64_t gap, double* weights, double* scales) const;

  double epsilon_;
  std::int64_t noted_ = kWindow;
  std::array<double, kWindow> rate_;   ///< by age: rate / (1 - β1^t) times the decay of all later steps
  std::array<double, kWindow> keep_;   ///< by age: what the decays from that step on leave
  std::array<double, kWindow> scale_;  ///< by age: 1 / sqrt(1 - β2^t)
  std::array<double, kWindow + 1> power1_;
  std::array<double, kWindow + 1> root2_;
  std::array<Plan, kWindow + 1> plans_;
};

}  // namespace eddy
