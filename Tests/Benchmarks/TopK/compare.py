"""Ours against the peers, in turns, so that whatever else the machine does meets all alike:

    compare.py BENCH FOLDER [--learners 40960] [--rounds 5] [--threads 1,2] [--run RUN] [--memory 1000000]

16,000 courses, 64 dimensions, standard normal, the 100 best. Medians over rounds, in learners a second; ratios are
medians of the rounds' ratios. Per CPU second: by the processes' CPU time, times the threads, what a busy machine distorts
least. First of all, ours and faiss must find the same lists.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
parse = argparse.ArgumentParser()
parse.add_argument("bench")
parse.add_argument("folder")
parse.add_argument("--learners", type=int, default=40960)
parse.add_argument("--rounds", type=int, default=5)
parse.add_argument("--threads", default="1,2")
parse.add_argument("--sides", default="faiss,torch,numpy,implicit")
parse.add_argument("--run")
parse.add_argument("--memory", type=int, default=1000000)
options = parse.parse_args()
N = options.learners
os.makedirs(options.folder, exist_ok=True)
random = np.random.default_rng(1)
random.standard_normal((16_000, 64), "f4").tofile(f"{options.folder}/courses.bin")
random.standard_normal((N, 64), "f4").tofile(f"{options.folder}/learners.bin")


def start(command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def run(side, threads, lists=None):
    rest = [options.folder, threads, N] + ([lists] if lists else [])
    if side == "ours":
        return start([options.bench, "product", *rest])
    if side == "ours, watched removed":
        return start([options.bench, "watched", *rest])
    if side == "sgemm alone":
        return start([options.bench, "sgemm", threads, N])
    return start([sys.executable, f"{here}/peer.py", side, *rest])


def agree():
    found = {}
    for side in ("ours", "faiss"):
        path = f"{options.folder}/{side}.lists"
        run(side, 1, path)
        found[side] = np.fromfile(path, "<u4").reshape(-1, 100)
    same = (found["ours"] == found["faiss"]).all(axis=1).mean()
    # Sums in another order round differently: a near tie may stand the other way round.
    as_sets = np.mean([len(np.intersect1d(a, b)) for a, b in zip(found["ours"], found["faiss"])]) / 100
    print(f"lists equal to faiss's: {same:.4f} in every place, {as_sets:.6f} of the entries")
    if as_sets < 0.9999:
        sys.exit("ours and faiss find different lists")


def table(threads):
    sides = ["ours", "ours, watched removed", "sgemm alone", *options.sides.split(",")]
    seconds = {side: {"wall": [], "cpu": []} for side in sides}
    for _ in range(options.rounds):
        for side in sides:
            for key, value in run(side, threads).items():
                if key in seconds[side]:
                    seconds[side][key].append(value)
    for side in sides:
        wall, cpu = (statistics.median(seconds[side][key]) for key in ("wall", "cpu"))
        ratios = [statistics.median(b / a for a, b in zip(seconds["ours"][key], seconds[side][key])) for key in ("wall", "cpu")]
        print(f"| {side} | {threads} | {N / wall:,.0f} | {threads * N / cpu:,.0f} | {ratios[0]:.2f} | {ratios[1]:.2f} |", flush=True)


print(f"load {os.getloadavg()[0]:.1f}, OPENBLAS_CORETYPE={os.environ.get('OPENBLAS_CORETYPE', 'unset')}, "
      f"OpenBLAS kernel {run('sgemm alone', 1)['core']}")
agree()
print(f"\n| {N:,} learners | threads | learners/s | per CPU s × threads | side's time/ours | by CPU |\n| --- | --- | --- | --- | --- | --- |")
for threads in options.threads.split(","):
    table(int(threads))
if options.run:
    for threads in options.threads.split(","):
        rounds = [start([options.bench, "models", options.run, threads, 4096]) for _ in range(options.rounds)]
        cpu = [statistics.median(r["cpu"][i] for r in rounds) / rounds[0]["learners"] * 1e6 for i in range(4)]
        ratio = statistics.median(r["cpu"][2] / r["cpu"][0] for r in rounds)
        print(f"models of a run ({rounds[0]['courses']:,} courses, embedding {rounds[0]['embedding']}), {threads} threads: "
              f"NCF {cpu[0]:.0f}, GLMix {cpu[1]:.0f}, both {cpu[2]:.0f}, as blend (500 and 50 of each) {cpu[3]:.0f} CPU µs "
              f"a learner; both/NCF {ratio:.2f}", flush=True)
if options.memory:
    found = start([options.bench, "memory", options.folder, options.threads.split(",")[-1], options.memory])
    print(f"{options.memory:,} learners in shards of 16,384: peak MiB after each tenth {found['peaks']}, {found['wall']:.0f} s")
