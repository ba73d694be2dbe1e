"""The process table: which processes match a program's name, a regex, a user.

Owns the parsers of /proc/PID/{stat,status,cmdline} and the search; the names are read by host/roll.py, once a look for everybody. Starts
and ends of processes are told by host/exec_events.py and host/pidfd.py.
"""

from __future__ import annotations

import os
import pwd
import re
import time
from collections.abc import Iterator

from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, unavailable
from powernap.host.cpu_limit import CpuLimitError, cpu_limit
from powernap.host.files import text
from powernap.host.host import Host
from powernap.host.roll import pids, read_head, roll

NAME_BYTES = 15
"""TASK_COMM_LEN without its zero."""
COMMAND_LINE = 4096
"""Bytes of a command line that are looked at; one may have 2 MB."""
REGEX_SECONDS = 0.5
"""CPU time that all regexes of one search may take: any user can start a process whose arguments make a careless regex run for ever."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Stat:
    """Of /proc/PID/stat (proc_pid_stat(5)); ``started`` in seconds of ``CLOCK_BOOTTIME``."""

    name: str
    state: str
    parent: int
    started: float


@dataclass(frozen=True, slots=True)
class Process:
    """One process that matched."""

    pid: int
    name: str
    uid: int
    started: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: ``program`` (exactly) or ``regex`` (anywhere in the command line), narrowed by ``arguments`` and ``uid``."""

    program: bytes = b""
    arguments: re.Pattern[str] | None = None
    regex: re.Pattern[str] | None = None
    uid: int | None = None

    @property
    def picky(self) -> bool:
        """The name that the kernel compares does not decide alone."""
        return len(self.program) > NAME_BYTES or bool(self.arguments or self.regex) or self.uid is not None


def parse_stat(text: str) -> Stat:
    """Of the text of /proc/PID/stat. The name stands in brackets and may hold brackets and spaces itself."""
    head, _, rest = text.rpartition(")")
    fields = rest.split()
    if len(fields) < 20 or "(" not in head:
        raise ValueError(f"not a process's stat: {text[:60]!r}")
    return Stat(head.partition("(")[2], fields[0], int(fields[1]), int(fields[19]) / TICKS)


def parse_words(data: bytes) -> list[str]:
    """The arguments in /proc/PID/cmdline. Programs that write a title there (nginx) are one word; kernel threads have none."""
    data = data.rstrip(b"\0")
    return data.decode(errors="surrogateescape").split("\0") if data else []


def parse_uid(text: str) -> int:
    """The effective user of /proc/PID/status; ``ValueError`` when it has none."""
    found = re.search(r"^Uid:\s+\d+\s+(\d+)", text, re.MULTILINE)
    if not found:
        raise ValueError("no Uid in a process's status")
    return int(found[1])


def parse_last_pid(text: str) -> int:
    """The process id given out last, of /proc/loadavg (proc_loadavg(5)); ``ValueError`` when the text is cut short."""
    return int(text.split()[4])


