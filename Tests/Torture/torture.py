"""make torture: faults of every kind against the real executables, and the table of docs/reliability.md.

    python3 Tests/Torture/torture.py [--size short|normal|long] [--only GROUP[,GROUP…]] [--folder FOLDER] [--write]

Exit code 1 if anything was lost.
"""

import argparse
import importlib
import os
import shutil
import sys
import tempfile
import time

from fixture import ROOT, Fixture
from table import Size, Table

GROUPS = ["kill", "failing_calls", "damage", "concurrent", "leakage", "reproducibility", "memory", "hostile"]


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", choices=["short", "normal", "long"], default="normal",
                         help="short: a minute, for CI; long: the large counts, hours")
    options.add_argument("--only", default=",".join(GROUPS), help="groups, by comma: " + ", ".join(GROUPS))
    options.add_argument("--folder", help="where to work; default: a temporary folder, in memory if there is room")
    options.add_argument("--write", action="store_true", help="write the table to docs/reliability.md")
    chosen = options.parse_args()
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="lectern-torture-", dir=chosen.folder or place)
    table, start = Table(), time.time()
    try:
        fixture = Fixture(folder + "/f")
        for name in chosen.only.split(","):
            importlib.import_module(name).torture(fixture, table, Size(chosen.size))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(table.markdown())
    tried, survived = (sum(getattr(row, what) for row in table.rows) for what in ("tried", "survived"))
    print(f"{survived:,} of {tried:,} faults survived; {(time.time() - start) / 60:.0f} min")
    if chosen.write:
        write(table, tried, survived, chosen.size)
    return 1 if table.failures else 0


def write(table, tried, survived, size):
    """Replaces what lies between the marks."""
    path = ROOT / "docs/reliability.md"
    before, rest = path.read_text().split("<!-- table -->\n")[0], path.read_text().split("<!-- end of table -->\n")[1]
    name = "make torture-long" if size == "long" else "make torture"
    text = f"\n`{name}`: {survived:,} of {tried:,} faults survived.\n\n{table.markdown()}\n"
    path.write_text(f"{before}<!-- table -->\n{text}<!-- end of table -->\n{rest}")


if __name__ == "__main__":
    sys.exit(main())
