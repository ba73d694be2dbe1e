"""Claims of monitors/command.py, on real programs."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop_ears import LoopEars, until
from powernap.core.reading import Reading
from powernap.host.availability import UnavailableError
from powernap.host.host import Host
from powernap.host.programs import ProgramError
from powernap.monitors import Context, command
from powernap.monitors.command import ExitCode, Lines, Options, Word, first_line, parse

SH = "/bin/sh"


class House:
    """The ears and what was told."""

    def __init__(self) -> None:
        self.ears = LoopEars()
        self.host = Host(ears=self.ears)
        self.told: list[Reading] = []

    def open(self, *argv: str, mode: str = "lines", user: str | None = None) -> Any:
        return command.open(Context("mine", self.host, self.told.append), Options(argv, mode, user))

    def lines(self, script: str) -> Lines:
        """A program that runs on."""
        monitor = self.open(SH, "-c", script)
        assert isinstance(monitor, Lines)
        return monitor

    async def run(self, script: str) -> Reading:
        """One look at a program that is run at each."""
        monitor = self.open(SH, "-c", script, mode="exit-code")
        assert isinstance(monitor, ExitCode)
        reading = await monitor.check(5.0)
        monitor.close()
        return reading

    def now(self) -> float:
        return self.host.clock.boottime()


def serve(test: Callable[[House], Coroutine[Any, Any, None]]) -> None:
    """Run a test on a loop; afterwards no child, descriptor or listener is left."""

    async def whole() -> None:
        before = len(os.listdir("/proc/self/fd"))
        house = House()
        await test(house)
        await until(lambda: not house.ears.listening)
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(whole())
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


# --- exit-code


def test_zero_is_active_and_one_is_idle() -> None:
    """The first line is the reason."""

    async def test(house: House) -> None:
        active = await house.run("echo a backup runs; echo more; exit 0")
        assert (active.active, active.reason, active.told, active.who) == (
            True,
            "a backup runs",
            False,
            ("sh",),
        )
        idle = await house.run("exit 1")
        assert (idle.active, idle.last, idle.reason) == (False, None, "sh says that nobody does")

    serve(test)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo oops >&2; exit 2", r"sh failed \(exit status 2\): oops; staying awake"),
        ("kill -9 $$", r"sh failed \(signal 9\): it said nothing"),
        ("exec /nonexistent", "exit status 127"),
        ("while :; do echo x; done", "more than 65536 bytes"),
    ],
)
def test_anything_else_is_a_failure(script: str, message: str) -> None:
    """Which the daemon takes for activity."""

    async def test(house: House) -> None:
        with pytest.raises(ProgramError, match=message):
            await house.run(script)

    serve(test)


def test_a_look_that_is_cancelled_kills_the_program() -> None:
    """As the daemon does at time_limit; the program ignores SIGTERM. serve() finds no child."""

    async def test(house: House) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(house.run("trap '' TERM; sleep 60 & wait; sleep 60"), 0.1)

    serve(test)


def test_it_is_told_whose_program_it_is() -> None:
    """The monitor's name is in its environment."""

    async def test(house: House) -> None:
        assert (await house.run("echo $POWERNAP_MONITOR")).reason == "mine"

    serve(test)


def test_a_program_run_at_looks_has_no_events() -> None:
    """So in a reversible stage it must be looked at."""

    async def test(house: House) -> None:
        monitor = house.open("/bin/true", mode="exit-code")
        assert (monitor.events, monitor.source) == (False, "runs /bin/true at each look")
        assert command.EVENTS

    serve(test)


# --- lines


def test_each_change_is_told_at_its_instant() -> None:
    """Active, idle, active: one told reading each; the end of a hold is the last use."""

    async def test(house: House) -> None:
        monitor = house.lines(
            "for w in idle 'active a film' 'active a film' idle; do echo $w; sleep 0.03; done; sleep 60"
        )
        await until(lambda: len(house.told) == 3)
        assert [(reading.active, reading.told) for reading in house.told] == [
            (False, False),
            (True, True),
            (False, False),
        ]
        assert house.told[1].reason == "a film"
        assert house.told[2].last == pytest.approx(house.now(), abs=1)
        reading = monitor.check(house.now())
        assert isinstance(reading, Reading)
        assert (reading.active, reading.last) == (False, house.told[2].last)
        monitor.close()

    serve(test)


