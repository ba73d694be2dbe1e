"""The management controller over the network (Redfish): for servers whose controller offers no reading from inside.

DMTF DSP2046: ``EnvironmentMetrics`` (PowerWatts.Reading), else the older ``Power`` (PowerControl[].PowerConsumedWatts) of a chassis. TLS and passwords are curl's: it
is started for each reading, takes user and password from a netrc file (mode 0600) and so shows them to nobody; the Python of PowerNap speaks no TLS.
Controllers renew the figure every few seconds to once a minute.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
import stat
from typing import TYPE_CHECKING, Any

from powernap.core.energy import Sample
from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.modes import status
from powernap.host.systemctl import run

if TYPE_CHECKING:
    from powernap.host.host import Host

SCOPE = "bmc"
LOCAL = False
LIMIT = 15.0
"""Seconds for one answer: controllers are slow."""
ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+")
INTERVAL = 60.0
ANSWER_MAX = 1 << 20
"""Bytes of a resource: a Power with many sensors has some ten thousand."""


def _url(value: str) -> str | None:
    return (
        None
        if ADDRESS.fullmatch(value)
        else f'"{value}" is no address; write https:// and the name of the controller'
    )


@dataclass(frozen=True)
class Options:
    """Which controller."""

    address: str = option(help="The controller.", example="https://bmc7.example.org", check=_url)
    netrc: str = option("/etc/powernap/netrc", unit="path", help="User and password (netrc(5)), mode 0600.")
    cacert: str = option(
        "", unit="path", help="The certificate that the controller's is checked against; empty: the system's."
    )
    chassis: str = option(
        "", example="/redfish/v1/Chassis/1", help="The chassis; empty: the first that tells its power."
    )


def probe(host: Host, options: Options) -> Availability:
    """Whether it could be asked; it is not."""
    if not host.live:
        return unavailable("a recorded machine asks nobody")
    if not shutil.which("curl"):
        return unavailable("curl is not installed", "apt install curl")
    found = status(host.files, options.netrc)
    if found is None:
        return unavailable(
            f"{options.netrc} does not exist", "write: machine HOST login USER password PASSWORD"
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        return unavailable(f"{options.netrc} can be read by others", f"chmod 600 {options.netrc}")
    return available(options.address)


def open(host: Host, options: Options) -> Redfish:  # noqa: A001 - the word of the protocol
    """Looks for a chassis that tells its power."""
    answer = probe(host, options)
    if not answer:
        raise UnavailableError(answer)
    try:
        return Redfish(host, options, discover(options))
    except (OSError, ValueError) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise UnavailableError(
            unavailable(f"{options.address}: {why}", "look at the address and the netrc file")
        ) from None


class Redfish:
    """One resource of one controller."""

    step, interval, gap, counts = 1.0, INTERVAL, 5 * INTERVAL, False

    def __init__(self, host: Host, options: Options, path: str) -> None:
        self.host, self.options, self.path = host, options, path
        self.source = options.address + path

    def read(self) -> Sample:
        """Watts as the controller says."""
        watts = power(get(self.options, self.path))
        if watts is None:
            raise OSError(errno.ENODATA, "the controller has no reading now")
        return Sample(self.host.clock.boottime(), watts)

    def close(self) -> None:
        """Each reading is a connection of its own."""


def discover(options: Options) -> str:
    """The resource that tells the power."""
    members = [options.chassis] if options.chassis else chassis(get(options, "/redfish/v1/Chassis"))
    for member in members:
        for name in ("EnvironmentMetrics", "Power"):
            path = f"{member.rstrip('/')}/{name}"
            try:
                if power(get(options, path)) is not None:
                    return path
            except (OSError, ValueError):
                continue
    raise OSError(errno.ENODATA, f"none of its {len(members)} chassis tells its power")


def get(options: Options, path: str) -> Any:
    """A resource. ``OSError`` with what curl said; ``ValueError`` where it is no JSON."""
    words = [
        "curl",
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        f"{LIMIT:g}",
        "--netrc-file",
        options.netrc,
    ]
    words += ["--cacert", options.cacert] * bool(options.cacert)
    outcome = run(
        [*words, "--header", "Accept: application/json", options.address + path], LIMIT + 5, ANSWER_MAX
    )
    if outcome.code != 0:
        said = outcome.output.splitlines()[-1:] or [f"curl ended with {outcome.code}"]
        raise OSError(errno.EIO, said[0])
    return json.loads(outcome.output)


def chassis(collection: Any) -> list[str]:
    """Paths of a collection's members; what does not look like one of this controller's is left out."""
    members = collection.get("Members", []) if isinstance(collection, dict) else []
    found = [member.get("@odata.id", "") for member in members if isinstance(member, dict)]
    return [path for path in found if isinstance(path, str) and re.fullmatch(r"/redfish/[\w./-]+", path)]


def power(resource: Any) -> float | None:
    """Watts of an EnvironmentMetrics or a Power; ``None`` where it has none."""
    if not isinstance(resource, dict):
        return None
    metrics = resource.get("PowerWatts")
    values = [metrics.get("Reading")] if isinstance(metrics, dict) else []
    control = resource.get("PowerControl")
    # the first one is the whole chassis, further ones are parts of it
    values += [
        each.get("PowerConsumedWatts")
        for each in (control if isinstance(control, list) else [])[:1]
        if isinstance(each, dict)
    ]
    numbers = [
        float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return numbers[0] if numbers else None
