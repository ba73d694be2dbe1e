"""One machine brought up: method after method, tried until the machine is confirmed to be up or the time for it has passed.

Owns the order, the pauses and the words for what came of it. Why and when is for others; how one method works is its waker's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TYPE_CHECKING

from powernap.core.units import many, show_duration
from powernap.core.value import dataclass
from powernap.daemon.asides import Asides, CrowdedError
from powernap.host.reach import UNKNOWN, Answer
from powernap.schedules._plain import plain
from powernap.wakers import Context, WakeError

if TYPE_CHECKING:
    from powernap.config.inventory import HostConfig, MethodConfig
    from powernap.host.host import Host
    from powernap.wakeproxy.gate import Gate
    from powernap.wakers import WakerModule

FIRST_PAUSE = 1.0
"""Seconds after which a method is used again; doubled each time: what was lost is made good at once, what is slow is not pelted."""
LOOK_MAX, LOOK_MIN = 3.0, 0.5
"""Seconds that one look may take: a connection to an address that nobody has fails after three (``mcast_solicit`` times ``retrans_time_ms``, arp(7))."""
AT_ONCE, THREADS = 32, 64
"""Wakers at work at a time, and threads with those that hang."""
BETWEEN = (1.0, 5.0)
"""Seconds between two looks, a twentieth of the time that has passed: so exactly is learned how long it takes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    :param detail: what tells that it is up; or what was done, and what the machine said last.
    :param used: how often a method was; 0 where it was up already. :param seconds: from the first use until it was up.
    """

    up: bool
    detail: str
    remedy: str = ""
    used: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Means:
    """What it takes.

    :param find: the module of a waker. :param look: whether a machine is up, within some seconds. :param asides: where wakers may block.
    """

    machine: Host
    gate: Gate
    find: Callable[[str], WakerModule]
    look: Callable[[HostConfig, float], Awaitable[Answer]]
    asides: Asides = field(default_factory=lambda: Asides(AT_ONCE, THREADS))


@dataclass
class Attempt:
    """One method, as far as it has come.

    :ivar pending: its last use, which may hang. :ivar unsure: nobody knows what came of that.
    """

    kind: str
    began: float
    used: int = 0
    how: str = ""
    error: WakeError | None = None
    pending: asyncio.Future[str] | None = None
    unsure: bool = False

    def may(self, module: WakerModule, seen: Answer) -> bool:
        """Use it now. One that is still at it is not begun again; and a power button is pressed once, and on no state that is not known."""
        if self.pending is not None and not self.pending.done():
            return False
        return module.REPEAT or not (self.used or self.unsure or seen.state == UNKNOWN)


async def wake(host: HostConfig, means: Means, limit: float, told: Callable[[str], None]) -> Outcome:
    """Bring it up, unless it is.

    :param limit: seconds for each method. :param told: hears of each method's first use, in words.
    """
    answer = await means.look(host, LOOK_MAX)
    if answer.up:
        return Outcome(up=True, detail=answer.detail)
    attempts: list[Attempt] = []
    for method in host.methods:
        attempt = await _begin(method, means)
        attempts.append(attempt)
        answer = await _try(host, method, means, attempt, answer, limit, told)
        if answer.up:
            break
    used, now = sum(each.used for each in attempts), asyncio.get_running_loop().time()
    first = next((each.began for each in attempts if each.used), now)
    if answer.up:
        return Outcome(up=True, detail=answer.detail, used=used, seconds=now - first if used else 0.0)
    return Outcome(
        up=False, detail=_what_was_done(attempts, answer, limit), remedy=_remedy(attempts, answer, means), used=used
    )  # fmt: skip


async def _begin(method: MethodConfig, means: Means) -> Attempt:
    await means.gate.go()
    return Attempt(method.type, asyncio.get_running_loop().time())


async def _try(
    host: HostConfig,
    method: MethodConfig,
    means: Means,
    attempt: Attempt,
    answer: Answer,
    limit: float,
    told: Callable[[str], None],
) -> Answer:
    """Until it is up, or the limit has passed; the last answer.

    :param answer: what the machine said before.
    """
    loop, module, pause = asyncio.get_running_loop(), means.find(method.type), FIRST_PAUSE
    again = attempt.began
    while True:
        if loop.time() >= again:
            if attempt.may(module, answer):
                first = not attempt.used
                await _use(host, method, means, attempt)
                if first and attempt.used:
                    told(f"{attempt.kind} {attempt.how}".strip())
            elif not attempt.used and attempt.error is None:
                attempt.error = WakeError(
                    "it is not used while nobody knows whether the machine is up", answer.remedy
                )
            again, pause = loop.time() + pause, pause * 2
        answer = await means.look(host, min(LOOK_MAX, max(LOOK_MIN, again - loop.time())))
        passed = loop.time() - attempt.began
        if answer.up or passed >= limit:
            return answer
        least, most = BETWEEN
        wait = min(max(passed / 20, least), most, limit - passed)
        await asyncio.sleep(min(wait, max(again - loop.time(), 0.0)))


async def _use(host: HostConfig, method: MethodConfig, means: Means, attempt: Attempt) -> None:
    """Once. What goes wrong is kept; the next time may do better."""
    module = means.find(method.type)
    context = Context(means.machine, host.name, host.target.address, getattr(module, "LIMIT", Context.limit))
    if attempt.error is not None and not module.REPEAT:
        await means.gate.go()  # it may be the one that starts it
    try:
        done = await means.asides.do(
            lambda: module.wake(context, method.options), f"{method.type}-{host.name}", context.limit
        )
    except CrowdedError as error:
        attempt.error = WakeError(str(error))
        return
    attempt.pending, attempt.error = done, _error(done, context.limit)
    attempt.unsure = not done.done() or not isinstance(done.exception(), WakeError | None)
    if attempt.error is None:
        attempt.used, attempt.how = attempt.used + 1, plain(done.result())


def _error(done: asyncio.Future[str], limit: float) -> WakeError | None:
    if not done.done():
        return WakeError(f"it did not return within {limit:g}s")
    error = done.exception()
    if error is None:
        return None
    if isinstance(error, WakeError):  # it may quote what a machine has said
        return WakeError(plain(error.reason), plain(error.remedy))
    return WakeError(plain(f"{type(error).__name__}: {error}"), "please report this")


def _what_was_done(attempts: list[Attempt], answer: Answer, limit: float) -> str:
    """``magic-packet through eth0, 8 times in 3min: tcp:22 of 10.0.0.3 does not answer within 3s``."""
    done = []
    for each in attempts:
        if each.used:
            used = f"{many(each.used, 'time')} in {show_duration(limit)}"
            done.append(f"{f'{each.kind} {each.how}'.strip()}, {used}")
        else:
            done.append(f"{each.kind}: {each.error.reason if each.error else 'not used'}")
    return f"{'; then '.join(done)}: {answer.detail}"


def _remedy(attempts: list[Attempt], answer: Answer, means: Means) -> str:
    """For what is most probably wrong: it could not be asked; nothing was sent; or what was sent did not help."""
    if answer.state == UNKNOWN and answer.remedy:
        return answer.remedy
    last = next((each for each in attempts if each.used), attempts[-1])
    if not last.used and last.error is not None:
        return last.error.remedy
    return means.find(last.kind).REMEDY
