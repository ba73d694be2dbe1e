"""Nights of a machine without a login manager: what refuses a sleep, the order in which things are done, and what is left afterwards."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable
from typing import Any

import pytest

import fakesleep
from fakekernel import FakeKernel, acpi_server
from keeper import run
from powernap.core.events import Failure
from powernap.daemon.night import Night
from powernap.daemon.wake_alarm import AGAIN
from powernap.host.availability import Availability, available
from powernap.host.host import Host
from powernap.sleep.failure import SleepError
from powernap.sleep.inhibitors import Inhibitor
from powernap.sleep.lock_watch import LockWatch
from powernap.sleep.options import SleepOptions

ALARM = f"{fakesleep.RTC}/rtc/rtc0/wakealarm"
SURE = {"proof": "override"}


class Bed:
    """A machine that can sleep, and its nights. ``did`` is what happened, in order."""

    def __init__(self, path: Any, **options: Any) -> None:
        self.kernel: FakeKernel = acpi_server(path / "machine")
        self.clock = fakesleep.add_sleep(self.kernel)
        self.did: list[str] = []
        self.said: list[tuple[str, str]] = []
        self.failed: tuple[Failure, ...] = ()
        self.kernel.around = self.written
        self.night = Night(
            Host(files=self.kernel, clock=self.clock),
            SleepOptions(**options),
            lambda event: self.did.append(type(event).__name__),
            lambda what, stage="", detail="": self.said.append((what, detail)),
            os.path.join(path, "wake-proof.json"),
            lambda: self.did.append("recount"),
        )

    def manager(self) -> Slow:
        """From now on there is a login manager, which says yes."""
        self.night.manager = manager = Slow()  # type: ignore[assignment]
        return manager

    def suspends_only(self) -> None:
        """It cannot hibernate: no boot would look for an image."""
        self.kernel.put("/sys/power/resume", "0:0")

    def written(self, moment: str, path: str) -> None:
        """Each write, by its file's name."""
        if moment == "before":
            self.did.append(path.rpartition("/")[2])

    async def put_back(self) -> tuple[Failure, ...]:
        """As hands do."""
        self.did.append("put back")
        return self.failed

    def sleeps(self, state: str = "suspend") -> None:
        """From putting back to waking."""
        self.night.ready()
        run(self.night.enter(state, self.put_back))

    def refusal(self, state: str = "suspend") -> str:
        """Why not."""
        answer: str = run(self.night.refusal(state))
        return answer


def test_no_sleep_without_a_proven_way_back(tmp_path):
    """The default; and the remedy is named."""
    bed = Bed(tmp_path)
    assert "no way to wake this machine from suspend is proven" in bed.refusal()
    assert "powernap prove-wake" in bed.refusal()
    with pytest.raises(SleepError, match="is proven"):
        bed.sleeps()
    assert bed.did == ["put back"]


@pytest.mark.parametrize(
    ("state", "words"),
    [("suspend", ""), ("suspend-then-hibernate", ""), ("hibernate", ""), ("power-off", "")],
)
def test_an_admin_may_say_that_there_is_a_way(tmp_path, state, words):
    """Then only what is impossible refuses it."""
    assert words in Bed(tmp_path, **SURE).refusal(state)


def test_what_the_machine_cannot_do_is_refused(tmp_path):
    """With the reason."""
    bed = Bed(tmp_path, **SURE)
    bed.kernel.put("/sys/power/state", "freeze")
    assert "suspend is not possible: this machine has no suspend" in bed.refusal()


def test_looking_changes_nothing(tmp_path):
    """Also watching it is asked before each sleep stage."""
    bed = Bed(tmp_path, **SURE, alarm=86400.0)
    fakesleep.disarm(bed.kernel)
    bed.refusal()
    assert bed.did == []


def test_an_answer_that_cannot_be_had_is_a_refusal(tmp_path):
    """Awake when unsure."""
    bed = Bed(tmp_path, **SURE)
    os.makedirs(bed.night.proofs)
    assert bed.refusal() == ""  # an override needs no record
    bed.night.options = SleepOptions()
    assert "cannot be read" in bed.refusal()
    bed.night._offers = None  # type: ignore[assignment,method-assign]
    assert "could not be found out" in bed.refusal()


