"""schedules/cron_jobs.py: what each of the two crons makes of a machine's crontabs. What Debian's does was found with cron 3.0pl1-162."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines import Machine
from powernap.config.declared import declared
from powernap.config.values import WrongValueError, convert
from powernap.core.timetable import UP, Span
from powernap.schedules import ScheduleError, cron_jobs
from powernap.schedules.cron_jobs import Options, read

DEBIANS = """# /etc/crontab: system-wide crontab
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin

# m h dom mon dow user\tcommand
17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly
25 6\t* * *\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }
47 6\t* * 7\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.weekly; }
"""
"""Debian 12's own."""
MONDAY = "2026-11-23"


def instant(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.fixture
def debian(tmp_path: Path) -> Machine:
    """Debian's cron, with its own crontab and a nightly backup of root's."""
    return Machine(
        tmp_path,
        {
            "/usr/sbin/cron": "",
            "/etc/crontab": DEBIANS,
            "/etc/cron.d/.placeholder": "# keeps dpkg from deleting the directory\n",
            "/var/spool/cron/crontabs/root": "30 2 * * * /usr/local/bin/backup --password=secret\n",
            "/var/spool/cron/atjobs/.SEQ": "0\n",
        },
    )


@pytest.fixture
def cronie(tmp_path: Path) -> Machine:
    """Red Hat's."""
    return Machine(
        tmp_path,
        {"/usr/sbin/crond": "", "/var/spool/cron/root": "30 2 * * * /usr/local/bin/backup\n"},
    )


def spans(machine: Machine, *jobs: str, zone: str = "UTC", days: int = 1) -> list[Span]:
    """What is said of Monday (and the days after it)."""
    start = instant(MONDAY, zone)
    options = Options(jobs=jobs, stay=1800.0)
    return list(cron_jobs.spans(machine.host, options, start, start + days * 86400, ZoneInfo(zone)))


def details(machine: Machine, *jobs: str) -> set[str]:
    return {each.detail for each in spans(machine, *jobs, days=7)}


def test_the_machine_is_up_when_a_job_that_is_named_is_to_run(debian: Machine) -> None:
    """In the machine's time zone, for as long as it is to stay; no unit tells when it has ended."""
    start = instant("2026-11-23 02:30", "Europe/Berlin")
    found = spans(debian, "backup", zone="Europe/Berlin")
    assert [(each.start, each.end, each.says, each.unit) for each in found] == [(start, start + 1800, UP, "")]


def test_no_other_job_wakes_it(debian: Machine) -> None:
    """Of five jobs a day, four are not named."""
    assert spans(debian, "nothing-of-this-name") == []
    assert len(spans(debian, "cron.hourly")) == 24
    assert len(spans(debian, r"cron\.(daily|weekly)", days=7)) == 8


def test_people_see_the_program_and_never_its_arguments(debian: Machine) -> None:
    """A crontab is for its user's eyes only, and passwords stand in it."""
    debian.put("/etc/cron.d/sync", "@daily www PASSWORD=secret TOKEN=x /usr/bin/sync secret\n")
    assert details(debian, "backup", "sync") == {
        "30 2 * * * /usr/local/bin/backup (crontab of root)",
        "@daily /usr/bin/sync (/etc/cron.d/sync)",
    }


def test_jobs_are_named_by_their_command_only(debian: Machine) -> None:
    """Not by the user, nor by what follows "%", which is the job's input (crontab(5))."""
    debian.put("/etc/cron.d/mail", "0 1 * * * backup mail -s 50\\% joe%where is the backup?\n")
    assert "/etc/cron.d/mail" not in str(details(debian, "backup"))
    assert details(debian, "50") == {"0 1 * * * mail (/etc/cron.d/mail)"}


def test_variables_comments_and_empty_lines_are_no_jobs(debian: Machine) -> None:
    """Also quoted ones, and with spaces; a job with "=" in its command is one."""
    debian.put(
        "/etc/cron.d/env",
        "A=1\n B = '2'\n\"C D\" = 3\n'E'=4\n\n   \t\n  # 1 2 3 4 5\n*/5 * * * * root env X=y true\n",
    )
    table = read((debian.root / "etc/cron.d/env").read_text(), "env", "", whole=True)
    assert table.faults == ()
    assert [(job.when, job.user, job.command) for job in table.jobs] == [
        ("*/5 * * * *", "root", "env X=y true")
    ]


def test_a_job_at_boot_has_no_time(debian: Machine) -> None:
    """Nor is it a fault."""
    debian.put("/etc/cron.d/boot", "@reboot root backup\n")
    assert "/etc/cron.d/boot" not in str(details(debian, "backup"))
    assert "boot" not in cron_jobs.probe(debian.host, Options(jobs=("backup",))).detail


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("nonsense\n", '"nonsense" is no job'),
        ("61 * * * * root backup\n", '"61 * * * *": "61" is no minute'),
        ("@fortnightly root backup\n", '"@fortnightly": there is no such nickname'),
        ("0 0 * * *\n", "it has no command"),
        ("0 0 * * * root\n", "it has no command"),
        ("0 0 * * * root *\n", "it has no command"),
        ("0 0 * * * root backup", "its last line has no end"),
    ],
)
def test_debians_cron_ignores_a_whole_file_with_a_fault_and_cronie_the_line(line: str, fault: str) -> None:
    """Cron 3.0pl1 logs "Syntax error, this crontab file will be ignored"; cronie "bad minute", and goes on."""
    content = f"0 1 * * * root good\n{line}"
    whole, each = read(content, "x", "", whole=True), read(content, "x", "", whole=False)
    assert whole.faults == each.faults == (f"line 2: {fault}",)
    assert whole.jobs == ()
    assert [job.command for job in each.jobs] == ["good"]


