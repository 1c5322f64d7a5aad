"""Group 9: malformed rows of sixty kinds, and ids that try to be paths."""

import csv
import gzip
import io
import json
import re
import shutil

import logs
from fixture import QUICK, ROOT, content, run

GROUP = "hostile rows"
T = "2024-06-01"
GOOD = {"watches": "l1,c1,2024-01-05T10:00:00Z,60,web", "engagements": "l1,c1,2024-01-05T10:00:00Z,click,web",
        "learners": "l1,student,,DE,5,a|b", "courses": "c1,A title,en,2020-01-01,,600,,x"}
HEADERS = {"watches": "learner_id,course_id,started_at,watched_seconds,channel",
           "engagements": "learner_id,course_id,time,kind,channel",
           "learners": "learner_id,segment,valid_from,country,age:number,skills:list",
           "courses": "course_id,title,language,published_at,retired_at,duration_seconds,valid_from,topic"}

#: Table, row, whether it must be rejected (else it is kept, before or after T): by docs/datasets.md, "What becomes of rows".
KINDS = [
    ("watches", b"l1,c1,not a time,60,web", True), ("watches", b"l1,c1,,60,web", True),
    ("watches", b"l1,c1,2024-13-05T10:00:00Z,60,web", True), ("watches", b"l1,c1,2024-02-30T10:00:00Z,60,web", True),
    ("watches", b"l1,c1,2024-01-05T25:00:00Z,60,web", True), ("watches", b"l1,c1,2024-01-05T10:61:00Z,60,web", True),
    ("watches", b"l1,c1,1989-12-31T23:59:59Z,60,web", True), ("watches", b"l1,c1,1970-01-01T00:00:00Z,60,web", True),
    ("watches", b"l1,c1,2100-01-01T00:00:01Z,60,web", True), ("watches", b"l1,c1,9999-12-31T23:59:59Z,60,web", True),
    ("watches", b"l1,c1,-2024-01-05T10:00:00Z,60,web", True), ("watches", b"l1,c1,2024-01-05T10:00:00+99:00,60,web", True),
    ("watches", b"l1,c1,99999999999999999999,60,web", True), ("watches", b"l1,c1,2024-01-05T10:00:00Zjunk,60,web", True),
    ("watches", b"l1,c1,2024-01-05T10:00:00Z,-1,web", True), ("watches", b"l1,c1,2024-01-05T10:00:00Z,NaN,web", True),
    ("watches", b"l1,c1,2024-01-05T10:00:00Z,inf,web", True), ("watches", b"l1,c1,2024-01-05T10:00:00Z,1e999,web", True),
    ("watches", b"l1,c1,2024-01-05T10:00:00Z,sixty,web", True), ("watches", b"l1,c1,2024-01-05T10:00:00Z,0x10,web", True),
    ("watches", b"l1,c1,2024-01-05T10:00:00Z,1;5,web", True), ("watches", b"l1,c1,2024-01-05T10:00:00Z,--5,web", True),
    ("watches", b",c1,2024-01-05T10:00:00Z,60,web", True), ("watches", b"l1,,2024-01-05T10:00:00Z,60,web", True),
    ("watches", b"l1,unknown,2024-01-05T10:00:00Z,60,web", True), ("watches", b"l1,C1,2024-01-05T10:00:00Z,60,web", True),
    ("watches", b"l1,c1", True), ("watches", b"l1", True), ("watches", b"l1,c1,2024-01-05T10:00:00Z,60", True),
    ("watches", b"l1,c1,2024-01-05T10:00:00Z,60,web,more", True), ("watches", b",,,,", True),
    ("watches", b",,,,,,,,,,,,,,,,,,,,,,,", True), ("watches", b"\xff\xfe,c1,2024-01-05T10:00:00Z,60,web", True),
    ("watches", b"l\xc3,c1,2024-01-05T10:00:00Z,60,web", True), ("watches", b"\xed\xa0\x80,c1,2024-01-05T10:00:00Z,60,web", True),
    ("watches", b"l" * 1001 + b",c1,2024-01-05T10:00:00Z,60,web", True),
    ("watches", b'"l1"x,c1,2024-01-05T10:00:00Z,60,web', True),
    ("watches", b"l1\tc1\t2024-01-05T10:00:00Z\t60\tweb", True), ("watches", b"l1;c1;2024-01-05T10:00:00Z;60;web", True),
    ("watches", b"l" * 1000 + b",c1,2024-01-05T10:00:00Z,60,web", False),
    ("watches", b'"l,1","c1",2024-01-05T10:00:00Z,60,web', False), ("watches", b'"l""1",c1,2024-01-05T10:00:00Z,60,web', False),
    ("watches", b"l1,c1,2024-01-05 10:00:00,60,web", False), ("watches", b"l1,c1,2024-01-05,60,", False),
    ("watches", b"l1,c1,2024-01-05T10:00:00Z,,web", False), ("watches", b"l1,c1,2024-01-05T10:00:00Z,0,web", False),
    ("watches", b"l1,c1,2024-01-05T10:00:00Z,1e3,web", False), ("watches", b"l1,c1,2024-07-05T10:00:00Z,60,web", False),
    ("watches", b"../../etc/passwd,c1,2024-01-05T10:00:00Z,60,web", False), ("watches", b"..,c1,2024-01-05T10:00:00Z,60,web", False),
    ("watches", b"/tmp/evil,c1,2024-01-05T10:00:00Z,60,../../web", False), ("watches", b"$(touch evil),c1,2024-01-05T10:00:00Z,60,web", False),
    ("watches", b"=1+1,c1,2024-01-05T10:00:00Z,60,web", False), ("watches", b"l\\0,c1,2024-01-05T10:00:00Z,60,web", False),
    ("engagements", b"l1,c1,2024-01-05T10:00:00Z,unheard of,web", True), ("engagements", b"l1,c1,2024-01-05T10:00:00Z,,web", True),
    ("engagements", b"l1,c1,yesterday,click,web", True), ("engagements", b"l1,unknown,2024-01-05T10:00:00Z,click,web", True),
    ("engagements", b"l1,c1,2024-07-05T10:00:00Z,click,web", False),
    ("learners", b",student,,DE,5,a|b", True), ("learners", b"l7,student,,DE,old,a|b", True),
    ("learners", b"l8,student,2024-99-01,DE,5,a", True), ("learners", b"l9,student", True),
    ("learners", b"l10,student,,DE,,", False),
    ("courses", b",A title,en,2020-01-01,,600,,x", True), ("courses", b"c7,A title,en,soon,,600,,x", True),
    ("courses", b"c8,A title,en,2020-01-01,,-5,,x", True), ("courses", b"c9,A title,en,2020-01-01,,long,,x", True),
    ("courses", b"c10,A title,en,,,,,", False), ("courses", b"../c11,A title,en,,,,,", False),
]
PATHS = ["../../../../evil", "/tmp/evil", "..", ".", "a/b/c", "-rf", "*", "~", "con\\..\\x", "%2e%2e%2f", "evil\r", "\x7f",
         "$(touch evil)", "`touch evil`", "'; touch evil; '", "é" * 400, "\u202egnp.exe"]


