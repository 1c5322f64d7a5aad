"""Group 8: each stage under a cap on memory. It finishes with the right bytes, or stops with one line that says what it
needs and what lowers it; it is never killed without a word."""

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from fixture import ROOT, STAGES, content, difference, run

GROUP = "memory"
#: 70: an allocation that the system refused, under a limit on addresses.
DOCUMENTED = {70, 74}
#: A platform on which stages take several times what they take on the fixture.
LEARNERS, COURSES = 20_000, 1_500


def torture(fixture, table, size):
    caps = size((24,), (24, 40, 48, 52, 56, 64, 256), range(16, 257, 8))
    with control_group() as group:
        row = table.row(GROUP, f"tiny platform, control group of {caps[0]} to {caps[-1]} MiB")
        if not group:
            row.skip("may not make a control group")
        for cap in caps if group else []:
            for stage in STAGES:
                judge(fixture, row, stage, cap, group(cap << 20))
        row.end()
        if size.name != "short" and group:
            larger(fixture, table, group, size((), (0.3, 0.5, 0.7, 0.9, 1.3), [n / 20 for n in range(4, 31)]))
    if size.name == "short":
        return
    row = table.row(GROUP, "tiny platform, limit on addresses (ulimit -v) of 200 MiB to 2 GiB")
    for cap in range(200, 2049, size(0, 400, 50)):
        for stage in STAGES:
            judge(fixture, row, stage, cap, ["prlimit", f"--as={cap << 20}"])
    row.end()


@contextmanager
def control_group():
    """What puts a command into a control group of so many bytes; None where that is not allowed."""
    above = Path("/sys/fs/cgroup/memory")
    if not os.access(above, os.W_OK):
        yield None
        return
    mine = above / f"lectern-torture-{os.getpid()}"
    mine.mkdir()

    def enter(limit):
        (mine / "memory.force_empty").write_text("0")  # what earlier ones left in the page cache and in tmpfs
        (mine / "memory.limit_in_bytes").write_text(str(limit))
        return ["sh", "-c", f'echo $$ > {mine}/cgroup.procs && exec "$@"', "sh"]

    try:
        yield enter
    finally:
        mine.rmdir()


def explained(outcome):
    """Whether a stage that did not finish said why. Before main() the loader speaks for us."""
    if outcome.code == 127 and "shared librar" in outcome.err:
        return True
    return outcome.code in DOCUMENTED and len(outcome.complaints) == 1 and "MiB" in outcome.err


def judge(fixture, row, stage, cap, enter):
    fixture.fresh(stage)
    outcome = run([*enter, *fixture.stage(stage)])
    wrong = "" if outcome.code == 0 or explained(outcome) else f"code {outcome.code}: {outcome.err[-300:]}"
    row.count(f"{stage} with {cap} MiB", wrong or fixture.recover(stage))


def larger(fixture, table, group, shares):
    """Stages by hand in a finished run, with shares of the memory that each took without a limit: as long as it does
    not finish, its folder stays as it was; when it does, it has the same bytes."""
    row = table.row(GROUP, f"{LEARNERS:,} learners, control group of {shares[0]} to {shares[-1]} of what a stage takes")
    # On a disk: what lies in a file system in memory would count.
    folder = Path(tempfile.mkdtemp(prefix="lectern-torture-", dir="/var/tmp"))
    try:
        under_shares(fixture, row, group, shares, folder)
    finally:
        shutil.rmtree(folder)
    row.end()


def under_shares(fixture, row, group, shares, folder):
    logs, out = folder / "logs", folder / "out"
    fixture.check(run([ROOT / "bin/generate-logs", "--out", logs, "--learners", LEARNERS, "--courses", COURSES]))
    settings = "SET=ncf.epochs=1 evaluate.resamples=100 publish.min_lift_over_popular=-1"
    fixture.check(run(["make", "--no-print-directory", "stages", "DATASET=sample", f"DATA={logs}", f"OUT={out}",
                       "THREADS=2", settings]))
    for stage, name in STAGES.items():
        before = content(out / "latest" / name)
        peak = json.loads((out / "latest" / name / "stats.json").read_text())["peak_memory_bytes"]
        needed = []
        for share in shares:
            shutil.rmtree(out / "import-cache", ignore_errors=True)
            command = [ROOT / f"bin/{stage}", "--run", out / "latest", "--threads", 2]
            outcome = run([*group(int(share * peak)), *command])
            wrong = "" if outcome.code == 0 or explained(outcome) else f"code {outcome.code}: {outcome.err[-300:]}"
            needed.append(f"{share}: {'done' if outcome.code == 0 else outcome.err.splitlines()[-1][:160]}")
            wrong = wrong or difference(content(out / "latest" / name), before)
            row.count(f"{stage}: {share} of {peak >> 20} MiB", wrong)
        print(f"memory: {stage}, {peak >> 20} MiB: {'; '.join(needed)}", flush=True)
