"""What the daemon does after it was asked to: ``nap`` and ``wake`` are answered at once and carried out right afterwards."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from powernap.cli import client
from powernap.cli.paint import show
from powernap.daemon.words import sentence

PATIENCE = 3.0
"""Seconds: a stage is entered or left in milliseconds; who has to wait longer is told where things stand."""


class Followed:
    """A connection that watches, begun before the request so that nothing is missed."""

    def __init__(self, connection: client.Connection, wanted: set[str]) -> None:
        self.connection, self.wanted = connection, wanted

    def until(self, last: set[str]) -> list[dict[str, Any]]:
        """What happened, up to the first entry of a kind in ``last``; what there is when the patience is over."""
        end, found = time.monotonic() + PATIENCE, []
        with contextlib.suppress(client.DaemonError):
            while (entry := self.connection.read(end)) is not None:
                if entry.get("event") in self.wanted:
                    found.append(entry)
                if entry.get("event") in last:
                    break
        return found


@contextlib.contextmanager
def following(wanted: set[str]) -> Iterator[Followed]:
    """Follow what happens from now on; only these kinds of entries are kept."""
    with client.Connection() as connection:
        connection.ask("watch")
        yield Followed(connection, wanted)


def told(entries: list[dict[str, Any]]) -> str:
    """A line each."""
    return "\n".join(show(sentence(entry)) for entry in entries)
