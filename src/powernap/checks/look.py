"""One look at everything that the checks judge. Reads only, and asks no hardware that sleeps."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.aspm_policy import Aspm, aspm
from powernap.host.conflicts import Conflict, conflicts
from powernap.host.disk_traffic import Moved, Mover, by_disk, by_process
from powernap.host.disks import Disk, disks
from powernap.host.ethtool import WakeFlags, door, wake_flags
from powernap.host.files import matching, text
from powernap.host.gpus import DEVICES, Context, Gpu, contexts, gpus
from powernap.host.idle_states import GLOBAL_LIMIT, Idling, global_limit, guest, idling, own_limits
from powernap.host.interrupts import Interrupt, interrupts
from powernap.host.open_files import OpenFiles, open_files
from powernap.host.wakeups import Task, forks, tasks

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.host import Host


@dataclass(frozen=True)
class Look:
    """What was there at one instant, and what had been counted by then.

    :param at: seconds of ``CLOCK_BOOTTIME``, of a recorded machine its uptime.
    :param limit: microseconds of /dev/cpu_dma_latency, ``None`` where that could not be read (:param limit_error: why).
    :param own_limits: microseconds by processor; :param forks: tasks started since the machine was.
    :param services: by process the systemd service that it belongs to, of those that may be named.
    :param guest: it is a virtual machine; :param live: the running one, and not a recorded one.
    :param sleeps: the sleep states of the ladder, in words; empty where it has none.
    :param parks: what the action cpu-park could gather on a few processors here.
    :param cards: network cards by name, with what wakes the machine; ``None`` where that may not be read. Asked only where the ladder sleeps.
    """

    at: float = 0.0
    idling: Idling = field(default_factory=lambda: Idling("", "", {}, ()))
    limit: int | None = None
    limit_error: str = ""
    own_limits: dict[int, int] = field(default_factory=dict)
    opened: OpenFiles = field(default_factory=OpenFiles)
    tasks: dict[int, Task] = field(default_factory=dict)
    forks: int = 0
    interrupts: dict[str, Interrupt] = field(default_factory=dict)
    gpus: list[Gpu] = field(default_factory=list)
    contexts: list[Context] = field(default_factory=list)
    tools: tuple[Conflict, ...] = ()
    guest: bool = False
    live: bool = True
    aspm: Aspm = field(default_factory=Aspm)
    disks: list[Disk] = field(default_factory=list)
    moved: dict[str, Moved] = field(default_factory=dict)
    movers: dict[int, Mover] = field(default_factory=dict)
    movers_hidden: int = 0
    services: dict[int, str] = field(default_factory=dict)
    sleeps: str = ""
    parks: tuple[str, ...] = ("tasks", "interrupts", "work queues")
    cards: dict[str, WakeFlags | None] = field(default_factory=dict)


def look(host: Host, own: int = 0, sleeps: str = "") -> Look:
    """At this machine, or a recorded one. What changes by itself comes first.

    :param own: our own process, which is left out.
    :param sleeps: the sleep states of the ladder, in words.
    """
    files = host.files
    at = host.clock.boottime() if host.live else uptime(files)
    counted = tasks(files, own)
    came = came_so_far(files)
    opened = open_files(files, GLOBAL_LIMIT, *DEVICES)
    limit, error = limit_of(files)
    whole = disks(files)
    movers, movers_hidden = by_process(files)
    return Look(
        at=at,
        idling=idling(files),
        limit=limit,
        limit_error=error,
        own_limits=own_limits(files),
        opened=opened,
        tasks=counted,
        forks=forks(files),
        interrupts=came,
        gpus=gpus(files),
        contexts=list(contexts(files, opened.below(*DEVICES))),
        tools=conflicts(files),
        guest=guest(files),
        live=host.live,
        aspm=aspm(files),
        disks=whole,
        moved=by_disk(files, whole),
        movers=movers,
        movers_hidden=movers_hidden,
        sleeps=sleeps,
        cards=cards(files) if sleeps and host.live else {},
    )


def uptime(files: Files) -> float:
    """Seconds since the machine was started, when it was recorded (proc_uptime(5)); 0 where that is not known."""
    try:
        return float(text(files, "/proc/uptime").split()[0])
    except (IndexError, ValueError):
        return 0.0


def came_so_far(files: Files) -> dict[str, Interrupt]:
    """Interrupts; none where they cannot be read."""
    try:
        return interrupts(files)
    except OSError:
        return {}


def limit_of(files: Files) -> tuple[int | None, str]:
    """The global limit; or none, and why."""
    try:
        return global_limit(files), ""
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, error.strerror or str(error)


def cards(files: Files) -> dict[str, WakeFlags | None]:
    """What each network card with hardware below it wakes the machine by; one that cannot be asked at all is as one that cannot wake."""
    found: dict[str, WakeFlags | None] = {}
    for path in matching(files, "/sys/class/net/*/device"):
        name = path.split("/")[4]
        try:
            found[name] = wake_flags(name, door(files))
        except PermissionError:
            found[name] = None
        except (OSError, ValueError):
            found[name] = WakeFlags("", "")
    return found


def beginning(after: Look) -> Look:
    """The look of when the machine was started, at which nothing had been counted: against it, rates are averages since then."""
    return Look(live=after.live)
