"""Ours against the peers, in turns, so that whatever else the machine does meets all alike:

    compare.py BENCH FOLDER [--rounds 5] [--steps 5] [--epochs 0] [--only softmax,sampled-bce] [--peers torch,...]

Throughput is the median over rounds of each side's median step, in learners (softmax) or pairs (sampled-bce) a second;
ratios are medians of the rounds' ratios. Per CPU second is the same by the process's CPU time, times the threads: what a
busy machine distorts least. With --epochs, training to a validation NDCG@20 as well.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
parse = argparse.ArgumentParser()
parse.add_argument("bench")
parse.add_argument("folder")
parse.add_argument("--rounds", type=int, default=5)
parse.add_argument("--steps", type=int, default=5)
parse.add_argument("--epochs", type=int, default=0)
parse.add_argument("--rate", default="1e-3")
parse.add_argument("--threads", default="1,2")
parse.add_argument("--only", default="softmax,sampled-bce")
parse.add_argument("--peers", default="torch,tensorflow")
options = parse.parse_args()
BATCH = {"softmax": 2048, "sampled-bce": 4096}
sides = ["ours", *options.peers.split(",")]


def lengths(name):
    return np.diff(np.fromfile(f"{options.folder}/{name}.offsets.bin", "<i8"))


context, labels, rows = lengths("train.context"), lengths("train.labels"), lengths("rows")
pairs_per_example = 5 * labels.mean()


def gigaflops(loss):
    """Multiplications and additions of a step, forward and backward."""
    batch, courses = BATCH[loss], len(rows)
    towers = 3 * (batch + courses) * (256 * 128 + 128 * 64)
    sparse = 2 * 256 * (rows.sum() + batch * context.mean())
    scores = 3 * 64 * batch * (courses if loss == "softmax" else pairs_per_example)
    return 2e-9 * (towers + sparse + scores)


def start(side, arguments):
    command = [options.bench] if side == "ours" else [sys.executable, f"{here}/{side}_peer.py"]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{side} failed: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def throughput(loss, threads):
    wall, cpu = {side: [] for side in sides}, {side: [] for side in sides}
    for _ in range(options.rounds):
        for side in sides:
            found = start(side, ["speed", options.folder, loss, threads, BATCH[loss], options.steps])[0]
            wall[side].append(statistics.median(found["wall"]))
            cpu[side].append(statistics.median(found["cpu"]))
    unit = BATCH[loss] * (1 if loss == "softmax" else pairs_per_example)
    for side in sides:
        second, processor = statistics.median(wall[side]), statistics.median(cpu[side])
        ratio = statistics.median(b / a for a, b in zip(wall["ours"], wall[side]))
        busy = statistics.median(b / a for a, b in zip(cpu["ours"], cpu[side]))
        print(f"| {loss} | {side} | {threads} | {second * 1e3:.0f} | {unit / second:,.0f} | {unit / processor:,.0f} | "
              f"{gigaflops(loss) / processor:.0f} | {ratio:.2f} | {busy:.2f} |", flush=True)


def ndcg(folder, epoch):
    """Of validation learners over all courses, the context removed; the ideal list is cut at min(20, labels)."""
    u, v, bias = (np.fromfile(f"{folder}/{name}-{epoch}.bin", "<f4") for name in ("learners", "courses", "bias"))
    u, v = u.reshape(-1, 64), v.reshape(-1, 64)
    seen, ends = (np.fromfile(f"{options.folder}/valid.context{x}.bin", k) for x, k in (("", "<u4"), (".offsets", "<i8")))
    wanted, stops = (np.fromfile(f"{options.folder}/valid.labels{x}.bin", k) for x, k in (("", "<u4"), (".offsets", "<i8")))
    discount, total = 1 / np.log2(np.arange(2, 22)), 0.0
    for row in range(len(u)):
        score = v @ u[row] + bias
        score[seen[ends[row]:ends[row + 1]]] = -np.inf
        best = np.argpartition(-score, 20)[:20]
        best = best[np.argsort(-score[best], kind="stable")]
        own = wanted[stops[row]:stops[row + 1]]
        total += discount[np.isin(best, own)].sum() / discount[:min(20, len(own))].sum()
    return total / len(u)


def training(threads):
    curves = {}
    for side in sides:
        with tempfile.TemporaryDirectory() as out:
            lines = start(side, ["train", options.folder, "softmax", threads, BATCH["softmax"], options.epochs,
                                 options.rate, out])
            curves[side] = [(line["wall"], line["cpu"], ndcg(out, line["epoch"])) for line in lines]
        for epoch, (wall, cpu, value) in enumerate(curves[side], 1):
            print(f"| {side} | {epoch} | {wall:.0f} | {cpu:.0f} | {value:.4f} |", flush=True)
    target = 0.98 * min(max(value for *_, value in curve) for curve in curves.values())
    print(f"\nTo NDCG@20 of {target:.4f} (98 % of what every side reaches):")
    for side, curve in curves.items():
        wall, cpu, _ = next(point for point in curve if point[2] >= target)
        print(f"  {side}: {wall:.0f} s, {cpu:.0f} CPU seconds", flush=True)


sgemm = start("ours", ["sgemm"])[0]
print(f"OpenBLAS kernel {sgemm['core']}: {sgemm['gflops']:.0f} GFLOP/s on one thread at 1,024³ (OPENBLAS_CORETYPE="
      f"{os.environ.get('OPENBLAS_CORETYPE', 'unset')}); load {os.getloadavg()[0]:.1f}")
for loss in BATCH:
    print(f"{loss}: {gigaflops(loss):.1f} GFLOP a step of {BATCH[loss]:,}, {len(rows):,} courses, "
          f"{pairs_per_example * BATCH[loss]:,.0f} pairs if drawn")
print("\n| loss | side | threads | ms/step | learners or pairs/s | per CPU s | GFLOP/CPU s | ours/side | by CPU |")
print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
for loss in options.only.split(","):
    for threads in options.threads.split(","):
        throughput(loss, int(threads))
if options.epochs:
    print("\n| side | epoch | s | CPU s | NDCG@20 |\n| --- | --- | --- | --- | --- |")
    training(int(options.threads.split(",")[-1]))
