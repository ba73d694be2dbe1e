"""cli/report.py, its text and its picture: from lines of a history to figures that say what they rest on."""

from __future__ import annotations

import json
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from powernap.cli import days, history_file, machine_time, main, picture, report, report_text
from powernap.config.load import build
from powernap.core.past import Past, Spell
from powernap.daemon.measured import Saving

LADDER = """
[[stage]]
name = "ease"
after = "5min"
actions = ["cpu-clock"]
[[stage]]
name = "park"
after = "15min"
actions = ["cpu-park"]
[monitor.load]
"""
CONFIG = build([("x", LADDER)])
CLOCK = Saving("saves", 12.0, 0.5, 100.0)
PARK = Saving("saves", 3.0, 0.25, 5400.0)
FOUND = {
    "savings": {"cpu-clock": CLOCK, "cpu-park": PARK},
    "meter": "acpi",
    "scope": "platform",
    "without_w": 142.0,
    "gaps": {},
}
NOTHING: dict[str, Any] = {"savings": {}, "meter": "", "scope": "", "without_w": None, "gaps": {}}
HOUR = 3600.0


def entry(event: str, at: float, **facts: Any) -> dict[str, Any]:
    return {"event": event, "time": at, **facts}


NAPS = [
    entry("started", 0.0),
    *[
        each
        for number in range(1, 21)
        for each in (
            entry("entered", number * 10_000.0, stage="ease"),
            entry("entered", number * 10_000.0 + 600, stage="park"),
            entry("left", number * 10_000.0 + 600 + HOUR, stage="park"),
        )
    ],
]


def documented(
    entries: list[dict[str, Any]], found: dict[str, Any] = FOUND, now: float = 300_000.0
) -> dict[str, Any]:
    gaps = report.Gaps()
    past = Past(after={stage.name: stage.after for stage in CONFIG.stages}, gap=gaps.add)
    for each in entries:
        past.add(each)
    past.finish(now)
    return report.document_of(past, CONFIG, found, gaps, now)


def state(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in document["states"] if each["name"] == name)


def test_a_stage_saves_with_its_own_actions_and_those_before_it() -> None:
    """12 W in the first, 15 W in the second; the band is twice the spreads."""
    document = documented(NAPS)
    assert 20 * 600 * 12.0 == state(document, "ease")["saved_j"]
    assert 20 * HOUR * 15.0 == state(document, "park")["saved_j"]
    assert 20 * HOUR * 1.5 == state(document, "park")["saved_band_j"]
    assert document["saved_j"] == pytest.approx(20 * 600 * 12.0 + 20 * HOUR * 15.0)
    assert ["awake", "ease", "park"] == [each["name"] for each in document["states"]]
    assert "estimate" == document["basis"]


def test_without_a_measurement_nothing_is_claimed() -> None:
    """Hours are hours; joules are not made up."""
    document = documented(NAPS, NOTHING)
    assert document["saved_j"] is None
    assert state(document, "park")["saves_w"] is None
    assert "powernap measure" in report_text.report(document)


def test_sleep_saves_all_but_what_a_sleeping_machine_draws() -> None:
    """142 W less 5 W give or take 5 W; where the meter saw only the processors, nothing is said."""
    slept = [entry("started", 0), entry("sleep", 1000), entry("resumed", 1000 + HOUR, detail="3600s")]
    asleep = state(documented(slept), "asleep")
    assert (137.0, 5.0) == (asleep["saves_w"], asleep["saves_band_w"])
    assert state(documented(slept, {**FOUND, "scope": "package"}), "asleep")["saves_w"] is None


def test_what_would_have_been_saved_is_kept_apart() -> None:
    """Watching saves nothing."""
    would = [each | {"watching": True} if each["event"] == "entered" else each for each in NAPS]
    document = documented(would)
    assert document["saved_j"] is None
    assert document["would_save_j"] == pytest.approx(20 * 600 * 12.0 + 20 * HOUR * 15.0)
    assert (0, 20) == (document["naps"], document["would_nap"])
    text = report_text.report(document)
    assert "watching only: 20 naps it would have taken" in text
    assert "would be in park" in text
    assert "would have saved, an estimate" in text


