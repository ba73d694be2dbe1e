"""What the ledger writes down: one entry for each change, the records it is made of, and what became of it.

Owns the meaning of the records and nothing else: no file, no knob. Reading them twice, or without their beginning, does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from powernap.core.value import dataclass
from powernap.host.knobs import Change

Record = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One change that has not been undone.

    :param old: the original; ``applied``: what was read back once ``done``, ``None`` where a collateral value was not there then.
    :param ours: collateral that was judged before a restore began to disturb it.
    """

    seq: int
    action: str
    stage: str
    change: Change
    old: str
    boot: str
    wall: float
    boottime: float
    done: bool = False
    applied: str | None = None
    ours: bool = False

    @property
    def knob(self) -> tuple[str, ...]:
        """What it changes: two entries on one knob are stacked."""
        return knob_of(self.change)


def knob_of(change: Change) -> tuple[str, ...]:
    """The identity of what is changed; in a ``cgroup.subtree_control`` each controller is one."""
    part = (change.new or "").lstrip("+-") if change.form == "controller" else ""
    return change.kind, change.target, part


@dataclass(frozen=True)
class Result:
    """What became of one entry.

    :param outcome: ``restored``, ``already`` (as it was), ``foreign`` (another owner's value was kept), ``gone`` (not there; kept in
        the ledger), ``failed`` (kept in the ledger, to be tried again), ``handed`` (a later change puts the original back), or
        ``forgotten`` and ``rebooted`` (dropped: the value did not outlive the boot).
    :param detail: a sentence for the admin; ``original``, ``ours`` and ``theirs`` are the values concerned.
    """

    action: str
    target: str
    outcome: str
    detail: str
    original: str = ""
    ours: str | None = None
    theirs: str | None = None
    seq: int = 0

    @property
    def left(self) -> bool:
        """Something of ours is, or may be, still changed."""
        return self.outcome in {"gone", "failed"}


def result(entry: Entry, outcome: str, detail: str, theirs: str | None = None) -> Result:
    """A result that carries the entry's values."""
    ours = entry.applied if entry.applied is not None else entry.change.new
    return Result(entry.action, entry.change.target, outcome, detail, entry.old, ours, theirs, entry.seq)


def records_of(entry: Entry) -> list[Record]:
    """The records that make up a live entry; the first is its ``begin``."""
    begin = {
        "rec": "begin", "seq": entry.seq, "boot": entry.boot, "action": entry.action, "stage": entry.stage,
        **asdict(entry.change), "old": entry.old, "wall": entry.wall, "boottime": entry.boottime,
    }  # fmt: skip
    records: list[Record] = [begin]
    if entry.done:
        records.append({"rec": "done", "seq": entry.seq, "applied": entry.applied})
    if entry.ours:
        records.append({"rec": "ours", "seq": entry.seq})
    return records


def replay(records: list[Record]) -> dict[int, Entry]:
    """The entries that are not undone, by their number. Records that were written twice, or whose ``begin`` is lost, change nothing."""
    live: dict[int, Entry] = {}
    seen: set[int] = set()
    for record in records:
        seq = int(record["seq"])
        if record["rec"] == "begin" and seq not in seen:
            seen.add(seq)
            live[seq] = _entry(record)
        elif seq in live:
            step = STEPS.get(record["rec"])
            live[seq] = step(live[seq], record) if step else live[seq]
            if record["rec"] == "undone":
                del live[seq]
    return live


STEPS: dict[str, Callable[[Entry, Record], Entry]] = {
    "done": lambda entry, record: replace(entry, done=True, applied=record["applied"]),
    "ours": lambda entry, _: replace(entry, ours=True),
    "old": lambda entry, record: replace(entry, old=record["old"]),
}


def _entry(record: Record) -> Entry:
    # a ledger may outlive the PowerNap that wrote it: 0.1.0 knew no optional changes
    optional = record.get("optional", False)
    change = Change(
        record["target"], record["new"], record["kind"], record["form"], record["durable"], optional
    )
    return Entry(
        record["seq"], record["action"], record["stage"], change, record["old"], record["boot"], record["wall"], record["boottime"],
    )  # fmt: skip
