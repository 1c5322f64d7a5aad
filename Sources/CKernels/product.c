// Products over panels of 16 columns; contract in ckernels_product.h.
#include "ckernels_product.h"
#include "clones.h"

// Six rows of 16 fill twelve AVX registers: enough chains to hide the latency of the multiply-add, and each pair of
// loads of B serves six rows.
#define ROWS LK_PACKED_ROWS

INLINE void tile(size_t rows, size_t depth, const float *a, size_t a_row, size_t a_depth, const float *b,
                 size_t b_depth, float *c, size_t c_row, int add) {
    v16 sum[ROWS];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++) sum[i] = add ? *(const v16 *)(c + i * c_row) : (v16)(0.0f);
    for (size_t k = 0; k < depth; k++) {
        v16 column = *(const v16 *)(b + k * b_depth);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++)
            sum[i] = __builtin_elementwise_fma((v16)(a[i * a_row + k * a_depth]), column, sum[i]);
    }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++) *(v16 *)(c + i * c_row) = sum[i];
}

// Where sums begin at C, which may come from the last-level cache, the next group's C is asked for while this one is made.
CLONES void lk_product(size_t rows, size_t panels, size_t depth, const float *a, size_t a_row, size_t a_depth,
                       const float *b, size_t b_panel, size_t b_depth, float *c, size_t c_panel, size_t c_row,
                       int add) {
    for (size_t p = 0; p < panels; p++) {
        const float *panel = b + p * b_panel;
        size_t i = 0;
        for (; i + ROWS <= rows; i += ROWS) {
            float *to = c + p * c_panel + i * c_row;
            if (add) {
                const float *next = i + 2 * ROWS <= rows ? to + ROWS * c_row : c + (p + 1) * c_panel;
                for (size_t r = 0; r < ROWS; r++) __builtin_prefetch(next + r * c_row);
            }
            tile(ROWS, depth, a + i * a_row, a_row, a_depth, panel, b_depth, to, c_row, add);
        }
        const float *from = a + i * a_row;
        float *to = c + p * c_panel + i * c_row;
        switch (rows - i) {
            case 5: tile(5, depth, from, a_row, a_depth, panel, b_depth, to, c_row, add); break;
            case 4: tile(4, depth, from, a_row, a_depth, panel, b_depth, to, c_row, add); break;
            case 3: tile(3, depth, from, a_row, a_depth, panel, b_depth, to, c_row, add); break;
            case 2: tile(2, depth, from, a_row, a_depth, panel, b_depth, to, c_row, add); break;
            case 1: tile(1, depth, from, a_row, a_depth, panel, b_depth, to, c_row, add); break;
        }
    }
}

// Left rows that lie as the loop reads them need no arithmetic of addresses.
INLINE void packed_tile(size_t rows, size_t depth, const float *a, const float *b, const float *const *start, size_t at,
                        float *c, size_t c_row) {
    v16 sum[ROWS];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++) sum[i] = *(const v16 *)(start ? start[i] + at : c + i * c_row);
#pragma clang loop unroll_count(4)
    for (size_t k = 0; k < depth; k++) {
        v16 column = *(const v16 *)(b + k * 16);
#pragma clang loop unroll(full)
        for (size_t i = 0; i < rows; i++)
            sum[i] = __builtin_elementwise_fma((v16)(a[k * ROWS + i]), column, sum[i]);
    }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++) *(v16 *)(c + i * c_row) = sum[i];
}

// The next panel, which a page's end hides from the processor's own prefetching, is asked for in equal parts before each
// group of rows.
INLINE void packed(size_t rows, size_t panels, size_t depth, const float *a, const float *b, const float *const *starts,
                   float *c, size_t c_row) {
    size_t groups = (rows + ROWS - 1) / ROWS;
    for (size_t p = 0; p < panels; p++) {
        const float *panel = b + p * depth * 16, *next = panel + depth * 16;
        for (size_t g = 0; g < groups; g++) {
            for (size_t k = g * depth / groups; k < (g + 1) * depth / groups; k++) __builtin_prefetch(next + 16 * k);
            const float *from = a + g * ROWS * depth, *const *start = starts ? starts + g * ROWS : starts;
            float *to = c + p * 16 + g * ROWS * c_row;
            switch (rows - g * ROWS) {
                default: packed_tile(6, depth, from, panel, start, p * 16, to, c_row); break;
                case 5: packed_tile(5, depth, from, panel, start, p * 16, to, c_row); break;
                case 4: packed_tile(4, depth, from, panel, start, p * 16, to, c_row); break;
                case 3: packed_tile(3, depth, from, panel, start, p * 16, to, c_row); break;
                case 2: packed_tile(2, depth, from, panel, start, p * 16, to, c_row); break;
                case 1: packed_tile(1, depth, from, panel, start, p * 16, to, c_row); break;
            }
        }
    }
}

CLONES void lk_product_packed(size_t rows, size_t panels, size_t depth, const float *a, const float *b, float *c,
                              size_t c_row) {
    packed(rows, panels, depth, a, b, NULL, c, c_row);
}

CLONES void lk_product_packed_from(size_t rows, size_t panels, size_t depth, const float *a, const float *b,
                                   const float *const *starts, float *c, size_t c_row) {
    packed(rows, panels, depth, a, b, starts, c, c_row);
}