def test_the_probe_says_what_cron_does_not_take(debian: Machine) -> None:
    """An admin who wrote it thinks it runs."""
    debian.put("/etc/cron.d/broken", "0 0 * * * root backup\n0 0 * * fooday root x\n")
    answer = cron_jobs.probe(debian.host, Options(jobs=("backup",)))
    left = 'cron does not take /etc/cron.d/broken, line 2: "0 0 * * fooday": "fooday" is no day of week'
    assert (answer.usable, answer.detail, answer.left_out) == (True, f"1 of 4 cron jobs; {left}", left)


@pytest.mark.parametrize("name", ["back.up", ".backup", "backup~", "backup.dpkg-old", "#backup#"])
def test_names_that_debians_cron_passes_over_in_cron_d(debian: Machine, name: str) -> None:
    """cron(8): letters, digits, underscores and hyphens; no dots."""
    debian.put(f"/etc/cron.d/{name}", "0 0 * * * root nightly\n")
    assert spans(debian, "nightly") == []
    debian.put("/etc/cron.d/back_up-2", "0 0 * * * root nightly\n")
    assert len(spans(debian, "nightly")) == 1


def test_users_with_a_dot_have_crontabs_and_half_written_ones_are_none(debian: Machine) -> None:
    """crontab(1) writes tmp.XXXXXX first."""
    debian.put("/var/spool/cron/crontabs/jane.doe", "0 0 * * * nightly\n")
    debian.put("/var/spool/cron/crontabs/tmp.Ab3dEf", "0 0 * * * nightly\n")
    assert details(debian, "nightly") == {"0 0 * * * nightly (crontab of jane.doe)"}


def test_cronie_takes_other_names_and_the_spool_of_red_hat(cronie: Machine) -> None:
    """Its not_a_crontab: hidden, edited and left by rpm."""
    for name in ("0.hourly", "old.rpmsave", "new.rpmnew", "orig.rpmorig", "edited~", ".hidden"):
        cronie.put(f"/etc/cron.d/{name}", f"0 0 * * * root nightly{name[0]}\n")
    assert details(cronie, "nightly", "backup") == {
        "0 0 * * * nightly0 (/etc/cron.d/0.hourly)",
        "30 2 * * * /usr/local/bin/backup (crontab of root)",
    }


def test_cronie_takes_a_dash_that_keeps_a_job_out_of_the_log(cronie: Machine) -> None:
    """As in "-*/15 * * * *" of SUSE's /etc/crontab."""
    cronie.put("/etc/crontab", "-0 0 * * * root nightly\n")
    assert details(cronie, "nightly") == {"0 0 * * * nightly (/etc/crontab)"}


def test_suses_spool_is_read(tmp_path: Path) -> None:
    """Where crontabs are in "tabs"."""
    machine = Machine(tmp_path, {"/var/spool/cron/tabs/root": "0 0 * * * nightly\n"})
    assert details(machine, "nightly") == {"0 0 * * * nightly (crontab of root)"}


def test_cronie_goes_by_cron_tz_and_debians_cron_does_not(debian: Machine, tmp_path: Path) -> None:
    """From its line on, until another one; Debian's crontab(5) knows no such thing, and the job ran at local time when it was tried."""
    table = "0 1 * * * root one\nCRON_TZ=Asia/Tokyo\n0 1 * * * root two\nCRON_TZ = 'America/New_York'\n0 1 * * * root three\nCRON_TZ=\n0 1 * * * root four\n"
    debian.put("/etc/cron.d/zones", table)
    assert [each.start for each in spans(debian, "one|two|three|four")] == [instant("2026-11-23 01:00")] * 4
    red_hat = Machine(tmp_path / "other", {"/var/spool/cron/x": "", "/etc/cron.d/zones": table})
    found = {each.detail.split()[5]: each.start for each in spans(red_hat, "one|two|three|four")}
    assert found == {
        "one": instant("2026-11-23 01:00"),
        "two": instant("2026-11-23 16:00"),
        "three": instant("2026-11-23 06:00"),
        "four": instant("2026-11-23 01:00"),
    }


def test_a_cron_tz_that_there_is_not_is_utc(cronie: Machine) -> None:
    """As the C library has it."""
    cronie.put("/var/spool/cron/jane", "CRON_TZ=Europe/Atlantis\n0 1 * * * nightly\n")
    found = spans(cronie, "nightly", zone="Europe/Berlin")
    assert [each.start for each in found] == [instant("2026-11-23 01:00")]


