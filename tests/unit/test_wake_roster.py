"""wakeproxy/roster.py and keeper.py: machines without an alarm are up when their schedules need them, in virtual time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from powernap.wakers import WakeError
from sleepers import DAY, HOUR, MINUTE, OFFICE, Machine, World, berlin, host, inventory, world
from virtual_time import Clock, run

NIGHT = 'type = "windows"\noff = "daily 22:00-06:00 Europe/Berlin"\n'
REMEDY = "look at its card (magic-packet)"


@pytest.mark.parametrize("first", ["2035-03-23", "2035-10-26", "2036-02-27"])
def test_it_is_up_in_time_on_each_day_also_when_the_clocks_change(first: str) -> None:
    """A week around the beginning and the end of summer time, and a leap day: at 07:30 on the wall it is there."""

    async def claim() -> None:
        here = World(Clock(berlin(f"{first} 00:00")), {"web": Machine()})
        machine, day, count = here.machines["web"], datetime.fromisoformat(first), 0
        with here.keeping(inventory(host("web"))):
            for _ in range(7):
                await here.until(f"{day:%F} 07:30")
                assert machine.up(here.clock.wall()) == (day.weekday() < 5), day
                count += day.weekday() < 5
                await here.until(f"{day:%F} 19:00")
                machine.up_since = None
                day += timedelta(days=1)
        assert 5 == count == here.kinds().count("woke")
        assert {"waking", "woke"} == {*here.kinds()}

    run(claim())


@world("2035-01-02 00:00", web=Machine(boots=60.0))
async def test_it_is_woken_as_much_earlier_as_it_takes(here: World) -> None:
    """On the first three days as early as `boot` says; then by what was learned, a quarter more. Nothing is looked at before."""
    machine = here.machines["web"]
    with here.keeping(inventory(host("web"))) as roster:
        await here.until("2035-01-02 07:26:56")
        assert ([], 0) == (machine.woken, here.looks)
        for day in ("2035-01-02", "2035-01-03", "2035-01-04"):
            await here.until(f"{day} 12:00")
            assert machine.woken[0] == pytest.approx(berlin(f"{day} 07:27"), abs=0.1)
            await here.until(f"{day} 19:00")
            machine.up_since, machine.woken = None, []
        lead = roster.keepers["web"].lead()
        assert 75 < lead < 85
        await here.until("2035-01-05 07:29")
        assert machine.woken[0] == pytest.approx(berlin("2035-01-05 07:30") - lead, abs=0.1)


def test_what_was_learned_outlives_a_restart(tmp_path: Path) -> None:
    """In the state directory."""

    async def claim() -> None:
        here = World(Clock(berlin("2035-01-02 00:00")), {"web": Machine(boots=60.0)})
        with here.keeping(inventory(host("web")), str(tmp_path)) as roster:
            for day in ("2035-01-02", "2035-01-03", "2035-01-04"):
                here.machines["web"].up_since = None
                await here.until(f"{day} 08:00")
            lead = roster.keepers["web"].lead()
        with here.keeping(inventory(host("web")), str(tmp_path)) as roster:
            assert lead == roster.keepers["web"].lead() != 180.0

    run(claim())


@world("2035-01-02 00:00", web=Machine(deaf=2))
async def test_a_packet_that_is_lost_is_sent_again_and_one_that_is_up_gets_none(here: World) -> None:
    """After 1, 2, 4 s; and no more once it is there."""
    machine = here.machines["web"]
    with here.keeping(inventory(host("web"))):
        await here.until("2035-01-02 18:00")
    apart = [later - sooner for sooner, later in pairwise(machine.woken)]
    assert apart[:3] == pytest.approx([1, 2, 4], abs=0.6)
    assert machine.up_since is not None
    assert all(at <= machine.up_since for at in machine.woken)
    assert ["waking", "woke"] == here.kinds()


@world("2035-01-02 00:00", web=Machine(boots=None))
async def test_one_that_never_comes_is_named_once_and_tried_while_it_is_needed(here: World) -> None:
    """With what was done, what it said, and what to look at; each 10 minutes anew, until nobody needs it."""
    machine = here.machines["web"]
    with here.keeping(inventory(host("web"))) as roster:
        await here.until("2035-01-02 07:45")
        words = here.words("not-up")
        done = "magic-packet through eth0, 8 times in 3min: it does not answer"
        again = "it is tried again each 10min while it is needed"
        assert [f"for office (Mon-Fri 07:30-18:00 Europe/Berlin): {done}; {again}; {REMEDY}"] == words
        assert (REMEDY, False) == (roster.facts()["web"]["remedy"], roster.facts()["web"]["off"])
        await here.until("2035-01-02 20:00")
        assert 300 < len(machine.woken) < 500, "48 times 8"
        assert roster.facts()["web"]["since"] < berlin("2035-01-02 07:31"), "it has not been up all day"
        assert machine.woken[-1] <= berlin("2035-01-02 18:00") + 3 * MINUTE
        assert words == here.words("not-up")
        await here.until("2035-01-03 06:00")
        assert machine.woken[-1] <= berlin("2035-01-02 18:00") + 3 * MINUTE
        await here.until("2035-01-03 12:00")
        assert 2 == len(here.words("not-up")), "the next day it is named again"


@world("2035-01-02 00:00", web=Machine(boots=None))
async def test_it_comes_late_and_that_is_told(here: World) -> None:
    """Its switch was off until 08:00."""
    with here.keeping(inventory(host("web"))):
        await here.until("2035-01-02 08:00")
        here.machines["web"].boots = 30.0
        await here.until("2035-01-02 08:20")
        assert ["waking", "not-up", "woke", "late"] == sorted(
            {*here.kinds()}, key=["waking", "not-up", "woke", "late"].index
        )
        assert here.machines["web"].up(here.clock.wall())


@world("2035-01-02 00:00", web=Machine(boots=None))
async def test_what_cannot_be_sent_is_the_reason(here: World) -> None:
    """And its remedy."""
    here.trouble = WakeError("no Ethernet interface of this machine has a link", "plug in its cable")
    with here.keeping(inventory(host("web"))):
        await here.until("2035-01-02 07:45")
    assert ["not-up"] == here.kinds()
    assert "magic-packet: no Ethernet interface of this machine has a link" in here.words("not-up")[0]
    assert here.words("not-up")[0].endswith("; plug in its cable")


@world("2035-01-02 00:00", web=Machine(boots=None))
async def test_method_after_method(here: World) -> None:
    """Each for as long as it may take."""
    with here.keeping(inventory(host("web", methods=2))):
        await here.until("2035-01-02 07:40")
    assert 2 == here.kinds().count("waking")
    assert here.words("not-up")[0].count("8 times in 3min") == 2


@world("2035-01-02 00:00", web=Machine())
async def test_where_the_first_method_helps_the_second_is_not_used(here: World) -> None:
    """It is up."""
    with here.keeping(inventory(host("web", methods=2))):
        await here.until("2035-01-02 08:00")
    assert ["waking", "woke"] == here.kinds()


@world("2035-01-02 00:00", web=Machine())
async def test_one_that_is_up_is_left_alone(here: World) -> None:
    """Asked in time and when it is needed, and nothing is sent; what stays the same is told once."""
    here.machines["web"].up_since = 0.0
    with here.keeping(inventory(host("web"))):
        await here.until("2035-01-02 20:00")
        assert ([], 2) == (here.machines["web"].woken, here.looks)
        await here.until("2035-01-03 20:00")
    assert ([], 4) == (here.machines["web"].woken, here.looks)
    assert ["is-up"] == here.kinds()


@world("2035-01-02 00:00", web=Machine())
async def test_who_is_switched_off_in_its_window_is_not_fought(here: World) -> None:
    """An admin works on it. The next day it is woken again."""
    machine = here.machines["web"]
    with here.keeping(inventory(host("web"))):
        await here.until("2035-01-02 12:00")
        count, machine.up_since = len(machine.woken), None
        await here.until("2035-01-03 00:00")
        assert count == len(machine.woken)
        await here.until("2035-01-03 07:30")
        assert machine.up(here.clock.wall())


@world("2035-01-02 12:00", web=Machine(), db=Machine(up_since=0.0), far=Machine())
async def test_a_start_in_a_window_wakes_who_is_not_up(here: World) -> None:
    """It was itself down when the need came. Who is up, and who is not needed, gets nothing."""
    evening = OFFICE.replace("07:30-18:00", "20:00-22:00")
    with here.keeping(inventory(host("web"), host("db"), host("far", evening))):
        await asyncio.sleep(2 * MINUTE)
    assert here.machines["web"].up(here.clock.wall())
    assert [[], []] == [here.machines[name].woken for name in ("db", "far")]


@pytest.mark.parametrize("hours", [5, 24 * 30 + 5, 24 * 365 + 5])
def test_a_clock_that_is_set_ahead_into_a_window(hours: int) -> None:
    """It was hours, a month or a year behind: at once."""

    async def claim() -> None:
        at = berlin("2036-02-05 10:00") - hours * HOUR
        here = World(Clock(at), {"web": Machine()})
        with here.keeping(inventory(host("web"))):
            await asyncio.sleep(HOUR)
            here.machines["web"].up_since = None
            here.clock.step(hours * HOUR)
            await asyncio.sleep(2 * MINUTE)
        assert here.machines["web"].up(here.clock.wall())
        assert "clock-set" in here.kinds()

    run(claim())


@world("2035-01-02 12:00", web=Machine(up_since=0.0))
async def test_a_clock_that_is_set_back(here: World) -> None:
    """To before the window: it is woken for it when it comes, and nothing is sent while it is up."""
    machine = here.machines["web"]
    with here.keeping(inventory(host("web"))):
        await asyncio.sleep(MINUTE)
        here.clock.step(-7 * HOUR)
        await asyncio.sleep(MINUTE)
        machine.up_since = None
        await here.until("2035-01-02 07:26")
        assert [] == machine.woken
        await here.until("2035-01-02 07:30")
        assert machine.up(here.clock.wall())


def asleep(here: World, seconds: float) -> None:
    """The machine of powerwaked sleeps: all its clocks but the loop's go on, and nobody set anything."""
    here.clock.base += seconds
    here.roster.offset += seconds
    for timer in here.clock.timers:
        here.clock.loop.call_soon(timer.came)


