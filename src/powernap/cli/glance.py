"""One look at a machine without a daemon: each monitor and action, whether it can work here and what it sees now."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable
from dataclasses import dataclass

from powernap import actions, monitors
from powernap.config.kinds import ACTIONS, MONITORS, KindError
from powernap.config.model import ActionConfig, Config, MonitorConfig
from powernap.config.problems import meant
from powernap.core.reading import Reading
from powernap.daemon.loop_ears import LoopEars
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.files import TreeFiles
from powernap.host.host import Host

PROBED_ONLY = frozenset({"command"})
"""Kinds that a look would cost somebody something: an admin's program is run by the daemon, with its limits, and not for a report."""
TIME_LIMIT = 2.0
"""Seconds for a monitor that must wait for an answer (logind): the screen is for somebody who sits before it."""


@dataclass(frozen=True)
class Seen:
    """One monitor: can it work, by which source, and what it answered (``None`` where it was not asked)."""

    config: MonitorConfig
    answer: Availability
    source: str = ""
    events: bool = True
    reading: Reading | None = None


def look(configs: Iterable[MonitorConfig], root: str = "/") -> list[Seen]:
    """Open each monitor, ask it once, close it.

    :param root: the live machine, or the tree of a recorded one.
    """
    return asyncio.run(look_all(configs, root))


def recorded(root: str) -> Host:
    """A machine without ears: enough for probes, and for what is told by files."""
    return Host(files=TreeFiles(root), live=root == "/")


async def look_all(configs: Iterable[MonitorConfig], root: str = "/") -> list[Seen]:
    """The same, in a loop that runs already."""
    host = recorded(root)
    host.ears = LoopEars(asyncio.get_running_loop()) if host.live else None
    return [await look_at(host, config) for config in configs]


async def look_at(host: Host, config: MonitorConfig) -> Seen:
    """One monitor of one machine."""
    try:
        module: monitors.MonitorModule = MONITORS.module(config.type)
    except KindError as error:
        return Seen(config, unavailable(error.message, error.remedy))
    if config.type in PROBED_ONLY:
        return Seen(config, probe(module, host, config), events=module.EVENTS)
    try:
        # Opening refuses what probing would: not asked twice, since both may scan /proc (2,000 processes: 0.1 s each).
        monitor = module.open(monitors.Context(config.name, host, lambda _: None), config.options)
    except UnavailableError as error:
        return Seen(config, error.availability)
    except Exception as error:
        return Seen(config, unavailable(f"cannot be opened: {error}"))
    source, events = str(getattr(monitor, "source", "")), bool(getattr(monitor, "events", module.EVENTS))
    try:
        return Seen(config, available(source), source, events, await _ask(monitor, host))
    except UnavailableError as error:
        return Seen(config, error.availability)
    except TimeoutError:
        return Seen(config, unavailable(f"gave no answer within {TIME_LIMIT:g}s"))
    except Exception as error:
        return Seen(config, unavailable(f"cannot answer: {error}"))
    finally:
        monitor.close()


async def _ask(monitor: monitors.Monitor, host: Host) -> Reading:
    answer = monitor.check(host.clock.boottime())
    return await asyncio.wait_for(answer, TIME_LIMIT) if inspect.isawaitable(answer) else answer


def probe(
    module: monitors.MonitorModule | actions.ActionModule, host: Host, config: MonitorConfig | ActionConfig
) -> Availability:
    """Whether it can work here; a probe that breaks says so instead of ending the report."""
    try:
        return module.probe(host, config.options)
    except Exception as error:
        return unavailable(f"{type(error).__name__}: {error}", "please report this with `powernap snapshot`")


class UnknownActionError(Exception):
    """No such action, or one that cannot be used as it is."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


def config_of(config: Config, name: str) -> ActionConfig:
    """A configured action, or a kind with its default options. ``UnknownActionError``."""
    if name in config.actions:
        return config.actions[name]
    try:
        return ActionConfig(name, name, actions.find(name).Options())
    except KeyError:
        known = sorted({*config.actions, *actions.kinds()})
        raise UnknownActionError(
            f'there is no action "{name}"', meant(name, known, otherwise="the actions are")
        ) from None
    except TypeError:
        raise UnknownActionError(
            f'the action "{name}" needs options', f"configure it first: [action.{name}]"
        ) from None


def available_actions(
    host: Host, config: Config, names: Iterable[str] = ()
) -> list[tuple[ActionConfig, Availability]]:
    """The actions of these names; without any, every one that is configured and every other built-in one."""
    chosen = [config_of(config, name) for name in dict.fromkeys(names)] or all_actions(config)
    return [(found, probe(ACTIONS.module(found.type), host, found)) for found in chosen]


def all_actions(config: Config) -> list[ActionConfig]:
    """Those that are configured, and the built-in ones of all other kinds."""
    taken = {found.type for found in config.actions.values()}
    others = [kind for kind in actions.kinds() if kind not in taken]
    return [*config.actions.values(), *(config_of(config, kind) for kind in others)]
