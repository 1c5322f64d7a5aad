# Lectern: from watch logs to each learner's top K courses. `make help` explains, `make all` does everything.
#
# The DAG stands below under "The stages": a rule's target is the manifest a stage writes last; its prerequisites are
# the manifests it reads, its executable, and its own slice of the configuration.

.NOTPARALLEL:
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

RUN     ?= latest
OUT     ?= out
DATASET ?= sample
DATA    ?= data/$(DATASET)/logs
CONFIG  ?= pipeline.yaml
AS_OF   ?=
SET     ?=
THREADS ?=
LAUNCH  ?=
# MPI: stages as ranks (docs/cluster.md), built beside the others
TRAITS  ?= $(if $(LAUNCH),MPI)
CUTS    ?=
LEARNER ?=
WINDOW  ?=
VARIANTS ?=

# A run is a folder of its own: other names are none, or taken.
ifneq ($(words $(RUN)) $(findstring /,$(RUN))$(filter current published import-cache . ..,$(RUN)),1 )
$(error RUN must be one word for a folder of its own, found "$(RUN)")
endif
ifneq ($(words $(OUT)),1)
$(error OUT must be a path without blanks, found "$(OUT)")
endif
ifneq ($(THREADS),)
ifeq ($(shell [[ '$(THREADS)' =~ ^[1-9][0-9]*$$ ]] && echo number),)
$(error THREADS must be a number from 1, found "$(THREADS)")
endif
endif

R := $(OUT)/$(RUN)
BIN   := $(if $(TRAITS),bin-mpi,bin)
BUILD := $(if $(TRAITS),.build-mpi,.build)
SWIFT_BUILD := swift build -c release $(if $(TRAITS),--traits $(TRAITS) --scratch-path $(BUILD),--build-tests)
STAGES := import-logs filter-watches build-cooccurrence train-ncf train-glmix blend export-topk evaluate render-report
TOOLS  := generate-logs prepare-run publish-run inspect-shards recommend
FLAGS  := --run $(R) $(if $(THREADS),--threads $(THREADS)) $(if $(LOG_FORMAT),--log-format $(LOG_FORMAT))
SELF   := $(MAKE) --no-print-directory
# Without "Nothing to be done": make dies of it if nobody reads its output.
QUIET  := $(SELF) --silent

# One writer per run: every stage inherits the lock's descriptor, so it lasts until the last orphan is gone.
# Ranks cannot inherit it from their launcher: they are told.
locked = { mkdir -p $(R) && : >>$(R)/.lock; } 2>/dev/null \
  || { echo 'lectern: error: $(R) cannot be written to; say OUT=… or give this user the right to it' >&2; exit 73; }; \
  LECTERN_LOCK=$(R)/.lock flock -n -E 75 $(R)/.lock $(SELF) $(1) || { code=$$?; [ $$code -ne 75 ] \
  || echo 'lectern: error: $(R) is being worked on; wait for it (make status tells who)' >&2; exit $$code; }

##@ Main

help: ## This text
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z][a-z-]*:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nStages (each brings its inputs up to date, then runs):\n  %s\n' "$(STAGES)"
	@printf '\nVariables: RUN=%s OUT=%s DATASET=%s DATA=%s CONFIG=%s AS_OF=%s THREADS=%s\n  SET="ncf.epochs=20 export.k=50", LAUNCH, IMPORT_FLAGS="--cache-mib 0", LOG_FORMAT=json,\n  CUTS and WINDOW (backtest, compare), VARIANTS (compare),\n  LEARNER (recommend), STAGE or FILE, CMD (inspect)\n' \
	  "$(RUN)" "$(OUT)" "$(DATASET)" "$(DATA)" "$(CONFIG)" "$(AS_OF)" "$(THREADS)"

all: setup build run ## Everything: set up, build, run all stages, publish, show the result

run: ## The same without set-up and build: what cron needs
	@$(call locked,locked-run)

setup: ## Install missing system packages (as root or by sudo -n; never asks)
	@Tools/setup $(if $(filter MPI,$(TRAITS)),mpirun)

build: ## Compile once; an executable in bin/ changes only if its bytes differ
	@if [ -d Sources ]; then $(SWIFT_BUILD) && $(SELF) install-bin; fi

test: setup build ## All tests
	swift test -c release --skip-build

status: ## Per stage, as the run was last prepared: done, stale and why, missing, running; seconds, memory; last failure
	@$(BIN)/prepare-run status --run $(R)

recommend: ## One learner's list with scores, reasons and rung: make recommend LEARNER=…
	@$(if $(LEARNER),,$(error whose list? make recommend LEARNER=…))
	@$(BIN)/recommend --run $(R) -- '$(subst ','\'',$(LEARNER))'

inspect: ## Look into shards: make inspect STAGE=watched CMD=head
	@$(BIN)/inspect-shards $(or $(CMD),ls) $(if $(FILE),$(FILE),$(R)/$(STAGE))

