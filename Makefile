# Two commands: `make run` starts wenqu with the sample documents, `make test` runs every test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000
DATA ?= ../shared/data
REPORT ?= eval-report.html

.PHONY: run test eval check format clean

run: $(VENV)/.installed
	$(BIN)/wenqu models pull
	$(BIN)/wenqu add samples --kb demo
	$(BIN)/wenqu serve --kb demo --host $(HOST) --port $(PORT)

test: $(VENV)/.tested
	$(BIN)/wenqu models pull
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

# Measures every data set below DATA, and questions translated into the other language over two of
# them, and writes REPORT; EVAL_ARGS=--quick takes small samples.
eval: $(VENV)/.installed
	$(BIN)/wenqu models pull
	$(BIN)/python bench/translated.py $(DATA) build/translated
	$(BIN)/wenqu eval all $(DATA) build/translated --out $(REPORT) $(EVAL_ARGS)

check: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.tested
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("wenqu needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group test --group check
	touch $@
