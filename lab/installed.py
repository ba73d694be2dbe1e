"""powernapd in the guest, as a package would install it: its unit with all its restrictions, its configuration, and its answers."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

from lab.errors import LabError
from lab.guest import LIMIT, Guest

UNIT = "/etc/systemd/system/powernapd.service"
CONFIG = "/etc/powernap/powernap.toml"
SOCKET = "/run/powernap/control"
INSTALL = f"""
set -e
mkdir -p /etc/powernap/conf.d
known=$(test -e {UNIT} && echo yes || :)
sed 's|/usr/bin/|/usr/local/bin/|' /code/packaging/powernapd.service > {UNIT}
test -e {CONFIG} || cp /code/src/powernap/config/default.toml {CONFIG}
systemd-sysusers /code/packaging/powernap.sysusers
# a new unit is found without, which saves 4 to 8 s
test -z "$known" || systemctl daemon-reload
# a reset button must not take it: an empty unit is a masked one
sync
"""


def install(guest: Guest, config: str = "") -> None:
    """Install it, with a configuration or the default one. It does not run yet."""
    if config:
        guest.run("mkdir", "-p", "/etc/powernap").text()
        guest.write(CONFIG, config)
    guest.shell(INSTALL).text()


class Daemon:
    """powernapd in a guest, by its control socket and its unit."""

    def __init__(self, guest: Guest, config: str) -> None:
        self.guest = guest
        install(guest, config)

    def start(self) -> None:
        """Returns when it is ready."""
        done = self.guest.run("systemctl", "start", "powernapd")
        if done.status:
            raise LabError(f"powernapd does not start: {done.err}{self.log()}")

    def configure(self, change: Callable[[str], str]) -> None:
        """Change the configuration of the running daemon."""
        self.configure_file(change)
        answer = self.ask("reload")
        if not answer["ok"]:
            raise LabError(f"powernapd does not take its configuration: {answer}")

    def configure_file(self, change: Callable[[str], str]) -> None:
        """Change the configuration for the next start."""
        self.guest.write(CONFIG, change(self.guest.read(CONFIG)))

    def stop(self) -> None:
        """As the service manager does it; everything is put back."""
        self.guest.run("systemctl", "stop", "powernapd").text()

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """One request, one answer."""
        answer: dict[str, Any] = self.guest.call("lab.installed:ask", op, fields)
        return answer

    def until(self, event: str, limit: float = LIMIT, **wanted: Any) -> dict[str, Any]:
        """Wait for an entry of the history that was not asked for yet. Raises ``LabError`` with the history."""
        try:
            entry: dict[str, Any] = self.guest.call(
                "lab.installed:until", event, wanted, limit, limit=limit + LIMIT
            )
        except LabError as error:
            raise LabError(f"{error} {self.log()}") from error
        return entry

    def history(self) -> list[dict[str, Any]]:
        """All of it."""
        entries: list[dict[str, Any]] = self.ask("history", count=1000)["entries"]
        return entries

    def changed(self) -> list[dict[str, Any]]:
        """What the ledger says is changed now."""
        return list(self.ask("status", refresh=False)["changed"])

    def log(self) -> str:
        """What it said to the journal."""
        return self.guest.run("journalctl", "-u", "powernapd", "-o", "cat", "--no-pager").out[-4000:]


# In the guest, called there by its agent.


def ask(op: str, fields: dict[str, Any]) -> Any:
    """One request to the daemon, one answer."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(SOCKET)
        sock.sendall(json.dumps({"op": op, **fields}).encode() + b"\n")
        with sock.makefile("rb") as lines:
            return json.loads(lines.readline())


def until(event: str, wanted: dict[str, Any], limit: float) -> dict[str, Any]:
    """Wait until the history has such an entry; the last one."""
    end = time.monotonic() + limit
    while True:
        entries = ask("history", {"count": 1000})["entries"]
        found = [each for each in entries if each["event"] == event and wanted.items() <= each.items()]
        if found:
            return dict(found[-1])
        if time.monotonic() > end:
            raise TimeoutError(f"no {event} {wanted} in {limit:.0f} s: {entries}")
        time.sleep(0.2)
