"""D-Bus messages as bytes: marshalling and unmarshalling, no input or output (D-Bus specification 0.43, "Message Protocol").

Owns the wire form of every type and of a message. Little-endian is written, both orders are read. A variant is read as its value.
"""

from __future__ import annotations

import struct
from dataclasses import field
from typing import Any

from powernap.core.value import dataclass

CALL, REPLY, ERROR, SIGNAL = 1, 2, 3, 4
NO_AUTO_START = 2
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE, UNIX_FDS = range(1, 10)

FIXED = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "h": "I"}
ALIGN = {
    **{code: struct.calcsize(f"={form}") for code, form in FIXED.items()},
    "s": 4,
    "o": 4,
    "a": 4,
    "g": 1,
    "v": 1,
    "(": 8,
    "{": 8,
}

LARGEST = 1 << 20
"""Bytes of a message that we read. The specification allows 128 MiB; a thousand sessions are 100 KiB."""
DEEPEST = 32


class MalformedError(ValueError):
    """What came is no D-Bus message of a form that we read; the connection is of no more use."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``fds`` are descriptors that came with it: the values of type ``h`` are indexes into it; who takes them closes them."""

    kind: int
    serial: int
    path: str = ""
    interface: str = ""
    member: str = ""
    error: str = ""
    reply_to: int = 0
    destination: str = ""
    sender: str = ""
    signature: str = ""
    body: tuple[Any, ...] = ()
    flags: int = 0
    fd_count: int = 0
    fds: tuple[int, ...] = field(default=())


def split(signature: str) -> list[str]:
    """The complete types of a signature: ``a{sv}(ii)s`` is ``a{sv}``, ``(ii)``, ``s``."""
    types, at = [], 0
    while at < len(signature):
        end = _type_end(signature, at, 0)
        types.append(signature[at:end])
        at = end
    return types


def _type_end(signature: str, at: int, depth: int) -> int:
    if depth > DEEPEST or at >= len(signature):
        raise MalformedError(f"signature {signature!r} is cut off or too deep")
    code = signature[at]
    if code == "a":
        return _type_end(signature, at + 1, depth + 1)
    if code in "({":
        close, at = {"(": ")", "{": "}"}[code], at + 1
        while at < len(signature) and signature[at] != close:
            at = _type_end(signature, at, depth + 1)
        if at >= len(signature):
            raise MalformedError(f"signature {signature!r} is not closed")
        return at + 1
    if code not in ALIGN:
        raise MalformedError(f"signature {signature!r} has an unknown type")
    return at + 1


# --- writing


def _pad(out: bytearray, alignment: int) -> None:
    out += bytes(-len(out) % alignment)


def _write(out: bytearray, kind: str, value: Any) -> None:
    code = kind[0]
    _pad(out, ALIGN[code])
    if code in FIXED:
        out += struct.pack("<" + FIXED[code], value)
    elif code in "so":
        data = value.encode()
        out += struct.pack("<I", len(data)) + data + b"\0"
    elif code == "g":
        out += bytes([len(value)]) + value.encode() + b"\0"
    elif code == "v":
        inner, content = value
        _write(out, "g", inner)
        _write(out, inner, content)
    elif code == "a":
        _write_array(out, kind[1:], value)
    else:
        for inner, item in zip(split(kind[1:-1]), value, strict=True):
            _write(out, inner, item)


def _write_array(out: bytearray, kind: str, values: Any) -> None:
    at = len(out)
    out += bytes(4)
    _pad(out, ALIGN[kind[0]])
    start = len(out)
    for item in values.items() if isinstance(values, dict) else values:
        _write(out, kind, item)
    struct.pack_into("<I", out, at, len(out) - start)


def marshal(signature: str, values: tuple[Any, ...]) -> bytes:
    """A body: one value for each type of the signature; a variant is a pair of signature and value, a dictionary a ``dict``."""
    out = bytearray()
    for kind, value in zip(split(signature), values, strict=True):
        _write(out, kind, value)
    return bytes(out)


