"""One sleep to find out whether the machine can be woken: arm the safety alarm, sleep, and judge what ended it.

Owns the trial and its judgement; who asks for it, and what an admin is told, is cli/prove_wake.py. The judgement (:func:`judge`) is a function
of what was seen and errs towards "not proven": a false proof is a machine that somebody has to go to.

A trial from power-off ends this process. It leaves a note in the record (``pending``), which :func:`finish` judges after the boot. So does a
hibernation, in case that its image is not resumed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from powernap.core.units import show_duration
from powernap.core.value import dataclass
from powernap.host.clock import Clock
from powernap.host.files import text
from powernap.host.ledger import boot_id
from powernap.host.resume import asleep_so_far
from powernap.sleep import preflight, proof, rtc, wake_sources
from powernap.sleep.options import MAGIC_PACKET, MANUAL, RTC
from powernap.sleep.proof import Proof, Record
from powernap.sleep.states import HIBERNATE, OFF, offered
from powernap.sleep.wake_sources import BUTTON, INPUT, NETWORK, Wake

if TYPE_CHECKING:
    from powernap.host.files import Files

SLEPT_MIN = 1.0
"""Seconds: less is a sleep that something ended before it began."""
EARLY = 2.0
"""Seconds before its time that a wake still counts as the alarm's: clocks count whole seconds."""
LATE = {OFF: 600.0, HIBERNATE: 600.0}
"""Seconds after the alarm until programs run again, at most: a server's firmware takes minutes."""
LATE_OTHERWISE = 120.0
NOTED = frozenset({OFF, HIBERNATE})
"""States from which a machine may come back by a fresh boot."""
Sleeper = Callable[[str], None]
"""Puts the machine into a state and returns when it is awake again; ``SleepError``: it did not sleep."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be proven.

    :param alarm: seconds after which the hardware clock wakes the machine in any case.
    :param card: the network card that the packet is for, with its ``mac``; ``peer``: who sends it, for the record.
    :param believe: what the kernel does not name counts as the method, when it came before the alarm: somebody stands by and saw it.
    """

    state: str
    method: str
    alarm: float
    card: str = ""
    mac: str = ""
    peer: str = ""
    believe: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What a trial showed. :param back: instant at which this program ran again; ``heard``: magic packets for us arrive just now."""

    slept: float
    back: float
    alarm: float
    wake: Wake
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. :param proven: ``None``: it goes on after a boot."""

    proven: bool | None
    words: str
    seen: Seen | None = None
    proof: Proof | None = None


# --- before


def obstacles(files: Files, plan: Plan, ports: preflight.Ports) -> tuple[list[str], list[str]]:
    """What stands in the way of a trial, and what was armed for it. The network card is armed only when nothing does."""
    refusals = []
    answer = offered(files)[plan.state]
    if not answer:
        refusals.append(
            f"{plan.state} is not possible: {answer.detail}" + (f"; {answer.remedy}" if answer.remedy else "")
        )
    clock = rtc.probe(files)
    if not clock:
        refusals.append(
            f"there is no safety alarm: {clock.detail}" + (f"; {clock.remedy}" if clock.remedy else "")
        )
    elif plan.alarm < 10:
        refusals.append("the alarm must be 10s ahead at least, or it may ring before the machine sleeps")
    if refusals or plan.method != MAGIC_PACKET:
        return refusals, []
    ready = preflight.card_ready(files, ports, plan.card)
    return ([ready.trouble] if ready.trouble else []), list(ready.done)


# --- the sleep


def run(
    files: Files,
    clock: Clock,
    plan: Plan,
    sleeper: Sleeper,
    *,
    heard: Callable[[], bool] = lambda: False,
    note: Callable[[dict[str, Any] | None], None] = lambda _pending: None,
    asleep: Callable[[], float] = asleep_so_far,
) -> Outcome:
    """Sleep once and judge. The alarm is gone afterwards, unless it is somebody else's.

    :param heard: whether a magic packet for this machine arrives now; asked once, after a wake that the kernel does not name.
    :param note: keeps what :func:`finish` needs, or forgets it (``None``).
    :raises AlarmError: there is no safety alarm, so it did not sleep. :raises SleepError: it did not sleep.
    """
    began, before, slept_before = clock.wall(), wake_sources.read(files), asleep()
    alarm = rtc.arm(files, began + plan.alarm, began)
    try:
        if plan.state in NOTED:
            note(pending(files, plan, began, alarm))
        sleeper(plan.state)
    except BaseException:
        with contextlib.suppress(rtc.AlarmError, OSError):
            rtc.clear(files, alarm)
            note(None)
        raise
    if plan.state == OFF:
        return Outcome(None, "it powers off now; when it is back, run `powernap prove-wake --finish`")
    back = clock.wall()
    wake = wake_sources.woke(files, before, wake_sources.read(files))
    unnamed = plan.method == MAGIC_PACKET and wake.kind not in {RTC, NETWORK, BUTTON, INPUT}
    seen = Seen(asleep() - slept_before, back, alarm.at, wake, unnamed and heard())
    proven, words = judge(plan, seen)
    if plan.state in NOTED:
        note(None)
    try:
        rtc.clear(files, alarm)
    except rtc.AlarmError as error:
        words = f"{words}; {error.reason}"
    return Outcome(proven, words, seen, of(files, plan, seen) if proven else None)


