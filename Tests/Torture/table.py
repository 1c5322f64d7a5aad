"""What was tried and what was survived: the table of docs/reliability.md."""

import resource
import sys
import time

#: Groups as the table has them.
ORDER = [
    "kill", "failing calls", "damage", "fuzzing", "data races", "at once", "leakage", "reproducibility", "memory",
    "hostile rows",
]
#: What is counted there are inputs and tests.
NOT_FAULTS = {"fuzzing", "data races"}


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

    @staticmethod
    def merged(text, newer):
        """The rows of an earlier table, those of newly tried groups replaced, in the order of groups."""
        groups = [row.group for row in newer.rows]
        merged = Table()
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if len(cells) == 4 and cells[2].replace(",", "").isdigit() and cells[0] not in groups:
                row = merged.row(cells[0], cells[1])
                row.tried = int(cells[2].replace(",", ""))
                row.survived, row.note = (int(cells[3].replace(",", "")), "") if row.tried else (0, cells[3])
        merged.rows += newer.rows
        merged.rows.sort(key=lambda row: ORDER.index(row.group))
        return merged

    def sum(self):
        faults = [row for row in self.rows if row.group not in NOT_FAULTS]
        tried, survived = (sum(getattr(row, what) for row in faults) for what in ("tried", "survived"))
        return f"{survived:,} of {tried:,} faults survived"

    def markdown(self):
        lines = ["| group | fault | tried | survived |", "| --- | --- | ---: | ---: |"]
        for row in filter(lambda row: row.tried or row.note, self.rows):
            survived = f"{row.survived:,}" if row.tried else row.note
            lines.append(f"| {row.group} | {row.fault} | {row.tried:,} | {survived} |")
        return "\n".join(lines) + "\n"


def processor_seconds():
    """Of this process and all that it waited for."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


class Row:
    """A kind of fault, and how often it was tried and survived."""

    def __init__(self, table, group, fault):
        self.table, self.group, self.fault = table, group, fault
        self.tried = self.survived = 0
        self.note = ""
        self.start = time.time(), processor_seconds()

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
        seconds, processor = time.time() - self.start[0], processor_seconds() - self.start[1]
        print(f"{self.group}: {self.fault}: {self.survived} of {self.tried} survived, {seconds:.0f} s, "
              f"processor {processor:.1f} s", file=sys.stderr, flush=True)
