"""Whether the whole system goes down, as each init tells it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host import going_down
from powernap.host.files import TreeFiles
from powernap.host.going_down import going_off, runlevel
from powernap.host.systemctl import Outcome


def put(root: Path, path: str, content: bytes | str, mode: int = 0o644) -> None:
    """A file of the machine."""
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content if isinstance(content, bytes) else content.encode())
    target.chmod(mode)


def record(kind: int, pid: int, size: int = 384) -> bytes:
    """Of utmp."""
    return struct.pack("=hxxi", kind, pid).ljust(size, b"\0")


def utmp(level: str, before: str = "N") -> bytes:
    """With the boot, a login and the runlevel."""
    return record(2, 0) + record(1, ord(level) + 256 * ord(before)) + record(7, 4711)


def test_where_nobody_tells_it_is_unknown(tmp_path: Path) -> None:
    """Also with files that say nothing."""
    assert going_off(TreeFiles(str(tmp_path))) is None
    put(tmp_path, "/run/openrc/softlevel", "")
    put(tmp_path, "/run/utmp", record(2, 0))
    put(tmp_path, "/run/runit.stopit", "", 0o100)
    assert going_off(TreeFiles(str(tmp_path))) is None


@pytest.mark.parametrize(
    ("level", "goes"), [("shutdown", True), ("default", False), ("single", False), ("default\n", False)]
)
def test_openrc_names_its_runlevel(tmp_path: Path, level: str, goes: bool) -> None:
    """It is written before anything is stopped."""
    put(tmp_path, "/run/openrc/softlevel", level)
    assert going_off(TreeFiles(str(tmp_path))) is goes


@pytest.mark.parametrize(
    ("level", "goes"), [("0", True), ("6", True), ("2", False), ("S", False), ("\x07", None)]
)
def test_sysvinit_writes_its_runlevel_into_utmp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str, goes: bool | None
) -> None:
    """Off, or a reboot."""
    monkeypatch.setattr("powernap.host.logins.machine", lambda: "x86_64")
    put(tmp_path, "/run/utmp", utmp(level, "2"))
    assert going_off(TreeFiles(str(tmp_path))) is goes


def test_openrc_beside_sysvinit_is_believed_when_one_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Gentoo."""
    monkeypatch.setattr("powernap.host.logins.machine", lambda: "x86_64")
    put(tmp_path, "/run/openrc/softlevel", "default")
    put(tmp_path, "/run/utmp", utmp("3"))
    assert going_off(TreeFiles(str(tmp_path))) is False
    put(tmp_path, "/run/utmp", utmp("0", "3"))
    assert going_off(TreeFiles(str(tmp_path))) is True


@pytest.mark.parametrize("path", going_down.STOPITS)
def test_runits_order_is_an_executable_file(tmp_path: Path, path: str) -> None:
    """Only where runit is the init: elsewhere it may be left from when it was."""
    put(tmp_path, "/proc/1/comm", "runit\n")
    files = TreeFiles(str(tmp_path))
    assert going_off(files) is False
    put(tmp_path, path, "", 0o000)
    assert going_off(files) is False
    put(tmp_path, path, "", 0o100)
    assert going_off(files) is True
    put(tmp_path, "/proc/1/comm", "init\n")
    assert going_off(files) is None


@pytest.mark.parametrize(
    ("said", "goes"),
    [("stopping", True), ("running", False), ("degraded", False), ("starting", False), ("offline", None), ("", None), ("Failed to connect to bus", None)],
)  # fmt: skip
def test_systemd_is_asked_where_it_runs_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, goes: bool | None
) -> None:
    """What stands in utmp may be from another time."""
    asked: list[list[str]] = []

    def run(argv: list[str], _limit: float) -> Outcome:
        asked.append(argv)
        return Outcome(1, said)

    monkeypatch.setattr("powernap.host.systemctl.run", run)
    put(tmp_path, "/run/systemd/system/x", "")
    put(tmp_path, "/run/utmp", utmp("0"))
    assert going_off(TreeFiles(str(tmp_path))) is goes
    assert asked == [["systemctl", "is-system-running"]]


def test_a_systemd_that_does_not_answer_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be just going down."""

    def silent(_argv: list[str], _limit: float) -> None:
        raise TimeoutError

    monkeypatch.setattr("powernap.host.systemctl.run", silent)
    put(tmp_path, "/run/systemd/system/x", "")
    assert going_off(TreeFiles(str(tmp_path))) is None


@given(st.binary(max_size=2000), st.sampled_from([384, 400]))
def test_whatever_stands_in_utmp_a_runlevel_is_a_letter_or_none(content: bytes, size: int) -> None:
    """The latest of them."""
    assert len(runlevel(content, size)) <= 1
    whole = content[: len(content) // size * size]
    assert runlevel(whole + record(1, ord("5") + 256 * ord("6"), size), size) == "5"
