"""powernap doctor: on machines that are directories, and what it says."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from fakekernel import laptop_like
from powernap import actions
from powernap.checks import AS_ROOT, Finding, Refused, Unseen, Watts
from powernap.cli import diagnosis, doctor, main
from powernap.config.load import build
from powernap.host.availability import available, unavailable
from powernap.host.files import TreeFiles
from powernap.host.host import Host

CPU = "/sys/devices/system/cpu"


@pytest.fixture
def machine(tmp_path: Path) -> str:
    """A laptop that has been up for 100 s, with C6 switched off on one processor and a chatty service."""
    kernel = laptop_like(tmp_path)
    states = kernel.names(f"{CPU}/cpu1/cpuidle")
    kernel.put(f"{CPU}/cpu1/cpuidle/{states[-1]}/disable", "1")
    for path, text in {
        "/proc/uptime": "100.00 150.00",
        "/proc/interrupts": "  CPU0 CPU1\n 30: 9000 1000 PCI-MSI 0-edge nvme0q1",
        "/proc/7/status": "Name:\tgrafana\nPPid:\t1\nvoluntary_ctxt_switches:\t5000",
        "/proc/7/cgroup": "0::/system.slice/grafana.service",
    }.items():
        kernel.add(path, text)
    return str(tmp_path)


def document(machine: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What it prints for programs."""
    assert 1 == main.main(["doctor", "--root", machine, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_recorded_machine_is_judged_since_its_start(
    machine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a window: 100 s of uptime."""
    found = document(machine, capsys)
    assert (100.0, True, 1) == (found["window_s"], found["recorded"], found["version"])
    assert [(7, "grafana", "grafana.service", 50.0)] == [
        (each["pid"], each["name"], each["unit"], each["per_s"]) for each in found["tasks"]
    ]
    assert [("30", "nvme0q1", {"0": 90.0, "1": 10.0})] == [
        (each["label"], each["name"], each["processors"]) for each in found["interrupts"]
    ]


def test_findings_are_ranked_by_watts(machine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What blocks idle states comes first."""
    findings = document(machine, capsys)["findings"]
    watts = [each["watts_up_to"] or 0 for each in findings]
    assert sorted(watts, reverse=True) == watts
    assert ("idle-states", 97) == (findings[0]["check"], watts[0])
    assert "switched off on processor 1" in findings[0]["evidence"]


def test_every_finding_has_evidence_consequence_and_remedy(
    machine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And so has what could not be seen."""
    found = document(machine, capsys)
    assert all(each["evidence"] and each["consequence"] and each["remedy"] for each in found["findings"])
    assert all(each["what"] and each["reason"] for each in found["unseen"])


def test_the_report_for_a_person(machine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Findings, then the figures that they rest on."""
    assert 1 == main.main(["doctor", "--root", machine, "--top", "1"])
    text = capsys.readouterr().out
    assert f"powernap doctor on {machine}, watched since it was started: " in text
    assert 'while it naps: the action "units" in a stage' in text
    assert "up to 97 W (a server with two Xeon 6154" in text
    for line in (
        "  50.0/s  grafana  pid 7  grafana.service",
        "  100.0/s  30  nvme0q1  cpu0:90.0 cpu1:10.0",
        "  cpu1  woken 0/s",
    ):
        assert line in text
    assert "\x1b" not in text


def test_a_machine_with_nothing_to_say_ends_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 0."""
    assert 0 == main.main(["doctor", "--root", str(tmp_path)])
    assert "nothing found that keeps it from deep idle" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["--root", "/etc/passwd"], ["--for", "0s"], ["--top", "0"], ["--for", "long"]]
)
def test_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and what to write instead."""
    try:
        status = main.main(["doctor", *words])
    except SystemExit as ended:
        status = int(str(ended.code))
    assert 2 == status
    assert capsys.readouterr().err


def test_the_bar_is_told_how_much_has_passed_and_taken_away(capsys: pytest.CaptureFixture[str]) -> None:
    """Also when Ctrl-C ends the window."""
    shares: list[float] = []
    doctor.watch(0.01, shares.append)
    assert (0.0, 1.0) == (round(shares[0], 1), shares[-1])

    def interrupt(share: float) -> None:
        shares.append(share)
        if share < 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        doctor.watch(60, interrupt)
    assert 1.0 == shares[-1]
    doctor.progress(0.5)
    doctor.progress(1)
    assert "\rwatching [############............] 50%\r\x1b[K" == capsys.readouterr().err


def test_a_window_is_waited_for() -> None:
    """As long as was asked, not less."""
    began = time.monotonic()
    doctor.watch(0.02)
    assert time.monotonic() - began >= 0.02


class Savable:
    """An action that could save something."""

    Options = dict

    def __init__(self, usable: bool) -> None:
        self.usable = usable

    def probe(self, _host: Host, _options: object) -> Any:
        return available("3 links") if self.usable else unavailable("no links")


@pytest.mark.parametrize(
    ("usable", "stage", "count"), [(True, "", 1), (False, "", 0), (True, '"sata-link"', 0)]
)
def test_savings_that_the_ladder_leaves_unused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, usable: bool, stage: str, count: int
) -> None:
    """Where the action could do something here and stands in no stage."""
    config = (
        build([("x", f'[[stage]]\nname = "ease"\nafter = "1min"\nactions = [{stage}]\n')])
        if stage
        else build([("x", "")])
    )
    monkeypatch.setattr(actions, "kinds", lambda: ["sata-link"])
    monkeypatch.setattr(actions, "find", lambda _kind: Savable(usable))
    found = list(diagnosis.unused(Host(files=TreeFiles(str(tmp_path)), live=False), config))
    assert ["sata-link: 3 links"] * count == [each.evidence for each in found if isinstance(each, Finding)]


def test_a_saving_that_is_refused_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One without a remedy has nothing to save: not worth a line."""
    monkeypatch.setattr(actions, "kinds", lambda: ["disk-spindown"])
    answers = iter([unavailable("sda stays up: it carries /", "move it"), unavailable("no disk turns")])
    savable = Savable(usable=False)
    monkeypatch.setattr(savable, "probe", lambda _host, _options: next(answers))
    monkeypatch.setattr(actions, "find", lambda _kind: savable)
    host, config = Host(files=TreeFiles(str(tmp_path)), live=False), build([("x", "")])
    assert [Refused("disk-spindown", "sda stays up: it carries /", "move it")] == list(
        diagnosis.unused(host, config)
    )
    assert [] == list(diagnosis.unused(host, config))


def test_what_cpu_park_could_move_is_asked_of_it(machine: str) -> None:
    """With the options that it has; without cgroup v2 no program."""
    host = Host(files=TreeFiles(machine), live=False)
    assert "tasks" in diagnosis.parks(host, build([("x", "")]))
    kept = build([("x", "[action.cpu-park]\nkeep = 64\n")])
    assert () == diagnosis.parks(host, kept)
    (Path(machine) / "proc/mounts").write_text("")
    assert "tasks" not in diagnosis.parks(host, build([("x", "")]))


def test_watts_are_said_once_and_never_added_up() -> None:
    """Causes of one kind share a figure."""
    shared, other = Watts(3.5, "a core kept awake"), Watts(97, "a server")
    causes = [Finding("x", watts, "e", "c", "r") for watts in (other, shared, shared, Watts())]
    assert [
        "up to 97 W (a server)",
        "up to 3.5 W (a core kept awake)",
        "watts as of 2.: they do not add up",
        "no watts of its own",
    ] == doctor.costs(causes, guest=False)


def test_a_guest_has_no_watts(machine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its processors are its host's to put to sleep, and to measure."""
    ranked = [each["evidence"] for each in document(machine, capsys)["findings"]]
    (Path(machine) / "proc/cpuinfo").write_text("flags : fpu hypervisor\n")
    found = document(machine, capsys)
    assert found["guest"]
    assert {None} == {each["watts_up_to"] for each in found["findings"]}
    assert found["findings"][0]["evidence"] == ranked[0]
    main.main(["doctor", "--root", machine])
    text = capsys.readouterr().out
    assert " W (" not in text
    assert 1 == text.count("its host's to measure")


def test_root_is_not_told_to_be_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would not help."""
    unseen = Unseen("x", "hidden", AS_ROOT)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "" == diagnosis.without_remedy(unseen).remedy
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert AS_ROOT == diagnosis.without_remedy(unseen).remedy
