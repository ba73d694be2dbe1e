"""The opened monitors, and looks at them: each answers within its time limit or has failed, and none delays another."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from powernap.config.model import MonitorConfig
from powernap.core.events import Event, Heard, Looked
from powernap.core.reading import Reading
from powernap.host.availability import UnavailableError
from powernap.host.host import Host
from powernap.monitors import Context, Monitor, MonitorModule


class Load(Protocol):
    """Finds the module of a monitor's type."""

    def __call__(self, kind: str) -> MonitorModule:
        """Raises ``KeyError`` when there is none."""
        ...


@dataclass
class Watch:
    """One configured monitor. ``monitor`` is ``None`` while it cannot be opened: each look tries again."""

    config: MonitorConfig
    module: MonitorModule
    monitor: Monitor | None = None
    trouble: Reading | None = None
    pending: asyncio.Task[None] | None = None

    @property
    def events(self) -> bool:
        """An event tells when its activity begins; what an opened monitor says overrides its kind."""
        return bool(getattr(self.monitor, "events", self.module.EVENTS))

    @property
    def source(self) -> str:
        """What it listens to, for ``status``."""
        return str(getattr(self.monitor, "source", "")) if self.monitor else "not open"

    @property
    def foreign(self) -> bool:
        """Not ours: its ``check`` runs in a thread, since nobody knows how long it takes."""
        return not getattr(self.module, "__name__", "").startswith("powernap.monitors.")


class Lookout:
    """All monitors of one configuration.

    :param feed: takes the events; called in the loop's thread.
    """

    def __init__(self, host: Host, load: Load, feed: Callable[[Event], None]) -> None:
        self.host, self.load, self.feed = host, load, feed
        self.watches: dict[str, Watch] = {}
        self.looks: set[asyncio.Task[None]] = set()

    def open(self, configs: Iterable[MonitorConfig]) -> None:
        """Begin to watch; what cannot be opened reads as failed until it can."""
        for config in configs:
            watch = Watch(config, self.load(config.type))
            self.watches[config.name] = watch
            self._open(watch)

    def _open(self, watch: Watch) -> None:
        name = watch.config.name
        try:
            watch.monitor = watch.module.open(Context(name, self.host, self._hear), watch.config.options)
            watch.trouble = None
        except UnavailableError as error:
            answer = error.availability
            watch.trouble = self._failed(name, answer.detail, answer.remedy)
        except Exception as error:
            watch.trouble = self._failed(name, f"cannot be opened: {_sentence(error)}")

    def _hear(self, reading: Reading) -> None:
        self.feed(Heard(self.host.clock.boottime(), reading))

    def _failed(self, name: str, reason: str, remedy: str = "") -> Reading:
        return Reading(name, self.host.clock.boottime(), reason=reason, failed=True, remedy=remedy)

    def look(self, serial: int, *, eventless: bool) -> None:
        """Ask; the answers are fed as they come, and a complete look is closed by ``Looked``."""
        slow = []
        for watch in self.watches.values():
            if eventless and watch.events and watch.monitor:
                continue
            task = self._ask(watch)
            if task is not None:
                slow.append(task)
        if eventless:
            return
        if not slow:
            self.feed(Looked(self.host.clock.boottime(), serial))
            return
        closing = asyncio.ensure_future(self._close_look(serial, slow))
        self.looks.add(closing)
        closing.add_done_callback(self.looks.discard)

    async def _close_look(self, serial: int, slow: list[asyncio.Task[None]]) -> None:
        await asyncio.wait(slow)
        self.feed(Looked(self.host.clock.boottime(), serial))

    def _ask(self, watch: Watch) -> asyncio.Task[None] | None:
        """Feeds the answer now, or returns the task that will."""
        if watch.pending is not None:
            return watch.pending
        if watch.monitor is None:
            self._open(watch)
        if watch.monitor is None:
            self.feed(
                Heard(
                    self.host.clock.boottime(),
                    watch.trouble or self._failed(watch.config.name, "cannot be opened"),
                )
            )
            return None
        try:
            answer = self._check(watch, watch.monitor)
        except Exception as error:
            self._hear(self._failed(watch.config.name, _sentence(error), _remedy(error)))
            return None
        if isinstance(answer, Reading):
            self._hear(answer)
            return None
        watch.pending = asyncio.ensure_future(self._wait(watch, answer))
        watch.pending.add_done_callback(lambda _: setattr(watch, "pending", None))
        return watch.pending

    def _check(self, watch: Watch, monitor: Monitor) -> Reading | Awaitable[Reading]:
        now = self.host.clock.boottime()
        if watch.foreign and not inspect.iscoroutinefunction(monitor.check):
            return asyncio.to_thread(monitor.check, now)  # type: ignore[arg-type]
        return monitor.check(now)

    async def _wait(self, watch: Watch, answer: Awaitable[Reading]) -> None:
        limit = watch.config.time_limit
        try:
            reading = await asyncio.wait_for(answer, limit)
        except TimeoutError:
            remedy = f"find out why, or raise time_limit in [monitor.{watch.config.name}]"
            reading = self._failed(watch.config.name, f"gave no answer within {limit:g}s", remedy)
        except Exception as error:
            reading = self._failed(watch.config.name, _sentence(error), _remedy(error))
        self._hear(reading)

    def kinds(self) -> Mapping[str, bool]:
        """Name of each monitor, and whether an event tells of its activity."""
        return {name: watch.events for name, watch in self.watches.items()}

    def close(self) -> None:
        """Give back every source."""
        for task in [*self.looks, *(w.pending for w in self.watches.values() if w.pending)]:
            task.cancel()
        for watch in self.watches.values():
            if watch.monitor is not None:
                watch.monitor.close()
        self.watches = {}


def _sentence(error: Exception) -> str:
    if isinstance(error, UnavailableError):
        return error.availability.detail
    return str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"


def _remedy(error: Exception) -> str:
    return error.availability.remedy if isinstance(error, UnavailableError) else ""