def test_everything_is_put_back_then_the_way_back_is_made_ready_then_it_sleeps(tmp_path):
    """In this order; the alarm that did not ring is cleared afterwards."""
    bed = Bed(tmp_path, **SURE, alarm=86400.0)
    fakesleep.wake_after(bed.kernel, 3600.0, "serio0")
    bed.sleeps()
    assert bed.did == ["put back", "wakealarm", "wakeup_count", "state", "wakealarm"]
    assert bed.kernel.read(ALARM).strip() == ""
    assert bed.clock.asleep() == 3600.0
    assert "keyboard" in bed.night.woken_by()
    assert [what for what, _ in bed.said] == ["sleep-ready"]


def test_the_alarm_wakes_it_at_the_latest(tmp_path):
    """A safety alarm needs nobody else."""
    bed = Bed(tmp_path, **SURE, alarm=3600.0)
    bed.sleeps()
    assert bed.clock.asleep() == pytest.approx(3600.0, abs=2)
    assert "the clock's alarm" in bed.night.woken_by()


def test_a_machine_that_is_not_as_it_was_does_not_sleep(tmp_path):
    """What could not be put back, twice, is named."""
    bed = Bed(tmp_path, **SURE)
    bed.failed = (Failure("cpu-clock", "EIO"),)
    with pytest.raises(SleepError, match="cpu-clock: EIO"):
        bed.sleeps()
    assert bed.did == ["put back", "put back"]


def test_what_cannot_be_put_back_at_once_is_tried_again_before_the_sleep_is_given_up(tmp_path):
    """Most of what refuses is only busy."""
    bed = Bed(tmp_path, **SURE)
    fakesleep.wake_after(bed.kernel, 60.0, "serio0")
    answers = [(Failure("cpu-clock", "EBUSY"),), ()]

    async def put_back() -> tuple[Failure, ...]:
        bed.did.append("put back")
        return answers.pop(0)

    bed.put_back = put_back  # type: ignore[method-assign]
    bed.sleeps()
    assert bed.did == ["put back", "put back", "wakeup_count", "state"]


def test_who_comes_meanwhile_is_not_kept_waiting_by_it(tmp_path):
    """The sleep is given up at once, and that is no fault."""
    bed = Bed(tmp_path, **SURE)

    async def put_back() -> tuple[Failure, ...]:
        bed.did.append("put back")
        bed.night.cancel()
        return (Failure("cpu-clock", "EBUSY"),)

    bed.put_back = put_back  # type: ignore[method-assign]
    with pytest.raises(SleepError, match="somebody came") as caught:
        bed.sleeps()
    assert bed.did == ["put back"]
    assert caught.value.wanted


def test_who_comes_before_the_sleep_has_begun_is_not_lost(tmp_path):
    """Told after it was announced, and before its task runs."""
    bed = Bed(tmp_path, **SURE)
    bed.night.ready()
    bed.night.cancel()
    with pytest.raises(SleepError, match="somebody came"):
        run(bed.night.enter("suspend", bed.put_back))
    assert "state" not in bed.did


def test_who_came_before_the_last_sleep_does_not_hold_back_this_one(tmp_path):
    """Each sleep begins uncancelled."""
    bed = Bed(tmp_path, **SURE, alarm=3600.0)
    bed.night.cancel()
    bed.sleeps()
    assert bed.clock.asleep() > 0


def test_a_sleep_that_is_not_over_refuses_the_next_one_until_it_is(tmp_path):
    """Hooks of systemd-sleep(8) may run long after the machine is back."""
    bed = Bed(tmp_path, **SURE)
    fakesleep.wake_after(bed.kernel, 60.0, "serio0")
    said: list[str] = []

    async def put_back() -> tuple[Failure, ...]:
        said.append(await bed.night.refusal("suspend"))
        return ()

    bed.put_back = put_back  # type: ignore[method-assign]
    bed.sleeps()
    assert "the sleep before is not over" in said[0]
    assert bed.did == ["wakeup_count", "state", "Unblocked"]
    assert bed.refusal() == ""


