# Two commands for a newcomer: `make demo` trains a network, `make test` runs the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test bench lint format clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(PIP) install -e .
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(PIP) install -e '.[dev]'
	touch $@ $(VENV)/.installed

demo: $(VENV)/.installed  ## train LeNet on real handwritten digits
	$(BIN)/facula train

test: $(VENV)/.dev  ## run the tests (those against PyTorch only where it is installed)
	$(BIN)/python -m pytest $(TESTS)

bench: $(VENV)/.installed  ## every row beside PyTorch and other libraries, where they are installed
	$(BIN)/python bench/run.py $(BENCH)

lint: $(VENV)/.dev  ## format, rules, types, import layers, file sizes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python tools/check_tree.py
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