def test_until_it_has_spoken_nobody_knows() -> None:
    """A program that says nothing at its start fails, with the remedy."""

    async def test(house: House) -> None:
        monitor = house.lines("sleep 60")
        reading = monitor.check(house.now())
        assert isinstance(reading, Reading)
        assert (reading.failed, reading.reason) == (True, "sh has not yet said its state; staying awake")
        assert "print active, idle or pulse at its start" in reading.remedy
        monitor.close()

    serve(test)


def test_after_a_pulse_it_is_not_heard_until_a_look() -> None:
    """Deaf after hearing: a program that pulses a thousand times a second wakes us once, and waits in its write."""

    async def test(house: House) -> None:
        monitor = house.lines("echo idle; sleep 0.05; while :; do echo pulse somebody; done")
        await until(lambda: any(reading.reason == "somebody" for reading in house.told))
        wakeups = house.ears.wakeups
        await asyncio.sleep(0.1)
        assert (house.ears.wakeups, len(house.told)) == (wakeups, 2)
        reading = monitor.check(house.now())
        assert isinstance(reading, Reading)
        assert reading.last == pytest.approx(house.now(), abs=1)
        assert reading.who == ("sh",)
        await until(lambda: len(house.told) > 2)
        monitor.close()

    serve(test)


def test_a_hold_goes_on_through_pulses() -> None:
    """A pulse while active changes nothing but the last use."""

    async def test(house: House) -> None:
        monitor = house.lines("echo active a film; echo pulse; sleep 60")
        await until(lambda: house.told)
        reading = monitor.check(house.now())
        assert isinstance(reading, Reading)
        assert (reading.active, reading.reason) == (True, "a film")
        monitor.close()

    serve(test)


