"""A guest for each test, thawed in seconds from the machine that booted once; what its console said, where a test fails."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from lab import guest, programs
from lab.guest import Guest

GUEST = pytest.StashKey[Guest]()


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Guest]:
    """The guest, just booted, with systemd-logind running."""
    why = programs.missing()
    if why:
        pytest.skip(why)
    with guest.thawed() as machine:
        request.node.stash[GUEST] = machine
        yield machine


@pytest.fixture
def plain_lab(lab: Guest) -> Guest:
    """The guest on which logind is stopped and stays so."""
    lab.shell(
        "systemctl mask --now --runtime systemd-logind.service dbus-org.freedesktop.login1.service"
    ).text()
    return lab


@pytest.fixture
def kernel_lab(plain_lab: Guest) -> Guest:
    """The guest as it is where there never was a login manager."""
    plain_lab.shell("rm -r /run/systemd/seats").text()
    return plain_lab


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the guest's last words to the report of a test that failed."""
    report = yield
    machine = item.stash.get(GUEST, None)
    if machine and report.failed and call.when == "call":
        report.sections.append(("the guest's console", machine.console()[-4000:]))
        report.sections.append(("the guest's journal", _journal(machine)))
    return report


def _journal(machine: Guest) -> str:
    try:
        return machine.run("journalctl", "-b", "--no-pager", "-n", "60", limit=30).out
    except Exception as error:
        return f"not to be had: {error}"
