.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

help:
	@echo "make quickstart   install, run a first study on real data, say where the report is"
	@echo "make test         install, run the tests"
	@echo "make lint         install, check format, types and the order of packages"
	@echo "make bench        install, run the benchmarks: one JSON line each; what they read is made in benchmarks/tables"
	@echo "make fuzz         install, edit the files of a study at random 2,000 times; no command may end in a traceback"
	@echo "make clean        remove the virtual environment, studies, exports and reports that are not committed"

quickstart: .venv/installed
	$(BIN)/archlab study search_spaces/quickstart.yaml
	@echo "first   source .venv/bin/activate"

test: .venv/installed
	$(BIN)/python -m pytest

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed
	@for script in $$(grep -l __main__ benchmarks/*.py); do $(BIN)/python $$script || exit 1; done

fuzz: .venv/installed
	$(BIN)/python -m tests.fuzz

clean:
	rm -rf .venv studies exports
	git clean -dfqX reports

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[dev]'
	@touch $@

.PHONY: help quickstart test lint bench fuzz clean