def test_metered_energy_is_measured_and_stands_beside_the_estimate() -> None:
    """Not added to it."""
    document = documented([*NAPS, entry("energy", 290_000.0, stage="park", joules=7200.0, seconds=60)])
    assert (7200.0, 60.0) == (state(document, "park")["used_j"], state(document, "park")["used_s"])
    assert 7200.0 == document["used_j"]
    assert 120.0 == state(document, "park")["draws_w"]


RAPL = {"meter": "rapl", "scope": "package", "basis": "measured"}


def energy(at: float, joules: float, seconds: float, **facts: Any) -> dict[str, Any]:
    return entry("energy", at, joules=joules, seconds=seconds, **{**RAPL, **facts})


def row(text: str, name: str) -> str:
    """A state's line of the table."""
    return next(line for line in text.splitlines() if line.strip().startswith(name))


def test_what_was_measured_for_all_of_a_state_is_told_from_what_was_not() -> None:
    """Ease for all its 600 s: measured. Park for a minute of an hour: its power is known, the sum is an estimate."""
    night = [
        entry("started", 0),
        entry("entered", 1000, stage="ease"),
        energy(1000, 100_000.0, 1000),
        entry("entered", 1600, stage="park"),
        energy(1600, 30_000.0, 597, stage="ease"),
        entry("left", 5200),
        energy(5200, 1200.0, 60, stage="park"),
    ]
    document = documented(night, now=6200.0)
    text = report_text.report(document)
    assert ("measured", "rapl", "package") == tuple(
        document[f"used_{key}"] for key in ("basis", "meter", "scope")
    )
    assert "50.3 W" in row(text, "ease")
    assert "8.33 Wh (measured)" in row(text, "ease")
    assert "20.0 W" in row(text, "park")
    assert "20.00 Wh (estimate)" in row(text, "park")
    assert "used, measured by the meter rapl (package) in 27min 37s: 36.44 Wh" in text
    assert 100.0 * 2000 + 30_000 / 597 * 600 + 20 * 3600 == pytest.approx(document["all_j"], abs=0.01)
    assert "used in all, an estimate by the mean power in each state: 83.93 Wh" in text


def test_what_is_in_no_sum_is_said_with_its_hours_and_what_would_tell() -> None:
    """An hour asleep, two without the daemon and ten minutes of a stage have no power: the sum is of the rest, and says so."""
    night = [
        entry("started", 0),
        energy(1000, 100_000.0, 1000),
        entry("entered", 1000, stage="ease"),
        entry("sleep", 1600),
        entry("resumed", 1600 + HOUR, detail="slept 3600s"),
        entry("stopped", 1600 + HOUR),
        entry("started", 1600 + 3 * HOUR),
        entry("entered", 1700 + 3 * HOUR, stage="park", watching=True),
    ]
    document = documented(night, now=2000 + 3 * HOUR)
    text = report_text.report(document)
    assert 600 + HOUR + 2 * HOUR == document["unknown_s"]
    assert 100.0 * (1000 + 100 + 300) == document["all_j"]
    assert {"ease": False, "asleep": False, "not running": False, "awake": True, "park": True} == {
        each["name"]: each["unknown"] == "" for each in document["states"]
    }
    assert f"not counted in it: 10min ease ({report.SELDOM})" in text
    assert "not counted in it: 1h asleep (the meter sleeps with the machine" in text
    assert "not counted in it: 2h not running (powernapd was not there" in text
    assert "not known" in row(text, "asleep")
    assert "not counted" not in report_text.report(documented(night[:2], now=1000.0))


