"""monitors/load.py: the load average, against a limit that stays what it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines import Machine
from powernap.host.availability import UnavailableError
from powernap.monitors import load


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Four processors, some load an hour ago."""
    return Machine(
        tmp_path, {"/proc/loadavg": "0.20 1.00 3.00 2/150 4711\n", "/sys/devices/system/cpu/online": "0-3\n"}
    )


def test_below_the_limit_nobody_works(machine: Machine) -> None:
    """0.2 is not above 0.5."""
    reading = load.open(machine.context("load"), load.Options()).check(1000)
    assert (reading.active, reading.last, reading.measured, reading.limit) == (False, None, 0.2, 0.5)
    assert reading.reason == "1min load average 0.2 (limit 0.5)"


def test_above_the_limit_is_activity_now(machine: Machine) -> None:
    """The 15-minute average of 3 is above n/2 = 2; a pulse, since nobody tells when it ends."""
    options = load.Options(above="0.5n", average="15min")
    reading = load.open(machine.context("load"), options).check(1000)
    assert (reading.active, reading.last, reading.told) == (False, 1000, False)
    assert reading.reason == "15min load average 3 (limit 2, quiet again below 1.6)"


def test_switching_off_processors_does_not_lower_the_limit(machine: Machine) -> None:
    """PowerNap 2 woke itself up that way: n counts those online when it was opened."""
    machine.put("/proc/loadavg", "2.50 0 0 1/1 1\n")
    monitor = load.open(machine.context("load"), load.Options(above="n"))
    machine.put("/sys/devices/system/cpu/online", "0\n")
    reading = monitor.check(1000)
    assert (reading.limit, reading.last) == (4, None)


def test_activity_ends_below_the_floor(machine: Machine) -> None:
    """With below = 0.4 a load of 0.45 is still activity once it began, and remembered when it ended."""
    monitor = load.open(machine.context("load"), load.Options(below="0.4"))
    machine.put("/proc/loadavg", "0.60 0 0 1/1 1\n")
    monitor.check(1000)
    machine.put("/proc/loadavg", "0.45 0 0 1/1 1\n")
    assert monitor.check(1060).last == 1060
    machine.put("/proc/loadavg", "0.39 0 0 1/1 1\n")
    assert monitor.check(1120).last == 1060
    monitor.close()


@pytest.mark.parametrize(("text", "limit"), [("1.5", 1.5), ("n", 4), ("0.5n", 2), (" 2 n ", 8), ("0", 0)])
def test_limits_are_written_as_numbers_or_per_processor(text: str, limit: float) -> None:
    """As PowerNap 2 wrote "n"."""
    assert load.parse_limit(text, 4) == limit
    assert load.wrong_limit(text) is None


@pytest.mark.parametrize("text", ["", " ", "n2", "-1", "1.5x", "nn", "1e3"])
def test_other_limits_are_refused_with_an_example(text: str) -> None:
    """The configuration shows this sentence."""
    assert "0.5n" in (load.wrong_limit(text) or "")


@given(st.floats(0, 1e6).map(lambda x: f"{x:.2f}"), st.integers(1, 4096))
def test_a_limit_per_processor_is_the_number_times_processors(number: str, processors: int) -> None:
    """For every number."""
    assert load.parse_limit(number + "n", processors) == float(number) * processors


def test_the_probe_says_what_the_load_is(machine: Machine, tmp_path: Path) -> None:
    """And a machine without /proc says why it cannot."""
    assert load.probe(machine.host, load.Options(average="5min")).detail == "load 1 on 4 processors"
    empty = Machine(tmp_path / "empty", {})
    assert load.probe(empty.host, load.Options()).remedy == "mount /proc"
    with pytest.raises(UnavailableError):
        load.open(empty.context("load"), load.Options())