def encode(message: Message) -> bytes:
    """A message as it is sent."""
    body = marshal(message.signature, message.body)
    named = (
        (PATH, "o", message.path),
        (INTERFACE, "s", message.interface),
        (MEMBER, "s", message.member),
        (ERROR_NAME, "s", message.error),
        (REPLY_SERIAL, "u", message.reply_to),
        (DESTINATION, "s", message.destination),
        (SENDER, "s", message.sender),
        (SIGNATURE, "g", message.signature),
        (UNIX_FDS, "u", message.fd_count),
    )
    fields = [(code, (kind, value)) for code, kind, value in named if value]
    head = bytearray(
        marshal("yyyyuua(yv)", (ord("l"), message.kind, message.flags, 1, len(body), message.serial, fields))
    )
    _pad(head, 8)
    return bytes(head) + body


# --- reading


class _Reader:
    """A position in bytes of one byte order."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data, self.order, self.at = data, order, 0

    def value(self, kind: str, depth: int = 0) -> Any:
        if depth > DEEPEST:
            raise MalformedError("nested too deeply")
        code = kind[0]
        self.at += -self.at % ALIGN[code]
        if code in FIXED:
            (value,) = struct.unpack_from(self.order + FIXED[code], self.data, self.at)
            self.at += ALIGN[code]
            return bool(value) if code == "b" else value
        if code in "sog":
            return self.text(self.value("y" if code == "g" else "u"))
        if code == "v":
            (inner,) = split(self.value("g"))
            return self.value(inner, depth + 1)
        if code == "a":
            return self.array(kind[1:], depth + 1)
        return tuple(self.value(inner, depth + 1) for inner in split(kind[1:-1]))

    def text(self, length: int) -> str:
        end = self.at + length
        if end >= len(self.data):
            raise MalformedError("a text goes beyond its message")
        value = self.data[self.at : end].decode(errors="replace")
        self.at = end + 1
        return value

    def array(self, kind: str, depth: int) -> Any:
        length = self.value("u")
        self.at += -self.at % ALIGN[kind[0]]
        end = self.at + length
        if end > len(self.data):
            raise MalformedError("an array goes beyond its message")
        values = []
        while self.at < end:
            before = self.at
            values.append(self.value(kind, depth))
            if self.at == before:
                raise MalformedError("an array of nothing")
        return dict(values) if kind[0] == "{" else values


def unmarshal(signature: str, data: bytes, order: str = "<") -> tuple[Any, ...]:
    """The values of a body; ``MalformedError`` when it is none."""
    reader = _Reader(data, order)
    try:
        return tuple(reader.value(kind) for kind in split(signature))
    except (struct.error, ValueError, TypeError) as error:
        raise MalformedError(f"not a body of {signature!r}: {error}") from error


def length(data: bytes | bytearray) -> int | None:
    """How long the message is that ``data`` begins with; ``None`` while that cannot be told yet."""
    if len(data) < 16:
        return None
    order = {ord("l"): "<", ord("B"): ">"}.get(data[0])
    if order is None or data[3] != 1:
        raise MalformedError("not a D-Bus message")
    body, _serial, fields = struct.unpack_from(order + "III", data, 4)
    total = 16 + fields + -fields % 8 + body
    if total > LARGEST:
        raise MalformedError(f"a message of {total} bytes")
    return int(total)


def decode(data: bytes) -> Message:
    """One whole message; ``MalformedError`` when it is none."""
    if length(data) != len(data):
        raise MalformedError("not one whole message")
    order = "<" if data[0] == ord("l") else ">"
    _, kind, flags, _, _, serial, pairs = unmarshal("yyyyuua(yv)", data, order)
    fields = dict(pairs)
    body_at = 16 + struct.unpack_from(order + "I", data, 12)[0]
    signature = str(fields.get(SIGNATURE, ""))
    return Message(
        kind,
        serial,
        path=str(fields.get(PATH, "")),
        interface=str(fields.get(INTERFACE, "")),
        member=str(fields.get(MEMBER, "")),
        error=str(fields.get(ERROR_NAME, "")),
        reply_to=_number(fields.get(REPLY_SERIAL, 0)),
        destination=str(fields.get(DESTINATION, "")),
        sender=str(fields.get(SENDER, "")),
        signature=signature,
        body=unmarshal(signature, data[body_at + -body_at % 8 :], order),
        flags=flags,
        fd_count=_number(fields.get(UNIX_FDS, 0)),
    )


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise MalformedError("a header field of the wrong type")
    return value
