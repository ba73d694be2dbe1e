"""sleep/rtc.py: the one alarm of the hardware clock, shared with everybody."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fakesleep
from fakekernel import FakeKernel
from fakesleep import NOW
from powernap.sleep import rtc

ALARM = f"{fakesleep.RTC}/rtc/rtc0/wakealarm"
SET = "/sys/class/rtc/rtc0/wakealarm"


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return fakesleep.sleeper(tmp_path)


def test_set_and_read_back(kernel: FakeKernel) -> None:
    """One write where nothing is set, and the clock shows it."""
    found = rtc.arm(kernel, NOW + 600, NOW)
    assert rtc.Alarm("rtc0", NOW + 600, NOW + 600) == found
    assert [(SET, str(NOW + 600))] == kernel.writes
    assert NOW + 600 == rtc.armed(kernel, "rtc0", NOW)
    assert rtc.holds(kernel, found)


def test_an_earlier_alarm_of_somebody_else_is_kept(kernel: FakeKernel) -> None:
    """It wakes the machine in time for us too, and is not ours to clear."""
    kernel.put(ALARM, str(NOW + 60))
    found = rtc.arm(kernel, NOW + 600, NOW)
    assert (NOW + 60, False) == (found.at, found.ours)
    assert not rtc.clear(kernel, found)
    assert [] == kernel.writes


def test_a_later_alarm_of_somebody_else_gives_way_and_returns(kernel: FakeKernel) -> None:
    """Cleared with 0 first: a clock that is set is EBUSY."""
    kernel.put(ALARM, str(NOW + 6000))
    found = rtc.arm(kernel, NOW + 600, NOW)
    assert [(SET, "0"), (SET, str(NOW + 600))] == kernel.writes
    assert NOW + 6000 == found.displaced
    assert rtc.clear(kernel, found)
    assert str(NOW + 6000) == kernel.get(ALARM)


def test_a_displaced_alarm_returns_after_ours_has_rung(kernel: FakeKernel) -> None:
    """The clock shows nothing then."""
    kernel.put(ALARM, str(NOW + 6000))
    found = rtc.arm(kernel, NOW + 600, NOW)
    kernel.put(ALARM, "")
    kernel.put("/.fake/sleep/now", str(NOW + 601))
    assert rtc.clear(kernel, found)
    assert str(NOW + 6000) == kernel.get(ALARM)


def test_a_displaced_alarm_whose_time_has_passed_stays_away(kernel: FakeKernel) -> None:
    """Setting it would clear the clock, or ring at once."""
    kernel.put(ALARM, str(NOW + 700))
    found = rtc.arm(kernel, NOW + 600, NOW)
    kernel.put("/.fake/sleep/now", str(NOW + 800))
    kernel.writes.clear()
    assert rtc.clear(kernel, found)
    assert [(SET, "0")] == kernel.writes


def test_ours_is_moved_both_ways(kernel: FakeKernel) -> None:
    """What an earlier call set is not taken for somebody else's."""
    first = rtc.arm(kernel, NOW + 600, NOW)
    later = rtc.arm(kernel, NOW + 900, NOW, mine=first)
    assert (NOW + 900, True) == (later.at, later.ours)
    sooner = rtc.arm(kernel, NOW + 300, NOW, mine=later)
    assert (NOW + 300, True, 0) == (sooner.at, sooner.ours, sooner.displaced)


def test_moving_ours_keeps_who_waits(kernel: FakeKernel) -> None:
    """The displaced alarm is handed on, and takes its turn when ours is moved behind it."""
    kernel.put(ALARM, str(NOW + 6000))
    first = rtc.arm(kernel, NOW + 600, NOW)
    second = rtc.arm(kernel, NOW + 900, NOW, mine=first)
    assert NOW + 6000 == second.displaced
    behind = rtc.arm(kernel, NOW + 9000, NOW, mine=second)
    assert (NOW + 6000, False) == (behind.at, behind.ours)
    assert str(NOW + 6000) == kernel.get(ALARM)


