"""Idle states: those that are missing or switched off, and processors that do not reach the deepest one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.checks import SHALLOW, Finding, Unseen, processors, some
from powernap.core.value import dataclass
from powernap.host.cpus import CPU

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.checks.look import Look
    from powernap.host.idle_states import IdleState

NAME = "idle-states"
SWITCHED = "by an admin, or by a tool: TuneD, intel_pstate tuning scripts, a database's installation guide"
HALF = 0.5
"""Shares: a processor that was idle for less than this is at work, one in its deepest state for less than this of its idle time is kept from it."""
SHALLOW_GOVERNORS = {
    "haltpoll": "polls before it sleeps",
    "ladder": "goes down one step at a time and seldom arrives",
}


@dataclass(frozen=True)
class Stay:
    """In one state during the window: ``share`` of it, and how often it was entered each second."""

    name: str
    share: float
    entered: float
    disabled: bool


@dataclass(frozen=True)
class Rest:
    """One processor during the window. ``deepest`` is the deepest state that it entered; empty when it entered none."""

    cpu: int
    stays: tuple[Stay, ...]

    @property
    def idle(self) -> float:
        """The share of the window in which it did nothing. Time in a state is counted when it ends: one that slept on shows less."""
        return min(1.0, sum(stay.share for stay in self.stays))

    @property
    def wakeups(self) -> float:
        """How often it was woken each second."""
        return sum(stay.entered for stay in self.stays)

    @property
    def deepest(self) -> str:
        """The deepest state that it was in."""
        return next((stay.name for stay in reversed(self.stays) if stay.entered), "")


def judge(before: Look, after: Look) -> Iterator[Finding | Unseen]:
    """What is missing, what is switched off, what is not reached."""
    yield from command_line(after)
    if not after.idling.cpus:
        yield without_states(after)
        return
    yield from switched_off(after)
    yield from governor(after)
    yield from kept_shallow(before, after)
    yield Unseen(
        "package idle states",
        "they stand in the processor's registers only, which PowerNap does not read",
        "`turbostat --show Pkg%pc6` shows them",
    )


def command_line(after: Look) -> Iterator[Finding]:
    """What was given to the kernel when the machine was started."""
    if after.idling.limits:
        words = " ".join(after.idling.limits)
        yield Finding(
            NAME,
            SHALLOW,
            f"the kernel's command line says {words}",
            "processors may not use their deeper idle states until the next start",
            f"take it out of the boot loader's configuration and restart, unless somebody needs the latency: {words}",
        )


def without_states(after: Look) -> Finding | Unseen:
    """No driver: a machine stops at the shallowest state; in a virtual one that is the host's to choose."""
    said = after.idling.driver or "no cpuidle"
    if after.guest:
        return Unseen(
            "idle states",
            f"this is a virtual machine without an idle driver ({said}): a processor with nothing to do halts, and the host chooses its state",
            "run `powernap doctor` on the host",
        )
    if after.idling.driver in {"", "none"} and not after.live:
        return Unseen("idle states", "none were recorded", "run `powernap doctor` on the machine itself")
    return Finding(
        NAME,
        SHALLOW,
        f"no driver for idle states is loaded ({said})",
        "an idle processor only halts (C1), and its package never sleeps",
        "switch C-states on in the firmware's setup; on ACPI machines load the module `processor`",
    )


def switched_off(after: Look) -> Iterator[Finding]:
    """States whose ``disable`` somebody set."""
    for place, (name, cpus) in sorted(disabled(after).items()):
        yield Finding(
            NAME,
            SHALLOW,
            f"{name} is switched off on {processors(cpus)}, {SWITCHED}",
            "one thread outside its deepest state can keep its whole package awake",
            f"`echo 0 | sudo tee {CPU}/cpu*/cpuidle/state{place}/disable`, unless somebody needs the latency",
            "cpu-idle",
        )


def disabled(after: Look) -> dict[int, tuple[str, list[int]]]:
    """By number of the state: its name, and on which processors it is off."""
    found: dict[int, tuple[str, list[int]]] = {}
    for cpu, states in after.idling.cpus.items():
        for place, state in enumerate(states):
            if state.disabled and place:
                found.setdefault(place, (state.name, []))[1].append(cpu)
    return found


def governor(after: Look) -> Iterator[Finding]:
    """Governors that were not made for saving."""
    why = SHALLOW_GOVERNORS.get(after.idling.governor)
    if why:
        yield Finding(
            NAME,
            SHALLOW,
            f"the idle governor is {after.idling.governor}, which {why}",
            "processors stay in shallow states although nothing happens",
            f"`echo menu | sudo tee {CPU}/cpuidle/current_governor` (or teo)",
            "cpu-idle",
        )


def rests(before: Look, after: Look) -> list[Rest]:
    """How each processor spent the window."""
    length = max(after.at - before.at, 1e-3)
    return [
        Rest(cpu, tuple(stays(before.idling.cpus.get(cpu, ()), states, length)))
        for cpu, states in after.idling.cpus.items()
    ]


def stays(then: tuple[IdleState, ...], now: tuple[IdleState, ...], length: float) -> Iterator[Stay]:
    """One processor's. A counter that went back belongs to a processor that was away: nothing is known of it."""
    for place, state in enumerate(now):
        time, usage = (then[place].time, then[place].usage) if place < len(then) else (0, 0)
        share = min(1.0, max(0, state.time - time) / 1e6 / length)
        yield Stay(state.name, share, max(0, state.usage - usage) / length, state.disabled)


def kept_shallow(before: Look, after: Look) -> Iterator[Finding]:
    """Processors that were mostly idle, and little of that in the deepest state that is allowed to them."""
    shallow = []
    for rest in rests(before, after):
        allowed = [stay for stay in rest.stays if not stay.disabled]
        deepest = allowed[-1] if allowed else None
        if deepest and len(allowed) > 1 and rest.idle >= HALF and deepest.share < HALF * rest.idle:
            shallow.append((rest, deepest))
    if shallow:
        worst, deepest = min(shallow, key=lambda pair: pair[1].share)
        yield Finding(
            NAME,
            SHALLOW,
            f"idle, but not in {deepest.name}: {processors(rest.cpu for rest, _ in shallow)};"
            f" processor {worst.cpu} for {deepest.share:.0%} of the time, {spent(worst)}",
            "power goes into waiting: a package sleeps only when all its threads do",
            f"look for what wakes it ({worst.wakeups:.0f} times a second), and for a latency limit, in this report",
            "cpu-park",
        )


def spent(rest: Rest) -> str:
    """Where the rest went."""
    most = sorted(rest.stays, key=lambda stay: -stay.share)
    return "instead " + some([f"{stay.name} {stay.share:.0%}" for stay in most if stay.share >= 0.01], 3)
