"""What a drive says of itself: its power state, its wear, whether it tests itself, and how deep it can rest. Asking never wakes it.

Owns the meaning of the answers; the bytes of commands and sense data are host/sg.py's. Every function that reads values which only a
turning disk may be asked for looks at its power state first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host import disks, sg

if TYPE_CHECKING:
    from powernap.host.disks import Disk
    from powernap.host.files import Files

CHECK_POWER_MODE, STANDBY_IMMEDIATE, FLUSH_CACHE_EXT, IDENTIFY, SMART = 0xE5, 0xE0, 0xEA, 0xEC, 0xB0
SMART_LBA, READ_DATA = 0xC24F00, 0xD0
POWER_MODES = {0x00: "standby", 0x01: "standby", 0x80: "idle", 0x81: "idle", 0x82: "idle", 0x83: "idle"}
"""What CHECK POWER MODE leaves in the count (ACS-4 7.3.3): 00h standby_z, 01h standby_y, 80h-83h idle; all others active."""
CONDITIONS = {"idle_a": (2, 0), "idle_b": (2, 1), "idle_c": (2, 2), "standby_y": (3, 1), "standby_z": (3, 0)}
"""POWER CONDITION and its modifier in START STOP UNIT (SBC-3 table 97)."""
LU_CONTROL = (7, 0)
BY_COMMAND = {0x03: "idle_a", 0x04: "standby_z", 0x06: "idle_b", 0x08: "idle_c", 0x0A: "standby_y"}
BY_TIMER = {0x01: "idle_a", 0x02: "standby_z", 0x05: "idle_b", 0x07: "idle_c", 0x09: "standby_y"}
"""Additional sense 5Eh (SPC-4 annex F): in which condition a drive is, and who brought it there."""
LOW_POWER = 0x5E
SELF_TEST_PAGE, CYCLES_PAGE, BACKGROUND_PAGE, CONDITIONS_PAGE = 0x10, 0x0E, 0x15, 0x8A
STARTS, HOURS = 4, 9
"""Numbers of SMART attributes: start/stop count, power-on hours."""


@dataclass(frozen=True)
class Wear:
    """How often a disk has been started, over how many days in service, and how often it is made to be; ``None``: it does not say."""

    starts: int | None = None
    days: float | None = None
    rated: int | None = None


@dataclass(frozen=True)
class Health:
    """What a turning disk tells of itself. ``unknown``: why it does not; ``barred``: we could not even ask it."""

    wear: Wear = Wear()
    test: str = ""
    unknown: str = ""
    barred: bool = False


@dataclass(frozen=True)
class Condition:
    """A SCSI disk's power condition: ``active``, ``stopped`` or one of :data:`CONDITIONS`, and whether a command brought it there."""

    name: str
    commanded: bool = False


# ------------------------------------------------------------ power state


def node(files: Files, path: str) -> str:
    """The sg node of the disk at a place. ``OSError``: it is not there (ENODEV), or has none (ENOENT)."""
    found = disks.generic(files, path)
    if not found:
        gone = not files.exists(path)
        raise OSError(*((19, "No such device") if gone else (2, "no sg node; `modprobe sg`")), path)
    return found


def power_mode(files: Files, path: str) -> str:
    """``active``, ``idle`` or ``standby`` of an ATA disk. ``OSError`` where the answer cannot be trusted.

    The error is checked before the count: a bridge that does not know the command leaves 0 there, which reads as standby.
    """
    where = node(files, path)
    answer = sg.ask(files, where, sg.ata(CHECK_POWER_MODE))
    registers = sg.parse_sense(answer.sense).ata
    if registers is None or registers.failed:
        raise OSError(5, f"its power mode cannot be told: {sg.why(answer)}", where)
    return POWER_MODES.get(registers.count, "active")


def condition(files: Files, path: str) -> Condition:
    """The power condition of a SCSI disk, by REQUEST SENSE, which changes nothing."""
    return parse_condition(sg.tell(files, node(files, path), sg.request_sense(), 252))


def parse_condition(data: bytes) -> Condition:
    """Of sense data that were asked for."""
    sense = sg.parse_sense(data)
    code, detail = sense.code
    if sense.key == sg.NOT_READY and sense.code == sg.STOPPED:
        return Condition("stopped", commanded=True)
    if code == LOW_POWER and detail in BY_COMMAND:
        return Condition(BY_COMMAND[detail], commanded=True)
    return Condition(BY_TIMER.get(detail, "active") if code == LOW_POWER else "active")


# ------------------------------------------------------------ knobs (see host/knobs.py)


def read_ata_power(files: Files, path: str) -> str:
    """``standby``, or ``ready``: turning. A disk that the kernel has put to sleep is not woken for the answer."""
    disk = disks.by_path(files, path)
    if disk and disks.asleep(files, disk):
        return "standby"
    return "standby" if power_mode(files, path) == "standby" else "ready"


def write_ata_power(files: Files, path: str, value: str) -> None:
    """``standby`` writes the cache back and stops the motor; any access starts it again, so ``ready`` has nothing to do."""
    if value != "standby":
        return
    where = node(files, path)
    sg.ask(files, where, sg.ata(FLUSH_CACHE_EXT))  # STANDBY IMMEDIATE does it too (ACS-4 7.46), by the book
    answer = sg.ask(files, where, sg.ata(STANDBY_IMMEDIATE))
    registers = sg.parse_sense(answer.sense).ata
    if registers is None or registers.failed:
        raise OSError(5, sg.why(answer), where)


