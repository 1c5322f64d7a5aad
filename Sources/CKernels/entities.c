// Random effects, entity by entity and eight at a time; contract in ckernels_entities.h.
#include "ckernels.h"
#include "lanes.h"
#if defined(__linux__)
#include <sys/mman.h>
#endif

void lk_expect_filling(void *memory, size_t bytes) {
#if defined(__linux__)
    uintptr_t page = 4096, from = ((uintptr_t)memory + page - 1) & ~(page - 1), to = ((uintptr_t)memory + bytes) & ~(page - 1);
    if (bytes >= 1 << 22) madvise((void *)from, to - from, MADV_HUGEPAGE);  // advice: failing changes nothing
#endif
}

// One row of one bag.
typedef struct {
    size_t count;
    const uint32_t *columns;
    const float *values;
} sparse_row;

INLINE sparse_row row_of(const lk_bag *bag, uint32_t example) {
    size_t row = bag->row_of ? bag->row_of[example] : example;
    ptrdiff_t first = bag->offsets[row];
    return (sparse_row){bag->offsets[row + 1] - first, bag->columns + first, bag->values + first};
}

// Features ascend within a bag's row, so a word of `seen` is put together in a register.
size_t lk_entity_features(size_t rows, const uint32_t *examples, size_t bags, const lk_bag *bag, uint32_t intercept,
                          uint32_t *features, uint64_t *seen, uint64_t *summary) {
    for (size_t i = 0; i < rows; i++) {
        uint32_t word = 0;
        uint64_t bits = 0;
        for (size_t b = 0; b < bags; b++) {
            sparse_row x = row_of(bag + b, examples[i]);
            for (size_t k = 0; k < x.count; k++) {
                uint32_t feature = bag[b].base + x.columns[k];
                if (feature >> 6 != word) {
                    if (bits) seen[word] |= bits, summary[word >> 6] |= 1ull << (word & 63);
                    word = feature >> 6, bits = 0;
                }
                bits |= 1ull << (feature & 63);
            }
        }
        if (bits) seen[word] |= bits, summary[word >> 6] |= 1ull << (word & 63);
    }
    uint32_t count = 0;
    for (uint32_t s = 0; s <= intercept >> 12; s++)
        for (uint64_t words = summary[s]; words; words &= words - 1) {
            uint32_t word = s << 6 | (uint32_t)__builtin_ctzll(words);
            for (uint64_t bits = seen[word]; bits; bits &= bits - 1)
                features[count++] = word << 6 | (uint32_t)__builtin_ctzll(bits);
            seen[word] = 0;
        }
    memset(summary, 0, ((intercept >> 12) + 1) * sizeof *summary);
    features[count] = intercept;
    return count + 1;
}

// One entity.
typedef struct {
    ptrdiff_t first, rows, base, count;
    const uint32_t *examples, *features;
    const double *scale;
} entity_rows;

INLINE entity_rows entity_at(const lk_entities *x, size_t e) {
    ptrdiff_t first = x->row_offsets[e], base = x->feature_offsets[e];
    return (entity_rows){first, x->row_offsets[e + 1] - first, base, x->feature_offsets[e + 1] - base,
                         x->examples + first, x->features + base, x->scale ? x->scale + base : NULL};
}

// Row i of an entity in one of x's bags.
INLINE sparse_row row_at(const lk_bag *bag, const entity_rows *e, ptrdiff_t i) {
    size_t row = bag->row_of ? bag->row_of[e->first + i] : e->examples[i];
    ptrdiff_t first = bag->offsets[row];
    return (sparse_row){bag->offsets[row + 1] - first, bag->columns + first, bag->values + first};
}

// Asks for a row that is needed soon.
INLINE void prefetch_row(const lk_bag *bag, const entity_rows *e, ptrdiff_t i) {
    if (i >= e->rows) return;
    sparse_row row = row_at(bag, e, i);
    __builtin_prefetch(row.columns);
    __builtin_prefetch(row.values);
}

INLINE void number(const entity_rows *e, uint32_t *local) {
    for (ptrdiff_t j = 0; j < e->count; j++) local[e->features[j]] = (uint32_t)j;
}

