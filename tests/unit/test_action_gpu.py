"""gpu lets cards rest by what their driver offers, wakes none that sleeps, and leaves alone those that somebody uses or looks at."""

from __future__ import annotations

import pytest

from fakekernel import acpi_server, container, laptop_like, plain_vm
from fakeplatform import add_gpu, add_nvidia
from plans import host_of, ledger_of, napping, probe, written
from powernap.actions import find, gpu
from powernap.host import nvml

PCI = "/sys/bus/pci/devices/0000:03:00.0"


@pytest.fixture
def machine(tmp_path):
    """Without a card yet."""
    return laptop_like(tmp_path / "machine")


def use(kernel, pid, name, path, fdinfo=""):
    """A program that has a card open."""
    kernel.add_task(pid, name)
    kernel.add(path, "")
    kernel.link(f"/proc/{pid}/fd/3", path)
    kernel.add(f"/proc/{pid}/fdinfo/3", fdinfo)


@pytest.mark.parametrize("build", [laptop_like, acpi_server, plain_vm, container])
def test_without_cards(tmp_path, build):
    """Most servers have only their management controller's."""
    kernel = build(tmp_path / "machine")
    assert probe(kernel, "gpu").detail.startswith("no graphics processor")


def test_amd(machine):
    """The lowest level and runtime suspend, and back."""
    add_gpu(machine, "amdgpu")
    before = machine.snapshot()
    with napping(machine, "gpu") as entries:
        assert written(entries) == {
            f"{PCI}/power_dpm_force_performance_level": "low",
            f"{PCI}/power/control": "auto",
        }
    assert machine.changes(before) == {}


@pytest.mark.parametrize("level", ["manual", "high", "low"])
def test_a_level_that_somebody_chose_stays(machine, level):
    """A manual one has settings of its own, which leaving it would lose."""
    add_gpu(machine, "amdgpu")
    machine.put(f"{PCI}/power_dpm_force_performance_level", level)
    with napping(machine, "gpu", suspend=False) as entries:
        assert written(entries) == {}


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        ("i915", {"gt_max_freq_mhz": "350"}),
        ("xe", {"min_freq": "300", "max_freq": "300"}),
    ],
)
def test_intel(machine, driver, expected):
    """The minimum before the maximum, neither ever raised, and back in the other order."""
    add_gpu(machine, driver)
    before = machine.snapshot()
    with napping(machine, "gpu", suspend=False) as entries:
        assert {target.rpartition("/")[2]: value for target, value in written(entries).items()} == expected
    assert machine.changes(before) == {}


def test_a_card_that_sleeps_is_not_asked(machine):
    """Any question would wake it."""
    add_nvidia(machine, status="suspended")
    answer = probe(machine, "gpu")
    assert (answer.usable, answer.detail) == (False, "NVIDIA A40 is suspended already")
    with napping(machine, "gpu") as entries:
        assert entries == []
    assert machine.nvml.woken == 0


def test_nvidia(machine):
    """Persistence on, and off again; no more."""
    address = add_nvidia(machine)
    with napping(machine, "gpu") as entries:
        assert written(entries) == {address: "on"}
        assert machine.get(f"/.fake/nvidia/{address}") == "1"
    assert machine.get(f"/.fake/nvidia/{address}") == "0"
    assert not probe(machine, "gpu", persistence=False)


def test_without_nvidias_library(machine, monkeypatch):
    """The probe says what to install."""
    add_nvidia(machine)
    del machine.nvml
    monkeypatch.setattr(nvml, "MODULE", "there_is_no_such_module")
    answer = probe(machine, "gpu")
    assert not answer
    assert f"nvidia-ml-py is not installed ({nvml.INSTALL})" in answer.detail


def test_a_display_is_left_alone(machine):
    """A connected one keeps level and power."""
    add_gpu(machine, "amdgpu", outputs=("HDMI-A-1",))
    with napping(machine, "gpu") as entries:
        assert entries == []


def test_the_card_that_the_machine_boots_with_is_not_suspended(machine):
    """It shows the console."""
    add_gpu(machine, "amdgpu")
    machine.add(f"{PCI}/boot_vga", "1")
    with napping(machine, "gpu") as entries:
        assert written(entries) == {f"{PCI}/power_dpm_force_performance_level": "low"}


def test_a_program_keeps_it_awake(machine):
    """Who has a context is named, and the card is not suspended under it."""
    add_gpu(machine, "amdgpu")
    machine.link("/sys/class/drm/renderD128", "/sys/devices/pci0000:00/0000:03:00.0/drm/renderD128")
    machine.link(
        "/sys/devices/pci0000:00/0000:03:00.0/drm/renderD128/device", "/sys/devices/pci0000:00/0000:03:00.0"
    )
    use(
        machine,
        900,
        "ollama",
        "/dev/dri/renderD128",
        "drm-driver:\tamdgpu\ndrm-pdev:\t0000:03:00.0\ndrm-client-id:\t7",
    )
    assert "0000:03:00.0 is kept by ollama (pid 900)" in probe(machine, "gpu").detail
    with napping(machine, "gpu") as entries:
        assert f"{PCI}/power/control" not in written(entries)


def test_an_nvidia_context_is_named(machine):
    """NVIDIA's cards do not tell which of them a program has open: it stands against all."""
    add_nvidia(machine)
    use(machine, 901, "python", "/dev/nvidia0")
    assert "0000:03:00.0 is kept by python (pid 901)" in probe(machine, "gpu").detail


def test_what_somebody_set_meanwhile_is_kept(machine):
    """An admin takes a level in the middle of the nap."""
    add_gpu(machine, "amdgpu")
    module = find("gpu")
    path = f"{PCI}/power_dpm_force_performance_level"
    with ledger_of(machine) as ledger:
        ledger.perform("gpu", "nap", module.plan(host_of(machine), module.Options()))
        machine.write(path, "high")
        assert [each.target for each in ledger.restore() if each.outcome == "foreign"] == [path]
    assert machine.read(path) == "high\n"


def test_it_must_be_looked_at():
    """A level breaks displays on some cards."""
    assert (gpu.RISK, gpu.LANE) == ("careful", "fast")
