"""The record that this machine has been woken, and from what: without it, PowerNap refuses to put the machine to sleep.

Owns the file, whether what it says still holds for this machine, and the words of a refusal. A proof outlives reboots. It ends with what it
was about: another firmware version, another kind of suspend, a network card that is gone, another machine (a cloned disk). Another kernel
is noted, and ends nothing: kernels change every week, and the preflight checks before each sleep what a kernel may have lost.

The file is readable by everybody, so that ``powernap`` can say without root why a sleep is refused. Of the serial numbers it holds
four hex digits of a hash: enough to notice another machine, too little to find the number by trying.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from powernap.core.value import dataclass
from powernap.host import documents
from powernap.host.files import matching, text
from powernap.sleep.options import ANY, MAGIC_PACKET, MANUAL, METHODS, RTC, SleepOptions
from powernap.sleep.states import HIBERNATE, HYBRID, STATES, SUSPEND, SUSPEND_THEN_HIBERNATE, memory_sleep

if TYPE_CHECKING:
    from powernap.host.files import Files

DEFAULT = "/var/lib/powernap/wake-proof.json"
VERSION = 1
DMI = "/sys/class/dmi/id"
NET = "/sys/class/net"
REMEDY = "run `powernap prove-wake`"
FROM = {SUSPEND_THEN_HIBERNATE: (SUSPEND, HIBERNATE), HYBRID: (SUSPEND,)}
"""States that are left as these are, and need their proofs: the former ends as a hibernation; the latter is a suspend with an image
beside it. No other state's proof counts for another: from each, firmware and cards wake differently."""
IN_MEMORY = frozenset({SUSPEND, HYBRID, SUSPEND_THEN_HIBERNATE})
NAMES = {RTC: "the hardware clock's alarm", MAGIC_PACKET: "a magic packet", MANUAL: "somebody's hand"}


@dataclass(frozen=True, slots=True)
class Machine:
    """What a proof is about. An empty text: not told (no DMI, no root for the serial numbers)."""

    product: str = ""
    serial: str = ""
    machine_id: str = ""
    bios: str = ""
    memory_sleep: str = ""
    kernel: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """One sleep that ended as it should.

    :param at: seconds since the epoch; ``slept``: seconds.
    :param woken_by: what the kernel said; ``device``: real path of what woke it, where the kernel told.
    :param interface: for a magic packet, with its ``mac`` and, where it was named, the ``peer`` that sent it.
    """

    state: str
    method: str
    at: int
    slept: int
    machine: Machine
    woken_by: str = ""
    device: str = ""
    interface: str = ""
    mac: str = ""
    peer: str = ""


@dataclass(frozen=True)
class Record:
    """All proofs; the latest of each state and method. :param damage: why the file could not be read; it then proves nothing.

    :param pending: a power-off under way, whose outcome the next boot will tell.
    """

    proofs: tuple[Proof, ...] = ()
    damage: str = ""
    pending: dict[str, Any] | None = None


# --- the machine


def machine(files: Files) -> Machine:
    """The one that we are on, as it is now."""
    serials = [text(files, f"{DMI}/{name}") for name in ("product_serial", "board_serial", "product_uuid")]
    return Machine(
        product=" ".join(
            filter(
                None, (text(files, f"{DMI}/{name}") for name in ("sys_vendor", "product_name", "board_name"))
            )
        ),
        serial=_digest(*serials, length=4) if any(serials) else "",
        machine_id=_digest("powernap", text(files, "/etc/machine-id"), length=8),
        bios=" ".join(
            filter(None, (text(files, f"{DMI}/bios_{name}") for name in ("vendor", "version", "date")))
        ),
        memory_sleep=memory_sleep(files),
        kernel=text(files, "/proc/sys/kernel/osrelease"),
    )


def _digest(*parts: str, length: int) -> str:
    """To notice a difference, not to hide a text of few choices. The machine id is confidential (machine-id(5)), and 32 of its 128 bits do
    not give it away. hashlib would load OpenSSL: megabytes in the daemon.
    """
    return f"{zlib.crc32(chr(10).join(parts).encode(errors='surrogateescape')):08x}"[-length:]


def interface_of(files: Files, mac: str) -> str:
    """The network card with this address, whatever it is called now; empty when there is none. Bridges carry their port's address too."""
    cards = [path for path in matching(files, f"{NET}/*") if files.exists(f"{path}/device")]
    return next(
        (path.rpartition("/")[2] for path in cards if text(files, f"{path}/address").lower() == mac.lower()),
        "",
    )


def doubt(files: Files, proof: Proof, now: Machine) -> str:
    """Why a proof no longer holds for this machine; empty when it does."""
    then = proof.machine
    for what, old, new in (
        ("the machine", then.product, now.product),
        ("the machine's serial number", then.serial, now.serial),
        ("the firmware", then.bios, now.bios),
    ):
        if old and new and old != new:
            return f"{what} has changed" + ("" if what.endswith("number") else f" from {old} to {new}")
    if not (then.product and then.serial and now.serial) and then.machine_id != now.machine_id:
        return "the machine id has changed"
    if proof.state in IN_MEMORY and then.memory_sleep != now.memory_sleep:
        return f"suspend was {then.memory_sleep or 'without a choice'} then and is {now.memory_sleep or 'without a choice'} now"
    if proof.mac and not interface_of(files, proof.mac):
        return f"the network card {proof.interface} with address {proof.mac} is gone"
    return ""


