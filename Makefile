# `make` alone lists what there is. Everything runs from the .venv that the targets make when they need it.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PY     := $(BIN)/python

# Without compiled modules every start of every process would compile all packages anew
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run test test-unit test-long check fix bench docs lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

# The copy of the lock inside the venv says what is installed: nothing is fetched again until the lock changes.
install:  ## make .venv with the locked packages (run by the other targets)
	@if ! cmp -s requirements.lock $(VENV)/installed.lock || ! cmp -s pyproject.toml $(VENV)/installed.toml; then \
	  set -e; \
	  test -x $(PY) || $(PYTHON) -m venv $(VENV); \
	  echo "Installing packages into $(VENV) ..."; \
	  $(PY) -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.lock; \
	  $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	  cp requirements.lock $(VENV)/installed.lock; cp pyproject.toml $(VENV)/installed.toml; \
	fi

run: install  ## database, demo data when empty, API, worker and console; Ctrl-C stops everything
	@exec $(PY) -m pipeline up

test: check  ## checks, then unit, integration and acceptance tests
	@$(PY) -m pytest tests -n 2 --dist loadfile

test-unit: install  ## only the tests that need neither database nor browser
	@$(PY) -m pytest tests/unit

test-long: install  ## the tests that take minutes: kills, races, large data
	@$(PY) -m pytest tests -m long

check: install  ## style, types, layers and generated documents; changes nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(PY) -m docs.build --check
	@$(PY) .ci/audit.py

fix: install  ## format, apply safe fixes, write the generated documents
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(PY) -m docs.build

bench: install  ## lifecycles a second, latency and waiting times on this machine
	@$(PY) -m pipeline bench

docs: install  ## write the generated documents
	@$(PY) -m docs.build

# Versions and hashes only. Django is what django-leaflet declares; we use its static files alone, so the lock leaves it out.
lock:  ## resolve requirements.txt again and write requirements.lock
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	  $(PYTHON) -m venv "$$tmp/venv"; "$$tmp/venv/bin/pip" install --quiet pip-tools; \
	  grep -v '^-e' requirements.txt > "$$tmp/requirements.in"; \
	  "$$tmp/venv/bin/pip-compile" --quiet --upgrade --generate-hashes --strip-extras --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
	    --unsafe-package django --unsafe-package asgiref --unsafe-package sqlparse \
	    --output-file "$$tmp/lock" "$$tmp/requirements.in"; \
	  { echo "# Made by make lock from requirements.txt: versions and hashes. Install with --no-deps --require-hashes."; \
	    grep -v '^#' "$$tmp/lock" | sed '/^$$/d'; } > requirements.lock

clean:  ## remove the venv and caches; never the data
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
