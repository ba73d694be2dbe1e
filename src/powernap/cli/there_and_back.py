"""Applies actions one at a time and puts each back at once, exactly as the daemon does it, and says what became of it.

Owns the order and the times. How an action is applied is :mod:`powernap.daemon.hands`', what is restored the ledger's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from powernap.cli.own_hands import ended_by_signals
from powernap.daemon.hands import Hands

STAGE = "try"
"""The stage under which the ledger knows these changes."""


@dataclass(frozen=True)
class Outcome:
    """What became of one action.

    :param failure: why it could not be applied; empty when it could.
    :param changed: values that it changed. :param refused: values that it had to leave, of which ``left_out`` tells the first.
    :param left: what could not be put back, and why. :param kept: what somebody else changed meanwhile, and was left as it is.
    :param apply_s: seconds from asking whether it can be used to the last value read back; ``restore_s``: from the first to the last one.
    """

    failure: str
    changed: int
    refused: int
    left_out: str
    left: tuple[str, ...]
    kept: tuple[str, ...]
    apply_s: float
    restore_s: float


@dataclass
class Course:
    """What has been done of it. ``ended`` says why the rest was not."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    ended: str = ""


async def go(
    hands: Hands, names: Iterable[str], told: Callable[[str], None], over: asyncio.Event | None = None
) -> Course:
    """All of them, one after the other. A signal ends it, and everything is put back.

    :param told: hears which action is next.
    """
    over = over or asyncio.Event()
    with ended_by_signals(over):
        cutting = asyncio.ensure_future(_cut_short(hands, over))
        try:
            return await _in_turn(hands, names, told, over)
        finally:
            cutting.cancel()
            # an error of ours in the middle must leave nothing either
            await hands.restore()


async def _cut_short(hands: Hands, over: asyncio.Event) -> None:
    await over.wait()
    hands.stop()


async def _in_turn(
    hands: Hands, names: Iterable[str], told: Callable[[str], None], over: asyncio.Event
) -> Course:
    # What an earlier life left is put back first, as the daemon does.
    left, _, _ = await _back(hands)
    course = Course(ended=f"an earlier change could not be put back: {'; '.join(left)}" if left else "")
    for name in names:
        if not course.ended:
            told(name)
            course.outcomes[name] = outcome = await _there_and_back(hands, name)
            course.ended = _why_end(name, outcome, over)
    return course


def _why_end(name: str, outcome: Outcome, over: asyncio.Event) -> str:
    """A machine that is not as it was is no place for a second action."""
    if outcome.left:
        return f"{name} could not be put back"
    return "ended before it was complete" if over.is_set() else ""


async def _there_and_back(hands: Hands, name: str) -> Outcome:
    clock = hands.host.clock
    hands.ready()
    began = clock.boottime()
    failures = await hands.apply(STAGE, (name,))
    apply_s = clock.boottime() - began
    changed = len(hands.changed())  # nothing else is changed now
    left, kept, restore_s = await _back(hands)
    return Outcome(
        failure="; ".join(each.reason for each in failures),
        changed=changed,
        refused=hands.refused.get(name, 0),
        left_out=hands.left_out.get(name, ""),
        left=left,
        kept=kept,
        apply_s=apply_s,
        restore_s=restore_s,
    )


async def _back(hands: Hands) -> tuple[tuple[str, ...], tuple[str, ...], float]:
    """Everything is put back: what could not be, what somebody else has changed, and the seconds that it took."""
    began = hands.host.clock.boottime()
    failed, kept = await hands.restore()
    took = hands.host.clock.boottime() - began
    told = [each.reason for each in failed]
    targets = [each.change.target for each in hands.ledger.live()] if hands.ledger else []
    gone = [target for target in targets if not any(why.startswith(f"{target}: ") for why in told)]
    return (*told, *(f"{target}: is not there now; kept in the ledger" for target in gone)), kept, took