def test_without_a_meter_nothing_is_said_to_be_used() -> None:
    """One line says why, whatever the states."""
    document = documented(NAPS)
    text = report_text.report(document)
    assert sum(each["seconds"] for each in document["states"]) == document["unknown_s"]
    assert f"what was used is not known: {report.METERLESS}" in text
    assert 1 == text.count(report.METERLESS)
    assert "not counted" not in text


def test_a_meter_without_a_counter_makes_estimates_only() -> None:
    """Also where they cover all the time; nothing is called measured."""
    acpi = {"meter": "acpi", "scope": "platform", "basis": "estimate"}
    document = documented([entry("started", 0), energy(1000, 142_000.0, 1000, **acpi)], now=1000.0)
    text = report_text.report(document)
    assert "(estimate)" in row(text, "awake")
    assert "the meter acpi (platform) was read now and then, and keeps no count" in text
    assert "measured by" not in text


def test_a_stage_that_would_have_been_draws_what_an_awake_machine_does() -> None:
    """The daemon only watched: the energy of that time stands with the state that it was really in."""
    watched = [
        entry("started", 0),
        entry("entered", 1000, stage="ease", watching=True),
        entry("left", 2000, watching=True),
        energy(2000, 200_000.0, 2000),
    ]
    document = documented(watched, now=2000.0)
    assert (None, 100.0, 100_000.0) == tuple(
        state(document, "ease")[key] for key in ("used_j", "draws_w", "all_j")
    )
    assert 200_000.0 == document["used_j"]
    assert 200_000.0 == document["all_j"]


def test_a_stage_that_is_no_longer_configured_has_its_hours() -> None:
    """Without a saving."""
    document = documented([entry("started", 0), entry("entered", 100, stage="old"), entry("left", 200)])
    assert (100.0, None) == (state(document, "old")["seconds"], state(document, "old")["saves_w"])


def test_waits_are_compared_over_the_gaps_of_the_history() -> None:
    """Twenty gaps of 75 minutes: whoever knows pays the naps; whoever waits an hour pays an hour of saving as well."""
    ease, park = documented(NAPS)["thresholds"]
    ways = {way["name"]: way for way in park["ways"]}
    assert ("ease", "park") == (ease["stage"], park["stage"])
    assert 1800.0 == park["break_even_s"]
    assert "clairvoyant" == park["ways"][0]["name"]
    assert 20 * 5400.0 == ways["clairvoyant"]["lost_j"]
    assert ways["1h"]["lost_j"] == 20 * (3600 * 3 + 5400)
    assert 20 == ways["1h"]["naps"]
    assert ways["chosen"]["lost_j"] < ways["break-even"]["lost_j"]
    assert park["ratio"] <= 2.1


def test_waits_below_the_first_stage_are_not_judged() -> None:
    """Shorter gaps are in no history: who says that napping at once is best has not seen them."""
    ease = documented(NAPS)["thresholds"][0]
    assert all(way["wait_s"] is None or way["wait_s"] >= 300 for way in ease["ways"])
    assert "1min" not in [way["name"] for way in ease["ways"]]


def test_a_stage_that_nobody_measured_is_compared_by_the_daemons_guess() -> None:
    """In time, not in joules, and called an estimate; a sleep by the time that it takes."""
    document = documented(NAPS, NOTHING)
    ease = document["thresholds"][0]
    assert (False, 300.0) == (ease["measured"], ease["break_even_s"])
    assert all(way["lost_j"] is None and way["lost_s"] > 0 for way in ease["ways"])
    assert "an estimate" in report_text.report(document)


