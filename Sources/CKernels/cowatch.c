// Selection of co-watch candidates; contract in ckernels_cowatch.h.
#include "ckernels_cowatch.h"
#include "clones.h"
#pragma STDC FP_CONTRACT OFF

#define REACHES(j) ((sums[j] > 0) & ((float)sums[j] >= slope * x[j] + offset))

// As in lk_select_ge: a block of 64 without a candidate, which is nearly every one, costs one vectorised comparison.
#define BODY                                                                    \
    size_t count = 0, i = 0;                                                    \
    for (; i + 64 <= n; i += 64) {                                              \
        int any = 0;                                                            \
        for (int l = 0; l < 64; l++) any |= REACHES(i + l);                     \
        if (!any) continue;                                                     \
        for (int l = 0; l < 64; l++) {                                          \
            out[count] = base + (uint32_t)(i + l);                              \
            count += REACHES(i + l);                                            \
        }                                                                       \
    }                                                                           \
    for (; i < n; i++)                                                          \
        if (REACHES(i)) out[count++] = base + (uint32_t)i;                      \
    return count;

CLONES size_t lk_cowatch_select_u16(size_t n, const uint16_t *sums, const float *x, float slope, float offset,
                                    uint32_t base, uint32_t *out) {
    BODY
}

CLONES size_t lk_cowatch_select_u32(size_t n, const uint32_t *sums, const float *x, float slope, float offset,
                                    uint32_t base, uint32_t *out) {
    BODY
}

CLONES size_t lk_cowatch_select_i64(size_t n, const int64_t *sums, const float *x, float slope, float offset,
                                    uint32_t base, uint32_t *out) {
    BODY
}
