"""Whether another machine is up, by what its inventory says tells it. Names are resolved in threads, a few at a time."""

from __future__ import annotations

import asyncio
import socket

from powernap.config.inventory import HostConfig, Target, port_of
from powernap.daemon.asides import Asides, CrowdedError
from powernap.host import reach
from powernap.host.reach import Answer, Place

AT_ONCE, THREADS = 16, 48
"""Names resolved at a time, and threads with those that hang; the unit has 256 (``TasksMax``)."""
TOGETHER, PLACES = 200, 4
"""Looks at a time, and addresses of one name: each is a descriptor, of which there are 1024. A thousand machines may be looked at at a start."""
CORRECT = "correct `address`, or write its IP address there"


class Looks:
    """Used in one loop."""

    def __init__(self) -> None:
        self.asides, self.together = Asides(AT_ONCE, THREADS), asyncio.Semaphore(TOGETHER)
        self.resolving: dict[str, asyncio.Future[list[Place]]] = {}

    async def look(self, host: HostConfig, limit: float) -> Answer:
        """Asked once, when its turn comes; no longer than ``limit`` seconds, and as long for the name. Up where one of its addresses answers."""
        async with self.together:
            return await self._look(host.target, limit)

    async def _look(self, target: Target, limit: float) -> Answer:
        try:
            places = resolve(target.address, socket.AI_NUMERICHOST)
        except OSError:
            found = await self._named(target.address, limit)
            if isinstance(found, Answer):
                return found
            places = found
        port = port_of(target.confirm)
        answers = await asyncio.gather(
            *(reach.tcp(each, port, limit) if port else reach.ping(each, limit) for each in places[:PLACES])
        )
        rank = (reach.UP, reach.SILENT, reach.UNKNOWN)
        return min(answers, key=lambda each: rank.index(each.state))

    async def _named(self, address: str, limit: float) -> list[Place] | Answer:
        try:
            asked = await self._resolved(address, limit)
        except CrowdedError as error:
            return Answer(reach.UNKNOWN, f"{address} is not resolved: {error}", CORRECT)
        if not asked.done():
            self.resolving[address] = asked
            return Answer(reach.UNKNOWN, f"{address}: no name server answers", CORRECT)
        failed = asked.exception()
        if isinstance(failed, OSError):
            return Answer(reach.UNKNOWN, f"{address}: {failed.strerror or failed}", CORRECT)
        return asked.result()

    async def _resolved(self, address: str, limit: float) -> asyncio.Future[list[Place]]:
        """A name that hangs takes one thread, however often it is asked for: the others' servers may answer."""
        asked = self.resolving.pop(address, None)
        if asked is None:
            return await self.asides.do(lambda: resolve(address), f"resolve-{address}", limit)
        await asyncio.wait([asked], timeout=limit)
        return asked


def resolve(address: str, flags: int = 0) -> list[Place]:
    """Its addresses, at least one. ``OSError`` (gaierror) where there is none. Blocks for names."""
    found = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM, flags=flags)
    return [
        Place(family, (str(where[0]), *where[1:])) for family, _, _, _, where in found if family in reach.ECHO
    ]
