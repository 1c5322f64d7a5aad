#ifndef LECTERN_CMPI_H
#define LECTERN_CMPI_H

#include <stdint.h>

// The few calls of MPI that Lectern needs. MPI's handles are macros, which Swift does not see. Errors of MPI itself end
// all ranks (MPI_ERRORS_ARE_FATAL). All calls are made by one thread. Waiting sleeps: a rank that waits for another's
// hour of training burns no core. Without the trait MPI this header declares what nothing defines or calls.

/// Starts MPI; tells this process's number and how many there are.
void lmpi_start(int *rank, int *count);

/// Ends MPI; every rank must call it.
void lmpi_stop(void);

/// Name of this rank's machine, at most `size` bytes with the final 0.
void lmpi_host(char *out, int size);

/// all[r] = rank r's `own`.
void lmpi_gather_number(int64_t own, int64_t *all);

/// Of block b, rank r's bytes stand at bases[b] + starts[b·ranks + r], counts[b·ranks + r] of them; afterwards every rank
/// has all of them.
void lmpi_share(int blocks, char *const *bases, const int64_t *starts, const int64_t *counts);

#endif
