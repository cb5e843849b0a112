# make study   runs the demo study and says where the report is
# make test    runs every test
# make soak    kills a study at 20 random moments, damages its files, runs it elsewhere: nothing may be lost (half an hour)
# make bench   measures how fast the pieces are (BENCH="--json" passes options on)
# make lab     opens JupyterLab on the notebooks (LAB="--no-browser --port 8899" passes options on)
# make check   are the notebooks, as files, in step with the package? (ruff as well)
# make export  writes the package from the notebooks
# make locks   writes .locks/*.txt from pyproject.toml (needs the network and uv)

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The first of these that is Python 3.10 or newer and can make virtual environments; PYTHON=... on the command line goes first.
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.11 python3.10 python

.DEFAULT_GOAL := help
.PHONY: help study test soak bench lab check export locks

help:
	@sed -n 's/^# make/make/p' Makefile

study: $(VENV)/.study
	@$(BIN)/verified-code-cot study --profile demo --out outputs/demo

test: $(VENV)/.test
	@$(BIN)/python -m pytest -n 2 --dist worksteal tests

soak: $(VENV)/.test
	@SOAK=20 $(BIN)/python -m pytest tests/test_soak.py

bench: $(VENV)/.bench
	@$(BIN)/verified-code-cot bench $(BENCH)

# JupyterLab refuses to run as root unless told; in a container there is often nobody else.
lab: $(VENV)/.lab
	@$(BIN)/jupyter lab --notebook-dir nbs $$([ "$$(id -u)" = 0 ] && echo --allow-root) $(LAB)

check: $(VENV)/.test
	@$(BIN)/python -m pytest tests/test_sync.py
	@$(BIN)/ruff check verified_code_cot tests

export: $(VENV)/.test
	@$(BIN)/nbdev_export

# A stamp says which lock is installed: a second run installs nothing, a changed lock installs what changed.
$(VENV)/.study $(VENV)/.test $(VENV)/.bench $(VENV)/.lab: $(VENV)/.%: .locks/%.txt pyproject.toml | $(VENV)/.made
	@echo "Installing what .locks/$*.txt names into $(VENV) (once; a few minutes) ..."
	@$(PIP) install --quiet --require-hashes --no-deps -r .locks/$*.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.made:
	@for python in $(PYTHONS); do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || continue; \
	  "$$python" -c 'import venv, ensurepip' 2>/dev/null || { bare=$$python; continue; }; \
	  "$$python" -m venv $(VENV) && touch $@ && exit 0; \
	done; \
	if [ -n "$$bare" ]; then echo "$$bare cannot make a virtual environment: install the package that brings Python's venv module (on Debian: apt install python3-venv)." >&2; \
	else echo "Python 3.10 or newer is needed, and none was found (python3 is $$(python3 --version 2>/dev/null || echo not there)): install one, or name it with PYTHON=/path/to/python." >&2; fi; \
	exit 1

locks:
	@for lock in study test bench lab; do \
	  extra=; [ $$lock = test ] && extra="--extra test -c .locks/study.txt"; [ $$lock = bench ] && extra="--extra bench -c .locks/study.txt"; [ $$lock = lab ] && extra="--extra lab -c .locks/test.txt"; \
	  echo "setuptools>=77" | uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links pyproject.toml - $$extra -o .locks/$$lock.txt || exit 1; \
	done