def torture(fixture, table, size):
    each_kind(fixture, table, size(30, 6, 1))
    path_ids(fixture, table)
    too_many(fixture, table)


def write(folder, extra):
    """A small valid data set; `extra`: rows by table, appended to the good ones. Returns the line of each extra row."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lines = {}
    for table, header in HEADERS.items():
        rows = [header.encode(), GOOD[table].encode()]
        if table == "watches":
            rows += [f"l{i % 9},c1,2024-0{1 + i % 5}-11T1{i % 10}:00:00Z,{i},web".encode() for i in range(40)]
        for row in extra.get(table, []):
            rows.append(row)
            lines.setdefault(table, []).append(len(rows))
        (folder / f"{table}.csv").write_bytes(b"\n".join(rows) + b"\n")
    return lines


def take(fixture, folder, more=""):
    outcome = run(["make", "--no-print-directory", "prepared", "DATASET=lectern", f"DATA={folder}", f"OUT={fixture.work}",
                   "RUN=hostile", f"AS_OF={T}", f"SET=run.shards=2 {more}"])
    if outcome.code:
        return outcome
    return run([ROOT / "bin/import-logs", "--run", fixture.work / "hostile", "--threads", "2"])


def accounts(outcome):
    """Table → read, before T, from T on, rejected."""
    pattern = r"(\w+): (\d+) rows read = (\d+) before T \+ (\d+) from T on \+ (\d+) rejected"
    return {m[0]: tuple(map(int, m[1:])) for m in re.findall(pattern, outcome.err)}


def rejected(fixture):
    raw = gzip.decompress((fixture.work / "hostile/logs/rejected.csv.gz").read_bytes()).decode(errors="replace")
    rows = list(csv.reader(io.StringIO(raw)))[1:]
    return {(re.sub(r".*/|\.csv.*", "", row[0]), int(row[1])) for row in rows}


def each_kind(fixture, table, every):
    """All kinds in one import: what must be rejected is, with its line, and nothing else; no row is lost."""
    row = table.row(GROUP, f"{len(KINDS)} kinds of rows, alone and together: kept or rejected as documented")
    together = {}
    for name, bytes_, _ in KINDS:
        together.setdefault(name, []).append(bytes_)
    for label, extra, kinds in [("together", together, KINDS)] + [
            (kind[1][:40], {kind[0]: [kind[1]]}, [kind]) for kind in KINDS[::every]]:
        fixture.fresh("prepare-run")
        folder = fixture.folder / "hostile"
        lines = write(folder, extra)
        outcome = take(fixture, folder, "import.max_rejected=1")
        if outcome.code:
            row.count(label, outcome.err[-300:])
            continue
        expected, places = set(), {name: iter(found) for name, found in lines.items()}
        for name, _, bad in kinds:
            line = next(places[name])
            if bad:
                expected.add((name, line))
        found = rejected(fixture)
        sums = accounts(outcome)
        unequal = [name for name, (read, *parts) in sums.items() if read != sum(parts)]
        read = {name: len((folder / f"{name}.csv").read_bytes().strip().split(b"\n")) - 1 for name in sums}
        wrong = found != expected and f"rejected {sorted(found - expected)}, kept {sorted(expected - found)}"
        wrong = wrong or unequal and f"rows lost in {unequal}"
        wrong = wrong or any(sums[n][0] != read[n] for n in sums) and f"read {sums}, files have {read}"
        row.count(label, wrong or len(sums) < 4 and f"only {sums}")
    row.end()


def path_ids(fixture, table):
    """Learners and courses named like paths and commands go through the whole pipeline and create nothing anywhere."""
    row = table.row(GROUP, "ids that try to be paths or commands, through all stages")
    data = fixture.folder / "evil"
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(fixture.logs, data)
    fixture.fresh("done")
    learners = sorted(entry["learner"] for entry in serving(fixture))
    courses = [r[0] for r in logs.read(data / "courses.csv")[1]]
    renamed = dict(zip(learners, PATHS)) | dict(zip(courses, PATHS))
    for path in data.glob("*.csv*"):
        header, rows = logs.read(path)
        if path.name.startswith("suppressions"):
            continue
        rows = [[renamed.get(field, field) if i < 2 else field for i, field in enumerate(r)] for r in rows]
        logs.write(path, header, rows)
    fixture.fresh("prepare-run")
    shutil.rmtree(fixture.latest)
    listed = lambda: {str(p) for place in (fixture.folder, ROOT) for p in place.glob("*")}
    before = listed()
    outcome = fixture.make("run", data=data)
    wrong = outcome.err[-300:] if outcome.code else ""
    if new := listed() - before:
        wrong = wrong or f"created {new}"
    row.count("run", wrong)
    ids = {entry["learner"] for entry in serving(fixture)}
    for id in PATHS:
        row.count(repr(id)[:30], "" if id in ids else "has no list")
    row.end()


def serving(fixture):
    """The entries of the lists that a platform serves, one per learner."""
    for path in (fixture.latest / "topk").glob("topk-*.jsonl.gz"):
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            yield json.loads(line)


def too_many(fixture, table):
    """More than max_rejected: exit 65, the first rows named, nothing changed."""
    row = table.row(GROUP, "more rejected rows than import.max_rejected")
    for name in HEADERS:
        fixture.fresh("prepare-run")
        folder = fixture.folder / "hostile"
        write(folder, {name: [b"x"] * 3})
        outcome = take(fixture, folder)
        right = outcome.code == 65 and len(outcome.complaints) == 1 and f"{name}.csv" in outcome.complaints[0]
        row.count(name, "" if right else f"code {outcome.code}: {outcome.err[-300:]}")
    row.end()
