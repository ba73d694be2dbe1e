"""sleep/proving.py: a trial proves what it showed, and nothing that it did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fakesleep
from fakekernel import FakeKernel
from fakesleep import NOW, SleepClock
from powernap.sleep import kernel as door
from powernap.sleep import preflight, proving
from powernap.sleep.failure import SleepError
from powernap.sleep.options import METHODS
from powernap.sleep.proof import Record
from powernap.sleep.proving import Outcome, Plan, Seen
from powernap.sleep.rtc import AlarmError
from powernap.sleep.wake_sources import BUTTON, INPUT, NETWORK, NOBODY, OTHER, RTC, UNKNOWN, Wake

ALARM = f"{fakesleep.RTC}/rtc/rtc0/wakealarm"
CLOCK = Plan("suspend", "rtc", 60)
PACKET = Plan("suspend", "magic-packet", 300, "enp3s0", fakesleep.MAC, "web1")
HAND = Plan("suspend", "manual", 300)


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return fakesleep.sleeper(tmp_path)


def run(kernel: FakeKernel, plan: Plan, *, heard: bool = False, notes: list[Any] | None = None) -> Outcome:
    """On the fake machine, through the kernel's door."""
    clock = SleepClock(kernel)
    note: Callable[[Any], None] = notes.append if notes is not None else lambda _pending: None
    return proving.run(
        kernel,
        clock,
        plan,
        lambda state: door.enter(kernel, state, lambda: ""),
        heard=lambda: heard,
        note=note,
        asleep=clock.asleep,
    )


def test_its_alarm_woke_it(kernel: FakeKernel) -> None:
    """The whole way on a machine that works: armed, slept, woken, recorded."""
    found = run(kernel, CLOCK)
    assert (True, "its alarm woke it after 1min") == (found.proven, found.words)
    assert found.proof
    assert ("suspend", "rtc", NOW + 60, 60) == (
        found.proof.state,
        found.proof.method,
        found.proof.at,
        found.proof.slept,
    )
    assert "the clock's alarm (rtc0)" == found.proof.woken_by
    assert "Fake 9000 F9" == found.proof.machine.product


def test_a_magic_packet_woke_it(kernel: FakeKernel) -> None:
    """The card counted; the safety alarm is taken back."""
    fakesleep.wake_after(kernel, 20, "0000:00:03.0")
    found = run(kernel, PACKET)
    assert found.proven
    assert found.proof
    assert ("enp3s0", fakesleep.MAC, "web1") == (found.proof.interface, found.proof.mac, found.proof.peer)
    assert "" == kernel.get(ALARM)


def test_the_safety_alarm_is_no_success(kernel: FakeKernel) -> None:
    """No packet came."""
    found = run(kernel, PACKET)
    assert (False, None) == (found.proven, found.proof)
    assert "the safety alarm woke it after 5min: no magic packet did" == found.words


def test_a_key_pressed_by_hand(kernel: FakeKernel) -> None:
    """What it was is kept: it must stay allowed to wake the machine."""
    fakesleep.wake_after(kernel, 20, "serio0")
    found = run(kernel, HAND)
    assert found.proof
    assert fakesleep.KEYBOARD == found.proof.device


def test_somebody_elses_later_alarm_is_set_again(kernel: FakeKernel) -> None:
    """The trial leaves the clock as it was."""
    kernel.put(ALARM, str(NOW + 90000))
    run(kernel, CLOCK)
    assert str(NOW + 90000) == kernel.get(ALARM)


def test_a_machine_that_does_not_sleep(kernel: FakeKernel) -> None:
    """The reason passes through, and the alarm is gone."""
    fakesleep.refuse_sleep(kernel, "0000:00:14.0")
    with pytest.raises(SleepError, match=r"0000:00:14\.0"):
        run(kernel, CLOCK)
    assert "" == kernel.get(ALARM)


def test_without_an_alarm_nothing_sleeps(kernel: FakeKernel) -> None:
    """Whatever the method."""
    kernel.put(f"{fakesleep.RTC}/power/wakeup", "disabled")
    with pytest.raises(AlarmError, match="not allowed to wake"):
        run(kernel, HAND)
    assert "/sys/power/state" not in [path for path, _ in kernel.writes]


@pytest.mark.parametrize("heard", [False, True])
def test_an_unknown_waker_and_a_packet_that_is_heard(kernel: FakeKernel, *, heard: bool) -> None:
    """Firmware that tells nothing: then a packet must be heard now."""
    fakesleep.wake_after(kernel, 20)
    assert heard is run(kernel, PACKET, heard=heard).proven


