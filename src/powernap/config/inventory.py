"""What the inventory of other machines may say (``hosts.d``), and that inventory as it is used.

Each declaration is the one source of its validation, of ``powernap config explain`` and of the reference page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from powernap.config.model import ScheduleConfig
from powernap.config.problems import Problem
from powernap.core.options import option
from powernap.core.value import dataclass

PING = "ping"
CONFIRM = re.compile(r"tcp:(\d{1,5})", re.ASCII)


def port_of(confirm: str) -> int | None:
    """The TCP port of ``tcp:22``; ``None`` for ``ping``, and for what is neither."""
    found = CONFIRM.fullmatch(confirm)
    return int(found[1]) if found and 0 < int(found[1]) < 65536 else None


def _wrong_confirm(text: str) -> str | None:
    return None if text == PING or port_of(text) else f'"{text}" asks nothing; write "tcp:22" or "ping"'


def _positive(value: float) -> str | None:
    return None if value > 0 else "0 is not enough; write a longer time"


def _at_least_one(value: int) -> str | None:
    return None if value > 0 else f"{value} would wake nobody; write 1 or more"


@dataclass(frozen=True)
class Together:
    """How many machines are started together. These settings stand before the first section of a file in hosts.d."""

    at_once: int = option(
        4,
        help="No more machines than this are started within `apart`: all at once could trip a fuse.",
        example="4",
        check=_at_least_one,
    )
    apart: float = option(
        5.0,
        help="The time in which no more than `at_once` are started.",
        unit="duration",
        example="5s",
    )


@dataclass(frozen=True)
class Target:
    """Another machine, which this one wakes when its schedules need it. It stands in /etc/powernap/hosts.d/*.toml; with `[[host.NAME.wake]]` below
    it for each method, in the order in which they are tried, and `[host.NAME.schedule.X]` as for this machine.
    """

    address: str = option(
        help="Its name or IP address, by which is asked whether it is up.", example="web3.example.org"
    )
    confirm: str = option(
        "tcp:22",
        help='What tells that it is up: a TCP port at which it answers (also by refusing), or "ping".',
        example="tcp:22",
        check=_wrong_confirm,
    )
    boot: float = option(
        180.0,
        help="How long it takes at most until it is up: so much earlier it is woken, until that has been learned, and so long each method is tried.",
        unit="duration",
        example="3min",
        check=_positive,
    )
    enabled: bool = option(True, help="`false` leaves the machine out.", example="false")


@dataclass(frozen=True)
class Method:
    """Options that every method of waking has. The methods of a machine are tried in the order in which they stand."""

    type: str = option(help="What kind of waker it is.", example="magic-packet")


@dataclass(frozen=True)
class MethodConfig:
    """One method: its ``options`` are an instance of its type's ``Options``."""

    type: str
    options: Any


@dataclass(frozen=True)
class HostConfig:
    """One machine. :param methods: in order, at least one. :param schedules: the enabled ones."""

    name: str
    target: Target
    methods: tuple[MethodConfig, ...]
    schedules: Mapping[str, ScheduleConfig] = field(default_factory=dict)


@dataclass(frozen=True)
class Inventory:
    """An inventory without faults. :param hosts: the enabled ones. :param notes: worth saying, and harmless."""

    together: Together = field(default_factory=Together)
    hosts: Mapping[str, HostConfig] = field(default_factory=dict)
    notes: tuple[Problem, ...] = ()
    files: tuple[str, ...] = ()
