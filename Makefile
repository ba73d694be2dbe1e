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

.PHONY: try test install lint types imports unit integration docs package bench format debs clean

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

# The unit, the group, the default configuration and the manual, for a package that pip installed under PREFIX.
PREFIX  ?= /opt/powernap
DESTDIR ?=
install:
	install -d $(DESTDIR)/etc/systemd/system $(DESTDIR)/etc/powernap/conf.d $(DESTDIR)/usr/lib/sysusers.d
	install -d $(DESTDIR)/usr/local/share/man/man1 $(DESTDIR)/usr/local/share/man/man8
	sed 's|/usr/bin/|$(PREFIX)/bin/|' packaging/powernapd.service > $(DESTDIR)/etc/systemd/system/powernapd.service
	install -m 644 packaging/powernap.sysusers $(DESTDIR)/usr/lib/sysusers.d/powernap.conf
	test -e $(DESTDIR)/etc/powernap/powernap.toml || install -m 644 src/powernap/config/default.toml $(DESTDIR)/etc/powernap/powernap.toml
	install -m 644 docs/man/powernap.1 $(DESTDIR)/usr/local/share/man/man1/
	install -m 644 docs/man/powernapd.8 $(DESTDIR)/usr/local/share/man/man8/
	test -n "$(DESTDIR)" || ! command -v systemd-sysusers >/dev/null || systemd-sysusers

clean:
	rm -rf $(VENV) .cache docs/_build build dist
