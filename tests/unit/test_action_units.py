"""units stops and freezes what the admin listed, and never what the machine hangs on."""

from __future__ import annotations

import pytest

from fakekernel import FakeKernel
from plans import MOUNTS, host_of, probe
from powernap.actions import units
from powernap.host.knobs import Change

UNITS = "/usr/lib/systemd/system"


@pytest.fixture
def machine(tmp_path):
    """The machine of these tests."""
    kernel = FakeKernel(tmp_path / "machine")
    kernel.add("/run/systemd/system/keep")
    kernel.add("/proc/mounts", MOUNTS)
    for name, text in {
        "packagekit.service": "[Service]",
        "cups.service": "[Service]",
        "cups.socket": "[Socket]",
        "jenkins.service": "[Service]",
        "bank.service": "[Service]\nWatchdogSec=30",
    }.items():
        kernel.add(f"{UNITS}/{name}", text)
    return kernel


def plan(machine, **options):
    """The changes that it would make."""
    return list(units.plan(host_of(machine), units.Options(**options)))


def test_stops_then_freezes_in_order(machine):
    """Each is one change; names are completed, and one listed twice is stopped once."""
    assert plan(machine, stop=("packagekit", "cups.service", "packagekit.service"), freeze=("jenkins",)) == [
        Change("packagekit.service", "inactive", kind="unit"),
        Change("cups.service", "inactive", kind="unit"),
        Change("jenkins.service", "frozen", kind="freeze"),
    ]


def test_scope_needs_no_file(machine):
    """Scopes and slices live in their cgroup only."""
    assert plan(machine, freeze=("docker-abc.scope",)) == [
        Change("docker-abc.scope", "frozen", kind="freeze")
    ]


def test_unknown_unit_is_named_and_left_out(machine):
    """A typing error does not keep the others from being stopped."""
    assert plan(machine, stop=("cupz", "cups", "cups.socket")) == plan(machine, stop=("cups", "cups.socket"))
    assert (
        probe(machine, "units", stop=("cupz", "packagekit")).detail
        == "packagekit.service; cupz does not exist"
    )


def test_socket_that_would_start_it_again_is_named(machine):
    """The socket must be stopped as well; then there is nothing to say."""
    assert "cups.socket can start cups.service again" in probe(machine, "units", stop=("cups",)).detail
    assert probe(machine, "units", stop=("cups.socket", "cups")).detail == "cups.socket, cups.service"


def test_watched_unit_is_not_frozen(machine):
    """What does not report would be killed, so it is not frozen; stopping it is fine."""
    assert plan(machine, freeze=("bank",)) == []
    assert "WatchdogSec" in probe(machine, "units", freeze=("bank",)).detail
    assert plan(machine, stop=("bank",))


def test_freezing_needs_cgroup_v2(machine):
    """On an old machine units can be stopped, not frozen."""
    machine.add("/proc/mounts", "cgroup /sys/fs/cgroup/freezer cgroup rw,freezer 0 0\n")
    assert plan(machine, freeze=("jenkins",)) == []
    answer = probe(machine, "units", freeze=("jenkins",))
    assert (answer.usable, answer.detail) == (False, "units cannot be frozen without cgroup v2")


@pytest.mark.parametrize(
    "name", ["sshd", "dbus.service", "systemd-logind.service", "NetworkManager", "init.scope", "powernapd"]
)
@pytest.mark.parametrize("how", ["stop", "freeze"])
def test_what_the_machine_hangs_on_is_refused(machine, name, how):
    """By the configuration check, by the probe, and by the plan."""
    machine.add(f"{UNITS}/{name}")
    machine.add(f"{UNITS}/{name}.service")
    check = units.Options.__dataclass_fields__[how].metadata["check"]
    assert check((name,)).startswith(f"{name} cannot be listed: ")
    assert check(("jenkins",)) is None
    assert not probe(machine, "units", **{how: (name,)})
    assert plan(machine, **{how: (name,)}) == []


def test_without_systemd(tmp_path):
    """The remedy is a hook."""
    answer = probe(FakeKernel(tmp_path / "machine"), "units", stop=("cups",))
    assert not answer
    assert "hooks" in answer.remedy


def test_nothing_listed(machine):
    """An action without units says how to list some."""
    assert "stop = " in probe(machine, "units").remedy


def test_nothing_known(machine):
    """When every name is wrong the answer is no."""
    answer = probe(machine, "units", stop=("cupz",))
    assert (answer.usable, answer.detail) == (False, "cupz does not exist")
