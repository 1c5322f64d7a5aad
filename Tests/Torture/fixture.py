"""A tiny platform, two finished runs of it (A: an earlier T; B: the right one), and the states between them.

Every trial starts from a copy of the state in which a stage finds its inputs of B and its own old output of A, so that
a fault can be told to have lost nothing: whatever happened, the next make must leave exactly the bytes of B.
"""

import hashlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAGES = {
    "import-logs": "logs", "filter-watches": "watched", "build-cooccurrence": "cowatch", "train-ncf": "ncf",
    "train-glmix": "glmix", "blend": "blended", "export-topk": "topk", "evaluate": "metrics",
}
QUICK = (
    "run.shards=2 filter.snapshots=2 ncf.epochs=2 ncf.examples_per_epoch=512 ncf.linear_examples=256 ncf.hidden=[8] "
    "ncf.embedding=8 glmix.passes=1 glmix.tolerance=0.001 blend.folds=2 evaluate.resamples=100 "
    "glmix.features=[learner-now,course-now,learner.country,course.difficulty] "
    "publish.min_lift_over_popular=-1 publish.max_churn=1 publish.min_volume_ratio=0"
)
#: Not promised to be equal (docs/operations.md), or not content.
EXEMPT = {"stats.json", "failed.json", ".lock", "inputs.txt", "metrics.prom", "report"}
CHANGING = (
    "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,link,linkat,"
    "symlink,symlinkat,ftruncate,truncate"
)
#: Calls that ask what lies at a path.
LOOKING = "newfstatat,statx,access,faccessat2"


class Outcome:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def complaints(self):
        return [line for line in self.err.splitlines() if "error: " in line]


