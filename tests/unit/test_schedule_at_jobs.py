"""schedules/at_jobs.py: when a job of at is to run is in its file's name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines import Machine
from powernap.config.declared import declared
from powernap.config.values import WrongValueError, convert
from powernap.core.timetable import UP, Span
from powernap.host.clock import Clock
from powernap.schedules import ScheduleError, at_jobs
from powernap.schedules.at_jobs import Job, Options, parse

JOB, AT = "a0000101c89dd4", 1795489200
"""Written by at 3.2.5 for 2026-11-24 03:00 UTC."""
WEEK = 7 * 86400


class Booted(Clock):
    """A machine that was switched on at an instant."""

    def __init__(self, at: float, now: float) -> None:
        self.at, self.now = at, now

    def boottime(self) -> float:
        return self.now - self.at

    def wall(self) -> float:
        return self.now


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """On since a day before the job, with what else lies in Debian's spool."""
    found = Machine(tmp_path, {f"/var/spool/cron/atjobs/{name}": "" for name in (JOB, ".SEQ", ".lockfile")})
    found.host.clock = Booted(AT - 86400, AT - 3600)
    return found


def spans(machine: Machine, options: Options = Options(), start: float = AT - 3600) -> list[Span]:  # noqa: B008
    return list(at_jobs.spans(machine.host, options, start, start + WEEK, UTC))


def test_the_name_that_at_wrote_is_read() -> None:
    """Queue, number and minute."""
    assert parse(JOB) == Job("a", 1, AT)
    assert datetime.fromtimestamp(AT, UTC) == datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [".SEQ", ".lockfile", "spool", "a0000101c89dd", "a0000101c89dd45", "a0000g01c89dd4", "10000101c89dd4"],
)
def test_other_files_of_the_spool_are_no_jobs(name: str) -> None:
    """At's number, its lock, Red Hat's directory for output."""
    assert parse(name) is None


@given(st.sampled_from("abzABZ="), st.integers(0, 0xFFFFF), st.integers(0, 0xFFFFFFFF))
def test_every_name_that_at_can_write_is_read(queue: str, number: int, minute: int) -> None:
    """sprintf("%c%5lx%8lx"), with zeros for spaces."""
    name = f"{queue}{number:5x}{minute:8x}".replace(" ", "0")
    assert parse(name) == Job(queue, number, minute * 60)


def test_the_machine_is_up_when_a_job_is_to_run(machine: Machine) -> None:
    """For as long as it is to stay."""
    assert spans(machine) == [Span(AT, AT + 600, UP, detail="at job 1")]
    assert spans(machine, Options(stay=60.0), AT + 59)[0].end == AT + 60
    assert spans(machine, Options(stay=60.0), AT + 60) == []
    assert spans(machine, start=AT - WEEK) == []


def test_only_jobs_of_the_queues_that_are_named_count(machine: Machine) -> None:
    """Without any, all do: at's, batch's, and those with capital letters."""
    for queue in "bcZ":
        machine.put(f"/var/spool/cron/atjobs/{queue}{JOB[1:]}", "")
    assert sorted(each.detail for each in spans(machine)) == [
        "at job 1",
        "at job 1, queue Z",
        "at job 1, queue b",
        "at job 1, queue c",
    ]
    assert [each.detail for each in spans(machine, Options(queues=("c",)))] == ["at job 1, queue c"]


def test_a_running_job_counts_whatever_its_queue(machine: Machine) -> None:
    """Its file's first letter is "=" then, so nobody knows."""
    machine.put(f"/var/spool/cron/atjobs/={JOB[1:]}", "")
    assert [each.detail for each in spans(machine, Options(queues=("c",)), AT)] == ["at job 1, running"]


def test_a_job_that_was_slept_over_runs_at_the_boot(machine: Machine) -> None:
    """And the machine stays up for it from then on."""
    machine.host.clock = Booted(AT + 5000, AT + 5010)
    assert [(each.start, each.end) for each in spans(machine, start=AT + 5010)] == [(AT + 5000, AT + 5600)]


def test_a_lock_that_nobody_deletes_does_not_keep_the_machine_up(machine: Machine) -> None:
    """However often it is asked."""
    machine.put(f"/var/spool/cron/atjobs/={JOB[1:]}", "")
    machine.host.clock = Booted(AT - 86400, AT + 7000)
    assert spans(machine, start=AT + 7000) == []


def test_the_spools_of_other_distributions_are_read(tmp_path: Path) -> None:
    """Red Hat's and SUSE's."""
    for number, spool in enumerate(("/var/spool/at", "/var/spool/atjobs")):
        machine = Machine(tmp_path / str(number), {f"{spool}/{JOB}": ""})
        assert [each.start for each in spans(machine)] == [AT]
        assert spool in at_jobs.watched(Options())


def test_the_probe_says_how_many_wait_or_that_there_is_no_at(machine: Machine, tmp_path: Path) -> None:
    """No spool, no at."""
    assert at_jobs.probe(machine.host, Options()).detail == "1 job of at"
    answer = at_jobs.probe(Machine(tmp_path / "none", {}).host, Options())
    assert (answer.usable, answer.remedy) == (False, "install the package at")


class Unreadable:
    """Files of which the spool is the daemon's alone."""

    def exists(self, path: str) -> bool:
        return True

    def names(self, path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)


def test_a_spool_that_cannot_be_read_is_a_schedule_that_cannot_tell(machine: Machine) -> None:
    """It is told rather than taken for empty."""
    machine.host.files = Unreadable()  # type: ignore[assignment]
    with pytest.raises(ScheduleError, match="atjobs cannot be read .Permission denied.; run as root"):
        spans(machine)
    assert not at_jobs.probe(machine.host, Options())


def test_queues_are_letters() -> None:
    """As `at -q` has it."""
    assert convert(["a", "Z"], declared(Options)["queues"]) == ("a", "Z")
    for bad in ("=", "ab", "1", "ä"):
        with pytest.raises(WrongValueError, match="is no queue"):
            convert(bad, declared(Options)["queues"])
