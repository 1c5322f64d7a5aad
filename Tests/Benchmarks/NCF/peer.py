"""What the peers share: the arrays, batches of them, timing, and the command line.

    torch_peer.py | tensorflow_peer.py  speed FOLDER LOSS THREADS BATCH STEPS
                                        train FOLDER LOSS THREADS BATCH EPOCHS RATE OUT
"""
import json
import sys
import time

import numpy as np

WIDTH, HIDDEN, EMBEDDING, NEGATIVES, RHO = 256, 128, 64, 4, 0.5
mode, folder, loss, threads, batch, count = sys.argv[1], sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7])
KINDS = {"offsets": "<i8", "values": "<f4"}


def read(name):
    return np.fromfile(f"{folder}/{name}.bin", KINDS.get(name.rsplit(".")[-1], "<u4")).astype(
        KINDS.get(name.rsplit(".")[-1], "<i8"))


class Lists:
    """Ragged rows; `take` gives those of some rows, one after the other, and the row of each entry."""

    def __init__(self, name):
        self.offsets, self.values = read(f"{name}.offsets"), read(name)
        self.lengths = np.diff(self.offsets)

    def take(self, rows):
        lengths = self.lengths[rows]
        ends = np.cumsum(lengths)
        at = np.arange(ends[-1]) + np.repeat(self.offsets[rows] - (ends - lengths), lengths)
        return self.values[at], np.repeat(np.arange(len(rows)), lengths), ends - lengths


context, labels = Lists("train.context"), Lists("train.labels")
row_offsets, row_columns, row_values = read("rows.offsets"), read("rows.columns"), read("rows.values")
courses = len(row_offsets) - 1
norm = np.sqrt(np.add.reduceat(row_values.astype("f8") ** 2, row_offsets[:-1]))
row_values = (row_values / np.repeat(norm, np.diff(row_offsets))).astype("f4")


class Batch:
    """context: courses, row of each, start of each row, weights 1/√n; labels: courses, row of each, weights n^−ρ."""

    def __init__(self, rows):
        self.size = len(rows)
        self.context, self.context_row, self.context_start = context.take(rows)
        self.context_weight = (1 / np.sqrt(context.lengths[rows]))[self.context_row].astype("f4")
        self.label, self.label_row, _ = labels.take(rows)
        self.label_weight = (labels.lengths[rows] ** -RHO)[self.label_row].astype("f4")

    def negatives(self, random):
        """Uniform draws, four per label, that are neither in the learner's context nor among its labels."""
        row = np.repeat(self.label_row, NEGATIVES)
        taken = np.unique(np.concatenate(
            [self.context_row * courses + self.context, self.label_row * courses + self.label]))
        course = random.integers(0, courses, len(row))
        while True:
            key = row * courses + course
            at = np.minimum(np.searchsorted(taken, key), len(taken) - 1)
            again = taken[at] == key
            if not again.any():
                return course, row
            course[again] = random.integers(0, courses, again.sum())


def batches(epoch):
    order = np.random.default_rng(epoch).permutation(len(context.lengths))
    for start in range(0, len(order) - batch + 1, batch):
        yield Batch(order[start:start + batch])


def run(step, embeddings):
    """step(batch) trains once and returns the loss; embeddings(Batch-like of validation) gives u, v, bias."""
    if mode == "speed":
        wall, cpu, index = [], [], 0
        while len(wall) < count:
            for one in batches(1):
                start, cpu_start = time.perf_counter(), time.process_time()
                step(one)
                index += 1
                if index > 2:
                    wall.append(time.perf_counter() - start)
                    cpu.append(time.process_time() - cpu_start)
                if len(wall) == count:
                    break
        print(json.dumps({"wall": wall, "cpu": cpu}))
        return
    wall = cpu = 0.0
    valid = Lists("valid.context")
    everyone = valid.take(np.arange(len(valid.lengths)))
    for epoch in range(1, count + 1):
        start, cpu_start = time.perf_counter(), time.process_time()
        losses = [step(one) for one in batches(epoch)]
        wall += time.perf_counter() - start
        cpu += time.process_time() - cpu_start
        weight = (1 / np.sqrt(valid.lengths))[everyone[1]].astype("f4")
        for name, values in zip(["learners", "courses", "bias"], embeddings(everyone[0], everyone[2], weight)):
            np.ascontiguousarray(values, "<f4").tofile(f"{sys.argv[8]}/{name}-{epoch}.bin")
        print(json.dumps({"epoch": epoch, "wall": wall, "cpu": cpu, "loss": float(np.mean(losses))}), flush=True)