def test_gaps_that_the_daemon_kept_are_preferred(tmp_path: Path) -> None:
    """They hold the short ones too, so that short waits can be judged; a broken file is none."""
    kept = {"version": 1, "stages": {"ease": {"paid": 1, "credit": 0, "gaps": [10, 20, 5000]}}}
    (tmp_path / "gaps.json").write_text(json.dumps(kept))
    found = report.known(str(tmp_path))
    assert {"ease": (10.0, 20.0, 5000.0)} == found["gaps"]
    ease, park = documented(NAPS, {**FOUND, "gaps": found["gaps"]})["thresholds"]
    assert (3, 20) == (ease["gaps"], park["gaps"])
    assert "1min" in [way["name"] for way in ease["ways"]]
    for broken in ("{", "[]", '{"stages": 7}', '{"stages": {"a": 1}}'):
        (tmp_path / "gaps.json").write_text(broken)
        assert {} == report.known(str(tmp_path))["gaps"]


def test_an_automatic_stage_is_compared_from_its_least_wait() -> None:
    """What an admin allows the daemon is what is compared; nothing is configured to compare with."""
    config = build([("x", LADDER.replace('after = "5min"', 'after = "auto"\nleast = "2min"'))])
    gaps = report.Gaps()
    gaps.lengths.extend([500.0] * 20)
    ease = report.waits(gaps, config, FOUND)[0]
    assert 120.0 == min(way["wait_s"] for way in ease["ways"] if way["wait_s"] is not None)
    assert "configured" not in [way["name"] for way in ease["ways"]]
    assert 120.0 == report.after_of(config.stages[0])


def test_an_automatic_stage_waits_no_longer_than_its_most() -> None:
    """Short gaps ask for a wait beyond the break-even time of 30 min; the daemon stops at ``most``, and so does the comparison."""
    automatic = 'after = "auto"\nleast = "10min"\nmost = "20min"'
    config = build([("x", LADDER.replace('after = "15min"', automatic))])
    gaps = report.Gaps()
    gaps.lengths.extend([1500.0] * 40)
    park = report.waits(gaps, config, FOUND)[-1]
    chosen = next(way for way in park["ways"] if way["name"] == "chosen")
    assert ("park", 1200.0) == (park["stage"], chosen["wait_s"])
    assert 40 * (1200.0 + park["break_even_s"]) == chosen["lost_s"]
    assert 40 == chosen["naps"]


def test_a_faulty_configuration_that_is_named_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its report would be about the stages of another."""
    place = history(tmp_path, NAPS)
    file = tmp_path / "p.toml"
    file.write_text("mode = 7\n")
    assert 2 == main.main(["report", "--state", place, "--config", str(file)])
    says = capsys.readouterr()
    assert f'{file}:1: "mode" must be text' in says.err
    assert "" == says.out


def test_what_does_not_save_is_not_waited_for() -> None:
    """No comparison for a stage that costs, nor without gaps; the reason is said."""
    costs = {
        **FOUND,
        "savings": {
            "cpu-clock": Saving("does not", -1.0, 0.1, 5.0),
            "cpu-park": Saving("cannot tell", None, None, None),
        },
    }
    document = documented(NAPS, costs)
    assert [] == document["thresholds"]
    assert "no stage of the ladder saves" in report_text.report(document)
    assert "no idle gap" in report_text.report(documented([entry("started", 0)]))


def test_the_text_counts_in_words() -> None:
    """One nap, two naps, of them short ones; energies in the unit that fits."""
    assert "1 nap" == report_text.counted(1, 0, "nap")
    assert "2 naps (1 of them under a minute)" == report_text.counted(2, 1, "nap")
    assert ["1.50 kWh", "2.00 Wh", "36 J", "-1.50 kWh"] == [
        report_text.energy(j) for j in (5.4e6, 7200, 36, -5.4e6)
    ]
    both = {**documented(NAPS), "would_nap": 1, "would_be_interrupted": 0}
    assert "20 naps, watching only: 1 nap it would have taken, 0 sleeps" in report_text.headline(both)
    free = {"stage": "e", "break_even_s": 0.2, "ways": [], "gaps": 3, "measured": True}
    assert "over 3 idle gaps; a nap pays after no time at all (measured)" in report_text.threshold(free)[0]


# ---------------------------------------------------------------- reading


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    """A power cut in the middle of one; a file that somebody edited."""
    path = tmp_path / "history.jsonl"
    path.write_bytes(
        b'{"event": "left", "time": 5}\n{"event"\n\xff\xfe\n[1]\n7\n{"time": "x"}\n'
        + b"[" * 100_000
        + b'\n{"event": "left", "time": 9}'
    )
    damaged: list[int] = []
    assert [5, 9] == [each["time"] for each in history_file.entries(str(path), damaged.append)]
    assert [2, 3, 4, 5, 6, 7] == damaged


def test_a_long_history_shows_progress_on_a_terminal_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And takes it away."""
    path = tmp_path / "history.jsonl"
    path.write_text((json.dumps(entry("note", 1.0, detail="x" * 1000)) + "\n") * 3000)
    assert 3000 == sum(1 for _ in history_file.entries(str(path)))
    assert "" == capsys.readouterr().err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert 3000 == sum(1 for _ in history_file.entries(str(path)))
    shown = capsys.readouterr().err
    assert "reading the history: " in shown
    assert shown.endswith("\r\x1b[K")


