"""daemon/postponing.py: who may postpone an off, for how long, and that it only ever keeps the machine up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agendas
from agendas import HOUR, Claim, Clock, Diary, instant
from powernap.config.model import Off
from powernap.core.timetable import OFF, UP, Period, Span
from powernap.daemon import postponing
from powernap.daemon.control import Peer, RefusedError
from powernap.daemon.postponing import AHEAD, POSTPONED_MAX, due, left, may, postpone, run_of
from powernap.host.files import TreeFiles
from unit.test_logins import row

NIGHT = """
[schedule.night]
type = "windows"
off = "daily 22:00-06:00 UTC"
"""
TEN = instant("2035-01-01 22:00")
SIX = instant("2035-01-02 06:00")
ROOT, ALICE = Peer(1, 0, 0, may_act=True), Peer(2, 65534, 65534, may_act=False)
MIN = 60.0


def logged_in(root: Path, uid: int = 65534, state: str = "active", kind: str = "user") -> None:
    """As logind keeps it."""
    (root / "run/systemd/sessions").mkdir(parents=True, exist_ok=True)
    (root / f"run/systemd/sessions/c{uid}").write_text(f"UID={uid}\nCLASS={kind}\nSTATE=active\n")
    (root / "run/systemd/users").mkdir(parents=True, exist_ok=True)
    (root / f"run/systemd/users/{uid}").write_text(
        f"# private\nNAME=somebody\nSTATE={state}\nSESSIONS=7 c{uid}\n"
    )


def kept(text: str = NIGHT, at: str = "2035-01-01 21:50") -> Callable[[Claim], Callable[[Path], None]]:
    """The same on a machine where Alice is logged in, once the schedules have answered."""

    def decorate(test: Claim) -> Callable[[Path], None]:
        async def answered(diary: Diary) -> None:
            await diary.look()
            await test(diary)

        answered.__doc__ = test.__doc__
        return agendas.kept(text, at, logged_in)(answered)

    return decorate


def ask(diary: Diary, length: Any = None, peer: Peer = ALICE, why: str = "") -> dict[str, Any]:
    return postpone(diary.agenda, peer, length, why)


def refused(diary: Diary, length: Any = None, peer: Peer = ALICE) -> RefusedError:
    """The refusal; it changed nothing."""
    before = diary.agenda.kept
    with pytest.raises(RefusedError) as error:
        ask(diary, length, peer)
    assert diary.agenda.kept == before
    return error.value


def off_at(diary: Diary) -> float | None:
    """When the core was told that it goes off, on the wall clock."""
    off = diary.plan.off
    return None if off is None else off.at + diary.clock.wall() - diary.clock.boottime()


# ------------------------------------------------------------ what follows


@kept()
async def test_postponed_it_stays_up_from_now_until_so_long_after(diary: Diary) -> None:
    """Who, from when until when and why is told once; the core is told at once."""
    assert off_at(diary) == TEN
    done = ask(diary, 1800.0, why="release")
    assert done == {
        "schedule": "night",
        "was": TEN,
        "until": TEN + 1800.0,
        "ends": False,
        "left_s": 4 * HOUR - 1800.0,
    }
    assert off_at(diary) == TEN + 1800.0
    assert diary.up() == [("extended", "the schedule keeps it up: release (nobody)")]
    assert diary.said == [
        ("postponed", "nobody postponed the off of schedule night, due at 22:00, until 22:30: release")
    ]
    [entry] = diary.agenda.facts()["extended"]
    assert (entry["who"], entry["end"], entry["postponed"]) == ("nobody", TEN + 1800.0, 1800.0)


@kept(at="2035-01-01 23:10")
async def test_overdue_it_counts_from_now(diary: Diary) -> None:
    """The machine is in use, or on leases; what it was not postponed for is nobody's."""
    done = ask(diary)
    assert (done["was"], done["until"]) == (TEN, TEN + 100 * MIN)
    assert done["left_s"] == 4 * HOUR - 1800.0


@kept()
async def test_again_goes_on_where_it_ends_and_is_one_exception(diary: Diary) -> None:
    """Each time by as much, until all of it is used; nothing is heaped up."""
    for number in range(1, 9):
        diary.clock.at = max(diary.clock.at, TEN + (number - 2) * 1800.0)
        done = ask(diary)
        assert done["until"] == TEN + number * 1800.0
        assert done["left_s"] == pytest.approx(4 * HOUR - number * 1800.0)
        assert len(diary.agenda.kept.extended) == 1
    over = refused(diary)
    assert (over.code, over.message) == (1, "it has been postponed as long as users may, 4h in all")
    assert "schedule extend" in over.remedy
    assert off_at(diary) == TEN + 4 * HOUR


