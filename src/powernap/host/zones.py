"""Time zones: the machine's own, and those that an admin names.

Owns where they are found. Zones come from the system's time zone database (tzdata), which changes with its package several times a year:
nothing is kept between two calls, and :func:`files_of` says what to watch. ``zoneinfo`` is imported when first needed (0.3 MiB).
"""

from __future__ import annotations

import io
import os
from datetime import UTC, tzinfo

from powernap.core.value import dataclass
from powernap.host.files import Files

LOCALTIME = "/etc/localtime"
"""localtime(5): a link to a file of the database; "UTC" where it is missing. Watch it for changes: timedatectl(1) puts a new link in its place."""
TO_WRITE = 'write a name such as "Europe/Berlin" (`timedatectl list-timezones` shows them all)'


class ZoneError(ValueError):
    """There is no such zone: "what is wrong; what to write"."""


@dataclass(frozen=True, slots=True)
class Local:
    """The machine's zone.

    :param name: as the admin chose it, ``Europe/Berlin``; :data:`LOCALTIME` where that file is a copy and so has no name.
    :param reason: why it is UTC although the machine does not say so; empty when it does.
    """

    zone: tzinfo
    name: str
    reason: str = ""


def local(files: Files) -> Local:
    """What time the machine's clocks on the wall show. The environment's ``TZ`` is one user's and does not count."""
    if not files.exists(LOCALTIME):
        return Local(UTC, "UTC", "" if _missing(files) else f"{LOCALTIME} leads nowhere")
    _, database, name = files.real(LOCALTIME).partition("/zoneinfo/")
    name = name.removeprefix("posix/")
    try:
        return Local(named(name), name) if database else Local(_read(files), LOCALTIME)
    except ZoneError:
        return _from_data(files, name)
    except (OSError, ValueError) as error:
        return Local(UTC, "UTC", f"{LOCALTIME} is no time zone ({error})")


def _missing(files: Files) -> bool:
    """There is not even a link."""
    return "localtime" not in files.names("/etc")


def _from_data(files: Files, name: str) -> Local:
    """The zone of a link whose name the database does not have: a database that is somewhere else."""
    try:
        return Local(_read(files), name)
    except (OSError, ValueError) as error:
        return Local(UTC, "UTC", f'{LOCALTIME} leads to "{name}", which is no time zone ({error})')


def _read(files: Files) -> tzinfo:
    """The rules in the file itself (tzfile(5)). They are binary, so not for ``Files.read``."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only where a schedule is configured

    with open(f"{getattr(files, 'root', '')}{LOCALTIME}", "rb") as file:
        return ZoneInfo.from_file(io.BytesIO(file.read()))


def named(name: str) -> tzinfo:
    """A zone by its IANA name, as the database has it now; :class:`ZoneError` when there is none."""
    zone = found(name)
    if zone is None:
        raise ZoneError(f'there is no time zone "{name}"; {_meant(name)}')
    return zone


def found(name: str) -> tzinfo | None:
    """The same; ``None`` when there is none. To guess which was meant takes a walk through the whole database, which this does without."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    try:
        return ZoneInfo.no_cache(name)
    except (KeyError, ValueError, OSError):
        return None


def wrong(name: str) -> str | None:
    """What is wrong with a zone's name, for an option's check; empty stands for the machine's own."""
    try:
        named(name or "UTC")
    except ZoneError as error:
        return str(error)
    return None


def _meant(name: str) -> str:
    """The zone that was probably meant: another spelling, a city without its continent, a slip of the pen."""
    from difflib import get_close_matches  # noqa: PLC0415 - for errors only
    from zoneinfo import available_timezones  # noqa: PLC0415

    known = {each.lower(): each for each in sorted(available_timezones())}
    if not known:
        return "this machine has no time zone database: install the package tzdata"
    word = name.lower().replace(" ", "_")
    cities = {each.rpartition("/")[2]: each for each in reversed(known)}
    near = [word] if word in known else [cities[word]] if word in cities else []
    if not near and len(word) > len("CEST"):  # an abbreviation is not nearly another one
        near = get_close_matches(word, known, 1, 0.75)
        near = near or [cities[city] for city in get_close_matches(word, cities, 1, 0.75)]
    return f'did you mean "{known[near[0]]}"?' if near else TO_WRITE


def files_of(names: set[str]) -> tuple[str, ...]:
    """What to watch: the files that hold these zones' rules, and :data:`LOCALTIME` for the machine's own zone (an empty name)."""
    from zoneinfo import TZPATH  # noqa: PLC0415

    paths = {LOCALTIME if name == "" else _path(name, TZPATH) for name in names}
    return tuple(sorted(path for path in paths if path))


def _path(name: str, bases: tuple[str, ...]) -> str:
    """Where ``zoneinfo`` finds a zone; empty when it does not."""
    return next((f"{base}/{name}" for base in bases if os.path.isfile(f"{base}/{name}")), "")
