"""The schedules kept current: clocks that are set, files that change, exceptions, trouble, a daemon that was away for months."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fakesleep
from agendas import DAY, HOUR, LADDER, MONDAY, OFFICE, Diary, config, instant, kept
from deadserver import DeadServer
from fakekernel import acpi_server
from keeper import run
from loop_ears import until
from powernap.config.model import Config as CoreConfig
from powernap.core.plan import Plan
from powernap.daemon import agenda as module
from powernap.daemon import settling
from powernap.daemon.asking import RETRY
from powernap.daemon.exceptions import OVER_MAX
from powernap.daemon.leads import BOOT, DEFAULT, SLEEP, SOONEST
from powernap.host.clock import SystemClock
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.inotify import Inotify
from powernap.sleep import rtc

NIGHT = """
[schedule.night]
type = "windows"
off = "daily 22:00-06:00 UTC"
"""
SHUTDOWNS = "[schedule.shutdowns]\n"
KEPT_UP = "the schedule keeps it up: Mon-Fri 07:30-18:00 UTC"

# ------------------------------------------------------------ what the core is told, and when


@kept(OFFICE, "2035-01-01 12:00")
async def test_until_they_have_answered_nobody_naps(diary: Diary) -> None:
    """The first plan comes at once, and keeps the machine up; the next one says what they said."""
    diary.agenda.look()
    assert diary.up() == [("office", "the schedule is being asked")]
    await diary.answered()
    assert diary.up() == [("office", KEPT_UP)]
    assert diary.plan.up[0].until == pytest.approx(1000 + 6 * HOUR)


@kept(OFFICE, "2035-01-01 12:00")
async def test_what_changes_nothing_is_not_told(diary: Diary) -> None:
    """Looked at again, and by a clock that is slewed, the plan is the same."""
    await diary.look()
    told = len(diary.fed)
    for _ in range(3):
        diary.clock.go(60)
        diary.clock.step(0.1)
        await diary.look()
    assert len(diary.fed) == told
    diary.clock.step(0.3)
    await diary.look()
    assert len(diary.fed) == told + 1
    assert "clock-set" not in diary.kinds()


@kept(OFFICE + NIGHT, "2035-01-01 12:00")
async def test_an_edge_takes_effect_at_once(diary: Diary) -> None:
    """Before anybody has been asked again."""
    await diary.look()
    diary.clock.go(6 * HOUR)
    diary.agenda.look()
    assert diary.plan.up == ()
    off = diary.plan.off
    assert off is not None
    assert off.at == pytest.approx(diary.clock.since_boot + 4 * HOUR)
    assert off.until == pytest.approx(
        diary.clock.since_boot + 12 * HOUR - DEFAULT[BOOT] - SOONEST["power-off"]
    )
    await diary.answered()


@pytest.mark.parametrize("step", [-30 * DAY, -5 * HOUR, -90.0, 90.0, 5 * HOUR, 30 * DAY, 3000 * DAY])
def test_after_a_clock_step_the_schedules_hold_at_the_new_time(tmp_path: Path, step: float) -> None:
    """Both ways; what is told is what a daemon is told that has never known another time, and the history says that it was set."""

    @kept(OFFICE + NIGHT, "2035-01-01 12:00")
    async def claim(diary: Diary) -> None:
        await diary.look()
        diary.clock.step(step)
        await diary.look()
        fresh = Diary(OFFICE + NIGHT, clock=diary.clock)
        await fresh.look()
        assert diary.plan == fresh.plan
        assert diary.agenda.need() == fresh.agenda.need()
        assert diary.kinds() == ["clock-set"]
        assert diary.said[0][1].endswith("ahead" if step > 0 else "back")
        fresh.agenda.close()

    claim(tmp_path)


@kept(OFFICE, "2035-01-01 12:00")
async def test_a_need_that_came_while_it_slept_is_told(diary: Diary) -> None:
    """It was not woken; the history says for whom it was late. Once."""
    await diary.look()
    assert diary.agenda.need() is not None
    diary.clock.go(20 * HOUR)
    await diary.look()
    await diary.look()
    assert diary.said == [("schedule-missed", "30min after office (Mon-Fri 07:30-18:00 UTC)")]
    assert diary.up() == [("office", KEPT_UP)]


@kept(OFFICE, "2035-01-01 12:00")
async def test_a_need_that_is_over_when_it_comes_back_is_gone(diary: Diary) -> None:
    """It is told, and the next one is waited for."""
    await diary.look()
    diary.clock.go(31 * HOUR)
    await diary.look()
    assert diary.up() == []
    assert diary.kinds() == ["schedule-missed"]
    need = diary.agenda.need()
    assert need is not None
    assert need.at == instant("2035-01-03 07:30")


@kept(OFFICE, "2035-01-01 20:00")
async def test_it_is_wanted_as_much_earlier_as_it_takes(diary: Diary) -> None:
    """From memory, or through its firmware; what is learned counts, and from then on it is kept up."""
    await diary.look()
    at = instant("2035-01-02 07:30")
    wanted = {state: diary.agenda.wanted(state) for state in ("suspend", "hybrid-sleep", "hibernate", "power-off")}  # fmt: skip
    assert wanted == {"suspend": at - DEFAULT[SLEEP], "hybrid-sleep": at - DEFAULT[SLEEP], "hibernate": at - DEFAULT[BOOT], "power-off": at - DEFAULT[BOOT]}  # fmt: skip
    diary.agenda.ready(SLEEP, diary.clock.at - 80)
    diary.agenda.ready(SLEEP, diary.clock.at - DAY)
    assert diary.agenda.wanted("suspend") == at - 102.0

    diary.clock.at = at - 103
    await diary.look()
    assert diary.up() == []
    diary.clock.at = at - 102
    await diary.look()
    assert diary.up() == [("office", "needed soon: Mon-Fri 07:30-18:00 UTC")]


@kept(OFFICE.replace("up =", "wake = false\nup ="))
async def test_without_wake_it_is_kept_up_and_not_woken(diary: Diary) -> None:
    """`wake = false`."""
    await diary.look()
    assert diary.agenda.wanted("suspend") is None
    diary.clock.go(12 * HOUR)
    await diary.look()
    assert diary.up() == [("office", KEPT_UP)]


@kept('[schedule.far]\ntype = "dates"\ndays = "12-24"\nmeans = "up"\nzone = "UTC"\n', "2035-01-01 00:00")
async def test_a_need_that_is_months_away_is_known(diary: Diary) -> None:
    """It is asked ahead until there is one."""
    await diary.look()
    need = diary.agenda.need()
    assert need is not None
    assert need.at == instant("2035-12-24 00:00")


@kept(
    '[schedule.far]\ntype = "dates"\ndays = "2037-12-24"\nmeans = "up"\nzone = "UTC"\n',
    "2035-01-01 00:00",
)
async def test_what_lies_beyond_a_year_and_a_bit_comes_into_sight(diary: Diary) -> None:
    """Asked again half-way, it is known in time."""
    await diary.look()
    assert diary.agenda.need() is None
    looks = 0
    while diary.agenda.need() is None:
        diary.clock.at = diary.agenda._edge(diary.clock.at)
        await diary.look()
        looks += 1
    assert looks < 10
    assert diary.agenda.need() is not None


@kept('[schedule.always]\ntype = "windows"\noff = "daily"\n')
async def test_off_at_every_time_has_no_need(diary: Diary) -> None:
    """It is off for as long as one can see, and no alarm is set."""
    await diary.look()
    assert diary.agenda.need() is None
    assert diary.plan.off is not None
    assert diary.plan.off.until is not None
    assert diary.plan.off.until > 300 * DAY


@kept('[schedule.minutely]\ntype = "cron"\nat = "* * * * *"\nstay = "30s"\nmeans = "off"\n' + OFFICE)
async def test_thousands_of_statements_are_taken_as_they_come(diary: Diary) -> None:
    """One each minute: no more is kept than a day of it."""
    await diary.look()
    assert len(diary.agenda.periods) < 4000
    assert diary.agenda.need() is not None


# ------------------------------------------------------------ the same whenever one looks

SCHEDULES = st.lists(
    st.sampled_from([
        OFFICE, NIGHT,
        '[schedule.berlin]\ntype = "windows"\nnap = "daily 01:30-03:30"\ndeepest = "ease"\nzone = "Europe/Berlin"\nunless = ["backup"]\n',
        '[schedule.backup]\ntype = "cron"\nat = "30 2 * * 0,3"\nstay = "45min"\nzone = "America/New_York"\n',
        '[schedule.hourly]\ntype = "cron"\nat = "0 * * * *"\nmeans = "nap"\n',
        '[schedule.year]\ntype = "dates"\ndays = ["12-24", "02-29"]\nmeans = "off"\nwake = false\n',
    ]),
    unique=True, min_size=1,
)  # fmt: skip
BACKUP = '[schedule.backup]\ntype = "cron"\nat = "0 0 1 1 *"\nenabled = false\n'


@settings(max_examples=25, deadline=None)
@given(SCHEDULES, st.lists(st.floats(0, 500 * DAY), min_size=1, max_size=3), st.floats(60, 200 * DAY))
def test_what_holds_does_not_depend_on_when_it_was_looked_at_before(
    texts: list[str], before: list[float], absent: float
) -> None:
    """A daemon that looked at any instants, then slept for months, says the same as one that has just been started."""
    text = "".join(texts)
    if "unless" in text and "[schedule.backup]" not in text:
        text += BACKUP

    async def claim() -> None:
        old = Diary(text)
        for each in sorted(before):
            old.clock.at = MONDAY + each
            old.clock.since_boot = 1000.0 + each
            await old.look()
        old.clock.go(absent)
        await old.look()
        young = Diary(text, clock=old.clock)
        await young.look()
        assert old.agenda.need() == young.agenda.need()
        assert alike(old.plan, young.plan)
        old.agenda.close()
        young.agenda.close()

    run(claim())


def alike(one: Plan, other: Plan) -> bool:
    """But for fractions of a second."""
    return module._rounded(one) == module._rounded(other) or repr(one) == repr(other)


# ------------------------------------------------------------ exceptions


@kept(OFFICE, "2035-01-01 12:00")
async def test_what_is_skipped_says_nothing_at_once(diary: Diary) -> None:
    """Before anybody is asked again, and what comes next is known; restored, it says it again."""
    await diary.look()
    diary.agenda.skip("office", diary.clock.at, diary.clock.at + DAY, "alice")
    assert diary.up() == []
    need = diary.agenda.need()
    assert need is not None
    assert need.at == instant("2035-01-02 12:00")
    diary.agenda.restore("bob")
    assert diary.up() == [("office", KEPT_UP)]
    assert diary.said == [("schedule-skipped", "alice skipped the schedule office for 1d"), ("schedule-restored", "bob took all exceptions to the schedules back")]  # fmt: skip
    await diary.answered()
    assert diary.up() == [("office", KEPT_UP)]


@kept(OFFICE, "2035-01-01 12:00")
async def test_where_nothing_stood_nothing_is_restored(diary: Diary) -> None:
    """The history says nothing of it; what was extended is called so."""
    diary.agenda.restore("bob")
    diary.agenda.skip("office", diary.clock.at, diary.clock.at + DAY, "alice")
    diary.agenda.restore("bob", "extended")
    diary.agenda.extend(diary.clock.at, diary.clock.at + DAY, "", "alice")
    diary.agenda.restore("bob", "extended")
    diary.clock.at += 2 * DAY
    diary.agenda.restore("bob")
    assert [detail for kind, detail in diary.said if kind == "schedule-restored"] == [
        "bob took what was extended back"
    ]


@kept(NIGHT, "2035-01-01 23:00")
async def test_extended_it_stays_up_and_is_woken(diary: Diary) -> None:
    """Now, and later tonight; overlapping exceptions: up."""
    await diary.look()
    diary.agenda.extend(diary.clock.at, diary.clock.at + HOUR, "a deadline", "alice")
    diary.agenda.extend(diary.clock.at + 2 * HOUR, diary.clock.at + 3 * HOUR, "", "bob")
    diary.agenda.skip("", diary.clock.at, diary.clock.at + DAY, "carol")
    assert diary.up() == [("extended", "the schedule keeps it up: a deadline (alice)")]
    need = diary.agenda.need()
    assert need is not None
    assert (need.at, need.schedule) == (diary.clock.at + 2 * HOUR, "extended")
    assert diary.said[-1] == ("schedule-skipped", "carol skipped all schedules for 1d")


@kept(OFFICE, "2035-01-01 12:00")
async def test_exceptions_outlive_the_daemon_and_end(diary: Diary) -> None:
    """Another life knows them; after their end they are none."""
    await diary.look()
    diary.agenda.skip("office", diary.clock.at, diary.clock.at + HOUR, "alice")
    again = Diary(OFFICE, "/", diary.host.state, diary.clock)
    await again.look()
    assert again.plan == Plan()
    assert again.agenda.facts()["skipped"] == [{"start": diary.clock.at, "end": diary.clock.at + HOUR, "schedule": "office", "who": "alice"}]  # fmt: skip
    diary.clock.go(HOUR)
    await again.look()
    assert again.up() == [("office", KEPT_UP)]
    assert again.agenda.facts()["skipped"] == []
    again.agenda.close()


@kept(OFFICE, "2035-01-01 12:00")
async def test_an_exception_that_a_wrong_clock_ended_holds_again(diary: Diary) -> None:
    """Set ahead by five hours, another one made, and set right again; after a day it is forgotten."""
    await diary.look()
    diary.agenda.skip("office", diary.clock.at, diary.clock.at + 2 * HOUR, "alice")
    diary.clock.step(5 * HOUR)
    await diary.look()
    assert diary.up() == [("office", KEPT_UP)]
    diary.agenda.skip("office", diary.clock.at + DAY, diary.clock.at + DAY + 1, "bob")
    diary.clock.step(-5 * HOUR)
    await diary.look()
    assert diary.up() == []
    diary.clock.go(2 * DAY)
    diary.agenda.extend(diary.clock.at, diary.clock.at + 1, "", "carol")
    assert [each.who for each in diary.agenda.kept.skipped] == ["bob"]  # fmt: skip


@kept(OFFICE, "2035-01-01 12:00")
async def test_where_they_cannot_be_kept_they_hold_until_the_end(diary: Diary) -> None:
    """And that is said."""
    await diary.look()
    os.close(os.open(diary.host.state, os.O_CREAT))  # in the way of a directory
    diary.agenda.skip("office", diary.clock.at, diary.clock.at + HOUR, "alice")
    diary.agenda.ready(SLEEP, diary.clock.at - 1)
    assert diary.up() == []
    assert diary.kinds() == ["defect", "schedule-skipped", "defect"]


# ------------------------------------------------------------ trouble


@kept(SHUTDOWNS + OFFICE, "2035-01-01 20:00")
async def test_a_schedule_in_trouble_keeps_the_machine_up_and_is_asked_again(diary: Diary) -> None:
    """From the first second on; why says what is the matter, and the timer comes for it."""
    scheduled = Path(diary.host.files.root) / "run/systemd/shutdown/scheduled"  # type: ignore[attr-defined]
    scheduled.parent.mkdir(parents=True)
    scheduled.write_text("nonsense")
    await diary.look()
    assert [name for name, _ in diary.up()] == ["shutdowns"]
    assert "it says no time" in diary.up()[0][1]
    assert diary.plan.up[0].until is None
    assert diary.agenda._edge(diary.clock.at) == diary.clock.at + RETRY
    assert diary.agenda.facts()["troubles"][0]["schedule"] == "shutdowns"
    scheduled.unlink()
    await diary.look()
    assert diary.up() == []
    assert diary.agenda.facts()["troubles"] == []


@kept(SHUTDOWNS + OFFICE, "2035-01-01 20:00")
async def test_a_schedule_in_trouble_that_is_skipped_keeps_nobody_up_until_that_ends(diary: Diary) -> None:
    """What an admin does not want to know of need not be known; and the timer comes when it is over."""
    scheduled = Path(diary.host.files.root) / "run/systemd/shutdown/scheduled"  # type: ignore[attr-defined]
    scheduled.parent.mkdir(parents=True)
    scheduled.write_text("nonsense")
    await diary.look()
    now = diary.clock.at
    diary.agenda.skip("office", now, now + HOUR, "root")
    assert [name for name, _ in diary.up()] == ["shutdowns"]
    diary.agenda.skip("shutdowns", now, now + 100.0, "root")
    assert diary.up() == []
    assert diary.agenda._edge(now) == now + 100.0
    diary.clock.at += 101.0
    await diary.look()
    assert [name for name, _ in diary.up()] == ["shutdowns"]


@kept(OFFICE)
async def test_a_limit_of_watches_that_is_reached_is_said_once_and_made_up_for(diary: Diary) -> None:
    """The files are read each hour then."""
    real = Inotify.__init__

    def full(_self: Inotify) -> None:
        raise OSError(24, os.strerror(24))

    Inotify.__init__ = full  # type: ignore[method-assign,assignment]
    try:
        await diary.look()
        await diary.look()
    finally:
        Inotify.__init__ = real  # type: ignore[method-assign]
    assert diary.said == [("defect", "the schedules' files are read every 1h only: Too many open files")]
    assert diary.agenda._edge(diary.clock.at) == diary.clock.at + HOUR
    await diary.look()
    assert diary.agenda._edge(diary.clock.at) > diary.clock.at + HOUR


@kept(OFFICE)
async def test_a_defect_while_asking_is_said_and_does_not_end_it(diary: Diary) -> None:
    """The next look asks again."""

    def broken() -> float:
        raise RuntimeError("a defect")

    real, diary.clock.boottime = diary.clock.boottime, lambda: 1000.0  # type: ignore[method-assign]
    diary.agenda.look()
    diary.clock.boottime = broken  # type: ignore[method-assign]
    await diary.answered()
    diary.clock.boottime = real  # type: ignore[method-assign]
    assert diary.said == [("defect", "the schedules could not be asked: RuntimeError: a defect")]
    await diary.look()
    assert diary.plan == Plan()


@kept(OFFICE)
async def test_closed_it_tells_nothing_more(diary: Diary) -> None:
    """Also while they are being asked."""
    diary.agenda.look()
    told = len(diary.fed)
    diary.agenda.settling.touched()
    diary.agenda.close()
    diary.agenda.look()
    await asyncio.sleep(0.05)
    assert len(diary.fed) == told


# ------------------------------------------------------------ what may change it, really


def test_a_file_that_comes_and_goes_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shutdown is scheduled where even its directory was not there, and cancelled."""
    monkeypatch.setattr(settling, "SETTLE", 0.01)
    monkeypatch.setattr(settling, "CALM", 0.02)

    @kept(SHUTDOWNS)
    async def claim(diary: Diary) -> None:
        await diary.look()
        directory = tmp_path / "run/systemd/shutdown"
        directory.mkdir(parents=True)
        (directory / "scheduled").write_text(f"USEC={(diary.clock.at + 60) * 1e6:.0f}\nMODE=poweroff\n")
        await until(diary.up)
        assert diary.up() == [("shutdowns", "the schedule keeps it up: power-off by shutdown(8)")]
        (directory / "scheduled").unlink()
        await until(lambda: not diary.up())

    claim(tmp_path)