@kept()
async def test_after_its_end_the_next_night_has_its_own_limit(diary: Diary) -> None:
    """What was postponed last night is not tonight's."""
    ask(diary, 3600.0)
    diary.clock.at += 24 * HOUR
    await diary.look()
    done = ask(diary, 3600.0)
    assert (done["was"], done["left_s"]) == (TEN + 24 * HOUR, 3 * HOUR)


async def use_up(diary: Diary) -> float:
    """Postpone it, each time at its end, until nobody may any more: how many hours of a day that gave."""
    began = diary.clock.at
    while diary.clock.at < began + 24 * HOUR:
        await diary.look()
        try:
            diary.clock.go(ask(diary, HOUR)["until"] - diary.clock.at)
        except RefusedError:
            break
    return (diary.clock.at - TEN) / HOUR


TWO = '[schedule.a]\ntype = "windows"\noff = "daily 22:00-02:00 UTC"\n[schedule.b]\ntype = "windows"\noff = "daily 02:00-10:00 UTC"\n'
DAYS = '[schedule.a]\ntype = "windows"\noff = ["Mon 22:00-24:00 UTC", "Tue-Thu UTC"]\n'
JOBS = '[schedule.a]\ntype = "windows"\noff = "daily 22:00-10:00 UTC"\n[schedule.b]\ntype = "cron"\nat = "30 * * * *"\nstay = "1min"\n'


@pytest.mark.parametrize("text", [TWO, DAYS, JOBS])
def test_one_time_of_off_has_one_limit_whatever_it_is_made_of(tmp_path: Path, text: str) -> None:
    """Two schedules, days one after the other, jobs for which it is up in between: what is over of it was used all the same, a day later too."""

    @kept(text)
    async def claim(diary: Diary) -> None:
        assert 3.0 < await use_up(diary) <= 4.25
        if text == DAYS:
            diary.clock.go(30 * HOUR)
            diary.agenda.extend(diary.clock.at, diary.clock.at + 60.0, "", "root")
            await diary.look()
            assert refused(diary).message == "it has been postponed as long as users may, 4h in all"

    claim(tmp_path)


@kept(at="2035-01-02 05:40")
async def test_it_ends_with_the_off(diary: Diary) -> None:
    """At 06:00 no schedule wants it off any more."""
    done = ask(diary, 3600.0)
    assert (done["until"], done["ends"]) == (SIX, True)
    assert diary.said[-1][1].endswith(", until 06:00, when its time of off ends")
    assert diary.plan.off is None or off_at(diary) == TEN + 24 * HOUR


@kept()
async def test_an_admins_extension_is_not_counted(diary: Diary) -> None:
    """The time of off begins after it, with all that users may."""
    diary.agenda.extend(diary.clock.at, TEN + 30 * MIN, "", "root")
    done = ask(diary, 3600.0)
    assert (done["was"], done["until"], done["left_s"]) == (TEN + 30 * MIN, TEN + 90 * MIN, 3 * HOUR)


@kept()
async def test_an_admin_has_no_limit_and_uses_nobodys(diary: Diary) -> None:
    """Root and group powernap: also where users may not."""
    object.__setattr__(diary.agenda.config, "off", Off(postpone=0.0))
    assert ask(diary, 7 * HOUR, ROOT) == {
        "schedule": "night", "was": TEN, "until": TEN + 7 * HOUR, "ends": False, "left_s": None,
    }  # fmt: skip
    [entry] = diary.agenda.kept.extended
    assert (entry.postponed, entry.off_until > 0) == (0.0, True)
    assert diary.up() == [("extended", "the schedule keeps it up: postponed (root)")]


@kept()
async def test_two_users_share_what_there_is(diary: Diary) -> None:
    """The second goes on where the first ended; the whole is limited, not each."""
    logged_in(Path(diary.host.files.root), 33)  # type: ignore[attr-defined]
    ask(diary, 1800.0)
    done = ask(diary, 1800.0, Peer(3, 33, 33, may_act=False))
    assert (done["until"], done["left_s"]) == (TEN + 3600.0, 3 * HOUR)
    assert len(diary.agenda.kept.extended) == 2


# ------------------------------------------------------------ what is refused


@kept()
async def test_who_is_not_logged_in_may_not(diary: Diary) -> None:
    """A service, a cron job, somebody who only lingers."""
    stranger = refused(diary, peer=Peer(3, 33, 33, may_act=False))
    assert (stranger.code, "is not logged in here" in stranger.message) == (3, True)
    assert "group powernap" in stranger.remedy


