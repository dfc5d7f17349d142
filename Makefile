# Each of `make demo` and `make test` does its own set-up in .venv; a second run reuses it.
# Needed on the machine: Python 3.11 or newer with venv and pip, gcc. Set PYTHON=... to choose the interpreter.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
VERSION_CHECK := import sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.11 python3; do $$p -c '$(VERSION_CHECK)' 2>/dev/null && echo $$p && break; done)
INPUTS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test results lint format docs clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.installed  ## unlearn the embedded model with and without PD, measure both, print the table
	$(BIN)/safeeraser demo

test: lint $(VENV)/.parts  ## everything CI checks: lint, types, import rules, tests
	$(BIN)/pytest -n logical --maxprocesses 4 --dist loadfile

TABLE ?= sweep
SEEDS ?= 1 2 3
OVERRIDES ?= limits.generality=192 limits.decoupled=192
results: $(VENV)/.installed-dev  ## the tables of docs/results.md: tune every method, then ask validation; see docs/results.md
	$(BIN)/safeeraser sweep configs/$(TABLE).yaml --output runs/$(TABLE)
	for seed in $(SEEDS); do \
	  $(BIN)/safeeraser run runs/$(TABLE)/choice.yaml --seed $$seed --output runs/$(TABLE)-$$seed $(OVERRIDES) || exit; \
	done
	$(BIN)/python -m tests.docs.results $(SEEDS:%=runs/$(TABLE)-%)

lint: $(VENV)/.installed-dev  ## ruff, mypy in strict mode, import rules, biome for the report's page
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/biome ci

format: $(VENV)/.installed-dev  ## rewrite the code the way `make lint` wants it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/.installed-dev  ## rewrite the generated pages in docs/
	$(BIN)/python -m tests.docs.generate

clean:  ## remove the environment and every cache (runs and data stay)
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is written last, so an interrupted step is taken up again by the next run.
$(VENV)/.installed: $(INPUTS) | $(VENV)/.created
	@echo 'Installing into $(VENV); the first time this takes a few minutes.'
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(INPUTS) | $(VENV)/.created
	@echo 'Installing into $(VENV); the first time this takes a few minutes.'
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.installed

# The pretrained parts of the embedded model go into the user's cache; from then on the tests need no network.
$(VENV)/.parts: $(VENV)/.installed-dev
	$(BIN)/python -c 'from safeeraser.models.tiny.fetch import LANGUAGE, VISION, fetch; fetch(LANGUAGE); fetch(VISION)'
	touch $@

$(VENV)/.created:
	@test -n '$(PYTHON)' || { \
	  echo 'safeeraser needs Python 3.11 or newer with the venv module; neither python3.11 nor python3 is one.' >&2; \
	  echo 'Install it, or name an interpreter: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -c '$(VERSION_CHECK)' || { echo '$(PYTHON) is older than Python 3.11 or lacks venv.' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@
