"""pcie-aspm changes only links that were named, or the policy where that was asked for, and only what it can put back exactly."""

from __future__ import annotations

import errno

import pytest

import fakebuses
from fakebuses import POLICY, ROOT, STATES, add_network, add_pci, bare_machine
from plans import host_of, ledger_of, napping, probe, written
from powernap.actions import pcie_aspm
from powernap.host.availability import UnavailableError
from powernap.host.devices import path_of
from powernap.host.ledger import ApplyError

ACTION = "pcie-aspm"
NVME, CARD = "0000:01:00.0", "0000:02:00.0"
DRIVE = f"{ROOT}/0000:00:1b.0/{NVME}"


@pytest.fixture
def machine(tmp_path):
    """A drive whose driver switched L1 off, and the card with the default route, whose link the firmware lets rest."""
    kernel = bare_machine(tmp_path / "machine")
    fakebuses.add_buses(kernel)
    kernel.add(POLICY, "[default] performance powersave powersupersave")
    return kernel


def under(kernel, policy):
    """The admin chose a policy."""
    kernel.write(POLICY, policy)
    return kernel


def states(kernel, place=DRIVE):
    """Of a link, what is on."""
    return {
        name
        for name in STATES
        if kernel.exists(f"{place}/link/{name}") and kernel.read(f"{place}/link/{name}") == "1\n"
    }


def hidden(kernel):
    """What was switched off for each link, which no file shows."""
    return [kernel.get(f"/.fake{ROOT}/0000:00:1{bridge}.0/aspm") for bridge in "bc"]


def test_nothing_without_being_asked(machine):
    """No link is touched because it could rest."""
    found = probe(machine, ACTION)
    assert not found
    assert found.detail == "2 PCI Express links; none is named (the policy is default)"
    assert list(pcie_aspm.plan(host_of(machine), pcie_aspm.Options())) == []


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("powersave", {"l0s_aspm", "l1_aspm", "clkpm"}),
        ("powersupersave", {"l0s_aspm", "l1_aspm", "l1_1_aspm", "l1_2_aspm", "clkpm"}),
    ],
)
def test_named_link_where_the_policy_wants_it(machine, policy, wanted):
    """What a driver switched off is on, and comes back, its hidden mark too."""
    under(machine, policy)
    before, marks = machine.snapshot(), hidden(machine)
    with napping(machine, ACTION, links=(NVME,)):
        assert states(machine) == wanted
    assert machine.changes(before) == {}
    assert hidden(machine) == marks


@pytest.mark.parametrize("policy", ["default", "performance"])
def test_named_link_where_it_cannot_be_put_back(machine, policy):
    """A 0 there does not tell whether it was switched off: the kernel would take a 1, show a 0, and forget the mark."""
    under(machine, policy)
    found = probe(machine, ACTION, links=(NVME,))
    assert not found
    assert f'under the policy "{policy}" its state cannot be put back exactly' in found.detail
    assert list(pcie_aspm.plan(host_of(machine), pcie_aspm.Options(links=(NVME,)))) == []


def test_trap_that_the_refusal_avoids(machine):
    """So the fake kernel does what drivers/pci/pcie/aspm.c does: the write succeeds, nothing changes, the mark is lost."""
    marks = hidden(machine)
    machine.write(f"{DRIVE}/link/l1_aspm", "1")
    assert machine.read(f"{DRIVE}/link/l1_aspm") == "0\n"
    assert hidden(machine) != marks


@pytest.mark.parametrize("policy", ["powersave", "powersupersave"])
def test_policy_and_named_link(machine, policy):
    """The policy first; what is then still off was switched off, and is named: all of it comes back."""
    before, marks = machine.snapshot(), hidden(machine)
    with napping(machine, ACTION, policy=policy, links=(NVME,)) as entries:
        assert entries[0].change.target == POLICY
        assert f"[{policy}]" in machine.read(POLICY)
        assert "l1_aspm" in states(machine)
    assert machine.changes(before) == {}
    assert hidden(machine) == marks


