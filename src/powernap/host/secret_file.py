"""A file of secrets: lines of ``name = value``, for root's eyes only.

Owns what such a file may look like. No message says what stands in it.
"""

from __future__ import annotations

import errno
import os
import stat

from powernap.host import regular_file

LARGEST = 4096


class SecretError(Exception):
    """It cannot be used: the reason and what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason, self.remedy = reason, remedy


def read(path: str, names: tuple[str, ...]) -> dict[str, str]:
    """The values by their names; :class:`SecretError` where the file is missing, readable by others or says something else."""
    try:
        file = regular_file.opened(path)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise SecretError(f"{path} is no file", "correct its name") from None
        raise SecretError(f"{path}: {error.strerror}", f"write it, and chmod 600 {path}") from None
    with file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077 and not _credential(path):
            raise SecretError(f"{path} can be read by others", f"chmod 600 {path}")
        content = file.read(LARGEST + 1)
    return parse(content, path, names)


def _credential(path: str) -> bool:
    """A credential of the service (systemd.exec(5), LoadCredential=): an access list lets its user read it, of which the group's bits tell."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return bool(directory) and os.path.dirname(os.path.realpath(path)) == os.path.realpath(directory)


def parse(content: bytes, path: str, names: tuple[str, ...]) -> dict[str, str]:
    """The same of the bytes. Empty lines and those that begin with ``#`` do not count."""
    found: dict[str, str] = {}
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, sign, value = (part.strip() for part in line.partition("="))
        if not sign or name not in names or name in found or not value.isprintable():
            raise SecretError(
                f"{path}:{number} is not understood", f"write each of {', '.join(names)} as: {names[0]} = ..."
            )
        found[name] = value
    if len(content) > LARGEST or not found:
        raise SecretError(f"{path} holds no secrets", f"write, for example: {names[0]} = ...")
    return found
