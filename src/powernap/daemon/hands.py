"""Applies actions and puts them back, through the ledger, off the loop: a knob that hangs delays neither the loop nor another action.

Each action runs in a thread of its own with a time limit. An action whose apply still hangs is not restored under its feet: its
restore waits for it, the others' do not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from powernap.actions import ActionModule, find
from powernap.config.model import ActionConfig
from powernap.core.events import Failure
from powernap.host.conflicts import conflicts
from powernap.host.host import Host
from powernap.host.knobs import Change
from powernap.host.ledger import ApplyError, Ledger
from powernap.host.ledger_entry import Result


class StoppedError(Exception):
    """Somebody came while an action was being applied."""


class Hands:
    """What changes the machine.

    :param ledger: ``None`` in watch mode: nothing is ever changed.
    """

    def __init__(
        self, host: Host, ledger: Ledger | None, actions: Mapping[str, ActionConfig], limit: float
    ) -> None:
        self.host, self.ledger = host, ledger
        self.stopping = threading.Event()
        self.busy: dict[str, asyncio.Future[Any]] = {}
        self.left_out: dict[str, str] = {}
        self.restoring: asyncio.Lock = asyncio.Lock()
        self.configure(actions, limit)

    def configure(self, actions: Mapping[str, ActionConfig], limit: float) -> None:
        """Actions by name, and seconds that each may take."""
        self.actions, self.limit = dict(actions), limit

    def stop(self) -> None:
        """Cut short what is being applied: no further value is changed after the one in flight."""
        self.stopping.set()

    def ready(self) -> None:
        """A new stage is about to be applied. Said at once, so that a stop which comes before its task begins is not lost."""
        self.stopping.clear()

    async def apply(self, stage: str, names: tuple[str, ...]) -> tuple[Failure, ...]:
        """Apply in this order; a failing action leaves the others applied. Returns early when stopped."""
        failed = []
        for name in names:
            if self.stopping.is_set():
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
        config = self.actions[name]
        try:
            module = find(config.type)
            answer = module.probe(self.host, config.options)
            if not answer:
                # Not a failure that a retry could mend: the machine has no such thing, or it is so already.
                self.left_out[name] = answer.detail + (f"; {answer.remedy}" if answer.remedy else "")
                return ""
            self.left_out.pop(name, None)
            ledger = self.ledger
            await self._in_thread(name, lambda: self._perform(ledger, module, config, stage))
        except StoppedError:
            return ""
        except TimeoutError:
            return f"took longer than {self.limit:g}s"
        except ApplyError as error:
            return str(error)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def _perform(self, ledger: Ledger, module: ActionModule, config: ActionConfig, stage: str) -> None:
        ledger.perform(config.name, stage, self._until_stopped(module.plan(self.host, config.options)))

    def _until_stopped(self, plan: Iterator[Change]) -> Iterator[Change]:
        for change in plan:
            if self.stopping.is_set():
                raise StoppedError
            yield change

    async def _in_thread(self, name: str, work: Any) -> Any:
        """The work's result, within the limit; what hangs is remembered until it ends."""
        future = asyncio.get_running_loop().run_in_executor(None, work)
        self.busy[name] = future
        future.add_done_callback(
            lambda done: (self.busy.pop(name, None), done.cancelled() or done.exception())
        )
        return await asyncio.wait_for(asyncio.shield(future), self.limit)

    async def restore(self) -> tuple[tuple[Failure, ...], tuple[str, ...]]:
        """Put everything back, the action applied last first: what failed, and what was left because somebody else changed it."""
        if self.ledger is None:
            return (), ()
        async with self.restoring:
            failed: list[Failure] = []
            kept: list[str] = []
            # Fast actions first: the user who just came waits for the processor, not for a disk.
            for name in sorted(self._to_restore(), key=self._lane):
                results, failure = await self._restore(name)
                kept += [
                    f"{result.target}: {result.detail}" for result in results if result.outcome == "foreign"
                ]
                failed += [
                    Failure(name, f"{result.target}: {result.detail}")
                    for result in results
                    if result.outcome == "failed"
                ]
                failed += [Failure(name, failure)] if failure else []
            return tuple(failed), tuple(kept)

    def _to_restore(self) -> list[str]:
        assert self.ledger is not None
        return list(dict.fromkeys([*self.ledger.actions(), *self.busy]))

    def _lane(self, name: str) -> bool:
        try:
            return find(self.actions[name].type).LANE == "slow"
        except KeyError:
            return False

    async def _restore(self, name: str) -> tuple[list[Result], str]:
        assert self.ledger is not None
        ledger = self.ledger
        if name in self.busy:
            # Its apply may be in the middle of one write; that one ends in milliseconds, or hangs.
            await asyncio.wait([self.busy[name]], timeout=min(1.0, self.limit))
            if name in self.busy:
                return [], "a change of it still hangs"
        try:
            return await self._in_thread(name, lambda: ledger.restore(name)), ""
        except TimeoutError:
            return [], f"took longer than {self.limit:g}s"
        except Exception as error:
            return [], f"{type(error).__name__}: {error}"

    # ------------------------------------------------------------ for status

    def skipped(self) -> list[dict[str, str]]:
        """Actions that found nothing to do when their stage was last entered, and why."""
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