def test_a_change_of_the_machines_zone_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As timedatectl(1) does it; windows without a zone hold in the new one."""
    monkeypatch.setattr(settling, "SETTLE", 0.01)

    @kept(OFFICE.replace(" UTC", ""), "2035-01-01 05:00")
    async def claim(diary: Diary) -> None:
        await diary.look()
        need = diary.agenda.need()
        assert need is not None
        assert need.at == instant("2035-01-01 07:30")
        (tmp_path / "etc/new").symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
        (tmp_path / "etc/new").replace(tmp_path / "etc/localtime")
        await until(diary.up)
        assert diary.plan.up[0].until == pytest.approx(1000.0 + 4 * HOUR)

    claim(tmp_path)


DEAD = """
[schedule.days]
type = "dates"
file = "/dead/holidays"
means = "up"
[schedule.calendar]
type = "ical"
source = "/dead/team.ics"
"""


def test_a_server_that_is_gone_never_hangs_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: to watch a file on it, and to look whether a calendar is another one, was done in the loop's thread.

    The others answer, whose files are watched; those on the server are in trouble, and what they say is taken once it is back.
    """
    monkeypatch.setattr(settling, "SETTLE", 0.01)
    monkeypatch.setattr(settling, "CALM", 0.02)
    (tmp_path / "dead").mkdir()
    (tmp_path / "dead/holidays").write_text("01-01\n")
    server = DeadServer(monkeypatch, str(tmp_path / "dead"))

    @kept(DEAD + SHUTDOWNS + OFFICE)
    async def claim(diary: Diary) -> None:
        diary.agenda.asking.limit = 0.3
        await diary.look()
        assert server.waiting == 2
        assert {*diary.agenda.asking.told} == {"shutdowns", "office"}
        assert [name for name, _ in diary.up()] == ["days", "calendar"]
        assert "does not answer" in diary.up()[0][1]
        (tmp_path / "run/systemd/shutdown").mkdir(parents=True)
        (tmp_path / "run/systemd/shutdown/scheduled").write_text(
            f"USEC={(diary.clock.at + 60) * 1e6:.0f}\nMODE=poweroff\n"
        )
        await until(lambda: "shutdowns" in dict(diary.up()))
        server.back.set()
        await until(lambda: dict(diary.up()).get("days") == "the schedule keeps it up: 01-01")
        (tmp_path / "dead/holidays").write_text("01-02\n")
        await until(lambda: "days" not in dict(diary.up()))
        await diary.answered()

    claim(tmp_path)
    assert server.touched == []


