"""schedules/systemd_timers.py: what systemd says of its timers, as systemd 252 said it, made into times that the machine must be up."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines import Machine
from powernap.config.declared import declared
from powernap.config.values import WrongValueError, convert
from powernap.core.timetable import UP, Span
from powernap.schedules import ScheduleError, systemd_timers
from powernap.schedules.systemd_timers import (
    Elapse,
    Options,
    Timer,
    parse_calendar,
    parse_elapses,
    parse_timers,
)

SHOWN = """\
Unit=backup.service
TimersCalendar={ OnCalendar=Sun *-*-* 12:00:00 ; next_elapse=Sun 2026-11-29 12:00:00 UTC }
TimersCalendar={ OnCalendar=*-*-* 02:30:00 Europe/Berlin ; next_elapse=Tue 2026-11-24 01:30:00 UTC }
WakeSystem=no
Id=backup.timer
LoadState=loaded

Unit=
WakeSystem=no
Id=nope.timer
LoadState=not-found

Unit=apt-daily.service
WakeSystem=yes
Id=daily.timer
LoadState=loaded

Unit=tidy.service
WakeSystem=no
Id=tidy.timer
LoadState=loaded
"""
LISTED = (
    '[{"next":1795483800000000,"left":1795483800000000,"last":1795397400012345,"passed":0,"unit":"backup.timer","activates":"backup.service"},'
    '{"next":1795500000500000,"left":0,"last":0,"passed":0,"unit":"daily.timer","activates":"apt-daily.service"},'
    '{"next":null,"left":null,"last":0,"passed":0,"unit":"tidy.timer","activates":"tidy.service"}]'
)
STATES = "Id=backup.service\nActiveState={0}\nJob={1}\n\nId=apt-daily.service\nActiveState=inactive\n"
IN_UTC = """\
  Original form: Mon 10:00
Normalized form: Mon *-*-* 10:00:00
    Next elapse: Mon 2026-03-23 10:00:00 UTC
       From now: 8 months 1 day ago
       Iter. #2: Mon 2026-03-30 10:00:00.500000 UTC
       From now: 7 months 24 days ago
"""
ELSEWHERE = """\
  Original form: 2027-01-01 00:00:00 UTC
Normalized form: 2027-01-01 00:00:00 UTC
    Next elapse: never

  Original form: Mon 10:00
Normalized form: Mon *-*-* 10:00:00
    Next elapse: Mon 2026-03-23 10:00:00 CET
       (in UTC): Mon 2026-03-23 09:00:00 UTC
       From now: 8 months 1 day ago
       Iter. #2: Mon 2026-03-30 10:00:00 CEST
       (in UTC): Mon 2026-03-30 08:00:00 UTC
       From now: 7 months 24 days ago
"""
NEXT, LAST, DAY = 1795483800.0, 1795397400.012345, 86400
START = NEXT - 3600


class Systemd:
    """Answers as recorded, and notes what it was asked."""

    def __init__(self, state: str = "inactive", analyze: str | OSError = "") -> None:
        self.state, self.analyze, self.job = state, analyze, ""
        self.asked: list[list[str]] = []

    def __call__(self, argv: list[str]) -> str:
        self.asked.append(argv)
        if argv[0] == "systemd-analyze":
            if isinstance(self.analyze, OSError):
                raise self.analyze
            return self.analyze
        if argv[1] == "list-timers":
            return LISTED
        if "TimersCalendar" not in argv[2]:
            return STATES.format(self.state, self.job)
        names = argv[argv.index("--") + 1 :]
        return "\n\n".join(
            block
            for block in SHOWN.rstrip().split("\n\n")
            if any(f"Id={name}\n" in block for name in names) or names == ["*.timer"]
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path, {"/run/systemd/system/.keep": ""})
    found.host.live = True
    return found


def spans(machine: Machine, options: Options, asked: Callable[[list[str]], str], days: int = 7) -> list[Span]:
    return list(systemd_timers.spans(machine.host, options, START, START + days * DAY, UTC, asked))


def instant(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def test_the_machine_is_up_from_the_next_time_on_until_the_unit_has_run(machine: Machine) -> None:
    """At most as long as it is to stay."""
    assert spans(machine, Options(timers=("backup.timer",)), Systemd()) == [
        Span(NEXT, NEXT + 3600, UP, detail="backup.timer", unit="backup.service")
    ]


def test_the_times_after_the_next_are_systemd_analyzes(machine: Machine) -> None:
    """From the next one on, for both of the timer's expressions; what is before it or beyond the end is left out."""
    said = """\
    Next elapse: Wed 2026-11-25 01:30:00 UTC
       Iter. #2: Thu 2026-11-26 01:30:00 UTC
       Iter. #3: Mon 2027-11-29 01:30:00 UTC

    Next elapse: Sun 2026-11-29 12:00:00 UTC
       Iter. #2: Tue 2026-11-24 01:30:00 UTC
"""
    systemd = Systemd(analyze=said)
    found = spans(machine, Options(timers=("backup.timer",)), systemd)
    assert [each.start for each in found] == [
        NEXT,
        instant("2026-11-25 01:30"),
        instant("2026-11-26 01:30"),
        instant("2026-11-29 12:00"),
    ]
    assert systemd.asked[-1] == [
        "systemd-analyze", "calendar", "--base-time=@1795483800", "--iterations=500", "--",
        "Sun *-*-* 12:00:00", "*-*-* 02:30:00 Europe/Berlin",
    ]  # fmt: skip


