"""Jobs in the machine's crontabs: it must be up when cron is to run one of those that are named.

Most cron jobs must not wake a machine: ``jobs`` says which do, as words of their command or regular expressions. Read are /etc/crontab,
/etc/cron.d and the users' crontabs, each as the cron does that is here: Debian's ignores a whole file with a line that it cannot read,
file names with a dot, and ``CRON_TZ``; cronie (Red Hat, SUSE) skips the line, and goes by ``CRON_TZ``. Jobs of systemd-cron are timers: ``systemd-timers``.

When a job has ended cron tells nobody, so the machine stays up for ``stay``. ``@reboot`` has no time. Owners and rights of the files are not
looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.timetable import UP, Span
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host import zones
from powernap.host.availability import Availability, available, unavailable
from powernap.schedules import Doubt, ScheduleError, named
from powernap.schedules._cron import Rule, parse, stays
from powernap.schedules._names import WrongError
from powernap.schedules._options import staying
from powernap.schedules._plain import plain

if TYPE_CHECKING:
    from datetime import tzinfo

    from powernap.host.files import Files
    from powernap.host.host import Host

CRONS = ("/usr/sbin/cron", "/usr/sbin/crond", "/usr/bin/crond")
SYSTEM, MORE = "/etc/crontab", "/etc/cron.d"
DEBIANS = "/var/spool/cron/crontabs"
SPOOLS = (DEBIANS, "/var/spool/cron/tabs", "/var/spool/cron")
"""Users' crontabs of Debian's cron, of SUSE's, of Red Hat's. The first that is there counts."""
VARIABLE = re.compile(r"""(?:"([^"]*)"|'([^']*)'|([^\s="']+))\s*=\s*(.*)""")
ENTRY = re.compile(r"((?:@\S+|(?:\S+[ \t]+){4}\S+))(?:[ \t]+(.*))?")
PLAIN = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
LEFT_BEHIND = ("~", ".rpmsave", ".rpmorig", ".rpmnew")
SHOWN = 40
"""Characters of a program's name in what people see."""


HOW = """\
Each is looked for in the command of every line of the crontabs.

  backup                      whatever has "backup" in its command
  '^/usr/local/bin/nightly'   what begins so
  'run-parts .*weekly'        Debian's weekly jobs"""


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    jobs: tuple[str, ...] = option(
        unit="regex",
        example='["backup", "/usr/local/bin/nightly"]',
        help="Which jobs: words of their command, or regular expressions.",
        how=HOW,
    )
    stay: float = staying(600.0, "How long the machine is kept up for a job.")


