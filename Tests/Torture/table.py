"""What was tried and what was survived: the table of docs/reliability.md."""

import sys
import time


class Size:
    """How much is tried."""

    def __init__(self, name):
        self.name = name

    def __call__(self, short, normal, long):
        return {"short": short, "normal": normal, "long": long}[self.name]


class Table:
    def __init__(self):
        self.rows = []
        self.failures = []

    def row(self, group, fault):
        row = Row(self, group, fault)
        self.rows.append(row)
        return row

    def markdown(self):
        lines = ["| group | fault | tried | survived |", "| --- | --- | ---: | ---: |"]
        for row in self.rows:
            survived = f"{row.survived:,}" if row.tried else row.note
            lines.append(f"| {row.group} | {row.fault} | {row.tried:,} | {survived} |")
        return "\n".join(lines) + "\n"


class Row:
    """A kind of fault. `with row.trial(what) as wrong: wrong(message)` for each try."""

    def __init__(self, table, group, fault):
        self.table, self.group, self.fault = table, group, fault
        self.tried = self.survived = 0
        self.note = ""
        self.start = time.time()

    def count(self, what, wrong):
        """`wrong`: what went wrong, or nothing."""
        self.tried += 1
        if wrong:
            self.table.failures.append(f"{self.group}: {self.fault}: {what}: {wrong}")
            print(f"LOST: {self.table.failures[-1]}", file=sys.stderr, flush=True)
        else:
            self.survived += 1

    def skip(self, why):
        self.note = f"not tried: {why}"
        print(f"{self.group}: {self.fault}: {self.note}", file=sys.stderr, flush=True)

    def end(self):
        seconds = time.time() - self.start
        print(f"{self.group}: {self.fault}: {self.survived} of {self.tried} survived, {seconds:.0f} s",
              file=sys.stderr, flush=True)
