"""What the core commands, carried out: one function for each command, and their table.

Owns the order of effects within one command. What takes time is a task of the node's, and its end is an event for the core.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from powernap.core import commands as ask
from powernap.core import events as ev
from powernap.core.units import show_duration
from powernap.daemon.defects import named
from powernap.daemon.lookout import Scope
from powernap.sleep.failure import SleepError

if TYPE_CHECKING:
    from powernap.daemon.node import Node


def perform_all(node: Node, commands: list[ask.Command]) -> None:
    """Restoring begins before anything is said: a line in the journal can wait, a user cannot."""
    for command in sorted(commands, key=lambda c: not isinstance(c, ask.Restore | ask.CancelSleep)):
        PERFORM[type(command)](node, command)


def look(node: Node, command: ask.Look) -> None:
    """Ask the monitors."""
    if command.sleep:
        node.spawn(_look_before_sleep(node, command))
    else:
        node.lookout.look(command.serial, Scope.EVENTLESS if command.eventless else Scope.ALL)


async def _look_before_sleep(node: Node, command: ask.Look) -> None:
    """First whether the machine may sleep at all, so that what the monitors say is as fresh as it can be."""
    refusal = await node.night.refusal(command.sleep, by_hand=command.by_hand)
    node.lookout.look(command.serial, Scope.ALL, refusal)


def set_timer(node: Node, command: ask.SetTimer) -> None:
    """The one timer."""
    node.alarm.set(command.at)


def apply(node: Node, command: ask.Apply) -> None:
    """Change what a stage changes."""
    if node.telling is not None:
        node.telling.came()
    node.hands.ready()
    node.spawn(_applying(node, command))


async def _applying(node: Node, command: ask.Apply) -> None:
    failed: tuple[ev.Failure, ...] = ()
    if node.acting:
        try:
            if command.actions:
                await node.night.guard()
            failed = await node.hands.apply(command.stage, command.actions)
        except Exception as error:
            # Whatever was changed is in the ledger, and is put back with the stage.
            node.defects.say(f"applying {command.stage}", error)
            failed = tuple(ev.Failure(name, named(error)) for name in command.actions)
    node.feed(ev.Applied(node.host.clock.boottime(), command.serial, failed))


def restore(node: Node, command: ask.Restore) -> None:
    """Put everything back."""
    node.hands.stop()
    node.spawn(_restoring(node, command))
    if node.telling is not None:
        node.telling.over()


async def _restoring(node: Node, command: ask.Restore) -> None:
    failed = await node.put_back()
    node.feed(ev.Restored(node.host.clock.boottime(), command.serial, failed))


def sleep(node: Node, command: ask.Sleep) -> None:
    """Put the machine to sleep; while only watching, say so."""
    if node.acting:
        if node.telling is not None:
            node.telling.going = True
        node.night.ready()
        node.spawn(_falling_asleep(node, command))
    else:
        node.feed(ev.Pretended(node.host.clock.boottime(), command.serial))


async def _falling_asleep(node: Node, command: ask.Sleep) -> None:
    reason, wanted = "", False
    try:
        await node.night.enter(command.state, lambda: node.put_back(command.keep), by_hand=command.by_hand)
    except SleepError as error:
        reason, wanted = str(error), error.wanted
    except Exception as error:
        node.defects.say(f"going to {command.state}", error)
        reason = named(error)
    # It may have slept all the same; then that is what counts.
    node.resumes.look()
    await node.night.stand_guard()
    if reason:
        if node.telling is not None:
            node.telling.refused()
        node.feed(ev.SleepFailed(node.host.clock.boottime(), command.serial, reason, wanted))
    elif node.state.asleep == command.serial:
        node.resumes.tell(0.0)  # too short for the clocks to tell


def cancel_sleep(node: Node, _command: ask.CancelSleep) -> None:
    """Somebody came."""
    node.night.cancel()


def warn(node: Node, command: ask.Warn) -> None:
    """Tell users what is coming."""
    left = show_duration(round(command.at - node.host.clock.boottime(), 1))
    node.voice.say("warned", command.stage, left)
    if not node.acting:
        return
    if node.telling is None:
        from powernap.daemon.telling import Telling  # noqa: PLC0415 - only where users are warned

        node.telling = Telling(node)
    node.telling.warn(command.stage, command.at)


def unwarn(node: Node, command: ask.Unwarn) -> None:
    """Tell them that it does not come."""
    node.voice.say("unwarned", command.stage)
    if node.telling is not None:
        node.telling.unwarn()


def tell(node: Node, command: ask.Tell) -> None:
    """An entry for the history."""
    node.tell(command.what, command.stage, command.detail, command.blockers)


PERFORM: dict[type, Callable[[Node, Any], None]] = {
    ask.Look: look,
    ask.Apply: apply,
    ask.Restore: restore,
    ask.Sleep: sleep,
    ask.CancelSleep: cancel_sleep,
    ask.SetTimer: set_timer,
    ask.Warn: warn,
    ask.Unwarn: unwarn,
    ask.Tell: tell,
}
