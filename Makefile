# `make all`: the environment, then the default experiment; `make quick`: a smaller one. `make test`: the environment, then the tests.
PYTHON ?= python3.11
# As many as the machine has, and no more than its memory allows: a job of the default experiment takes up to 1.8 GB.
CORES ?= $(shell $(PYTHON) -c 'import os; gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 10**9; \
	print(max(1, min(os.cpu_count(), gigabytes // 2)))')
# The URL of a package index with CPU builds of torch; by default torch is what pip's own index holds.
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?=
# Whatever else snakemake takes, for all, plan, preflight and accept: make plan ARGS="--config seeds=[1]"
ARGS ?=
CONFIGFILE := $(if $(CONFIG),--configfile $(CONFIG)) $(ARGS)

.PHONY: all quick demo beside environment test test-quick faults browser slurm preflight rehearse plan resources accept verify audit conformance lint reference lock clean

all: $(VENV)/installed
	$(BIN)/python -m lossgeometry.experiment.layers $(CONFIG)
	$(BIN)/snakemake --cores $(CORES) all $(CONFIGFILE)

# A first page: student, rollouts, three losses, tables and summary, all real and all small.
quick: $(VENV)/installed
	$(BIN)/snakemake --configfile config/quick.yaml --cores $(CORES) all

# The pictures of the README and docs/demo.html, from the finished default experiment (RESULTS=... for a copy of it).
demo: $(VENV)/installed
	PYTHONPATH=workflow/scripts $(BIN)/python -m lossgeometry.report.demo $(or $(RESULTS),results/tiny)

# Two finished experiments on one page, beside.html: make beside RESULTS=results/tiny OTHER=results/small
beside: $(VENV)/installed
	$(BIN)/python workflow/scripts/compare_experiments.py $(or $(RESULTS),results/tiny) --compare $(OTHER)

# The environment alone: the package `lossgeometry` for notebooks, and everything that the workflow needs.
environment: $(VENV)/installed

# What the experiment needs of this machine (GPU memory, disk, revisions, versions, endpoint), and what it would cost.
preflight: $(VENV)/installed
	$(BIN)/python workflow/scripts/check_setup.py $(CONFIGFILE)

# A real step of every method on its longest rows, in the engine and batch it will have: memory, speed, hours, before the days are spent.
rehearse: $(VENV)/installed
	$(BIN)/snakemake --cores $(CORES) prepared $(CONFIGFILE)
	$(BIN)/python workflow/scripts/rehearse.py $(CONFIGFILE)

# Jobs that a change would run, and what they are expected to cost.
plan: $(VENV)/installed
	$(BIN)/python workflow/scripts/print_plan.py $(CONFIGFILE)

# What SLURM is to be asked for, from what the jobs of an experiment took: RESULTS=results/tiny.
resources: $(VENV)/installed
	$(BIN)/python workflow/scripts/print_resources.py $(RESULTS)

# After a change that you judge to be without effect: record the results as current instead of computing them again.
accept: $(VENV)/installed
	$(BIN)/python workflow/scripts/accept_results.py $(CONFIGFILE)

# Which known loss a loss of your own is, before any training: make audit METHOD=my_loss.py [ROLLOUTS=results/...].
audit: $(VENV)/installed
	PYTHONPATH=workflow/scripts $(BIN)/python workflow/scripts/audit_method.py $(METHOD) $(if $(ROLLOUTS),--rollouts $(ROLLOUTS))

# A batch for another trainer: make conformance BATCH=results/tiny/batch; then what it computes: with ADAPTER=... METHOD=sft.
conformance: $(VENV)/installed
	PYTHONPATH=workflow/scripts $(BIN)/python workflow/scripts/check_conformance.py $(BATCH) $(if $(ADAPTER),--adapter $(ADAPTER)) $(if $(METHOD),--method $(METHOD))

# Compute the digests that results claim again, here or in a copy: make verify RESULTS=/somewhere/results/tiny
verify: $(VENV)/installed
	$(BIN)/python workflow/scripts/verify_results.py $(RESULTS)

# What takes longest begins first.
test: $(VENV)/installed
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder tests/integration/test_experiment.py tests/plan tests/unit

# The inner loop of an edit: unit and plan tests, in less than two minutes on two cores.
test-quick: $(VENV)/installed
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow" tests/unit tests/plan

# Killed jobs and controllers, full and read-only disks, damaged files; every file in a storage.
faults: $(VENV)/installed
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder tests/integration/test_storage.py tests/integration/test_faults.py

# Tests that need a browser, and SLURM's packages; they say what is missing.
browser slurm: $(VENV)/installed
	$(BIN)/pytest -rs tests/$@

lint: $(VENV)/installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/Snakefile workflow/rules
	$(BIN)/mypy
	mkdir -p build && cat resources/explorer/*.js > build/page.js  # one scope in the page, so one file here
	$(BIN)/oxlint --no-ignore build/page.js
	$(BIN)/hadolint Dockerfile
	$(BIN)/snakemake --lint

# config/README.md and config/schema.json, from the configuration's models; docs/measurements.md, from the page's definitions; docs/tables.md, from the stages.
reference: $(VENV)/installed
	PYTHONPATH=workflow/scripts $(BIN)/python -m lossgeometry.experiment.reference
	PYTHONPATH=workflow/scripts $(BIN)/python -m lossgeometry.explorer.glossary
	PYTHONPATH=workflow/scripts $(BIN)/python -m lossgeometry.report.data_dictionary

$(VENV)/installed: pyproject.toml envs/cpu.yaml envs/dev.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	TORCH_INDEX=$(TORCH_INDEX) envs/install.sh $(BIN)/python envs/cpu.yaml envs/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/pip check
	touch $@

# After a change of a pin: every package that the environments bring, with the digests of its files.
lock:
	test -x build/lock/bin/uv || ($(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet uv==0.13.9 packaging==25.0)
	build/lock/bin/python envs/lock.py

clean:
	rm -rf $(VENV)
