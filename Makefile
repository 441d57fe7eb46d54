# `make all`: the environment, then the default experiment. `make test`: the environment, then the tests.
PYTHON ?= python3.11
CORES ?= 8
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?=
CONFIGFILE := $(if $(CONFIG),--configfile $(CONFIG))

.PHONY: all environment test browser slurm preflight plan accept lint reference clean

all: $(VENV)/installed
	$(BIN)/snakemake $(CONFIGFILE) --cores $(CORES) all

# The environment alone: the package `lossgeometry` for notebooks, and everything that the workflow needs.
environment: $(VENV)/installed

# What the experiment needs of this machine (GPU memory, disk, revisions, versions, endpoint), and what it would cost.
preflight: $(VENV)/installed
	$(BIN)/python workflow/scripts/check_setup.py $(CONFIGFILE)

# Jobs that a change would run, and what they are expected to cost.
plan: $(VENV)/installed
	$(BIN)/python workflow/scripts/print_plan.py $(CONFIGFILE)

# After a change that you judge to be without effect: record the results as current instead of computing them again.
accept: $(VENV)/installed
	$(BIN)/python workflow/scripts/accept_results.py $(CONFIGFILE)

test: $(VENV)/installed
	$(BIN)/pytest -n 2 --dist loadfile tests/unit
	$(BIN)/pytest tests/plan tests/integration

# Tests that need a browser, and SLURM's packages; they say what is missing.
browser slurm: $(VENV)/installed
	$(BIN)/pytest -rs tests/$@

lint: $(VENV)/installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/mypy
	mkdir -p build && cat resources/explorer/*.js > build/page.js  # one scope in the page, so one file here
	$(BIN)/oxlint --no-ignore build/page.js
	$(BIN)/snakemake --lint

# config/README.md and config/schema.json, from the configuration's models; docs/measurements.md, from the page's definitions; docs/tables.md, from the stages.
reference: $(VENV)/installed
	PYTHONPATH=workflow/scripts $(BIN)/python -m lossgeometry.experiment.reference
	PYTHONPATH=workflow/scripts $(BIN)/python -m lossgeometry.explorer.glossary
	PYTHONPATH=workflow/scripts $(BIN)/python -m lossgeometry.report.data_dictionary

$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
