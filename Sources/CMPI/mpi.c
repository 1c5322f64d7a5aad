// Compiled to nothing unless the package is built with the trait MPI.
#ifdef LECTERN_MPI

#include "cmpi.h"

#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int own, ranks;

void lmpi_start(int *rank, int *count) {
    int level;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, rank);
    MPI_Comm_size(MPI_COMM_WORLD, count);
    own = *rank;
    ranks = *count;
}

void lmpi_stop(void) { MPI_Finalize(); }

void lmpi_host(char *out, int size) {
    char name[MPI_MAX_PROCESSOR_NAME];
    int length;
    MPI_Get_processor_name(name, &length);
    strncpy(out, name, (size_t)size - 1);
    out[size - 1] = 0;
}

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Open MPI makes progress only inside its calls: so each sleep is a sixteenth of the time waited so far, at most 10 ms.
static void wait_asleep(int count, MPI_Request *requests) {
    int64_t start = nanoseconds();
    for (;;) {
        int done;
        MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE);
        if (done) return;
        int64_t pause = (nanoseconds() - start) / 16;
        if (pause < 20000) {
            sched_yield();
            continue;
        }
        if (pause > 10000000) pause = 10000000;
        struct timespec sleep = {0, pause};
        nanosleep(&sleep, NULL);
    }
}

void lmpi_gather_number(int64_t number, int64_t *all) {
    MPI_Request request;
    MPI_Iallgather(&number, 1, MPI_INT64_T, all, 1, MPI_INT64_T, MPI_COMM_WORLD, &request);
    wait_asleep(1, &request);
}

// MPI counts by int: what does not fit goes in pieces.
static const int64_t piece = 1 << 30;

static int pieces(int64_t bytes) { return (int)((bytes + piece - 1) / piece); }

// Straight from and to where the bytes belong: packing them for one call of MPI took longer than sending them.
void lmpi_share(int blocks, char *const *bases, const int64_t *starts, const int64_t *counts) {
    size_t most = 1;
    for (int b = 0; b < blocks; b++) {
        for (int rank = 0; rank < ranks; rank++) {
            most += (size_t)pieces(counts[b * ranks + rank]) + (size_t)pieces(counts[b * ranks + own]);
        }
    }
    MPI_Request *requests = malloc(most * sizeof(MPI_Request));
    if (requests == NULL) abort();
    int count = 0;
    for (int step = 1; step < ranks; step++) {
        int from = (own + ranks - step) % ranks, to = (own + step) % ranks;
        for (int b = 0; b < blocks; b++) {
            const int64_t *start = starts + b * ranks, *bytes = counts + b * ranks;
            for (int64_t at = 0; at < bytes[from]; at += piece) {
                int size = (int)(bytes[from] - at < piece ? bytes[from] - at : piece);
                MPI_Irecv(
                    bases[b] + start[from] + at, size, MPI_BYTE, from, 0, MPI_COMM_WORLD, &requests[count++]);
            }
            for (int64_t at = 0; at < bytes[own]; at += piece) {
                int size = (int)(bytes[own] - at < piece ? bytes[own] - at : piece);
                MPI_Isend(bases[b] + start[own] + at, size, MPI_BYTE, to, 0, MPI_COMM_WORLD, &requests[count++]);
            }
        }
    }
    wait_asleep(count, requests);
    free(requests);
}

#endif
