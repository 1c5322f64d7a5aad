"""Group 4a: every parser on inputs that libFuzzer makes up, under the address sanitizer (`make fuzz`). What was found before
is replayed by the normal tests (Tests/FuzzTests)."""

import re

from fixture import run

GROUP = "fuzzing"


def torture(fixture, table, size):
    if size.name == "short":  # needs a build of its own
        return
    command = ["Tools/fuzz", size(0, 20, 1), *size([], [], [50_000_000])]
    outcome = run(command, timeout=None)
    found = re.findall(r"^=== (\S+): (\d+) inputs", outcome.out, re.MULTILINE)
    if not found:
        table.row(GROUP, "the fuzzers").count("build", outcome.err[-500:])
    for parser, inputs in found:
        row = table.row(GROUP, f"{parser}: inputs")
        row.tried = row.survived = int(inputs)
        if crash := re.search(rf"Tests/FuzzCorpus/{parser}-\S+", outcome.err):
            row.survived -= 1
            table.failures.append(f"{GROUP}: {crash[0]}")
        row.end()
