"""schedules/shutdowns.py: a shutdown that was scheduled finds the machine awake."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines import Machine
from powernap.core.timetable import UP, Span
from powernap.schedules import ScheduleError, shutdowns
from powernap.schedules.shutdowns import GRACE, SCHEDULED, Options, Shutdown, parse

AT = 1795471200
CONTENT = f"USEC={AT}000000\nWARN_WALL=1\nMODE=poweroff\nUID=0\nTTY=pts/0\n"
"""As systemd-logind 252 writes it for `shutdown -h 22:00`."""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, {SCHEDULED: CONTENT, "/run/systemd/system/.keep": ""})


def spans(machine: Machine, start: float, end: float, options: Options = Options()) -> list[Span]:  # noqa: B008
    return list(shutdowns.spans(machine.host, options, start, end, UTC))


def test_the_machine_is_up_from_the_lead_on_until_systemd_has_stopped_it(machine: Machine) -> None:
    """It does not say "off": who scheduled it knows for how long, and it is not PowerNap's to carry out."""
    expected = [Span(AT - 600, AT + GRACE, UP, detail="power-off by shutdown(8)")]
    assert spans(machine, AT - 3600, AT + 3600) == expected
    assert spans(machine, AT + GRACE - 1, AT + 3600) == expected
    assert spans(machine, AT + GRACE, AT + 3600) == []
    assert spans(machine, AT - 3600, AT - 600) == []


def test_the_lead_can_be_chosen(machine: Machine) -> None:
    """For a machine that takes long to wake."""
    assert spans(machine, AT - 3600, AT, Options(lead=1800.0))[0].start == AT - 1800


@pytest.mark.parametrize(
    ("mode", "words"),
    [("reboot", "reboot by shutdown(8)"), ("halt", "halt by shutdown(8)"), ("kexec", "reboot by kexec by shutdown(8)"),
     ("soft-reboot", "soft-reboot by shutdown(8)"), ("", "shutdown by shutdown(8)")],
)  # fmt: skip
def test_what_it_is_stands_in_the_table(machine: Machine, mode: str, words: str) -> None:
    """A reboot must not be slept over either."""
    machine.put(SCHEDULED, CONTENT.replace("poweroff", mode))
    assert [each.detail for each in spans(machine, AT, AT + 1)] == [words]


def test_a_warning_without_a_shutdown_is_none() -> None:
    """`shutdown -k` (MODE=dry-poweroff)."""
    assert parse(CONTENT.replace("MODE=", "MODE=dry-")) is None


def test_none_is_scheduled_on_most_machines(tmp_path: Path) -> None:
    """The file is not there, often nor is its directory."""
    machine = Machine(tmp_path, {"/run/systemd/system/.keep": ""})
    assert spans(machine, 0, AT) == []
    assert shutdowns.probe(machine.host, Options()).detail == "no shutdown is scheduled"


@pytest.mark.parametrize(
    "content", ["", "MODE=poweroff\n", "USEC=\n", "USEC=soon\n", "USEC=18446744073709551615\n"]
)
def test_a_file_without_a_time_is_a_schedule_that_cannot_tell(machine: Machine, content: str) -> None:
    """It is told, with what deletes the file."""
    machine.put(SCHEDULED, content)
    with pytest.raises(ScheduleError, match="it says no time.; `shutdown -c` deletes it"):
        spans(machine, 0, AT)
    assert not shutdowns.probe(machine.host, Options())


def test_the_probe_says_what_is_scheduled_and_where_it_cannot_know(machine: Machine, tmp_path: Path) -> None:
    """Without systemd the time is in the memory of a waiting process."""
    assert shutdowns.probe(machine.host, Options()).detail == "power-off by shutdown(8)"
    assert not shutdowns.probe(Machine(tmp_path / "none", {}).host, Options())
    assert SCHEDULED in shutdowns.watched(Options())


@given(st.text(alphabet="USECMODE=0123456789\npoweroffdry-"))
def test_no_content_breaks_the_reader(content: str) -> None:
    """A shutdown, none, or no time."""
    try:
        found = parse(content)
    except ValueError as error:
        assert str(error) == "it says no time"
    else:
        assert found is None or isinstance(found, Shutdown)
