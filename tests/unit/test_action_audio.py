"""audio switches on only a saving that is off, and puts it back."""

from __future__ import annotations

import pytest

from fakebuses import HDA, add_sound, bare_machine
from plans import host_of, ledger_of, napping, probe, written
from powernap.actions import audio

AC97 = "/sys/module/snd_ac97_codec/parameters/power_save"


@pytest.fixture
def machine(tmp_path):
    """Both drivers, their saving off, nothing plays."""
    kernel = bare_machine(tmp_path / "machine")
    add_sound(kernel, ac97="0")
    return kernel


def test_on_and_back(machine):
    """A number and a letter, each as the kernel shows it."""
    before = machine.snapshot()
    with napping(machine, "audio"):
        assert [
            machine.read(path) for path in (f"{HDA}/power_save", f"{HDA}/power_save_controller", AC97)
        ] == ["1\n", "Y\n", "1\n"]
    assert machine.changes(before) == {}
    assert machine.read(f"{HDA}/power_save_controller") == "N\n"


@pytest.mark.parametrize("seconds", ["1", "10", "-1"])
def test_saving_that_is_on_stays(machine, seconds):
    """A write would take in the chips that the driver leaves out, for good."""
    machine.put(f"{HDA}/power_save", seconds)
    with napping(machine, "audio", controller=False) as entries:
        assert list(written(entries)) == [AC97]


def test_after(machine):
    """As long as was asked for."""
    with napping(machine, "audio", after=5.0, controller=False) as entries:
        assert set(written(entries).values()) == {"5"}


def test_while_somebody_plays(machine):
    """A pop would be heard; the guard can be passed over."""
    machine.add("/proc/asound/card0/pcm0p/sub0/status", "state: RUNNING\nowner_pid   : 812")
    found = probe(machine, "audio")
    assert not found
    assert found.detail == "card0 pcm0p is open: a pop would be heard"
    with napping(machine, "audio") as entries:
        assert entries == []
    with napping(machine, "audio", despite=("playing",)) as entries:
        assert len(entries) == 3


def test_probe(tmp_path, machine):
    """What can be switched on; no driver; nothing to do; nothing may be written."""
    assert probe(machine, "audio").detail == (
        "snd_hda_intel power_save, snd_ac97_codec power_save, snd_hda_intel power_save_controller can be switched on"
    )
    with napping(machine, "audio"):
        assert probe(machine, "audio").detail == "every sound chip saves power already"
    machine.read_only_mount()
    assert probe(machine, "audio").remedy == "run as root, outside a container"
    assert "no sound driver" in probe(bare_machine(tmp_path / "silent"), "audio").detail


def test_what_somebody_set_meanwhile_is_kept(machine):
    """The other owner wins, and only there."""
    with ledger_of(machine) as ledger:
        ledger.perform("audio", "nap", audio.plan(host_of(machine), audio.Options()))
        machine.write(f"{HDA}/power_save", "30")
        assert [each.outcome for each in ledger.restore()] == ["restored", "restored", "foreign"]
    assert machine.read(f"{HDA}/power_save") == "30\n"
