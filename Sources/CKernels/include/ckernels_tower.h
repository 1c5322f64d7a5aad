// Inner loops of the towers' training step. Contract as in ckernels.h.
#ifndef LECTERN_CKERNELS_TOWER_H
#define LECTERN_CKERNELS_TOWER_H
#include <stddef.h>
#include <stdint.h>

/// out[width] += Σ_k weights[k]·table[row_k], row_k = rows[k] (slot null) or slot[rows[k]]; a negative row is left out.
/// Sums stay in registers while the n rows stream by; each element is summed in the order of k.
void lk_weighted_rows(size_t n, const uint32_t *rows, const int32_t *slot, const float *weights, size_t width,
                      const float *table, float *out);
/// x = 1/(1 + e^−x) for n elements; returns Σ log(1 + e^x), in double, without overflow.
double lk_logistic(size_t n, float *x);
/// x[i] = value where rank[i] ≥ first.
void lk_fill_from(size_t n, const int32_t *rank, int32_t first, float value, float *x);
/// g[i] = scale·g[i] where unit[i] > 0, else 0: back through a ReLU that gave `unit`.
void lk_relu_gradient(size_t n, float scale, const float *unit, float *g);
#endif
