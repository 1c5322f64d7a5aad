"""Group 3: damaged, swapped, backdated files. What a stage reads is refused with file and place named, before any of it
is used; make mends the rest. The bits themselves are flipped in Tests/ShardsTests/DamageTests.swift, in one process."""

import os
import re
import shutil

from fixture import ROOT, STAGES, content, difference, run

GROUP = "damage"
#: For each stage one that reads it.
READERS = {
    "import-logs": "filter-watches", "filter-watches": "build-cooccurrence", "build-cooccurrence": "train-ncf",
    "train-ncf": "blend", "train-glmix": "blend", "blend": "export-topk", "export-topk": "evaluate",
    "evaluate": "publish-run",
}


def torture(fixture, table, size):
    if size.name != "short":  # make test has had it
        every_bit(fixture, table, size(0, 2000, 10_000))
    if shutil.which("strace"):
        flipped_and_seen(fixture, table, size(1, 6, 40), size(3, 1, 1))
        if size.name != "short":
            swapped(fixture, table)
        checkpoints(fixture, table, size(6, 1, 1))
    else:
        table.row(GROUP, "a bit of a stage's shard; shards swapped").skip("strace is not there")
    removed(fixture, table, size(8, 1, 1))
    manifests(fixture, table, size(8, 1, 1))
    configuration(fixture, table, size(8, 1, 1))
    published(fixture, table, size(4, 1, 1))
    inputs(fixture, table, size(3, 1, 1))


def every_bit(fixture, table, random):
    """Runs the tests of damage on the shards of a real run, and takes over their counts."""
    counts = fixture.folder / "counts.tsv"
    fixture.fresh("done")
    outcome = run(["swift", "test", "-c", "release", "--skip-build", "--filter", "DamageTests"], timeout=6000, env={
        "TORTURE_RUN": str(fixture.latest), "TORTURE_COUNTS": str(counts),
        "TORTURE_RANDOM": str(random)})
    if not counts.exists():
        table.row(GROUP, "bits, lengths, random damage").count("DamageTests", (outcome.out + outcome.err)[-500:])
        return
    for line in counts.read_text().splitlines():
        fault, tried, survived, harmless = line.split("\t")
        row = table.row(GROUP, fault)
        row.tried, row.survived = int(tried), int(survived)
        if row.tried != row.survived:
            table.failures.append(f"{GROUP}: {fault}: {row.tried - row.survived} passed: {outcome.out[-500:]}")
        row.end()


def refused(fixture, reader, *names):
    """Runs a reader by hand. Empty if it refuses with one line that names one of the files and touches nothing."""
    before = content(fixture.work)
    outcome = run(fixture.stage(reader))
    if outcome.code not in (65, 66) or len(outcome.complaints) != 1:
        return f"{reader}: code {outcome.code}: {outcome.err[-300:]}"
    if not any(name in outcome.complaints[0] for name in names):
        return f"{reader} does not name {names}: {outcome.complaints[0]}"
    return difference(content(fixture.work), before)


def mended(fixture, reader, also_by_name=None):
    """make, and where the refusal says so make STAGE, bring everything back. (make alone looks at sizes, not at content, of
    what no stage has to read.)"""
    outcome = fixture.make("stages")
    if also_by_name and (outcome.code or difference(content(fixture.work), fixture.expected)):
        target = f"TARGET={fixture.manifest(STAGES[also_by_name])}"
        fixture.make("locked-stage", f"FORCED={also_by_name}", target)
        outcome = fixture.make("stages")
    if outcome.code:
        return f"make stages: {outcome.err[-300:]}"
    return difference(content(fixture.work), fixture.expected)


def shards(fixture, stage):
    return sorted((fixture.latest / STAGES[stage]).rglob("*.safetensors.gz"))