# ---------------------------------------------------------------- the picture


def drawn(count: int, state: str = "ease", *, would: bool = False) -> ET.Element:
    """``count`` days with a spell in each."""
    end = machine_time.midnight(time.time())
    columns = days.Days(end - count * 86400, end)
    for day in range(count):
        columns.add(Spell(state, end - day * 86400 - 7200, end - day * 86400 - 3600, would))
    return ET.fromstring(columns.draw(["awake", "ease", "park", "asleep"], "one <b> & two"))


def rectangles(svg: ET.Element) -> list[ET.Element]:
    return [each for each in svg.iter("{http://www.w3.org/2000/svg}rect") if len(each)]


def test_a_column_a_day_as_high_as_its_hours() -> None:
    """Seven bars of one hour in a day of 24."""
    bars = rectangles(drawn(7))
    assert 7 == len(bars)
    room = picture.HEIGHT - picture.TOP - picture.BOTTOM
    assert all(float(bar.attrib["height"]) == pytest.approx(room / 24, abs=0.7) for bar in bars)


def test_many_days_share_a_column() -> None:
    """A year fits, and the title says so."""
    svg = drawn(365)
    assert 50 <= len(rectangles(svg)) <= 61
    assert "7 days" in (svg.attrib["aria-label"])
    labels = [
        each.text
        for each in svg.iter("{http://www.w3.org/2000/svg}text")
        if each.attrib.get("text-anchor") == "middle"
    ]
    assert len(labels) <= picture.LABELS


def test_what_would_have_been_looks_different() -> None:
    """Pale with a broken line, and called so; states are told by colour and by name."""
    assert "s1 would" == rectangles(drawn(3, would=True))[0].attrib["class"]
    assert ["s0", "s5", "none", "s2", "s4"] == [
        days.style(name, ["ease", "park"]) for name in ("awake", "asleep", "not running", "park", "other")
    ]


def test_a_spell_over_midnight_is_in_both_days() -> None:
    """Cut at local midnight."""
    end = machine_time.midnight(time.time())
    columns = days.Days(end - 2 * 86400, end)
    middle = machine_time.midnight(end - 43_200)
    columns.add(Spell("ease", middle - 3600, middle + 7200))
    assert [[1.0], [2.0]] == [list(hours.values()) for hours in columns.hours]


def test_names_in_the_picture_are_text() -> None:
    """A stage may be called anything."""
    svg = picture.draw(
        "<t>", "&", [picture.Layer("<script>", "s1")], [picture.Column("d", 24.0, {"<script>": 3.0})]
    )
    ET.fromstring(svg)
    assert "<script>" not in svg
    ET.fromstring(picture.draw("t", "s", [], []))


# ---------------------------------------------------------------- the command line


