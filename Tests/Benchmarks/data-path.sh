#!/usr/bin/env bash
# The data path against its peers, same files, same cores, in turns: make bench-data. LEARNERS and COURSES change the
# size, ROUNDS how often each is measured.
set -euo pipefail
learners=${LEARNERS:-200000} courses=${COURSES:-16000}
folder=${OUT:-out}/bench-$learners
[ -d "$folder/logs" ] || bin/generate-logs --out "$folder/logs" --learners "$learners" --courses "$courses" --days 730 \
    --files 16 --impressions-per-learner 10 --no-learner-truth
[ -x .venv-bench/bin/python ] || python3 -m venv .venv-bench
.venv-bench/bin/pip -q install pyarrow sparse_dot_topn scipy numpy safetensors
exec .venv-bench/bin/python Tests/Benchmarks/data_path.py "$folder"
