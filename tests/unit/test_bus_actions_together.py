"""The bus actions one after the other, in every order and among those of the processors: nothing of them is left."""

from __future__ import annotations

import pytest

import fakebuses
from fakebuses import HDA, HUB, ROOT, bare_machine
from fakekernel import laptop_like
from plans import host_of, ledger_of
from powernap.actions import find
from powernap.host.devices import path_of

BUSES = ("usb-autosuspend", "pci-runtime", "pcie-aspm", "audio")
PROCESSORS = ("kernel-quiet", "cpu-clock", "cpu-park")
# pairs both ways round, each first and last
ORDERS = [turned[shift:] + turned[:shift] for turned in (BUSES, BUSES[::-1]) for shift in range(len(BUSES))]


def apply(ledger, host, actions):
    """Carry the plans out."""
    for name in actions:
        module = find(name)
        options = module.Options(**fakebuses.OPTIONS.get(name, {}))
        assert module.probe(host, options), name
        ledger.perform(name, "nap", module.plan(host, options))


def put_back(ledger):
    """Everything; what was not as it should be."""
    return [each for each in ledger.restore() if each.outcome not in {"restored", "already"}]


def test_every_order_comes_back(tmp_path):
    """Whatever the order, undoing everything leaves the machine as it was; also what no file shows."""
    kernel = bare_machine(tmp_path / "machine")
    fakebuses.add_buses(kernel)
    kernel.add(fakebuses.POLICY, "[default] performance powersave powersupersave")
    host, before = host_of(kernel), kernel.snapshot()
    marks = kernel.get(f"/.fake{ROOT}/0000:00:1b.0/aspm")
    with ledger_of(kernel) as ledger:
        for order in ORDERS:
            apply(ledger, host, order)
            assert kernel.changes(before), order
            assert put_back(ledger) == [], order
            assert ledger.live() == [], order
            assert kernel.changes(before) == {}, order
            assert kernel.get(f"/.fake{ROOT}/0000:00:1b.0/aspm") == marks, order


@pytest.mark.parametrize(
    "order", [(*BUSES, *PROCESSORS), (*PROCESSORS, *BUSES), ("audio", *PROCESSORS, *BUSES[:3], "cpu-offline")]
)
def test_among_the_others(tmp_path, order):
    """With the actions of the processors before, after and between."""
    kernel = laptop_like(tmp_path / "machine")
    fakebuses.add_buses(kernel)
    host, before = host_of(kernel), kernel.snapshot()
    with ledger_of(kernel) as ledger:
        apply(ledger, host, order)
        assert put_back(ledger) == []
        assert ledger.live() == []
    assert kernel.changes(before) == {}


@pytest.mark.parametrize(
    ("action", "path", "value"),
    [
        ("usb-autosuspend", f"{HUB}/1-3/power/autosuspend_delay_ms", "700"),
        ("pcie-aspm", fakebuses.POLICY, "performance"),
        ("audio", f"{HDA}/power_save", "30"),
    ],
)
def test_what_somebody_set_meanwhile_is_kept(tmp_path, action, path, value):
    """The other owner wins; the rest is put back."""
    kernel = bare_machine(tmp_path / "machine")
    fakebuses.add_buses(kernel)
    kernel.add(fakebuses.POLICY, "[default] performance powersave powersupersave")
    before = kernel.snapshot()
    with ledger_of(kernel) as ledger:
        apply(ledger, host_of(kernel), [action])
        kernel.write(path, value)
        foreign = [each.target for each in ledger.restore() if each.outcome == "foreign"]
        assert ledger.live() == []
    assert [path_of(each) if " (" in each else each for each in foreign] == [path]
    changed = set(kernel.changes(before))
    # the policy is shown by every link
    assert {each for each in changed if "/link/" not in each} == {path}


def test_switch_that_somebody_turned_back_is_not_turned_again(tmp_path):
    """`on` again by hand during the nap: that is how it was, and nothing is written."""
    kernel = bare_machine(tmp_path / "machine")
    fakebuses.add_buses(kernel)
    with ledger_of(kernel) as ledger:
        apply(ledger, host_of(kernel), ["pci-runtime"])
        kernel.write(f"{ROOT}/0000:00:1f.3/power/control", "on")
        kernel.writes.clear()
        assert sorted(each.outcome for each in ledger.restore()) == ["already"] + ["restored"] * 4
    assert f"{ROOT}/0000:00:1f.3/power/control" not in dict(kernel.writes)
