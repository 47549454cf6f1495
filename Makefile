# Everything below runs in .venv, which `make install` makes and keeps up to date.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Further extras, as in `make install EXTRAS=control,ray`.
EXTRAS ?=
comma := ,
NAMES := fast$(if $(EXTRAS),$(comma)$(EXTRAS))
TEST_NAMES := $(NAMES),coco,control,dask,dna,explorer,gradients,molecules,optuna,ray,slurm,text,trl,dev
STAMP := $(VENV)/.installed-$(NAMES)
TEST_STAMP := $(VENV)/.installed-$(TEST_NAMES)
# torch comes first and alone, so that its build (CPU or CUDA) is chosen once: see the README.
TORCH ?= torch==2.13.0
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: install demo gallery test test-slow check format clean

install: $(STAMP)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(BIN)/python pyproject.toml constraints.txt
	$(PIP) "$(TORCH)"
	$(PIP) --constraint constraints.txt --editable ".[$(NAMES)]"
	@touch $@

$(TEST_STAMP): $(BIN)/python pyproject.toml constraints.txt
	$(PIP) "$(TORCH)"
	$(PIP) --constraint constraints.txt --editable ".[$(TEST_NAMES)]"
	@touch $@ $(STAMP)

demo: $(STAMP)
	$(BIN)/moo bench quickstart --workers 2

# The pictures of docs/gallery: a small suite, then every command that the page shows.
gallery: $(STAMP)
	$(BIN)/python docs/gallery/make.py

test: $(TEST_STAMP)
	$(BIN)/python -m pytest -n auto -m "not slow"

test-slow: $(TEST_STAMP)
	$(BIN)/python -m pytest -m slow

check: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) test

format: $(TEST_STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