def test_hibernation_is_noted_in_case_it_comes_back_by_a_boot(kernel: FakeKernel) -> None:
    """And the note is dropped when it comes back as itself."""
    notes: list[Any] = []
    assert run(kernel, replace(CLOCK, state="hibernate"), notes=notes).proven
    assert ["hibernate", None] == [each and each["plan"]["state"] for each in notes]


# --- judging

KINDS = (RTC, NETWORK, INPUT, BUTTON, OTHER, UNKNOWN)


def judged(
    plan: Plan, kind: str, *, before_alarm: float = 100.0, slept: float = 20.0, heard: bool = False
) -> bool:
    seen = Seen(slept, NOW + plan.alarm - before_alarm, NOW + plan.alarm, Wake(kind, f"the {kind}"), heard)
    return proving.judge(plan, seen)[0]


@pytest.mark.parametrize(
    ("plan", "early", "at_alarm"),
    [
        (CLOCK, set(), {RTC, OTHER, UNKNOWN}),
        (PACKET, {NETWORK}, set()),
        (replace(PACKET, believe=True), {NETWORK, OTHER, UNKNOWN}, set()),
        (HAND, {INPUT, BUTTON, OTHER, UNKNOWN}, set()),
    ],
)
def test_which_waker_proves_which_method(plan: Plan, early: set[str], at_alarm: set[str]) -> None:
    """Well before the alarm, and when it rings."""
    assert early == {kind for kind in KINDS if judged(plan, kind)}
    assert at_alarm == {kind for kind in KINDS if judged(plan, kind, before_alarm=0)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("plan", [CLOCK, replace(PACKET, believe=True), HAND])
def test_a_sleep_that_ended_at_once_proves_nothing(plan: Plan, kind: str) -> None:
    """Whatever ended it."""
    assert not judged(plan, kind, slept=0.2, before_alarm=0)
    assert not judged(plan, kind, slept=0.2)


def test_long_after_the_alarm_it_was_something_else(kernel: FakeKernel) -> None:
    """A machine that was pushed awake by hand ten minutes later; from off, firmware may take as long."""
    assert judged(CLOCK, UNKNOWN, before_alarm=-100)
    assert not judged(CLOCK, UNKNOWN, before_alarm=-130)
    assert judged(replace(CLOCK, state="power-off"), UNKNOWN, before_alarm=-500)


@settings(deadline=None)
@given(
    st.sampled_from(METHODS),
    st.sampled_from(KINDS),
    st.floats(-1000, 1000),
    st.floats(0, 1000),
    st.booleans(),
)
def test_no_method_is_proven_by_another_ones_waker(
    method: str, kind: str, before: float, slept: float, believe: bool
) -> None:
    """In any circumstances."""
    plan = Plan("suspend", method, 300, believe=believe)
    if judged(plan, kind, before_alarm=before, slept=slept):
        assert (
            kind
            in {
                "rtc": {RTC, OTHER, UNKNOWN},
                "magic-packet": {NETWORK, OTHER, UNKNOWN},
                "manual": {INPUT, BUTTON, OTHER, UNKNOWN},
            }[method]
        )


# --- before


def test_what_stands_in_the_way(kernel: FakeKernel) -> None:
    """All of it, and nothing is armed then."""
    kernel.put("/sys/power/state", "disk")
    kernel.put(f"{fakesleep.RTC}/power/wakeup", "disabled")
    fakesleep.disarm(kernel)
    refusals, armed = proving.obstacles(kernel, PACKET, preflight.MachinePorts(kernel))
    assert ["suspend is not possible", "there is no safety alarm"] == [
        each.split(":")[0] for each in refusals
    ]
    assert ([], "") == (armed, fakesleep.armed(kernel))


def test_the_card_is_armed_for_the_trial(kernel: FakeKernel) -> None:
    """And that is told."""
    fakesleep.disarm(kernel)
    refusals, armed = proving.obstacles(kernel, PACKET, preflight.MachinePorts(kernel))
    assert ([], 1, "g") == (refusals, len(armed), fakesleep.armed(kernel))


def test_an_alarm_that_rings_too_soon(kernel: FakeKernel) -> None:
    """It might ring before the machine sleeps."""
    assert (
        "10s ahead"
        in proving.obstacles(kernel, replace(CLOCK, alarm=5), preflight.MachinePorts(kernel))[0][0]
    )


# --- from off


def switched_off(kernel: FakeKernel, plan: Plan, on_after: float) -> Record:
    """A trial from off, and the boot that follows."""
    kernel.add("/proc/sys/kernel/random/boot_id", "boot-1")
    notes: list[Any] = []
    clock = SleepClock(kernel)
    found = proving.run(
        kernel,
        clock,
        replace(plan, state="power-off"),
        lambda _state: None,
        note=notes.append,
        asleep=clock.asleep,
    )
    assert found.proven is None
    assert kernel.get(ALARM)
    kernel.put("/proc/sys/kernel/random/boot_id", "boot-2")
    kernel.add("/proc/stat", f"cpu 1 2 3\nbtime {round(NOW + on_after)}\n")
    return Record(pending=notes[-1])


@pytest.mark.parametrize(
    ("plan", "on_after", "proven"),
    [
        (CLOCK, 75, True),
        (CLOCK, 30, False),
        (CLOCK, 900, False),
        (PACKET, 60, True),
        (PACKET, 330, False),
        (HAND, 60, True),
        (HAND, 300, False),
    ],
)
def test_after_the_boot_its_beginning_tells(
    kernel: FakeKernel, plan: Plan, on_after: float, proven: bool
) -> None:
    """Before the alarm or at it: that is all a booting machine is told."""
    found = proving.finish(kernel, switched_off(kernel, plan, on_after))
    assert proven is found.proven
    if found.proof:
        assert ("power-off", plan.method, round(on_after)) == (
            found.proof.state,
            found.proof.method,
            found.proof.slept,
        )


def test_after_the_boot_the_alarm_is_taken_back(kernel: FakeKernel) -> None:
    """A packet came first; somebody else's later alarm is set again."""
    kernel.put(ALARM, str(NOW + 90000))
    record = switched_off(kernel, PACKET, 60)
    assert proving.finish(kernel, record).proven
    assert str(NOW + 90000) == kernel.get(ALARM)


def test_a_power_off_that_fails_leaves_no_alarm_and_no_note(kernel: FakeKernel) -> None:
    """It stays awake as it was."""
    notes: list[Any] = []

    def refuse(_state: str) -> None:
        raise SleepError("not now")

    with pytest.raises(SleepError):
        proving.run(kernel, SleepClock(kernel), replace(CLOCK, state="power-off"), refuse, note=notes.append)
    assert ("", None) == (kernel.get(ALARM), notes[-1])


@pytest.mark.parametrize("stat", ["", "btime 0\n", f"btime {NOW - 50}\n"])
def test_a_boot_whose_beginning_is_not_known(kernel: FakeKernel, stat: str) -> None:
    """Nothing is proven by a clock that was set back."""
    record = switched_off(kernel, PACKET, 60)
    kernel.add("/proc/stat", stat)
    assert proving.finish(kernel, record).proven is False


def test_it_has_not_been_off(kernel: FakeKernel) -> None:
    """The same boot: not over."""
    record = switched_off(kernel, CLOCK, 75)
    kernel.put("/proc/sys/kernel/random/boot_id", "boot-1")
    assert proving.finish(kernel, record).proven is None


def test_a_hibernation_that_was_not_resumed(kernel: FakeKernel) -> None:
    """It is no way back, and the admin must know what was lost."""
    record = switched_off(kernel, CLOCK, 75)
    assert record.pending
    found = proving.finish(
        kernel, Record(pending={**record.pending, "plan": {**record.pending["plan"], "state": "hibernate"}})
    )
    assert found.proven is False
    assert "booted afresh" in found.words


PLAN = {"state": "power-off", "method": "rtc", "alarm": 60}
RINGS = {"rtc": "rtc0", "at": NOW, "raw": NOW}


@pytest.mark.parametrize(
    "pending",
    [
        None,
        {},
        {"plan": 7, "alarm": RINGS, "began": 1, "boot": ""},
        {"plan": {**PLAN, "method": "prayer"}, "alarm": RINGS, "began": 1, "boot": ""},
        {"plan": PLAN, "alarm": {"rtc": "rtc0"}, "began": 1, "boot": ""},
        {"plan": PLAN, "alarm": RINGS, "began": "yesterday", "boot": ""},
    ],
)
def test_a_note_that_is_missing_or_damaged(kernel: FakeKernel, pending: Any) -> None:
    """Nothing is proven."""
    assert proving.finish(kernel, Record(pending=pending)).proven is False


def test_the_kernel_that_names_nobody() -> None:
    """Its words are an admin's."""
    assert "did not sleep" in proving.judge(CLOCK, Seen(0.0, NOW, NOW, NOBODY))[1]
