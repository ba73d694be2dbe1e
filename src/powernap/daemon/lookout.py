"""The opened monitors, and looks at them: each answers within its time limit or has failed, and none delays another.

Whatever a monitor does, a complete look comes to its end. What an answer may say is answers.py's.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Protocol

from powernap.config.model import MonitorConfig
from powernap.core.events import Event, Heard, Looked
from powernap.core.reading import Reading
from powernap.core.value import dataclass
from powernap.daemon.answers import failure, of_error, sound
from powernap.daemon.aside import aside
from powernap.host.availability import UnavailableError
from powernap.host.host import Host
from powernap.monitors import Context, Monitor, MonitorModule

REOPEN_MIN = 10.0
"""Seconds: however many ask ``why``, a monitor that cannot be opened is tried again no more often for it."""


class Load(Protocol):
    """Finds the module of a monitor's type."""

    def __call__(self, kind: str) -> MonitorModule:
        """Raises when there is none."""
        ...


class Scope(Enum):
    """Whom a look asks.

    ``DEAF``: those that went deaf when they last heard something. They are asked on behalf of people, too. Those without events are
    not: each look ends the interval over which they judge a rate, and shorter ones would take a moment's load for use.
    """

    ALL = "all"
    EVENTLESS = "eventless"
    DEAF = "deaf"


@dataclass
class Watch:
    """One configured monitor. ``monitor`` is ``None`` while it cannot be opened: complete looks try again.

    :param trouble: why it could not be opened; ``tried`` at that instant.
    :param asked: when the latest check was begun; ``pending`` is its answer on the way.
    :param work: the latest check that had to be waited for, ``thread`` its thread; not done for as long as they hang.
    :param late: when the latest check was given up.
    """

    config: MonitorConfig
    module: MonitorModule | None = None
    monitor: Monitor | None = None
    trouble: Reading | None = None
    tried: float = float("-inf")
    asked: float = float("-inf")
    pending: asyncio.Task[None] | None = None
    work: asyncio.Future[Any] | None = None
    thread: asyncio.Future[Any] | None = None
    late: float = float("-inf")

    @property
    def events(self) -> bool:
        """An event tells when its activity begins; what an opened monitor says overrides its kind."""
        try:
            return bool(getattr(self.monitor, "events", getattr(self.module, "EVENTS", False)))
        except Exception:
            return False

    @property
    def source(self) -> str:
        """What it listens to, for ``status``."""
        try:
            return str(getattr(self.monitor, "source", "")) if self.monitor else "not open"
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    @property
    def foreign(self) -> bool:
        """Not ours: its ``check`` runs in a thread, since nobody knows how long it takes."""
        return not getattr(self.module, "__name__", "").startswith("powernap.monitors.")

    @property
    def hangs(self) -> bool:
        """A check that was given up goes on: no second one is begun beside it."""
        parts = (self.work, self.thread)
        return self.pending is None and any(part is not None and not part.done() for part in parts)

    def wanted(self, scope: Scope, now: float) -> bool:
        """Whether a look of this scope asks it."""
        if scope is Scope.ALL:
            return True
        if self.monitor is None:
            return scope is Scope.DEAF and now >= self.tried + REOPEN_MIN
        return self.events is (scope is Scope.DEAF)


