"""A node in a test's own loop: monitors as plain classes, hands that only take notes, and every word it says kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

from loop_ears import until as until_true
from powernap.config.model import Config, MonitorConfig, Settings, Stage
from powernap.core.events import Failure
from powernap.core.reading import Reading
from powernap.daemon.hands import Hands as RealHands
from powernap.daemon.history import History
from powernap.daemon.loop_ears import LoopEars
from powernap.daemon.node import Node
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.journal import Journal

until = until_true


class Fake:
    """An opened monitor whose answers the test gives; ``tell`` is the context's."""

    def __init__(self, answer: Callable[[float], Any] = lambda now: Reading("", now)) -> None:
        self.answer = answer
        self.asked: list[float] = []
        self.closed = False
        self.context: Any = None
        self.events = True

    def check(self, now: float) -> Any:
        """What the test says."""
        self.asked.append(now)
        return self.answer(now)

    def close(self) -> None:
        """Noted."""
        self.closed = True

    def tell(self, **facts: Any) -> None:
        """The monitor heard something."""
        now = self.context.host.clock.boottime()
        self.context.tell(Reading(self.context.name, now, **facts))

    def module(self, *, ours: bool = True, opening: Callable[[], object] = lambda: None) -> Any:
        """The module that opens it; a foreign one's checks run in a thread. ``opening`` may raise."""

        def open_(context: Any, _options: Any) -> Fake:
            self.context = context
            opening()
            return self

        name = "powernap.monitors.fake" if ours else "somebody.else"
        return SimpleNamespace(__name__=name, EVENTS=self.events, open=open_)


class Hands:
    """Hands that only take notes: ``did`` is what they were asked, in order."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.changed_now: set[str] = set()
        self.fails: tuple[Failure, ...] = ()
        self.foreign: tuple[str, ...] = ()
        self.applying: Callable[[], Awaitable[object]] = _at_once
        self.restoring: Callable[[], Awaitable[object]] = _at_once
        self.stopped = False

    def configure(self, actions: Any, limit: float) -> None:
        """Noted."""
        self.did.append("configure")

    def stop(self) -> None:
        """As the real ones: nothing more is applied."""
        self.stopped = True

    def ready(self) -> None:
        """A stage is about to be applied."""
        self.stopped = False

    async def apply(self, stage: str, names: tuple[str, ...]) -> tuple[Failure, ...]:
        """One after the other, until stopped."""
        self.did.append(f"apply {stage}")
        for name in names:
            if self.stopped:
                break
            await self.applying()
            self.changed_now.add(name)
        return self.fails

    async def restore(self, keep: tuple[str, ...] = ()) -> tuple[tuple[Failure, ...], tuple[str, ...]]:
        """All of it, but what is to be kept."""
        self.did.append(f"restore all but {' '.join(keep)}" if keep else "restore")
        await self.restoring()
        self.changed_now &= {*keep}
        return self.fails, self.foreign

    def changed(self) -> list[dict[str, Any]]:
        """For ``status``."""
        return [{"action": name} for name in self.changed_now]

    def skipped(self) -> list[dict[str, str]]:
        """Nothing."""
        return []

    def conflicts(self) -> list[dict[str, str]]:
        """None."""
        return []


async def _at_once() -> None:
    pass


class Night:
    """A night that only takes notes; ``sleeping`` is what happens between falling asleep and being back."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.why_not = ""
        self.cancelled = True
        self.sleeping: Callable[[], Awaitable[object]] = _at_once
        self.woke = ""
        self.rang: float | None = None
        self.alarm = SimpleNamespace(ahead=None)

    async def refusal(self, state: str, *, by_hand: bool = False) -> str:
        """What the test says."""
        self.did.append(f"may it {state}{' by hand' * by_hand}?")
        return self.why_not

    def ready(self) -> None:
        """What was cancelled before means nothing now."""
        self.cancelled = False

    async def enter(
        self, state: str, put_back: Callable[[], Awaitable[tuple[Failure, ...]]], *, by_hand: bool = False
    ) -> None:
        """Puts back, and does what the test says."""
        await put_back()
        self.did.append(f"{state}{' by hand' * by_hand}")
        await self.sleeping()

    def cancel(self) -> None:
        """Noted."""
        self.did.append("cancel")
        self.cancelled = True

    async def guard(self) -> None:
        """Noted."""
        self.did.append("guard")

    async def stand_guard(self) -> None:
        """Not noted: it comes after each look at the schedules."""

    def unguard(self, *, waiting: bool = False) -> None:
        """Noted."""
        self.did.append("unguard")

    def woken_by(self) -> str:
        """What the test says."""
        return self.woke

    def close(self, *, ending: bool = True) -> None:
        """Noted."""
        self.did.append("close")