def test_without_systemd_analyze_the_next_time_is_all_there_is(machine: Machine) -> None:
    """It is a package of its own on some distributions."""
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory")
    assert len(spans(machine, Options(timers=("backup.timer",)), Systemd(analyze=missing))) == 1


def test_a_timer_without_expressions_has_its_next_time_only(machine: Machine) -> None:
    """And nobody is asked for more; nor where the next one is beyond the end."""
    systemd = Systemd()
    assert [each.start for each in spans(machine, Options(timers=("daily.timer",)), systemd)] == [
        1795500000.5
    ]
    assert spans(machine, Options(timers=("backup.timer",)), systemd, days=0) == []
    assert "systemd-analyze" not in str(systemd.asked)


@pytest.mark.parametrize(
    ("state", "up"),
    [("activating", True), ("active", True), ("deactivating", True), ("reloading", True), ("inactive", False), ("failed", False)],
)  # fmt: skip
def test_what_a_timer_has_started_counts_while_it_runs(machine: Machine, state: str, up: bool) -> None:
    """From when it was started on."""
    options = Options(timers=("backup.timer",), stay=2.0 * DAY)
    expected = [Span(LAST, LAST + 2 * DAY, UP, detail="backup.timer", unit="backup.service")] if up else []
    assert [each for each in spans(machine, options, Systemd(state)) if each.start < NEXT] == expected


@pytest.mark.parametrize(("job", "up"), [("4711", True), ("0", False), ("", False)])
def test_a_unit_whose_job_waits_counts_as_running(machine: Machine, job: str, up: bool) -> None:
    """Regression: between the elapse and the start, while what it is ordered after is being done, it is inactive."""
    systemd = Systemd()
    systemd.job = job
    options = Options(timers=("backup.timer",), stay=2.0 * DAY)
    assert [each.start for each in spans(machine, options, systemd)][:1] == ([LAST] if up else [NEXT])


def test_a_unit_that_runs_for_longer_than_its_limit_does_not_keep_the_machine_up(machine: Machine) -> None:
    """The limit is counted from its start."""
    options = Options(timers=("backup.timer",), stay=60.0)
    assert [each.start for each in spans(machine, options, Systemd("activating"))] == [NEXT]


def test_timers_that_wake_the_system_need_not_be_named(machine: Machine) -> None:
    """Those that are named come besides; others of the machine do not count."""
    systemd = Systemd()
    found = spans(machine, Options(wake_system=True), systemd)
    assert [each.detail for each in found] == ["daily.timer"]
    assert systemd.asked[0][-1] == "*.timer"
    both = spans(machine, Options(timers=("backup.timer",), wake_system=True), systemd)
    assert [each.detail for each in both] == ["backup.timer", "daily.timer"]


