"""Applies actions and puts them back, through the ledger, off the loop: a knob that hangs delays neither the loop nor another action.

Each action runs in a thread of its own with a time limit. One that is applied too long, or while somebody comes, changes no further
value after the write in flight, and is put back as soon as that ends: by its own thread, and by every later restore until it holds.
A restore waits for no other action: what hangs is overtaken, and named.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any

from powernap.actions import find
from powernap.config.model import ActionConfig
from powernap.core.events import Failure
from powernap.core.value import dataclass
from powernap.daemon.aside import aside
from powernap.host.conflicts import conflicts
from powernap.host.host import Host
from powernap.host.ledger import ApplyError, Ledger, Performed, StoppedError
from powernap.host.ledger_entry import Result

PATIENCE = {"fast": 0.05, "slow": 1.0}
"""Seconds for which a restore is let go first before the next one begins beside it. Putting back in reverse order is the tidier way, and
costs nobody anything while each is quick: un-parking takes 4-8 ms, a processor's hotplug 67-77 ms (research/powersave-knobs.md)."""
SLOW_LIMIT = 120.0
"""Seconds for putting back an action of the slow lane: four disks that spin up one after another take 20 to 100 s."""
NAMED = 3
"""Refused values of one action that are named; the others are counted."""


@dataclass(frozen=True)
class Work:
    """One action's thread. ``stop`` asks it to change nothing more; ``done`` is set in the loop when it has ended."""

    stop: threading.Event = field(default_factory=threading.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Restored:
    """What became of one action: ``failure`` where its thread did not end well or in time."""

    results: tuple[Result, ...] = ()
    failure: str = ""

    @property
    def complete(self) -> bool:
        """Nothing of it is left changed."""
        return not self.failure and not any(result.left for result in self.results)


class Hands:
    """What changes the machine.

    :param ledger: ``None`` in watch mode: nothing is ever changed.
    :ivar busy: threads that run or hang, by action. :ivar refused: how many values an action had to leave when it was last applied.
    """

    def __init__(
        self, host: Host, ledger: Ledger | None, actions: Mapping[str, ActionConfig], limit: float
    ) -> None:
        self.host, self.ledger = host, ledger
        self.stopping = False
        self.busy: dict[str, Work] = {}
        self.left_out: dict[str, str] = {}
        self.refused: dict[str, int] = {}
        self.restoring: asyncio.Lock = asyncio.Lock()
        self.configure(actions, limit)

    def configure(self, actions: Mapping[str, ActionConfig], limit: float) -> None:
        """Actions by name, and seconds that each may take."""
        self.actions, self.limit = dict(actions), limit
        self.left_out = {name: why for name, why in self.left_out.items() if name in actions}

    def stop(self) -> None:
        """Cut short what is being applied: no further value is changed after the one in flight."""
        self.stopping = True
        for work in self.busy.values():
            work.stop.set()

    def ready(self) -> None:
        """A new stage is about to be applied. Said at once, so that a stop which comes before its task begins is not lost."""
        self.stopping = False

    # ------------------------------------------------------------ applying

    async def apply(self, stage: str, names: tuple[str, ...]) -> tuple[Failure, ...]:
        """Apply in this order; a failing action leaves the others applied. Returns early when stopped."""
        failed = []
        for name in names:
            if self.stopping:
                break
            failure = await self._apply(stage, name)
            if failure:
                failed.append(Failure(name, failure))
        return tuple(failed)

    async def _apply(self, stage: str, name: str) -> str:
        """Why it failed, or nothing."""
        if self.ledger is None:
            return "only root may change the machine; run powernapd as root"
        if name in self.busy:
            return "an earlier attempt still hangs"
        if name not in self.actions:
            return "it is no longer configured"
        ledger, config = self.ledger, self.actions[name]
        try:
            why = await self._in_thread(
                name, lambda stop: self._carry_out(ledger, config, stage, stop), self.limit
            )
        except StoppedError:
            return ""
        except TimeoutError as error:
            return f"{error}; it is put back as soon as it ends"
        except ApplyError as error:
            return str(error)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        self.left_out.pop(name, None)
        if why:
            self.left_out[name] = why
        return ""

    def _carry_out(self, ledger: Ledger, config: ActionConfig, stage: str, stop: threading.Event) -> str:
        """Look, then change; what was left out and why. In the action's thread: probes that look at all threads take 18 ms."""
        module = find(config.type)
        self.refused[config.name] = 0
        answer = module.probe(self.host, config.options)
        if not answer:
            # Not a failure that a retry could mend: the machine has no such thing, or it is so already.
            return answer.detail + (f"; {answer.remedy}" if answer.remedy else "")
        done = ledger.perform(config.name, stage, module.plan(self.host, config.options), stop)
        self.refused[config.name] = len(done.refused)
        return "; ".join(filter(None, [answer.left_out, refusals(done)]))

    # ------------------------------------------------------------ restoring

    async def restore(self, keep: tuple[str, ...] = ()) -> tuple[tuple[Failure, ...], tuple[str, ...]]:
        """Put everything back but the actions to ``keep``, the one applied last first: what failed, and what was left because somebody
        else changed it.
        """
        if self.ledger is None:
            return (), ()
        async with self.restoring:
            # Fast actions first: the user who just came waits for the processor, not for a disk.
            applied = dict.fromkeys([*self.busy, *self.ledger.actions()])
            names = sorted((name for name in applied if name not in keep), key=self._slow)
            first = await self._in_turn(names)
            # Another action may have been in the way: the clocks of a processor come back only once it is online again.
            again = [name for name in names if not first[name].complete and name not in self.busy]
            second = await self._in_turn(again) if len(names) > 1 else {}
        failed = [Failure(name, why) for name in names for why in failures(second.get(name, first[name]))]
        kept = [
            f"{result.target}: {result.detail}"
            for restored in (*first.values(), *second.values())
            for result in restored.results
            if result.outcome == "foreign"
        ]
        return tuple(failed), tuple(kept)

    async def _in_turn(self, names: Iterable[str]) -> dict[str, Restored]:
        """Start one after the other; one that takes longer than its lane's patience is overtaken, one that is still applied at once."""
        tasks: dict[str, asyncio.Task[Restored]] = {}
        for name in names:
            patience = 0.0 if name in self.busy else PATIENCE["slow" if self._slow(name) else "fast"]
            tasks[name] = asyncio.ensure_future(self._restore(name))
            await asyncio.wait([tasks[name]], timeout=patience)
        return {name: await task for name, task in tasks.items()}

    def _slow(self, name: str) -> bool:
        """Its lane. What an earlier life left may no longer be configured; then it is mostly named as its kind."""
        config = self.actions.get(name)
        try:
            return find(config.type if config else name).LANE == "slow"
        except KeyError:
            return False

    async def _restore(self, name: str) -> Restored:
        assert self.ledger is not None
        ledger = self.ledger
        if name in self.busy:
            # Asked to stop, it ends after the write in flight, in milliseconds as a rule, and puts itself back; or that write hangs.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.busy[name].done.wait(), self.limit)
            if name in self.busy:
                return Restored(failure=f"a change of it still hangs after {self.limit:g}s")
        limit = max(self.limit, SLOW_LIMIT) if self._slow(name) else self.limit
        try:
            return Restored(tuple(await self._in_thread(name, lambda _: ledger.restore(name), limit)))
        except TimeoutError as error:
            return Restored(failure=str(error))
        except Exception as error:
            return Restored(failure=f"{type(error).__name__}: {error}")

    # ------------------------------------------------------------ threads

    async def _in_thread(self, name: str, work: Callable[[threading.Event], Any], limit: float) -> Any:
        """The work's result. ``TimeoutError`` after the limit: it is asked to stop, and is ``busy`` until it has.

        The process ends without waiting for it, and the ledger knows the rest.
        """
        this = Work()

        def ended(_outcome: asyncio.Future[Any]) -> None:
            self.busy.pop(name, None)
            this.done.set()

        outcome = aside(lambda: work(this.stop), name)
        outcome.add_done_callback(ended)
        self.busy[name] = this
        try:
            await asyncio.wait_for(this.done.wait(), limit)
        except TimeoutError:
            this.stop.set()
            raise TimeoutError(f"took longer than {limit:g}s") from None
        return outcome.result()

    # ------------------------------------------------------------ for status

    def skipped(self) -> list[dict[str, str]]:
        """What was left out when a stage was last entered, and why: actions with nothing to do, and values that were refused."""
        return [{"action": name, "reason": reason} for name, reason in self.left_out.items()]

    def changed(self) -> list[dict[str, Any]]:
        """What is changed now, newest first."""
        entries = self.ledger.live() if self.ledger else []
        return [
            {
                "action": e.action,
                "stage": e.stage,
                "target": e.change.target,
                "old": e.old,
                "new": e.change.new,
            }
            for e in entries
            if e.change.new is not None
        ]

    def conflicts(self) -> list[dict[str, str]]:
        """Other tools that own knobs of the configured actions."""
        used = {config.type for config in self.actions.values()}
        used |= {"interrupts"} if "cpu-park" in used else set()
        return [
            {
                "tool": found.tool.name,
                "evidence": found.evidence,
                "owns": ", ".join(sorted(used & {*found.tool.owns})),
                "remedy": found.tool.advice,
            }
            for found in conflicts(self.host.files)
            if used & {*found.tool.owns}
        ]


def refusals(performed: Performed) -> str:
    """The optional changes that were passed over, in a sentence; empty when there were none."""
    named = "; ".join(str(error) for error in performed.refused[:NAMED])
    more = len(performed.refused) - NAMED
    return (
        f"{named}; and {more} more; the rest is applied"
        if more > 0
        else named and f"{named}; the rest is applied"
    )


def failures(restored: Restored) -> list[str]:
    """Why an action is not wholly put back. What is not there now is no failure: it waits for its return."""
    found = [f"{result.target}: {result.detail}" for result in restored.results if result.outcome == "failed"]
    return [*found, restored.failure] if restored.failure else found