def test_a_program_that_dies_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed reading with what it complained of, until its successor speaks; each pause is longer."""
    monkeypatch.setattr(command, "FIRST_PAUSE", 0.01)

    async def test(house: House) -> None:
        monitor = house.lines("echo idle; echo no database >&2; exit 3")
        await until(lambda: len([reading for reading in house.told if reading.failed]) == 3)
        assert house.told[1].reason == "sh ended (exit status 3) no database; staying awake"
        assert [reading.failed for reading in house.told[:4]] == [False, True, False, True]
        assert monitor.pause == pytest.approx(0.08)
        monitor.close()

    serve(test)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("head -c 1000000000 /dev/zero | tr '\\0' x; sleep 60", "prints a line of more than 4096 bytes"),
        ("cat /dev/urandom", "sh prints"),
        ("echo perhaps", 'prints "perhaps", which is neither active, idle nor pulse'),
        ("trap '' TERM; (trap '' TERM; sleep 60) & echo {}; wait", "is neither active, idle nor pulse"),
    ],
)
def test_nonsense_is_a_failure_and_its_program_is_killed(script: str, reason: str) -> None:
    """A gigabyte of x, random bytes, a wrong word: failed, at once, and serve() finds nothing left."""

    async def test(house: House) -> None:
        begin = time.monotonic()
        monitor = house.lines(script)
        await until(lambda: house.told)
        assert time.monotonic() - begin < 15
        assert house.told[-1].failed
        assert reason in house.told[-1].reason
        assert house.told[-1].reason.isprintable()
        assert monitor.program is None
        monitor.close()

    serve(test)


def test_a_program_that_talks_without_end_is_heard_once_a_second() -> None:
    """To and fro, a hundred thousand times: bounded wake-ups, for it waits in its write."""

    async def test(house: House) -> None:
        monitor = house.lines("while :; do echo active x; echo idle; done")
        await asyncio.sleep(0.3)
        wakeups, told = house.ears.wakeups, len(house.told)
        await asyncio.sleep(0.3)
        assert (house.ears.wakeups, len(house.told)) == (wakeups, told)
        monitor.close()

    serve(test)


def test_output_after_closing_is_nobodys() -> None:
    """A closed monitor tells nothing and starts nothing."""

    async def test(house: House) -> None:
        monitor = house.lines("while :; do echo pulse; done")
        monitor.close()
        await until(lambda: not house.ears.listening)
        assert house.told == []

    serve(test)


def test_half_a_line_waits_for_its_end() -> None:
    """A line is a line when its newline came."""

    async def test(house: House) -> None:
        code = "import sys,time\nfor part in ('act','ive a fi','lm\\n'): print(part, end='', flush=True); time.sleep(0.02)\ntime.sleep(60)"
        monitor = house.open(sys.executable, "-c", code)
        await until(lambda: house.told)
        assert house.told[0].reason == "a film"
        monitor.close()

    serve(test)


# --- words


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"active", Word("active")),
        (b"  active a film \r", Word("active", "a film")),
        (b"idle", Word("idle")),
        (b"pulse 3 requests", Word("pulse", "3 requests")),
        (b'{"state": "active", "reason": "r", "who": ["a", "b"]}', Word("active", "r", ("a", "b"))),
        (b'{"state": "idle", "who": "alice"}', Word("idle", "", ("alice",))),
        (b'{"state": "idle", "who": 5}', None),
        (b'{"state": ["idle"]}', None),
        (b'{"state": "idle", "reason": 5}', None),
        (b"{", None),
        (b"{" * 100_000, None),
        (b"[" * 100_000, None),
        (b"Active", None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
def test_lines_have_a_meaning_or_none(line: bytes, word: Word | None) -> None:
    """Words and JSON; nothing is guessed."""
    assert parse(line) == word


@given(st.binary(max_size=300))
def test_no_line_raises_and_every_reason_can_be_shown(line: bytes) -> None:
    """Control characters never reach a terminal or a log."""
    for candidate in (line, b"active " + line, b'{"state":"pulse","reason":"' + line + b'"}'):
        word = parse(candidate)
        assert word is None or all(
            text.isprintable() and len(text) <= 200 for text in (word.reason, *word.who)
        )
    assert first_line(line).isprintable()


# --- what is refused


def test_a_command_is_a_whole_path(tmp_path: Path) -> None:
    """No search, no shell."""
    assert command.wrong_command(())
    assert command.wrong_command(("ls",))
    assert command.wrong_command(("/bin/ls", "-l")) is None


@pytest.mark.parametrize(
    ("mode", "detail"), [(0o644, "is not a program"), (0o777, "may be changed by other users")]
)
def test_a_program_that_cannot_be_trusted_is_refused(tmp_path: Path, mode: int, detail: str) -> None:
    """Not executable, or writable by all: unavailable, with the command that mends it."""
    path = tmp_path / "check"
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    answer = command.probe(Host(), Options((str(path),)))
    assert not answer
    assert detail in answer.detail
    assert answer.remedy.startswith("ch")


def test_a_missing_program_a_recording_and_a_stranger_are_refused() -> None:
    """Each with its reason."""

    async def test(house: House) -> None:
        with pytest.raises(UnavailableError, match="No such file"):
            house.open("/nonexistent/check")
        with pytest.raises(UnavailableError, match='no user "nobody-at-all"'):
            house.open("/bin/true", user="nobody-at-all")
        house.host.ears = None
        with pytest.raises(UnavailableError, match="daemon only"):
            house.open("/bin/true")
        house.host.live = False
        with pytest.raises(UnavailableError, match="recorded machine"):
            house.open("/bin/true")

    serve(test)


def test_a_program_is_found(tmp_path: Path) -> None:
    """What may be run is available."""
    assert command.probe(Host(), Options(("/bin/sh",)))
