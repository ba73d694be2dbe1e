"""sleep/preflight.py: nothing sleeps without a way back that is ready."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

import fakesleep
from fakekernel import FakeKernel
from fakesleep import NOW
from powernap.host.availability import available
from powernap.sleep import preflight, proof, rtc
from powernap.sleep.options import SleepOptions
from powernap.sleep.preflight import Ready, Request
from powernap.sleep.proof import Proof, Record

ALARM = f"{fakesleep.RTC}/rtc/rtc0/wakealarm"
SWITCH = f"{fakesleep.CARD}/power/wakeup"


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return fakesleep.sleeper(tmp_path)


def record(kernel: FakeKernel, *methods: str) -> Record:
    """Proven from suspend."""
    found = Record()
    for method in methods:
        card = {"interface": "enp3s0", "mac": fakesleep.MAC} if method == "magic-packet" else {}
        device = fakesleep.KEYBOARD if method == "manual" else ""
        each = Proof(
            "suspend", method, NOW, 60, proof.machine(kernel), device=device, woken_by="the keyboard", **card
        )
        found = proof.with_proof(found, each)
    return found


def check(
    kernel: FakeKernel, *methods: str, options: SleepOptions | None = None, until: float | None = None
) -> Ready:
    """Before a suspend."""
    return preflight.check(
        kernel, NOW, options or SleepOptions(), Request("suspend", until), record(kernel, *methods)
    )


def test_all_is_well(kernel: FakeKernel) -> None:
    """Nothing is written where nothing is missing and no alarm is asked for."""
    assert Ready((), (), None, (preflight.Way("magic-packet"),)) == check(kernel, "magic-packet")
    assert [] == kernel.writes


def test_the_alarm_for_the_next_need_is_set_and_read_back(kernel: FakeKernel) -> None:
    """And told."""
    found = check(kernel, "magic-packet", until=NOW + 3600)
    assert found
    assert found.alarm
    assert (NOW + 3600, str(NOW + 3600)) == (found.alarm.at, kernel.get(ALARM))
    assert ("the alarm of rtc0 wakes it in 1h",) == found.done


@pytest.mark.parametrize(
    ("alarm", "until", "at"), [(86400.0, None, 86400), (86400.0, 3600, 3600), (1800.0, 3600, 1800)]
)
def test_the_safety_alarm_is_the_latest(
    kernel: FakeKernel, alarm: float, until: float | None, at: int
) -> None:
    """The earlier of what is needed and of what is safe."""
    found = check(
        kernel, "rtc", options=SleepOptions(alarm=alarm), until=None if until is None else NOW + until
    )
    assert found.alarm
    assert NOW + at == found.alarm.at


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda kernel: kernel.put("/sys/power/state", "disk"), "suspend is not possible"),
        (lambda kernel: kernel.put("/sys/class/dmi/id/bios_version", "9"), "the firmware has changed"),
        (
            lambda kernel: kernel.put(ALARM, str(NOW + 60)),
            "woken again in 1min, and a sleep of less than 2min does not pay",
        ),
    ],
)
def test_a_refusal_changes_nothing(
    kernel: FakeKernel, prepare: Callable[[FakeKernel], None], said: str
) -> None:
    """Also where something could have been armed."""
    methods = record(kernel, "magic-packet")
    prepare(kernel)
    fakesleep.disarm(kernel)
    kernel.writes.clear()
    found = preflight.check(kernel, NOW, SleepOptions(), Request("suspend", NOW + 3600), methods)
    assert not found
    assert said in " ".join(found.refusals)
    assert ("", []) == (fakesleep.armed(kernel), kernel.writes)


def test_every_refusal_is_said_at_once(kernel: FakeKernel) -> None:
    """An admin corrects them together. What is impossible is not to be proven: then that is all there is to say."""
    assert 2 == len(check(kernel, until=NOW + 5).refusals)
    kernel.put("/sys/power/state", "disk")
    assert ["suspend is not possible"] == [
        each.partition(":")[0] for each in check(kernel, until=NOW + 5).refusals
    ]


@pytest.mark.parametrize("until", [5, 119])
def test_a_short_sleep_does_not_pay(kernel: FakeKernel, until: int) -> None:
    """Going down and coming up costs more."""
    assert "does not pay" in check(kernel, "magic-packet", until=NOW + until).refusals[0]
    assert check(kernel, "magic-packet", options=SleepOptions(min_sleep=1.0 * until), until=NOW + until)


def test_our_own_alarm_of_before_is_no_foreign_one(kernel: FakeKernel) -> None:
    """It is moved."""
    mine = rtc.arm(kernel, NOW + 60, NOW)
    found = preflight.check(
        kernel, NOW, SleepOptions(), Request("suspend", NOW + 3600, mine), record(kernel, "rtc")
    )
    assert found.alarm
    assert NOW + 3600 == found.alarm.at


# --- the network card


def test_a_card_that_another_tool_disarmed_is_armed_again(kernel: FakeKernel) -> None:
    """And it is said, since something goes on doing it."""
    fakesleep.disarm(kernel)
    found = check(kernel, "magic-packet")
    assert found
    assert "g" == fakesleep.armed(kernel)
    assert "enp3s0 was not armed for magic packets, and is now" in found.done[0]


def test_other_flags_stay(kernel: FakeKernel) -> None:
    """Arming adds a letter."""
    preflight.MachinePorts(kernel).arm("enp3s0", "u")
    assert check(kernel, "magic-packet")
    assert {"u", "g"} == set(fakesleep.armed(kernel))


def test_a_device_that_may_not_wake_is_allowed_again(kernel: FakeKernel) -> None:
    """Wake flags alone do not do it."""
    kernel.put(SWITCH, "disabled")
    found = check(kernel, "magic-packet")
    assert ("enp3s0 was not allowed to wake this machine, and is now",) == found.done
    assert "enabled" == kernel.get(SWITCH)


def test_a_card_that_is_not_armed_and_cannot_be(kernel: FakeKernel) -> None:
    """The driver's word is final."""
    fakesleep.disarm(kernel)
    kernel.fail("/.fake/ethtool/enp3s0", errno.EOPNOTSUPP)
    assert "cannot be told or changed: Operation not supported" in check(kernel, "magic-packet").refusals[0]