class Lookout:
    """All monitors of one configuration. Make it in a running loop.

    :param feed: takes the events; called in the loop's thread.
    """

    def __init__(self, host: Host, load: Load, feed: Callable[[Event], None]) -> None:
        self.host, self.load, self.feed = host, load, feed
        self.loop, self.thread = asyncio.get_running_loop(), threading.get_ident()
        self.watches: dict[str, Watch] = {}
        self.looks: set[asyncio.Task[None]] = set()
        self.closed = False

    # ------------------------------------------------------------ opening

    def open(self, configs: Iterable[MonitorConfig]) -> None:
        """Begin to watch; what cannot be opened reads as failed until it can."""
        for config in configs:
            self.watches[config.name] = watch = Watch(config)
            self._open(watch)

    def _open(self, watch: Watch) -> None:
        name = watch.config.name
        watch.tried = self.host.clock.boottime()
        try:
            watch.module = watch.module or self.load(watch.config.type)
            context = Context(name, self.host, lambda reading: self._tell(watch, reading))
            watch.monitor = watch.module.open(context, watch.config.options)
            watch.trouble = None
        except Exception as error:
            found = of_error(name, watch.tried, error)
            known = isinstance(error, UnavailableError)
            watch.trouble = (
                found if known else failure(name, watch.tried, f"cannot be opened: {found.reason}")
            )

    def _tell(self, watch: Watch, reading: Reading) -> None:
        """A monitor heard something; one that is closed says nothing any more."""
        if threading.get_ident() != self.thread:
            self.loop.call_soon_threadsafe(self._tell, watch, reading)
        elif not self.closed:
            self._hear(watch, reading)

    def _hear(self, watch: Watch, answer: Any) -> None:
        now = self.host.clock.boottime()
        try:
            reading = sound(watch.config.name, answer, now)
        except Exception as error:
            reading = of_error(watch.config.name, now, error)
        self.feed(Heard(now, reading))

    def kinds(self) -> Mapping[str, bool]:
        """Name of each monitor, and whether an event tells of its activity."""
        return {name: watch.events for name, watch in self.watches.items()}

    # ------------------------------------------------------------ looking

    def look(self, serial: int, scope: Scope, refusal: str = "") -> None:
        """Ask; the answers are fed as they come, and a complete look is closed by ``Looked`` with the refusal of the sleep after it."""
        began = self.host.clock.boottime()
        for watch in [watch for watch in self.watches.values() if watch.wanted(scope, began)]:
            self._ask(watch)
        if scope is not Scope.ALL:
            return
        slow = [watch for watch in self.watches.values() if watch.pending is not None]
        if not slow:
            self.feed(Looked(self.host.clock.boottime(), serial, refusal))
            return
        closing = asyncio.ensure_future(self._close_look(serial, began, slow, refusal))
        self.looks.add(closing)
        closing.add_done_callback(self.looks.discard)

    async def _close_look(self, serial: int, began: float, slow: list[Watch], refusal: str) -> None:
        await asyncio.gather(*(self._answered(watch, began) for watch in slow))
        self.feed(Looked(self.host.clock.boottime(), serial, refusal))

    async def _answered(self, watch: Watch, began: float) -> None:
        """Wait until it has answered a check that was not begun before the look; a failure since then is an answer too."""
        while (task := watch.pending) is not None:
            recent = watch.asked >= began
            await asyncio.wait([task])
            if recent or watch.late >= began or self.closed:
                return
            if watch.pending is None:
                self._ask(watch)

    def _ask(self, watch: Watch) -> None:
        """Feed the answer now, or begin a task that will."""
        if watch.pending is not None:
            return
        if watch.monitor is None:
            self._open(watch)
        if watch.monitor is None:
            self._hear(watch, watch.trouble)
            return
        watch.asked = self.host.clock.boottime()
        if watch.hangs:
            self._hear(watch, self._too_slow(watch, "an earlier check still hangs"))
            return
        try:
            answer: Any = self._check(watch, watch.monitor)
        except Exception as error:
            self._hear(watch, of_error(watch.config.name, watch.asked, error))
            return
        if isinstance(answer, Awaitable):
            watch.work = asyncio.ensure_future(answer)
            watch.pending = asyncio.ensure_future(self._wait(watch, watch.work))
        else:
            self._hear(watch, answer)

    def _check(self, watch: Watch, monitor: Monitor) -> Any:
        if watch.foreign and not inspect.iscoroutinefunction(monitor.check):
            return self._check_aside(watch, monitor)
        return monitor.check(watch.asked)

    async def _check_aside(self, watch: Watch, monitor: Monitor) -> Any:
        watch.thread = aside(lambda: monitor.check(watch.asked), watch.config.name)
        # Shielded: a thread cannot be cancelled, and whether it still hangs must stay known.
        answer = await asyncio.shield(watch.thread)
        return await answer if isinstance(answer, Awaitable) else answer

    async def _wait(self, watch: Watch, work: asyncio.Future[Any]) -> None:
        # Not wait_for(), which waits for a check that does not let itself be cancelled.
        await asyncio.wait([work], timeout=watch.config.time_limit)
        watch.pending = None
        if not work.done():
            watch.late = self.host.clock.boottime()
            work.cancel()
            work.add_done_callback(lambda late: late.cancelled() or late.exception())
            limit = f"gave no answer within {watch.config.time_limit:g}s"
            self._hear(watch, self._too_slow(watch, limit))
        elif work.cancelled():
            self._hear(watch, failure(watch.config.name, watch.asked, "its check was cancelled"))
        elif error := work.exception():
            self._hear(watch, of_error(watch.config.name, watch.asked, error))
        else:
            self._hear(watch, work.result())

    def _too_slow(self, watch: Watch, reason: str) -> Reading:
        name = watch.config.name
        remedy = f"find out why, or raise time_limit in [monitor.{name}]"
        return failure(name, self.host.clock.boottime(), reason, remedy)

    # ------------------------------------------------------------ the end

    def close(self) -> list[str]:
        """Give back every source; what could not be, in sentences."""
        self.closed = True
        waiting = [
            future for watch in self.watches.values() for future in (watch.pending, watch.work) if future
        ]
        for future in [*self.looks, *waiting]:
            future.cancel()
        troubles = []
        for name, watch in self.watches.items():
            try:
                if watch.monitor is not None:
                    watch.monitor.close()
            except Exception as error:
                troubles.append(f"{name}: cannot be closed: {type(error).__name__}: {error}")
        self.watches = {}
        return troubles
