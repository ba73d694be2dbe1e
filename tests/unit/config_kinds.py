"""Small types of monitors and actions for the tests of the configuration: one option of every sort."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from powernap.config.kinds import Kinds
from powernap.core.options import option


def wrong_port(port: int) -> str | None:
    """A check."""
    return None if 1 <= port <= 65535 else f"{port} is not a port; write 1 to 65535"


def explode(value: str) -> str | None:
    """A check with a bug."""
    raise RuntimeError("a bug of this check")


@dataclass(frozen=True)
class Tcp:
    port: int = option(help="The port.", example="22", check=wrong_port)
    direction: str = option("in", help="Whose port.", choices=("in", "out", "any"))
    peers: tuple[str, ...] = option((), help="Peers.", example='["10.0.0.1"]')


@dataclass(frozen=True)
class Load:
    threshold: float = option(0.5, help="The load.", example="0.5")
    window: float | None = option(None, help="The time.", unit="duration", example="1min")


@dataclass(frozen=True)
class Disk:
    above: float = option(1024.0, help="The rate.", unit="byte_rate")
    size: float = option(1024.0, help="The size.", unit="size")
    share: float = option(0.5, help="The share.", unit="ratio")
    device: str | None = option(None, help="The device.", unit="path", example="/dev/sda")
    names: tuple[str, ...] = option(("sda",), help="Names.", example='["sda"]')
    numbers: tuple[int, ...] = option((1,), help="Numbers.", example="[1, 2]")
    exact: bool = option(False, help="Exactly.")


@dataclass(frozen=True)
class Process:
    program: str = option("", help="The program.", example="rsync")
    regex: str = option("", help="The command line.", unit="regex", example="backup")
    strange: str = option("", help="Its check fails.", check=explode)

    def __post_init__(self) -> None:
        if bool(self.program) == bool(self.regex):
            raise ValueError("give one of the two; write program = \"NAME\" or regex = 'PATTERN'")


@dataclass(frozen=True)
class Plain:
    """No option at all."""


@dataclass(frozen=True)
class CpuClock:
    governor: str = option("powersave", help="The governor.", choices=("powersave", "schedutil"))


@dataclass(frozen=True)
class Units:
    stop: tuple[str, ...] = option(help="Units to stop.", example='["cups.service"]')


def registry(noun: str, types: dict[str, Any]) -> Kinds:
    """A registry of these types; a type whose Options is an exception does not load."""

    def load(kind: str) -> Any:
        found = types[kind]
        if isinstance(found, Exception):
            raise found
        return SimpleNamespace(
            Options=found, __doc__=f"The {noun} {kind}.\n\nMore.", EVENTS=True, RISK="safe"
        )

    return Kinds(noun, lambda: sorted(types), load, f"powernap.tests.{noun}s")


MONITORS = registry(
    "monitor",
    {
        "tcp": Tcp,
        "load": Load,
        "disk": Disk,
        "process": Process,
        "sessions": Plain,
        "crashed": ImportError("no module named foo"),
        "odd": None,
    },
)
ACTIONS = registry("action", {"cpu-clock": CpuClock, "cpu-park": Plain, "units": Units, "hooks": Plain})