def test_a_card_that_does_not_stay_armed(kernel: FakeKernel) -> None:
    """Read back: some drivers take the flags and drop them."""
    fakesleep.disarm(kernel)
    kernel.around = lambda moment, _path: fakesleep.disarm(kernel) if moment == "after" else None
    assert "does not stay so" in check(kernel, "magic-packet").refusals[0]


def test_a_card_without_a_link(kernel: FakeKernel) -> None:
    """No packet reaches it; another way that works is enough, unless it was asked for by name."""
    kernel.add(f"{fakesleep.CARD}/net/enp3s0/carrier", "0")
    assert (
        "there is no way back that works now: enp3s0 has no link" in check(kernel, "magic-packet").refusals[0]
    )
    assert check(kernel, "magic-packet", "manual")
    strict = SleepOptions(wake_by=("magic-packet", "manual"))
    assert not check(kernel, "magic-packet", "manual", options=strict)


def test_a_renamed_card_is_found_by_its_address(kernel: FakeKernel) -> None:
    """Names change with slots and with policies."""
    known = record(kernel, "magic-packet")
    kernel.delete("/sys/class/net/enp3s0")
    kernel.link("/sys/class/net/lan0", f"{fakesleep.CARD}/net/enp3s0")
    kernel.add("/.fake/ethtool/lan0", kernel.get("/.fake/ethtool/enp3s0"))
    fakesleep.disarm(kernel, "lan0")
    assert preflight.check(kernel, NOW, SleepOptions(), Request("suspend"), known)
    assert "g" == fakesleep.armed(kernel, "lan0")


def test_the_card_that_the_admin_names(kernel: FakeKernel) -> None:
    """A proof for another one is none for it."""
    assert check(kernel, "magic-packet", options=SleepOptions(wake_nic="enp3s0"))
    other = check(kernel, "magic-packet", options=SleepOptions(wake_nic="enp9s0"))
    assert "enp3s0 is proven, and [sleep] wake_nic is enp9s0" in other.refusals[0]
    assert check(kernel, "magic-packet", "manual", options=SleepOptions(wake_nic="enp9s0"))


