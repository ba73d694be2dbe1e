"""Every kind of bad configuration: the line, the reason and the remedy that an admin reads.

Each file in ``config_errors`` begins with what must be said about it, word for word: ``#! :LINE: MESSAGE; REMEDY``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from powernap.config.load import build, load
from powernap.config.problems import ConfigErrors, Findings
from powernap.config.sources import LARGEST, distrust
from unit.config_kinds import ACTIONS, MONITORS

CASES = sorted((Path(__file__).parent / "config_errors").glob("*.toml"))


def refusal(*texts: str) -> list[str]:
    """What is said about files a.toml, b.toml, ..."""
    with pytest.raises(ConfigErrors) as caught:
        build(
            [(f"{name}.toml", text) for name, text in zip("abcdef", texts, strict=False)],
            monitors=MONITORS,
            actions=ACTIONS,
        )
    return str(caught.value).splitlines()


def refused(*paths: object, trusted: bool = True) -> list[str]:
    """What is said about these files."""
    with pytest.raises(ConfigErrors) as caught:
        load(*map(str, paths), monitors=MONITORS, actions=ACTIONS, trusted=trusted)
    return str(caught.value).splitlines()


def test_there_are_at_least_fifty_kinds():
    """The table covers what the issue asks for."""
    assert len(CASES) >= 50


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_bad_file_is_refused_with_line_reason_and_remedy(path):
    """Exactly the problems at the head of the file, in order, and no others."""
    text = path.read_text()
    expected = [line.removeprefix("#! ") for line in text.splitlines() if line.startswith("#! ")]
    assert expected
    with pytest.raises(ConfigErrors) as caught:
        build([("powernap.toml", text)], monitors=MONITORS, actions=ACTIONS)
    assert [str(problem).removeprefix("powernap.toml") for problem in caught.value.problems] == expected
    assert all(problem.remedy for problem in caught.value.problems)


def test_problems_of_all_files_come_at_once_in_reading_order():
    """A fault of syntax in one file hides no fault of another."""
    assert refusal("mode = act\n", "[monitor.load]\nhold = 3\n[monitor.x]\n", "min_awake = 1\n") == [
        'a.toml:1: text without quotes: act; write mode = "act"',
        'b.toml:2: "hold" in monitor "load" is a duration and 3 has no unit; write "3s" or "3min"',
        'c.toml:1: "min_awake" is a duration and 1 has no unit; write "1s" or "1min"',
    ]


def test_what_may_stand_on_an_unreadable_line_is_not_called_missing():
    """The line that could not be read is the only problem."""
    assert refusal('[monitor.ssh]\ntype = "tcp"\nport = 2x\n[rule.r]\nall_of = ["ssh"]\n') == [
        'a.toml:3: a quantity with a unit is text and needs quotes: 2x; write port = "2x"'
    ]


def test_a_fault_in_a_merged_stage_names_the_drop_ins_line():
    """The value's own place counts, not the section's first."""
    main = '[[stage]]\nname = "ease"\nafter = "5min"\nactions = ["cpu-clock"]\n'
    assert refusal(main, '[[stage]]\nname = "ease"\nafter = 9\n') == [
        'b.toml:3: "after" in stage "ease" is a duration or "auto" and 9 has no unit; write "9s" or "9min"'
    ]


def test_windows_line_ends_do_not_move_lines():
    """A file from a Windows editor, with its byte order mark, reads as any other."""
    findings = Findings()
    assert refusal('mode = "watch"\r\n\r\nhistory = "x"\r\n')[0].startswith("a.toml:3: ")
    assert findings.problems == []


def test_a_missing_file_is_said(tmp_path):
    """A file that was asked for by name must be there."""
    assert refused(tmp_path / "none.toml") == [f"{tmp_path}/none.toml: does not exist; check the spelling"]


def test_a_dangling_link_is_said(tmp_path):
    """powernap.toml that leads nowhere is not the same as none."""
    (tmp_path / "powernap.toml").symlink_to("/nonexistent/x")
    assert refused(tmp_path) == [
        f"{tmp_path}/powernap.toml: is a link to /nonexistent/x, which does not exist; correct or delete the link"
    ]


def test_a_directory_in_place_of_the_file(tmp_path):
    """Said, not a traceback."""
    (tmp_path / "powernap.toml").mkdir()
    assert refused(tmp_path) == [
        f"{tmp_path}/powernap.toml: is a directory; give a file here, or name a directory that holds powernap.toml"
    ]


def test_a_pipe_in_place_of_the_file_does_not_hang(tmp_path):
    """A pipe without a writer is refused at once."""
    os.mkfifo(tmp_path / "powernap.toml")
    assert refused(tmp_path) == [
        f"{tmp_path}/powernap.toml: is not a regular file; put a text file in its place"
    ]


def test_a_file_in_place_of_the_drop_in_directory(tmp_path):
    """Drop-ins that cannot be listed are not silently absent."""
    (tmp_path / "powernap.toml").write_text("")
    (tmp_path / "conf.d").write_text("")
    assert refused(tmp_path) == [
        f"{tmp_path}/conf.d: cannot be listed: Not a directory; make it a directory that its reader may read"
    ]


def test_a_file_that_is_no_utf8(tmp_path):
    """The line of the first wrong byte, and how to convert."""
    path = tmp_path / "x.toml"
    path.write_bytes(b'mode = "watch"\n# caf\xe9\n')
    assert refused(path) == [f"{path}:2: not UTF-8: byte 0xe9; convert it: iconv -f latin1 -t utf-8 {path}"]
    path.write_bytes('mode = "watch"'.encode("utf-16"))
    assert refused(path) == [f"{path}: is UTF-16, not UTF-8; convert it: iconv -f utf-16 -t utf-8 {path}"]


def test_a_file_of_megabytes(tmp_path):
    """Refused before it is parsed."""
    path = tmp_path / "x.toml"
    path.write_bytes(b"#" * (LARGEST + 1))
    assert refused(path) == [
        f"{path}: is larger than 1 MiB; is this the right file? A configuration has a few KiB"
    ]


@pytest.mark.parametrize(
    ("user", "owner", "group", "mode", "expected"),
    [
        (0, 0, 0, 0o644, ""),
        (0, 0, 0, 0o664, ""),
        (0, 1000, 0, 0o644, "belongs to user 1000"),
        (0, 0, 50, 0o664, "can be written by group 50"),
        (0, 0, 0, 0o646, "can be written by everybody"),
        (1000, 1000, 1000, 0o666, ""),
    ],
)
def test_root_obeys_no_file_that_others_can_write(user, owner, group, mode, expected):
    """Who writes the configuration of a root daemon commands root; an ordinary user harms himself only."""
    facts = os.stat_result((mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
    assert distrust(facts, user) == expected


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root is refused files that others can write")
def test_a_file_that_others_can_write_is_refused_by_root(tmp_path):
    """With the commands that correct it; a draft that is only looked at is not refused."""
    path = tmp_path / "x.toml"
    path.write_text("[monitor.load]\n")
    path.chmod(0o666)
    assert refused(path) == [
        f"{path}: can be written by everybody; who writes it commands root: chown root:root {path}; chmod go-w {path}"
    ]
    assert load(str(path), monitors=MONITORS, actions=ACTIONS, trusted=False).monitors


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root is refused files that others can write")
def test_a_directory_that_others_can_write_is_refused_by_root(tmp_path):
    """They could put another file in the place of ours."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "powernap.toml").write_text("")
    (tmp_path / "conf.d").chmod(0o777)
    assert refused(tmp_path)[0].startswith(f"{tmp_path}/conf.d: can be written by everybody; ")
