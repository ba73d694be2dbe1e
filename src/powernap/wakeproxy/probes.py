"""Methods that cannot be used from here now: better known today than on the morning on which they are needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from powernap.daemon.asides import Asides, CrowdedError
from powernap.host.availability import Availability, unavailable

if TYPE_CHECKING:
    from powernap.config.inventory import HostConfig, MethodConfig
    from powernap.host.host import Host
    from powernap.wakers import WakerModule

LIMIT = 10.0
"""Seconds that a probe may take."""
AT_ONCE, THREADS = 4, 8
NAMED = 5
"""Machines that are named where the same is true of many."""


class Probes:
    """Made in a running loop. :param note: hears each thing once, in words."""

    def __init__(
        self, machine: Host, find: Callable[[str], WakerModule], note: Callable[[str], None]
    ) -> None:
        self.machine, self.find, self.note = machine, find, note
        self.asides = Asides(AT_ONCE, THREADS)
        self.looking: asyncio.Task[None] | None = None

    def look(self, hosts: Iterable[HostConfig]) -> None:
        """At all methods of these machines, and no longer at others."""
        self.close()
        self.looking = asyncio.get_running_loop().create_task(self._look(list(hosts)))

    async def _look(self, hosts: list[HostConfig]) -> None:
        found: dict[tuple[str, str, str], list[str]] = {}

        async def one(host: HostConfig, method: MethodConfig) -> None:
            answer = await self._probe(host, method)
            if not answer:
                found.setdefault((method.type, answer.detail, answer.remedy), []).append(host.name)

        await asyncio.gather(*(one(host, method) for host in hosts for method in host.methods))
        for (kind, detail, remedy), names in found.items():
            words = f"{shortened(names)} could not be woken by {kind} now: {detail}"
            self.note(f"{words}; {remedy}" if remedy else words)

    async def _probe(self, host: HostConfig, method: MethodConfig) -> Availability:
        """In a thread: it may read what an admin has named. A bug of one is not the others'."""
        work = partial(_probe, self.find, method, self.machine)
        try:
            done = await self.asides.do(work, f"probe-{host.name}", LIMIT)
        except CrowdedError as error:
            return unavailable(f"it is not probed: {error}", "")
        if not done.done():
            return unavailable(f"it does not answer within {LIMIT:g}s", "see whether its files can be read")
        if (failed := done.exception()) is not None:
            return unavailable(f"{type(failed).__name__}: {failed}", "please report this")
        answer: Availability = done.result()
        return answer

    def close(self) -> None:
        """Nothing any more."""
        if self.looking is not None:
            self.looking.cancel()


def _probe(find: Callable[[str], WakerModule], method: MethodConfig, machine: Host) -> Availability:
    return find(method.type).probe(machine, method.options)


def shortened(names: list[str]) -> str:
    """``web1, web2, web3, web4, web5 and 995 more``."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