void lk_entity_multiply(const lk_entities *x, size_t entity, const double *v, double *dense, double *out) {
    entity_rows e = entity_at(x, entity);
    for (ptrdiff_t j = 0; j < e.count; j++) dense[e.features[j]] = e.scale ? e.scale[j] * v[j] : v[j];
    for (ptrdiff_t i = 0; i < e.rows; i++) {
        double a = dense[e.features[e.count - 1]], b = 0, c = 0, d = 0;
        for (size_t bag = 0; bag < x->bag_count; bag++) {
            prefetch_row(x->bags + bag, &e, i + 4);
            sparse_row row = row_at(x->bags + bag, &e, i);
            const double *own = dense + x->bags[bag].base;
            size_t k = 0;
            for (; k + 4 <= row.count; k += 4) {
                a += (double)row.values[k] * own[row.columns[k]];
                b += (double)row.values[k + 1] * own[row.columns[k + 1]];
                c += (double)row.values[k + 2] * own[row.columns[k + 2]];
                d += (double)row.values[k + 3] * own[row.columns[k + 3]];
            }
            for (; k < row.count; k++) a += (double)row.values[k] * own[row.columns[k]];
        }
        out[i] = (a + b) + (c + d);
    }
}

void lk_entity_transposed(const lk_entities *x, size_t entity, const double *r, int squared, double *dense, double *g) {
    entity_rows e = entity_at(x, entity);
    for (ptrdiff_t j = 0; j < e.count; j++) dense[e.features[j]] = 0;
    double total = 0;
    for (ptrdiff_t i = 0; i < e.rows; i++) {
        double scale = r[i];
        total += scale;
        for (size_t bag = 0; bag < x->bag_count; bag++) {
            prefetch_row(x->bags + bag, &e, i + 4);
            sparse_row row = row_at(x->bags + bag, &e, i);
            double *own = dense + x->bags[bag].base;
            if (squared)
                for (size_t k = 0; k < row.count; k++)
                    own[row.columns[k]] += scale * ((double)row.values[k] * (double)row.values[k]);
            else
                for (size_t k = 0; k < row.count; k++) own[row.columns[k]] += scale * (double)row.values[k];
        }
    }
    dense[e.features[e.count - 1]] = total;
    for (ptrdiff_t j = 0; j < e.count; j++) {
        double factor = e.scale ? e.scale[j] : 1;
        g[j] += (squared ? factor * factor : factor) * dense[e.features[j]];
    }
}

size_t lk_entity_nonzeros(const lk_entities *x, size_t entity) {
    entity_rows e = entity_at(x, entity);
    size_t count = e.rows;
    for (size_t bag = 0; bag < x->bag_count; bag++)
        for (ptrdiff_t i = 0; i < e.rows; i++) count += row_at(x->bags + bag, &e, i).count;
    return count;
}

void lk_entity_matrix(const lk_entities *x, size_t entity, uint32_t *local, ptrdiff_t *starts, uint32_t *columns,
                      double *values) {
    entity_rows e = entity_at(x, entity);
    number(&e, local);
    ptrdiff_t at = 0;
    for (ptrdiff_t i = 0; i < e.rows; i++) {
        starts[i] = at;
        for (size_t bag = 0; bag < x->bag_count; bag++) {
            sparse_row row = row_at(x->bags + bag, &e, i);
            const uint32_t *own = local + x->bags[bag].base;
            for (size_t k = 0; k < row.count; k++, at++) {
                columns[at] = own[row.columns[k]];
                values[at] = row.values[k];
            }
        }
        columns[at] = (uint32_t)e.count - 1;
        values[at++] = 1;
    }
    starts[e.rows] = at;
    if (e.scale)
        for (ptrdiff_t k = 0; k < at; k++) values[k] *= e.scale[columns[k]];
}

// Everything of one call; arrays of m unless said otherwise.
typedef struct {
    size_t m, n;
    v8 *kernel;  // m × m
    v8 *factor;  // lower triangle, row after row
    v8 *x;       // m × n if dense, else n doubles
    v8 *inverse;  // 1 over the factor's diagonal
    v8 *alpha, *margins, *known, *weight, *first, *second, *root, *b, *step, *step_margins;
    i8 *positive;
} batch;

enum { MOST_DENSE = 4096 };

size_t lk_entity_scratch(size_t m, size_t n) {
    size_t dense = m * n < MOST_DENSE ? m * n : MOST_DENSE;
    return LANES * (m * m + m * (m + 1) / 2 + dense + 12 * m) + n;
}

