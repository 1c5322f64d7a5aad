"""Group 6: nothing that happens at or after T has an influence. The future of generated and of real logs is changed,
removed, added to and spoilt; a course that only the future favours is planted; clocks and zones are moved."""

import json
import os
import shutil
from pathlib import Path

import logs
from fixture import QUICK, ROOT, content, difference, run

GROUP = "leakage"
REAL = ROOT / "../shared/data"


class Source:
    """A file of events: which columns hold the learner, the course and the time."""

    def __init__(self, pattern, learner, course, time, late, value=None, delimiter=","):
        self.pattern, self.learner, self.course, self.time = pattern, learner, course, time
        self.late, self.value, self.delimiter = late, value, delimiter


class Dataset:
    def __init__(self, name, folder, as_of, sources, catalogue, course_row, delimiter=",", more=""):
        self.name, self.folder, self.as_of, self.sources = name, Path(folder), as_of, sources
        self.catalogue, self.course_row, self.delimiter, self.more = catalogue, course_row, delimiter, more


def datasets(fixture):
    from_t = lambda t: lambda text: text >= t
    epoch = lambda t: lambda text: float(text) >= t
    found = [Dataset(
        "sample", fixture.logs, "2025-06-03",
        [Source("watches-*", 0, 1, 2, from_t("2025-06-03"), 3), Source("engagements-*", 0, 1, 2, from_t("2025-06-03"))],
        "courses.csv", ["zz-of-the-future", "Tomorrow", "xx", "2025-06-20"])]
    if (REAL / "mars").is_dir():
        late = from_t("2020-11-18 11:32:59")
        found.append(Dataset(
            "mars", REAL / "mars", "2020-11-18 11:32:59",
            [Source("implicit_ratings_en.csv", 1, 0, 2, late), Source("explicit_ratings_en.csv", 0, 1, 3, late, 2)],
            "items_en.csv", ["zz-of-the-future", "en", "Tomorrow", "0", "", "2021"]))
    if (REAL / "ml-100k").is_dir():
        found.append(Dataset(
            "movielens-100k", REAL / "ml-100k", "1998-03-27 22:07:03",
            [Source("ml-100k.inter", 0, 1, 3, epoch(891036423), 2, "\t")], None, None, "\t"))
    return found


def torture(fixture, table, size):
    the_future(fixture, table, size)
    canary(fixture, table)
    clocks(fixture, table, size(5, 1, 1))
    if size.name != "short":
        far_times(fixture, table)
        skewed_files(fixture, table)


def stages(fixture, dataset, data, name, as_of=None):
    # Features of the generated platform: others have others, and the default declaration finds them.
    quick = " ".join(w for w in QUICK.split() if dataset.name == "sample" or not w.startswith("glmix.features"))
    return run([
        "make", "--no-print-directory", "stages", f"DATASET={dataset.name}", f"DATA={data}", f"OUT={fixture.work}",
        f"RUN={name}", f"AS_OF={as_of or dataset.as_of}", f"SET={quick}", "THREADS=2"], timeout=900)


def past(folder):
    """Shards that must not know the future."""
    return {p: d for p, d in content(folder).items()
            if p.endswith(".safetensors.gz") and not p.startswith(("logs/after/", "metrics/"))}


def the_future(fixture, table, size):
    """Each kind of change alone, and all at once; real data all at once unless long."""
    for dataset in datasets(fixture)[: size(0, 3, 3)]:  # make test has the generated one
        row = table.row(GROUP, f"{dataset.name}: events at or after T changed, removed, added, malformed")
        fixture.fresh("prepare-run")
        first = stages(fixture, dataset, dataset.folder, "first")
        if first.code:
            row.count("first run", first.err[-300:])
            continue
        kinds = ["changed", "removed", "added", "malformed"]
        for kind in [*kinds, "all"] if size.name == "long" or dataset.name == "sample" else ["all"]:
            data = fixture.folder / "altered"
            shutil.rmtree(data, ignore_errors=True)
            shutil.copytree(dataset.folder, data)
            touched = alter(dataset, data, kinds if kind == "all" else [kind])
            second = stages(fixture, dataset, data, "second")
            wrong = second.code and second.err[-300:] or touched < 20 and f"only {touched} late rows"
            before, after = past(fixture.work / "first"), past(fixture.work / "second")
            if not wrong and len(before) < 50:
                wrong = f"only {len(before)} shards to compare"
            row.count(kind, wrong or difference(after, before))
        row.end()