@dataclass(frozen=True, slots=True)
class Job:
    """A line of a crontab. ``zone`` is empty for the machine's; ``rule`` is ``None`` for ``@reboot``."""

    rule: Rule | None
    when: str
    user: str
    command: str
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A crontab: where it is, its jobs, and what cron does not take of it."""

    path: str
    jobs: tuple[Job, ...]
    faults: tuple[str, ...] = ()


def read(content: str, path: str, user: str, *, whole: bool) -> Table:
    """What cron makes of a crontab.

    :param user: whose it is; empty: the lines name one (crontab(5)).
    :param whole: as Debian's cron: one fault, and nothing in the file counts; ``CRON_TZ`` means nothing.
    """
    jobs: list[Job] = []
    faults: list[str] = []
    zone = ""
    lines = content.split("\n")
    for number, line in enumerate(lines, 1):
        text = line.lstrip(" \t")
        if not text or text.startswith("#"):
            continue
        if variable := VARIABLE.match(text):
            zone = _zone(variable, zone)
            continue
        try:
            if number == len(lines):
                raise WrongError("its last line has no end")
            jobs.append(_job(text if whole else text.removeprefix("-"), user, "" if whole else zone))
        except WrongError as error:
            faults.append(plain(f"line {number}: {str(error).partition('; ')[0]}"))
    return Table(path, () if whole and faults else tuple(jobs), tuple(faults))


def _zone(variable: re.Match[str], before: str) -> str:
    """What CRON_TZ is from here on."""
    quoted, also, bare, value = variable.groups()
    return value.strip().strip("\"'") if "CRON_TZ" in {quoted, also, bare} else before


def _job(text: str, user: str, zone: str) -> Job:
    """A line with a command; :class:`WrongError` when cron does not take it."""
    found = ENTRY.match(text)
    if not found:
        raise WrongError(f'"{text[:SHOWN]}" is no job')
    when, command = found[1], found[2] or ""
    if not user:
        user, command = [*re.split("[ \t]+", command, maxsplit=1), ""][:2]
    command = re.split(r"(?<!\\)%", command.lstrip(), maxsplit=1)[0].strip()
    if not command or command.startswith("*"):
        raise WrongError("it has no command")
    return Job(None if when == "@reboot" else parse(when, strict=False), when, user, command, zone)


def tables(files: Files) -> Iterator[Table]:
    """All crontabs; ``OSError`` when one cannot be read."""
    spool = next((path for path in SPOOLS if files.exists(path)), DEBIANS)
    debian = spool == DEBIANS
    listed = [(SYSTEM, "")]
    listed += [(f"{MORE}/{name}", "") for name in files.names(MORE) if not debian or PLAIN.fullmatch(name)]
    listed += [(f"{spool}/{name}", name) for name in files.names(spool) if not name.startswith("tmp.")]
    for path, user in listed:
        name = path.rpartition("/")[2]
        if name.startswith((".", "#")) or name.endswith(LEFT_BEHIND):
            continue
        try:
            yield read(files.read(path), path, user, whole=debian)
        except (FileNotFoundError, IsADirectoryError):
            continue


def _matching(found: Iterable[Table], options: Options) -> list[tuple[Table, Job]]:
    """The jobs that were asked for."""
    patterns = [re.compile(each) for each in options.jobs]
    return [
        (table, job)
        for table in found
        for job in table.jobs
        if any(pattern.search(job.command) for pattern in patterns)
    ]


def probe(host: Host, options: Options) -> Availability:
    """Which jobs are there?"""
    if not any(map(host.files.exists, CRONS)):
        return unavailable(
            "there is no cron here that would run a job", "install cron, or use systemd-timers"
        )
    try:
        found = list(tables(host.files))
    except OSError as error:
        return unavailable(f"{error.filename} cannot be read ({error.strerror})", "run as root")
    ignored = [f"{table.path}, {fault}" for table in found for fault in table.faults]
    left = f"cron does not take {'; '.join(ignored)}" if ignored else ""
    total = many(sum(len(table.jobs) for table in found), "cron job")
    return available(f"{len(_matching(found, options))} of {total}" + (f"; {left}" if left else ""), left)


def doubts(host: Host, options: Options) -> Iterator[Doubt]:
    """Patterns that no job has, or only one that has no time."""
    try:
        crontabs = list(tables(host.files))
    except OSError:
        return  # probe says so
    found = [job for table in crontabs for job in table.jobs]
    commands = sorted({_shown(table, job) for table in crontabs for job in table.jobs})
    there = f"those here are {named(commands)}" if commands else "no crontab here has a job"
    for pattern in options.jobs:
        jobs = [job for job in found if re.search(pattern, job.command)]
        if not jobs:
            yield Doubt("jobs", f'"{pattern}" is in the command of no cron job here', there)
        elif all(job.rule is None for job in jobs):
            yield Doubt("jobs", f'"{pattern}" is run @reboot only, at no time of the clock', "leave it out")


def spans(host: Host, options: Options, start: float, end: float, local: tzinfo) -> Iterator[Span]:
    """Each job's times."""
    try:
        found = _matching(tables(host.files), options)
    except OSError as error:
        raise ScheduleError(f"{error.filename} cannot be read ({error.strerror})", "run as root") from None
    known: dict[str, tzinfo] = {"": local}
    for table, job in found:
        if job.rule is None:
            continue
        if job.zone not in known:
            known[job.zone] = _named(job.zone)
        for since, until in stays(job.rule, known[job.zone], start, end, options.stay):
            yield Span(since, until, UP, detail=_detail(table, job))


def _named(zone: str) -> tzinfo:
    """A CRON_TZ that does not exist is UTC to the C library (tzset(3)). Whoever may write a crontab may write many: none is guessed at."""
    return zones.found(zone) or zones.named("UTC")


def _detail(table: Table, job: Job) -> str:
    """When, which program and where it stands: arguments may be secrets, and others than root see this."""
    where = table.path if table.path.startswith("/etc/") else f"crontab of {job.user}"
    return plain(f"{job.when} {_program(job)} ({where})")


def _shown(table: Table, job: Job) -> str:
    """A command as far as others than root may see it."""
    words = " ".join(word for word in job.command.split() if "=" not in word)
    return f'"{plain(words[:SHOWN] if table.path.startswith("/etc/") else _program(job))}"'


def _program(job: Job) -> str:
    words = [word for word in job.command.split() if "=" not in word]
    return words[0][:SHOWN] if words else "a command"


def watched(options: Options) -> tuple[str, ...]:  # noqa: ARG001 - the contract's
    """Crontabs and the directories where they come and go, and the machine's time zone."""
    return (SYSTEM, MORE, *SPOOLS, *zones.files_of({""}))
