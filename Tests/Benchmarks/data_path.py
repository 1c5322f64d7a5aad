"""Measures import-logs against pyarrow's mere parse, and co-watch similarity against sparse_dot_topn.

Both sides read the same files and run on the same cores, one after the other in every round; medians are shown, wall
clock and CPU (user + system). CPU is what a busy machine disturbs least.
"""
import glob
import gzip
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy
import pyarrow
import pyarrow.csv
import safetensors.numpy
import scipy.sparse
import sparse_dot_topn

ROUNDS = int(os.environ.get("ROUNDS", "5"))
THREADS = int(os.environ.get("THREADS", os.cpu_count() or 1))
WATCHES_ONLY = """about: the watches of a generated platform
watches:
  files: watches-*.csv.gz
  columns: {learner_id: learner_id, course_id: course_id, started_at: started_at, watched_seconds: watched_seconds, channel: channel}
courses:
  files: courses.csv
  columns: {course_id: course_id, title: title, published_at: published_at, retired_at: retired_at, duration_seconds: duration_seconds}
pipeline:
  run: {as_of: 2025-06-03}
"""
folder = sys.argv[1]
work = os.path.join(folder, "bench-data")


def cpu(who):
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def here(body):
    """Seconds and CPU seconds of a call in this process."""
    start, used = time.perf_counter(), cpu(resource.RUSAGE_SELF)
    result = body()
    return result, time.perf_counter() - start, cpu(resource.RUSAGE_SELF) - used


def run(*command):
    """Seconds and CPU seconds of a child process."""
    start, used = time.perf_counter(), cpu(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, cpu(resource.RUSAGE_CHILDREN) - used


def parse_all(files):
    types = {
        "learner_id": pyarrow.string(), "course_id": pyarrow.string(), "channel": pyarrow.string(),
        "started_at": pyarrow.timestamp("s", "UTC"), "watched_seconds": pyarrow.float64(),
    }
    options = pyarrow.csv.ConvertOptions(column_types=types)
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(lambda f: pyarrow.csv.read_csv(f, convert_options=options).num_rows, files))


def steps(run_folder, stage):
    with open(f"{run_folder}/{stage}/stats.json") as file:
        stats = json.load(file)
    return {step["name"]: step["seconds"] for step in stats["steps"]}, stats["peak_memory_bytes"] / 2**20


def prepare(run_folder, dataset, *settings):
    shutil.rmtree(run_folder, ignore_errors=True)
    arguments = ["bin/prepare-run", "--run", run_folder, "--dataset", dataset, "--data", f"{folder}/logs"]
    for setting in settings:
        arguments += ["--set", setting]
    subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL)


def window_matrix(run_folder, until):
    """X (learners × courses, 0/1) of the moments in the history before `until`, from watched/."""
    with open(f"{run_folder}/watched/manifest.json") as file:
        facts = json.load(file)["facts"]
    with gzip.open(f"{run_folder}/logs/courses.safetensors.gz") as file:
        courses = len(safetensors.numpy.load(file.read())["id.offsets"]) - 1
    rows, columns, learners = [], [], 0
    for path in sorted(glob.glob(f"{run_folder}/watched/watched-*.safetensors.gz")):
        table = safetensors.numpy.load(gzip.open(path).read())
        offsets = table["course.offsets"]
        row = numpy.repeat(numpy.arange(len(offsets) - 1), numpy.diff(offsets)) + learners
        inside = (table["time"] >= until - facts["history_seconds"]) & (table["time"] < until)
        rows.append(row[inside])
        columns.append(table["course"][inside])
        learners += len(offsets) - 1
    row, column = numpy.concatenate(rows), numpy.concatenate(columns)
    return scipy.sparse.csr_matrix(
        (numpy.ones(len(row), numpy.float32), (row, column)), shape=(learners, courses))


def show(label, values):
    print(f"  {label:<44} {statistics.median(v[0] for v in values):7.2f} s   CPU {statistics.median(v[1] for v in values):7.2f} s")


def bench_import(files):
    os.makedirs(work, exist_ok=True)
    dataset = f"{work}/dataset.yaml"
    with open(dataset, "w") as file:
        file.write(WATCHES_ONLY)
    cache = f"{work}/cache"
    prepare(f"{work}/run", dataset)
    command = ["bin/import-logs", "--run", f"{work}/run", "--threads", str(THREADS)]
    arrow, plain, filling, cached = [], [], [], []
    for _ in range(ROUNDS):
        rows, wall, used = here(lambda: parse_all(files))
        arrow.append((wall, used))
        plain.append(run(*command, "--cache-mib", "0"))
        shutil.rmtree(cache, ignore_errors=True)
        filling.append(run(*command, "--cache", cache))
        cached.append(run(*command, "--cache", cache))
    _, memory = steps(f"{work}/run", "logs")
    print(f"import of {rows} gzipped rows of watches, {len(files)} files, {THREADS} threads, {ROUNDS} rounds")
    show("pyarrow, parse only", arrow)
    show("import-logs without cache", plain)
    show("import-logs, filling its cache", filling)
    show("import-logs from its cache", cached)
    for name, at in ("wall", 0), ("CPU", 1):
        ratio = statistics.median(o[at] / p[at] for o, p in zip(plain, arrow))
        print(f"  import-logs without cache / pyarrow, {name}: {ratio:.2f} (bar: at most 2)")
    print(f"  peak memory of import-logs: {memory:.0f} MiB")


def bench_cowatch():
    run_folder = f"{work}/run"
    filtering = [run("bin/filter-watches", "--run", run_folder, "--threads", str(THREADS)) for _ in range(ROUNDS)]
    print("filter-watches")
    show("filter-watches", filtering)
    with open(f"{run_folder}/watched/manifest.json") as file:
        until = json.load(file)["as_of"]
    matrix = window_matrix(run_folder, until)
    norms = numpy.sqrt(numpy.asarray(matrix.sum(axis=0)).ravel())
    scaled = (matrix @ scipy.sparse.diags(1 / numpy.maximum(norms, 1))).astype(numpy.float32).tocsr()
    turned = scaled.T.tocsr()
    ours, theirs, whole = [], [], []
    for _ in range(ROUNDS):
        result, wall, _ = here(
            lambda: sparse_dot_topn.sp_matmul_topn(turned, scaled, top_n=101, n_threads=THREADS, sort=False))
        theirs.append(wall)
        whole.append(run("bin/build-cooccurrence", "--run", run_folder, "--threads", str(THREADS)))
        timed, memory = steps(run_folder, "cowatch")
        ours.append(timed[f"similarity {until}"])
    print(f"co-watch cosine, top 100 of {matrix.shape[1]} courses from {matrix.nnz} moments, {THREADS} threads")
    print(f"  {'sparse_dot_topn, the product alone':<44} {statistics.median(theirs):7.2f} s   ({result.nnz} entries)")
    print(f"  {'build-cooccurrence, similarity of one time':<44} {statistics.median(ours):7.2f} s")
    ratio = statistics.median(t / o for t, o in zip(theirs, ours))
    print(f"  sparse_dot_topn / ours: {ratio:.2f} (bar: at least 2)")
    show("build-cooccurrence, all times, written", whole)
    print(f"  peak memory of build-cooccurrence: {memory:.0f} MiB")


print(f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
bench_import(sorted(glob.glob(f"{folder}/logs/watches-*.csv.gz")))
bench_cowatch()