# --- the clock and the hand


def test_the_clock_without_an_alarm_is_no_way_back(kernel: FakeKernel) -> None:
    """Nothing would ring."""
    assert "no alarm is asked for" in check(kernel, "rtc").refusals[0]
    assert "no alarm is asked for" in check(kernel, "rtc", options=SleepOptions(wake_by=("rtc",))).refusals[0]


def test_the_clock_beside_another_way_needs_its_alarm_too(kernel: FakeKernel) -> None:
    """Where both were asked for by name."""
    both = SleepOptions(wake_by=("rtc", "manual"))
    assert "no alarm is asked for" in check(kernel, "rtc", "manual", options=both).refusals[0]
    assert check(kernel, "rtc", "manual", options=both, until=NOW + 3600)


def test_a_clock_that_may_not_wake_is_allowed_again(kernel: FakeKernel) -> None:
    """And its alarm is set then."""
    kernel.put(f"{fakesleep.RTC}/power/wakeup", "disabled")
    found = check(kernel, "rtc", until=NOW + 3600)
    assert "the alarm of rtc0 was not allowed to wake this machine, and is now" in found.done
    assert str(NOW + 3600) == kernel.get(ALARM)


def test_an_alarm_that_cannot_be_set_keeps_it_awake(kernel: FakeKernel) -> None:
    """Also when other ways back work: what is scheduled would be missed."""
    kernel.fail("/sys/class/rtc/rtc0/wakealarm", errno.EIO)
    found = check(kernel, "magic-packet", until=NOW + 3600)
    assert "the alarm for 1h from now is not set" in found.refusals[0]


def test_no_clock_at_all(kernel: FakeKernel) -> None:
    """A proven alarm is worth nothing without it."""
    known = record(kernel, "rtc")
    kernel.delete("/sys/class/rtc/rtc0")
    found = preflight.check(kernel, NOW, SleepOptions(), Request("suspend", NOW + 3600), known)
    assert "no hardware clock" in found.refusals[0]


def test_the_keyboard_that_woke_it(kernel: FakeKernel) -> None:
    """Allowed again; once it is gone, it is no way back."""
    kernel.put(f"{fakesleep.KEYBOARD}/power/wakeup", "disabled")
    assert ("the keyboard was not allowed to wake this machine, and is now",) == check(kernel, "manual").done
    known = record(kernel, "manual")
    kernel.vanish(fakesleep.KEYBOARD)
    found = preflight.check(kernel, NOW, SleepOptions(), Request("suspend"), known)
    assert "what it was woken by is gone (the keyboard)" in found.refusals[0]


# --- the admin's word


def test_an_override_still_arms_what_it_can(kernel: FakeKernel) -> None:
    """The card with the default route, or the one that is named."""
    fakesleep.disarm(kernel)
    assert check(kernel, options=SleepOptions(proof="override"))
    assert "g" == fakesleep.armed(kernel)


def test_an_override_sleeps_without_a_card(kernel: FakeKernel) -> None:
    """The trouble is kept, and refuses nothing."""
    found = check(kernel, options=SleepOptions(proof="override", wake_nic="enp9s0"))
    assert found
    assert "enp9s0 has no link" in found.ways[0].trouble


def test_what_is_offered_may_be_another_ones_word(kernel: FakeKernel) -> None:
    """The login manager knows of hibernation that the kernel alone would lose."""
    kernel.put("/sys/power/state", "disk")
    found = preflight.check(
        kernel,
        NOW,
        SleepOptions(),
        Request("suspend"),
        record(kernel, "magic-packet"),
        offered={"suspend": available("says logind")},
    )
    assert found


def test_a_state_that_nobody_offers(kernel: FakeKernel) -> None:
    """Refused in words."""
    found = preflight.check(kernel, NOW, SleepOptions(proof="override"), Request("siesta"), Record())
    assert ("siesta is not possible: nobody offers it",) == found.refusals