@kept('[schedule.far]\ntype = "dates"\ndays = "12-24"\nmeans = "up"\nzone = "UTC"\n', "2035-01-01 00:00")
async def test_a_need_that_is_months_away_is_known_at_any_moment(diary: Diary) -> None:
    """Regression: while it was asked again, only the coming day was known, and no alarm was wanted."""
    await diary.look()
    need = diary.agenda.need()
    assert need is not None
    seen: set[object] = set()
    diary.agenda.look()
    while diary.agenda.task is not None:
        seen.add(diary.agenda.need())
        diary.agenda._conclude()
        await asyncio.sleep(0)
    assert seen == {need}


@kept(OFFICE, "2035-01-01 12:00")
async def test_exceptions_that_are_over_do_not_pile_up(diary: Diary) -> None:
    """Regression: one that lasts a second, each second, made the file grow all day; the limit counts those that stand."""
    await diary.look()
    diary.agenda.skip("office", diary.clock.at, diary.clock.at + DAY, "alice")
    for _ in range(3 * OVER_MAX):
        diary.agenda.extend(diary.clock.at, diary.clock.at + 1, "", "bob")
        diary.clock.go(2)
    diary.agenda.extend(diary.clock.at, diary.clock.at + 1, "", "bob")
    assert len(diary.agenda.kept.extended) == OVER_MAX + 1
    assert [each.who for each in diary.agenda.kept.skipped] == ["alice"]
    await diary.answered()


