#!/usr/bin/env python3
"""make bench-ranks: one rank against two, one thread each, on train-ncf and blend: ratios round by round in one run count.

A platform is generated and brought up to the stage once; then the stage runs by turns with 1 and 2 ranks. Seconds are the
stage's own steps (reading and committing left out where a step is named), CPU seconds of all ranks, bytes sent. On a shared
machine the ratio of CPU seconds, one rank against the busiest of two, says what a quiet one could give at most.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STEPS = {"train-ncf": ("ncf", ["fit", "refit"]), "blend": ("blended", ["rank all learners"])}


def shell(command):
    subprocess.run(command, shell=True, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def once(run, stage, ranks):
    launch = f"mpirun --bind-to none -n {ranks} " if ranks > 1 else ""
    before = os.times()
    shell(f"{launch}bin-mpi/{stage} --run {run} --threads 1 --quiet")
    after = os.times()
    folder, names = STEPS[stage]
    stats = json.load(open(f"{run}/{folder}/stats.json"))
    seconds = {step["name"]: step["seconds"] for step in stats["steps"]}
    parts = stats.get("ranks") or []
    return {
        "stage": stats["seconds"], "steps": sum(seconds.get(name, 0) for name in names),
        "cpu": after.children_user + after.children_system - before.children_user - before.children_system,
        "busiest": max((part["cpu_seconds"] for part in parts), default=0), "sent": [part["bytes_sent"] for part in parts],
        "meetings": [part["meetings"] for part in parts], "waiting": [part["seconds_waiting"] for part in parts],
    }


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--learners", type=int, default=8000)
    options.add_argument("--courses", type=int, default=2000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--set", default="ncf.epochs=2 ncf.refit=false filter.snapshots=3")
    options.add_argument("--out", default="out/bench-ranks")
    options.add_argument("--stages", nargs="*", default=list(STEPS))
    given = options.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    out = os.path.join(ROOT, given.out)
    if not os.path.isdir(f"{out}/logs"):
        shell(f"bin-mpi/generate-logs --out {out}/logs --learners {given.learners} --courses {given.courses} --days 730")
    shell(f"make stages TRAITS=MPI DATASET=sample DATA={out}/logs OUT={out} SET='{given.set}' THREADS=2")
    for stage in given.stages:
        rounds = [(once(f"{out}/latest", stage, 1), once(f"{out}/latest", stage, 2)) for _ in range(given.rounds)]
        print(f"{stage}: {given.learners} learners, {given.courses} courses, 1 thread a rank, load {os.getloadavg()[0]:.1f}")
        for key in ["steps", "stage"]:
            ratios = [one[key] / two[key] for one, two in rounds]
            print(f"  {key}: 1 rank {statistics.median(one[key] for one, _ in rounds):.2f} s, 2 ranks "
                  f"{statistics.median(two[key] for _, two in rounds):.2f} s; ratios "
                  + ", ".join(f"{ratio:.2f}" for ratio in ratios) + f"; median {statistics.median(ratios):.2f}")
        ratios = [one["cpu"] / two["busiest"] for one, two in rounds]
        print(f"  by CPU seconds, one rank against the busiest of two: {statistics.median(ratios):.2f}")
        one, two = rounds[-1]
        print(f"  CPU {one['cpu']:.1f} s, with 2 ranks {two['cpu']:.1f} s; sent {two['sent']} bytes in {two['meetings']} meetings, waited "
              + ", ".join(f"{seconds:.2f}" for seconds in two["waiting"]) + " s")


main()