def test_what_is_offered_is_asked_once_for_each_sleep(tmp_path):
    """The answer of the last look counts for the sleep after it, and for no other."""
    bed = Bed(tmp_path, **SURE, alarm=3600.0)
    asked, offered = list[str](), bed.night._offers

    async def counted(state: str) -> Availability:
        asked.append(state)
        return await offered(state)

    bed.night._offers = counted  # type: ignore[method-assign]
    bed.refusal()
    bed.sleeps()
    assert asked == ["suspend"]
    bed.sleeps()
    assert asked == ["suspend", "suspend"]
    bed.refusal("hibernate")
    bed.sleeps()
    assert asked[2:] == ["hibernate", "suspend"]


def test_who_comes_before_it_sleeps_keeps_it_awake(tmp_path):
    """Up to the last write; the alarm is taken back."""
    bed = Bed(tmp_path, **SURE, alarm=86400.0)

    def somebody(moment: str, path: str) -> None:
        bed.written(moment, path)
        if path == "/sys/power/wakeup_count" or (moment == "after" and path.endswith("wakealarm")):
            bed.night.cancel()

    bed.kernel.around = somebody
    with pytest.raises(SleepError, match="somebody came"):
        bed.sleeps()
    assert "state" not in bed.did
    assert bed.kernel.read(ALARM).strip() == ""


def test_what_is_heard_while_the_kernel_counts_is_the_last_look(tmp_path):
    """An event that the loop has not taken yet is taken before the machine goes."""
    bed = Bed(tmp_path, **SURE)
    read = bed.kernel.read

    def reading(path: str) -> str:
        if path == "/sys/power/wakeup_count":
            bed.night.cancel()
        return read(path)

    bed.kernel.read = reading  # type: ignore[method-assign]
    with pytest.raises(SleepError, match="somebody came"):
        bed.sleeps()
    assert "state" not in bed.did


def test_a_device_that_refuses_is_named(tmp_path):
    """As the kernel counted it."""
    bed = Bed(tmp_path, **SURE, alarm=3600.0)
    fakesleep.refuse_sleep(bed.kernel, "0000:00:03.0")
    with pytest.raises(SleepError, match=r"the device 0000:00:03.0 failed"):
        bed.sleeps()
    assert bed.kernel.read(ALARM).strip() == ""


def test_a_card_that_was_disarmed_is_armed_again_and_told(tmp_path):
    """Another tool takes the flags away at boot."""
    bed = Bed(tmp_path, **SURE, wake_nic="enp3s0")
    fakesleep.disarm(bed.kernel)
    fakesleep.wake_after(bed.kernel, 60.0, "0000:00:03.0")
    bed.sleeps()
    assert "g" in fakesleep.armed(bed.kernel)
    assert any("was not armed for magic packets" in detail for _, detail in bed.said)


def test_what_ended_somebody_elses_sleep_is_told_while_something_is_changed(tmp_path):
    """The counters were read when the stage was entered; without that nothing is known."""
    bed = Bed(tmp_path)
    assert bed.night.woken_by() == ""
    run(bed.night.guard())
    fakesleep.event(bed.kernel, "LNXPWRBN:00")
    assert "the power button" in bed.night.woken_by()
    bed.night.unguard()
    bed.night.close()


def test_a_sleep_that_others_ask_for_has_the_safety_alarm(tmp_path):
    """Set before anything is put back, and so before the lock is let go; cleared after it."""
    bed = Bed(tmp_path, **SURE, alarm=3600.0)
    bed.night._coming("sleep")
    assert bed.did == ["wakealarm", "LeaseTaken"]
    assert bed.kernel.read(ALARM).strip() != ""
    bed.night._over("sleep", 0.0)
    assert bed.kernel.read(ALARM).strip() == ""
    assert bed.did[-2:] == [
        "recount",
        "LeaseEnded",
    ]  # the machine is to stay up after it, however short it was