def test_the_edge_brings_itself() -> None:
    """A real timer on the real clock: what is extended is up until its end, with nobody asking."""

    async def claim() -> None:
        diary = Diary(
            OFFICE.replace("up = ", 'unless = []\nwake = false\nnap = "daily"\nup = '), clock=SystemClock()
        )
        now = time.time()
        diary.agenda.extend(now, now + 0.4, "x", "alice")
        await until(lambda: "extended" not in dict(diary.up()))
        assert any(window.name == "extended" for plan in diary.fed for window in plan.up)
        assert time.time() >= now + 0.4
        diary.agenda.close()

    run(claim())


@kept('[schedule.jobs]\ntype = "windows"\nup = "daily 00:00-01:00 UTC"\n')
async def test_while_it_is_up_for_a_unit_it_is_asked_whether_that_has_run(diary: Diary) -> None:
    """Nobody tells of its end; what is up for other reasons too is not asked about."""
    await diary.look()
    assert diary.agenda._edge(diary.clock.at) == diary.clock.at + HOUR
    told = diary.agenda.asking.told["jobs"]
    of_unit = dataclasses.replace(told.spans[0], unit="backup.service")
    diary.agenda.asking.told["jobs"] = type(told)(told.start, told.end, (of_unit,))
    diary.agenda._conclude()
    assert diary.agenda._edge(diary.clock.at) == diary.clock.at + module.UNIT


