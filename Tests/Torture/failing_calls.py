"""Group 2: system calls that fail, full disks, short writes, closed pipes. The stage must end with the documented code
and one line that names the file, change no finished file, leave nothing half-written, and run as if nothing had
happened the next time."""

import os
import shutil
import subprocess

from fixture import ROOT, STAGES, content, difference, leftovers, run

GROUP = "failing calls"
#: Errors that each kind of call is given.
ERRORS = {
    "openat": ["EMFILE", "ENOSPC", "EIO", "EACCES", "EINTR"], "write": ["ENOSPC", "EIO", "EINTR"], "read": ["EIO", "EINTR"],
    "fsync": ["EIO", "ENOSPC", "EINTR"], "rename": ["ENOSPC", "EIO"], "mkdir": ["ENOSPC", "EACCES"],
    "link": ["ENOSPC", "EIO"], "symlink": ["ENOSPC", "EIO"], "unlink": ["EIO"], "rmdir": ["EIO"], "getdents64": ["EIO"],
    "ftruncate": ["EIO"], "newfstatat": ["EIO", "EACCES", "ENOENT"], "access": ["EIO", "EACCES", "ENOENT"],
}
#: A lie that publish-run cannot see through: what is not there fails a gate (65), and without a publication before it
#: there is nothing to compare with.
BELIEVED = ("publish-run", "ENOENT")
#: docs/operations.md: what may come of a failing call. 0: it was tried again, or did not matter.
DOCUMENTED = {0, 73, 74}
#: And where a call says that what it asks for is not there.
MISSING = 66


def torture(fixture, table, size):
    rows = {}
    if not shutil.which("strace"):
        table.row(GROUP, "calls that fail").skip("strace is not there")
    for stage in ["prepare-run", *STAGES, "publish-run"] if shutil.which("strace") else []:
        at_calls(fixture, table, rows, stage, every=size(480, 9, 1))
    for row in rows.values():
        row.end()
    short_writes(fixture, table, size(3, 1, 1))
    small_disk(fixture, table, size(2048, 256, 64), first=size(2064, 16, 16))
    closed_pipes(fixture, table, size(4, 1, 1))


def at_calls(fixture, table, rows, stage, every):
    turn = 0
    for call in fixture.calls(stage, reading=True):
        for error in ERRORS.get(call.name, []):
            if (stage, error) == BELIEVED:
                continue
            # What is interrupted for ever is tried for ever: rightly so.
            for forever in (False, True) if error != "EINTR" else (False,):
                turn += 1
                if turn % every:
                    continue
                label = f"{call.name} fails with {error}, {'for ever' if forever else 'once'}"
                if label not in rows:
                    rows[label] = table.row(GROUP, label)
                fixture.fresh(stage)
                outcome = fixture.inject(stage, call, f"error={error}", forever)
                wrong = judge(fixture, stage, call, error, outcome, forever) or fixture.recover(stage)
                rows[label].count(f"{stage}: {call}", wrong)


def judge(fixture, stage, call, error, outcome, forever):
    """What is wrong with how a stage ended; empty: nothing."""
    if not outcome.injected:
        return "the call was not made to fail"
    if outcome.code not in DOCUMENTED and not (error == "ENOENT" and outcome.code == MISSING):
        return f"code {outcome.code}: {outcome.err[-300:]}"
    silenced = call.name == "write" and forever  # nor can it say so
    if outcome.code and not silenced and (len(outcome.complaints) != 1 or "/" not in outcome.complaints[0]):
        return f"not one line that names the file: {outcome.err[-400:]}"
    if stage in STAGES:
        # Every folder as before, or its own new: never anything between. A call that fails for ever may also fail
        # the way back, which the next start then goes.
        folder = STAGES[stage]
        before = content(fixture.states / stage / "latest")
        after = content(fixture.states / "done/latest" / folder)
        found = content(fixture.latest)
        own = {p.split("/", 1)[1]: d for p, d in found.items() if p.startswith(folder + "/")}
        others = {p: d for p, d in found.items() if not p.startswith((folder + "/", folder + "."))}
        if wrong := difference(others, {p: d for p, d in before.items() if not p.startswith(folder + "/")}):
            return f"changed what is not its own: {wrong}"
        old = {p.split("/", 1)[1]: d for p, d in before.items() if p.startswith(folder + "/")}
        if outcome.code == 0 and own != after:
            return f"says done, but {difference(own, after)}"
        if own not in (old, after) and not (forever and not own):
            return f"code {outcome.code}, but {difference(own, old)}"
    if outcome.code and not forever and (left := leftovers(fixture.work)):
        return f"left behind: {', '.join(left[:3])}"
    return ""