def test_a_machine_without_crontabs_has_no_jobs(tmp_path: Path) -> None:
    """And without cron nothing would run them."""
    machine = Machine(tmp_path, {"/etc/cron.d/e2scrub": "0 0 * * * root nightly\n"})
    answer = cron_jobs.probe(machine.host, Options(jobs=("x",)))
    assert (answer.usable, answer.remedy) == (False, "install cron, or use systemd-timers")
    machine.put("/usr/sbin/cron", "")
    assert cron_jobs.probe(machine.host, Options(jobs=("x",))).detail == "0 of 1 cron job"
    assert spans(machine, "x") == []


class Unreadable:
    """Files of which one directory is root's alone."""

    def __init__(self, machine: Machine) -> None:
        self.files = machine.host.files

    def names(self, path: str) -> list[str]:
        if path == "/var/spool/cron/crontabs":
            raise PermissionError(13, "Permission denied", path)
        return self.files.names(path)

    def __getattr__(self, name: str) -> object:
        return getattr(self.files, name)


def test_a_spool_that_cannot_be_read_is_a_schedule_that_cannot_tell(debian: Machine) -> None:
    """It is told rather than taken for empty."""
    debian.host.files = Unreadable(debian)  # type: ignore[assignment]
    with pytest.raises(ScheduleError, match="crontabs cannot be read .Permission denied.; run as root"):
        spans(debian, "backup")
    assert not cron_jobs.probe(debian.host, Options(jobs=("x",)))


def test_jobs_must_be_named() -> None:
    """Most of a machine's cron jobs must not wake it."""
    assert declared(Options)["jobs"].required
    with pytest.raises(WrongValueError, match="is not a regular expression"):
        convert("*backup", declared(Options)["jobs"])
    with pytest.raises(WrongValueError, match="is an empty list"):
        convert([], declared(Options)["jobs"])
    with pytest.raises(WrongValueError, match="must be more than 0"):
        convert("0", declared(Options)["stay"])


def test_the_places_of_all_crontabs_are_watched() -> None:
    """A new job is known without being asked for."""
    watched = cron_jobs.watched(Options(jobs=("x",)))
    assert {
        "/etc/crontab",
        "/etc/cron.d",
        "/var/spool/cron/crontabs",
        "/var/spool/cron",
        "/etc/localtime",
    } <= {*watched}


@given(
    st.text(alphabet="0123456789*/-,@=\"'% \t\nabroot#", max_size=80),
    st.booleans(),
    st.sampled_from(("", "root")),
)
def test_no_crontab_breaks_the_reader(content: str, whole: bool, user: str) -> None:
    """Each line is a job, a fault, or nothing."""
    table = read(content, "x", user, whole=whole)
    assert len(table.jobs) + len(table.faults) <= content.count("\n") + 1
    assert all(job.command for job in table.jobs)


def test_a_pattern_that_no_job_has_is_doubted(debian: Machine) -> None:
    """With the commands that there are, as far as everybody may read them; one that is run at boot only has no time."""
    found = list(cron_jobs.doubts(debian.host, Options(jobs=("backup", "run-parts", "bakcup"))))
    assert ['"bakcup" is in the command of no cron job here'] == [each.what for each in found]
    assert found[0].remedy.startswith(
        'those here are "/usr/local/bin/backup", "cd / && run-parts --report /etc/cron.hou", '
    )
    assert "secret" not in found[0].remedy
    assert ["jobs"] == [each.key for each in found]


def test_zones_that_do_not_exist_are_not_guessed_at(cronie: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: each job with one took a walk through the whole database, and any user may write ten thousand of them."""
    monkeypatch.setattr("powernap.host.zones._meant", lambda _name: pytest.fail("it was guessed at"))
    lines = "".join(f"CRON_TZ=No/Where{n}\n0 1 * * * nightly\n" for n in range(300))
    cronie.put("/var/spool/cron/jane", lines)
    found = spans(cronie, "nightly", zone="Europe/Berlin")
    assert len(found) == 300
    assert {each.start for each in found} == {instant("2026-11-23 01:00")}


@pytest.mark.parametrize("line", ["0 1 * * * \x1b[2Jbackup\n", "\x1b[2J * * * * backup\n", "\x1b]0;x\x07\n"])
def test_control_characters_are_shown_and_not_sent_to_the_terminal(debian: Machine, line: str) -> None:
    """Crontabs are written by any user; also what is wrong with a line, and which jobs there are."""
    debian.put("/var/spool/cron/crontabs/jane", line)
    debian.put("/etc/cron.d/own", f"0 1 * * * root {line}")
    options = Options(jobs=("backup", "none"))
    shown = [*details(debian, "backup"), cron_jobs.probe(debian.host, options).detail]
    shown += [f"{each.what} {each.remedy}" for each in cron_jobs.doubts(debian.host, options)]
    assert all(text.isprintable() for text in shown)
    assert "\\x1b" in "".join(shown)