static void lay_out(batch *w, double *scratch) {
    size_t m = w->m;
    v8 *at = (v8 *)scratch;
    w->kernel = at, at += m * m;
    w->factor = at, at += m * (m + 1) / 2;
    v8 **vectors[] = {&w->inverse, &w->alpha, &w->margins, &w->known, &w->weight, &w->first,
                      &w->second, &w->root, &w->b, &w->step, &w->step_margins};
    for (size_t v = 0; v < sizeof vectors / sizeof *vectors; v++) *vectors[v] = at, at += m;
    w->positive = (i8 *)at, at += m;
    w->x = at;
}

// K = X·Xᵀ by dense rows of all lanes, a column after the other.
INLINE void dense_kernel(const batch *w, const lk_entities *x, size_t count, const uint32_t *entities, uint32_t *local) {
    size_t m = w->m, n = w->n;
    memset(w->x, 0, m * n * sizeof(v8));
    for (size_t lane = 0; lane < count; lane++) {
        entity_rows e = entity_at(x, entities[lane]);
        number(&e, local);
        for (ptrdiff_t i = 0; i < e.rows; i++) {
            double *row = (double *)(w->x + i * n) + lane;
            for (size_t bag = 0; bag < x->bag_count; bag++) {
                sparse_row own = row_at(x->bags + bag, &e, i);
                const uint32_t *position = local + x->bags[bag].base;
                for (size_t k = 0; k < own.count; k++) row[position[own.columns[k]] * LANES] = own.values[k];
            }
            row[(e.count - 1) * LANES] = 1;
            if (e.scale)
                for (ptrdiff_t j = 0; j < e.count; j++) row[j * LANES] *= e.scale[j];
        }
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= i; j++) {
            const v8 *a = w->x + i * n, *b = w->x + j * n;
            v8 s = 0.0;
            for (size_t c = 0; c < n; c++) s += a[c] * b[c];
            w->kernel[i * m + j] = w->kernel[j * m + i] = s;
        }
}

// The same sums, zeros left out, for one lane.
INLINE void sparse_kernel(const batch *w, const lk_entities *x, size_t lane, uint32_t entity, uint32_t *local) {
    double *row = (double *)w->x, *kernel = (double *)w->kernel + lane;
    ptrdiff_t m = w->m;
    entity_rows e = entity_at(x, entity);
    number(&e, local);
    for (ptrdiff_t i = 0; i < e.rows; i++) {
        memset(row, 0, e.count * sizeof *row);
        for (size_t bag = 0; bag < x->bag_count; bag++) {
            sparse_row own = row_at(x->bags + bag, &e, i);
            const uint32_t *position = local + x->bags[bag].base;
            for (size_t k = 0; k < own.count; k++) row[position[own.columns[k]]] = own.values[k];
        }
        row[e.count - 1] = 1;
        if (e.scale)
            for (ptrdiff_t j = 0; j < e.count; j++) row[j] *= e.scale[j];
        for (ptrdiff_t j = 0; j <= i; j++) {
            double s = 0;
            for (size_t bag = 0; bag < x->bag_count; bag++) {
                sparse_row other = row_at(x->bags + bag, &e, j);
                const uint32_t *position = local + x->bags[bag].base;
                for (size_t k = 0; k < other.count; k++) {
                    uint32_t p = position[other.columns[k]];
                    double value = other.values[k];
                    s += row[p] * (e.scale ? value * e.scale[p] : value);
                }
            }
            s += row[e.count - 1] * (e.scale ? e.scale[e.count - 1] : 1);
            kernel[(i * m + j) * LANES] = kernel[(j * m + i) * LANES] = s;
        }
    }
}

