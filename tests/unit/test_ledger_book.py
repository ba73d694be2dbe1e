"""host/ledger_book.py: the live entries and their paper say the same, whatever is noted in which order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host.clock import SystemClock
from powernap.host.knobs import Change
from powernap.host.ledger_book import ROOM, Book
from powernap.host.ledger_entry import Entry, Record, replay

KNOBS = ("/proc/a", "/proc/b")


class Sheet:
    """Paper in memory. ``full``: it takes nothing more. ``extra``: bytes that it says to have used besides."""

    kept = ""

    def __init__(self, records: list[Record] | None = None) -> None:
        self.records = list(records or [])
        self.full, self.extra = False, 0

    def load(self) -> tuple[list[Record], list[str]]:
        return list(self.records), ["line 3 is damaged"]

    def append(self, record: Record) -> None:
        self._fill()
        self.records.append(record)

    def clear(self) -> None:
        self._fill()
        self.records = []

    def rewrite(self, records: list[Record]) -> None:
        self._fill()
        self.records, self.extra = records, 0

    @property
    def size(self) -> int:
        return len(self.records) + self.extra

    def _fill(self) -> None:
        if self.full:
            raise OSError(28, "no space left")


def book_of(sheet: Sheet, boot: str = "boot") -> Book:
    return Book(sheet, SystemClock(), boot)


def undo(book: Book, entry: Entry) -> None:
    book.note(entry, {"rec": "undone", "result": "restored"}, None)


@given(st.lists(st.tuples(st.sampled_from(KNOBS), st.booleans()), max_size=12), st.data())
def test_who_reads_the_paper_knows_what_is_live(steps: list[tuple[str, bool]], data: Any) -> None:
    """After each beginning and each end, in any order; an entry's number is never used twice."""
    sheet = Sheet()
    book, numbers = book_of(sheet), list[int]()
    for target, ends in steps:
        if ends and book.live():
            undo(book, data.draw(st.sampled_from(book.live())))
        else:
            numbers.append(book.begin(Change(target, "1"), "action", "stage", "0").seq)
        assert list(replay(sheet.records).values()) == list(reversed(book.live()))
        assert book_of(sheet).live() == book.live()
        for knob in KNOBS:
            stack = book.stack(Change(knob, "1"))
            assert [each for each in reversed(book.live()) if each.change.target == knob] == stack
            assert [*stack[1:], None] == [book.above(each) for each in stack] or not stack
    assert sorted({*numbers}) == numbers


def test_what_cannot_be_written_down_has_not_begun() -> None:
    """The number is free again, and nothing is stacked."""
    sheet = Sheet()
    book, change = book_of(sheet), Change("/proc/a", "1")
    sheet.full = True
    with pytest.raises(OSError, match="no space"):
        book.begin(change, "action", "stage", "0")
    assert ([], []) == (book.live(), book.stack(change))
    sheet.full = False
    assert 1 == book.begin(change, "action", "stage", "0").seq


def test_what_is_so_already_needs_no_room() -> None:
    """An entry that is undone is undone, whether the paper takes it or not; twice is once."""
    sheet = Sheet()
    book = book_of(sheet)
    entry = book.begin(Change("/proc/a", "1"), "action", "stage", "0")
    sheet.full = True
    undo(book, entry)
    undo(book, entry)
    book.tidy()
    assert ([], None) == (book.live(), book.entry(entry.seq))
    assert [entry] == book_of(sheet).live()


def test_room_is_given_back() -> None:
    """All of it once nothing is live; before that once it is worth it, and then what is live stays."""
    sheet = Sheet()
    book = book_of(sheet)
    first, second = (book.begin(Change(knob, "1"), "action", "stage", "0") for knob in KNOBS)
    undo(book, first)
    for sheet.extra in (0, ROOM // 2):
        book.tidy()
        assert 3 == len(sheet.records)
    sheet.extra = ROOM
    book.tidy()
    assert [second] == book_of(sheet).live()
    assert 1 == len(sheet.records)
    undo(book, second)
    book.tidy()
    assert [] == sheet.records


def test_what_another_boot_left_is_named_but_for_what_lasts() -> None:
    """The oldest first; this boot's own is not among it."""
    sheet = Sheet()
    before = book_of(sheet, "before")
    old = [before.begin(Change(knob, "1"), "action", "stage", "0") for knob in KNOBS]
    before.begin(Change("/sys/durable", "1", durable=True), "action", "stage", "0")
    assert [] == before.outlived()
    book = book_of(sheet, "now")
    book.begin(Change("/proc/c", "1"), "action", "stage", "0")
    assert old == book.outlived()
    assert ["line 3 is damaged"] == book.damage


def test_live_entries_are_found_by_action_and_stage() -> None:
    """The newest first."""
    book = book_of(Sheet())
    for action, stage in (("a", "ease"), ("b", "ease"), ("a", "deep")):
        book.begin(Change(f"/proc/{action}/{stage}", "1"), action, stage, "0")
    assert ["deep", "ease"] == [each.stage for each in book.live("a")]
    assert ["b", "a"] == [each.action for each in book.live(stage="ease")]
    assert ["a"] == [each.action for each in book.live("a", "deep")]


def test_what_is_undone_leaves_nothing_in_memory():
    """Each nap may bring knobs that never come again, such as threads."""
    book = Book(Sheet(), SystemClock(), "boot")
    for pid in range(50):
        entry = book.begin(Change(f"{pid}:100", None, kind="affinity"), "cpu-park", "nap", "0-1")
        switch = book.begin(Change("/sys/devices/system/cpu/cpu3/online", "0"), "cpu-offline", "nap", "1")
        assert book.firsts() == [switch]
        book.note(switch, {"rec": "undone"}, None)
        book.note(entry, {"rec": "undone"}, None)
    assert (book._stacks, book.firsts()) == ({}, [])