def flipped_and_seen(fixture, table, count, every):
    """One bit in a shard that the next stage reads: its size is the same, so only reading can tell."""
    row = table.row(GROUP, "a bit of a stage's shard, seen by the next stage, mended by make")
    for stage, reader in list(READERS.items())[:-1:every]:  # the last shards are read by nothing that follows
        reads = read_by(fixture, reader, STAGES[stage])
        for path in reads[:: max(1, len(reads) // count)][:count]:
            fixture.fresh("done")
            raw = bytearray(path.read_bytes())
            raw[len(raw) // 2] ^= 16
            path.unlink()
            path.write_bytes(raw)
            wrong = refused(fixture, reader, path.name)
            # The reader's own output is out of date for make, or nothing would read the shard again.
            (fixture.latest / reader_folder(reader) / "manifest.json").unlink(missing_ok=True)
            row.count(path.name, wrong or mended(fixture, reader, stage))
    row.end()


def reader_folder(reader):
    return STAGES.get(reader, "none")


def read_by(fixture, reader, folder):
    """Shards of a folder that a stage opens."""
    fixture.fresh("done")
    log = fixture.folder / "reads.txt"
    fixture.check(run(["strace", "-f", "-o", log, "-e", "trace=openat", *fixture.stage(reader)]))
    text = log.read_text(errors="replace")
    fixture.fresh("done")
    return [p for p in shards_of(fixture, folder) if f'"{p}"' in text]


def shards_of(fixture, folder):
    return sorted((fixture.latest / folder).rglob("*.safetensors.gz"))


def swapped(fixture, table):
    """Two shards of a folder change places; a shard of the earlier generation comes back."""
    row = table.row(GROUP, "shards swapped, or of an earlier generation")
    for stage, reader in READERS.items():
        pair = [p for p in read_by(fixture, reader, STAGES[stage])]
        twins = [(a, b) for a in pair for b in pair if a < b and re.sub(r"\d", "", a.name) == re.sub(r"\d", "", b.name)]
        if twins:
            one, other = twins[0]
            keep = one.read_bytes()
            one.unlink(), one.write_bytes(other.read_bytes())
            other.unlink(), other.write_bytes(keep)
            row.count(f"{one.name} and its neighbour", refused(fixture, reader, one.name, other.name))
        for path in pair[:2]:
            fixture.fresh("done")
            old = fixture.states / "prepare-run" / path.relative_to(fixture.work)
            if old.exists() and old.read_bytes() != path.read_bytes():
                path.unlink()
                shutil.copy2(old, path)
                row.count(f"old {path.name}", refused(fixture, reader, path.name) or mended(fixture, reader, stage))
    row.end()


def removed(fixture, table, every):
    row = table.row(GROUP, "a file cut, emptied or removed, mended by make")
    for stage in list(STAGES)[::every]:
        for path in shards(fixture, stage)[:1] + [fixture.latest / STAGES[stage] / "manifest.json"]:
            for how in ("cut", "emptied", "removed"):
                fixture.fresh("done")
                raw = path.read_bytes()
                path.unlink()
                if how != "removed":
                    path.write_bytes(raw[: len(raw) // 2] if how == "cut" else b"")
                row.count(f"{how} {path.parent.name}/{path.name}", mended(fixture, None))
    row.end()


def manifests(fixture, table, every):
    """A manifest of an earlier generation comes back, alone or with its folder."""
    row = table.row(GROUP, "manifests and whole folders of an earlier generation, backdated or not")
    for stage in list(STAGES)[::every]:
        folder = fixture.latest / STAGES[stage]
        old = fixture.states / "prepare-run/latest" / STAGES[stage]
        for what in ("manifest", "manifest, new date", "folder", "folder, new date"):
            fixture.fresh("done")
            if what.startswith("manifest"):
                (folder / "manifest.json").unlink()
                shutil.copy2(old / "manifest.json", folder / "manifest.json")
            else:
                shutil.rmtree(folder)
                shutil.copytree(old, folder)
            if "new date" in what:
                os.utime(folder / "manifest.json")
            row.count(f"{what} of {folder.name}", mended(fixture, None, stage))
    row.end()


def checkpoints(fixture, table, every):
    """train-ncf is killed between two epochs; of a damaged checkpoint it takes nothing, and says which file is why."""
    row = table.row(GROUP, "checkpoint of train-ncf: a bit, cut, emptied, removed, swapped; ignored, and said so")
    calls = fixture.calls("train-ncf")
    done = [i for i, call in enumerate(calls) if call.name == "rename" and 'ncf.checkpoint"' in call.text.split(", ")[1]]
    fixture.fresh("train-ncf")
    fixture.inject("train-ncf", calls[done[-1] + 1], "signal=SIGKILL")
    folder = fixture.latest / "ncf.checkpoint"
    files = sorted(path.name for path in folder.iterdir())
    keep = fixture.folder / "states/checkpoint"
    shutil.rmtree(keep, ignore_errors=True)
    shutil.copytree(fixture.work, keep, symlinks=True)
    fixture.fresh("checkpoint")
    outcome = run(fixture.stage("train-ncf"))
    row.count("undamaged", trained(fixture, outcome) or "goes on after epoch" not in outcome.err and outcome.err[-300:])
    trials = [(name, how) for name in files for how in ("bit", "cut", "emptied", "removed", "swapped")]
    for name, how in trials[::every]:
        fixture.fresh("checkpoint")
        path, raw = folder / name, bytearray((folder / name).read_bytes())
        raw[len(raw) // 2] ^= 4
        other = (folder / files[files.index(name) - 1]).read_bytes()
        path.unlink()
        if how != "removed":
            path.write_bytes({"bit": raw, "cut": raw[: len(raw) // 2], "emptied": b"", "swapped": other}[how])
        outcome = run(fixture.stage("train-ncf"))
        said = any("is ignored" in line and (name in line or name == "manifest.json") for line in outcome.err.splitlines())
        # Without its manifest there is no checkpoint: nothing to say.
        silent = name == "manifest.json" and how == "removed"
        row.count(f"{how} {name}", trained(fixture, outcome) or not (said or silent) and outcome.err[-300:])
    row.end()


def trained(fixture, outcome):
    found, expected = content(fixture.latest / "ncf"), content(fixture.states / "done/latest/ncf")
    return outcome.err[-300:] if outcome.code else difference(found, expected)


def configuration(fixture, table, every):
    """A flipped bit in every byte of pipeline.yaml's values cannot be told from a wish; one in a slice can."""
    row = table.row(GROUP, "slices of the configuration: a bit, cut, removed, of another stage")
    for stage in list(STAGES)[::every]:
        path = fixture.latest / f"config/{stage}.json"
        for what in ("bit", "digit", "cut", "removed", "another"):
            fixture.fresh("done")
            raw = path.read_bytes()
            path.unlink()
            if what == "bit":
                path.write_bytes(raw[:90] + bytes([raw[90] ^ 1]) + raw[91:])
            elif what == "digit":
                at = next((m.start() for m in re.finditer(rb"\d", raw[110:])), 0) + 110
                path.write_bytes(raw[:at] + (b"7" if raw[at:at + 1] != b"7" else b"3") + raw[at + 1:])
            elif what == "cut":
                path.write_bytes(raw[:-20])
            elif what == "another":
                path.write_bytes((fixture.latest / "config/publish-run.json").read_bytes())
            outcome = run(fixture.stage(stage))
            right = outcome.code in (66, 78) and len(outcome.complaints) == 1 and path.name in outcome.complaints[0]
            wrong = "" if right else f"code {outcome.code}: {outcome.err[-300:]}"
            row.count(f"{what} of {path.name}", wrong or mended(fixture, None))
    row.end()
    row = table.row(GROUP, "pipeline.yaml and dataset.yaml: cut, not UTF-8, not YAML, of the wrong shape")
    fixture.fresh("done")
    shipped = (ROOT / "pipeline.yaml").read_bytes()
    dataset = (ROOT / "data/sample/dataset.yaml").read_bytes()
    for option, raw in (("--config", shipped), ("--dataset", dataset)):
        path = fixture.folder / "damaged.yaml"
        for what, broken in {
            "not UTF-8": raw[:50] + b"\xff\xfe" + raw[50:], "NUL": raw[:50] + b"\0" + raw[50:],
            "a list": b"- a\n- b\n", "a tab": raw + b"\n\tx: 1\n", "unknown key": raw + b"\nnothing_known:\n  a: 1\n",
            "unclosed": raw + b"\nx: [1, 2\n", "deep": b"[" * 5000, "alias bomb": alias_bomb(), "number": b"7\n",
        }.items():
            path.write_bytes(broken)
            command = [str(part) for part in fixture.stage("prepare-run")]
            if option in command:
                command[command.index(option) + 1] = str(path)
            else:
                command += [option, str(path)]
            outcome = run(command)
            right = outcome.code == 78 and len(outcome.complaints) == 1 and path.name in outcome.complaints[0]
            row.count(f"{option} {what}", "" if right else f"code {outcome.code}: {outcome.err[-300:]}")
    row.end()


def alias_bomb():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 12):
        lines.append(f"a{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 9) + "]")
    return ("\n".join(lines) + "\n").encode()


def published(fixture, table, every):
    """A damaged publication is refused, and does not keep the next run from going live."""
    row = table.row(GROUP, "what was published before is damaged or gone")
    for what in ("bit", "manifest", "folder", "link")[::every]:
        fixture.fresh("publish-run")
        current = (fixture.work / "current").resolve()
        path = sorted((current / "topk").glob("topk-*.safetensors.gz"))[0]
        if what == "bit":
            raw = bytearray(path.read_bytes())
            raw[len(raw) // 2] ^= 1
            path.unlink()
            path.write_bytes(raw)
        elif what == "manifest":
            (current / "topk/manifest.json").unlink()
        elif what == "folder":
            shutil.rmtree(current)
        else:
            (fixture.work / "current").unlink()
        outcome = fixture.make("run")
        expected = {p: d for p, d in fixture.expected.items() if p.startswith("latest/") and "gates" not in p}
        found = {p: d for p, d in content(fixture.work).items() if p.startswith("latest/") and "gates" not in p}
        wrong = outcome.err[-300:] if outcome.code else difference(found, expected)
        if not wrong and os.readlink(fixture.work / "current") != fixture.expected["current"][3:]:
            wrong = "not current"
        row.count(what, wrong)
    row.end()


def inputs(fixture, table, every):
    """Log files that are cut, damaged or missing: refused with the file's name, the old logs/ stays."""
    row = table.row(GROUP, "log files cut, damaged, emptied, missing")
    data = fixture.folder / "damaged"
    for name in ("watches-000.csv.gz", "engagements-000.csv.gz", "learners.csv.gz", "courses.csv"):
        for what in ("cut", "bit", "emptied", "missing", "folder")[::every]:
            fixture.fresh("import-logs")
            shutil.rmtree(data, ignore_errors=True)
            shutil.copytree(fixture.logs, data)
            path = data / name
            raw = bytearray(path.read_bytes())
            path.unlink()
            if what == "cut":
                path.write_bytes(raw[: len(raw) // 2])
            elif what == "bit":
                raw[len(raw) // 2] ^= 8
                path.write_bytes(raw)
            elif what == "emptied":
                path.write_bytes(b"")
            elif what == "folder":
                path.mkdir()
            plain = not name.endswith(".gz") and what in ("cut", "bit")
            optional = name.startswith("engagements") and what == "missing"
            before = content(fixture.latest / "logs")
            outcome = fixture.make("run", data=data)
            if plain or optional:
                continue  # cannot be told from other data
            # A missing file is named by the pattern that finds nothing.
            named = name.split("-" if what == "missing" else ".")[0].split(".")[0]
            right = outcome.code == 2 and len(outcome.complaints) == 1 and named in outcome.complaints[0]
            wrong = "" if right else f"code {outcome.code}: {outcome.err[-300:]}"
            row.count(f"{name} {what}", wrong or difference(content(fixture.latest / "logs"), before))
    row.end()
