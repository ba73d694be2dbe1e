"""``powernap watch``: everything that happens from now on, a line each."""

from __future__ import annotations

import argparse
import time
from typing import Any

from powernap.cli import client, machine_time, why
from powernap.cli.output import show_json_line
from powernap.cli.paint import show
from powernap.core.units import show_duration
from powernap.daemon.words import sentence

PULSE = 1.0
"""Seconds within which activity at an instant is told as one that happens now."""


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "watch",
        help="follow what happens, live",
        description="Where things stand, then each activity and decision as it happens, until Ctrl-C. Exit status 3 when the daemon stops.",
    )
    parser.add_argument("--json", action="store_true", help="a JSON object per line")
    return parser


def run(args: argparse.Namespace) -> int:
    """Follow until the daemon stops (exit status 3) or Ctrl-C."""
    with client.Connection() as connection:
        began = connection.ask("watch")
        if args.json:
            show_json_line(began)
        else:
            print(
                "\n".join([why.text(client.ask("why", refresh=False)), *machine_time.heading()]), flush=True
            )
        news = News()
        for entry in connection.lines():
            if args.json:
                show_json_line({"version": 1, **entry})
            elif news.worth_a_line(entry):
                print(live_line(entry), flush=True)
    raise client.DaemonError("powernapd has stopped")


class News:
    """Which readings a person wants to see: not each new figure of a rate that stays below its limit, once a second in a nap; and one key
    press once, though it is heard, seen by the access time of the terminal a moment later, and perhaps by another monitor too.

    :ivar named: whom the latest lines about pulses named, and when that was.
    """

    def __init__(self) -> None:
        self.known: dict[str, tuple[Any, ...]] = {}
        self.named: dict[str, float] = {}

    def worth_a_line(self, entry: dict[str, Any]) -> bool:
        """Everything but a reading that says what the one before said, and a pulse of whom one has just told."""
        if entry.get("event") != "reading":
            return True
        said = (bool(entry.get("active")), bool(entry.get("failed")), entry.get("last"))
        before, self.known[entry["monitor"]] = self.known.get(entry["monitor"]), said
        return before != said and (said[0] or not happening(entry) or self._unheard_of(entry))

    def _unheard_of(self, pulse: dict[str, Any]) -> bool:
        """Whether it names nobody, or somebody of whom no pulse of this moment told."""
        last, who = float(pulse["last"]), pulse.get("who", ())
        just = {name: at for name, at in self.named.items() if abs(last - at) < PULSE}
        news = not who or not just.keys() >= set(who)
        self.named = just | dict.fromkeys(who, last) if news else just
        return news


def live_line(entry: dict[str, Any]) -> str:
    """One thing that happened, for the live view."""
    when = machine_time.stamp(entry.get("time", time.time()), "%H:%M:%S")
    if entry.get("event") != "reading":
        return f"{when}  {show(sentence(entry))}"
    since = entry.get("at", 0.0) - entry["last"] if "last" in entry else None
    reason = f", {show(entry['reason'])}" if entry.get("reason") else ""
    word, ago = "quiet", f", {show_duration(since)} ago" if since is not None else ""
    if entry.get("failed"):
        word, ago = "failed", ""
    elif happening(entry):
        word, ago = "active" if entry["active"] else "just now", ""
    return f"{when}    {show(entry['monitor'])}: {word}{reason}{ago}"


def happening(entry: dict[str, Any]) -> bool:
    """A reading that tells of activity now: one that lasts, or one at an instant that has only just been."""
    if entry.get("event") != "reading":
        return False
    last = entry.get("last")
    return bool(entry.get("active") or (last is not None and entry.get("at", 0.0) - last < PULSE))
