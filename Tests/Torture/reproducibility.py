"""Group 7: the same bytes with other threads, locale, zone, order of files and rows, and again and again."""

import random
import shutil

import logs
from fixture import content, difference

GROUP = "reproducibility"


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


def again(fixture, row, what, **how):
    """The whole run from an empty folder, as if on another machine."""
    fixture.fresh("done")
    shutil.rmtree(fixture.latest)
    outcome = fixture.make("run", **how)
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
