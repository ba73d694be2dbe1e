"""console-blank sets whole minutes by the escape sequence, and refuses what it could not put back."""

from __future__ import annotations

import errno

import pytest

from fakekernel import acpi_server, container, laptop_like, plain_vm
from fakeplatform import BLANK, add_console, add_gpu
from plans import host_of, ledger_of, napping, probe
from powernap.actions import console_blank, find


@pytest.mark.parametrize("build", [laptop_like, acpi_server, plain_vm, container])
def test_without_a_screen(tmp_path, build):
    """A machine that speaks by a serial line only has no interval."""
    answer = probe(build(tmp_path / "machine"), "console-blank")
    assert answer.detail == "no text console: this machine has no screen, or speaks by a serial line only"


@pytest.mark.parametrize("was", ["0", "420", "3600"])
def test_dark_after_a_minute_and_back(tmp_path, was):
    """Never, seven minutes and an hour come back exactly."""
    kernel = laptop_like(tmp_path / "machine")
    add_console(kernel, was)
    before = kernel.snapshot()
    with napping(kernel, "console-blank"):
        assert kernel.read(BLANK) == "60\n"
    assert kernel.changes(before) == {}
    assert [text for _, text in kernel.writes] == ["\x1b[9;1]", f"\x1b[9;{int(was) // 60}]"]


@pytest.mark.parametrize(
    ("was", "detail"),
    [("90", "could not be put back"), ("7200", "could not be put back"), ("60", "after 60 s already")],
)
def test_intervals_that_stay(tmp_path, was, detail):
    """A boot parameter may be any number of seconds, the escape sequence takes whole minutes up to an hour."""
    kernel = laptop_like(tmp_path / "machine")
    add_console(kernel, was)
    answer = probe(kernel, "console-blank")
    assert not answer
    assert detail in answer.detail
    with napping(kernel, "console-blank") as entries:
        assert entries == []


def test_the_screen_of_a_management_controller_stays(tmp_path):
    """Its operators would see a dark one: only where an admin asks for it."""
    kernel = laptop_like(tmp_path / "machine")
    add_console(kernel)
    add_gpu(kernel, "ast")
    assert "management controller (ASPEED, driver ast)" in probe(kernel, "console-blank").detail
    assert probe(kernel, "console-blank", remote=True)


def test_the_dummy_console_is_none(tmp_path):
    """It exists where there is no screen."""
    kernel = laptop_like(tmp_path / "machine")
    add_console(kernel)
    kernel.add("/sys/class/vtconsole/vtcon0/name", "(S) dummy device")
    assert not probe(kernel, "console-blank")


def test_read_only(tmp_path):
    """A container that sees the host's terminals."""
    kernel = laptop_like(tmp_path / "machine")
    add_console(kernel)
    kernel.read_only_mount()
    assert probe(kernel, "console-blank").remedy == "run as root, outside a container"


def test_what_somebody_set_meanwhile_is_kept(tmp_path):
    """An admin calls setterm --blank 10 in the middle of the nap."""
    kernel = laptop_like(tmp_path / "machine")
    add_console(kernel)
    module = find("console-blank")
    with ledger_of(kernel) as ledger:
        ledger.perform("console-blank", "nap", module.plan(host_of(kernel), module.Options()))
        kernel.write("/dev/tty0", "\x1b[9;10]")
        assert [each.outcome for each in ledger.restore()] == ["foreign"]
    assert kernel.read(BLANK) == "600\n"


def test_after():
    """Whole minutes up to an hour, and at least one."""
    check = console_blank.Options.__dataclass_fields__["after"].metadata["check"]
    assert [bool(check(value)) for value in (0.0, 30.0, 60.0, 90.0, 3600.0, 3660.0)] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]
    assert (console_blank.RISK, console_blank.LANE) == ("safe", "fast")


def test_a_full_terminal_is_an_error(tmp_path):
    """A write that fails is told, and nothing was changed."""
    kernel = laptop_like(tmp_path / "machine")
    add_console(kernel)
    kernel.fail("/dev/tty0", errno.EAGAIN)
    module = find("console-blank")
    with ledger_of(kernel) as ledger, pytest.raises(Exception, match="temporarily unavailable"):
        ledger.perform("console-blank", "nap", module.plan(host_of(kernel), module.Options()))
    assert kernel.read(BLANK) == "0\n"
