"""The schedules asked and put together."""

from __future__ import annotations

import itertools
import math
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agendas import DAY, HOUR, MONDAY, OFFICE, Clock, config
from powernap.config.model import ScheduleConfig
from powernap.core.timetable import DAYS, NAP, UP, Exempt, Span, at, without
from powernap.daemon import timetables
from powernap.daemon.timetables import Answers, ask, together
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.schedules import ScheduleError

HOST = Host(TreeFiles("/nonexistent"), Clock())


def schedule(name: str, *unless: str) -> ScheduleConfig:
    """Only its name and whom it gives way to matter here."""
    return ScheduleConfig(name, "windows", None, unless)


# ------------------------------------------------------------ asked


def test_each_is_asked_and_its_statements_bear_its_name() -> None:
    """As many as touch the time."""
    schedules = config(OFFICE).schedules.values()
    answers = ask(HOST, schedules, MONDAY, MONDAY + DAY, UTC)
    assert answers == Answers(
        MONDAY,
        MONDAY + DAY,
        {"office": (Span(MONDAY + 7.5 * HOUR, MONDAY + 18 * HOUR, UP, "office", "Mon-Fri 07:30-18:00 UTC"),)},
    )


def test_one_that_breaks_is_in_trouble_and_the_others_answer(tmp_path: Path) -> None:
    """A file that makes no sense, a defect, a type that is gone: each with what to do."""
    (tmp_path / "run/systemd/shutdown").mkdir(parents=True)
    (tmp_path / "run/systemd/shutdown/scheduled").write_text("nonsense")
    broken = [*config("[schedule.shutdowns]\n" + OFFICE).schedules.values(), schedule("defect"), ScheduleConfig("gone", "gone", None)]  # fmt: skip
    answers = ask(Host(TreeFiles(str(tmp_path)), Clock()), broken, MONDAY, MONDAY + DAY, UTC)

    assert set(answers.spans) == {"office"}
    assert "it says no time" in answers.troubles["shutdowns"].reason
    assert "AttributeError" in answers.troubles["defect"].reason
    assert "powernap snapshot" in answers.troubles["defect"].remedy
    assert 'no schedule type is called "gone"' in answers.troubles["gone"].reason


# ------------------------------------------------------------ put together

INSTANT = st.integers(0, 30)
SPANS = st.lists(st.builds(lambda start, length: Span(start, start + length, UP, "a"), INSTANT, st.integers(1, 10)), max_size=6)  # fmt: skip


@given(SPANS, SPANS)
def test_who_is_silenced_says_at_each_instant_what_it_says_less_when_others_speak(spans: list[Span], loud: list[Span]) -> None:  # fmt: skip
    """Instant by instant, and with the same pieces as cutting one by one."""
    found = timetables._silenced(spans, loud)
    for each in range(50):
        spoken = any(span.start <= each < span.end for span in loud)
        wanted = sum(span.start <= each < span.end for span in spans) * (not spoken)
        assert sum(span.start <= each < span.end for span in found) == wanted
    holes = [Exempt(span.start, span.end) for span in loud]
    assert {(span.start, span.end) for span in found} == {(span.start, span.end) for span in without(spans, holes)}  # fmt: skip


def said(
    schedules: list[ScheduleConfig], *skipped: Exempt, **spans: Span
) -> dict[str, list[tuple[float, float]]]:
    """What is said in the end, by schedule."""
    answers = Answers(0, 100, {name: (span,) for name, span in spans.items()})
    found: dict[str, list[tuple[float, float]]] = {}
    for span in together(answers, schedules, skipped):
        found.setdefault(span.schedule, []).append((span.start, span.end))
    return found


OFFICE_TIME, HOLIDAY, CRUNCH = (
    Span(0, 50, UP, "office"),
    Span(10, 40, DAYS, "holidays"),
    Span(20, 30, DAYS, "crunch"),
)