@pytest.mark.parametrize("theirs", ["default", "performance", "powersupersave"])
@pytest.mark.parametrize("ours", ["keep", "powersave"])
def test_policy_that_another_tool_sets_meanwhile(machine, ours, theirs):
    """It stays; what a driver had switched off is off again, though under that policy no file shows the difference."""
    under(machine, "powersave" if ours == "keep" else "default")
    marks = hidden(machine)
    with ledger_of(machine) as ledger:
        options = pcie_aspm.Options(policy=ours, links=(NVME,))
        ledger.perform(ACTION, "nap", pcie_aspm.plan(host_of(machine), options))
        assert "l1_aspm" in states(machine)
        machine.write(POLICY, theirs)
        outcomes = {each.target: each.outcome for each in ledger.restore()}
        assert ledger.live() == []
    if ours != "keep":
        assert outcomes.pop(POLICY) == ("already" if theirs == "default" else "foreign")
    assert set(outcomes.values()) == {"restored"}
    assert f"[{theirs}]" in machine.read(POLICY)
    assert hidden(machine) == marks


def test_policy_that_another_tool_sets_on_the_way(machine):
    """The links were judged by another one: the action is given up and put back, and says who is in the way."""
    under(machine, "powersupersave")
    marks = hidden(machine)

    def contested():
        plan = pcie_aspm.plan(host_of(machine), pcie_aspm.Options(links=(NVME,)))
        yield next(plan)
        machine.write(POLICY, "powersave")
        yield from plan

    with ledger_of(machine) as ledger:
        with pytest.raises(UnavailableError, match="another tool has just set the policy .* to powersave"):
            ledger.perform(ACTION, "nap", contested())
        assert ledger.live() == []
    assert hidden(machine) == marks


def test_state_that_came_along_is_not_switched_off_later(machine):
    """On kernels before 6.6 a driver could switch L1 off and not its sub-states: they come with L1, and nothing is noted of them."""
    under(machine, "powersupersave")
    can, firmware, off = machine.get(f"/.fake{ROOT}/0000:00:1b.0/aspm").split("\n")[:3]
    assert "l1_1_aspm" in off
    machine.put(f"/.fake{ROOT}/0000:00:1b.0/aspm", f"{can}\n{firmware}\nl1_aspm\n")
    with napping(machine, ACTION, links=(NVME,)) as entries:
        assert [path_of(where) for where in written(entries)] == [f"{DRIVE}/link/l1_aspm"]
        assert states(machine) > {"l1_aspm", "l1_1_aspm"}


def test_only_the_states_that_were_asked_for(machine):
    """No sub-state without L1: the kernel would switch that on too."""
    under(machine, "powersupersave")
    with napping(machine, ACTION, links=(NVME,), states=("l1_1_aspm",)) as entries:
        assert written(entries) == {}
    with napping(machine, ACTION, links=(NVME,), states=("l1_aspm",)) as entries:
        assert [path_of(where) for where in written(entries)] == [f"{DRIVE}/link/l1_aspm"]


def test_link_of_the_wake_path(machine):
    """Named or by the policy: it is never changed."""
    under(machine, "powersave")
    machine.write(f"{ROOT}/0000:00:1c.0/{CARD}/link/l1_aspm", "0")
    found = probe(machine, ACTION, links=(CARD,), despite=("known-bad",))
    assert "0000:02:00.0 network card (8086:1533) stays: eth0 carries the default route" in found.detail
    under(machine, "default")
    for options in ({"policy": "powersave"}, {"policy": "powersave", "despite": ("known-bad",)}):
        found = probe(machine, ACTION, **options)
        assert not found
        assert "the policy stays: it would change the link of 0000:02:00.0" in found.detail
        assert list(pcie_aspm.plan(host_of(machine), pcie_aspm.Options(**options))) == []


def test_policy_that_would_wake_a_link_of_the_wake_path(machine):
    """`powersave` wants no sub-states: where the firmware had one on, it would be switched off, so the policy stays."""
    place = f"{ROOT}/0000:00:1c.0/{CARD}"
    machine.add(f"{place}/link/l1_1_aspm")
    machine.put(f"/.fake{ROOT}/0000:00:1c.0/aspm", "l1_1_aspm l1_aspm\nl1_1_aspm l1_aspm\n")
    assert states(machine, place) == {"l1_aspm", "l1_1_aspm"}
    assert not probe(machine, ACTION, policy="powersave")
    assert probe(machine, ACTION, policy="powersupersave")