# --- the answer


def holding(files: Files, record: Record, state: str) -> tuple[list[Proof], list[str]]:
    """The proofs that count for a sleep state, and why others no longer do."""
    now = machine(files)
    needed = [set(methods_of(files, record, each, now)) for each in FROM.get(state, (state,))]
    common = set.intersection(*needed)
    about = [proof for proof in record.proofs if proof.state in FROM.get(state, (state,))]
    doubts = [f"{proof.method} was proven, but {why}" for proof in about if (why := doubt(files, proof, now))]
    good = [proof for proof in about if proof.method in common and not doubt(files, proof, now)]
    return good, doubts


def methods_of(files: Files, record: Record, state: str, now: Machine) -> list[str]:
    """The methods that are proven for exactly this state."""
    return [proof.method for proof in record.proofs if proof.state == state and not doubt(files, proof, now)]


def refusal(files: Files, record: Record, state: str, options: SleepOptions, *, alarm: bool) -> str:
    """Why the machine must not enter a sleep state as far as proofs go; empty when it may.

    :param alarm: an alarm will be set for this sleep. Without one, that the clock can wake the machine helps nobody.
    """
    if options.proof == "override":
        return ""
    good, doubts = holding(files, record, state)
    proven = {proof.method for proof in good}
    wanted = set(METHODS) if ANY in options.wake_by else set(options.wake_by)
    missing = not proven & wanted if ANY in options.wake_by else wanted - proven
    if missing:
        return _missing(record, state, wanted, proven, doubts)
    if not alarm and proven & wanted == {RTC}:
        return (
            f"from {state}, only the hardware clock is proven to wake this machine, and no alarm is asked for; "
            'set [sleep] alarm = "24h", or prove another way'
        )
    return ""


def _missing(record: Record, state: str, wanted: set[str], proven: set[str], doubts: list[str]) -> str:
    lacking = " and ".join(NAMES[method] for method in METHODS if method in wanted - proven)
    if record.damage:
        why = f"the record of proofs cannot be read ({record.damage})"
    elif wanted == set(METHODS):
        why = f"no way to wake this machine from {state} is proven"
    else:
        why = f"that {lacking} wakes this machine from {state} is not proven"
    return f"{'; '.join([why, *doubts])}; {command(state)}"


def command(state: str) -> str:
    """What an admin does about it."""
    proofs = [f"`powernap prove-wake --state {each}`" for each in FROM.get(state, (state,))]
    return "run " + " and ".join(proofs)


def notes(files: Files, proof: Proof) -> str:
    """What has changed and ends nothing."""
    now = text(files, "/proc/sys/kernel/osrelease")
    return f"proven under kernel {proof.machine.kernel}" if now and now != proof.machine.kernel else ""


# --- the file


def load(path: str = DEFAULT) -> Record:
    """What is recorded. No file: nothing is. One that cannot be read proves nothing, and says why."""
    try:
        with open(path, encoding="utf-8") as file:
            return parse(file.read())
    except FileNotFoundError:
        return Record()
    except (OSError, UnicodeError) as error:
        return Record(damage=f"{path}: {getattr(error, 'strerror', '') or error}")


def parse(content: str) -> Record:
    """The record of a file's content; ``damage`` where it is not one of ours."""
    try:
        document = json.loads(content)
        if document["version"] != VERSION:
            return Record(damage=f"its version is {document['version']!r} and this program knows {VERSION}")
        return Record(
            tuple(_proof(each) for each in document["proofs"]), pending=_pending(document.get("pending"))
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return Record(damage=f"it is not a record of proofs ({type(error).__name__})")


def _proof(raw: dict[str, Any]) -> Proof:
    found = Proof(**{**raw, "machine": Machine(**raw["machine"])})
    texts = [
        value
        for value in (*asdict(found).values(), *asdict(found.machine).values())
        if not isinstance(value, dict)
    ]
    if (
        found.state not in STATES
        or found.method not in METHODS
        or not all(type(each) in {str, int} for each in texts)
    ):
        raise ValueError
    return found


def _pending(raw: Any) -> dict[str, Any] | None:
    if raw is not None and not isinstance(raw, dict):
        raise TypeError
    return raw


def with_proof(record: Record, proof: Proof) -> Record:
    """The latest of each state and method, and for a magic packet of each card, is kept. A damaged record begins anew."""
    kept = [
        each
        for each in record.proofs
        if (each.state, each.method, each.mac) != (proof.state, proof.method, proof.mac)
    ]
    return replace(record, proofs=(*kept, proof), damage="", pending=None)


def save(record: Record, path: str = DEFAULT) -> None:
    """Atomically, and on the disk when it returns: the machine is about to be trusted with it. ``OSError``: the old file is still there."""
    document = {
        "version": VERSION,
        "proofs": [asdict(proof) for proof in record.proofs],
        "pending": record.pending,
    }
    documents.replace(path, document, 0o644)
