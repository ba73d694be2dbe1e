"""Runs in the lab's guest, for the test of announcements: a user's notification service on that user's session bus, of what Python alone has.

It is started as that user, when the bus listens, and writes down what it is asked to show, one JSON document a line, with the number of who asked.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from powernap.host import dbus_message
from powernap.host.dbus_message import CALL, REPLY, Message

NAME = "org.freedesktop.Notifications"
BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
ABILITIES = ["body", "body-markup"]


class Service:
    """Shows nothing, and says yes."""

    def __init__(self, runtime: str) -> None:
        self.notes = Path(runtime, "notes")
        self.socket = socket.socket(socket.AF_UNIX)
        while self.socket.connect_ex(f"{runtime}/bus"):
            time.sleep(0.1)  # the bus has just been started
        self.socket.sendall(f"\0AUTH EXTERNAL {str(os.geteuid()).encode().hex()}\r\nBEGIN\r\n".encode())
        self.data = bytearray()
        self.serial = self.shown = 0
        self.stands: set[int] = set()

    def serve(self) -> None:
        """For ever."""
        messages = self.messages()
        self.ask(messages, "Hello")
        self.ask(messages, "RequestName", "su", NAME, 4)
        self.note(did="ready")
        for message in messages:
            if message.kind == CALL and message.interface == NAME:
                self.answer(message, self.asked(message, messages))

    def messages(self) -> Iterator[Message]:
        """As they come."""
        while b"\r\n" not in self.data:
            self.data += self.socket.recv(4096)
        del self.data[: self.data.index(b"\r\n") + 2]
        while True:
            while (size := dbus_message.length(self.data)) is None or size > len(self.data):
                if not (data := self.socket.recv(4096)):
                    return
                self.data += data
            yield dbus_message.decode(bytes(self.data[:size]))
            del self.data[:size]

    def send(self, **fields: Any) -> int:
        """One message; its number."""
        self.serial += 1
        self.socket.sendall(dbus_message.encode(Message(serial=self.serial, **fields)))
        return self.serial

    def ask(self, messages: Iterator[Message], member: str, signature: str = "", *body: Any) -> Any:
        """What the bus answers."""
        to, path, interface = BUS
        serial = self.send(
            kind=CALL,
            path=path,
            interface=interface,
            member=member,
            destination=to,
            signature=signature,
            body=body,
        )
        return next(each for each in messages if each.reply_to == serial).body

    def answer(self, message: Message, given: tuple[str, Any]) -> None:
        """What was asked for."""
        signature, value = given
        body = (value,) if signature else ()
        self.send(
            kind=REPLY, reply_to=message.serial, destination=message.sender, signature=signature, body=body
        )

    def asked(self, message: Message, messages: Iterator[Message]) -> tuple[str, Any]:
        """Do it; signature and value of the answer."""
        if message.member == "GetCapabilities":
            return "as", ABILITIES
        (uid,) = self.ask(messages, "GetConnectionUnixUser", "s", message.sender)
        if message.member == "CloseNotification":
            self.stands.discard(message.body[0])
            self.note(did="close", number=message.body[0], uid=uid)
            return "", None
        _app, number, _icon, summary, body, _actions, hints, timeout = message.body
        if number not in self.stands:
            self.shown += 1
            number = self.shown
        self.stands.add(number)
        self.note(
            did="notify",
            number=number,
            uid=uid,
            summary=summary,
            body=body,
            urgency=hints["urgency"],
            timeout=timeout,
        )
        return "u", number

    def note(self, **facts: Any) -> None:
        """One line."""
        with self.notes.open("a") as file:
            file.write(json.dumps(facts) + "\n")


def told(uid: int) -> list[dict[str, Any]]:
    """What it was asked, in order."""
    notes = Path(f"/run/user/{uid}/notes")
    lines = notes.read_text().splitlines() if notes.exists() else []
    return [json.loads(line) for line in lines]


def until_told(uid: int, count: int, limit: float) -> list[dict[str, Any]]:
    """Wait until it was asked so often."""
    end = time.monotonic() + limit
    while len(found := told(uid)) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"not {count} in {limit:.0f} s: {found}")
        time.sleep(0.2)
    return found


if __name__ == "__main__":
    Service(sys.argv[1]).serve()
