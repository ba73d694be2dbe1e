"""One look at this machine without a daemon: each monitor and action, whether it can work here and what it sees now."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from powernap import actions, monitors
from powernap.config.kinds import ACTIONS, MONITORS
from powernap.config.model import ActionConfig, Config, MonitorConfig
from powernap.core.reading import Reading
from powernap.host.availability import Availability, UnavailableError, unavailable
from powernap.host.host import Host


class DeafEars:
    """Hears nothing: a glance is over before anything could happen."""

    def listen(self, fd: int, heard: Callable[[], None], *, priority: bool = False) -> None:
        """Nothing."""

    def ignore(self, fd: int) -> None:
        """Nothing."""

    def later(self, delay: float, do: Callable[[], None]) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Seen:
    """One monitor: can it work, by which source, and what it answered (``None`` where it could not be asked)."""

    config: MonitorConfig
    answer: Availability
    source: str = ""
    events: bool = True
    reading: Reading | None = None


def look(host: Host, configs: Iterable[MonitorConfig]) -> list[Seen]:
    """Open each monitor, ask it once, close it. A monitor that would take its time (a program, a server) is only probed."""
    return [_look(host, config) for config in configs]


def _look(host: Host, config: MonitorConfig) -> Seen:
    module: monitors.MonitorModule = MONITORS.module(config.type)
    answer = probe(module, host, config)
    if not answer:
        return Seen(config, answer)
    try:
        monitor = module.open(monitors.Context(config.name, host, lambda _: None), config.options)
    except UnavailableError as error:
        return Seen(config, error.availability)
    except Exception as error:
        return Seen(config, unavailable(f"cannot be opened: {error}"))
    source, events = str(getattr(monitor, "source", "")), bool(getattr(monitor, "events", module.EVENTS))
    try:
        return Seen(config, answer, source, events, _ask(monitor, host))
    except UnavailableError as error:
        return Seen(config, error.availability)
    except Exception as error:
        return Seen(config, unavailable(f"cannot answer: {error}"))
    finally:
        monitor.close()


def _ask(monitor: monitors.Monitor, host: Host) -> Reading | None:
    if inspect.iscoroutinefunction(monitor.check):
        return None
    reading = monitor.check(host.clock.boottime())
    return reading if isinstance(reading, Reading) else None


def probe(
    module: monitors.MonitorModule | actions.ActionModule, host: Host, config: MonitorConfig | ActionConfig
) -> Availability:
    """Whether it can work here; a probe that breaks says so instead of ending the report."""
    try:
        return module.probe(host, config.options)
    except Exception as error:
        return unavailable(f"{type(error).__name__}: {error}", "please report this with `powernap snapshot`")


def available_actions(host: Host, config: Config) -> list[tuple[ActionConfig, Availability]]:
    """Every action that is configured, and every other built-in one that needs no options."""
    configs = dict(config.actions)
    taken = {found.type for found in configs.values()}
    for kind in actions.kinds():
        if kind not in taken:
            options = actions.find(kind).Options
            configs[kind] = ActionConfig(kind, kind, options())
    return [(found, probe(ACTIONS.module(found.type), host, found)) for found in configs.values()]
