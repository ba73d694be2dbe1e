"""The configuration's schedules and how the machine goes off: what is taken, what is left out, what is worth a note. Faults: config_errors."""

from __future__ import annotations

import pytest

from powernap.config.load import build
from powernap.config.model import Config, Off, ScheduleConfig
from powernap.config.problems import ConfigErrors
from powernap.config.show import as_toml, sections
from powernap.schedules.windows import Options

OFFICE = '[schedule.office]\ntype = "windows"\nup = "Mon-Fri 07:30-18:00"\n'
WORK = '[monitor.work]\ntype = "process"\nprogram = "x"\n'


def load(text: str) -> Config:
    """Without faults."""
    return build([("a.toml", text)])


def notes(text: str) -> list[str]:
    """What is worth saying."""
    return [str(note) for note in load(text).notes]


def test_a_schedule_arrives_with_all_that_is_said_of_it() -> None:
    """Its type's options, and those that all have; the type may be its name."""
    text = (
        OFFICE
        + 'unless = ["holidays"]\nwake = false\n[schedule.holidays]\ntype = "windows"\nnap = "Sun"\n[schedule.shutdowns]\n'
    )
    found = load(text).schedules

    assert list(found) == ["office", "holidays", "shutdowns"]
    assert found["office"] == ScheduleConfig("office", "windows", Options(up=("Mon-Fri 07:30-18:00",)), ("holidays",), wake=False)  # fmt: skip
    assert found["holidays"].wake
    assert found["shutdowns"].type == "shutdowns"


def test_one_that_is_not_enabled_is_left_out_and_may_be_named() -> None:
    """Its options are checked all the same; whoever gives way to it gives way to nobody."""
    text = (
        OFFICE
        + 'unless = ["holidays"]\n[schedule.holidays]\nenabled = false\ntype = "windows"\nnap = "Sun"\n'
    )
    found = load(text).schedules

    assert list(found) == ["office"]
    assert found["office"].unless == ("holidays",)
    with pytest.raises(ConfigErrors, match='"Sunn"'):
        load(text.replace('"Sun"', '"Sunn"'))


def test_a_circle_through_one_that_is_not_enabled_is_none() -> None:
    """It says nothing."""
    text = OFFICE + 'unless = ["other"]\n[schedule.other]\nenabled = false\ntype = "windows"\nnap = "Sun"\nunless = ["office"]\n'  # fmt: skip
    assert list(load(text).schedules) == ["office"]


def test_a_circle_of_three_is_told_at_each_of_them_and_nowhere_else() -> None:
    """Who only gives way to one of them is not part of it."""
    part = '[schedule.{}]\ntype = "windows"\nnap = "Sun"\nunless = ["{}"]\n'
    text = "".join(part.format(*pair) for pair in ("ab", "bc", "ca", "da"))
    with pytest.raises(ConfigErrors) as caught:
        load(text)
    assert [problem.key for problem in caught.value.problems] == [f"schedule.{name}.unless" for name in "abc"]


def test_going_off_has_its_defaults_and_all_of_it_can_be_said() -> None:
    """Each key of `[off]`."""
    assert load("").off == Off("power-off", 600.0, "wait", 300.0)
    given = '[off]\nsleep = "hibernate"\nwarn = "0s"\nin_use = "off"\nquiet = "1min"\n'
    assert load(given).off == Off("hibernate", 0.0, "off", 60.0)


def test_what_is_shown_can_be_read_again() -> None:
    """Schedules and `[off]` with all their values."""
    text = OFFICE + '[off]\nin_use = "off"\nwarn = "1min"\n' + WORK
    first = load(text)
    shown = as_toml(sections(first), origin=False)
    second = load(shown)

    assert "[schedule.office]" in shown
    assert "[off]" in shown
    assert (second.schedules, second.off) == (first.schedules, first.off)


def test_the_stage_that_a_schedule_allows_may_stand_in_another_file() -> None:
    """Later wins, tables of the same name merge."""
    stage = '[[stage]]\nname = "ease"\nafter = "5min"\nactions = ["cpu-clock"]\n' + WORK
    night = '[schedule.night]\ntype = "windows"\nnap = "daily 22:00-06:00"\n'
    found = build([("a.toml", night + stage), ("b.toml", '[schedule.night]\ndeepest = "ease"\n')])
    assert found.schedules["night"].options.deepest == "ease"


