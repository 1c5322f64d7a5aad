"""Examples of a prepared run as raw arrays, the same for every side: arrays.py RUN FOLDER

Reads RUN/watched and RUN/cowatch (safetensors in gzip). Training examples are the four newest snapshot cuts before t_v
of every learner with a context and labels; the course rows are the similarity at the oldest of these cuts, so that no
label helped to make an input. Validation learners: 4,096 with a context before t_v and labels in [t_v, T).
"""
import glob
import gzip
import json
import os
import sys

import numpy as np
from safetensors.numpy import load

run, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
facts = json.load(open(f"{run}/watched/manifest.json"))
as_of, facts = facts["as_of"], facts["facts"]
validation, window, history = facts["validation"], facts["label_window_seconds"], facts["history_seconds"]
cuts = sorted(facts["fit_snapshots"])[-4:]


def shard(path):
    return load(gzip.open(path).read())


shards = [shard(path) for path in sorted(glob.glob(f"{run}/watched/watched-*.gz"))]


def examples(cut, end):
    """(context, labels) of every learner with both."""
    for table in shards:
        offsets, courses, times = table["course.offsets"], table["course"], table["time"]
        for learner in range(len(offsets) - 1):
            at = offsets[learner] + np.searchsorted(
                times[offsets[learner]:offsets[learner + 1]], [cut - history, cut, end])
            if at[0] < at[1] < at[2]:
                yield courses[at[0]:at[1]], courses[at[1]:at[2]]


def write(name, values, kind):
    np.ascontiguousarray(values, dtype=kind).tofile(f"{folder}/{name}.bin")


def write_lists(name, lists):
    write(f"{name}.offsets", np.concatenate([[0], np.cumsum([len(x) for x in lists])]), "<i8")
    write(name, np.concatenate(lists), "<u4")


train = [pair for cut in cuts for pair in examples(cut, min(cut + window, validation))]
valid = list(examples(validation, as_of))
valid = [valid[i] for i in sorted(np.random.default_rng(1).permutation(len(valid))[:4096])]
for kind, pairs in [("train", train), ("valid", valid)]:
    write_lists(f"{kind}.context", [context for context, _ in pairs])
    write_lists(f"{kind}.labels", [labels for _, labels in pairs])
similarity = shard(f"{run}/cowatch/similarity-{cuts[0]}.safetensors.gz")
keys = sorted(key for key in similarity if not key.endswith(".offsets"))
columns = next(key for key in keys if similarity[key].dtype == np.uint32)
values = next(key for key in keys if similarity[key].dtype == np.float32)
write("rows.offsets", similarity[f"{columns}.offsets"], "<i8")
write("rows.columns", similarity[columns], "<u4")
write("rows.values", similarity[values], "<f4")
print(f"{len(train)} training examples, {sum(len(l) for _, l in train)} labels, "
      f"{sum(len(c) for c, _ in train) / len(train):.1f} courses a context; {len(valid)} validation learners; "
      f"{len(similarity[columns + '.offsets']) - 1} courses, {len(similarity[columns])} co-watch entries")