def run(command, timeout=900, **more):
    """Runs a command to its end."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    environment.update(more.pop("env", {}))
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
        stdout=more.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, timeout=timeout, **more)
    return Outcome(done.returncode, (done.stdout or b"").decode(errors="replace"), done.stderr.decode(errors="replace"))


def content(folder):
    """Path → digest of every file (or target of a link) below a folder that is promised to be equal."""
    found = {}
    for base, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in EXEMPT]
        for name in files + [f for f in folders if os.path.islink(os.path.join(base, f))]:
            path = Path(base) / name
            if name in EXEMPT:
                continue
            if path.is_symlink():
                found[str(path.relative_to(folder))] = "-> " + os.readlink(path)
            else:
                found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def leftovers(folder):
    """What only an unfinished stage leaves."""
    return sorted(
        str(path.relative_to(folder)) for path in Path(folder).rglob("*")
        if path.name.endswith((".partial", ".old", ".new")))


def difference(found, expected):
    """One line about the first differences; empty: equal."""
    paths = sorted(p for p in found.keys() | expected.keys() if found.get(p) != expected.get(p))
    return f"{len(paths)} differ: {', '.join(paths[:3])}" if paths else ""


class Call:
    """The n-th call of a kind that a stage makes."""

    def __init__(self, name, number, text):
        self.name, self.number, self.text = name, number, text

    def __str__(self):
        path = re.findall(r"/work/([^\"<>]*)", self.text)
        return f"{self.name} {self.number} ({path[0] if path else self.text[:60]})"


class Fixture:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.work = self.folder / "work"
        self.logs = self.folder / "logs"
        self.states = self.folder / "states"
        self.traced = {}
        #: How long a whole run takes.
        self.seconds = self.build()

    # Making it

    def build(self):
        self.states.mkdir(parents=True)
        self.check(run([ROOT / "bin/generate-logs", "--out", self.logs, "--learners", 200, "--courses", 40,
                        "--days", 300, "--threads", 1]))
        begin = time.time()
        self.check(self.make("run", "AS_OF=2025-06-02"))
        seconds = time.time() - begin
        self.keep("prepare-run")
        self.check(self.make("prepared"))
        for stage, folder in STAGES.items():
            self.keep(stage)
            self.check(self.make(self.manifest(folder)))
        self.check(self.make(self.manifest("report")))  # publish-run takes none of another generation
        self.keep("publish-run")
        self.check(self.make("run"))
        self.keep("done")
        self.expected = content(self.states / "done")
        assert len(self.expected) > 150, "the fixture is not what it should be"
        return seconds

    def check(self, outcome):
        assert outcome.code == 0, outcome.err

    def keep(self, name):
        subprocess.run(["cp", "-a", self.work, self.states / name], check=True)

    # Using it

    @property
    def latest(self):
        return self.work / "latest"

    def manifest(self, folder):
        return f"{self.work}/latest/{folder}/manifest.json"

    def command(self, *targets, out=None, data=None, threads=1):
        fixed = ["DATASET=sample", f"DATA={data or self.logs}", f"OUT={out or self.work}", f"THREADS={threads}"]
        rest = list(targets)
        if not any(str(t).startswith("SET=") for t in rest):
            rest.append(f"SET={QUICK}")
        return ["make", "--no-print-directory", *rest, *fixed]

    def make(self, *targets, out=None, data=None, threads=1, **more):
        return run(self.command(*targets, out=out, data=data, threads=threads), **more)

    def fresh(self, state):
        """Starts a trial: the working folder as it was before a stage."""
        if self.work.exists():
            shutil.rmtree(self.work)
        subprocess.run(["cp", "-a", self.states / state, self.work], check=True)

    def stage(self, name):
        """The command of a stage, without make."""
        if name == "prepare-run":
            return [ROOT / "bin/prepare-run", "--run", self.latest, "--dataset", "data/sample/dataset.yaml",
                    "--data", self.logs, "--set", QUICK]
        if name == "generate-logs":
            return [ROOT / "bin/generate-logs", "--out", self.work / "logs", "--learners", 60, "--courses", 20,
                    "--days", 60, "--threads", 1]
        return [ROOT / f"bin/{name}", "--run", self.latest, "--threads", 1]

    def recover(self, stage, whole=False):
        """What a user does after a fault: make again. `whole`: all of it, else up to the stage.
        Returns what is wrong afterwards; empty: nothing."""
        if whole or stage in ("prepare-run", "publish-run"):
            outcome = self.make("run")
            found, expected = content(self.work), self.expected
        else:
            outcome = self.make("prepared")
            if outcome.code == 0:
                outcome = self.make(self.manifest(STAGES[stage]))
            expected = content(self.states / "done/latest" / STAGES[stage])
            found = content(self.latest / STAGES[stage])
        if outcome.code != 0:
            return f"make again: code {outcome.code}: {' / '.join(outcome.err.splitlines()[-3:])}"
        if wrong := difference(found, expected):
            return wrong
        left = leftovers(self.work)
        return f"left behind: {', '.join(left[:3])}" if left else ""

    def calls(self, stage, reading=False):
        """Every call of a stage that creates, writes, syncs, renames, links or removes in the working folder;
        `reading`: and those that look, open and read there."""
        if (stage, reading) not in self.traced:
            self.traced[stage, reading] = self.trace(stage, reading)
        return self.traced[stage, reading]

    def trace(self, stage, reading):
        self.fresh_for(stage)
        log = self.folder / "calls.txt"
        traced = CHANGING + (",read,getdents64," + LOOKING if reading else "")
        self.check(run(["strace", "-f", "--seccomp-bpf", "-y", "-o", log, "-e", f"trace={traced}", *self.stage(stage)]))
        counts, calls = {}, []
        for line in log.read_text(errors="replace").splitlines():
            match = re.match(r"(\d+) +(\w+)\((.*)", line)
            if not match:
                continue
            thread, name, text = match.groups()
            counts[thread, name] = counts.get((thread, name), 0) + 1
            changes = name != "openat" or "O_CREAT" in text or "DIRECTORY" in text
            if str(self.folder) in text and (changes or reading):
                calls.append(Call(name, counts[thread, name], text))
        assert len(calls) > 3, f"{stage}: strace saw {len(calls)} calls"
        return calls

    def fresh_for(self, stage):
        if stage == "generate-logs":
            if self.work.exists():
                shutil.rmtree(self.work)
            self.work.mkdir()
        else:
            self.fresh(stage)

    def inject(self, stage, call, fault, forever=False):
        """Runs a stage with a fault at one call (`forever`: and at all later ones of its kind)."""
        when = f"{call.number}{'+' if forever else ''}"
        log = self.folder / "injected.txt"
        # With the filter strace stops at these calls alone, but then it does not send signals.
        quick = [] if fault.startswith("signal") else ["--seccomp-bpf"]
        outcome = run(["strace", "-f", *quick, "-qq", "-o", log, "-e", f"trace={call.name}",
                       "-e", f"inject={call.name}:{fault}:when={when}", *self.stage(stage)])
        outcome.injected = "(INJECTED)" in log.read_text(errors="replace")
        return outcome

    def path_of(self, call):
        """The path that a call is about: of its descriptor, or its first argument."""
        inside = re.search(r"\d+<([^>]*)>", call.text) if call.name in ("write", "fsync", "ftruncate") else None
        quoted = re.findall(r'"([^"]*)"', call.text)
        return inside.group(1) if inside else quoted[1 if call.name in ("link", "symlink") else 0]
