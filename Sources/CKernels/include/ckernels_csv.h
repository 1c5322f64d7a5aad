// Where the fields and lines of a text end. Contract as in ckernels.h. Plain twin: Tests/LogsTests/CSVTests.swift.
#ifndef LECTERN_CKERNELS_CSV_H
#define LECTERN_CKERNELS_CSV_H
#include <stddef.h>
#include <stdint.h>

/// Offsets, ascending, of the bytes of `text` that are `delimiter` or a line break. n < 2³². Returns how many; `out`
/// holds room for n.
size_t lk_csv_ends(size_t n, const uint8_t *text, uint8_t delimiter, uint32_t *out);
/// How many bytes of `text` are a line break.
size_t lk_csv_lines(size_t n, const uint8_t *text);
#endif
