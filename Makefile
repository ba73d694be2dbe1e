# Every check has a name that a person types; .ci/run calls the same ones.
#
#   make try        a private environment, then `powernap try`: needs Python and nothing else
#   make install    the unit, the group, the configuration and the manual (see README.md); `make uninstall` takes them away
#   make test       everything that must pass: installs what it needs, then all checks below
#   make lint types imports unit integration lab docs package bench
#   make lab-full   what takes the lab's guest longer than anybody waits for with each change
#   make lab-shell  a console in the lab's guest: an emulated machine on which every knob is real (docs/lab.md)
#   make bench-full  all measurements, three quarters of an hour

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TRY    := .cache/try
STAMP  := $(VENV)/.installed
# What the tests run for real. Installed by `make test` as root; without root the tests that need them are skipped and counted.
DEBS   := dbus python3-dbusmock systemd cron at iproute2 gcc libc6-dev procps man-db mandoc strace curl librsvg2-bin
LAB_DEBS := qemu-system-x86 qemu-utils seabios busybox-static mmdebstrap e2fsprogs kmod acpica-tools util-linux

.PHONY: try test install uninstall lint types imports unit integration lab lab-full lab-shell docs package bench bench-full format debs clean

try:
	@$(PYTHON) tools/private_environment.py $(TRY)
	@$(TRY)/bin/powernap try $(ARGS)
	@echo 'next: $(TRY)/bin/powernap shows what this machine can do; README.md, "Install", keeps it'

test: debs lint types imports unit integration lab docs package bench

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
	$(BIN)/pytest -q -n 3 -m "not alone" tests/integration
	$(BIN)/pytest -q -m alone tests/integration

lab: $(STAMP)
	@tools/install_debs $(LAB_DEBS)
	$(BIN)/python -m lab.build
	$(BIN)/pytest -q -n 3 --dist worksteal --durations=10 -m "not long" tests/lab

# Every claim that takes the guest: all of tests/lab, three guests at a time: each waits about a third of its time.
lab-full: $(STAMP)
	@tools/install_debs $(LAB_DEBS)
	$(BIN)/python -m lab.build
	$(BIN)/pytest -q -n 3 --dist worksteal tests/lab

lab-shell: $(STAMP)
	@tools/install_debs $(LAB_DEBS)
	@$(BIN)/python -m lab.shell

docs: $(STAMP)
	$(BIN)/python -m docs.build --check
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html

package: $(STAMP)
	$(BIN)/python tools/check_package.py

bench: $(STAMP)
	$(BIN)/python -m bench.gates

# Three quarters of an hour: every figure of docs/measurements.md anew, and the gates with the million programs of research.
bench-full: $(STAMP)
	$(BIN)/python -m bench.gates --matching 1000000
	$(BIN)/python -m bench.overhead
	$(BIN)/python -m bench.reaction
	$(BIN)/python -m bench.wake

# The unit, the group, the default configuration and the manual, for a package that pip installed under PREFIX.
# An existing configuration is left as it is. DESTDIR is for packagers: nothing outside it is touched.
PREFIX  ?= /opt/powernap
DESTDIR ?=
LOCAL   := $(DESTDIR)/usr/local
install:
	install -d $(DESTDIR)/etc/systemd/system $(DESTDIR)/etc/powernap/conf.d $(DESTDIR)/etc/powernap/hosts.d $(DESTDIR)/usr/lib/sysusers.d
	install -d $(LOCAL)/bin $(LOCAL)/sbin $(LOCAL)/share/man/man1 $(LOCAL)/share/man/man8 $(LOCAL)/share/doc/powernap/decisions
	sed 's|/usr/bin/|$(PREFIX)/bin/|' packaging/powernapd.service | install -m 644 /dev/stdin $(DESTDIR)/etc/systemd/system/powernapd.service
	sed 's|/usr/bin/|$(PREFIX)/bin/|' packaging/powerwaked.service | install -m 644 /dev/stdin $(DESTDIR)/etc/systemd/system/powerwaked.service
	install -m 644 packaging/powernap.sysusers $(DESTDIR)/usr/lib/sysusers.d/powernap.conf
	test -e $(DESTDIR)/etc/powernap/powernap.toml || install -m 644 src/powernap/config/default.toml $(DESTDIR)/etc/powernap/powernap.toml
	ln -sf $(PREFIX)/bin/powernap $(LOCAL)/bin/powernap
	ln -sf $(PREFIX)/bin/powernapd $(LOCAL)/sbin/powernapd
	ln -sf $(PREFIX)/bin/powerwaked $(LOCAL)/sbin/powerwaked
	install -m 644 docs/man/powernap.1 $(LOCAL)/share/man/man1/
	install -m 644 docs/man/powernapd.8 docs/man/powerwaked.8 $(LOCAL)/share/man/man8/
	install -m 644 $(DOCS:%=docs/%.md) packaging/disks.conf $(LOCAL)/share/doc/powernap/
	install -m 644 docs/decisions/0*.md $(LOCAL)/share/doc/powernap/decisions/
	test -n "$(DESTDIR)" || ! command -v systemd-sysusers >/dev/null || systemd-sysusers
	test -n "$(DESTDIR)" || ! test -d /run/systemd/system || systemctl daemon-reload
DOCS := concepts sleep schedules others reference catalogue json security

# Puts everything back first. The configuration and the history stay.
uninstall:
	test -n "$(DESTDIR)" || ! test -d /run/systemd/system || systemctl disable --now powernapd
	test -n "$(DESTDIR)" || ! test -d /run/systemd/system || ! test -e /etc/systemd/system/powerwaked.service || systemctl disable --now powerwaked
	test -n "$(DESTDIR)" || ! test -x $(LOCAL)/bin/powernap || $(LOCAL)/bin/powernap undo
	rm -f $(DESTDIR)/etc/systemd/system/powernapd.service $(DESTDIR)/etc/systemd/system/powerwaked.service $(DESTDIR)/usr/lib/sysusers.d/powernap.conf
	rm -f $(LOCAL)/bin/powernap $(LOCAL)/sbin/powernapd $(LOCAL)/sbin/powerwaked
	rm -f $(LOCAL)/share/man/man1/powernap.1 $(LOCAL)/share/man/man8/powernapd.8 $(LOCAL)/share/man/man8/powerwaked.8
	rm -rf $(LOCAL)/share/doc/powernap
	@echo 'left: /etc/powernap, /var/lib/powernap, /var/lib/powerwake, the group powernap, $(PREFIX)'

clean:
	rm -rf $(VENV) .cache docs/_build build dist
