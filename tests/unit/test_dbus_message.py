"""Claims of host/dbus_message.py."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host import dbus_message
from powernap.host.dbus_message import (
    CALL,
    SIGNAL,
    MalformedError,
    Message,
    decode,
    encode,
    length,
    marshal,
    split,
    unmarshal,
)

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
BASIC: dict[str, st.SearchStrategy[Any]] = {
    "y": st.integers(0, 255),
    "b": st.booleans(),
    "n": st.integers(-(2**15), 2**15 - 1),
    "q": st.integers(0, 2**16 - 1),
    "i": st.integers(-(2**31), 2**31 - 1),
    "u": st.integers(0, 2**32 - 1),
    "x": st.integers(-(2**63), 2**63 - 1),
    "t": st.integers(0, 2**64 - 1),
    "d": st.floats(allow_nan=False),
    "s": TEXT,
    "o": st.just("/a/b"),
    "g": st.sampled_from(["", "s", "a{sv}"]),
}


def typed(depth: int) -> st.SearchStrategy[tuple[str, Any]]:
    """A signature and a value of it, as written and as read (variants are read as their value, so none here)."""
    basic = st.sampled_from(sorted(BASIC)).flatmap(lambda code: st.tuples(st.just(code), BASIC[code]))
    if depth == 0:
        return basic
    inner = typed(depth - 1)
    structs = st.lists(inner, min_size=1, max_size=3).map(
        lambda items: (f"({''.join(k for k, _ in items)})", tuple(v for _, v in items))
    )
    arrays = inner.flatmap(
        lambda item: st.integers(0, 3).map(lambda count: (f"a{item[0]}", [item[1]] * count))
    )
    maps = st.tuples(st.dictionaries(TEXT, st.integers(0, 255), max_size=3)).map(
        lambda item: ("a{sy}", item[0])
    )
    return st.one_of(basic, structs, arrays, maps)


@given(st.lists(typed(2), max_size=4))
def test_what_is_written_is_read(items: list[tuple[str, Any]]) -> None:
    """Every type, nested, aligned: comes back as it was."""
    signature, values = "".join(kind for kind, _ in items), tuple(value for _, value in items)
    assert unmarshal(signature, marshal(signature, values)) == values


def test_a_variant_is_read_as_its_value() -> None:
    """Properties come as a plain dictionary."""
    data = marshal(
        "a{sv}", ({"Name": ("s", "alice"), "User": ("(uo)", (1000, "/u")), "IdleHint": ("b", True)},)
    )
    assert unmarshal("a{sv}", data) == ({"Name": "alice", "User": (1000, "/u"), "IdleHint": True},)


def test_a_call_is_the_specifications_bytes() -> None:
    """A Hello as libdbus sends it, byte for byte but the order of its header fields."""
    data = encode(
        Message(
            CALL,
            1,
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            "Hello",
            destination="org.freedesktop.DBus",
        )
    )
    assert data[:16] == b"l\1\0\1" + struct.pack("<III", 0, 1, 0x6D)
    assert data[16:46] == b"\1\1o\0" + struct.pack("<I", 21) + b"/org/freedesktop/DBus\0"
    assert len(data) % 8 == 0


@given(st.integers(1, 2**32 - 1), TEXT, st.integers(0, 3))
def test_a_message_survives_its_bytes(serial: int, word: str, fds: int) -> None:
    """Every header field and the body."""
    message = Message(
        SIGNAL, serial, "/p", "i.f", "M", "", 7, "d.d", ":1.5", "sa{sv}as", (word, {}, []), 3, fds
    )
    assert decode(encode(message)) == message


def test_the_other_byte_order_is_read() -> None:
    """A big-endian message of a signal with one text."""
    fields = b"\1\1o\0\0\0\0\2/p\0\0\0\0\0\0\3\1s\0\0\0\0\1M\0\0\0\0\0\0\0\10\1g\0\1s\0"
    body = b"\0\0\0\2hi\0"
    data = b"B\4\0\1" + struct.pack(">III", len(body), 9, len(fields)) + fields
    data += bytes(-len(data) % 8) + body
    found = decode(data)
    assert (found.kind, found.serial, found.path, found.member, found.body) == (SIGNAL, 9, "/p", "M", ("hi",))


@pytest.mark.parametrize("size", [0, 1, 15])
def test_a_cut_head_has_no_length_yet(size: int) -> None:
    """More must come before anything can be told."""
    assert length(encode(Message(SIGNAL, 1, "/p", "i.f", "M"))[:size]) is None


@pytest.mark.parametrize("data", [b"x" * 16, b"l\1\0\2" + bytes(12), b"l\4\0\1" + b"\xff" * 12])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    """Another protocol, another version, four gigabytes."""
    with pytest.raises(MalformedError):
        length(data)


@given(st.binary(max_size=120))
def test_garbage_is_malformed_and_nothing_else(data: bytes) -> None:
    """Any bytes: a message or MalformedError."""
    for candidate in (
        data,
        b"l\4\0\1" + struct.pack("<III", max(0, len(data) - 16), 1, 0) + data[:-16],
        encode(Message(SIGNAL, 1, "/p")) + data,
    ):
        try:
            decode(candidate)
        except MalformedError:
            continue


@given(st.data())
def test_a_damaged_message_is_malformed_and_nothing_else(data: st.DataObject) -> None:
    """One byte of a real message changed."""
    whole = bytearray(
        encode(
            Message(SIGNAL, 5, "/p", "i.f", "M", signature="a{sv}as", body=({"a": ("(ii)", (1, 2))}, ["x"]))
        )
    )
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(whole))
    except MalformedError:
        return


@pytest.mark.parametrize("signature", ["a", "(", "(i", "{s", "z", "a" * 100, "(" * 200, ")"])
def test_a_broken_signature_is_refused(signature: str) -> None:
    """Cut off, unknown, too deep."""
    with pytest.raises(MalformedError):
        split(signature)


def test_an_array_of_nothing_does_not_loop() -> None:
    """An empty struct takes no bytes: refused instead of read for ever."""
    with pytest.raises(MalformedError):
        unmarshal("a()", struct.pack("<II", 8, 0) + bytes(8))


def test_variants_in_variants_end() -> None:
    """A bomb of nested variants is refused."""
    with pytest.raises(MalformedError, match="deep"):
        unmarshal("v", b"\1v\0" * 100)


def test_types_are_split() -> None:
    """Complete types, containers whole."""
    assert split("a{sv}(i(us))sas") == ["a{sv}", "(i(us))", "s", "as"]
    assert dbus_message.ALIGN["("] == 8