def test_a_shutdown_needs_no_safety_alarm(tmp_path):
    """It is a guard against a sleep without end, and a machine that is off is to stay so."""
    bed = Bed(tmp_path, **SURE, alarm=3600.0)
    bed.night._coming("shutdown")
    assert bed.did == ["LeaseTaken"]


# --- with schedules


async def over(bed: Bed, what: str) -> None:
    """In the loop, as the login manager tells it."""
    bed.night._over(what, 0.0)


def rings_in(bed: Bed) -> int:
    """Seconds until the alarm that is set; 0: none is."""
    raw = bed.kernel.read(ALARM).strip()
    return round(int(raw) - bed.clock.wall()) if raw else 0


def test_the_next_need_wakes_it(tmp_path):
    """Earlier than the safety alarm; what it was woken by is told to whoever learns from it."""
    bed = Bed(tmp_path, **SURE, alarm=86400.0)
    need = bed.clock.wall() + 3600.0
    bed.night.alarm.wanted = lambda _state: need
    bed.sleeps()
    assert bed.clock.asleep() == pytest.approx(3600.0, abs=2)
    assert bed.night.rang is None
    bed.night.woken_by()
    assert bed.night.rang == pytest.approx(need, abs=2)


def test_a_sleep_that_the_next_need_would_end_at_once_is_refused(tmp_path):
    """It costs more than it saves."""
    bed = Bed(tmp_path, **SURE)
    bed.night.alarm.wanted = lambda _state: bed.clock.wall() + 60.0
    assert "it would be woken again in 1min" in bed.refusal()


def test_where_nobody_tells_of_a_sleep_its_alarm_is_set_ahead(tmp_path):
    """It moves with the need, is cleared when there is none, and when the daemon ends."""
    bed = Bed(tmp_path, **SURE)
    bed.suspends_only()
    seen = []
    for ahead in (7200.0, 3600.0, None, 5.0, 1.0, 600.0):
        need = None if ahead is None else bed.clock.wall() + ahead
        bed.night.alarm.wanted = functools.partial(lambda need, _state: need, need)
        run(bed.night.stand_guard())
        seen.append(rings_in(bed))
    assert seen == pytest.approx([7200, 3600, 0, 30, 30, 600], abs=2)
    bed.night.close(ending=False)
    assert rings_in(bed) == 0


STATE = "/.fake/sleep"


def pass_time(bed: Bed, seconds: float) -> None:
    """It stays up; an alarm that rings meanwhile is none any more."""
    now = bed.clock.wall() + seconds
    bed.kernel.put(f"{STATE}/now", str(now))
    raw = bed.kernel.get(ALARM, "")
    if raw and int(raw) <= now + int(bed.kernel.get(f"{STATE}/zone")):
        bed.kernel.put(ALARM, "")


@pytest.mark.parametrize("zone", [0, 7200, -18000, 431])
def test_an_alarm_that_rings_on_the_way_is_set_again(tmp_path, zone):
    """Regression: where the clock reaches no farther, and where somebody's earlier one was kept, none was set once that had rung while
    the machine was up. Also where the clock shows local time, or a wrong one.
    """
    bed = Bed(tmp_path, **SURE)
    bed.suspends_only()
    bed.kernel.put(f"{STATE}/zone", str(zone))
    bed.kernel.put(f"{STATE}/reach", "86399")
    need = bed.clock.wall() + 2.5 * 86400
    bed.night.alarm.wanted = lambda _state: need

    async def stay_up() -> list[float]:
        loop = asyncio.get_running_loop()
        await bed.night.stand_guard()
        seen = []
        for _ in range(4):
            standing = bed.night.standing
            assert standing is not None
            wait = standing.when() - loop.time()
            seen.append(wait)
            standing.cancel()
            if len(seen) == 2:  # somebody wants to be woken in an hour
                fakesleep.disarm(bed.kernel)
                bed.kernel.put(ALARM, str(int(bed.clock.wall()) + zone + 3600))
                bed.night._stand_alone()
                continue
            pass_time(bed, wait)
            bed.night._stand_alone()
        bed.night.close(ending=False)
        assert bed.night.standing is not None
        assert bed.night.standing.cancelled()
        return seen

    day = 23 * 3600 + 1
    assert run(stay_up()) == pytest.approx([day, day, 3601, day], abs=3)