@world("2035-01-02 00:00", web=Machine())
async def test_the_end_of_off_is_a_need_also_one_that_was_slept_through(here: World) -> None:
    """At 06:00; and on the second day, on which powerwaked's own machine sleeps until 10:00, then."""
    machine = here.machines["web"]
    with here.keeping(inventory(host("web", NIGHT))):
        await here.until("2035-01-02 06:00")
        assert machine.up(here.clock.wall())
        await here.until("2035-01-02 23:00")
        machine.up_since = None
        asleep(here, 11 * HOUR)
        await asyncio.sleep(2 * MINUTE)
        assert machine.up(here.clock.wall())


@world("2035-01-02 23:00", web=Machine())
async def test_the_end_of_off_is_a_need_also_when_the_clock_is_set_over_it(here: World) -> None:
    """It was behind all night."""
    with here.keeping(inventory(host("web", NIGHT))):
        await asyncio.sleep(MINUTE)
        here.clock.step(11 * HOUR)
        await asyncio.sleep(2 * MINUTE)
        assert here.machines["web"].up(here.clock.wall())


@world("2035-01-02 06:00", web=Machine())
async def test_what_was_slept_through_whole_is_missed(here: World) -> None:
    """Nobody is woken for what is over; that is told, and the next need is the next day's."""
    machine = here.machines["web"]
    with here.keeping(inventory(host("web"))):
        await asyncio.sleep(MINUTE)
        asleep(here, 13 * HOUR)
        await asyncio.sleep(HOUR)
        assert ([], ["missed"]) == (machine.woken, here.kinds())
        await here.until("2035-01-03 07:30")
        assert machine.up(here.clock.wall())


