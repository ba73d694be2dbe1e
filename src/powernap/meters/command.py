"""A program of the admin's that prints the watts: for a PDU, a UPS, a controller or anything else that has a tool of its own.

It is started for each reading, directly and never through a shell, and prints the watts as the first number of its output ("142.5", "142.5 W").
Used by `powernap measure` only; it must answer within the time limit.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
from typing import TYPE_CHECKING

from powernap.core.energy import Sample
from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.systemctl import run

if TYPE_CHECKING:
    from powernap.host.host import Host

SCOPE = "wall"
LOCAL = False
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def _seconds(value: float) -> str | None:
    return None if 0 < value <= 3600 else "must be more than 0, and at most an hour"


@dataclass(frozen=True)
class Options:
    """What to start."""

    program: str = option(
        help="The program and its arguments, as words.", example="/usr/local/bin/pdu-watts outlet7"
    )
    interval: float = option(
        1.0, unit="duration", example="10s", check=_seconds, help="How long lies between two readings."
    )
    limit: float = option(
        10.0, unit="duration", example="30s", check=_seconds, help="After how long a reading is given up."
    )


def probe(host: Host, options: Options) -> Availability:
    """Whether there is such a program; it is not started."""
    words = shlex.split(options.program)
    path = words[0] if words else ""
    if not path.startswith("/"):
        return unavailable(f'"{path}" is not the whole path of a program', "write it with its directory")
    if not host.live:
        return unavailable("a recorded machine starts no programs")
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        return unavailable(f"{path} is not a program that can be started", "install it, or chmod +x")
    return available(options.program)


def open(host: Host, options: Options) -> Command:  # noqa: A001 - the word of the protocol
    """Nothing is started yet."""
    answer = probe(host, options)
    if not answer:
        raise UnavailableError(answer)
    return Command(host, options)


class Command:
    """The program."""

    step, counts = 0.0, False

    def __init__(self, host: Host, options: Options) -> None:
        self.host, self.source = host, options.program
        self.words, self.limit = shlex.split(options.program), options.limit
        self.interval = options.interval
        self.gap = 3 * self.interval + self.limit

    def read(self) -> Sample:
        """Start it and take its number. The instant is that of its end."""
        outcome = run(self.words, self.limit)
        if outcome.code != 0:
            said = outcome.output.splitlines()[-1:] or ["and said nothing"]
            raise OSError(errno.EIO, f"it ended with {outcome.code}: {said[0]}", self.words[0])
        return Sample(self.host.clock.boottime(), parse(outcome.output))

    def close(self) -> None:
        """Nothing runs between two readings."""


def parse(output: str) -> float:
    """The first number of the output; ``ValueError`` where there is none."""
    found = NUMBER.search(output)
    if not found:
        raise ValueError(f"it printed no number: {output[:60]!r}")
    return float(found[0])
