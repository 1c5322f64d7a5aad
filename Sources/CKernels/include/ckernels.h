// The few inner loops that Swift cannot vectorise portably (its default target is SSE2).
//
// Every function has clones for x86-64, x86-64-v3 (AVX2) and x86-64-v4 (AVX-512), chosen when the program
// loads. Sums run over 16 fixed lanes that are added in a fixed order, and contraction to fused multiply-add
// is off, so every clone returns the same bits. Plain twins: Tests/LinearAlgebraTests.
#ifndef LECTERN_CKERNELS_H
#define LECTERN_CKERNELS_H
#include <stddef.h>
#include <stdint.h>

/// y += a·x, n elements.
void lk_axpy(size_t n, float a, const float *x, float *y);
/// Σ x·y over 16 lanes, n elements.
float lk_dot(size_t n, const float *x, const float *y);
/// max x; −∞ for n = 0.
float lk_max(size_t n, const float *x);
/// out = exp(x − shift) (out may be x); returns the sum of out, over 16 lanes of 16 elements and then in double.
double lk_exp_sum(size_t n, const float *x, float shift, float *out);
/// x *= a.
void lk_scale(size_t n, float a, float *x);
/// Indices (ascending, from `base`) of the elements of x greater than or equal to `threshold` (never a NaN).
/// Returns how many; `out` holds room for n.
size_t lk_select_ge(size_t n, const float *x, float threshold, int32_t base, int32_t *out);
/// One Adam step (Kingma & Ba 2015, algorithm 1, bias-corrected through `step_size` and `epsilon_hat`) with L2:
/// g += l2·w; m = b1·m + (1−b1)·g; v = b2·v + (1−b2)·g²; w −= step_size·m/(√v + epsilon_hat); g = 0.
void lk_adam(size_t n, float *w, float *g, float *m, float *v, float step_size, float b1, float b2,
             float epsilon_hat, float l2);
/// exp(x) for one value, the same bits as lk_exp_sum's.
float lk_expf(float x);
/// exp, log and log(1 + e^x) in double: own polynomials, no libm, the same bits on every x86-64.
double lk_exp(double x);
double lk_log(double x);
double lk_log1pexp(double x);

#include "ckernels_cowatch.h"
#include "ckernels_entities.h"
#include "ckernels_glmix.h"
#include "ckernels_product.h"
#include "ckernels_ranking.h"
#include "ckernels_tower.h"
#include "ckernels_csv.h"
#endif