@kept()
async def test_the_admin_forbids_it(diary: Diary) -> None:
    """And whom to ask is said."""
    object.__setattr__(diary.agenda.config, "off", Off(postpone=0.0))
    forbidden = refused(diary)
    assert (forbidden.code, "postpone in [off]" in forbidden.message) == (3, True)
    assert "root and group powernap" in forbidden.remedy
    found = due(diary.agenda)
    assert found is not None
    assert left(diary.agenda.config.off, found) == 0.0


@kept()
async def test_too_long_at_once_and_more_than_is_left(diary: Diary) -> None:
    """Refused with the longest that there is, never shortened without a word."""
    long = refused(diary, 3601.0)
    assert (long.code, long.message) == (1, "users may postpone it by 1h at once")
    assert "`powernap postpone --for 1h`" in long.remedy
    object.__setattr__(diary.agenda.config, "off", Off(postpone_most=1800.0))
    ask(diary, 1000.0)
    rest = refused(diary, 1200.0)
    assert rest.message == "users may postpone it by 13min more"
    assert ask(diary)["left_s"] == 0.0


@kept(at="2035-01-01 12:00")
async def test_an_off_that_is_far_is_the_admins(diary: Diary) -> None:
    """It says from when on it may be; an hour before, it may."""
    far = refused(diary)
    assert (far.code, far.message) == (1, "it goes off at 22:00, and can be postponed from 21:00 on")
    diary.clock.at = TEN - AHEAD
    assert ask(diary)["until"] == TEN + 1800.0


@kept('[schedule.office]\ntype = "windows"\nup = "Mon 07:30-18:00 UTC"\n')
async def test_where_no_schedule_wants_it_off_there_is_nothing(diary: Diary) -> None:
    """Whoever asks."""
    for peer in (ALICE, ROOT):
        assert refused(diary, peer=peer).code == 1


@pytest.mark.parametrize("length", [0, -1, True, "1h", float("nan"), float("inf"), 10**400, [60]])
def test_a_length_is_a_number_of_seconds(tmp_path: Path, length: Any) -> None:
    """Anything else is refused."""

    @kept()
    async def claim(diary: Diary) -> None:
        for peer in (ALICE, ROOT):
            assert refused(diary, length, peer).code == 2

    claim(tmp_path)


@kept()
async def test_it_is_no_less_than_users_are_warned(diary: Diary) -> None:
    """Nor than a minute: after it they are warned anew, and it would be put off for longer than was asked."""
    short = refused(diary, 599.0)
    assert (short.code, short.message) == (2, "it is postponed for 10min at least")
    assert ask(diary, 600.0)["until"] == TEN + 600.0
    object.__setattr__(diary.agenda.config, "off", Off(warn=0.0))
    assert refused(diary, 59.0).code == 2
    assert ask(diary, 60.0)["until"] == TEN + 660.0


@kept(at="2035-01-01 23:10")
async def test_where_users_are_warned_for_longer_than_they_may_postpone_the_warning_counts(
    diary: Diary,
) -> None:
    """It is that long that the machine stays up."""
    object.__setattr__(diary.agenda.config, "off", Off(postpone=300.0, postpone_most=1500.0))
    assert ask(diary)["left_s"] == 900.0
    diary.clock.at += 600.0
    assert ask(diary)["left_s"] == 300.0
    diary.clock.at += 600.0
    assert ask(diary)["left_s"] == 0.0
    assert refused(diary).code == 1


@kept()
async def test_so_many_users_and_the_admin_has_room(diary: Diary) -> None:
    """However many of them there are."""
    object.__setattr__(diary.agenda.config, "off", Off(postpone_most=200 * HOUR, warn=0.0))
    for number in range(POSTPONED_MAX):
        uid = 1000 + number
        logged_in(Path(diary.host.files.root), uid)  # type: ignore[attr-defined]
        ask(diary, 60.0, Peer(3, uid, uid, may_act=False))
    crowded = refused(diary)
    assert (crowded.code, "too many" in crowded.message) == (3, True)
    ask(diary, 60.0, Peer(3, 1000, 1000, may_act=False))
    ask(diary, 60.0, ROOT)


# ------------------------------------------------------------ who is logged in


@pytest.mark.parametrize(
    ("state", "answer"), [("active", True), ("online", True), ("lingering", False), ("closing", False)]
)
def test_logind_knows_who_is_logged_in(tmp_path: Path, state: str, answer: bool) -> None:
    """Also in the background; processes that stayed behind are nobody."""
    logged_in(tmp_path, state=state)
    assert may(ALICE, TreeFiles(str(tmp_path))) is answer


