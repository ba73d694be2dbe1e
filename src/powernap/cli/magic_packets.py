"""``powernap prove-wake --send``, on the peer: magic packets for a while; and, on the machine that woke, listening for them."""

from __future__ import annotations

import argparse
import select
import sys
import time

from powernap.cli.output import fail, show_json
from powernap.core.units import many, show_duration

SEND_FOR, SEND_EVERY = 300.0, 2.0
"""Seconds. The packets go on while the target falls asleep and comes up again: it listens for one when its card does not tell."""
HEAR = 10.0
"""Seconds that a woken machine listens for a packet: five times the distance at which ``--send`` sends them."""


def send(args: argparse.Namespace) -> int:
    """Magic packets, until the time is over or Ctrl-C."""
    from powernap.host import magic_send  # noqa: PLC0415

    try:
        target = magic_send.address(args.send)
    except ValueError as error:
        return fail(str(error), code=2, as_json=args.json)
    names = magic_send.interfaces()
    if not names:
        return fail(
            "no network card of this machine is up",
            "connect it to the network of the other",
            1,
            as_json=args.json,
        )
    rounds, until = 0, time.monotonic() + args.length
    while True:
        troubles = magic_send.send(target, names)
        if len(troubles) == 2 * len(names):
            return fail(f"no packet could be sent: {'; '.join(troubles)}", "use sudo", 3, as_json=args.json)
        rounds += 1
        left = until - time.monotonic()
        progress(
            f"sent {many(rounds, 'round')} by {', '.join(names)}, {show_duration(max(0.0, left))} left; Ctrl-C ends it"
        )
        if left <= SEND_EVERY:
            break
        time.sleep(SEND_EVERY)
    progress("")
    if args.json:
        return show_json(
            {"version": 1, "mac": args.send, "rounds": rounds, "interfaces": names, "troubles": troubles}
        )
    print(f"sent {many(rounds, 'round')} of magic packets for {args.send} by {', '.join(names)}")
    return 0


def progress(line: str) -> None:
    """On a terminal only; an empty line takes it away."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def heard(mac: str, limit: float = HEAR) -> bool:
    """Whether a magic packet for an address arrives within some seconds. Not to be heard without the right to listen."""
    from powernap.host import packets  # noqa: PLC0415
    from powernap.host.magic_send import address  # noqa: PLC0415

    wanted, until = frozenset({address(mac)}), time.monotonic() + limit
    try:
        opened = packets.open_packets(packets.magic_filter())
    except OSError:
        return False
    with opened:
        while (left := until - time.monotonic()) > 0:
            if select.select([opened], [], [], left)[0]:
                for packet in packets.arrivals(opened):
                    if packets.magic_target(packet.data, wanted):
                        return True
    return False