def of(files: Files, plan: Plan, seen: Seen) -> Proof:
    """The proof of a trial that succeeded."""
    return Proof(
        state=plan.state, method=plan.method, at=int(seen.back), slept=round(seen.slept), machine=proof.machine(files),
        woken_by=seen.wake.words, device=seen.wake.devices[0] if seen.wake.devices and plan.method == MANUAL else "",
        interface=plan.card, mac=plan.mac, peer=plan.peer,
    )  # fmt: skip


# --- judging


def judge(plan: Plan, seen: Seen) -> tuple[bool, str]:
    """Whether the method woke the machine, and why one thinks so."""
    if seen.slept < SLEPT_MIN:
        return False, f"it did not sleep: something ended it at once ({seen.wake.words})"
    by = f"woken after {show_duration(seen.slept)} by {seen.wake.words}"
    rang = seen.back >= seen.alarm - EARLY
    return JUDGES[plan.method](plan, seen, by, rang)


def _by_clock(plan: Plan, seen: Seen, by: str, rang: bool) -> tuple[bool, str]:
    if seen.wake.kind in {NETWORK, BUTTON, INPUT}:
        return False, f"{by}, and not by its alarm"
    if not rang:
        return False, f"{by}, {show_duration(seen.alarm - seen.back)} before its alarm"
    late = seen.back - seen.alarm
    if late > LATE.get(plan.state, LATE_OTHERWISE):
        return False, f"{by}, {show_duration(late)} after its alarm, which did not wake it then"
    return True, f"its alarm woke it after {show_duration(seen.slept)}"


def _by_packet(plan: Plan, seen: Seen, by: str, rang: bool) -> tuple[bool, str]:
    # a peer that goes on sending makes the card count a packet also while the alarm wakes the machine
    if seen.wake.kind == RTC or rang:
        return False, f"the safety alarm woke it after {show_duration(seen.slept)}: no magic packet did"
    if seen.wake.kind in {BUTTON, INPUT}:
        return False, f"{by}, and not by a magic packet"
    if seen.wake.kind == NETWORK:
        return True, by
    if seen.heard:
        return True, f"{by}; it was before the alarm, and magic packets for it arrive"
    if plan.believe:
        return True, f"{by}; it was before the alarm, and you say that it was the packet"
    return False, (
        f"{by}; it was before the alarm, but no magic packet for it is heard, so it may have been anything: "
        "let the peer go on sending until it is up, or say --believe if you saw that it was the packet"
    )


def _by_hand(_plan: Plan, seen: Seen, by: str, rang: bool) -> tuple[bool, str]:
    if seen.wake.kind == RTC or rang:
        return False, f"the safety alarm woke it after {show_duration(seen.slept)}: nobody else did"
    if seen.wake.kind == NETWORK:
        return False, f"{by}, and not by hand"
    return True, by


JUDGES = {RTC: _by_clock, MAGIC_PACKET: _by_packet, MANUAL: _by_hand}


# --- across a boot


def pending(files: Files, plan: Plan, began: float, alarm: rtc.Alarm) -> dict[str, Any]:
    """What has to be known after the boot."""
    return {"plan": asdict(plan), "alarm": asdict(alarm), "began": began, "boot": boot_id(files)}


def boot_time(stat: str) -> float:
    """When this boot began, of /proc/stat (proc_stat(5)); 0 where it is not told."""
    found = re.search(r"^btime (\d+)$", stat, re.MULTILINE)
    return float(found[1]) if found else 0.0


def finish(files: Files, record: Record) -> Outcome:
    """Judge a trial that went through a boot, and take its alarm back. Of what switched the machine on, only the instant is known."""
    kept = record.pending
    if not kept:
        return Outcome(False, "no trial is under way; begin one with `powernap prove-wake --state power-off`")
    try:
        plan, alarm = Plan(**kept["plan"]), rtc.Alarm(**kept["alarm"])
        began, boot, judge_it = float(kept["began"]), str(kept["boot"]), JUDGES[plan.method]
    except (KeyError, TypeError, ValueError) as error:
        return Outcome(False, f"what was noted before the trial cannot be read ({error!r}); begin it again")
    if boot == boot_id(files):
        return Outcome(None, "it has not been off since the trial began")
    with contextlib.suppress(rtc.AlarmError):  # it rings once, and the machine is up
        rtc.clear(files, alarm)
    if plan.state != OFF:
        return Outcome(
            False, f"it did not come back from {plan.state}, but booted afresh: what was open then is lost"
        )
    up = boot_time(text(files, "/proc/stat"))
    if up < began + SLEPT_MIN:
        return Outcome(
            False, "when this boot began cannot be told, or the clock was set back; begin the trial again"
        )
    seen = Seen(up - began, up, alarm.at, Wake("unknown", "something that a booting machine is not told"))
    # Who asked for a packet or a hand and sees it come on before the alarm has seen it: nobody else can.
    proven, words = judge_it(
        replace(plan, believe=True),
        seen,
        f"switched on after {show_duration(up - began)}",
        up >= alarm.at - EARLY,
    )
    return Outcome(proven, words, seen, of(files, plan, seen) if proven else None)