def test_where_it_may_nap_as_deep_as_the_ladder_goes_it_is_not_needed() -> None:
    """Also where no stage of that sleeps; a limit that forbids to sleep is a need."""

    async def claim(ladder: str, deepest: str) -> bool:
        nap = '[schedule.a]\ntype = "windows"\nnap = "daily 01:00-02:00 UTC"\n'
        diary = Diary(nap + deepest)
        diary.agenda.config = config(nap + deepest, ladder)
        await diary.look()
        diary.agenda.close()
        return diary.agenda.need() is not None

    shallow = LADDER.replace('sleep = "suspend"', 'actions = ["hooks"]').replace(
        'name = "suspend"', 'name = "deeper"'
    )
    assert [run(claim(ladder, "")) for ladder in (LADDER, shallow, "")] == [False, False, False]
    assert [run(claim(ladder, 'deepest = "ease"')) for ladder in (LADDER, shallow)] == [True, True]
    assert not run(claim(LADDER, 'deepest = "suspend"'))


@kept(OFFICE, "2035-01-01 20:00")
async def test_a_need_that_is_met_is_not_called_missed(diary: Diary) -> None:
    """Woken a little before it, or half a minute late."""
    await diary.look()
    diary.clock.at, passed = instant("2035-01-02 07:29:50"), instant("2035-01-02 07:29:50") - diary.clock.at
    diary.clock.since_boot += passed
    await diary.look()
    diary.clock.go(40)
    await diary.look()
    assert diary.said == []


@pytest.mark.parametrize("zone", [0, 3600, -12600])
def test_the_alarm_that_is_set_is_told(tmp_path: Path, zone: int) -> None:
    """Whosever it is, also of a clock in local time; on a machine without a clock there is none."""

    async def asked() -> None:
        kernel = acpi_server(tmp_path / "machine")
        clock = fakesleep.add_sleep(kernel, zone=zone)
        agenda = module.Agenda(
            Host(files=kernel, clock=clock), CoreConfig(), "", lambda _event: None, lambda *_: None
        )
        fakesleep.disarm(kernel)
        assert agenda.alarm() is None
        rtc.arm(kernel, clock.wall() + 600.0, clock.wall())
        assert agenda.alarm() == {"rtc": "rtc0", "at": pytest.approx(clock.wall() + 600.0, abs=2)}
        agenda.close()
        bare = module.Agenda(
            Host(files=TreeFiles(str(tmp_path / "bare"))),
            CoreConfig(),
            "",
            lambda _event: None,
            lambda *_: None,
        )
        assert bare.alarm() is None
        bare.close()

    run(asked())
