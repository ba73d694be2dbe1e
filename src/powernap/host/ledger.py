"""The undo ledger: every value is written down before it is changed, and put back only where it is still ours.

Owns *when* a knob is read, journalled, written, verified and restored, the same for all actions. Knows nothing of what the knobs
are (knobs.py), nor which entries there are (ledger_book.py), nor of the file's bytes (ledger_file.py).

Records: ``begin`` before a write, ``done`` after its read-back (for collateral: when the action has settled), ``ours`` before a
restore disturbs collateral again, ``old`` when an earlier change hands its original to a later one, ``undone`` when there is
nothing left to put back. Killed between any two of them, a restore by anybody who reads the file does the right thing:

=====================  ==========================================================================================
the value is           what restore does
=====================  ==========================================================================================
what it was            nothing (``already``)
what we wrote          puts the original back, reads it again (``restored``; ``failed`` keeps the entry for a retry)
anything else          keeps it and says so (``foreign``): another owner wins
not there              keeps the entry until it returns or is forgotten (``gone``)
gone with its device   nothing (``already``): a device that is unplugged takes its settings along (host/devices.py)
=====================  ==========================================================================================

Entries go strictly backwards. Collateral is judged before the first of them, because restoring what disturbed it disturbs it again
(``smt/control`` = ``on`` revives every processor, a governor comes back with default tunables), and with it what another action set
on it later: that stays ours, also when the two are put back side by side. What must come after the changes of other
actions too (knobs.AFTER) comes last, and is kept in the ledger (``gone``: its processor is) while one of these is in force.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from powernap.core.value import dataclass
from powernap.host.files import text
from powernap.host.knobs import AFTER, ENDS_BY_ITSELF, MOVED_BY, UNREADABLE, Change, same
from powernap.host.ledger_book import Book, Paper
from powernap.host.ledger_entry import Entry, Result, knob_of, result

if TYPE_CHECKING:
    from powernap.host.clock import Clock
    from powernap.host.files import Files
    from powernap.host.knobs import Knobs

ABSENT = {errno.ENOENT, errno.ENODEV, errno.ENXIO}


class ApplyError(Exception):
    """One change could not be made as asked; it has been undone, and so has nothing else."""

    def __init__(self, change: Change, why: str) -> None:
        super().__init__(f"{change.target}: {why}")
        self.change, self.why = change, why


class UnwrittenError(ApplyError):
    """The ledger cannot be written: no change can be made at all."""


class StoppedError(Exception):
    """Somebody needed the machine while an action was being applied."""


@dataclass(frozen=True)
class Performed:
    """A plan that was carried out: how many values were changed, and which optional changes were refused and why."""

    changed: int
    refused: tuple[ApplyError, ...] = ()


def boot_id(files: Files) -> str:
    """The kernel's name for this boot (random(4)); empty where it has none."""
    return text(files, "/proc/sys/kernel/random/boot_id")


