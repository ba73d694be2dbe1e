"""Which processes: the options that several monitors have in common, and what they ask for.

Owns the four options and their meaning; the search for what they ask for is host/processes.py's.
"""

from __future__ import annotations

import os
import pwd
import re
from typing import Any, Protocol

from powernap.core.options import option
from powernap.host.availability import UnavailableError, unavailable
from powernap.host.files import text
from powernap.host.host import Host
from powernap.host.processes import Wanted


class Choice(Protocol):
    """Options of a monitor that watches processes."""

    @property
    def program(self) -> str: ...  # noqa: D102
    @property
    def arguments(self) -> str: ...  # noqa: D102
    @property
    def regex(self) -> str: ...  # noqa: D102
    @property
    def user(self) -> str: ...  # noqa: D102


def program_option(remark: str) -> Any:
    """``program``: the name that the kernel keeps."""
    return option(
        "", help=f"Name of the program's file, exactly; {remark}.", example="rsync", check=bare_name
    )


def arguments_option() -> Any:
    """``arguments``: narrows ``program``."""
    help_ = "Only processes whose command line this regex finds; with program."
    return option("", unit="regex", help=help_, example=r"--daily\b")


def regex_option(remark: str = "") -> Any:
    """``regex``: in place of ``program``."""
    help_ = f"In place of program: found anywhere in the command line{remark}."
    return option("", unit="regex", help=help_, example="backup")


def user_option() -> Any:
    """``user``: narrows either."""
    return option("", help="Only processes of this user (name or number).", example="www-data")


def refuse_both(chosen: Choice) -> None:
    """``ValueError`` unless exactly one of ``program`` and ``regex`` is given, ``arguments`` only with the former."""
    if bool(chosen.program) == bool(chosen.regex):
        raise ValueError('give either program = "NAME" or regex = "PATTERN"')
    if chosen.regex and chosen.arguments:
        raise ValueError("arguments belongs to program; a regex sees the whole command line already")


def bare_name(program: str) -> str | None:
    """What is wrong with a program's name in the configuration."""
    return 'write the name without its directory, such as "rsync"' if "/" in program else None


def wanted(host: Host, chosen: Choice) -> Wanted:
    """What the options ask for; ``UnavailableError`` for a user that this machine does not know."""
    return Wanted(
        os.fsencode(chosen.program),
        re.compile(chosen.arguments) if chosen.arguments else None,
        re.compile(chosen.regex) if chosen.regex else None,
        user_id(host, chosen.user) if chosen.user else None,
    )


def user_id(host: Host, user: str) -> int:
    """A user's number, by name or as digits; ``UnavailableError`` for an unknown name."""
    if user.isdecimal():
        return int(user)
    for line in text(host.files, "/etc/passwd").splitlines():
        fields = line.split(":")
        if fields[0] == user and len(fields) > 2:
            return int(fields[2])
    try:
        if host.live:
            return pwd.getpwnam(user).pw_uid  # those of LDAP and the like
    except KeyError:
        pass
    raise UnavailableError(
        unavailable(
            f'no user "{user}" on this machine', "name one that `getent passwd` lists, or give the number"
        )
    )
