"""Log files as lists of rows, for groups that rewrite them."""

import csv
import gzip
import io
from pathlib import Path


def text(path):
    """A file's text, gzipped or not."""
    raw = Path(path).read_bytes()
    return (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()


def read(path, delimiter=","):
    """Header and rows. Tab-separated files have no quotes."""
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    rows = list(csv.reader(io.StringIO(text(path)), delimiter=delimiter, quoting=quoting))
    return rows[0], rows[1:]


def write(path, header, rows, delimiter=","):
    out = io.StringIO()
    if delimiter == "\t":
        out.write("".join("\t".join(row) + "\n" for row in [header, *rows]))
    else:
        csv.writer(out, lineterminator="\n").writerows([header, *rows])
    raw = out.getvalue().encode()
    Path(path).write_bytes(gzip.compress(raw, mtime=0) if str(path).endswith(".gz") else raw)