@pytest.mark.parametrize(
    "text",
    ['off = "daily"', 'off = ["Mon-Fri", "Sat,Sun 00:00-24:00"]', 'off = ["daily 00:00-12:00", "daily 11:00-24:00"]', 'off = "daily"\nnap = "Sun"\ndeepest = "ease"'],
)  # fmt: skip
def test_a_machine_that_would_never_be_up_again_is_worth_a_note(text: str) -> None:
    """Whoever looks sees the line."""
    found = notes(f'[schedule.night]\ntype = "windows"\n{text}\n{LADDER}{WORK}')
    assert ["the schedules want the machine off at every time" in note for note in found] == [True]
    assert found[0].startswith("a.toml:3: ")


@pytest.mark.parametrize(
    "text",
    ['off = "daily 00:00-23:59"', 'off = "daily"\nup = "Sun 10:00-10:01"', 'off = "daily"\nunless = ["w"]\n[schedule.w]\ntype = "windows"\nup = "Sun"',
     'off = "daily"\n[schedule.c]\ntype = "cron"\nat = "0 1 * * *"'],
)  # fmt: skip
def test_a_machine_that_may_be_up_some_time_is_not(text: str) -> None:
    """By the same schedule, by another one, or by one of which nobody knows before."""
    assert notes(f'[schedule.night]\ntype = "windows"\n{text}\n{WORK}') == []


LADDER = '[[stage]]\nname = "ease"\nafter = "5min"\nactions = ["cpu-clock"]\n[[stage]]\nname = "bed"\nafter = "1h"\nsleep = "suspend"\n'


@pytest.mark.parametrize(
    "text",
    ['type = "windows"\nnap = "Sun"', 'type = "windows"\nnap = "Sun"\ndeepest = "bed"', 'type = "dates"\ndays = "12-24"\nmeans = "nap"',
     'type = "cron"\nat = "0 1 * * *"\nmeans = "nap"\ndeepest = "bed"'],
)  # fmt: skip
def test_a_nap_that_limits_nothing_is_worth_a_note(text: str) -> None:
    """The ladder alone naps so too. At the line of the nap, with what would limit it."""
    found = notes(f"{LADDER}{WORK}[schedule.night]\n{text}\n")
    assert ['the nap that schedule "night" allows changes nothing' in note for note in found] == [True]
    assert 'write deepest = "ease" to keep it from deeper stages, or say up' in found[0]
    lines = f"{LADDER}{WORK}[schedule.night]\n{text}".splitlines()
    line = next(number for number, each in enumerate(lines, 1) if each.startswith(("nap", "means")))
    assert found[0].startswith(f"a.toml:{line}: ")


@pytest.mark.parametrize(
    "text",
    ['type = "windows"\nnap = "Sun"\ndeepest = "ease"', f'type = "windows"\nnap = "Sun"\n{OFFICE}unless = ["night"]', 'type = "dates"\ndays = "12-24"'],
)  # fmt: skip
def test_a_nap_that_limits_or_silences_something_is_not(text: str) -> None:
    """Nor is one of which nothing is said."""
    assert notes(f"{LADDER}{WORK}[schedule.night]\n{text}\n") == []


def test_giving_way_to_one_that_is_left_out_is_worth_a_note() -> None:
    """At the item of the list."""
    other = '[schedule.{}]\ntype = "dates"\ndays = "12-24"\n'
    text = (
        OFFICE + 'unless = ["a",\n"b"]\n' + other.format("a") + other.format("b") + "enabled = false\n" + WORK
    )
    assert notes(text) == [
        'a.toml:5: "unless": "b" is left out (enabled = false), so it silences nothing; switch it on, or leave it out here'
    ]


def test_off_without_a_monitor_is_worth_a_note() -> None:
    """Nobody's work would be waited for; where it is not waited for in any case, that is no news."""
    night = '[schedule.night]\ntype = "windows"\noff = "daily 22:00-06:00"\n'
    assert ["no monitor is configured" in note for note in notes(night)] == [True]
    assert notes(night + '[off]\nin_use = "off"\n') == []
    assert notes(night + WORK) == []


def test_with_a_schedule_the_section_of_sleep_has_its_effect() -> None:
    """Although no stage sleeps: off does."""
    sleep = '[sleep]\nmin_sleep = "1h"\n'
    stage = '[[stage]]\nname = "ease"\nafter = "5min"\nactions = ["cpu-clock"]\n'
    assert ["no stage sleeps" in note for note in notes(sleep + stage + WORK)] == [True]
    assert notes(sleep + stage + WORK + OFFICE) == []
