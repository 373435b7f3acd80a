// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// Vector kernels on plain f32 arrays, compiled for AVX-512, AVX2 and less, which is no vectors with Debian 12's
/// Highway, and chosen at run time. The rest of the library is built for baseline x86-64, so hot loops belong here.
///
/// Unless a line says otherwise: serial (split the range with parallel_for), `out` may be the same pointer as an input
/// but must not overlap it otherwise, no alignment is needed, nothing is allocated, and every function may run
/// concurrently. The order of sums depends only on the sizes and the processor's vector width.
namespace eddy {

/// "AVX-512 and AMX", "AVX-512", "AVX2" or Highway's name of less; the instructions chosen. AMX is for products alone.
const char* vector_target();

// --- elementary functions: out[i] = f(in[i]) ------------------------------------------------------------------------
// Largest errors, tested against double over the whole range; infinities and NaN follow the C library.

void vector_exp(const float* in, float* out, std::int64_t n);       ///< 2 ulp, denormal results included
void vector_log(const float* in, float* out, std::int64_t n);       ///< 2 ulp, denormal arguments included
void vector_expm1(const float* in, float* out, std::int64_t n);     ///< 2 ulp of exp(x) - 1
void vector_log1p(const float* in, float* out, std::int64_t n);     ///< 2 ulp of log(1 + x)
void vector_softplus(const float* in, float* out, std::int64_t n);  ///< 3 ulp of log(1 + exp(x))
/// 2 ulp for every finite argument, in radians. Those beyond 131072 take some fifteen times as long.
void vector_sin(const float* in, float* out, std::int64_t n);
void vector_cos(const float* in, float* out, std::int64_t n);
void vector_tanh(const float* in, float* out, std::int64_t n);     ///< 4 ulp
void vector_sigmoid(const float* in, float* out, std::int64_t n);  ///< 4 ulp
void vector_erf(const float* in, float* out, std::int64_t n);      ///< 4 ulp
void vector_sqrt(const float* in, float* out, std::int64_t n);     ///< exact rounding
void vector_floor(const float* in, float* out, std::int64_t n);
void vector_ceil(const float* in, float* out, std::int64_t n);
void vector_round(const float* in, float* out, std::int64_t n);  ///< halves to the even neighbour
/// x/2 * (1 + erf(x/sqrt(2))); absolute error below 2e-7 * max(1, |x|). (Hendrycks & Gimpel 2016)
void vector_gelu(const float* in, float* out, std::int64_t n);
/// x/2 * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), with the same bound.
void vector_gelu_tanh(const float* in, float* out, std::int64_t n);
/// clamp(0.2 x + 1/2, 0, 1), as Keras
void vector_hard_sigmoid(const float* in, float* out, std::int64_t n);
void vector_relu(const float* in, float* out, std::int64_t n);

// --- their gradients: dx[i] from dy[i] and the output y[i] or the input x[i] ----------------------------------------

void vector_tanh_gradient(const float* dy, const float* y, float* dx, std::int64_t n);     ///< dy * (1 - y*y)
void vector_sigmoid_gradient(const float* dy, const float* y, float* dx, std::int64_t n);  ///< dy * y * (1 - y)
void vector_relu_gradient(const float* dy, const float* y, float* dx, std::int64_t n);     ///< y <= 0 ? 0 : dy
void vector_gelu_gradient(const float* dy, const float* x, float* dx, std::int64_t n);
void vector_gelu_tanh_gradient(const float* dy, const float* x, float* dx, std::int64_t n);

// --- arithmetic -----------------------------------------------------------------------------------------------------

void vector_add(const float* a, const float* b, float* out, std::int64_t n);
void vector_sub(const float* a, const float* b, float* out, std::int64_t n);
void vector_mul(const float* a, const float* b, float* out, std::int64_t n);
void vector_div(const float* a, const float* b, float* out, std::int64_t n);
void vector_max(const float* a, const float* b, float* out, std::int64_t n);  ///< NaN in either operand gives NaN
void vector_min(const float* a, const float* b, float* out, std::int64_t n);  ///< NaN in either operand gives NaN
void vector_axpy(float alpha, const float* x, float* y, std::int64_t n);      ///< y += alpha * x
void vector_scale(float alpha, const float* in, float* out, std::int64_t n);  ///< out = alpha * in; also a scaled copy
void vector_add_scalar(float alpha, const float* in, float* out, std::int64_t n);
void vector_mul_add(const float* a, const float* b, float* out, std::int64_t n);  ///< out += a * b
void vector_fill(float value, float* out, std::int64_t n);

// --- reductions -----------------------------------------------------------------------------------------------------

double vector_sum(const float* in, std::int64_t n);
double vector_dot(const float* a, const float* b, std::int64_t n);
double vector_sum_squares(const float* in, std::int64_t n);
float vector_max_value(const float* in, std::int64_t n);  ///< -inf for n = 0; NaN if any element is
float vector_min_value(const float* in, std::int64_t n);  ///< +inf for n = 0; NaN if any element is

// --- rows of a softmax ----------------------------------------------------------------------------------------------

/// sum = sum_i exp(in[i] - reference). Kept apart, as one float for both has no digits left when logits are large. The
/// reference is near the largest element, and is that one where it is infinite or NaN; -inf for n = 0.
struct ExpSum {
  float reference;
  double sum;
  /// log(sum), or 0 where the reference says it all.
  double log_sum() const;
};
ExpSum exp_sum(const float* in, std::int64_t n);
/// log(sum_i exp(in[i])); -inf for n = 0.
float log_sum_exp(const float* in, std::int64_t n);
/// out[i] = exp(in[i]) / sum_j exp(in[j])
void softmax_row(const float* in, float* out, std::int64_t n);
/// out[i] = in[i] - log_sum_exp(in)
void log_softmax_row(const float* in, float* out, std::int64_t n);
/// out[i] = alpha * exp(in[i] - shift): scaled probabilities, from an ExpSum.
void exp_shifted_scaled(const float* in, float shift, float alpha, float* out, std::int64_t n);
/// dx = y * (dy - dot(dy, y)): the gradient of softmax_row.
void softmax_row_gradient(const float* dy, const float* y, float* dx, std::int64_t n);

// --- matrices [rows, cols], row-major, `ld` elements from row to row; parallel when large ---------------------------

/// out[r,c] = in[r,c] + row[c]
void add_row(const float* in, const float* row, float* out, std::int64_t rows, std::int64_t cols);
/// out[c] = sum_r in[r,c] (+ out[c]); the bias gradient. Bits do not depend on the number of threads.
void column_sum(const float* in, std::int64_t rows, std::int64_t cols, std::int64_t ld, bool accumulate, float* out);

}  // namespace eddy