def test_an_alarm_that_cannot_be_set_again_is_tried_now_and_then(tmp_path):
    """Not each second; what was said of it once more is said no more often."""
    bed = Bed(tmp_path, **SURE)
    bed.suspends_only()
    bed.night.alarm.wanted = lambda _state: bed.clock.wall() + 7200.0
    assert bed.night.alarm.stand() == pytest.approx(7201, abs=2)
    pass_time(bed, 7202)
    bed.kernel.lock(ALARM)
    assert bed.night.alarm.stand() == AGAIN
    assert [what for what, _ in bed.said] == ["unalarmed"]


def test_in_a_time_zone_the_alarm_ahead_rings_when_it_should(tmp_path):
    """A clock in local time; moved while that stands, and after somebody has put the clock on to summer time."""
    bed = Bed(tmp_path, **SURE)
    bed.suspends_only()
    bed.kernel.put(f"{STATE}/zone", "3600")
    for ahead in (7200.0, 5400.0):
        need = bed.clock.wall() + ahead
        bed.night.alarm.wanted = functools.partial(lambda need, _state: need, need)
        run(bed.night.stand_guard())
        assert rings_in(bed) == pytest.approx(ahead + 3600, abs=2)
        assert bed.night.alarm.ahead is not None
        assert bed.night.alarm.ahead.at == pytest.approx(need, abs=2)
    bed.kernel.put(f"{STATE}/zone", "7200")
    run(bed.night.stand_guard())
    assert rings_in(bed) == pytest.approx(5400 + 7200, abs=2)
    assert bed.night.alarm.ahead is not None
    assert bed.night.alarm.ahead.at == pytest.approx(need, abs=2)
    bed.night.close(ending=False)
    assert rings_in(bed) == 0


@pytest.mark.parametrize("announced", [True, False])
def test_a_sleep_that_may_be_a_hibernation_has_the_alarm_of_one(tmp_path, announced):
    """Regression: it takes as long as a boot to come back from, and `PrepareForSleep` does not say which sleep it is."""
    wanted = {"suspend": 3600.0, "hibernate": 3300.0}
    for possible, rings in ((True, 3300), (False, 3600)):
        bed = Bed(tmp_path / str(possible), **SURE)
        if not possible:
            bed.suspends_only()
        wall = bed.clock.wall()
        bed.night.alarm.wanted = {state: wall + ahead for state, ahead in wanted.items()}.get
        if announced:
            bed.night._coming("sleep")
        else:
            run(bed.night.stand_guard())
        assert rings_in(bed) == pytest.approx(rings, abs=2)


def test_the_alarm_that_was_set_ahead_is_moved_for_a_sleep_and_is_not_somebody_elses(tmp_path):
    """The need may be later by then."""
    bed = Bed(tmp_path, **SURE)
    bed.night.alarm.wanted = lambda _state: bed.clock.wall() + 3600.0
    run(bed.night.stand_guard())
    bed.night.alarm.wanted = lambda _state: bed.clock.wall() + 7200.0
    bed.sleeps()
    assert bed.clock.asleep() == pytest.approx(7200.0, abs=2)
    assert rings_in(bed) == 0