INLINE void gather(const batch *w, const lk_entities *x, const uint8_t *labels, const float *weights,
                   const double *offsets, size_t count, const uint32_t *entities, const double *scale,
                   const double *alpha, uint32_t *local) {
    memset(w->alpha, 0, w->m * sizeof(v8));
    memset(w->known, 0, w->m * sizeof(v8));
    memset(w->weight, 0, w->m * sizeof(v8));
    memset(w->positive, 0, w->m * sizeof(i8));
    size_t nonzeros = 0;
    for (size_t lane = 0; lane < count; lane++) {
        entity_rows e = entity_at(x, entities[lane]);
        nonzeros += lk_entity_nonzeros(x, entities[lane]) / e.rows;
        for (ptrdiff_t i = 0; i < e.rows; i++) {
            uint32_t example = e.examples[i];
            ((double *)(w->alpha + i))[lane] = alpha[e.first + i];
            ((double *)(w->known + i))[lane] = offsets[example];
            ((double *)(w->weight + i))[lane] = scale[lane] * (double)weights[example];
            ((int64_t *)(w->positive + i))[lane] = labels[example] ? -1 : 0;
        }
    }
    // what is cheaper: eight lanes with all zeros, or one after the other without
    if (w->m * w->n <= MOST_DENSE && w->n * count <= 6 * nonzeros) return dense_kernel(w, x, count, entities, local);
    memset(w->kernel, 0, w->m * w->m * sizeof(v8));
    for (size_t lane = 0; lane < count; lane++) sparse_kernel(w, x, lane, entities[lane], local);
}

// θ = Xᵀ·α of one lane, its α and scores.
INLINE void scatter(const batch *w, const lk_entities *x, size_t lane, uint32_t entity, double *alpha, double *theta,
                    double *scores, uint32_t *local) {
    entity_rows e = entity_at(x, entity);
    number(&e, local);
    double *own_theta = theta + e.base;
    memset(own_theta, 0, e.count * sizeof *theta);
    for (ptrdiff_t i = 0; i < e.rows; i++) {
        double a = ((double *)(w->alpha + i))[lane];
        alpha[e.first + i] = a;
        scores[e.examples[i]] = ((double *)(w->margins + i))[lane];
        for (size_t bag = 0; bag < x->bag_count; bag++) {
            sparse_row own = row_at(x->bags + bag, &e, i);
            const uint32_t *position = local + x->bags[bag].base;
            for (size_t k = 0; k < own.count; k++) own_theta[position[own.columns[k]]] += a * (double)own.values[k];
        }
        own_theta[e.count - 1] += a;
    }
    if (e.scale)
        for (ptrdiff_t j = 0; j < e.count; j++) own_theta[j] *= e.scale[j];
}

INLINE void multiply(const batch *w, const v8 *v, v8 *out) {
    for (size_t i = 0; i < w->m; i++) {
        v8 s = 0.0;
        for (size_t j = 0; j < w->m; j++) s += w->kernel[i * w->m + j] * v[j];
        out[i] = s;
    }
}

INLINE v8 product(const batch *w, const v8 *a, const v8 *b) {
    v8 s = 0.0;
    for (size_t i = 0; i < w->m; i++) s += a[i] * b[i];
    return s;
}

// Σ w·ℓ at margins + size·step_margins; the derivatives there in the lanes of `taken`.
INLINE v8 loss(const batch *w, v8 size, i8 taken) {
    v8 total = 0.0;
    for (size_t i = 0; i < w->m; i++) {
        v8 first, second, z = w->known[i] + (w->margins[i] + size * w->step_margins[i]);
        total += logistic(z, w->positive[i], w->weight[i], (double *)&first, (double *)&second);
        w->first[i] = taken ? first : w->first[i];
        w->second[i] = taken ? second : w->second[i];
    }
    return total;
}

// B = λI + S·K·S = L·Lᵀ, S = √second. Returns the lanes in which B is positive definite.
INLINE i8 factor(const batch *w, double l2) {
    i8 good = -1;
    for (size_t i = 0; i < w->m; i++) w->root[i] = __builtin_elementwise_sqrt(w->second[i]);
    for (size_t i = 0; i < w->m; i++) {
        v8 *own = w->factor + i * (i + 1) / 2, scale = w->root[i];
        const v8 *kernel = w->kernel + i * w->m;
        for (size_t j = 0; j < i; j++) {
            const v8 *other = w->factor + j * (j + 1) / 2;
            v8 s = scale * w->root[j] * kernel[j];
            for (size_t k = 0; k < j; k++) s -= own[k] * other[k];
            own[j] = s * w->inverse[j];
        }
        v8 s = scale * scale * kernel[i] + l2;
        for (size_t k = 0; k < i; k++) s -= own[k] * own[k];
        good &= s > 0.0;
        w->inverse[i] = 1.0 / __builtin_elementwise_sqrt(s > 0.0 ? s : (v8)1.0);
    }
    return good;
}

