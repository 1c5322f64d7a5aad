"""make torture: faults of every kind against the real executables, and the table of docs/reliability.md.

    python3 Tests/Torture/torture.py [--size short|normal|long] [--only GROUP[,GROUP…]] [--folder FOLDER] [--write]

`--write` replaces the rows of the chosen groups, so that a group can be tried again alone. Exit code 1 if anything was lost.
"""

import argparse
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

from fixture import ROOT, Fixture
from table import Size, Table, processor_seconds

GROUPS = ["kill", "failing_calls", "damage", "fuzzing", "concurrent", "leakage", "reproducibility", "memory", "hostile"]
#: Apart: a second build of everything, then tests that take many times as long.
APART = ["data_races"]


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", choices=["short", "normal", "long"], default="normal",
                         help="short: a minute, for CI; long: the large counts, hours")
    options.add_argument("--only", default=",".join(GROUPS), help="groups, by comma: " + ", ".join(GROUPS + APART))
    options.add_argument("--folder", help="where to work; default: a temporary folder, in memory if there is room")
    options.add_argument("--write", action="store_true", help="write the table to docs/reliability.md")
    chosen = options.parse_args()
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="lectern-torture-", dir=chosen.folder or place)
    table, start = Table(), time.time()
    try:
        fixture = Fixture(folder + "/f")
        for name in chosen.only.split(","):
            group = importlib.import_module(name)
            try:
                group.torture(fixture, table, Size(chosen.size))
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                table.row(group.GROUP, "the programs of this group").count("stopped", repr(error))
            if chosen.write:
                write(table)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(table.markdown())
    print(f"{table.sum()}; {(time.time() - start) / 60:.1f} min, {processor_seconds() / 60:.1f} min of processor time")
    return 1 if table.failures else 0


def write(table):
    """Replaces the rows of the groups that were tried; those of the others stay."""
    path = ROOT / "docs/reliability.md"
    before, rest = path.read_text().split("<!-- table -->\n")
    old, after = rest.split("<!-- end of table -->\n")
    merged = Table.merged(old, table)
    path.write_text(f"{before}<!-- table -->\n\n{merged.sum()}.\n\n{merged.markdown()}\n<!-- end of table -->\n{after}")


if __name__ == "__main__":
    sys.exit(main())