class Ledger:
    """The open ledger. Its methods may be called from several threads, one action in each.

    :param paper: a :class:`powernap.host.ledger_file.LedgerFile`, which holds the lock.
    :param boot: this boot's id; entries of another one that are not durable are dropped (``dropped``).
    """

    def __init__(self, paper: Paper, knobs: Knobs, clock: Clock, boot: str) -> None:
        self._book, self._knobs = Book(paper, clock, boot), knobs
        self.damage = self._book.damage
        self._lock = threading.Lock()
        # each lives as long as somebody holds it or waits for it
        self._held: WeakValueDictionary[tuple[str, ...], threading.RLock] = WeakValueDictionary()
        # foreign values that were met while a failed plan was put back, when nobody listened: the next restore tells of them
        self._untold: list[Result] = []
        self.dropped = [
            self._close(entry, "rebooted", "the value did not outlive the boot")
            for entry in self._book.outlived()
        ]
        self.tidy()

    # --- looking

    @property
    def unreadable(self) -> list[str]:
        """What is damaged, and where a copy of it is once the ledger no longer has it; empty where nothing is."""
        kept = self._book.paper.kept
        return [*self.damage, *[f"the damaged ledger is kept as {kept}"] * bool(kept)]

    def live(self, action: str | None = None, stage: str | None = None) -> list[Entry]:
        """What is changed now, newest first."""
        return self._book.live(action, stage)

    def actions(self) -> list[str]:
        """Actions with something to put back, the one applied last first; then those of which a restore has something to tell."""
        with self._lock:
            untold = [each.action for each in self._untold]
        return list(dict.fromkeys([entry.action for entry in self.live()] + untold))

    # --- applying

    def perform(
        self, action: str, stage: str, plan: Iterable[Change], stop: threading.Event | None = None
    ) -> Performed:
        """Apply a whole plan. When a step fails that is not optional, all of this action's are put back.

        :param plan: a generator gets, as the value of its ``yield``, ``None`` or why the optional change was refused.
        :param stop: once it is set no further step is begun, and the action is put back.
        :raises StoppedError: it was stopped. :raises ApplyError: a change was refused; any error of the plan itself passes through.
            All of them after the restore.
        """
        changed, refused, steps = 0, list[ApplyError](), iter(plan)
        why: str | None = None
        try:
            while (change := _next(steps, why, stop)) is not None:
                why = None
                try:
                    changed += self.apply(change, action, stage)
                except ApplyError as error:
                    if not change.optional or isinstance(error, UnwrittenError):
                        raise
                    why = error.why
                    refused.append(error)
        except BaseException:
            foreign = [each for each in self.restore(action, stage) if each.outcome == "foreign"]
            with self._lock:
                self._untold += foreign
            raise
        self.settle(action)
        return Performed(changed, tuple(refused))

    def apply(self, change: Change, action: str, stage: str) -> bool:
        """Journal, write, read back. ``False``: it is so already, or it is collateral; nothing was written.

        :raises ApplyError: it could not be read, journalled or written, or reads back otherwise. It has been put back.
        """
        with self._holding(change):
            if self._known(change, action):
                return False
            try:
                old = UNREADABLE.get(change.kind) or self._knobs.read(change)
            except OSError as error:
                raise ApplyError(change, f"cannot be read ({_why(error)}), so it is not changed") from error
            if change.new is not None and same(change.form, old, change.new):
                return False
            entry = self._begin(change, action, stage, old)
            if change.new is None:
                return False
            self._write(entry, change.new)
            return True

    def settle(self, action: str) -> None:
        """Record the action's collateral as its changes have left it. Call after the last of them."""
        for found in self.live(action):
            with self._holding(found.change):
                entry = self._book.entry(found.seq)
                if entry and entry.change.new is None and not entry.done:
                    try:
                        now: str | None = self._knobs.read(entry.change)
                    except OSError:
                        now = None
                    self._book.note(
                        entry, {"rec": "done", "applied": now}, replace(entry, done=True, applied=now)
                    )

    # --- restoring

    def restore(self, action: str | None = None, stage: str | None = None) -> list[Result]:
        """Put back, backwards: everything, or what an action or a stage changed. May be killed anywhere and called again."""
        with self._lock:
            results, self._untold = self._untold, []
        for step, chosen in ((self._judge, self._disturbed), (self._put_back, self._in_order)):
            for found in chosen(action, stage):
                with self._holding(found.change):
                    # looked up now: a directory that we made has taken its files' entries with it, an original may have been handed on
                    entry = self._book.entry(found.seq)
                    results += step(entry) if entry else []
        self.tidy()
        return [each for each in results if not each.left or self._book.entry(each.seq)]

    def _disturbed(self, action: str | None, stage: str | None) -> list[Entry]:
        """What a restore may disturb: all of its own; and of others what the kernel sets anew when one of its own is put back.

        These stay judged: the kernel does it some time after the write, so that what is there at the end of this restore tells nothing.
        """
        own = self.live(action, stage)
        seqs = {each.seq for each in own}
        kinds = {
            kind for kind, by in MOVED_BY.items() if any(by.fullmatch(each.change.target) for each in own)
        }
        return [each for each in self.live() if each.seq in seqs or each.change.kind in kinds]

    def _in_order(self, action: str | None, stage: str | None) -> list[Entry]:
        """What is to be put back, backwards."""
        return sorted(self.live(action, stage), key=lambda entry: entry.change.kind in AFTER)

    def forget(self, target: str) -> list[Result]:
        """Drop what is known of a target that will not return; its value stays as it is."""
        found = [entry for entry in self.live() if entry.change.target == target]
        results = [self._close(entry, "forgotten", "left as it is, by request") for entry in found]
        self.tidy()
        return results

    def tidy(self) -> None:
        """Give back the file's room: empty when nothing is live, else only what is live once that is worth it."""
        self._book.tidy()

    # --- one entry

    def _holding(self, change: Change) -> threading.RLock:
        """One knob, for one thread at a time. Where a write hangs, only who wants the same knob waits for it."""
        with self._lock:
            return self._held.setdefault(knob_of(change), threading.RLock())

    def _known(self, change: Change, action: str) -> bool:
        """Already in the ledger, and nothing to add: the first original wins, a hook is called once."""
        if change.kind in UNREADABLE:
            return any(each.change.new == change.new for each in self._book.stack(change))
        return change.new is None and any(
            each.change.new is None and each.action == action for each in self._book.stack(change)
        )

    def _begin(self, change: Change, action: str, stage: str, old: str) -> Entry:
        try:
            return self._book.begin(change, action, stage, old)
        except OSError as error:
            raise UnwrittenError(
                change, f"the ledger cannot be written ({_why(error)}), so it is not changed"
            ) from error

    def _write(self, entry: Entry, new: str) -> None:
        change = entry.change
        try:
            self._knobs.write(change, new)
            applied = new if change.kind in UNREADABLE else self._knobs.read(change)
        except OSError as error:
            after = self._take_back(entry, f'it stays "{entry.old}"')
            raise ApplyError(change, f'"{new}" was refused ({_why(error)}); {after}') from error
        if not same(change.form, applied, new):
            after = self._take_back(replace(entry, done=True, applied=applied), f'put back to "{entry.old}"')
            raise ApplyError(change, f'"{new}" was written and "{applied}" is there; {after}')
        self._book.note(
            entry, {"rec": "done", "applied": applied}, replace(entry, done=True, applied=applied)
        )

    def _take_back(self, entry: Entry, done: str) -> str:
        """Undo a write that did not do what was asked: ``done``, or why it stays in the ledger for a later restore."""
        if entry.applied is not None:
            self._book.note(entry, {"rec": "done", "applied": entry.applied}, entry)
        return next((each.detail for each in self._put_back(entry) if each.left), done)

    def _judge(self, entry: Entry) -> list[Result]:
        """Collateral, before anything is restored: is the value the one that we left? A foreign one is closed here."""
        if entry.change.new is not None or entry.ours:
            return []
        try:
            now = self._knobs.read(entry.change)
        except OSError:
            now = None
        above = self._book.above(entry)
        # what our own changes left is what a later one found, which then set it itself
        left = above.old if above and _known_to(self._book.top(entry), now) else now
        # not settled (killed on the way), or not there when it settled: who changed it cannot be told, the original is right
        unknown = not entry.done or entry.applied is None or left is None
        if unknown or any(
            same(entry.change.form, left or "", known) for known in (entry.old, entry.applied or "")
        ):
            self._book.note(entry, {"rec": "ours"}, replace(entry, ours=True))
            return []
        return [self._foreign(entry, now or "")]

    def _put_back(self, entry: Entry) -> list[Result]:
        """One entry: the original, unless a later change stands on it or somebody else does."""
        above = self._book.above(entry)
        if above:
            self._hand_on(entry)
            return [
                self._close(entry, "handed", f"{above.action} changed it later and puts back the original")
            ]
        before = self._before(entry)
        if before:
            detail = f"waits until {before.change.target} is put back; kept in the ledger"
            return [result(entry, "gone", detail)]
        try:
            return self._restore(entry)
        except OSError as error:
            # the device has ended, and with it what the kernel kept for it: nothing is left to undo
            if error.errno == errno.ESTALE:
                return [self._close(entry, "already", f"{_why(error)}: its setting went with it")]
            outcome = "gone" if error.errno in ABSENT else "failed"
            what = "is not there now" if outcome == "gone" else "could not be put back"
            return [result(entry, outcome, f"{what} ({_why(error)}); kept in the ledger")]

    def _hand_on(self, entry: Entry) -> None:
        """The original, to the change that stands on it; and to the latest one what the kernel has made of its value meanwhile."""
        top = self._book.top(entry)
        # of what had not settled it could not be judged whose it was
        if entry.ours and entry.applied is not None and top.done and top.change.new is not None:
            with contextlib.suppress(OSError):
                now = self._knobs.read(entry.change)
                self._book.note(top, {"rec": "done", "applied": now}, replace(top, applied=now))
        above = self._book.above(entry)
        if above:
            self._book.note(above, {"rec": "old", "old": entry.old}, replace(above, old=entry.old))

    def _restore(self, entry: Entry) -> list[Result]:
        change, old = entry.change, entry.old
        if change.kind in ENDS_BY_ITSELF:
            return [self._close(entry, "already", f"nothing to put back: {ENDS_BY_ITSELF[change.kind]}")]
        if change.kind not in UNREADABLE:
            now = self._knobs.read(change)
            if same(change.form, now, old):
                return [*self._went_along(entry), self._close(entry, "already", f'is "{old}" again')]
            ours = [known for known in (entry.applied, change.new) if known is not None]
            known = any(same(change.form, now, each) for each in ours) or self._disturbs(entry)
            if change.new is not None and not known:
                return [self._foreign(entry, now)]
        self._knobs.write(change, old)
        if change.kind not in UNREADABLE:
            now = self._knobs.read(change)
            if not same(change.form, now, old):
                detail = f'"{old}" was written back and "{now}" is there; kept in the ledger'
                return [result(entry, "failed", detail, theirs=now)]
        return [*self._went_along(entry), self._close(entry, "restored", f'put back to "{old}"')]

    def _disturbs(self, entry: Entry) -> bool:
        """Whether the restore of another action is just setting it anew: it judged the collateral beneath, and found the value ours."""
        return any(each.ours for each in self._book.stack(entry.change) if each.seq < entry.seq)

    def _went_along(self, entry: Entry) -> Iterator[Result]:
        """Entries of files in a directory that we made and that is no more: there is nothing left of them to restore."""
        if entry.change.kind == "directory" and entry.old == "absent":
            for other in self.live():
                if other.change.target.startswith(entry.change.target + "/"):
                    yield self._close(other, "already", f"went with {entry.change.target}")

    def _foreign(self, entry: Entry, now: str) -> Result:
        ours = entry.applied if entry.applied is not None else entry.change.new
        detail = f'somebody set it to "{now}" (we had "{ours}", before it was "{entry.old}"): left as it is'
        if not entry.done and entry.change.new is not None:
            detail += "; or the kernel took our value otherwise just before we were ended"
        return self._close(entry, "foreign", detail, theirs=now)

    def _before(self, entry: Entry) -> Entry | None:
        """A change that has to be undone before this one. One whose target has gone for good holds nothing up."""
        first = AFTER.get(entry.change.kind)
        if not first:
            return None
        before = (each for each in self._book.firsts() if first.fullmatch(each.change.target))
        return next((each for each in before if self._there(each.change)), None)

    def _there(self, change: Change) -> bool:
        try:
            self._knobs.read(change)
        except OSError as error:
            return error.errno not in ABSENT
        return True

    def _close(self, entry: Entry, outcome: str, detail: str, theirs: str | None = None) -> Result:
        self._book.note(entry, {"rec": "undone", "result": outcome}, None)
        return result(entry, outcome, detail, theirs)


def _next(steps: Iterator[Change], refused: str | None, stop: threading.Event | None) -> Change | None:
    """The next step of a plan, ``None`` at its end."""
    if stop and stop.is_set():
        raise StoppedError("stopped on the way and put back")
    try:
        return steps.send(refused) if isinstance(steps, Generator) else next(steps)
    except StopIteration:
        return None


def _known_to(later: Entry, now: str | None) -> bool:
    """Whether a value is one that a later change of the same knob found, set or left; of collateral that has been judged before."""
    if later.change.new is None or now is None:
        return True
    known = [each for each in (later.old, later.applied, later.change.new) if each is not None]
    return any(same(later.change.form, now, each) for each in known)


def _why(error: OSError) -> str:
    return error.strerror or os.strerror(error.errno or 0)
