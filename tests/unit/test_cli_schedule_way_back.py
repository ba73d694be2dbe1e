"""cli/schedule_way_back.py: whether a machine would be let go off, by its proofs and what its kernel offers."""

from __future__ import annotations

from pathlib import Path

import pytest

from powernap.cli import schedule_way_back
from powernap.config.load import build
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.sleep import proof
from powernap.sleep.options import RTC
from powernap.sleep.proof import Proof, Record

NIGHT = '[monitor.load]\n[schedule.night]\ntype = "windows"\noff = "daily 22:00-06:00"\n'


def refusal(root: Path, text: str) -> str:
    """For a machine with these files and this record."""
    return schedule_way_back.refusal(
        build([("x", text)]), Host(TreeFiles(str(root)), state=f"{root}/var/lib/powernap")
    )


def prove(root: Path, state: str) -> None:
    """Its clock has woken it."""
    machine = proof.machine(TreeFiles(str(root)))
    found = Record((Proof(state, RTC, 1_795_000_000, 60, machine),))
    proof.save(found, f"{root}/var/lib/powernap/wake-proof.json")


def test_a_proof_of_the_same_state_lets_it(tmp_path: Path) -> None:
    """That of another does not, and what is to be run names the state."""
    prove(tmp_path, "suspend")
    assert "run `powernap prove-wake --state power-off`, or set [sleep] proof" in refusal(tmp_path, NIGHT)
    prove(tmp_path, "power-off")
    assert refusal(tmp_path, NIGHT) == ""


@pytest.mark.parametrize(("more", "alarm"), [("", False), ('[sleep]\nalarm = "24h"\n', True)])
def test_where_only_the_clock_is_proven_it_must_be_set(more: str, alarm: bool, tmp_path: Path) -> None:
    """Nobody is woken for a schedule with wake = false; a safety alarm is one too."""
    prove(tmp_path, "power-off")
    found = refusal(tmp_path, NIGHT + "wake = false\n" + more)
    assert ("only the hardware clock is proven to wake this machine, and no alarm" in found) is not alarm


def test_a_container_cannot_and_an_override_does_not_help(tmp_path: Path) -> None:
    """Only its host can."""
    (tmp_path / "run/systemd").mkdir(parents=True)
    (tmp_path / "run/systemd/container").write_text("lxc\n")
    text = refusal(tmp_path, NIGHT + '[sleep]\nproof = "override"\n')
    assert text == (
        "power-off is not possible here: this is a container: only its host can be powered off; run powernapd on the host"
    )


def test_what_only_root_may_see_is_not_said_against_it(tmp_path: Path) -> None:
    """Whoever asks is not powernapd."""
    (tmp_path / "sys/power").mkdir(parents=True)
    (tmp_path / "sys/power/state").write_text("freeze mem\n")
    (tmp_path / "sys/power/state").chmod(0o444)
    text = NIGHT + '[off]\nsleep = "suspend"\n[sleep]\nproof = "override"\n'
    assert refusal(tmp_path, text) == ""
    (tmp_path / "sys/power/state").write_text("freeze\n")
    (tmp_path / "sys/power/state").chmod(0o644)
    assert "suspend is not possible here: this machine has no suspend" in refusal(tmp_path, text)