def alter(dataset, data, kinds):
    """Rewrites the future of all event files and adds a course that exists only then. Returns how many rows it hit."""
    touched = 0
    for source in dataset.sources:
        for path in sorted(data.glob(source.pattern)):
            header, rows = logs.read(path, source.delimiter)
            out = []
            for row in rows:
                if not source.late(row[source.time]):
                    out.append(row)
                    continue
                touched += 1
                out += changed(row, source, kinds[touched % len(kinds)], touched)
            logs.write(path, header, out, source.delimiter)
    if dataset.catalogue and "added" in kinds:
        header, rows = logs.read(data / dataset.catalogue)
        rows.append(dataset.course_row + [""] * (len(header) - len(dataset.course_row)))
        logs.write(data / dataset.catalogue, header, rows)
    return touched


def changed(row, source, kind, number):
    """What becomes of one late row."""
    other = list(row)
    if kind == "removed":
        return []
    if kind == "changed":
        if source.value is not None:
            other[source.value] = "1"
        return [other, list(other)]
    if kind == "added":
        other[source.learner] = f"only-of-the-future-{number % 50}"
        return [row, other]
    # Malformed, but not so many that the import gives up.
    if number % 2000 == 3:
        other[source.learner] = ""
        return [row, other]
    return [row]


def canary(fixture, table):
    """A course that nobody watches before T and every second learner after it. At T it must have no influence at all; at
    a later T it must be on most lists of the others, or the test could not fail."""
    row = table.row(GROUP, "canary: a course that only the future favours")
    dataset = datasets(fixture)[0]
    fixture.fresh("prepare-run")
    data = fixture.folder / "altered"
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(fixture.logs, data)
    header, rows = logs.read(data / "courses.csv")
    rows.append(["zz-canary", "Canary", "en", "2025-01-01", "", "600"] + [""] * (len(header) - 6))
    logs.write(data / "courses.csv", header, rows)
    without = stages(fixture, dataset, data, "without")
    learners = [r[0] for r in logs.read(data / "learners.csv.gz")[1]]
    others = set(learners[1::2])
    header, _ = logs.read(next(data.glob("watches-*")))
    logs.write(data / "watches-777.csv.gz", header, [
        [id, "zz-canary", f"2025-06-{4 + i % 20:02}T10:00:00Z", "600", "web"] for i, id in enumerate(learners[::2])])
    planted = stages(fixture, dataset, data, "planted")
    wrong = (without.err + planted.err)[-300:] if without.code or planted.code else ""
    row.count("at T", wrong or difference(past(fixture.work / "planted"), past(fixture.work / "without")))
    later = stages(fixture, dataset, data, "later", as_of="2025-06-28")
    shares = [share_with(fixture.work / name, "zz-canary", others) for name in ("planted", "later") if not later.code]
    row.count("control: at a later T it is high on the lists of those who have not seen it",
              later.err[-300:] if later.code else shares[1] < shares[0] + 0.3 and f"on {shares} of their lists")
    changed = later.code or difference(past(fixture.work / "later"), past(fixture.work / "planted"))
    row.count("control: the comparison sees what it favours", "" if changed else "nothing changed")
    row.end()


def share_with(folder, course, learners):
    """Share of these learners' lists that have a course among the first five."""
    with_it = have = 0
    for path in folder.glob("topk/topk-*.jsonl.gz"):
        for entry in map(json.loads, logs.text(path).splitlines()):
            if entry["learner"] in learners:
                have += 1
                with_it += any(place["id"] == course and place["rank"] <= 5 for place in entry["courses"])
    return with_it / max(have, 1)


