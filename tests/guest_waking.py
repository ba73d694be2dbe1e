"""Runs in the lab's guest, for the test of powerwaked: the machine that is woken, at the other end of a cable; called by ``ip netns exec``.

It is off at first: its card listens, and it has no address. A magic packet for the card, with the password of that, brings it up: then it has its
address and answers at TCP port 22. What happened, and when, is written down, one line each.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

from powernap.host.magic_send import address
from powernap.host.packets import magic_target, parse_password

CARD, ADDRESS, PORT = "wake1", "10.77.0.2", 22
TO_PORT_9 = bytes([0, 9])
NOTES = Path("/run/machine")


def note(what: str) -> None:
    """One line, with the time."""
    with NOTES.open("a") as file:
        file.write(f"{what} {time.time()}\n")


def ip(*words: str) -> None:
    """One setting."""
    subprocess.run(["ip", *words], check=True)


def main(mac: str, secret: str) -> None:
    """For ever."""
    ip("link", "set", CARD, "address", mac)
    ip("link", "set", CARD, "up")
    password = parse_password(secret)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) as card:
        card.bind((CARD, 3))
        note("off")
        service = None
        while True:
            packet, about = card.recvfrom(2048)
            ours = magic_target(packet, frozenset({address(mac)}), password)
            if about[2] == socket.PACKET_OUTGOING or ours is None or packet[22:24] != TO_PORT_9:
                continue
            note("magic")
            if service is None:
                ip("address", "add", f"{ADDRESS}/24", "dev", CARD)
                service = socket.create_server((ADDRESS, PORT))
                note("up")


def told() -> list[tuple[str, float]]:
    """All of it."""
    lines = NOTES.read_text().splitlines() if NOTES.exists() else []
    return [(what, float(at)) for what, at in (line.split() for line in lines)]


def until(what: str, limit: float) -> float:
    """Wait until it has happened; when it did first."""
    end = time.monotonic() + limit
    while not (found := [at for said, at in told() if said == what]):
        if time.monotonic() > end:
            raise TimeoutError(f"no {what} in {limit:.0f} s: {told()}")
        time.sleep(0.1)
    return found[0]


def until_logged(unit: str, text: str, count: int, limit: float) -> str:
    """Wait until the journal of a unit has so many lines with these words; the last of them."""
    end = time.monotonic() + limit
    while True:
        command = ["journalctl", "-b", "-u", unit, "-o", "cat", "--no-pager"]
        log = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if len(found := [line for line in log.splitlines() if text in line]) >= count:
            return found[-1]
        if time.monotonic() > end:
            raise TimeoutError(f"no {text!r} in {limit:.0f} s: {log}")
        time.sleep(0.5)


def until_true(line: str, limit: float) -> None:
    """Wait until a line of shell succeeds."""
    end = time.monotonic() + limit
    while subprocess.run(["sh", "-c", line], check=False, capture_output=True).returncode:
        if time.monotonic() > end:
            raise TimeoutError(f"never in {limit:.0f} s: {line}")
        time.sleep(0.5)


if __name__ == "__main__":
    main(*sys.argv[1:])
