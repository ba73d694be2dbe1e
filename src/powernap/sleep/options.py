"""What an admin may say about sleeping: the section ``[sleep]``."""

from __future__ import annotations

from powernap.core.options import option
from powernap.core.value import dataclass

ANY = "any"
RTC, MAGIC_PACKET, MANUAL = "rtc", "magic-packet", "manual"
METHODS = (RTC, MAGIC_PACKET, MANUAL)
"""Ways to wake a machine that can be proven on it: its own alarm, a magic packet, somebody's hand."""
THROUGH = ("auto", "logind", "kernel")


def wrong_ways(ways: tuple[str, ...]) -> str | None:
    """``any`` says all there is to say."""
    if ANY in ways and len(ways) > 1:
        return '"any" stands beside others; leave it out, or write it alone'
    return None


@dataclass(frozen=True)
class SleepOptions:
    """How the machine goes to sleep, and what must be sure before."""

    through: str = option(
        "auto",
        choices=THROUGH,
        help="Who puts the machine to sleep: the login manager (`logind`), which honours everybody's inhibitors, the `kernel` itself, or "
        "`auto`: the login manager where there is one.",
    )
    proof: str = option(
        "require",
        choices=("require", "override"),
        help="`require`: a sleep state is refused until `powernap prove-wake` has shown a way to wake from it; `override`: you say that "
        "there is one.",
    )
    wake_by: tuple[str, ...] = option(
        (ANY,),
        choices=(ANY, *METHODS),
        check=wrong_ways,
        example='["magic-packet"]',
        help="The ways to wake that must all be proven, and ready, before each sleep: `rtc`, `magic-packet`, `manual`; `any`: one of them is enough.",
    )
    alarm: float | None = option(
        None,
        unit="duration",
        example='"24h"',
        help="Safety alarm: the hardware clock wakes the machine at the latest after this long. Without it, only what is scheduled sets an alarm.",
    )
    min_sleep: float = option(
        120.0,
        unit="duration",
        help="The machine does not go to sleep for less than this: going down and coming up costs more than it saves.",
    )
    wake_nic: str = option(
        "",
        example='"enp3s0"',
        help="The network card that a magic packet reaches. Left out: the one that was proven, else the one with the default route.",
    )
