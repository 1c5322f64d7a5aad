// Selection fused with the last sum of a score. Contract as in ckernels.h.
#ifndef LECTERN_CKERNELS_RANKING_H
#define LECTERN_CKERNELS_RANKING_H
#include <stddef.h>
#include <stdint.h>

/// z[i] = weights[0]·columns[0][i] + weights[1]·columns[1][i] + …, m ≥ 1 columns of n elements, added in their order.
/// Appends i (from `base`) to `out` and z[i] to `scores` wherever z[i] ≥ threshold; a NaN never is. Only elements whose bit
/// i mod 64 of allowed[i / 64] is set (NULL: all). Returns how many; `out` and `scores` have room for n.
size_t lk_select_sum(size_t n, size_t m, const float *const *columns, const float *weights, float threshold,
                     const uint64_t *allowed, int32_t base, int32_t *out, float *scores);

/// sums[8·i + l] += Σ_j mask[j]·x[i·x_row + j] over the j < n that leave l by 8, i < rows. In 32 bits until the last
/// addition: for a few hundred columns at a time.
void lk_masked_sums(size_t rows, size_t n, const float *x, size_t x_row, const float *mask, double *sums);

/// out[i] = the largest of z[i], z[n + i], z[2n + i], … (z as above, parts·n elements; n a multiple of 16), −∞ if all are
/// NaN.
void lk_max_sum(size_t n, size_t parts, size_t m, const float *const *columns, const float *weights, float *out);

/// out[16p + j] += Σ_k weights[k]·table[p·panel + 16·rows[k] + j],   p < panels, k < n, j < 16
///
/// Fused multiply-adds in the order of k.
void lk_weighted_panels(size_t panels, size_t n, const uint32_t *rows, const float *weights, const float *table,
                        size_t panel, float *out);

/// Rows of a sparse matrix times a matrix of 16·vectors columns, transposed:
///
///     out[l·out_row + r] = start[r] + own[l] + Σ_k values[k]·x[columns[k]][l],   k from offsets[r] to offsets[r + 1]
///
/// r < rows, l < 16·vectors, 1 ≤ vectors ≤ 4; x has rows of 16·vectors values. Fused multiply-adds in the order of k.
/// `out` is written up to the next multiple of 16 after `rows`.
void lk_sparse_product(size_t rows, size_t vectors, const int64_t *offsets, const uint32_t *columns,
                       const float *values, const float *start, const float *own, const float *x, float *out,
                       size_t out_row);
#endif
