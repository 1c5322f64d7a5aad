"""Group 1: SIGKILL at every call that changes the disk, at random moments, during recovery, and of make alone."""

import os
import random
import shutil
import signal
import subprocess
import time

from fixture import ROOT, STAGES, content, difference, leftovers, run

GROUP = "kill"


def torture(fixture, table, size):
    if shutil.which("strace"):
        for stage in ["prepare-run", *STAGES, "publish-run"]:
            at_every_call(fixture, table, stage, every=size(72, 2, 1))
        generator(fixture, table, size(20, 1, 1))
        synced_before_renamed(fixture, table)
    else:
        table.row(GROUP, "stages at changing calls, power cut").skip("strace is not there")
    at_random(fixture, table, size(1, 30, 1000))
    in_recovery(fixture, table, size(0, 10, 200))
    make_alone(fixture, table, size(1, 10, 200))


def at_every_call(fixture, table, stage, every):
    """The last calls are the commit: all of them, always."""
    row = table.row(GROUP, f"{stage} at each changing call" if every == 1 else f"{stage} at changing calls")
    calls = fixture.calls(stage)
    commit = next((i for i, call in enumerate(calls) if call.name.startswith(("rename", "symlink"))), 0)
    chosen = [call for i, call in enumerate(calls) if i % every == 0 or every < 10 and commit - 6 <= i <= commit + 12]
    for i, call in enumerate(chosen):
        fixture.fresh(stage)
        outcome = fixture.inject(stage, call, "signal=SIGKILL")
        if outcome.code != -signal.SIGKILL:
            row.count(call, f"was not killed: code {outcome.code}")
        else:
            row.count(call, fixture.recover(stage, whole=i % 20 == 19))
    row.end()


def generator(fixture, table, every):
    row = table.row(GROUP, "generate-logs at each changing call" if every == 1 else "generate-logs at changing calls")
    fixture.fresh_for("generate-logs")
    fixture.check(run(fixture.stage("generate-logs")))
    expected = content(fixture.work / "logs")
    for call in fixture.calls("generate-logs")[::every]:
        fixture.fresh_for("generate-logs")
        killed = fixture.inject("generate-logs", call, "signal=SIGKILL").code == -signal.SIGKILL
        again = run(fixture.stage("generate-logs"))
        left = leftovers(fixture.work)
        wrong = difference(content(fixture.work / "logs"), expected) or (left and f"left behind: {left}")
        row.count(call, again.err if again.code else wrong if killed else "was not killed")
    row.end()


def synced_before_renamed(fixture, table):
    """After a power cut a kill's guarantees hold only for what was synced: every file and folder of a stage must be
    synced before the folder gets its name."""
    row = table.row(GROUP, "power cut: files and folders synced before they are renamed into place")
    for stage in [*STAGES, "publish-run"]:
        dirty, wrong = set(), ""
        for call in fixture.calls(stage):
            path = fixture.path_of(call)
            if call.name == "openat" and "O_CREAT" in call.text and ".lock" not in path:
                dirty |= {path, os.path.dirname(path)}
            elif call.name in ("mkdir", "link", "symlink"):
                dirty.add(os.path.dirname(path) if call.name != "mkdir" else path)
            elif call.name in ("fsync", "unlink", "rmdir"):
                dirty.discard(path)
            elif call.name == "rename":
                late = [p for p in dirty if p == path or p.startswith(path + "/")]
                wrong = wrong or (late and f"{late[0]} is not synced when {path} is renamed")
        row.count(stage, wrong)
    row.end()


def start(fixture, *targets):
    return subprocess.Popen(
        ["setsid", *fixture.command(*(targets or ("run",)))], cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def at_random(fixture, table, count):
    row = table.row(GROUP, "make run and all below it, at random moments")
    whole = fixture.seconds
    for number in range(count):
        fixture.fresh("prepare-run")
        process = start(fixture)
        pause = random.Random(number).uniform(0, whole)
        time.sleep(pause)
        kill_group(process)
        row.count(f"after {pause:.2f} s", patient(fixture))
    row.end()


def in_recovery(fixture, table, count):
    row = table.row(GROUP, "killed, and twice more while it recovers")
    whole = fixture.seconds
    for number in range(count):
        draw = random.Random(1000 + number)
        fixture.fresh("prepare-run")
        for part in (1, 0.3, 0.5):
            process = start(fixture)
            time.sleep(draw.uniform(0, whole * part))
            kill_group(process)
        row.count(f"seed {1000 + number}", patient(fixture))
    row.end()


def make_alone(fixture, table, count):
    """The stage lives on and keeps the lock: a second make ends with 75 until it is gone, then finishes the run."""
    row = table.row(GROUP, "make alone, its stage lives on")
    whole = fixture.seconds
    for number in range(count):
        fixture.fresh("prepare-run")
        process = start(fixture)
        time.sleep(random.Random(2000 + number).uniform(0, whole))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        row.count(f"seed {2000 + number}", patient(fixture))
    row.end()


def patient(fixture):
    """Makes again, waiting while an orphan has the lock."""
    for _ in range(200):
        outcome = fixture.make("run")
        if outcome.code == 0:
            left = leftovers(fixture.work)
            return difference(content(fixture.work), fixture.expected) or (left and f"left behind: {left[:3]}")
        if "Error 75" not in outcome.err:
            return " / ".join(outcome.err.splitlines()[-3:])
        time.sleep(0.2)
    return "the lock was never free"
