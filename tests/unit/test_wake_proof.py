"""sleep/proof.py: what is proven stays proven as long as the machine is the same, and no longer."""

from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fakesleep
from fakekernel import FakeKernel
from powernap.sleep import proof, states
from powernap.sleep.options import METHODS, SleepOptions
from powernap.sleep.proof import Machine, Proof, Record

REQUIRE = SleepOptions()


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return fakesleep.sleeper(tmp_path / "machine")


def proven(kernel: FakeKernel, *what: tuple[str, str]) -> Record:
    """Each state by each method, on this machine."""
    record = Record()
    for state, method in what:
        card = {"interface": "enp3s0", "mac": fakesleep.MAC} if method == "magic-packet" else {}
        record = proof.with_proof(
            record, Proof(state, method, 1_800_000_000, 60, proof.machine(kernel), **card)
        )
    return record


def refusal(
    kernel: FakeKernel,
    record: Record,
    state: str = "suspend",
    options: SleepOptions = REQUIRE,
    *,
    alarm: bool = True,
) -> str:
    return proof.refusal(kernel, record, state, options, alarm=alarm)


@pytest.mark.parametrize("state", states.STATES)
def test_nothing_is_proven_at_first(kernel: FakeKernel, state: str) -> None:
    """Every state is refused, with the command that changes it."""
    said = refusal(kernel, Record(), state)
    assert "no way to wake this machine" in said
    assert "`powernap prove-wake --state " in said


@pytest.mark.parametrize("state", states.STATES)
@pytest.mark.parametrize("method", METHODS)
def test_a_proof_is_for_its_state_only(kernel: FakeKernel, state: str, method: str) -> None:
    """From off, a card wakes otherwise than from suspend; only hybrid sleep, a suspend, shares its proof."""
    record = proven(kernel, (state, method))
    allowed = {other for other in states.STATES if not refusal(kernel, record, other)}
    expected = {
        state: {state},
        "suspend": {"suspend", "hybrid-sleep"},
        "suspend-then-hibernate": set(),
        "hybrid-sleep": set(),
    }
    assert expected.get(state, {state}) == allowed


def test_suspend_then_hibernate_needs_both_by_one_method(kernel: FakeKernel) -> None:
    """It ends as a hibernation, and nobody knows when."""
    both = proven(kernel, ("suspend", "magic-packet"), ("hibernate", "magic-packet"))
    assert "" == refusal(kernel, both, "suspend-then-hibernate")
    mixed = proven(kernel, ("suspend", "magic-packet"), ("hibernate", "manual"))
    assert "and `powernap prove-wake --state hibernate`" in refusal(kernel, mixed, "suspend-then-hibernate")


def test_the_clock_alone_needs_an_alarm(kernel: FakeKernel) -> None:
    """That it could wake the machine helps nobody when nothing is set."""
    record = proven(kernel, ("suspend", "rtc"))
    assert "" == refusal(kernel, record)
    assert 'alarm = "24h"' in refusal(kernel, record, alarm=False)
    assert "" == refusal(kernel, proven(kernel, ("suspend", "rtc"), ("suspend", "manual")), alarm=False)


def test_an_admin_may_ask_for_certain_ways(kernel: FakeKernel) -> None:
    """All of them must be proven then."""
    record = proven(kernel, ("suspend", "rtc"))
    packet = SleepOptions(wake_by=("magic-packet",))
    assert "that a magic packet wakes this machine from suspend is not proven" in refusal(
        kernel, record, options=packet
    )
    both = SleepOptions(wake_by=("magic-packet", "rtc"))
    assert "a magic packet" in refusal(kernel, record, options=both)
    assert "" == refusal(
        kernel, proven(kernel, ("suspend", "rtc"), ("suspend", "magic-packet")), options=both
    )


def test_an_override_is_the_admins_word(kernel: FakeKernel) -> None:
    """Nothing is asked then."""
    assert "" == refusal(kernel, Record(damage="torn"), options=SleepOptions(proof="override"), alarm=False)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (
            "/sys/class/dmi/id/bios_version",
            "1.5.0",
            "the firmware has changed from Fakers 1.4.2 to Fakers 1.5.0",
        ),
        (
            "/sys/class/dmi/id/product_name",
            "Fake 9001",
            "the machine has changed from Fake 9000 F9 to Fake 9001 F9",
        ),
        ("/sys/class/dmi/id/product_serial", "SN999", "serial number has changed"),
        ("/sys/power/mem_sleep", "[s2idle] deep", "suspend was deep then and is s2idle now"),
        (f"{fakesleep.CARD}/net/enp3s0/address", "52:54:00:00:00:99", f"{fakesleep.MAC} is gone"),
    ],
)
def test_what_ends_a_proof(kernel: FakeKernel, path: str, value: str, reason: str) -> None:
    """The reason stands in the refusal."""
    record = proven(kernel, ("suspend", "magic-packet"))
    assert "" == refusal(kernel, record)
    kernel.put(path, value)
    said = refusal(kernel, record)
    assert reason in said
    assert "magic-packet was proven, but" in said


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/proc/sys/kernel/osrelease", "6.13.0"),
        ("/proc/sys/kernel/random/boot_id", "another"),
        ("/etc/machine-id", "f" * 32),
    ],
)
def test_what_does_not(kernel: FakeKernel, path: str, value: str) -> None:
    """Another kernel, a reboot, a system that was installed anew on the same machine."""
    record = proven(kernel, ("suspend", "magic-packet"))
    kernel.add(path, value)
    assert "" == refusal(kernel, record)


