"""The page on the state machine is drawn from the table, and is current."""

from __future__ import annotations

import shutil
from xml.etree import ElementTree as ET

import pytest
from docs import build
from docs import state_diagram as diagram

from powernap.core.state import TABLE, Phase, Trigger

CHANGES = [(start, trigger, end) for start, changes in TABLE.items() for trigger, end in changes.items()]


def test_the_committed_page_is_current():
    """Run `python -m docs.build` after changing the table."""
    page = (build.HERE / diagram.PAGE).read_text(encoding="utf-8")
    assert page == diagram.drawn(page)


def test_a_page_that_is_not_current_is_told_of_and_drawn(tmp_path, monkeypatch, capsys):
    """`--check` changes nothing, without it the page is drawn."""
    for name in build.pages():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(build.HERE / name, tmp_path / name)
    page = tmp_path / diagram.PAGE
    current = page.read_text(encoding="utf-8")
    stale = current.replace("AWAKE --> CHECKING", "AWAKE --> LIMBO")
    page.write_text(stale, encoding="utf-8")
    monkeypatch.setattr(build, "HERE", tmp_path)
    monkeypatch.setattr("sys.argv", ["build", "--check"])
    assert build.main() == 1
    assert "docs/state-machine.md: not what the code says" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == stale
    monkeypatch.setattr("sys.argv", ["build"])
    assert build.main() == 0
    assert page.read_text(encoding="utf-8") == current


def test_a_page_without_its_markers_is_refused():
    """Rather than silently left as it is."""
    with pytest.raises(ValueError, match="no place for the mermaid"):
        diagram.drawn("# Nothing")


def test_every_change_is_in_every_drawing():
    """In words, in the picture and in the table."""
    for start, trigger, end in CHANGES:
        lines = [line for line in diagram.mermaid().splitlines() if f"{start.name} --> {end.name}:" in line]
        assert len(lines) == 1
        assert trigger.value in lines[0]
        (row,) = [line for line in diagram.table().splitlines() if f"`{trigger.name}`" in line]
        assert row.split(" | ")[1 + list(Phase).index(start)].strip(" |") == end.name
    assert diagram.table().count("`") == 2 * len(Trigger)


def test_the_picture_is_whole():
    """Well-formed, with an ellipse for each phase, an arrow for each pair, and everything inside."""
    root = ET.fromstring(diagram.svg())
    tag = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{tag}ellipse")) == len(Phase) == len(diagram.PLACES)
    assert len(root.findall(f"{tag}path")) == len({(start, end) for start, _, end in CHANGES})
    texts = root.findall(f"{tag}text")
    assert len(texts) == len(Phase) + len(CHANGES)
    for text in texts:
        assert 0 < float(text.get("x", "")) < diagram.WIDTH
        assert 0 < float(text.get("y", "")) < diagram.HEIGHT