def test_a_timer_that_is_named_and_wakes_the_system_counts_once(machine: Machine) -> None:
    """It would be shown twice."""
    found = spans(machine, Options(timers=("daily.timer",), wake_system=True), Systemd())
    assert [each.detail for each in found] == ["daily.timer"]


def test_a_timer_may_be_named_by_an_alias(machine: Machine) -> None:
    """Systemctl answers with its own name."""
    systemd = Systemd()

    def asked(argv: list[str]) -> str:
        return systemd(["daily.timer" if word == "alias.timer" else word for word in argv])

    assert [each.detail for each in spans(machine, Options(timers=("alias.timer",)), asked)] == [
        "daily.timer"
    ]


def test_a_timer_that_is_stopped_says_nothing(machine: Machine) -> None:
    """Systemctl shows null for its next time."""
    assert spans(machine, Options(timers=("tidy.timer",)), Systemd()) == []


def test_a_timer_that_there_is_not_leaves_the_others(machine: Machine) -> None:
    """The probe says so; one that comes later counts then."""
    options = Options(timers=("nope.timer", "daily.timer"))
    assert [each.detail for each in spans(machine, options, Systemd())] == ["daily.timer"]
    answer = systemd_timers.probe(machine.host, options, Systemd())
    assert (answer.usable, answer.detail) == (True, "1 timer: daily.timer; nope.timer is not found")
    answer = systemd_timers.probe(machine.host, Options(timers=("nope.timer",)), Systemd())
    assert (answer.usable, answer.detail) == (False, "nope.timer is not found")


def test_the_probe_needs_a_live_systemd(machine: Machine, tmp_path: Path) -> None:
    """A recorded one cannot be asked."""
    options = Options(wake_system=True)
    assert systemd_timers.probe(machine.host, options, Systemd()).detail == "1 timer: daily.timer"
    other = Machine(tmp_path / "other", {})
    assert systemd_timers.probe(other.host, options).detail == "a recorded machine starts no programs"
    other.host.live = True
    assert systemd_timers.probe(other.host, options).detail == "systemd does not run here"
    nothing = systemd_timers.probe(machine.host, options, lambda _: "")
    assert (nothing.usable, nothing.detail) == (True, "no timer has WakeSystem=yes")


@pytest.mark.parametrize(
    "broken",
    [TimeoutError(errno.ETIMEDOUT, "it did not end within 10 s and was killed"), OSError(errno.EIO, "Failed to connect to bus", "x")],
)  # fmt: skip
def test_a_systemd_that_does_not_answer_is_a_schedule_that_cannot_tell(
    machine: Machine, broken: OSError
) -> None:
    """With what systemctl said."""

    def asked(_: list[str]) -> str:
        raise broken

    with pytest.raises(
        ScheduleError, match="systemd does not tell its timers .(it did not end|Failed to connect)"
    ):
        spans(machine, Options(wake_system=True), asked)
    assert not systemd_timers.probe(machine.host, Options(wake_system=True), asked)


@pytest.mark.parametrize("answer", ["[{}]", "[1]", "[", '[{"unit":1,"next":2}]'])
def test_an_answer_that_is_not_understood_is_told(machine: Machine, answer: str) -> None:
    """A later systemd may say it in another way."""

    def asked(argv: list[str]) -> str:
        return answer if argv[1] == "list-timers" else SHOWN

    with pytest.raises(ScheduleError, match="it answers strangely"):
        spans(machine, Options(timers=("backup.timer",)), asked)


def test_a_recorded_machine_cannot_be_asked(tmp_path: Path) -> None:
    """No program is started for one."""
    machine = Machine(tmp_path, {})
    with pytest.raises(ScheduleError, match="a recorded machine"):
        spans(machine, Options(wake_system=True), Systemd())


# --- reading


def test_properties_are_read_as_systemctl_shows_them() -> None:
    """In any order, several of a kind."""
    expressions = "Sun *-*-* 12:00:00", "*-*-* 02:30:00 Europe/Berlin"
    assert parse_timers(SHOWN)[:2] == [
        Timer("backup.timer", "loaded", "backup.service", expressions, wakes=False),
        Timer("nope.timer", "not-found", "", (), wakes=False),
    ]
    assert parse_timers("") == []


