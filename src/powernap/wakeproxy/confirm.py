"""Whether another machine is up, by what its inventory says tells it. Names are resolved in threads, a few at a time."""

from __future__ import annotations

import asyncio
import socket

from powernap.config.inventory import Target, port_of
from powernap.daemon.asides import Asides, CrowdedError
from powernap.host import reach
from powernap.host.reach import Answer, Place

AT_ONCE, THREADS = 16, 48
"""Names resolved at a time, and threads with those that hang; the unit has 128 (``TasksMax``)."""
CORRECT = "correct `address`, or write its IP address there"


class Looks:
    """Used in one loop."""

    def __init__(self) -> None:
        self.asides = Asides(AT_ONCE, THREADS)

    async def look(self, target: Target, limit: float) -> Answer:
        """Asked once; no longer than ``limit`` seconds, and as long for the name. Up where one of its addresses answers."""
        try:
            places = resolve(target.address, socket.AI_NUMERICHOST)
        except OSError:
            found = await self._named(target.address, limit)
            if isinstance(found, Answer):
                return found
            places = found
        port = port_of(target.confirm)
        answers = await asyncio.gather(
            *(reach.tcp(each, port, limit) if port else reach.ping(each, limit) for each in places)
        )
        rank = (reach.UP, reach.SILENT, reach.UNKNOWN)
        return min(answers, key=lambda each: rank.index(each.state))

    async def _named(self, address: str, limit: float) -> list[Place] | Answer:
        try:
            asked = await self.asides.do(lambda: resolve(address), f"resolve-{address}", limit)
        except CrowdedError as error:
            return Answer(reach.UNKNOWN, f"{address} is not resolved: {error}", CORRECT)
        if not asked.done():
            return Answer(reach.UNKNOWN, f"{address}: no name server answers", CORRECT)
        failed = asked.exception()
        if isinstance(failed, OSError):
            return Answer(reach.UNKNOWN, f"{address}: {failed.strerror or failed}", CORRECT)
        places: list[Place] = asked.result()
        return places


def resolve(address: str, flags: int = 0) -> list[Place]:
    """Its addresses, at least one. ``OSError`` (gaierror) where there is none. Blocks for names."""
    found = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM, flags=flags)
    return [
        Place(family, (str(where[0]), *where[1:])) for family, _, _, _, where in found if family in reach.ECHO
    ]