def test_a_machine_that_goes_off_keeps_its_alarm_and_writes_it_down(tmp_path, monkeypatch):
    """Also where powernapd ends before the machine does; not where it stays up after all."""
    bed = Bed(tmp_path, **SURE)
    bed.night.alarm.wanted = lambda state: bed.clock.wall() + (3600.0 if state == "power-off" else 60.0)
    monkeypatch.setattr("powernap.sleep.kernel.enter", lambda *_: None)
    bed.sleeps("power-off")
    assert rings_in(bed) == pytest.approx(3600, abs=2)
    assert os.path.exists(bed.night.alarm.path)
    bed = Bed(tmp_path / "up", **SURE)
    bed.night.alarm.wanted = lambda _state: bed.clock.wall() + 3600.0

    def fails(*_: object) -> None:
        raise SleepError("no")

    monkeypatch.setattr("powernap.sleep.kernel.enter", fails)
    with pytest.raises(SleepError):
        bed.sleeps("power-off")
    assert rings_in(bed) == 0


@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("off", [True, False, None])
def test_a_service_that_is_stopped_clears_its_alarm_unless_the_whole_system_goes_off(
    tmp_path, monkeypatch, off, managed
):
    """Then it is set as early as a boot needs; also where nobody tells, and where a login manager was passed over (`poweroff` of another init)."""
    bed = Bed(tmp_path, **SURE)
    if managed:
        bed.manager()
    bed.night.alarm.wanted = lambda state: bed.clock.wall() + (3400.0 if state == "power-off" else 3600.0)
    run(bed.night.stand_guard())
    monkeypatch.setattr("powernap.daemon.wake_alarm.going_off", lambda _files: off)
    bed.night.close()
    stays = off is not False
    assert rings_in(bed) == pytest.approx(3400 if stays else 0, abs=2)
    assert os.path.exists(bed.night.alarm.path) is stays


def test_a_service_that_is_stopped_and_needed_for_nothing_leaves_no_alarm(tmp_path, monkeypatch):
    """Also where nobody tells whether the machine goes off."""
    bed = Bed(tmp_path, **SURE, alarm=3600.0)
    monkeypatch.setattr("powernap.daemon.wake_alarm.going_off", lambda _files: None)
    bed.night._coming("sleep")
    bed.night.close()
    assert rings_in(bed) == 0


def test_another_configuration_takes_its_alarm_back(tmp_path, monkeypatch):
    """Nobody is asked whether the machine goes off: the next night sets its own."""
    bed = Bed(tmp_path, **SURE)
    bed.night.alarm.wanted = lambda _state: bed.clock.wall() + 3600.0
    run(bed.night.stand_guard())
    monkeypatch.setattr("powernap.daemon.wake_alarm.going_off", lambda _files: None)
    bed.night.close(ending=False)
    assert rings_in(bed) == 0
    assert not os.path.exists(bed.night.alarm.path)


@pytest.mark.parametrize(
    ("what", "hibernates", "least"), [("sleep", False, 30), ("sleep", True, 120), ("shutdown", True, 300)]
)
def test_a_need_that_is_near_has_an_alarm_too(tmp_path, what, hibernates, least):
    """Regression: `poweroff` two minutes before office hours left the machine off for good. Late is better than never."""
    bed = Bed(tmp_path, **SURE)
    if not hibernates:
        bed.suspends_only()
    bed.night.alarm.wanted = lambda _state: bed.clock.wall() - 60.0
    bed.night._coming(what)
    assert rings_in(bed) == pytest.approx(least, abs=2)


def test_it_does_not_go_off_when_its_alarm_could_ring_before_it_is_off(tmp_path):
    """Stopping may take minutes."""
    bed = Bed(tmp_path, **SURE, min_sleep=1.0)
    bed.night.alarm.wanted = lambda _state: bed.clock.wall() + 200.0
    assert "before it is off" in bed.refusal("power-off")
    assert bed.refusal("suspend") == ""


def test_a_shutdown_by_somebody_has_the_alarm_for_the_next_need(tmp_path):
    """The machine is back when its schedule wants it, whoever switched it off."""
    bed = Bed(tmp_path, **SURE, alarm=60.0)
    bed.night.alarm.wanted = lambda state: bed.clock.wall() + (3400.0 if state == "power-off" else 3600.0)
    bed.night._coming("shutdown")
    assert rings_in(bed) == pytest.approx(3400, abs=2)
    bed.night._over("shutdown", 0.0)
    assert rings_in(bed) == 0


