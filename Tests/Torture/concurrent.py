"""Group 5: two makes on one run at once. One works, the other ends at once with Error 75 and disturbs nothing; two runs
under one OUT may publish at the same time."""

import fcntl
import random
import subprocess
import time

from fixture import ROOT, STAGES, content, difference, run

GROUP = "at once"


def torture(fixture, table, size):
    two_makes(fixture, table, size(1, 100, 100))
    two_starts(fixture, table, size(0, 4, 50))
    by_hand(fixture, table)
    two_runs(fixture, table, size(0, 3, 20))


def start(command):
    return subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)


def two_makes(fixture, table, count):
    """The second starts while the first is at work."""
    row = table.row(GROUP, "a second make run on the same run")
    whole = fixture.seconds
    for number in range(count):
        fixture.fresh("prepare-run")
        first = start(fixture.command("run"))
        time.sleep(0.1 + random.Random(number).uniform(0, whole * 0.6))
        working = first.poll() is None
        begin = time.time()
        second = fixture.make("run")
        took = time.time() - begin
        _, said = first.communicate()
        wrong = ""
        if working and (second.code != 2 or "Error 75" not in second.err.splitlines()[-1]):
            wrong = f"the second: code {second.code}: {second.err[-200:]}"
        elif working and took > max(5, whole / 2):
            wrong = f"the second took {took:.1f} s to say so"
        elif first.returncode:
            wrong = f"the first: {said[-300:]}"
        row.count(f"trial {number}", wrong or difference(content(fixture.work), fixture.expected))
    row.end()


def two_starts(fixture, table, count):
    """Both at the same moment: whoever comes first."""
    row = table.row(GROUP, "two make run started at the same moment")
    for number in range(count):
        fixture.fresh("prepare-run")
        both = [start(fixture.command("run")) for _ in range(2)]
        said = [process.communicate()[1] for process in both]
        codes = sorted(process.returncode for process in both)
        # A whole run takes seconds, a start does not: they must have met.
        right = codes == [0, 2] and sum("Error 75" in text for text in said) == 1
        row.count(f"trial {number}", "" if right else f"codes {codes}: {said}")
        if wrong := difference(content(fixture.work), fixture.expected):
            row.count(f"trial {number}, its bytes", wrong)
    row.end()


def by_hand(fixture, table):
    """A stage started by hand takes the lock itself: while make works it ends with 75."""
    row = table.row(GROUP, "a stage by hand while make run works")
    for stage in [*STAGES, "publish-run"]:
        fixture.fresh("done")
        with open(fixture.latest / ".lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            second = run(fixture.stage(stage))
        right = second.code == 75 and difference(content(fixture.work), fixture.expected) == ""
        row.count(stage, "" if right else f"code {second.code}: {second.err[-200:]}")
    row.end()


def two_runs(fixture, table, count):
    """Two runs of other names under one OUT: both publish the same lists; one may find OUT locked and says so."""
    row = table.row(GROUP, "two runs publish under one OUT")
    expected = {p: d for p, d in fixture.expected.items() if p.startswith("latest/") and "gates.json" not in p}
    for number in range(count):
        fixture.fresh("publish-run")
        subprocess.run(["cp", "-a", fixture.latest, fixture.work / "other"], check=True)
        both = [start(fixture.command("run")), start(fixture.command("run", "RUN=other"))]
        said = [process.communicate()[1] for process in both]
        wrong = ""
        for process, text in zip(both, said):
            if process.returncode and "Error 75" not in text:
                wrong = f"code {process.returncode}: {text[-300:]}"
        again = [fixture.make("run"), fixture.make("run", "RUN=other")]
        if any(outcome.code for outcome in again):
            wrong = wrong or f"again: {[outcome.err[-200:] for outcome in again]}"
        found = content(fixture.work)
        for name in ("latest", "other"):
            mine = {"latest" + p[len(name):]: d for p, d in found.items()
                    if p.startswith(name + "/") and "gates.json" not in p}
            wrong = wrong or difference(mine, expected)
        row.count(f"trial {number}", wrong)
    row.end()
