"""The alarm that brings the machine back from being off, for the next life."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from powernap.daemon import set_alarm
from powernap.host.files import TreeFiles
from powernap.sleep.rtc import Alarm

FILES = TreeFiles("/")
ALARM = Alarm("rtc0", 2051222400, 2051226000, displaced=2051300000)


def test_the_next_life_takes_it_once(tmp_path: Path) -> None:
    """All of it; after that it is gone."""
    path = str(tmp_path / "state" / "set-alarm.json")
    set_alarm.save(path, ALARM)
    assert set_alarm.take(FILES, path) == ALARM
    assert set_alarm.take(FILES, path) is None
    assert not Path(path).exists()


def test_where_nothing_was_set_there_is_nothing(tmp_path: Path) -> None:
    """No file, no alarm, no error."""
    assert set_alarm.take(FILES, str(tmp_path / "set-alarm.json")) is None


def changed(**fields: Any) -> str:
    """The record with something else in it."""
    return json.dumps({"version": 1, **dataclasses.asdict(ALARM), **fields})


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "7", "null", "{}", '{"version": 1}', '{"version": 1, "rtc": "rtc0"}', changed(more=1), changed(at="x"),
        changed(at=None), changed(at=True), changed(raw=1.5), changed(displaced=[]), changed(rtc=7), changed(rtc="../../rtc0"), changed(rtc=""),
    ],
)  # fmt: skip
def test_a_damaged_record_is_none_and_goes(tmp_path: Path, content: str) -> None:
    """Nothing is written into a clock because of it, and it does not come back."""
    path = tmp_path / "set-alarm.json"
    path.write_text(content)
    assert set_alarm.take(FILES, str(path)) is None
    assert not path.exists()


class Clock:
    """Of a machine whose kernel began at this instant."""

    def __init__(self, kernel: float) -> None:
        self.kernel = kernel

    def boottime(self) -> float:
        """Seconds."""
        return 50.0

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self.kernel + 50.0


@pytest.mark.parametrize(
    ("kernel", "firmware", "by_it"),
    [
        (-600.0, "", False), (-4.0, "", True), (20.0, "", True), (900.0, "", True), (20.0, "0", True), (20.0, "nonsense", True),
        (20.0, "18000000000", True), (900.0, "880000000000", True), (900.0, "700000000000", True), (900.0, "20000000000", False),
        (20.0, "60000000000", False),
    ],
)  # fmt: skip
def test_whether_it_started_the_machine_is_known_as_far_as_the_firmware_tells(
    tmp_path: Path, kernel: float, firmware: str, by_it: bool
) -> None:
    """Not where it rang while the machine was up; nor where somebody started it a quarter of an hour later, or before."""
    if firmware:
        path = tmp_path / set_alarm.FIRMWARE.lstrip("/")
        path.parent.mkdir(parents=True)
        path.write_text(firmware + "\n")
    assert set_alarm.started(TreeFiles(str(tmp_path)), Clock(ALARM.at + kernel), ALARM) is by_it