@world("2035-01-02 12:00", web=Machine(up_since=0.0), db=Machine())
async def test_who_is_up_long_after_off_began_is_told_of_once(here: World) -> None:
    """Half an hour later, once a night; nobody is switched off, and who is off is not spoken of."""
    with here.keeping(inventory(host("web", NIGHT), host("db", NIGHT))):
        await here.until("2035-01-02 22:29")
        assert [] == here.kinds()
        await here.until("2035-01-03 05:00")
    assert ["not-off"] == here.kinds("web")
    assert [] == here.kinds("db")


@world("2035-01-02 12:00", web=Machine())
async def test_where_it_may_nap_it_need_not_be_awake(here: World) -> None:
    """Whichever of its stages sleep."""
    with here.keeping(inventory(host("web", 'type = "windows"\nnap = "daily 13:00-14:00"\n'))):
        await asyncio.sleep(2 * DAY)
    assert ([], []) == (here.machines["web"].woken, here.said)


@world("2035-01-02 00:00", web=Machine())
async def test_a_schedule_that_is_not_to_wake_wakes_nobody(here: World) -> None:
    """`wake = false`: neither in time, nor at a start within it."""
    with here.keeping(inventory(host("web", OFFICE + "wake = false\n"))):
        await here.until("2035-01-02 12:00")
        assert ([], []) == (here.machines["web"].woken, here.said)
    with here.keeping(inventory(host("web", OFFICE + "wake = false\n"))):
        await here.until("2035-01-02 12:30")
        assert ([], []) == (here.machines["web"].woken, here.said)