def write_condition(files: Files, path: str, value: str) -> None:
    """A power condition by command, which also stops the drive's own timers; ``timers`` starts those again (LU_CONTROL).

    A disk that somebody has stopped meanwhile is left alone: being started will start its timers too.
    """
    if value == "timers" and condition(files, path).name == "stopped":
        return
    power, modifier = LU_CONTROL if value == "timers" else CONDITIONS[value]
    sg.tell(files, node(files, path), sg.start_stop(power, modifier))


# ------------------------------------------------------------ what it can, and how it is


def parse_conditions(page: bytes) -> dict[str, int | None]:
    """The power conditions that a drive has, each with its milliseconds to recover; ``None`` where it does not say.

    Vital product data page 8Ah (SPC-4 7.8.12).
    """
    if len(page) < 18 or page[1] != CONDITIONS_PAGE:
        return {}
    able = {
        "standby_y": page[4] & 2,
        "standby_z": page[4] & 1,
        "idle_c": page[5] & 4,
        "idle_b": page[5] & 2,
        "idle_a": page[5] & 1,
    }
    at = {"standby_z": 8, "standby_y": 10, "idle_a": 12, "idle_b": 14, "idle_c": 16}
    times = {name: int.from_bytes(page[at[name] : at[name] + 2], "big") for name, has in able.items() if has}
    return {name: time if 0 < time < 0xFFFF else None for name, time in times.items()}


def conditions(files: Files, disk: Disk) -> dict[str, int | None]:
    """The power conditions that a drive has. ``OSError`` where it cannot be asked or has none."""
    return parse_conditions(sg.tell(files, node(files, disk.path), sg.inquiry(CONDITIONS_PAGE), 252))


def can_standby(files: Files, disk: Disk) -> bool:
    """IDENTIFY DEVICE word 82 bit 3, the power management feature set (ACS-4 7.13.6.36)."""
    words = sg.tell(files, node(files, disk.path), sg.ata(IDENTIFY, sectors=1), 512)
    return len(words) >= 166 and bool(words[164] & 0x08)


def health(files: Files, disk: Disk) -> Health:
    """Wear and self-test of a disk that turns; of one that rests nothing, because to ask could start it."""
    if disks.asleep(files, disk):
        return Health(unknown="it is asleep")
    if not disks.generic(files, disk.path):
        return Health(unknown="it has no sg node; `modprobe sg`", barred=True)
    try:
        return _ata_health(files, disk) if disk.is_ata else _scsi_health(files, disk)
    except PermissionError as error:
        return Health(unknown=error.strerror or "", barred=True)
    except OSError as error:
        return Health(unknown=error.strerror or "it does not answer")


def _ata_health(files: Files, disk: Disk) -> Health:
    if power_mode(files, disk.path) == "standby":
        return Health(unknown="it is in standby")
    where = node(files, disk.path)
    return parse_smart(sg.tell(files, where, sg.ata(SMART, READ_DATA, SMART_LBA, sectors=1), 512))


def parse_smart(data: bytes) -> Health:
    """SMART READ DATA (ACS-3 7.52.7; the attributes by long custom): 30 of 12 bytes from byte 2; byte 363 is the self-test."""
    if len(data) < 512:
        return Health(unknown="its SMART data are short")
    rows = [data[at : at + 12] for at in range(2, 362, 12)]
    # the raw value has 6 bytes; some drives keep milliseconds or a worst case in the upper ones
    raw = {row[0]: int.from_bytes(row[5:9], "little") for row in rows if row[0]}
    running, left = data[363] >> 4 == 0xF, 10 * (data[363] & 0xF)
    days = raw[HOURS] / 24 if raw.get(HOURS) else None
    return Health(Wear(raw.get(STARTS), days), f"a SMART self-test runs, {left} % left" if running else "")


def _scsi_health(files: Files, disk: Disk) -> Health:
    where = node(files, disk.path)
    state = parse_condition(sg.tell(files, where, sg.request_sense(), 252)).name
    if state == "stopped" or state.startswith("standby"):
        return Health(unknown=f"it is in {state}" if state != "stopped" else "it is stopped")
    wear = parse_wear(_page(files, where, CYCLES_PAGE), _page(files, where, BACKGROUND_PAGE))
    unknown = "it keeps no count of its starts" if wear.starts is None else ""
    return Health(wear, parse_self_test(_page(files, where, SELF_TEST_PAGE)), unknown)


def _page(files: Files, where: str, page: int) -> bytes:
    """A log page; empty where the drive has none."""
    answer = sg.ask(files, where, sg.log_sense(page), 512)
    return answer.data if answer.status == 0 else b""


def parameters(page: bytes) -> dict[int, bytes]:
    """The parameters of a log page by their codes (SPC-4 7.3)."""
    found, at = {}, 4
    while at + 4 <= len(page):
        end = at + 4 + page[at + 3]
        found[int.from_bytes(page[at : at + 2], "big")] = page[at + 4 : end]
        at = end
    return found


def parse_wear(cycles: bytes, background: bytes) -> Wear:
    """The start-stop cycle counter page 0Eh (SPC-4 7.3.20: 3 rated, 4 so far), days by page 15h (SBC-3 6.4.4: minutes powered on)."""
    counts = {
        code: int.from_bytes(value[:4], "big")
        for code, value in parameters(cycles).items()
        if len(value) >= 4
    }
    minutes = parameters(background).get(0, b"")[:4]
    days = int.from_bytes(minutes, "big") / 1440 if any(minutes) else None
    return Wear(counts.get(4), days, counts.get(3) or None)


def parse_self_test(page: bytes) -> str:
    """The self-test results page 10h (SPC-4 7.3.16): the latest comes first, and Fh means that it runs."""
    latest = parameters(page).get(1, b"")
    return "a self-test runs" if latest and latest[0] & 0xF == 0xF else ""