@pytest.mark.parametrize(
    ("kind", "answer"), [("user", True), ("user-light", True), ("background", False), ("manager", False)]
)
def test_a_session_of_a_cron_job_is_nobody_who_is_logged_in(tmp_path: Path, kind: str, answer: bool) -> None:
    """Where pam_systemd makes one for it."""
    logged_in(tmp_path, kind=kind)
    assert may(ALICE, TreeFiles(str(tmp_path))) is answer


@pytest.mark.parametrize(("user", "answer"), [("nobody", True), ("bob", False)])
def test_utmp_knows_who_is_logged_in(tmp_path: Path, user: str, answer: bool) -> None:
    """By name; a row whose process is gone is a crash's."""
    (tmp_path / "run").mkdir()
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "run/utmp").write_bytes(row(2) + row(7, 7, "pts/0", user) + row(7, 8, "pts/1", "nobody"))
    assert may(ALICE, TreeFiles(str(tmp_path))) is answer


def test_a_user_of_a_directory_server_is_known_by_the_terminal(tmp_path: Path) -> None:
    """Whose owner login sets; their name is not in /etc/passwd."""
    (tmp_path / "run").mkdir()
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "dev/pts").mkdir(parents=True)
    (tmp_path / "dev/pts/0").write_text("")
    owner = (tmp_path / "dev/pts/0").stat().st_uid
    (tmp_path / "run/utmp").write_bytes(row(2) + row(7, 7, "pts/0", "jdoe"))
    assert may(Peer(3, owner, owner, may_act=False), TreeFiles(str(tmp_path)))
    assert not may(Peer(3, owner + 1, 0, may_act=False), TreeFiles(str(tmp_path)))


def test_where_nobody_keeps_that_nobody_is_known(tmp_path: Path) -> None:
    """Nor where /proc hides it."""
    assert not may(ALICE, TreeFiles(str(tmp_path)))


# ------------------------------------------------------------ arithmetic


def test_a_run_is_whole_whoever_says_so_in_it() -> None:
    """One that holds now began when its statement began, and ends as a whole with its last; the next one counts only when this one is over."""
    long, short = Span(0.0, 50.0, OFF), Span(20.0, 65.0, OFF)
    periods = [
        Period(10.0, 20.0, OFF, because=(long,)),
        Period(20.0, 60.0, OFF, because=(long, short)),
        Period(60.0, 70.0, UP),
        Period(70.0, 80.0, OFF, because=(Span(70.0, 80.0, OFF),)),
    ]
    assert (0.0, 60.0, 65.0) == run_of(periods, 10.0, 10.0)
    assert (70.0, 80.0, 80.0) == run_of(periods, 10.0, 60.0)
    assert run_of(periods, 10.0, 80.0) is None


STEPS = st.lists(st.tuples(st.integers(0, 90), st.integers(1, 60)), max_size=8)


@settings(max_examples=15, deadline=None)
@given(STEPS)
def test_however_often_all_users_have_so_much_and_no_more(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    """Each step some minutes later, for some minutes; the off is never later than that, but for the time that passed without anybody asking."""
    granted: list[float] = []

    @kept()
    async def claim(diary: Diary) -> None:
        object.__setattr__(diary.agenda.config, "off", Off(postpone_most=HOUR, warn=0.0))
        for later, minutes in steps:
            diary.clock.at += later * MIN
            if diary.clock.at >= SIX:
                break  # another night
            before = off_at(diary)
            try:
                done = ask(diary, minutes * MIN)
            except RefusedError:
                assert off_at(diary) == before
                continue
            granted.append(done["until"] - max(diary.clock.at, done["was"]))
            assert done["left_s"] == pytest.approx(max(0.0, HOUR - sum(granted)))
            assert done["until"] > diary.clock.at
        assert sum(granted) <= HOUR

    claim(tmp_path_factory.mktemp("postponed"))


def test_an_instant_is_shown_to_the_nearest_minute(tmp_path: Path) -> None:
    """And with its day where that is not near."""
    diary_host = type("Host", (), {"files": TreeFiles(str(tmp_path)), "clock": Clock(TEN)})()
    assert "22:00" == postponing.shown(TEN + 0.3, diary_host)
    assert "22:00" == postponing.shown(TEN - 0.3, diary_host)
    assert "Sat 06 Jan 06:00" == postponing.shown(SIX + 96 * HOUR, diary_host)