@pytest.mark.parametrize(
    ("now", "theirs", "said"),
    [
        (NOW, NOW + 600, ""),
        (NOW, None, "cleared"),
        (NOW, NOW + 7200, "set for 2h from now"),
        (NOW, NOW + 60, "set for 1min from now"),
        (NOW + 600, None, ""),
        (NOW + 601, NOW + 7200, ""),
    ],
)
def test_what_another_program_did_with_ours_before_it_rang(
    kernel: FakeKernel, now: int, theirs: int | None, said: str
) -> None:
    """Nothing, when it has rung."""
    found = rtc.arm(kernel, NOW + 600, NOW)
    kernel.put(ALARM, str(theirs or ""))
    kernel.put("/.fake/sleep/now", str(now))
    assert rtc.taken(kernel, found) == said


def test_somebody_elses_alarm_is_not_taken_from_us(kernel: FakeKernel) -> None:
    """One that was early enough and left where it was may go."""
    kernel.put(ALARM, str(NOW + 60))
    found = rtc.arm(kernel, NOW + 600, NOW)
    kernel.put(ALARM, "")
    assert rtc.taken(kernel, found) == ""


def test_an_alarm_set_by_another_after_ours_is_left(kernel: FakeKernel) -> None:
    """Only what is ours is cleared."""
    found = rtc.arm(kernel, NOW + 600, NOW)
    kernel.put(ALARM, str(NOW + 50))
    assert not rtc.holds(kernel, found)
    assert not rtc.clear(kernel, found)
    assert str(NOW + 50) == kernel.get(ALARM)


@pytest.mark.parametrize("zone", [0, 3600, -18000, 19800, 5 * 3600 + 2700])
def test_a_clock_in_local_time(tmp_path: Path, zone: int) -> None:
    """The alarm is set in the clock's time, and reported in ours."""
    kernel = fakesleep.sleeper(tmp_path, zone=zone)
    found = rtc.arm(kernel, NOW + 600, NOW + 0.7)
    assert (NOW + 600, NOW + 600 + zone) == (found.at, found.raw)
    assert str(NOW + 600 + zone) == kernel.get(ALARM)


def test_a_clock_that_is_wrong(tmp_path: Path) -> None:
    """Its alarm rings by its own time: 7 minutes and 11 seconds fast."""
    kernel = fakesleep.sleeper(tmp_path, zone=431)
    assert NOW + 600 + 431 == rtc.arm(kernel, NOW + 600, NOW).raw


@pytest.mark.parametrize("ahead", [-60, 0, 2])
def test_an_instant_that_has_passed_is_refused(kernel: FakeKernel, ahead: int) -> None:
    """The kernel would take it and clear the alarm without a word."""
    kernel.put(ALARM, str(NOW + 6000))
    with pytest.raises(rtc.AlarmError, match="must be 3s ahead"):
        rtc.arm(kernel, NOW + ahead, NOW)
    assert str(NOW + 6000) == kernel.get(ALARM)


@pytest.mark.parametrize(("reach", "at"), [(28 * 86400, 27 * 86400), (86399, 23 * 3600)])
def test_a_clock_that_does_not_reach_so_far(kernel: FakeKernel, reach: int, at: int) -> None:
    """It rings on the way, and says that it has to be set again."""
    kernel.put("/.fake/sleep/reach", str(reach))
    found = rtc.arm(kernel, NOW + 90 * 86400, NOW)
    assert (NOW + at, True) == (found.at, found.chained)


def test_a_clock_without_seconds(kernel: FakeKernel) -> None:
    """Up to a minute early is the alarm asked for; what is shown is what counts."""
    kernel.add("/.fake/sleep/coarse", "1")
    found = rtc.arm(kernel, NOW + 630, NOW)
    assert 0 <= NOW + 630 - found.at < 60
    assert rtc.clear(kernel, found)
    assert "" == kernel.get(ALARM)


def test_an_alarm_that_does_not_stick_is_an_error(kernel: FakeKernel) -> None:
    """Read back: a clock whose battery is empty takes everything and keeps nothing. The one before is set again."""

    class Deaf(FakeKernel):
        def write(self, path: str, text: str) -> None:
            super().write(path, str(int(text) + 86400) if text == str(NOW + 600) else text)

    deaf = Deaf(kernel.root)
    deaf.put(ALARM, str(NOW + 6000))
    with pytest.raises(rtc.AlarmError, match="it shows 1d 10min from now"):
        rtc.arm(deaf, NOW + 600, NOW)
    assert str(NOW + 6000) == deaf.get(ALARM)


