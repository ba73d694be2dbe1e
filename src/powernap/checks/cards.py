"""Wake-on-LAN: a ladder that sleeps, and no network card that would wake the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.checks import AS_ROOT, NONE, Finding, Unseen, some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.checks.look import Look

NAME = "cards"


def judge(_: Look, after: Look) -> Iterator[Finding | Unseen]:
    """Only where the ladder sleeps: asking a card wakes it, which is not worth it otherwise."""
    if not after.sleeps or not after.live:
        return
    armed = [name for name, card in after.cards.items() if card and "g" in card.armed]
    able = [
        name for name, card in after.cards.items() if card and "g" in card.supported and name not in armed
    ]
    hidden = [name for name, card in after.cards.items() if card is None]
    if armed:
        return
    if hidden and not able:
        yield Unseen(
            f"whether {some(hidden)} would wake the machine",
            "its wake flags may not be read",
            AS_ROOT,
        )
        return
    evidence = (
        f"{some(able)} could be woken by a magic packet and {'is' if len(able) == 1 else 'are'} not armed"
    )
    yield Finding(
        NAME,
        NONE,
        evidence if able else "no network card here can wake the machine",
        f"the ladder sleeps ({after.sleeps}), and nobody could wake the machine over the network",
        f"`sudo ethtool -s {able[0]} wol g`"
        if able
        else "wake it by its BMC or by an alarm: `powernap prove-wake`",
    )
