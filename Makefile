# Every check has a name that a person types; .ci/run calls the same ones.
#
#   make try        a private environment, then `powernap try`: needs Python and nothing else
#   make test       everything that must pass: installs what it needs, then all checks below
#   make lint types imports unit integration docs package bench

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TRY    := .cache/try
STAMP  := $(VENV)/.installed
# What the tests run for real. Installed by `make test` as root; without root the tests that need them are skipped and counted.
DEBS   := dbus python3-dbusmock iproute2 gcc libc6-dev procps man-db mandoc

.PHONY: try test lint types imports unit integration docs package bench format debs clean

try:
	@$(PYTHON) tools/private_environment.py $(TRY)
	@$(TRY)/bin/powernap try $(ARGS)

test: debs lint types imports unit integration docs package bench

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/pip install --quiet --disable-pip-version-check --group dev --editable .
	touch $@

debs:
	@tools/install_debs $(DEBS)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/pytest -q -n 2 tests/unit
	$(BIN)/python tools/core_coverage.py

integration: $(STAMP)
	$(BIN)/pytest -q -n 2 -m "not alone" tests/integration
	$(BIN)/pytest -q -m alone tests/integration

docs: $(STAMP)
	$(BIN)/python -m docs.build --check
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html

package: $(STAMP)
	$(BIN)/python tools/check_package.py

bench: $(STAMP)
	$(BIN)/python -m bench.gates

clean:
	rm -rf $(VENV) .cache docs/_build build dist
