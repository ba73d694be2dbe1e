"""What is wrong with a configuration, in the words an admin reads at 3 a.m.: where, what, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field

from powernap.core.value import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, from 1; line 0 is the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault.

    :param key: path of the setting ("monitor.ssh.port"), empty for a fault of syntax or of the file.
    :param message: what is wrong, without a full stop.
    :param remedy: what to do about it, as an order.
    """

    file: str
    line: int
    key: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        where = Place(self.file, self.line)
        return f"{where}: {self.message}; {self.remedy}" if self.remedy else f"{where}: {self.message}"


class ConfigErrors(Exception):  # noqa: N818 - it carries all of them
    """The configuration cannot be used; nothing of it has been taken."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass
class Findings:
    """Collects what is found on the way.

    :param torn: a file had a fault of syntax, so that something missing may stand on the line that could not be read.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    torn: bool = False

    def wrong(self, place: Place, key: str, message: str, remedy: str = "") -> None:
        """A fault: the configuration will be refused."""
        self.problems.append(Problem(place.file, place.line, key, message, remedy))

    def missing(self, place: Place, key: str, message: str, remedy: str = "") -> None:
        """A fault that consists in something not being there; silent where it may have been on an unreadable line."""
        if not self.torn:
            self.wrong(place, key, message, remedy)

    def note(self, place: Place, key: str, message: str, remedy: str = "") -> None:
        """Worth saying, and harmless."""
        self.notes.append(Problem(place.file, place.line, key, message, remedy))

    def in_order(self, files: Sequence[str]) -> list[Problem]:
        """Each fault once, by file as they were read, then by line."""
        rank = {file: number for number, file in enumerate(files)}
        return sorted(
            dict.fromkeys(self.problems), key=lambda each: (rank.get(each.file, -1), each.file, each.line)
        )


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that ``word`` was probably meant to be, or an empty text.

    At most a third of the letters may differ; ``-``, ``_`` and case do not count. Else the only word that begins with it.
    """
    known = list(known)
    plain = _plain(word)
    best = min(((_distance(plain, _plain(other)), other) for other in known), default=(99, ""))
    if best[0] <= max(1, len(plain) // 3) and best[0] < len(plain):
        return best[1]
    longer = [other for other in known if len(plain) > 2 and _plain(other).startswith(plain)]
    return longer[0] if len(longer) == 1 else ""


def meant(word: str, known: Iterable[str], otherwise: str = "it can be") -> str:
    """A remedy for an unknown word: the one that was meant, else all there are."""
    words = sorted(known)
    near = nearest(word, words)
    if near:
        return f'did you mean "{near}"?'
    return f"{otherwise} {', '.join(words)}" if words else ""


def _plain(word: str) -> str:
    return word.lower().replace("-", "_")[:64]


def _distance(a: str, b: str) -> int:
    """Letters to add, drop, change or swap (optimal string alignment) to make one word the other."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        oldest, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, oldest[j - 2] + 1)
            row.append(cost)
    return row[-1]