class Words(Journal):
    """A journal that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def log(self, message: str, priority: int = 6, **fields: str) -> None:
        """Keep it."""
        self.lines.append(message)


def config(
    *names: str,
    after: float = 0.05,
    mode: str = "act",
    stages: tuple[Stage, ...] | None = None,
    settings: dict[str, Any] | None = None,
    **common: Any,
) -> Config:
    """One stage and monitors of these names, each of a type of its own name."""
    ladder = (Stage("ease", after, 0.0, ("quiet",)),) if stages is None else stages
    return Config(
        Settings(mode=mode, **(settings or {})),
        ladder,
        {name: MonitorConfig(name, name, None, **common) for name in names},
        files=("test.toml",),
    )


class Keeper:
    """A node with everything around it. Make it in a coroutine, close it with ``await keeper.end()``."""

    def __init__(
        self, fakes: dict[str, Any] | None = None, given: Config | None = None, clock: Any = None
    ) -> None:
        self.fakes = fakes if fakes is not None else {"work": Fake()}
        self.hands, self.words, self.gave_up = Hands(), Words(), asyncio.Event()
        # No files: a warning must not reach the terminals of whoever runs the tests.
        self.host = Host(TreeFiles("/nonexistent"), ears=LoopEars(asyncio.get_running_loop()))
        if clock is not None:
            self.host.clock = clock
        self.node = Node(
            self.host,
            given or config(*self.fakes),
            cast("RealHands", self.hands),
            self.load,
            self.words,
            History(),
        )
        self.node.gave_up = self.gave_up.set
        self.night = Night()
        self.node.nightfall = lambda: self.night  # type: ignore[method-assign,assignment,return-value]

    def load(self, kind: str) -> Any:
        """The module of a fake; whatever else stands there is the module itself."""
        fake = self.fakes[kind]
        return fake.module() if isinstance(fake, Fake) else fake

    @property
    def phase(self) -> str:
        """Of the core."""
        return self.node.state.phase.value

    def said(self, what: str) -> list[dict[str, Any]]:
        """The history's entries of this kind."""
        return [entry for entry in self.node.voice.history.entries if entry["event"] == what]

    async def reach(self, phase: str) -> None:
        """Serve the loop until then."""
        await until(lambda: self.phase == phase)

    async def end(self) -> None:
        """Stop, once."""
        if not self.node.stopping:
            await self.node.stop()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """In a loop of its own, in debug mode; a test that takes 10 s has failed."""

    async def bounded() -> Any:
        async with asyncio.timeout(10):
            return await work

    return asyncio.run(bounded(), debug=True)


def kept(
    given: dict[str, Any] | None = None, conf: Config | None = None, *, begin: bool = True
) -> Callable[[Callable[[Keeper], Coroutine[Any, Any, None]]], Callable[[], None]]:
    """Decorates a coroutine of one argument as a test with a keeper that has begun."""

    def decorate(test: Callable[[Keeper], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        def claim() -> None:
            async def work() -> None:
                keeper = Keeper(given, conf)
                try:
                    if begin:
                        keeper.node.begin()
                    await test(keeper)
                finally:
                    await keeper.end()

            run(work())

        claim.__doc__, claim.__name__ = test.__doc__, test.__name__
        return claim

    return decorate