report: render-report ## The page that explains a run: report/index.html

history: ## Metrics of the published runs over time: history.html in OUT
	@$(BIN)/render-report history --out $(OUT)

##@ Proof

backtest: setup build ## The pipeline at earlier times, and what came after: CUTS=5 or CUTS="2020-11-18 .5 .6", WINDOW=…
	@SET='$(SET)' Tools/backtest "$(DATASET)" "$(DATA)" "$(OUT)" "$(CUTS)" "$(WINDOW)"

compare: setup build ## NCF and its variants beside all baselines at the cuts of a backtest; VARIANTS="name:settings …"
	@SET='$(SET)' VARIANTS='$(VARIANTS)' Tools/compare "$(DATASET)" "$(DATA)" "$(OUT)" "$(CUTS)" "$(WINDOW)"

leak-check: setup build ## Change everything after T and show that nothing before changes
	swift test -c release --skip-build --filter LeakTests

torture: setup build ## Kills, failing calls, damage, leakage and more, a build with the address sanitizer included; writes docs/reliability.md
	@python3 -B Tests/Torture/torture.py --write

torture-long: setup build ## The same with the large counts, for hours
	@python3 -B Tests/Torture/torture.py --size long --write

# The groups that need no more than a minute; the others are part of torture.
torture-short: setup build ## Some kills, failing calls and hostile rows, in a minute, for CI
	@python3 -B Tests/Torture/torture.py --size short --only kill,failing_calls,hostile

distributed-test: setup ## Stages as ranks of MPI, under mpirun and Slurm: the bytes of one process
	@$(SELF) build TRAITS=MPI
	@Tests/Distributed/run

# Each parser for FUZZ_SECONDS; what it finds goes to Tests/FuzzCorpus, as <parser>-<digest>.
fuzz: setup ## libFuzzer with address sanitizer on every parser: FUZZ_SECONDS=10 each, FUZZ_RUNS=50000000 instead
	@Tools/fuzz $(or $(FUZZ_SECONDS),10) $(FUZZ_RUNS)

test-tsan: setup build ## The suite and a whole run under the thread sanitizer, in a build of its own
	@python3 -B Tests/Torture/torture.py --only data_races

bench: setup build ## A generated platform of 200,000 learners × 16,000 courses, stage by stage
	@Tools/bench

bench-data: setup build ## import-logs against pyarrow, co-watch similarity against sparse_dot_topn
	@Tests/Benchmarks/data-path.sh

bench-growth: setup build ## CPU seconds, memory and bytes of the stages at 20,000, 200,000 and 5,200,000 learners; draws docs/growth.svg
	@[ -x .venv-bench/bin/python ] || python3 -m venv .venv-bench; .venv-bench/bin/pip -q install matplotlib
	@.venv-bench/bin/python -B Tests/Benchmarks/growth.py $(OUT) $(ARGUMENTS)

bench-glmix: setup build ## GLMix's solvers against LIBLINEAR, PyTorch and SciPy (about 2 GB of memory and disk)
	@Tools/bench-glmix

bench-ncf: setup build ## NCF training against PyTorch and TensorFlow, on the same examples and cores
	@Tools/bench-ncf

bench-ranks: setup ## Scaling from one rank to two, one thread each: train-ncf and blend
	@$(SELF) build TRAITS=MPI
	@python3 -B Tests/Benchmarks/ranks.py

bench-topk: setup build ## Scoring and selection against faiss, PyTorch, NumPy and implicit; MODELS=RUN: a run's own models
	@MODELS='$(MODELS)' Tools/bench-topk

bench-serving: setup build ## Looking lists up and publishing them, for LEARNERS=1000000 learners
	@Tools/bench-serving

##@ Shipping

dist: ## dist/lectern-….tar.gz: executables, Swift's runtime libraries, man pages, completions
	@Tools/setup patchelf
	@$(SELF) build && Tools/dist

dist-test: ## Run that tar in a fresh Debian without Swift (needs root) and compare with a run here
	@Tools/setup debootstrap
	@ls dist/lectern-*.tar.gz >/dev/null 2>&1 || $(SELF) dist
	@Tools/dist-test

##@ Care

lint: ## Formatting and style
	swift format lint --strict --recursive Sources Tests Package.swift

format: ## Reformat in place
	swift format --in-place --recursive Sources Tests Package.swift

docs: bin/prepare-run ## Write pipeline.yaml and docs/configuration.md from the declarations in the code
	$(BIN)/prepare-run defaults > pipeline.yaml
	$(BIN)/prepare-run defaults --markdown > docs/configuration.md

clean: ## Remove build products (no run, no data)
	rm -rf .build .build-mpi bin bin-mpi

