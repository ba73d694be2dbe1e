"""Where a calendar is: a path, an address, and the secrets that open it.

Owns what may be written there, and what of it may be shown. An address of a calendar is often its password: of one nothing but the server is ever shown.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

from powernap.host import calendars, regular_file
from powernap.schedules import ScheduleError

if TYPE_CHECKING:
    from powernap.host.calendars import Head
    from powernap.schedules.ical import Options

ADDRESS = re.compile(r"(https?|webcals?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[!-~]*)?")
HERE = ("localhost", "127.0.0.1", "[::1]")
CERTIFICATES = 1 << 20
"""Bytes; the system's own are 0.3 MiB."""
SECRETS = ("user", "password", "address")
INSTALL = f"{sys.prefix}/bin/pip install '.[ical]' in PowerNap's source"
"""Into the environment that PowerNap runs in, which is on no index of packages."""


def wrong(value: str) -> str | None:
    """What is wrong with where a calendar is said to be."""
    if is_file(value) and value.isprintable():
        return None
    if "@" in value.partition("://")[2].partition("/")[0]:
        return "a user and a password do not belong in an address; write them into a secret_file"
    if not ADDRESS.fullmatch(value):
        return (
            f'"{value}" is neither; write the whole path of a file, or an address that begins with https://'
        )
    return None


def is_open(source: str) -> bool:
    """An address whose answers anybody on the way can change."""
    found = ADDRESS.fullmatch(source)
    return found is not None and found[1] == "http" and found[2].lower() not in HERE


def is_file(source: str) -> bool:
    """Else it is an address."""
    return source.startswith("/")


def shown(options: Options) -> str:
    """The calendar as anybody may see it."""
    return options.source if is_file(options.source) else "".join(_server(options.source))


def _server(address: str) -> tuple[str, ...]:
    """Scheme, host and port of an address; webcal is how programs say that https serves a calendar."""
    found = ADDRESS.fullmatch(address)
    return (re.sub("^webcals?", "https", found[1]), "://", found[2].lower(), found[3] or "") if found else ()


def remedy(reason: str) -> str:
    """What to do about why a calendar could not be read; mostly that is for its server's admin, and empty."""
    return INSTALL if reason.endswith(" is not installed") else ""


def key(options: Options) -> str:
    """Under which it is kept; schedules with the same source share that."""
    return calendars.key(options.source, options.secret_file, options.cacert)


def wanted(options: Options, head: Head | None, seconds: float) -> dict[str, Any]:
    """What the reader is told to fetch; ``ScheduleError`` where the secrets do not fit."""
    secrets = _secrets(options)
    address = secrets.get("address", options.source)
    server = _server(address)
    if not server or server != _server(options.source):
        raise ScheduleError(
            f"the address in {options.secret_file} is not one of {shown(options)}", "correct one of the two"
        )
    if secrets.get("password") and server[0] == "http" and server[2] not in HERE:
        raise ScheduleError("a password is sent over https only", "write https:// in the option source")
    return {
        "address": re.sub("^webcals?", "https", address),
        "etag": head.etag if head else "",
        "modified": head.modified if head else "",
        "user": secrets.get("user", ""),
        "password": secrets.get("password", ""),
        "cacert": _certificates(options.cacert),
        "proxies": {
            name: os.environ[f"{name}_proxy"]
            for name in ("http", "https", "no")
            if f"{name}_proxy" in os.environ
        },
        "seconds": seconds,
    }


def _secrets(options: Options) -> dict[str, str]:
    from powernap.host import secret_file  # noqa: PLC0415 - once an hour

    if not options.secret_file:
        return {}
    try:
        return secret_file.read(options.secret_file, SECRETS)
    except secret_file.SecretError as error:
        raise ScheduleError(error.reason, error.remedy) from None


def _certificates(path: str) -> str:
    if not path:
        return ""
    try:
        with regular_file.opened(path) as file:
            return file.read(CERTIFICATES).decode("ascii")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or "it is no text"
        raise ScheduleError(f"{path}: {why}", "correct the option cacert") from None
