// Where a text's fields and lines end; contract in ckernels_csv.h.
#include "ckernels_csv.h"

#if defined(__SSE2__)
#include <emmintrin.h>

// One bit per byte of 64 that is `a` or `b`.
static inline uint64_t either(const uint8_t *p, __m128i a, __m128i b) {
    uint64_t bits = 0;
    for (int i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(p + 16 * i));
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, a), _mm_cmpeq_epi8(v, b));
        bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(hit) << (16 * i);
    }
    return bits;
}
#endif

size_t lk_csv_ends(size_t n, const uint8_t *text, uint8_t delimiter, uint32_t *out) {
    size_t count = 0, i = 0;
#if defined(__SSE2__)
    __m128i a = _mm_set1_epi8((char)delimiter), b = _mm_set1_epi8('\n');
    for (; i + 64 <= n; i += 64)
        for (uint64_t bits = either(text + i, a, b); bits; bits &= bits - 1)
            out[count++] = (uint32_t)(i + (size_t)__builtin_ctzll(bits));
#endif
    for (; i < n; i++)
        if (text[i] == delimiter || text[i] == '\n') out[count++] = (uint32_t)i;
    return count;
}

size_t lk_csv_lines(size_t n, const uint8_t *text) {
    size_t count = 0, i = 0;
#if defined(__SSE2__)
    __m128i b = _mm_set1_epi8('\n');
    for (; i + 64 <= n; i += 64) count += (size_t)__builtin_popcountll(either(text + i, b, b));
#endif
    for (; i < n; i++) count += text[i] == '\n';
    return count;
}