def test_one_is_silent_while_another_speaks() -> None:
    """Whatever it is that the other says."""
    found = said([schedule("office", "holidays"), schedule("holidays")], office=OFFICE_TIME, holidays=HOLIDAY)
    assert found["office"] == [(0, 10), (40, 50)]


def test_who_is_silenced_silences_nobody() -> None:
    """In whichever order they are written."""
    schedules = [schedule("office", "holidays"), schedule("holidays", "crunch"), schedule("crunch")]
    for order in (schedules, schedules[::-1]):
        found = said(order, office=OFFICE_TIME, holidays=HOLIDAY, crunch=CRUNCH)
        assert sorted(found["office"]) == [(0, 10), (20, 30), (40, 50)]


def test_who_is_skipped_silences_nobody() -> None:
    """An admin's exception comes before all."""
    schedules = [schedule("office", "holidays"), schedule("holidays")]
    found = said(schedules, Exempt(0, 25, "holidays"), office=OFFICE_TIME, holidays=HOLIDAY)
    assert found["office"] == [(0, 25), (40, 50)]


def test_who_is_off_or_cannot_tell_silences_nobody() -> None:
    """The machine is rather up."""
    assert said([schedule("office", "holidays")], office=OFFICE_TIME, holidays=HOLIDAY)["office"] == [(0, 50)]
    assert said([schedule("office", "holidays"), schedule("holidays")], office=OFFICE_TIME)["office"] == [(0, 50)]  # fmt: skip


def test_a_circle_comes_to_an_end() -> None:
    """The configuration refuses it; here at least one of them speaks."""
    circle = [schedule("office", "holidays"), schedule("holidays", "office")]
    assert said(circle, office=OFFICE_TIME, holidays=HOLIDAY)


def test_what_is_extended_is_said_whatever_is_skipped() -> None:
    """Overlapping exceptions: up."""
    answers = Answers(0, 100, {"office": (OFFICE_TIME,)})
    extended = Span(20, 30, UP, "extended")
    spans = together(answers, [schedule("office")], [Exempt(0, 40), Exempt(10, 60, "office")], [extended])
    assert spans == [extended]


def test_a_hundred_thousand_statements_against_as_many_are_put_together() -> None:
    """In one pass, not each against each: that would be ten thousand million."""
    many = tuple(Span(each, each + 0.5, NAP, "a") for each in range(100_000))
    others = tuple(Span(each + 0.25, each + 0.75, NAP, "b") for each in range(100_000))
    answers = Answers(0, 100_000, {"a": many, "b": others})
    spans = together(answers, [schedule("a", "b"), schedule("b")])
    assert sum(span.schedule == "a" for span in spans) == 100_000
    assert spans[0] == Span(0, 0.25, NAP, "a")


def test_the_timetable_knows_the_ladder() -> None:
    """The shallowest of two limits is told by the stages' order."""
    answers = Answers(0, 100)
    spans = [Span(0, 50, NAP, "a", "", "suspend"), Span(10, 20, NAP, "b", "", "ease")]
    found = timetables.timetable(answers, spans, config("").stages)
    periods = [at(found, instant) for instant in (5, 15, 25, 60)]
    assert [period and period.deepest for period in periods] == ["suspend", "ease", "suspend", ""]


def test_more_than_the_loop_can_take_is_refused() -> None:
    """Jobs and events are others' to write: regression, 400 of them side by side took 11 s."""
    span = Span(0.0, 100.0, UP)
    assert len(timetables.bounded([span] * timetables.AT_ONCE_MAX)) == timetables.AT_ONCE_MAX
    with pytest.raises(ScheduleError, match="more than can be taken"):
        timetables.bounded([span] * (timetables.AT_ONCE_MAX + 1))
    apart = (Span(2.0 * n, 2.0 * n + 1.0, UP) for n in itertools.count())
    with pytest.raises(ScheduleError, match="more than can be taken"):
        timetables.bounded(apart)


