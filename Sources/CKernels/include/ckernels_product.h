// Matrix products whose operands lie as the fused training step keeps them. Contract as in ckernels.h, but with fused
// multiply-add: every element is one chain of them in the order of k, so each clone gives the same bits.
#ifndef LECTERN_CKERNELS_PRODUCT_H
#define LECTERN_CKERNELS_PRODUCT_H
#include <stddef.h>

/// Panels of 16 columns of a row-major or packed matrix.
///
///     C[i][16p + j] (+)= Σ_k A[i][k]·B[k][16p + j],   i < rows, p < panels, k < depth, j < 16
///
/// A[i][k] is a[i·a_row + k·a_depth]; B[k][16p + j] is b[p·b_panel + k·b_depth + j]; C[i][16p + j] is
/// c[p·c_panel + i·c_row + j]. With `add` the sums begin at C's values, without at 0.
void lk_product(size_t rows, size_t panels, size_t depth, const float *a, size_t a_row, size_t a_depth,
                const float *b, size_t b_panel, size_t b_depth, float *c, size_t c_panel, size_t c_row, int add);

/// Rows of a left factor that lie together, for `lk_product_packed`.
#define LK_PACKED_ROWS 6

/// C[i][j] += Σ_k A[i][k]·B[k][j],   i < rows, j < 16·panels, k < depth
///
/// A lies in groups of six rows: A[6g + r][k] is a[6·g·depth + 6·k + r]; rows that the last group lacks are never read. B
/// lies in panels: B[k][16p + j] is b[p·16·depth + 16·k + j]. C[i][j] is c[i·c_row + j].
void lk_product_packed(size_t rows, size_t panels, size_t depth, const float *a, const float *b, float *c, size_t c_row);

/// The same with the first values elsewhere: C[i][j] = starts[i][j] + Σ_k A[i][k]·B[k][j]
void lk_product_packed_from(size_t rows, size_t panels, size_t depth, const float *a, const float *b,
                            const float *const *starts, float *c, size_t c_row);
#endif