// L·Lᵀ·x = b in the place of b.
INLINE void solve(const batch *w, v8 *b) {
    for (size_t i = 0; i < w->m; i++) {
        const v8 *row = w->factor + i * (i + 1) / 2;
        v8 s = b[i];
        for (size_t k = 0; k < i; k++) s -= row[k] * b[k];
        b[i] = s * w->inverse[i];
    }
    for (size_t i = w->m; i-- > 0;) {
        const v8 *row = w->factor + i * (i + 1) / 2;
        v8 x = b[i] * w->inverse[i];
        b[i] = x;
        for (size_t k = 0; k < i; k++) b[k] -= row[k] * x;
    }
}

INLINE int any(i8 x) {
    int64_t bits = 0;
    for (int lane = 0; lane < LANES; lane++) bits |= x[lane];
    return bits != 0;
}

// step = α_new − α with α_new = (b − S·B⁻¹·S·K·b)/λ, b = second∘margins − first; false where rounding forbids it.
INLINE i8 newton_step(const batch *w, double l2) {
    size_t m = w->m;
    double inverse = 1 / l2;
    for (size_t i = 0; i < m; i++) w->b[i] = w->second[i] * w->margins[i] - w->first[i];
    i8 good = factor(w, l2);
    multiply(w, w->b, w->step);
    for (size_t i = 0; i < m; i++) w->step[i] *= w->root[i];
    solve(w, w->step);
    for (size_t i = 0; i < m; i++) w->step[i] = (w->b[i] - w->root[i] * w->step[i]) * inverse - w->alpha[i];
    multiply(w, w->step, w->step_margins);
    return good;
}

CLONES void lk_entities_newton(const lk_entities *x, const uint8_t *labels, const float *weights, const double *offsets,
                               size_t count, const uint32_t *entities, const double *weight_scale, size_t m, size_t n,
                               double l2, double decrement, int most_steps, double *alpha, double *theta, double *scores,
                               double *scratch, uint32_t *local) {
    batch work = {.m = m, .n = n}, *w = &work;
    lay_out(w, scratch);
    gather(w, x, labels, weights, offsets, count, entities, weight_scale, alpha, local);
    multiply(w, w->alpha, w->margins);
    memset(w->step_margins, 0, m * sizeof(v8));
    i8 running = {0, 1, 2, 3, 4, 5, 6, 7};
    running = running < (int64_t)count;
    v8 f = loss(w, 0.0, running) + 0.5 * l2 * product(w, w->alpha, w->margins);
    for (int taken = 0; taken < most_steps && any(running); taken++) {
        running &= newton_step(w, l2);
        v8 slope = 0.0;
        for (size_t i = 0; i < m; i++) slope += w->step_margins[i] * (l2 * w->alpha[i] + w->first[i]);
        running &= slope < 0.0;
        v8 aa = product(w, w->alpha, w->margins), ad = product(w, w->step, w->margins);
        v8 dd = product(w, w->step, w->step_margins), size = 1.0;
        // each lane halves its own step until f falls by 10⁻⁴ of what the slope promises (Armijo)
        i8 searching = running;
        while (any(searching)) {
            v8 value = loss(w, size, searching) + 0.5 * l2 * (aa + 2 * size * ad + size * size * dd);
            i8 falls = value <= f + 1e-4 * size * slope;
            f = searching & falls ? value : f;
            searching &= ~falls;
            // a slope below the rounding of f cannot be seen in f any more
            v8 size_of_f = f < 0.0 ? -f : f;
            i8 lost = searching & (-slope <= 1e-13 * size_of_f | size < 2e-9);
            searching &= ~lost;
            running &= ~lost;
            size = searching ? 0.5 * size : size;
        }
        v8 length = running ? size : (v8)0.0;
        for (size_t i = 0; i < m; i++) {
            w->alpha[i] = running ? w->alpha[i] + length * w->step[i] : w->alpha[i];
            w->margins[i] = running ? w->margins[i] + length * w->step_margins[i] : w->margins[i];
        }
        running &= -slope > decrement;
    }
    for (size_t lane = 0; lane < count; lane++) scatter(w, x, lane, entities[lane], alpha, theta, scores, local);
}