@world("2035-01-02 07:00", web=Machine(), db=Machine())
async def test_a_schedule_that_cannot_tell_wakes_nobody(here: World) -> None:
    """It is told once; who has another schedule is woken for that."""
    unknown = 'type = "dates"\nmeans = "up"\nfile = "/nonexistent/days"\n'
    more = "[host.db.schedule.days]\n" + unknown
    with here.keeping(inventory(host("web", unknown), host("db"), more)):
        await here.until("2035-01-02 07:30")
    assert here.machines["db"].up(here.clock.wall())
    assert [] == here.machines["web"].woken
    assert ["schedule-failed"] == here.kinds("web")
    assert "nobody is woken for it" in here.words("schedule-failed")[0]


@world("2019-06-03 12:00", web=Machine())
async def test_a_clock_that_has_lost_the_time_wakes_nobody(here: World) -> None:
    """Until it is set."""
    with here.keeping(inventory(host("web"))):
        await asyncio.sleep(HOUR)
        assert [] == here.machines["web"].woken
        here.clock.step(berlin("2035-01-02 12:00") - here.clock.wall())
        await asyncio.sleep(2 * MINUTE)
        assert here.machines["web"].up(here.clock.wall())


@pytest.mark.parametrize("late", [False, True])
def test_no_more_are_started_at_once_than_may_be_and_all_are_in_time(late: bool) -> None:
    """Forty machines for 07:30, three within 20 s; and when powerwaked comes too late, all the same three."""

    async def claim() -> None:
        names = [f"web{number}" for number in range(40)]
        at = "2035-01-02 12:00" if late else "2035-01-02 00:00"
        here = World(Clock(berlin(at)), {name: Machine(boots=120.0) for name in names})
        text = 'at_once = 3\napart = "20s"\n' + "".join(host(name) for name in names)
        with here.keeping(inventory(text)):
            await here.until("2035-01-02 12:30" if late else "2035-01-02 07:30")
        assert all(each.up(here.clock.wall()) for each in here.machines.values())
        first = sorted(each.woken[0] for each in here.machines.values())
        assert all(later - sooner >= 20 for sooner, later in zip(first, first[3:], strict=False))

    run(claim())


@world("2035-01-02 08:00", web=Machine(), db=Machine(), new=Machine())
async def test_an_inventory_that_is_read_again_changes_what_changed(here: World) -> None:
    """Who stays the same is not looked at again; who is new is woken, who is gone is forgotten."""
    with here.keeping(inventory(host("web"), host("db"))) as roster:
        await asyncio.sleep(5 * MINUTE)
        here.machines["web"].up_since = None
        count = len(here.machines["web"].woken)
        roster.take(inventory(host("web"), host("new")))
        roster.look()
        await asyncio.sleep(5 * MINUTE)
        assert count == len(here.machines["web"].woken)
        assert here.machines["new"].up(here.clock.wall())
        assert ["web", "new"] == [*roster.keepers]


@world("2035-01-02 00:00", web=Machine())
async def test_a_waker_with_a_bug_is_one_that_does_not_wake(here: World) -> None:
    """Named as what it is; the roster goes on."""
    here.trouble = RuntimeError("a bug")
    with here.keeping(inventory(host("web"))):
        await here.until("2035-01-02 07:45")
    assert "RuntimeError: a bug" in here.words("not-up")[0]


