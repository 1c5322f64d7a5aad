#!/usr/bin/env python3
"""make bench-growth: how CPU seconds, memory and bytes of each stage grow with the platform; draws docs/growth.svg.

  growth.py FOLDER [--sizes 20000 200000 5200000] [--whole 200000] [--as-is] [--svg FILE]

One generated platform per size (16,000 courses, two years) is brought through the stages, all of them up to --whole
learners, beyond that import-logs to build-cooccurrence on watches alone. Figures are the stages' own (`stats.json`); a
stage that is up to date is not run again.
"""
import argparse
import json
import math
import os
import shutil
import subprocess

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plot

DATA_PATH = ["logs", "watched", "cowatch"]
MODELS = ["ncf", "glmix", "blended", "topk", "metrics"]


def generate(folder, learners, whole):
    if os.path.isdir(f"{folder}/logs"):
        return
    subprocess.run(["bin/generate-logs", "--quiet", "--out", f"{folder}/logs", "--learners", str(learners), "--courses",
                    "16000", "--days", "730", "--files", "16" if whole else "64", "--no-learner-truth",
                    "--impressions-per-learner", "10" if whole else "0"], check=True)


def stages(folder, threads, last):
    make = ["make", "--no-print-directory", "DATASET=sample", f"DATA={folder}/logs", f"OUT={folder}", "RUN=run",
            f"THREADS={threads}"]
    subprocess.run(make + ["prepared", "AS_OF=2025-06-03"], check=True)
    subprocess.run(make + [f"{folder}/run/{last}/manifest.json"], check=True)


def figures(run, stage):
    """CPU seconds, peak memory in MiB and MiB written; None where the stage did not run."""
    if not os.path.exists(f"{run}/{stage}/stats.json"):
        return None
    with open(f"{run}/{stage}/stats.json") as file:
        stats = json.load(file)
    written = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(f"{run}/{stage}") for name in names)
    return stats["cpu_seconds"], stats["peak_memory_bytes"] / 2**20, written / 2**20


def draw(found, watches, path):
    figure, axes = plot.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
    for axis, title, number in zip(axes, ["CPU seconds", "peak memory, MiB", "written, MiB"], range(3)):
        for stage, points in found.items():
            known = [(watches[size], values[number]) for size, values in points.items()]
            axis.loglog(*zip(*known), marker="o", markersize=3, label=stage)
        axis.set(title=title, xlabel="watches")
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder")
    options.add_argument("--sizes", type=int, nargs="+", default=[20_000, 200_000, 5_200_000])
    options.add_argument("--whole", type=int, default=200_000, help="run all stages up to so many learners")
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--as-is", action="store_true", help="run nothing: figures of what has run before")
    options.add_argument("--svg", default="docs/growth.svg")
    options = options.parse_args()
    found, watches = {}, {}
    for size in options.sizes:
        folder, whole = f"{options.folder}/growth-{size}", size <= options.whole
        if not options.as_is:
            generate(folder, size, whole)
            stages(folder, options.threads, "metrics" if whole else "cowatch")
        with open(f"{folder}/run/logs/manifest.json") as file:
            watches[size] = json.load(file)["counts"]["watches"]
        print(f"{size:,} learners, {watches[size]:,} watches before T, load {os.getloadavg()[0]:.1f}", flush=True)
        for stage in DATA_PATH + MODELS:
            values = figures(f"{folder}/run", stage)
            if values is None:
                continue
            before = found.setdefault(stage, {})
            growth = ""
            if before:
                small = max(before)
                tenfold = math.log10(watches[size] / watches[small])
                growth = "; a tenfold platform: " + ", ".join(
                    f"× {(new / old) ** (1 / tenfold):.1f} {name}"
                    for name, new, old in zip(["CPU seconds", "memory", "bytes"], values, before[small]))
            before[size] = values
            print(f"  {stage}: {values[0]:.1f} CPU s, {values[1]:,.0f} MiB, {values[2]:,.0f} MiB written{growth}", flush=True)
    draw(found, watches, options.svg)
    print(f"{options.svg} written; free disk: {shutil.disk_usage(options.folder).free >> 30} GiB")


main()
