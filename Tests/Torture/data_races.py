"""Group 4b: the suite, target by target, and a whole run on three threads, under the thread sanitizer. Built for it
(.build-tsan) are our own modules and not what they depend on: Yams, swift-crypto, swift-log, OpenBLAS, zlib."""

import re

from fixture import ROOT, STAGES, run

GROUP = "data races"
SCRATCH = ".build-tsan"
#: Runs what lies in bin/, in processes of its own; the row about a whole run stands for it.
NOT_IN_PROCESS = {"PipelineTests"}


def torture(fixture, table, size):
    if size.name == "short":  # needs a build of its own
        return
    swift = ["-c", "release", "--scratch-path", SCRATCH]
    built = run(["swift", "build", *swift, "--build-tests"], timeout=None, env={"LECTERN_TSAN": "1"})
    if built.code:
        return table.row(GROUP, "the suite").count("build", (built.out + built.err)[-500:])
    targets = sorted(path.name for path in (ROOT / "Tests").glob("*Tests") if path.name not in NOT_IN_PROCESS)
    for target in targets:
        row = table.row(GROUP, f"{target}: tests")
        reports = Reports(fixture.folder / "reports" / target)
        outcome = run(["swift", "test", *swift, "--skip-build", "--filter", f"^{target}\\."], timeout=None,
                      env={"LECTERN_TSAN": "1", **reports.environment})
        found = re.search(r"Test run with (\d+) tests?.* (passed|failed)", outcome.out + outcome.err)
        row.tried = row.survived = int(found[1]) if found else 1
        if outcome.code or not found:
            reports.say(row, f"code {outcome.code}: {(outcome.out + outcome.err)[-500:]}")
        reports.count(row)
    whole_run(fixture, table)


def whole_run(fixture, table):
    row = table.row(GROUP, "a whole run on three threads: stages")
    fixture.fresh("prepare-run")
    reports = Reports(fixture.folder / "reports/run")
    outcome = fixture.make("run", f"BIN={SCRATCH}/release", threads=3, timeout=None, env=reports.environment)
    row.tried = row.survived = len(STAGES) + 2
    if outcome.code:
        reports.say(row, f"code {outcome.code}: {outcome.err[-500:]}")
    reports.count(row)


class Reports:
    """What the sanitizer says, file by file."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)
        rules = ROOT / "Tests/Torture/tsan.txt"
        self.environment = {"TSAN_OPTIONS": f"log_path={folder}/report suppressions={rules} exitcode=0"}

    def say(self, row, what):
        row.survived -= 1
        row.table.failures.append(f"{GROUP}: {row.fault}: {what}")
        print(f"LOST: {row.table.failures[-1]}", flush=True)

    def count(self, row):
        text = "".join(path.read_text(errors="replace") for path in sorted(self.folder.iterdir()))
        for report in re.findall(r"WARNING: ThreadSanitizer:.*?(?:SUMMARY:[^\n]*)", text, re.DOTALL):
            self.say(row, report)
        row.survived = max(row.survived, 0)
        row.end()
