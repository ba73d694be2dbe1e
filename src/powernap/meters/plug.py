"""A smart plug between the machine and the wall: Shelly (both generations) or Tasmota, asked over plain HTTP in the local network.

What it sees is what is paid for. It is asked only while `powernap measure` runs. A machine with two power supplies needs two plugs: name both, separated by "+".
Shelly generation 1: ``/status`` (meters[].power); generation 2 and later: ``/rpc/Switch.GetStatus?id=0`` (apower); Tasmota: ``/cm?cmnd=Status%2010``
(StatusSNS.ENERGY.Power, a sum where it is a list). A password is sent only to a plug that asks for one: Shelly as RFC 7617 and 7616 have it,
Tasmota (Commands, "with web requests") as a part of the address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from powernap.core.energy import Sample
from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host import secret_file
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.secret_file import SecretError

if TYPE_CHECKING:
    from powernap.host.host import Host
    from powernap.host.http_login import Login

SCOPE = "wall"
LOCAL = False
LIMIT = 5.0
"""Seconds for one answer."""
HOST = re.compile(r"[A-Za-z0-9.:\[\]-]+")
ANSWER_MAX = 65536
TASMOTA = "/cm?cmnd=Status%2010"
HTTP_OK, UNAUTHORIZED = 200, 401


def _address(value: str) -> str | None:
    wrong = [each for each in value.split("+") if not HOST.fullmatch(each)]
    return f'"{wrong[0]}" is not a host; write a name or an address, such as 10.0.0.5' if wrong else None


@dataclass(frozen=True)
class Options:
    """Which plug."""

    address: str = option(
        help="Host or address of the plug, of several with + between.", example="10.0.0.5", check=_address
    )
    secret_file: str = option(
        "",
        unit="path",
        example="/etc/powernap/plug.secret",
        help="For a plug with a password: a file of mode 0600 with the line `password = ...`, and `user = ...` where that is not admin.",
    )


def probe(host: Host, options: Options) -> Availability:
    """It is another machine: not asked before it is needed."""
    if not host.live:
        return unavailable("a recorded machine asks nobody")
    try:
        login_of(options)
    except SecretError as error:
        return unavailable(error.reason, error.remedy)
    return available(options.address)


def open(host: Host, options: Options) -> Plug:  # noqa: A001 - the word of the protocol
    """Asks each plug once, and finds out which kind it is."""
    answer = probe(host, options)
    if not answer:
        raise UnavailableError(answer)
    login, sockets = login_of(options), []
    for address in options.address.split("+"):
        try:
            sockets.append((address, dialect(address, login)))
        except OSError as error:
            reason = f"the plug {address} does not answer: {error.strerror or error}"
            raise UnavailableError(unavailable(reason, "look at its address and secret_file")) from None
    return Plug(host, sockets, login)


def login_of(options: Options) -> Login | None:
    """Who we are, where the plug has a password. :class:`SecretError` where its file does not tell."""
    if not options.secret_file:
        return None
    from powernap.host.http_login import Login  # noqa: PLC0415 - only for plugs with a password

    found = secret_file.read(options.secret_file, ("password", "user"))
    if "password" not in found:
        raise SecretError(f"{options.secret_file} holds no password", "write: password = ...")
    return Login(found.get("user", "admin"), found["password"])


class Plug:
    """One plug, or the plugs of one machine."""

    step, interval, gap, counts = 0.1, 1.0, 15.0, False

    def __init__(self, host: Host, sockets: list[tuple[str, str]], login: Login | None) -> None:
        self.host, self.sockets, self.login = host, sockets, login
        self.source = ", ".join(f"http://{address}{path}" for address, path in sockets)

    def read(self) -> Sample:
        """Watts of all."""
        watts = sum(parse(path, get(address, path, self.login)) for address, path in self.sockets)
        return Sample(self.host.clock.boottime(), watts)

    def close(self) -> None:
        """Each reading is a connection of its own."""


def dialect(address: str, login: Login | None = None) -> str:
    """The path that this plug answers with its power. ``OSError`` where it answers none so, or does not answer at all."""
    trouble = ""
    for path in DIALECTS:
        try:
            parse(path, get(address, path, login))
        except ValueError as error:
            trouble = str(error)
        else:
            return path
    raise OSError(f"it is no Shelly and no Tasmota ({trouble})")


def get(address: str, path: str, login: Login | None = None) -> bytes:
    """The body of one answer. ``OSError`` where there is none, ``ValueError`` for one that is not 200."""
    status, challenges, body = ask(address, path)
    if status == UNAUTHORIZED and login:
        words = login.header(challenges, path)
        # it looks for a password in the address, and no firmware of it asks for a digest
        more = f"&{login.query()}" if path == TASMOTA and not words.startswith("Digest") else ""
        status, _, body = ask(address, path + more, words)
    if status == UNAUTHORIZED:
        raise ValueError("it refuses this user and password" if login else "it wants a password")
    if status != HTTP_OK:
        raise ValueError(f"{path}: it answers with {status}")
    return body


def ask(address: str, path: str, authorization: str = "") -> tuple[int, list[str], bytes]:
    """Status, challenges and body of one answer. ``OSError`` where there is none."""
    import http.client  # noqa: PLC0415 - 2 MiB that only who measures by a plug needs

    connection = http.client.HTTPConnection(address, timeout=LIMIT)
    try:
        connection.request("GET", path, headers={"Authorization": authorization} if authorization else {})
        answer = connection.getresponse()
        return answer.status, answer.headers.get_all("WWW-Authenticate") or [], answer.read(ANSWER_MAX)
    except http.client.HTTPException as error:
        raise OSError(f"it speaks no HTTP ({type(error).__name__})") from error
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
    TASMOTA: _tasmota,
}
"""Which path is asked, and where in its answer the watts are."""
