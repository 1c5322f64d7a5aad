// Which columns of a co-watch row can still reach a course's best neighbours. Contract as in ckernels.h.
#ifndef LECTERN_CKERNELS_COWATCH_H
#define LECTERN_CKERNELS_COWATCH_H
#include <stddef.h>
#include <stdint.h>

/// Indices j (ascending, from `base`) with sums[j] > 0 and sums[j] ≥ slope·x[j] + offset, compared in float.
/// Returns how many; `out` holds room for n.
size_t lk_cowatch_select_u16(size_t n, const uint16_t *sums, const float *x, float slope, float offset,
                             uint32_t base, uint32_t *out);
size_t lk_cowatch_select_u32(size_t n, const uint32_t *sums, const float *x, float slope, float offset,
                             uint32_t base, uint32_t *out);
size_t lk_cowatch_select_i64(size_t n, const int64_t *sums, const float *x, float slope, float offset,
                             uint32_t base, uint32_t *out);
#endif
