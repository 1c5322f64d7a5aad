// Inner loops of GLMix: the logistic loss over many rows, sparse rows, small Cholesky factors. Contract as in
// ckernels.h: sums run over fixed lanes, so every clone returns the same bits. Plain twins: Tests/GLMixTests.
#ifndef LECTERN_CKERNELS_GLMIX_H
#define LECTERN_CKERNELS_GLMIX_H
#include <stddef.h>
#include <stdint.h>

/// Logistic loss ℓ(z, y) = log(1 + e^{−z}) for y = 1, log(1 + e^z) for y = 0, of n rows with weights scale·weight.
/// Writes first = w·ℓ′(z) and second = w·ℓ″(z); returns Σ w·ℓ over 8 lanes. No margin overflows.
double lk_logistic_rows(size_t n, const double *z, const uint8_t *positive, const float *weight, double scale,
                   double *first, double *second);

/// out[i] += Σ values[at]·v[columns[at]] over starts[i] ≤ at < starts[i + 1], in 4 lanes; i < rows.
void lk_rows_multiply(size_t rows, const ptrdiff_t *starts, const uint32_t *columns, const float *values,
                      const double *v, double *out);
/// out[columns[at]] += r[i]·values[at] (values² with `squared`) over the same.
void lk_rows_transposed(size_t rows, const ptrdiff_t *starts, const uint32_t *columns, const float *values,
                        const double *r, int squared, double *out);

/// A = L·Lᵀ in place: lower triangle of the row-major n × n a; column has room for n. Returns 0 if A is not positive
/// definite.
int lk_cholesky(size_t n, double *a, double *column);
/// Solves L·Lᵀ·x = b in place from lk_cholesky's result.
void lk_cholesky_solve(size_t n, const double *l, double *b);

/// The lower triangle of the row-major n × n l in 32 bits, row after row.
void lk_lower_pack(size_t n, const double *l, float *packed);
/// Solves L·Lᵀ·x = b in place from lk_lower_pack's result.
void lk_lower_solve(size_t n, const float *packed, double *b);

/// k = x·xᵀ, both triangles of the m × m k, over 8 lanes; x is m × width, row-major, width a multiple of 8.
void lk_gram(size_t m, size_t width, const double *x, double *k);
/// out = a·v for the symmetric n × n a.
void lk_symmetric_multiply(size_t n, const double *a, const double *v, double *out);
#endif