@pytest.mark.parametrize("need", [None, 7200.0])
def test_the_alarm_for_somebody_elses_sleep_stands_until_that_is_over(tmp_path, need):
    """Regression: everything was put back for it, so the daemon was free, had no need of its own, and cleared it before the machine slept."""
    bed = Bed(tmp_path, **SURE, alarm=3600.0)
    manager = bed.manager()
    bed.night.alarm.wanted = lambda _state: need and bed.clock.wall() + need
    manager.begun["sleep"] = 0.0
    bed.night._coming("sleep")
    bed.night.unguard()
    run(bed.night.stand_guard())
    assert rings_in(bed) == pytest.approx(3600, abs=2)
    del manager.begun["sleep"]
    run(over(bed, "sleep"))
    assert rings_in(bed) == 0


def test_a_shutdown_by_somebody_while_our_own_sleep_ends_has_its_alarm(tmp_path):
    """Regression: it was taken for our own. Neither does the end of our sleep clear it."""
    bed = Bed(tmp_path, **SURE, alarm=7200.0)
    manager = bed.manager()
    bed.night.alarm.wanted = lambda state: bed.clock.wall() + (3400.0 if state == "power-off" else 3600.0)

    async def sleeps(_state: str, *, automatic: bool) -> None:
        for what in ("sleep", "shutdown"):
            manager.begun[what] = 0.0
            bed.night._coming(what)

    manager.sleep_through = sleeps  # type: ignore[attr-defined]
    bed.sleeps()
    assert bed.did.count("LeaseTaken") == 1
    assert rings_in(bed) == pytest.approx(3400, abs=2)


def test_an_alarm_that_cannot_be_set_for_others_is_told(tmp_path):
    """Everything is put back all the same."""
    bed = Bed(tmp_path, **SURE, alarm=3600.0)
    bed.kernel.lock(ALARM)
    bed.night._coming("sleep")
    assert bed.did[-1] == "LeaseTaken"
    assert [what for what, _ in bed.said] == ["unalarmed"]


class Slow:
    """A login manager that names a lock once it is told to."""

    def __init__(self) -> None:
        self.why, self.begun = "", dict[str, float]()
        self.connected = self.heard = False
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def offers(self, _state: str) -> Availability:
        """All."""
        self.connected = True
        return available("")

    async def blockers(self, _state: str, *, automatic: bool) -> list[Inhibitor]:
        """One."""
        self.asked.set()
        await self.answers.wait()
        self.connected = True
        return [Inhibitor(("sleep",), "backup", "nightly copy", "block", 0, "root", 812)]

    async def hear_locks(self, _changed: Callable[[], None]) -> None:
        """Noted."""
        self.heard = True

    def ignore_locks(self) -> None:
        """Noted."""
        self.heard = False

    async def hold(self, _why: str) -> None:
        """It holds none."""

    def drop(self) -> None:
        """It holds none."""

    def release(self) -> None:
        """It holds none."""

    def close(self) -> None:
        """Noted."""
        self.connected = False


@pytest.mark.parametrize("end", [Night.unguard, Night.close])
def test_an_answer_that_no_longer_matters_leaves_no_connection(tmp_path, end):
    """Whoever came while it was asked has a machine that waits for no lock; a stage that waits for one keeps its connection."""

    async def work() -> None:
        night, manager = Bed(tmp_path, **SURE).night, Slow()
        night.manager, night.watch = manager, LockWatch(manager, night._unblocked)  # type: ignore[assignment]
        question = asyncio.ensure_future(night.refusal("suspend"))
        await manager.asked.wait()
        end(night)
        assert manager.connected is (end is Night.unguard)
        manager.answers.set()
        assert "backup" in await question
        assert (manager.connected, manager.heard, night.watch.waiting) == (False, False, "")
        await night.refusal("suspend")
        assert (manager.connected, manager.heard, night.watch.waiting) == (True, True, "suspend")

    run(work())