def history(place: Path, entries: list[Any]) -> str:
    (place / "history.jsonl").write_text("".join(json.dumps(each) + "\n" for each in entries))
    (place / "p.toml").write_text(LADDER)
    return str(place)


def test_the_report_is_printed_drawn_and_documented(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a state directory alone."""
    now = time.time()
    place = history(tmp_path, [entry("entered", now - 5000, stage="ease"), entry("left", now - 1000)])
    words = ["report", "--state", place, "--config", f"{place}/p.toml"]
    assert 0 == main.main([*words, "--svg", f"{place}/a.svg", "--html", f"{place}/a.html"])
    assert ": 1 nap, 0 sleeps" in capsys.readouterr().out
    ET.parse(f"{place}/a.svg")
    assert "1 nap" in (tmp_path / "a.html").read_text()
    assert 0 == main.main([*words, "--json", "--html", f"{place}/b.html"])
    assert 4000.0 == pytest.approx(state(json.loads(capsys.readouterr().out), "ease")["seconds"], abs=1)


@pytest.mark.parametrize(
    ("entries", "words", "status", "says"),
    [
        (None, [], 1, "there is no history"),
        ([], [], 1, "nothing has happened yet"),
        ([entry("started", time.time() + 9999)], [], 1, "begins in the future"),
        ([None], [], 1, "is damaged: its line cannot be read"),
        ([{"time": float("nan")}, {"time": True}, 7, "x"], [], 1, "is damaged: its 4 lines cannot be read"),
        ([entry("started", time.time() - 9)], ["--svg", "/nonexistent/a.svg"], 2, "/nonexistent/a.svg"),
    ],
)
def test_what_cannot_be_reported_ends_in_a_sentence(
    entries: list[Any] | None,
    words: list[str],
    status: int,
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each with its exit status."""
    place = history(tmp_path, entries) if entries is not None else str(tmp_path)
    assert status == main.main(["report", "--state", place, *words])
    assert says in capsys.readouterr().err


def test_a_history_that_may_not_be_read_is_exit_status_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory in its place says so too."""
    (tmp_path / "history.jsonl").mkdir()
    assert 3 == main.main(["report", "--state", str(tmp_path), "--json"])
    assert "directory" in json.loads(capsys.readouterr().out)["error"]


def test_an_hour_without_an_entry_is_an_hour_in_the_state_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Awake, napping, or not running, through all of it: that is an answer, and none of it is empty."""
    now = time.time()
    for event, name in (("started", "awake"), ("entered", "ease"), ("stopped", "not running")):
        place = history(
            tmp_path, [entry("started", now - 9 * HOUR), entry(event, now - 8 * HOUR, stage="ease")]
        )
        words = ["report", "--state", place, "--config", f"{place}/p.toml", "--since", "1h"]
        assert 0 == main.main([*words, "--json"])
        document = json.loads(capsys.readouterr().out)
        assert [name] == [each["name"] for each in document["states"]]
        assert document["to"] - document["from"] == pytest.approx(HOUR, abs=0.01)
        assert document["states"][0]["seconds"] == pytest.approx(HOUR, abs=0.01)
        assert (0, 0) == (document["entries"], document["naps"])
        assert 0 == main.main(words)
        assert "100.0%" in row(capsys.readouterr().out, name)


def test_damaged_lines_are_counted_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads the figures knows what they lack; a whole history says nothing of it."""
    now = time.time()
    whole = [entry("started", now - 100), entry("note", now - 50)]
    said = {0: "", 1: "1 line of the history cannot be read and is left out", 2: "2 lines of the history cannot be read and are left out"}  # fmt: skip
    for count, words in said.items():
        command = ["report", "--state", history(tmp_path, [*whole, *[None] * count])]
        assert 0 == main.main([*command, "--json"])
        assert count == json.loads(capsys.readouterr().out)["unreadable"]
        assert 0 == main.main(command)
        text = capsys.readouterr().out
        assert words in text
        assert ("cannot be read" in text) == (count > 0)
