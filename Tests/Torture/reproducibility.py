"""Group 7: the same bytes with other threads, locale, zone, order of files and rows, and again and again."""

import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import logs
from fixture import ROOT, STAGES, content, difference, run

GROUP = "reproducibility"
PROGRAMS = ["prepare-run", *STAGES, "render-report", "publish-run"]


def torture(fixture, table, size):
    row = table.row(GROUP, "threads 1, 2, 3, 8")
    for threads in size((3,), (1, 2, 3, 8), (1, 2, 3, 8)):
        again(fixture, row, f"{threads}", threads=threads)
    row.end()
    row = table.row(GROUP, "locale and environment")
    for environment in [{"LC_ALL": "C"}, {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}, {"LC_ALL": "C.utf8"},
                        {"HOME": "/nonexistent", "USER": ""}, {"TMPDIR": "/nonexistent"}][:: size(9, 1, 1)]:
        again(fixture, row, str(environment), env=environment)
    row.end()
    row = table.row(GROUP, "the same again")
    for number in range(size(0, 3, 20)):
        again(fixture, row, f"{number}", threads=2)
    row.end()
    row = table.row(GROUP, "rows permuted within and among files, files renamed")
    for seed in range(size(1, 4, 20)):
        data = fixture.folder / "permuted"
        shutil.rmtree(data, ignore_errors=True)
        permute(fixture.logs, data, random.Random(seed))
        again(fixture, row, f"seed {seed}", data=data, threads=2)
    row.end()
    if size.name == "long":
        built_elsewhere(fixture, table)


def built_elsewhere(fixture, table):
    """The same sources, built in a folder of another name: minutes of compiling."""
    row = table.row(GROUP, "built in another folder")
    place = Path(tempfile.mkdtemp(prefix="lectern-elsewhere-", dir="/var/tmp"))
    try:
        for name in ("Sources", "Tests", "Package.swift", "Package.resolved"):
            if (ROOT / name).exists():
                subprocess.run(["cp", "-a", ROOT / name, place], check=True)
        for program in PROGRAMS:
            built = run(["swift", "build", "-c", "release", "--package-path", place, "--product", program], timeout=None)
            if built.code:
                return row.count(program, (built.out + built.err)[-500:])
        again(fixture, row, str(place), targets=[f"BIN={place}/.build/release"])
    finally:
        shutil.rmtree(place)
    row.end()


def again(fixture, row, what, targets=(), **how):
    """The whole run from an empty folder, as if on another machine."""
    fixture.fresh("done")
    shutil.rmtree(fixture.latest)
    outcome = fixture.make("run", *targets, **how)
    expected = {p: d for p, d in fixture.expected.items() if p.startswith("latest/") and "gates" not in p}
    found = {p: d for p, d in content(fixture.work).items() if p.startswith("latest/") and "gates" not in p}
    row.count(what, outcome.err[-300:] if outcome.code else difference(found, expected))


def permute(source, target, draw):
    target.mkdir()
    for pattern, suffix in (("watches", ".csv.gz"), ("engagements", ".csv.gz")):
        rows = []
        for path in source.glob(pattern + "-*"):
            header, more = logs.read(path)
            rows += more
        draw.shuffle(rows)
        parts = draw.randint(2, 5)
        for part in range(parts):
            logs.write(target / f"{pattern}-{draw.randrange(1000):03}{part}{suffix}", header, rows[part::parts])
    for name in ("learners.csv.gz", "courses.csv", "suppressions.csv"):
        header, rows = logs.read(source / name)
        draw.shuffle(rows)
        logs.write(target / name, header, rows)
