"""Users told of what is announced, and that it does not come after all: in all ways at once, aside, and never twice at the same time in one.

Owns what stands, when it is said again, and what became of each way. What is said is telling_words.py's, how is telling_ways.py's and
telling_desktop.py's. The core decides what is announced, and waits for none of this: a way that hangs, fails or is missing changes nothing of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from powernap.core.plan import OFF_STAGE
from powernap.daemon import postponing
from powernap.daemon.answers import clean
from powernap.daemon.defects import named
from powernap.daemon.telling_ways import TellingError, at_terminals, by_command, by_logind
from powernap.daemon.telling_words import Coming, Said
from powernap.host.programs import ProgramError
from powernap.sleep.states import OFF

if TYPE_CHECKING:
    from powernap.daemon.node import Node
    from powernap.host.host import Host

LIMIT = 40.0
"""Seconds for one way; each has a shorter one of its own, in which it ends what it began."""
CLOSING = 3.0
"""Seconds for what must be said, and not be left behind, when the daemon ends."""
DOWN = 2.5
"""Seconds in which it must be known whether the whole system goes down."""
ENDED = "powernapd was stopped"
AGAIN = 60.0
"""Seconds before it comes, at least, at which it is said again: of 10 min the last one, of an hour the last six."""
KEYS = frozenset({"input", "terminals", "sessions"})
"""Monitors that hear of somebody who presses a key."""
Way = Callable[["Host", Said, dict[str, Any]], Awaitable[None]]


async def on_desktops(host: Host, said: Said, kept: dict[str, Any]) -> None:
    """As in telling_desktop.py, which is loaded when first somebody is to be told so."""
    from powernap.daemon import telling_desktop  # noqa: PLC0415

    await telling_desktop.on_desktops(host, said, kept)


WAYS: dict[str, Way] = {
    "terminals": at_terminals,
    "desktop": on_desktops,
    "logind": by_logind,
    "command": by_command,
}


class Telling:
    """What users were told of. Made when first they are.

    :param known: the ways that there are, by name.
    :ivar stands: the stage that is announced, and its instant (``CLOCK_BOOTTIME``); ``None``: nobody waits for anything.
    :ivar entered: that stage has come. :ivar going: its sleep was asked for. :ivar left: a power-off that was left while it was
        asked for, which may come all the same.
    :ivar failing: the ways that failed last, so that each is told of once. :ivar under_way: what is being told.
    """

    def __init__(self, node: Node, known: Mapping[str, Way] = WAYS) -> None:
        self.node, self.known = node, known
        self.stands: tuple[str, float] | None = None
        self.entered = self.going = False
        self.left: tuple[str, float] | None = None
        self.ways: tuple[str, ...] = ()
        self.kept: dict[str, dict[str, Any]] = {name: {} for name in known}
        self.turns = {name: asyncio.Lock() for name in known}
        self.failing: set[str] = set()
        self.under_way: set[asyncio.Future[None]] = set()
        self.timer: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------ as the core says

    def warn(self, stage: str, at: float) -> None:
        """A stage comes then. It is said again when a tenth of the time is left, if that is worth it."""
        self._stop_timer()
        self.stands, self.entered = (stage, at), False
        self.going, self.left = False, None
        self.ways = self.node.config.warn.by
        self.kept["command"]["command"] = self.node.config.warn.command
        left = at - self.node.host.clock.boottime()
        again = max(AGAIN, left / 10)
        if left >= 2 * again - 1:  # "2min" have begun to pass
            self.timer = self.node.loop.call_later(left - again, self._again)
        self._tell("warn")

    def _again(self) -> None:
        """Unless the time went on without us, in a sleep of somebody else's."""
        self.timer = None
        if self.stands is not None and self.stands[1] > self.node.host.clock.boottime():
            self._tell("warn")

    def unwarn(self) -> None:
        """It does not come; whose doing that is, where it is somebody's."""
        if self.stands is not None:
            self._tell("unwarn", self._whose())
            self._forget()

    def came(self) -> None:
        """It has come: nothing is said of it again."""
        self._stop_timer()
        self.entered, self.going = True, False

    def over(self) -> None:
        """What came is over. Nobody need be told, but nothing is left behind. Only a power-off that nobody has been asked for, or that was refused,
        does not come after all.
        """
        if self.stands is not None and self.entered:
            off = self._coming(*self.stands).sleep == OFF
            self.left = self.stands if off and self.going else None
            self._tell(*("unwarn", self._whose()) if off and not self.going else ("over",))
            self._forget()

    def refused(self) -> None:
        """The sleep that was asked for does not come; of what was left before that was known, users are told now."""
        self.going = False
        if self.left is not None and self.stands is None:
            self.stands = self.left
            self.unwarn()
        self.left = None

    async def close(self, limit: float = CLOSING) -> None:
        """The daemon ends: users are told that what stands does not come, and nothing is left behind. Nobody waits long for that, nor at all
        while the machine is going off as announced.
        """
        self._stop_timer()
        self.failing.update(self.known)  # too late to tell of
        if self.stands is not None:
            off = self._coming(*self.stands).sleep == OFF
            if off and self.going:
                limit = 0.0
            else:
                quietly = (self.entered and not off) or await self._system_ends()
                self._tell(*("over",) if quietly else ("unwarn", ENDED))
        self._forget()
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=limit)
        for each in self.under_way:
            each.cancel()
        await asyncio.gather(*self.under_way, return_exceptions=True)

    async def _system_ends(self) -> bool:
        """It stays up for nobody then."""
        from powernap.daemon.aside import aside  # noqa: PLC0415 - once, at the end
        from powernap.host.going_down import going_off  # noqa: PLC0415

        try:
            async with asyncio.timeout(DOWN):
                return bool(await aside(lambda: going_off(self.node.host.files), "going-off"))
        except (OSError, TimeoutError):
            return False

    def _forget(self) -> None:
        self._stop_timer()
        self.stands, self.entered = None, False

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    # ------------------------------------------------------------ each way

    def _tell(self, event: str, because: str = "") -> None:
        if self.stands is not None:
            said = Said(event, self._coming(*self.stands), because)
            for name in self.ways:
                task = asyncio.ensure_future(self._one(name, said))
                self.under_way.add(task)
                task.add_done_callback(self.under_way.discard)

    async def _one(self, name: str, said: Said) -> None:
        """In turn: what is taken back was said before."""
        why = ""
        async with self.turns[name]:
            try:
                async with asyncio.timeout(LIMIT):
                    await self.known[name](self.node.host, said, self.kept[name])
            except TimeoutError:
                why = f"not done within {LIMIT:g} s"
            except (TellingError, ProgramError) as error:
                why = str(error)
            except OSError as error:
                why = error.strerror or str(error)
            except Exception as error:
                why = named(error)
        if why and name not in self.failing:
            self.failing.add(name)
            self.node.tell("warn-failed", said.coming.stage, f"{name}: {clean(why)}")
        elif not why:
            self.failing.discard(name)

    # ------------------------------------------------------------ facts

    def _coming(self, stage: str, at: float) -> Coming:
        node, config = self.node, self.node.config
        boottime, wall = node.host.clock.boottime(), node.host.clock.wall()
        index = node.settings.index(stage)
        sleep = node.settings.stages[index].sleep if index is not None else None
        key = any(each.type in KEYS for each in config.monitors.values())
        left, schedule, postpone = max(0.0, at - boottime), "", 0.0
        plan = node.state.evidence.plan
        if stage == OFF_STAGE and node.agenda is not None:
            schedule = plan.off.name if plan.off is not None else "a schedule"
            key = key and config.off.in_use == "wait"
            due = postponing.due(node.agenda)
            postpone = postponing.left(config.off, due) if due is not None else 0.0
        shown = postponing.shown(wall + left, node.host)
        return Coming(
            os.uname().nodename, stage, sleep or "", wall + left, left, shown, schedule, key, postpone
        )

    def _whose(self) -> str:
        """Who keeps it up by an exception; empty where nobody does."""
        agenda = self.node.agenda
        if agenda is None or self.stands is None or self.stands[0] != OFF_STAGE:
            return ""
        clock = agenda.host.clock
        comes = clock.wall() + self.stands[1] - clock.boottime()
        # One that ends as what was announced comes is not what keeps it up now.
        extended = agenda.exceptions.extended
        found = [each for each in extended if each.start <= clock.wall() and each.end > comes + 1.0]
        if not found:
            return ""
        last = max(found, key=lambda each: each.end)
        did = "postponed it until" if last.postponed else "keeps it up until"
        until = postponing.shown(last.end, agenda.host)
        return f"{last.who} {did} {until}" + (f" ({last.why})" if last.why else "")