def test_deeper_policy_stays(machine):
    """What saves more already is not made to save less."""
    under(machine, "powersupersave")
    with napping(machine, ACTION, policy="powersave") as entries:
        assert entries == []


def test_card_of_two_functions_of_which_one_is_the_way_in(machine):
    """They share a link: the second function may not change it either."""
    above = f"{ROOT}/0000:00:1d.0"
    first = add_pci(
        machine, f"{above}/0000:05:00.0", "8086:1521", "020000", driver="igb", link="l1_aspm", off="l1_aspm"
    )
    second = add_pci(
        machine, f"{above}/0000:05:00.1", "8086:1521", "020000", driver="igb", link="l1_aspm", off="l1_aspm"
    )
    add_network(machine, first, "lan0", carrier=False)
    add_network(machine, second, "lan1", default_route=True)
    under(machine, "powersave")
    assert (
        "0000:05:00.0 network card (8086:1521) stays: lan1 carries the default route"
        in probe(machine, ACTION, links=("0000:05:00.0",)).detail
    )


@pytest.mark.parametrize(
    ("ids", "kind", "driver"),
    [("10ec:8168", "020000", "r8169"), ("8086:125c", "020000", ""), ("10de:1eb8", "030000", "")],
)
def test_cards_that_are_known_to_fail(machine, ids, kind, driver):
    """They stay, named or by the policy; unless the guard is passed over."""
    place = add_pci(
        machine, f"{ROOT}/0000:00:1d.0/0000:05:00.0", ids, kind, driver=driver, link="l1_aspm", off="l1_aspm"
    )
    assert (
        "the policy stays: it would change the link of 0000:05:00.0"
        in probe(machine, ACTION, policy="powersave").detail
    )
    under(machine, "powersave")
    assert '(guard "known-bad")' in probe(machine, ACTION, links=("0000:05:00.0",)).detail
    before = machine.snapshot()
    with napping(machine, ACTION, links=("0000:05:00.0",), despite=("known-bad",)):
        assert states(machine, place) == {"l1_aspm"}
    assert machine.changes(before) == {}


def test_policy_that_is_deeper_already(machine):
    """Asked for what is there: nothing to do."""
    under(machine, "powersave")
    assert not probe(machine, ACTION, policy="powersave")
    with napping(machine, ACTION, policy="powersave") as entries:
        assert entries == []


def test_firmware_kept_the_control(machine):
    """No link shows a file: nothing is tried, nothing is forced."""
    fakebuses.firmware_keeps_links(machine)
    found = probe(machine, ACTION, policy="powersave", links=(NVME,))
    assert not found
    assert "firmware kept the control" in found.detail
    assert machine.writes == []


def test_policy_that_the_kernel_refuses(machine):
    """EPERM: the action fails as a whole, and says so."""
    machine.fail(POLICY, errno.EPERM)
    before = machine.snapshot()
    options = pcie_aspm.Options(policy="powersave", links=(NVME,))
    with ledger_of(machine) as ledger, pytest.raises(ApplyError, match="Operation not permitted"):
        ledger.perform(ACTION, "nap", pcie_aspm.plan(host_of(machine), options))
    assert machine.changes(before) == {}


def test_link_that_is_not_there(machine):
    """An address without a link is named."""
    assert (
        "0000:09:00.0 stays: no link has this address"
        in probe(machine, ACTION, links=("0000:09:00.0",)).detail
    )
    check = pcie_aspm.Options.__dataclass_fields__["links"].metadata["check"]
    assert check((NVME,)) is None
    assert '"eth0" is no PCI address' in check(("eth0",))


def test_container(machine):
    """Where nothing can be written it says so."""
    under(machine, "powersave")
    machine.read_only_mount()
    assert probe(machine, ACTION, links=(NVME,)).remedy == "run as root, outside a container"