MINUTELY = '[schedule.minutely]\ntype = "cron"\nat = "* * * * *"\nstay = "30s"\nmeans = "nap"\nzone = "UTC"\n'


def test_one_that_says_too_much_of_a_week_is_asked_about_less() -> None:
    """Regression: something each minute was refused over a week, and the command showed nothing of it. Of the rest nobody knows."""
    schedules = config(MINUTELY + OFFICE).schedules.values()
    answers = ask(HOST, schedules, MONDAY, MONDAY + 7 * DAY, UTC)
    assert answers.troubles == {}
    assert answers.ends == {"minutely": MONDAY + 3.5 * DAY}
    assert len(answers.spans["minutely"]) == 3.5 * 1440
    last = [span for span in together(answers, schedules) if span.schedule == "minutely"][-1]
    assert last == Span(MONDAY + 3.5 * DAY, MONDAY + 7 * DAY, UP, "minutely", timetables.BEYOND)
    assert ask(HOST, schedules, MONDAY, MONDAY + 3 * DAY, UTC).ends == {}


def test_one_that_says_too_much_of_a_day_is_refused() -> None:
    """Less is not asked about."""
    text = '[schedule.x]\ntype = "cron"\nat = [' + '"* * * * *", ' * 8 + ']\nstay = "1s"\n'
    answers = ask(HOST, config(text).schedules.values(), MONDAY, MONDAY + 400 * DAY, UTC)
    assert "more than can be taken" in answers.troubles["x"].reason


def test_what_others_wrote_is_escaped(tmp_path: Path) -> None:
    """Crontabs and names of files are anybody's; a reason may quote them."""
    (tmp_path / "etc/cron.d").mkdir(parents=True)
    (tmp_path / "etc/cron.d/x").write_text("30 2 * * * root \x1b]0;owned\x07backup\n")
    (tmp_path / "days").write_text("\x1b[2J\n")
    (tmp_path / "run/systemd/shutdown").mkdir(parents=True)
    (tmp_path / "run/systemd/shutdown/scheduled").write_text(f"USEC={MONDAY * 1e6:.0f}\nMODE=\x1b[2J\n")
    text = '[schedule.jobs]\ntype = "cron-jobs"\njobs = "backup"\n[schedule.days]\ntype = "dates"\nfile = "/days"\n'
    text += "[schedule.shutdowns]\n"
    answers = ask(
        Host(TreeFiles(str(tmp_path)), Clock()), config(text).schedules.values(), MONDAY, MONDAY + DAY, UTC
    )
    assert answers.spans["jobs"][0].detail == "30 2 * * * \\x1b]0;owned\\x07backup (/etc/cron.d/x)"
    assert answers.spans["shutdowns"][0].detail == "\\x1b[2J by shutdown(8)"
    assert answers.troubles["days"].reason.isprintable()
    assert "\\x1b[2J" in answers.troubles["days"].reason


def test_what_is_watched_and_when_it_is_due_is_told_by_the_type(tmp_path: Path) -> None:
    """With the machine's zone, and as the kernel knows the paths; a type that is gone says nothing of either, and one that breaks is asked later."""
    host = Host(TreeFiles(str(tmp_path)), Clock(), state=str(tmp_path / "state"))
    dates = config('[schedule.days]\ntype = "dates"\nfile = "/days"\n').schedules["days"]
    assert timetables.watched(host, dates) == [f"{tmp_path}/etc/localtime", f"{tmp_path}/days"]
    gone = ScheduleConfig("gone", "gone", None)
    assert timetables.watched(host, gone) == [f"{tmp_path}/etc/localtime"]
    ical = config(f'[schedule.ical]\nsource = "{tmp_path}/none.ics"\n').schedules["ical"]
    assert timetables.due(host, ical) == 0.0
    assert timetables.due(host, dates) == math.inf
    assert timetables.due(host, ScheduleConfig("ical", "ical", None)) == timetables.BROKEN
    assert timetables.due(host, gone) == timetables.BROKEN