def test_another_kernel_is_noted(kernel: FakeKernel) -> None:
    """For `prove-wake --list`."""
    found = proven(kernel, ("suspend", "rtc")).proofs[0]
    assert "" == proof.notes(kernel, found)
    kernel.put("/proc/sys/kernel/osrelease", "6.13.0")
    assert "proven under kernel 6.12.0-fake" == proof.notes(kernel, found)


def test_a_renamed_card_is_the_same_card(kernel: FakeKernel) -> None:
    """It is known by its address."""
    record = proven(kernel, ("suspend", "magic-packet"))
    kernel.delete("/sys/class/net/enp3s0")
    kernel.link("/sys/class/net/lan0", f"{fakesleep.CARD}/net/enp3s0")
    assert "lan0" == proof.interface_of(kernel, fakesleep.MAC.upper())
    assert "" == refusal(kernel, record)


def test_without_root_the_serial_number_is_not_known(kernel: FakeKernel) -> None:
    """That is no doubt: the rest is compared, and the machine id where nothing else is."""
    record = proven(kernel, ("suspend", "rtc"))
    for name in ("product_serial", "board_serial"):
        kernel.put(f"/sys/class/dmi/id/{name}", "")
    assert "" == refusal(kernel, record)
    kernel.put("/etc/machine-id", "f" * 32)
    assert "the machine id has changed" in refusal(kernel, record)


def test_a_machine_without_dmi(kernel: FakeKernel) -> None:
    """ARM boards: the machine id tells them apart."""
    for name in kernel.names("/sys/class/dmi/id"):
        kernel.delete(f"/sys/class/dmi/id/{name}")
    record = proven(kernel, ("suspend", "rtc"))
    assert "" == refusal(kernel, record)
    kernel.put("/etc/machine-id", "f" * 32)
    assert "the machine id has changed" in refusal(kernel, record)


def test_neither_serial_number_nor_machine_id_is_in_the_file(kernel: FakeKernel) -> None:
    """Everybody may read it."""
    text = json.dumps(asdict(proof.machine(kernel)))
    assert not any(secret in text for secret in ("SN123", "B77", "0123456789abcdef"))


# --- the file


def test_what_is_saved_is_loaded(kernel: FakeKernel, tmp_path: Path) -> None:
    """Readable by everybody, whatever the umask; the directory is made."""
    path = str(tmp_path / "lib" / "powernap" / "wake-proof.json")
    record = replace(
        proven(kernel, ("suspend", "rtc"), ("power-off", "magic-packet")), pending={"state": "power-off"}
    )
    before = os.umask(0o077)
    try:
        proof.save(record, path)
    finally:
        os.umask(before)
    assert record == proof.load(path)
    assert 0o644 == stat.S_IMODE(os.stat(path).st_mode)
    assert ["wake-proof.json"] == os.listdir(os.path.dirname(path))


def test_the_latest_of_each_is_kept(kernel: FakeKernel) -> None:
    """And of a magic packet one for each card."""
    record = proven(kernel, ("suspend", "rtc"), ("suspend", "rtc"), ("suspend", "magic-packet"))
    other = replace(record.proofs[1], mac="52:54:00:00:00:77")
    assert 3 == len(proof.with_proof(record, other).proofs)


def test_no_file_is_no_proof(tmp_path: Path) -> None:
    """And no damage."""
    assert Record() == proof.load(str(tmp_path / "none"))


def test_a_write_that_fails_leaves_the_old_file(
    kernel: FakeKernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk must not forget what was proven."""
    path = str(tmp_path / "wake-proof.json")
    record = proven(kernel, ("suspend", "rtc"))
    proof.save(record, path)

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        proof.save(Record(), path)
    assert record == proof.load(path)
    assert ["wake-proof.json"] == [name for name in os.listdir(tmp_path) if name != "machine"]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", "{", '{"version": 2}', '{"version": 1}', '{"version": 1, "proofs": [{}]}', '{"version": 1, "proofs": 7}', "[" * 9999, "\0",
     '{"version": 1, "proofs": [], "pending": 7}'],
)  # fmt: skip
def test_a_damaged_file_proves_nothing_and_says_so(kernel: FakeKernel, tmp_path: Path, content: str) -> None:
    """The machine stays awake, and the next proof begins the file anew."""
    path = tmp_path / "wake-proof.json"
    path.write_text(content)
    record = proof.load(str(path))
    assert () == record.proofs
    assert "cannot be read" in refusal(kernel, record)
    assert "" == proof.with_proof(record, proven(kernel, ("suspend", "rtc")).proofs[0]).damage


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    """Or is none: the reason is the kernel's."""
    assert "Is a directory" in proof.load(str(tmp_path)).damage
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert proof.load(str(tmp_path / "bytes")).damage


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["version", "proofs", "pending", "state", "method", "machine", "at"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(JSON)
def test_no_document_breaks_the_reading(document: Any) -> None:
    """It is a record or damaged, and never an exception."""
    found = proof.parse(json.dumps(document))
    assert found.damage or all(isinstance(each, Proof) for each in found.proofs)


@settings(deadline=None)
@given(st.sampled_from(states.STATES), st.sampled_from(METHODS), st.integers(0, 2**40), st.text(max_size=20))
def test_every_proof_survives_the_file(state: str, method: str, at: int, word: str) -> None:
    """Whatever the kernel called what woke it."""
    given_one = Proof(state, method, at, 7, Machine(product=word), woken_by=word)
    document = {"version": 1, "proofs": [asdict(given_one)], "pending": None}
    assert (given_one,) == proof.parse(json.dumps(document)).proofs
