# Two commands matter: `make demo` and `make test`. Each sets up .venv by itself.
PYTHON ?= python3
BIN := .venv/bin
# Whoever works on Drystone itself gets everything that its tests need.
EXTRAS := dev

.DEFAULT_GOAL := help
.PHONY: help demo test check format docs bench clean

help:
	@echo "make demo    the whole cycle on real data, in a fresh folder"
	@echo "make test    all tests"
	@echo "make check   formatting, lint, types, layers, budgets, docs"
	@echo "make bench   the figures, against the tools named"
	@echo "make format  format the code and write the generated docs"

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

demo: .venv/installed
	@$(BIN)/python examples/demo.py

test: .venv/installed
	$(BIN)/python -m pytest

check: .venv/installed
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/budgets.py
	$(BIN)/python tools/reference.py --check
	$(BIN)/python tools/facts.py --check

format: .venv/installed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/python tools/reference.py
	$(BIN)/python tools/facts.py

bench: .venv/installed
	@for script in bench/*.py; do echo; echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf .venv dist build
