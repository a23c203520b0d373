.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

help:
	@echo "make quickstart   install, run a first study on real data, say where the report is"
	@echo "make test         install, run the tests"
	@echo "make lint         install, check format, types and the order of packages"
	@echo "make bench        install, run the benchmarks: one JSON line each; what they read is made in benchmarks/tables"
	@echo "make fuzz         install, edit spaces, studies, tables … at random for ten minutes; no command may end in a traceback"
	@echo "make clean        remove the virtual environment, studies, exports, pictures and reports that are not committed; models stay"

quickstart: .venv/installed-archlab
	$(BIN)/archlab study search_spaces/quickstart.yaml
	@echo "first   source .venv/bin/activate"

test: .venv/installed-dev
	$(BIN)/python -m pytest

lint: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed-bench
	@for script in $$(grep -l __main__ benchmarks/*.py); do $(BIN)/python $$script || exit 1; done

fuzz: .venv/installed-dev
	$(BIN)/python -m tests.fuzz --minutes 10

clean:
	rm -rf .venv studies exports generated
	git clean -dfqX reports

EXTRAS_archlab =
EXTRAS_dev = [dev]
EXTRAS_bench = [dev,litert-torch]
SIZE_archlab = 2 GB, most of it torch
SIZE_dev = 3 GB, with the tools of development
SIZE_bench = 4 GB, with litert-torch to compare with

.venv/installed-%: pyproject.toml
	@echo "Installing archlab and what it uses into .venv: about $(SIZE_$*)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --editable '.$(EXTRAS_$*)'
	@touch $@

.PHONY: help quickstart test lint bench fuzz clean