clean-run: ## Remove the run folder of RUN
	@[ ! -e $(R) ] || [ -e $(R)/.lock ] || { echo 'lectern: error: $(R) is no run folder' >&2; exit 64; }
	@[ ! -e $(R) ] || flock -n -E 75 $(R)/.lock rm -rf $(R) \
	  || { echo 'lectern: error: $(R) is being worked on' >&2; exit 75; }

.PHONY: help all setup build test status recommend inspect report history lint format docs clean clean-run
.PHONY: backtest compare leak-check distributed-test torture torture-short torture-long fuzz test-tsan
.PHONY: bench bench-growth bench-ranks bench-data bench-glmix bench-ncf bench-topk bench-serving dist dist-test
.PHONY: run stages install-bin locked-run locked-stages locked-stage prepared dag finish $(STAGES)

# The rest works under the lock or on files.

install-bin:
	@set -e; mkdir -p $(BIN); for name in $(STAGES) $(TOOLS); do \
	  if cmp -s $(BUILD)/release/$$name $(BIN)/$$name; then rm -f $(BIN)/.$$name.new; else \
	    cp $(BUILD)/release/$$name $(BIN)/.$$name.new; mv $(BIN)/.$$name.new $(BIN)/$$name; fi; done

# Whatever comes of it, OUT/metrics.prom tells a monitoring system (of another RUN than latest, OUT/RUN/metrics.prom).
locked-run:
	@rm -f $(R)/failed.json; code=0; { $(QUIET) prepared && $(QUIET) dag && $(QUIET) $(R)/report/manifest.json && $(QUIET) finish; } || code=$$?; \
	  $(BIN)/prepare-run monitoring --run $(R) --code $$code; exit $$code

# All stages but neither report nor publication: what a backtest needs.
stages:
	@$(call locked,locked-stages)

locked-stages:
	@$(SELF) prepared && $(SELF) dag

locked-stage:
	@$(SELF) prepared && $(SELF) -W $(R)/config/$(FORCED).json $(TARGET)

# Phase 1: check the whole configuration, write slices, repair. The default dataset is generated first.
prepared: $(if $(filter data/sample/logs,$(DATA)),data/sample/logs/courses.csv)
	@$(BIN)/prepare-run --run $(R) --config '$(CONFIG)' --dataset data/$(DATASET)/dataset.yaml --data '$(DATA)' \
	  $(if $(AS_OF),--as-of "$(AS_OF)") $(if $(SET),--set '$(SET)') $(if $(LOG_FORMAT),--log-format $(LOG_FORMAT))

# Several runs may want it at once: who comes second finds it.
data/sample/logs/courses.csv: $(BIN)/generate-logs
	@flock data/sample sh -c '[ $@ -nt $< ] || exec $< --out data/sample/logs'

# Phase 2: whatever is not up to date.
dag: $(R)/metrics/manifest.json

finish:
	@$(BIN)/publish-run $(FLAGS)
# What was published stays so, even if nobody reads what is shown.
	@cat $(R)/metrics/table.txt || true
	@$(BIN)/export-topk show --run $(R) --learners 3 || true
	@(printf '\nreport: %s/report/index.html   lists: %s/topk\nnext: open the report, make inspect STAGE=topk, make status, make backtest\n' $(R) $(R)) || true

## The stages

# $(call stage,executable,folder,folders read)
define stage
$(R)/$(2)/manifest.json: $(3:%=$(R)/%/manifest.json) $(R)/config/$(1).json $(BIN)/$(1)
	@$(LAUNCH) $(BIN)/$(1) $(FLAGS) $(if $(filter import-logs,$(1)),$(IMPORT_FLAGS))
# The stage by name: its inputs are brought up to date, then it runs whether or not it is.
$(1): setup build
	@$$(call locked,locked-stage FORCED=$(1) TARGET=$(R)/$(2)/manifest.json)
endef

$(eval $(call stage,import-logs,logs,))
$(eval $(call stage,filter-watches,watched,logs))
$(eval $(call stage,build-cooccurrence,cowatch,logs watched))
$(eval $(call stage,train-ncf,ncf,logs watched cowatch))
$(eval $(call stage,train-glmix,glmix,logs watched))
$(eval $(call stage,blend,blended,logs watched cowatch ncf glmix))
$(eval $(call stage,export-topk,topk,logs watched cowatch ncf glmix blended))
$(eval $(call stage,evaluate,metrics,logs watched cowatch ncf glmix blended topk))
$(eval $(call stage,render-report,report,logs watched cowatch ncf glmix blended topk metrics))

$(R)/logs/manifest.json: $(R)/config/inputs.txt

# The report shows the gates, so they are evaluated before it; publish-run evaluates them again and publishes.
$(R)/report/manifest.json: $(R)/gates.json
$(R)/gates.json: $(R)/metrics/manifest.json $(R)/config/publish-run.json $(BIN)/publish-run
	@$(BIN)/publish-run $(FLAGS) --gates-only