@world("2035-01-02 00:00", web=Machine())
async def test_one_that_was_up_in_time_and_naps_before_it_is_needed_is_woken(here: World) -> None:
    """It was looked at at 07:27, and nobody used it then: a minute later it sleeps."""
    machine = here.machines["web"]
    machine.up_since = 0.0
    with here.keeping(inventory(host("web"))):
        await here.until("2035-01-02 07:28")
        machine.up_since = None
        await here.until("2035-01-02 07:32")
        assert machine.up(here.clock.wall())
        machine.up_since, count = None, len(machine.woken)
        await here.until("2035-01-02 20:00")
        assert count == len(machine.woken), "once it was there when it was needed, it is left alone"


@pytest.mark.parametrize(
    "schedule",
    [
        'type = "windows"\nup = "daily"\n',
        'type = "windows"\nup = "Mon-Fri"\n',
        'type = "dates"\nmeans = "up"\ndays = ["2035-01-01..2035-01-20"]\n',
    ],
)
def test_who_is_switched_off_in_days_of_up_is_not_fought_either(schedule: str) -> None:
    """Whoever asks a schedule on Wednesday hears of a time that begins on Wednesday."""

    async def claim() -> None:
        here = World(Clock(berlin("2035-01-01 00:00")), {"web": Machine()})
        machine = here.machines["web"]
        with here.keeping(inventory(host("web", schedule))) as roster:
            await here.until("2035-01-02 12:00")
            count, machine.up_since = len(machine.woken), None
            for day in (3, 4, 5):
                await here.until(f"2035-01-0{day} 12:00")
                roster.look()
            await here.until("2035-01-05 20:00")
        assert count == len(machine.woken)

    run(claim())


@world("2035-12-25 00:00", web=Machine(), db=Machine())
async def test_whoever_may_be_silenced_by_one_that_cannot_tell_wakes_nobody(here: World) -> None:
    """The calendar of holidays has not been read yet, and it is Christmas."""
    unless = (
        OFFICE
        + 'unless = ["holidays"]\n[host.web.schedule.holidays]\ntype = "dates"\nfile = "/nonexistent"\n'
    )
    with here.keeping(inventory(host("web", unless), host("db"))):
        await here.until("2035-12-25 12:00")
    assert [] == here.machines["web"].woken
    assert ["schedule-failed"] == here.kinds("web")
    assert here.machines["db"].up(here.clock.wall())


def test_one_that_did_not_come_is_not_tried_any_more_when_nobody_wants_it(tmp_path: Path) -> None:
    """The day was taken out of the file."""

    async def claim() -> None:
        here = World(Clock(berlin("2035-01-01 00:00")), {"web": Machine(boots=None)})
        machine, days = here.machines["web"], tmp_path / "days"
        days.write_text("2035-01-02\n")
        schedule = f'type = "dates"\nmeans = "up"\nfile = "{days}"\n'
        with here.keeping(inventory(host("web", schedule)), str(tmp_path)) as roster:
            await here.until("2035-01-02 08:00")
            count = len(machine.woken)
            assert count
            days.write_text("2036-01-02\n")
            roster.look()
            await here.until("2035-01-02 20:00")
        assert count == len(machine.woken)

    run(claim())


@world("2035-01-01 00:00", web=Machine(boots=10.0))
async def test_who_sleeps_in_the_week_and_is_off_at_its_end_is_woken_for_the_longer(here: World) -> None:
    """Out of sleep it takes 10 s, and 170 from being off: on the second Monday that is known, and it counts although it is rare."""
    machine = here.machines["web"]
    with here.keeping(inventory(host("web"))):
        for day in range(1, 16):
            machine.boots = 170.0 if datetime(2035, 1, day).weekday() == 0 else 10.0
            await here.until(f"2035-01-{day:02} 07:30")
            weekend = datetime(2035, 1, day).weekday() > 4
            assert weekend or machine.up(here.clock.wall()), day
            await here.until(f"2035-01-{day:02} 19:00")
            machine.up_since = None


@world("2035-01-01 12:00", **{f"web{number}": Machine() for number in range(20)})
async def test_many_reasons_to_ask_are_one(here: World) -> None:
    """A storm of changes: each machine waits for its turn once."""
    with here.keeping(inventory(*(host(f"web{number}") for number in range(20)))) as roster:
        for _ in range(50):
            roster.look()
        assert 20 == len(roster.tasks)