def test_a_clock_that_refuses(kernel: FakeKernel) -> None:
    """With the kernel's reason, and the alarm of somebody else put back."""
    kernel.put(ALARM, str(NOW + 6000))

    kernel.fail_write(2, errno.EIO)
    with pytest.raises(rtc.AlarmError, match="cannot be set: Input/output error"):
        rtc.arm(kernel, NOW + 600, NOW)
    assert str(NOW + 6000) == kernel.get(ALARM)


def test_somebody_else_is_faster(kernel: FakeKernel) -> None:
    """EBUSY between our clearing and our setting: whose is earlier is asked again, and nothing is lost."""
    kernel.put(ALARM, str(NOW + 6000))

    def race(moment: str, _path: str) -> None:
        if moment == "after" and len(kernel.writes) == 1:
            kernel.put(ALARM, str(NOW + 5000))

    kernel.around = race
    found = rtc.arm(kernel, NOW + 600, NOW)
    assert (NOW + 600, True, NOW + 5000) == (found.at, found.ours, found.displaced)


def test_a_fight_for_the_clock_ends(kernel: FakeKernel) -> None:
    """After a few rounds it is an error, not a loop."""
    kernel.put(ALARM, str(NOW + 6000))
    kernel.around = lambda moment, _path: kernel.put(ALARM, str(NOW + 6000)) if moment == "after" else None
    with pytest.raises(rtc.AlarmError, match="again and again"):
        rtc.arm(kernel, NOW + 600, NOW)


def test_a_stale_alarm_is_cleared_first(kernel: FakeKernel) -> None:
    """Some clocks still show one that has rung, and are EBUSY; nobody waits for it."""
    kernel.put(ALARM, str(NOW - 100))
    found = rtc.arm(kernel, NOW + 600, NOW)
    assert (NOW + 600, 0) == (found.at, found.displaced)


def test_which_clock(kernel: FakeKernel) -> None:
    """One whose alarm is allowed to wake; among those the one that set the system's time."""
    kernel.add("/sys/devices/platform/efi/rtc/rtc1/wakealarm", "")
    kernel.add("/sys/devices/platform/efi/power/wakeup", "enabled")
    kernel.link("/sys/devices/platform/efi/rtc/rtc1/device", "/sys/devices/platform/efi")
    kernel.link("/sys/class/rtc/rtc1", "/sys/devices/platform/efi/rtc/rtc1")
    assert "rtc0" == rtc.find(kernel)
    kernel.put(f"{fakesleep.RTC}/power/wakeup", "disabled")
    assert "rtc1" == rtc.find(kernel)


def test_no_clock_can_wake(kernel: FakeKernel) -> None:
    """Not allowed, no alarm, no clock: each has its own words."""
    kernel.put(f"{fakesleep.RTC}/power/wakeup", "disabled")
    assert "not allowed to wake" in rtc.probe(kernel).detail
    assert "echo enabled" in rtc.probe(kernel).remedy
    kernel.delete(ALARM)
    assert "no hardware clock of this machine has an alarm" in rtc.probe(kernel).detail
    with pytest.raises(rtc.AlarmError, match="has an alarm"):
        rtc.arm(kernel, NOW + 600, NOW)
    kernel.delete("/sys/class/rtc/rtc0")
    assert "no hardware clock" in rtc.probe(kernel).detail


@settings(deadline=None)
@given(st.integers(-50_000, 50_000), st.floats(0, 0.999))
def test_the_offset_is_whole_quarters_or_exact(ahead: int, fraction: float) -> None:
    """Within the jitter of two readings it is never off by more than that."""
    found = rtc.offset(NOW + ahead, NOW + fraction)
    assert abs(found - ahead) <= rtc.JITTER + 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(5, 5000), min_size=1, max_size=5), st.integers(0, 5000))
def test_the_earlier_always_rings(kernel: FakeKernel, ours: list[int], theirs: int) -> None:
    """Whatever is set by whom in which order: the clock rings at the earliest of our latest wish and theirs, and theirs survives ours."""
    kernel.put(ALARM, str(NOW + theirs) if theirs else "")
    alarm = None
    for at in ours:
        alarm = rtc.arm(kernel, NOW + at, NOW, mine=alarm)
    wanted = min([NOW + ours[-1], *([NOW + theirs] if theirs else [])])
    assert wanted == int(kernel.get(ALARM))
    assert alarm
    rtc.clear(kernel, alarm)
    left = kernel.get(ALARM)
    assert left == (str(NOW + theirs) if theirs > rtc.SOON else left)
    kernel.put(ALARM, "")
