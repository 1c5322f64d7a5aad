"""A peer of `make bench-topk`: peer.py SIDE FOLDER THREADS LEARNERS [LISTS] prints {"wall", "cpu"} of the search alone.

Every side is asked for 2,048 learners at a time, as faiss is fastest; implicit, which has its own batches, for all.
"""
import json
import os
import sys
import time

side, folder, threads, learners = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(threads)
import numpy as np

K, BATCH = 100, 2048
courses = np.fromfile(f"{folder}/courses.bin", "<f4").reshape(-1, 64)
queries = np.fromfile(f"{folder}/learners.bin", "<f4").reshape(-1, 64)[:learners]


def batches():
    return (queries[at:at + BATCH] for at in range(0, len(queries), BATCH))


def faiss():
    import faiss
    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP(64)
    index.add(courses)
    return lambda: [index.search(batch, K)[1] for batch in batches()]


def torch():
    import torch
    torch.set_num_threads(threads)
    right = torch.from_numpy(courses).T.contiguous()
    return lambda: [torch.topk(torch.from_numpy(batch) @ right, K)[1].numpy() for batch in batches()]


def numpy():
    def one(batch):
        scores = batch @ courses.T
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
        return np.take_along_axis(best, order, 1)
    return lambda: [one(batch) for batch in batches()]


def implicit():
    import implicit.als
    import scipy.sparse
    model = implicit.als.AlternatingLeastSquares(factors=64, num_threads=threads)
    model.user_factors, model.item_factors = queries, courses
    watched = np.random.default_rng(1).integers(0, len(courses), (len(queries), 20)).astype("i4")
    rows = scipy.sparse.csr_matrix(
        (np.ones(watched.size, "f4"), watched.ravel(), np.arange(0, watched.size + 1, 20)),
        shape=(len(queries), len(courses)))
    users = np.arange(len(queries))
    return lambda: [model.recommend(users, rows, N=K, filter_already_liked_items=True)[0]]


search = {"faiss": faiss, "torch": torch, "numpy": numpy, "implicit": implicit}[side]()
wall, cpu = time.perf_counter(), time.process_time()
lists = search()
print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))
if len(sys.argv) > 5:
    np.concatenate(lists)[:2048].astype("<u4").tofile(sys.argv[5])