def clocks(fixture, table, every):
    """What the clock, the zone and their leaps say must not show in any byte."""
    row = table.row(GROUP, "time zones")
    for zone in ["America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Kiritimati", ":nonsense"][::every]:
        fixture.fresh("prepare-run")
        outcome = fixture.make("run", env={"TZ": zone})
        row.count(zone, outcome.err[-300:] if outcome.code else difference(content(fixture.work), fixture.expected))
    row.end()
    row = table.row(GROUP, "clock at 1970, 2038, leaps of daylight saving")
    if not shutil.which("faketime"):
        return row.skip("faketime is not there")
    for zone, moment in [
        ("UTC", "1970-01-01 00:00:05"), ("UTC", "2038-01-19 03:14:06"), ("UTC", "2099-12-31 23:59:58"),
        ("Europe/Berlin", "2025-03-30 01:59:58"), ("Europe/Berlin", "2025-10-26 02:59:58"),
    ][::every]:
        fixture.fresh("prepare-run")
        # Without what it does to the times of files: those it turns into nonsense near 1970.
        outcome = run(["faketime", moment, *fixture.command("run")], env={"TZ": zone, "NO_FAKE_STAT": "1"})
        row.count(f"{moment} {zone}",
                  outcome.err[-300:] if outcome.code else difference(content(fixture.work), fixture.expected))
    row.end()


def far_times(fixture, table):
    """Logs that cross the second 2³¹ and the years at the edges of what is allowed."""
    row = table.row(GROUP, "logs that cross 2038-01-19 03:14:08 and those near 1990 and 2100")
    for end in ["2038-02-10", "1996-02-10", "2098-06-20"]:
        fixture.fresh("prepare-run")
        data = fixture.folder / "altered"
        shutil.rmtree(data, ignore_errors=True)
        made = run([ROOT / "bin/generate-logs", "--out", data, "--learners", 200, "--courses", 40, "--days", 300,
                    "--end", end])
        outcome = run(["make", "--no-print-directory", "stages", "DATASET=sample", f"DATA={data}",
                       f"OUT={fixture.work}", "RUN=far", "AS_OF=latest", f"SET={QUICK}", "THREADS=2"])
        wrong = made.err if made.code else outcome.err[-300:] if outcome.code else ""
        if not wrong and " 0 rejected" not in outcome.err:
            wrong = "rows were rejected"
        row.count(end, wrong)
    row.end()


def skewed_files(fixture, table):
    """Clocks that jumped while a run was made: manifests from the future, from 1970, in the wrong order. What was made
    from another configuration or other inputs must run again all the same."""
    row = table.row(GROUP, "clock skew: times of files in the future, in 1970, in reverse")
    manifests = lambda: sorted(fixture.latest.glob("*/manifest.json"))
    slices = lambda: sorted(fixture.latest.glob("config/*"))
    changes = {
        "manifests a year ahead": lambda: [(p, 1.8e9 + i) for i, p in enumerate(manifests())],
        "manifests in 1970": lambda: [(p, 100 + i) for i, p in enumerate(manifests())],
        "manifests in reverse order": lambda: [(p, 1.7e9 - i) for i, p in enumerate(manifests())],
        "slices a year ahead": lambda: [(p, 1.8e9) for p in slices()],
        "slices in 1970": lambda: [(p, 100) for p in slices()],
        "all at one moment": lambda: [(p, 1.7e9) for p in manifests() + slices()],
    }
    for name, moments in changes.items():
        for state in ("prepare-run", "build-cooccurrence"):
            fixture.fresh(state)
            for path, moment in moments():
                os.utime(path, (moment, moment))
            outcome = fixture.make("run")
            row.count(f"{name}, before {state}",
                      outcome.err[-300:] if outcome.code else difference(content(fixture.work), fixture.expected))
    row.end()