def short_writes(fixture, table, every):
    """Every write is cut to a part, now and then interrupted: a real kernel may do both."""
    row = table.row(GROUP, "every write is short, or interrupted")
    library = fixture.folder / "short_writes.so"
    made = run(["clang", "-shared", "-fPIC", "-O1", "-o", library, ROOT / "Tests/Torture/short_writes.c", "-ldl"])
    if made.code:
        return row.skip("no clang")
    for stage in ["prepare-run", *STAGES, "publish-run"][every // 2 :: every]:
        fixture.fresh(stage)
        outcome = run(fixture.stage(stage), env={"LD_PRELOAD": str(library)})
        row.count(stage, outcome.err[-300:] if outcome.code else fixture.recover(stage))
    row.end()


def small_disk(fixture, table, step, first):
    """A file system that is really full, at many sizes, then made larger."""
    row = table.row(GROUP, "a full file system (tmpfs of 16 KiB to 3 MiB)")
    small = fixture.folder / "small"
    small.mkdir()
    for kib in range(first, 3072, step):
        if run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", small]).code:
            return row.skip("may not mount a file system")
        try:
            outcome = fixture.make("run", out=small)
            wrong = ""
            if outcome.code:
                codes = [code for code in ("Error 73", "Error 74") if code in outcome.err]
                if outcome.code != 2 or not codes or len(outcome.complaints) != 1:
                    wrong = f"code {outcome.code}: {outcome.err[-400:]}"
                elif left := leftovers(small):
                    wrong = f"left behind: {left}"
            fixture.check(run(["mount", "-o", "remount,size=64m", small]))
            again = fixture.make("run", out=small)
            if again.code:
                wrong = wrong or f"with room: code {again.code}: {again.err[-300:]}"
            without = lambda found: {p: d for p, d in found.items() if p != "gates.json"}  # nothing was published before
            expected = without(content(fixture.states / "done/latest"))
            row.count(f"{kib} KiB", wrong or difference(without(content(small / "latest")), expected))
        finally:
            run(["umount", "-l", small])
    row.end()


def closed_pipes(fixture, table, every):
    """Nobody reads what is said: a stage does its work, and what prints data ends quietly."""
    row = table.row(GROUP, "standard output or error is closed, or a pipe without a reader")
    for stage in ["prepare-run", *STAGES, "publish-run"][every // 2 :: every]:
        for what in ("stdout", "stderr", "both"):
            fixture.fresh(stage)
            code = with_dead_pipe(fixture.stage(stage), what)
            row.count(f"{stage}, {what}", f"code {code}" if code else fixture.recover(stage))
    fixture.fresh("done")
    shard = fixture.latest / "watched/watched-00000-of-00002.safetensors.gz"
    printing = [
        ["bin/inspect-shards", "cat", shard], ["bin/inspect-shards", "ls", fixture.latest],
        ["bin/prepare-run", "status", "--run", fixture.latest], ["bin/prepare-run", "defaults"],
        ["bin/export-topk", "show", "--run", fixture.latest, "--learners", "50"],
    ]
    for command in printing:
        code = with_dead_pipe(command, "stdout")
        row.count(" ".join(map(str, command[:2])), f"code {code}" if code else "")
    row.end()
    row = table.row(GROUP, "standard output is a full disk")
    for command in printing:
        with open("/dev/full", "w") as full:
            outcome = run(command, stdout=full)
        right = outcome.code == 74 and len(outcome.complaints) == 1
        row.count(" ".join(map(str, command[:2])), "" if right else f"code {outcome.code}: {outcome.err[-200:]}")
    row.end()
    row = table.row(GROUP, "make run, its output read by nobody")
    for state in ("publish-run", "done")[::every]:
        fixture.fresh(state)
        code = with_dead_pipe(fixture.command("run"), "stdout")
        wrong = difference(content(fixture.work), fixture.expected)
        row.count(state, f"code {code}" if code else wrong)
    row.end()


def with_dead_pipe(command, what):
    """Exit code of a command whose output goes to a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    quiet = subprocess.DEVNULL
    try:
        return subprocess.run(
            [str(part) for part in command], cwd=ROOT, stdin=quiet, timeout=120,
            stdout=writer if what != "stderr" else quiet, stderr=writer if what != "stdout" else quiet).returncode
    finally:
        os.close(writer)
