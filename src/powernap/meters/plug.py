"""A smart plug between the machine and the wall: Shelly (both generations) or Tasmota, asked over plain HTTP in the local network.

What it sees is what is paid for. It is asked only while `powernap measure` runs. A machine with two power supplies needs two plugs: name both, separated by "+".
Shelly generation 1: ``/status`` (meters[].power); generation 2 and later: ``/rpc/Switch.GetStatus?id=0`` (apower); Tasmota: ``/cm?cmnd=Status%2010``
(StatusSNS.ENERGY.Power, a sum where it is a list).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from powernap.core.energy import Sample
from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable

if TYPE_CHECKING:
    from powernap.host.host import Host

SCOPE = "wall"
LOCAL = False
LIMIT = 5.0
"""Seconds for one answer."""
HOST = re.compile(r"[A-Za-z0-9.:\[\]-]+")
ANSWER_MAX = 65536


def _address(value: str) -> str | None:
    wrong = [each for each in value.split("+") if not HOST.fullmatch(each)]
    return f'"{wrong[0]}" is not a host; write a name or an address, such as 10.0.0.5' if wrong else None


@dataclass(frozen=True)
class Options:
    """Which plug."""

    address: str = option(
        help="Host or address of the plug, of several with + between.", example="10.0.0.5", check=_address
    )


def probe(host: Host, options: Options) -> Availability:
    """It is another machine: not asked before it is needed."""
    if not host.live:
        return unavailable("a recorded machine asks nobody")
    return available(options.address)


def open(host: Host, options: Options) -> Plug:  # noqa: A001 - the word of the protocol
    """Asks each plug once, and finds out which kind it is."""
    sockets = []
    for address in options.address.split("+"):
        try:
            sockets.append((address, dialect(address)))
        except OSError as error:
            reason = f"the plug {address} does not answer: {error.strerror or error}"
            raise UnavailableError(
                unavailable(reason, "look at its address, and whether it wants a password")
            ) from None
    return Plug(host, sockets)


class Plug:
    """One plug, or the plugs of one machine."""

    step, interval, gap, counts = 0.1, 1.0, 15.0, False

    def __init__(self, host: Host, sockets: list[tuple[str, str]]) -> None:
        self.host, self.sockets = host, sockets
        self.source = ", ".join(f"http://{address}{path}" for address, path in sockets)

    def read(self) -> Sample:
        """Watts of all."""
        watts = sum(parse(path, get(address, path)) for address, path in self.sockets)
        return Sample(self.host.clock.boottime(), watts)

    def close(self) -> None:
        """Each reading is a connection of its own."""


def dialect(address: str) -> str:
    """The path that this plug answers with its power. ``OSError`` where it answers none so, or does not answer at all."""
    trouble = ""
    for path in DIALECTS:
        try:
            parse(path, get(address, path))
        except ValueError as error:
            trouble = str(error)
        else:
            return path
    raise OSError(f"it is no Shelly and no Tasmota ({trouble})")


def get(address: str, path: str) -> bytes:
    """The body of one answer. ``OSError`` where there is none, ``ValueError`` for one that is not 200."""
    import http.client  # noqa: PLC0415 - 2 MiB that only who measures by a plug needs

    connection = http.client.HTTPConnection(address, timeout=LIMIT)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise ValueError(f"{path}: {answer.status} {answer.reason}")
        return answer.read(ANSWER_MAX)
    except http.client.HTTPException as error:
        raise OSError(f"{path}: {type(error).__name__}") from error
    finally:
        connection.close()


def parse(path: str, body: bytes) -> float:
    """Watts of an answer to ``path``; ``ValueError`` where it is none of that dialect's."""
    try:
        return float(DIALECTS[path](json.loads(body)))
    except (KeyError, IndexError, TypeError, RecursionError) as error:
        raise ValueError(f"the plug answered without its power ({type(error).__name__})") from None


def _first_meter(answer: Any) -> float:
    """A Shelly of the first generation: the power of its only, or first, outlet."""
    power: float = answer["meters"][0]["power"]
    return power


def _tasmota(answer: Any) -> float:
    power = answer["StatusSNS"]["ENERGY"]["Power"]
    return sum(power) if isinstance(power, list) else power


DIALECTS: dict[str, Callable[[Any], float]] = {
    "/rpc/Switch.GetStatus?id=0": lambda answer: answer["apower"],
    "/status": _first_meter,
    "/cm?cmnd=Status%2010": _tasmota,
}
"""Which path is asked, and where in its answer the watts are."""
