"""Group 8: each stage under a cap on memory. It finishes with the right bytes, or stops with one line that says so."""

import os
from pathlib import Path

from fixture import ROOT, STAGES, content, difference, run

GROUP = "memory"
DOCUMENTED = {70, 74}


def torture(fixture, table, size):
    caps = size((24,), (24, 64, 256), range(16, 1025, 16))
    group = Path("/sys/fs/cgroup/memory")
    row = table.row(GROUP, f"control group of {caps[0]} to {caps[-1]} MiB")
    if not os.access(group, os.W_OK):
        row.skip("may not make a control group")
    else:
        mine = group / f"lectern-torture-{os.getpid()}"
        mine.mkdir()
        try:
            for cap in caps:
                (mine / "memory.limit_in_bytes").write_text(str(cap << 20))
                enter = ["sh", "-c", f'echo $$ > {mine}/cgroup.procs && exec "$@"', "sh"]
                for stage in STAGES:
                    judge(fixture, row, stage, cap, enter)
        finally:
            mine.rmdir()
        row.end()
    if size.name == "short":
        return
    row = table.row(GROUP, "limit on addresses (ulimit -v) of 200 MiB to 2 GiB")
    for cap in range(200, 2049, size(0, 400, 50)):
        for stage in STAGES:
            judge(fixture, row, stage, cap, ["prlimit", f"--as={cap << 20}"])
    row.end()


def judge(fixture, row, stage, cap, enter):
    fixture.fresh(stage)
    outcome = run([*enter, *fixture.stage(stage)])
    what = f"{stage} with {cap} MiB"
    if outcome.code == 0:
        return row.count(what, fixture.recover(stage))
    # Before main() the loader speaks for us.
    loader = outcome.code == 127 and "shared librar" in outcome.err
    if not loader and (outcome.code not in DOCUMENTED or len(outcome.complaints) != 1 or "MiB" not in outcome.err):
        return row.count(what, f"code {outcome.code}: {outcome.err[-300:]}")
    row.count(what, fixture.recover(stage))