class Search:
    """A repeated search for the same processes. ``cost`` is what the latest took in seconds, ``count`` how many processes it saw."""

    def __init__(self, host: Host, what: Wanted) -> None:
        self.host, self.files, self.wanted = host, host.files, what
        self.own = (
            os.getpid() if host.live and os.getpid() != 1 else 0
        )  # in a container all orphans are children of process 1
        self.cost, self.count = 0.0, 0
        self.quiet_pid = self.last_pid = -1
        self.looked = self.asked = float("-inf")
        self.found: list[Process] = []
        self.users: dict[int, str] = {}

    def all(self, now: float | None = None, after: float = float("-inf")) -> list[Process]:
        """Every process that matches now.

        :param now: the look's instant, where another monitor's pass over /proc will do if it began later than ``after``.
        """
        began, found, pid = time.perf_counter(), [], 0
        called = self.called(now, after)
        try:
            with cpu_limit(REGEX_SECONDS if self.wanted.regex or self.wanted.arguments else 0):
                for pid in called:
                    match = self.match(pid)
                    if match:
                        found.append(match)
        except CpuLimitError as error:
            raise UnavailableError(too_long(pid)) from error
        self.cost, self.found = time.perf_counter() - began, found
        return found

    def called(self, now: float | None, after: float) -> list[int]:
        """The processes that may match: of the right name, or all where only the command line decides."""
        if not self.wanted.program:
            every = list(pids(self.files))
            self.count = len(every)
            return every
        if now is None:
            now, after = self.host.clock.boottime(), float("inf")
        names = roll(self.files, now, after=max(after, self.asked))
        self.asked = now
        self.count = names.count
        return names.names.get(self.wanted.program[:NAME_BYTES], [])

    def all_if_forked(self, now: float, most: float) -> list[Process]:
        """As :meth:`all`; repeats the latest answer for up to ``most`` seconds while no process id was given out.

        That misses an old process that becomes another program (exec without fork), for as long as nothing else starts. A process that
        was about to do so at the latest search is seen: one more search follows after the last new process id.
        """
        last = self.last_given()
        if last != -1 and last == self.quiet_pid and now < self.looked + most:
            return self.found
        found = self.all(now)
        self.quiet_pid = last if last == self.last_pid else -1
        self.last_pid, self.looked = last, now
        return found

    def last_given(self) -> int:
        """The process id given out last, -1 where that is not to be learned."""
        try:
            return parse_last_pid(self.files.read("/proc/loadavg"))
        except (OSError, ValueError, IndexError):
            return -1

    def one(self, pid: int) -> Process | None:
        """The process of this id, if it matches."""
        try:
            with cpu_limit(REGEX_SECONDS if self.wanted.regex or self.wanted.arguments else 0):
                return self.match(pid)
        except CpuLimitError as error:
            raise UnavailableError(too_long(pid)) from error

    def match(self, pid: int) -> Process | None:
        """Cheapest first: of most processes only the name is read. Whoever is gone meanwhile, or hidden from us, does not match."""
        what, directory = self.wanted, f"/proc/{pid}"
        try:
            if (
                what.program
                and read_head(self.files, f"{directory}/comm", 64)[:-1] != what.program[:NAME_BYTES]
            ):
                return None
            if what.picky and not self.picked(directory):
                return None
            stat = parse_stat(os.fsdecode(read_head(self.files, f"{directory}/stat", 4096)))
            uid = parse_uid(os.fsdecode(read_head(self.files, f"{directory}/status", 4096)))
        except (OSError, ValueError):
            return None
        if stat.state in "ZX" or what.uid not in {None, uid} or self.is_own(pid, stat.parent):
            return None
        return Process(pid, stat.name, uid, stat.started)

    def picked(self, directory: str) -> bool:
        """Whether the command line matches."""
        what = self.wanted
        words = parse_words(read_head(self.files, f"{directory}/cmdline", COMMAND_LINE))
        if len(what.program) > NAME_BYTES and os.fsdecode(what.program) not in self.full_names(
            directory, words
        ):
            return False
        line = " ".join(words)
        return all(pattern.search(line) for pattern in (what.arguments, what.regex) if pattern) and bool(
            line or what.program
        )

    def full_names(self, directory: str, words: list[str]) -> Iterator[str]:
        """The uncut name: a program's first word, a script's second, or the file that runs."""
        yield from (word.rpartition("/")[2] for word in words[:2])
        yield self.files.real(f"{directory}/exe").rpartition("/")[2].removesuffix(" (deleted)")

    def describe(self, process: Process) -> str:
        """``name[pid] user``, for people."""
        if process.uid not in self.users:
            self.users[process.uid] = user_name(self.host, process.uid)
        return f"{process.name}[{process.pid}] {self.users[process.uid]}"

    def is_own(self, pid: int, parent: int) -> bool:
        """We ourselves, or what we started: a ``command`` monitor's program is no activity."""
        for _ in range(8):
            if self.own in {pid, parent} and self.own:
                return True
            if parent <= 1 or not self.own:
                return False
            pid, parent = (
                parent,
                parse_stat(os.fsdecode(read_head(self.files, f"/proc/{parent}/stat", 4096))).parent,
            )
        return False


def too_long(pid: int) -> Availability:
    """The answer when a regex does not come to an end."""
    return unavailable(
        f"the regex takes more than {REGEX_SECONDS} s of CPU time, latest at process {pid}",
        "write it without nested or neighbouring repetitions, such as (a+)+ or .*.*; possessive ones (a++) do not backtrack",
    )


def user_name(host: Host, uid: int) -> str:
    """A user's name, the number where it has none."""
    for line in text(host.files, "/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2] == str(uid):
            return fields[0]
    try:
        return pwd.getpwuid(uid).pw_name if host.live else str(uid)
    except KeyError:
        return str(uid)
