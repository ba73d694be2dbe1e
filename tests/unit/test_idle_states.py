"""Idle states, latency limits and what withholds them, read from a machine's files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from fakekernel import laptop_like, plain_vm
from powernap.host import idle_states
from powernap.host.files import TreeFiles
from powernap.host.idle_states import UNLIMITED, global_limit, guest, idling, own_limits


def put(root: Path, path: str, text: str) -> None:
    """A file of the machine."""
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def put_state(root: Path, cpu: int, place: int, **facts: str) -> None:
    """One idle state."""
    for name, said in {
        "disable": "0",
        "time": "0",
        "usage": "0",
        "latency": "1",
        "residency": "1",
        **facts,
    }.items():
        put(root, f"/sys/devices/system/cpu/cpu{cpu}/cpuidle/state{place}/{name}", said + "\n")


def test_each_processor_has_its_states_the_shallowest_first(tmp_path: Path) -> None:
    """Also the eleventh, which sorts before the second as text."""
    for place in (10, 0, 2):
        put_state(tmp_path, 0, place, name=f"C{place}", time="7", usage="3", latency="133", residency="600")
    put_state(tmp_path, 1, 0, name="POLL", disable="1", default_status="disabled")
    put(tmp_path, "/sys/devices/system/cpu/cpuidle/current_driver", "intel_idle\n")
    put(tmp_path, "/sys/devices/system/cpu/cpuidle/current_governor_ro", "menu\n")
    found = idling(TreeFiles(str(tmp_path)))
    assert ["C0", "C2", "C10"] == [state.name for state in found.cpus[0]]
    assert (133, 600, False, False, 7, 3) == (
        found.cpus[0][0].latency,
        found.cpus[0][0].residency,
        found.cpus[0][0].disabled,
        found.cpus[0][0].off_by_default,
        found.cpus[0][0].time,
        found.cpus[0][0].usage,
    )
    assert (True, True) == (found.cpus[1][0].disabled, found.cpus[1][0].off_by_default)
    assert ("intel_idle", "menu") == (found.driver, found.governor)


def test_machines_with_and_without_states(tmp_path: Path) -> None:
    """A virtual machine says that it has no driver; an offline processor has no states."""
    assert 4 == len(idling(laptop_like(tmp_path / "laptop")).cpus)
    virtual = idling(plain_vm(tmp_path / "vm"))
    assert ("none", {}) == (virtual.driver, virtual.cpus)


@pytest.mark.parametrize(
    ("line", "limits"),
    [
        ("quiet intel_idle.max_cstate=1 root=/dev/sda1", ("intel_idle.max_cstate=1",)),
        ("processor.max_cstate=1 idle=poll", ("processor.max_cstate=1", "idle=poll")),
        ("x.idle=poll y", ()),
        ("", ()),
    ],
)
def test_what_the_command_line_withholds(tmp_path: Path, line: str, limits: tuple[str, ...]) -> None:
    """Only words of that name."""
    put(tmp_path, "/proc/cmdline", line + "\n")
    assert limits == idling(TreeFiles(str(tmp_path))).limits


@pytest.mark.parametrize("limit", [0, 10, 128, UNLIMITED])
def test_the_global_limit_is_four_bytes(tmp_path: Path, limit: int) -> None:
    """Whatever bytes they are as text."""
    place = tmp_path / "dev/cpu_dma_latency"
    place.parent.mkdir()
    place.write_bytes(struct.pack("=i", limit))
    assert limit == global_limit(TreeFiles(str(tmp_path)))


def test_a_limit_of_another_form_is_none(tmp_path: Path) -> None:
    """And a missing device is the caller's."""
    with pytest.raises(FileNotFoundError):
        global_limit(TreeFiles(str(tmp_path)))
    put(tmp_path, idle_states.GLOBAL_LIMIT, "12")
    assert global_limit(TreeFiles(str(tmp_path))) is None


def test_limits_of_single_processors(tmp_path: Path) -> None:
    """0 is none, "n/a" is not to idle at all."""
    for cpu, said in enumerate(("0", "20", "n/a", "")):
        put(tmp_path, f"/sys/devices/system/cpu/cpu{cpu}/power/pm_qos_resume_latency_us", said + "\n")
    assert {1: 20, 2: 0} == own_limits(TreeFiles(str(tmp_path)))


def test_a_guest_is_told_by_its_processor_or_its_hypervisor(tmp_path: Path) -> None:
    """x86 by a flag, others by /sys/hypervisor."""
    assert not guest(TreeFiles(str(tmp_path)))
    put(tmp_path, "/proc/cpuinfo", "flags\t\t: fpu hypervisor lahf_lm\n")
    assert guest(TreeFiles(str(tmp_path)))
    put(tmp_path, "/proc/cpuinfo", "")
    put(tmp_path, "/sys/hypervisor/type", "xen\n")
    assert guest(TreeFiles(str(tmp_path)))