def test_times_are_read_as_list_timers_shows_them() -> None:
    """Microseconds since the epoch; 0, null and the largest number are never."""
    assert parse_elapses(f"a warning\n{LISTED}")["backup.timer"] == Elapse(NEXT, LAST)
    assert parse_elapses(LISTED)["tidy.timer"] == Elapse(None, None)
    assert parse_elapses(LISTED.replace("null", str(2**64 - 1)))["tidy.timer"] == Elapse(None, None)
    assert parse_elapses("") == {}


def test_elapses_are_read_as_systemd_analyze_shows_them() -> None:
    """In UTC, from whichever of its two lines says so; never from the expression itself."""
    assert parse_calendar(IN_UTC) == {instant("2026-03-23 10:00"), instant("2026-03-30 10:00")}
    assert parse_calendar(ELSEWHERE) == {instant("2026-03-23 09:00"), instant("2026-03-30 08:00")}


@given(st.text(alphabet="Id=Unit\n{}.Timers Calendar;loaded-", max_size=200))
def test_no_output_breaks_the_reader(output: str) -> None:
    """What is not understood is left out."""
    assert isinstance(parse_timers(output), list)
    assert isinstance(parse_calendar(output), set)


# --- options


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("backup", 'write "backup.timer"'), ("backup.service", 'write "backup.timer"'), ("*.timer", 'write, for example, "backup.timer"')],
)  # fmt: skip
def test_timers_are_named_in_full(name: str, remedy: str) -> None:
    """Patterns are refused: a machine must not be woken for a timer that a package brings."""
    with pytest.raises(WrongValueError) as caught:
        convert(name, declared(Options)["timers"])
    assert (caught.value.message, caught.value.remedy) == (
        f'"timers": "{name}" is no name of a timer',
        remedy,
    )


def test_something_must_be_named() -> None:
    """Or asked for by WakeSystem."""
    with pytest.raises(ValueError, match="it names no timer; write, for example"):
        Options()


def test_unit_files_and_stamps_are_watched() -> None:
    """A changed timer is asked for anew."""
    watched = systemd_timers.watched(Options(wake_system=True))
    assert {"/etc/systemd/system", "/var/lib/systemd/timers"} <= {*watched}


def test_timers_that_are_not_there_or_not_started_are_doubted(machine: Machine) -> None:
    """Those that there are are named; what starts it is said. One that is started is fine."""
    found = list(
        systemd_timers.doubts(machine.host, Options(timers=("backup.timer", "nope.timer")), Systemd())
    )
    assert [
        ("backup.timer is not started, so it never elapses", "`systemctl enable --now backup.timer`"),
        ("nope.timer is not found", "the timers here are backup.timer, daily.timer, tidy.timer"),
    ] == [(each.what, each.remedy) for each in found]

    def started(argv: list[str]) -> str:
        return "Id=backup.timer\nActiveState=active\n" if "ActiveState" in argv[2] else Systemd()(argv)

    assert [] == list(systemd_timers.doubts(machine.host, Options(timers=("backup.timer",)), started))


def test_without_a_timer_that_wakes_that_is_doubted(machine: Machine) -> None:
    """Where such were asked for."""

    def sleepy(argv: list[str]) -> str:
        return Systemd()(argv).replace("WakeSystem=yes", "WakeSystem=no")

    found = list(systemd_timers.doubts(machine.host, Options(wake_system=True), sleepy))
    assert ["no timer that is loaded here has WakeSystem=yes"] == [each.what for each in found]
    silent = list(systemd_timers.doubts(machine.host, Options(wake_system=True), Systemd()))
    assert ["daily.timer is not started, so it never elapses"] == [each.what for each in silent]


def test_where_systemd_does_not_tell_nothing_is_doubted(machine: Machine) -> None:
    """Its probe says so."""

    def mute(argv: list[str]) -> str:
        raise OSError(5, "no answer", argv[0])

    assert [] == list(systemd_timers.doubts(machine.host, Options(timers=("backup.timer",)), mute))
    machine.host.live = False
    assert [] == list(systemd_timers.doubts(machine.host, Options(timers=("backup.timer",)), Systemd()))
