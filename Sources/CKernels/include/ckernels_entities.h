// Random effects: many small problems, solved several at a time. Contract as in ckernels.h: every lane does the same
// operations in the same order, so the bits depend neither on the machine nor on an entity's neighbours.
#ifndef LECTERN_CKERNELS_ENTITIES_H
#define LECTERN_CKERNELS_ENTITIES_H
#include <stddef.h>
#include <stdint.h>

/// A bag of features: example i has row `row_of[i]` of the table, or row i where `row_of` is NULL; its columns are
/// counted from `base`.
typedef struct {
    const ptrdiff_t *offsets;
    const uint32_t *columns;
    const float *values;
    const uint32_t *row_of;
    uint32_t base;
} lk_bag;

/// Lays out one entity: its examples' features side by side, an intercept of 1 with the number `intercept` at the end of
/// each row. starts: where each of the rows begins in `columns` and `values`, one more than rows. Columns are renumbered to
/// positions in `features`, which receives the distinct numbers, ascending; the intercept is the last. Returns how many.
/// seen: (intercept >> 6) + 1 words and summary: (intercept >> 12) + 1 words, all 0, and left so; local: room for
/// `intercept` numbers.
size_t lk_entity_layout(size_t rows, const uint32_t *examples, size_t bags, const lk_bag *bag, uint32_t intercept,
                        const ptrdiff_t *starts, uint32_t *columns, float *values, uint32_t *features, uint64_t *seen,
                        uint64_t *summary, uint32_t *local);

/// The rows of all entities of a random effect: entity e has rows `row_offsets[e]..<row_offsets[e + 1]`, row i is that of
/// example `examples[i]` and has the non-zeros `starts[i]..<starts[i + 1]`; columns count from the entity's first feature,
/// `feature_offsets[e]`.
typedef struct {
    const ptrdiff_t *row_offsets;
    const uint32_t *examples;
    const ptrdiff_t *feature_offsets;
    const ptrdiff_t *starts;
    const uint32_t *columns;
    const float *values;
    /// By example.
    const uint8_t *labels;
    const float *weights;
    const double *offsets;
} lk_entities;

/// Entities that one call solves.
#define LK_ENTITY_LANES 8
/// Doubles of scratch for entities of at most m rows and n features.
size_t lk_entity_scratch(size_t m, size_t n);

/// Minimises f(θ) = Σ_i w_i·ℓ(o_i + x_i·θ, y_i) + (λ/2)·‖θ‖² for 1 to 8 entities, one per lane, in the dual form θ = Xᵀ·α:
/// Newton's method with step halving (Rasmussen, Williams: Gaussian Processes for Machine Learning, 2006, algorithm 3.1, K
/// = X·Xᵀ). m and n: most rows and features among them; the rows that others lack have weight 0 and change nothing.
///
/// weight_scale: factor of all weights of each entity. alpha (by row) is where it starts and ends; theta (by feature) and
/// scores = X·θ (by example) are written. The last step is the first whose decrement gᵀH⁻¹g was at most `decrement`.
void lk_entities_newton(const lk_entities *x, size_t count, const uint32_t *entities, const double *weight_scale,
                        size_t m, size_t n, double l2, double decrement, int most_steps, double *alpha, double *theta,
                        double *scores, double *scratch);

/// Asks the system to back a large block of memory that is about to be filled with large pages.
void lk_expect_filling(void *memory, size_t bytes);
#endif
