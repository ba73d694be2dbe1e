"""What each check makes of two looks at a machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from powernap.checks import (
    Finding,
    Unseen,
    cards,
    disks,
    gpus,
    idle_states,
    latency,
    links,
    processors,
    some,
    tools,
    wakeups,
)
from powernap.checks.look import Look, beginning
from powernap.host.aspm_policy import Aspm
from powernap.host.conflicts import TOOLS, Conflict
from powernap.host.disk_traffic import Moved, Mover
from powernap.host.disks import Disk
from powernap.host.ethtool import WakeFlags
from powernap.host.gpus import Context, Gpu
from powernap.host.idle_states import UNLIMITED, IdleState, Idling
from powernap.host.interrupts import Interrupt
from powernap.host.open_files import OpenFile, OpenFiles
from powernap.host.wakeups import Task

EMPTY = Look(at=100.0, limit=UNLIMITED)
LATER = replace(EMPTY, at=110.0)


def findings(check: ModuleType, after: Look, before: Look = EMPTY) -> list[Finding]:
    """Of a check."""
    return [each for each in check.judge(before, after) if isinstance(each, Finding)]


def unseen(check: ModuleType, after: Look, before: Look = EMPTY) -> list[Unseen]:
    """Of a check."""
    return [each for each in check.judge(before, after) if isinstance(each, Unseen)]


def states(*, c1: int = 0, c6: int = 0, usage: int = 0, **facts: Any) -> tuple[IdleState, ...]:
    """POLL, C1 and C6 with so many seconds in them."""
    deep = {"latency": 133, "residency": 600, "disabled": False, **facts}
    return (
        IdleState("POLL", 0, 0, disabled=False, off_by_default=False, time=0, usage=0),
        IdleState("C1", 2, 2, disabled=False, off_by_default=False, time=c1 * 1_000_000, usage=usage),
        IdleState("C6", off_by_default=False, time=c6 * 1_000_000, usage=usage, **deep),
    )


def idling(
    *cpus: tuple[IdleState, ...],
    driver: str = "intel_idle",
    governor: str = "menu",
    limits: tuple[str, ...] = (),
) -> Idling:
    """A machine's processors, from 0."""
    return Idling(driver, governor, dict(enumerate(cpus)), limits)


def looks(then: Idling, now: Idling) -> tuple[Look, Look]:
    """10 s apart."""
    return replace(EMPTY, idling=then), replace(LATER, idling=now)


# ---------------------------------------------------------------- idle states


def test_a_machine_that_reaches_its_deepest_state_has_no_finding() -> None:
    """Only what nobody can see from here is said."""
    before, after = looks(idling(states(), states()), idling(states(c6=9, usage=50), states(c6=10, usage=9)))
    assert [] == findings(idle_states, after, before)
    assert ["package idle states"] == [each.what for each in unseen(idle_states, after, before)]


def test_a_processor_that_stays_shallow_is_named_with_its_figures() -> None:
    """The worst of them, and where its time went."""
    then = idling(states(), states(), states())
    now = idling(states(c6=9), states(c1=8, c6=1, usage=1000), states(c1=6, c6=3, usage=10))
    before, after = looks(then, now)
    (found,) = findings(idle_states, after, before)
    assert (
        "idle, but not in C6: processors 1-2; processor 1 for 10% of the time, instead C1 80%, C6 10%"
        in found.evidence
    )
    assert "200 times a second" in found.remedy
    assert 97 == found.watts.most


def test_a_processor_at_work_is_not_kept_from_anything() -> None:
    """It was idle for 3 of 10 seconds; and one that slept all the time has counted nothing yet."""
    before, after = looks(idling(states(), states()), idling(states(c1=3), states()))
    assert [] == findings(idle_states, after, before)


def test_a_state_that_somebody_switched_off_is_a_finding() -> None:
    """With its number, for the command; its processors; and then C1 is the deepest that is allowed."""
    off = states(c1=9, disabled=True)
    before, after = looks(idling(states(), states(), states()), idling(off, states(c6=9), off))
    (found,) = findings(idle_states, after, before)
    assert found.evidence.startswith("C6 is switched off on processors 0,2")
    assert "cpu*/cpuidle/state2/disable" in found.remedy
    assert "cpu-idle" == found.action


def test_that_polling_is_switched_off_costs_nothing() -> None:
    """State 0 is no sleep."""
    polling, *deeper = states(c6=9)
    after = replace(LATER, idling=idling((replace(polling, disabled=True), *deeper)))
    assert [] == findings(idle_states, after)


@pytest.mark.parametrize(("governor", "count"), [("menu", 0), ("teo", 0), ("haltpoll", 1), ("ladder", 1)])
def test_governors(governor: str, count: int) -> None:
    """Two of them do not save."""
    after = replace(LATER, idling=idling(states(c6=9), governor=governor))
    assert count == len(findings(idle_states, after))


def test_the_kernels_command_line() -> None:
    """Also in a virtual machine, whose polling costs the host."""
    after = replace(LATER, guest=True, idling=idling(driver="none", limits=("idle=poll",)))
    assert ["the kernel's command line says idle=poll"] == [
        each.evidence for each in findings(idle_states, after)
    ]


def test_without_a_driver() -> None:
    """A finding on hardware; in a virtual machine the host's business; of a recording that has none, nothing."""
    after = replace(LATER, idling=idling(driver="none"))
    assert ["no driver for idle states is loaded (none)"] == [
        each.evidence for each in findings(idle_states, after)
    ]
    assert [] == findings(idle_states, replace(after, guest=True))
    assert "on the host" in unseen(idle_states, replace(after, guest=True))[0].remedy
    assert [] == findings(idle_states, replace(after, live=False))


def test_a_counter_that_went_back_is_no_negative_share() -> None:
    """A processor that was offline meanwhile."""
    before, after = looks(idling(states(c6=50, usage=50)), idling(states(c6=1, usage=1)))
    (rest,) = idle_states.rests(before, after)
    assert (0.0, 0.0, "") == (rest.idle, rest.wakeups, rest.deepest)


def test_since_the_start_of_a_recorded_machine() -> None:
    """Shares of its uptime."""
    after = replace(LATER, idling=idling(states(c6=55, usage=220)), live=False)
    (rest,) = idle_states.rests(beginning(after), after)
    assert (0.5, 4.0, "C6") == (rest.idle, rest.wakeups, rest.deepest)


# ---------------------------------------------------------------- latency limits


def held(*names: str, path: str = "/dev/cpu_dma_latency") -> OpenFiles:
    """By processes from 7."""
    return OpenFiles([OpenFile(7 + place, name, "3", path) for place, name in enumerate(names)])


def test_a_limit_names_its_holder_and_what_it_forbids() -> None:
    """By service where it has one, which an action can stop."""
    after = replace(LATER, limit=20, opened=held("jackd"), idling=idling(states()))
    (found,) = findings(latency, after)
    assert "every processor must wake within 20 us, asked by jackd (pid 7)" == found.evidence
    assert "forbids C6" in found.consequence
    assert "" == found.action
    (found,) = findings(latency, replace(after, services={7: "jack.service"}))
    assert ("units", True) == (found.action, "jack.service" in found.remedy)


def test_a_limit_that_forbids_nothing_is_none() -> None:
    """133 us are what C6 takes; nor is no limit one."""
    after = replace(LATER, limit=133, opened=held("jackd"), idling=idling(states()))
    assert [] == findings(latency, after)
    assert [] == findings(latency, replace(after, limit=UNLIMITED))
    assert [] == findings(latency, replace(LATER, limit=UNLIMITED))


def test_a_limit_that_may_not_be_read_is_said() -> None:
    """By an ordinary user."""
    after = replace(LATER, limit=None, limit_error="Permission denied")
    assert ["the latency limit"] == [each.what for each in unseen(latency, after)]
    assert [] == unseen(latency, replace(after, limit_error=""))


def test_processors_with_limits_of_their_own() -> None:
    """Those that forbid something."""
    after = replace(LATER, own_limits={3: 20, 4: 500}, idling=idling(states()))
    (found,) = findings(latency, after)
    assert "processors have latency limits of their own: 3 within 20 us" == found.evidence


# ---------------------------------------------------------------- wake-ups


def task(pid: int, count: int, name: str = "java", tid: int = 0, **facts: Any) -> dict[int, Task]:
    """A thread."""
    return {tid or pid: Task(pid, tid or pid, name, count, **facts)}


def test_the_threads_of_a_process_are_one_waker() -> None:
    """Named after its first, with the busiest."""
    before = replace(EMPTY, tasks=task(7, 100) | task(7, 1000, "GC", 8) | task(9, 5, "sh"))
    after = replace(LATER, tasks=task(7, 200) | task(7, 1400, "GC", 8) | task(9, 6, "sh"))
    waker, other = wakeups.wakers(before, after)
    assert (7, "java", "GC", 50.0) == (waker.pid, waker.name, waker.thread, waker.rate)
    assert (9, 0.1) == (other.pid, other.rate)
    (found,) = findings(wakeups, replace(after, interrupts={"1": Interrupt("1", "x", {0: 0})}), before)
    assert "java (pid 7) wakes 50 times a second, most of them its thread GC" == found.evidence
    assert "cpu-park" == found.action


def test_a_process_of_a_service_can_be_stopped_with_it() -> None:
    """Unless that would lock somebody out."""
    after = replace(LATER, tasks=task(7, 1000), services={7: "grafana.service"})
    assert ("units", True) == relieved(after, "grafana.service")
    after = replace(after, services={7: "sshd.service"})
    assert ("cpu-park", True) == relieved(after, "cannot be stopped")


def relieved(after: Look, words: str) -> tuple[str, bool]:
    found = findings(wakeups, after)[0]
    return found.action, words in found.remedy


def test_an_id_that_was_given_again_counts_from_zero() -> None:
    """Another process: its count is lower."""
    before, after = replace(EMPTY, tasks=task(7, 1000)), replace(LATER, tasks=task(7, 10))
    assert [1.0] == [each.rate for each in wakeups.wakers(before, after)]


def test_kernel_threads_are_not_stopped() -> None:
    """Their work is somebody's."""
    after = replace(LATER, tasks=task(9, 900, "kworker", kernel=True))
    assert "cpu-park" == findings(wakeups, after)[0].action


@pytest.mark.parametrize(
    ("name", "parks", "action"),
    [
        ("kworker/3:1H", Look.parks, ""),
        ("kworker/0:2-events", Look.parks, ""),
        ("ksoftirqd/0", Look.parks, ""),
        ("kworker/u8:2", Look.parks, "cpu-park"),
        ("kworker/u8:2", ("tasks",), ""),
        ("irq/36-nvme0q1", ("interrupts",), "cpu-park"),
        ("irq/36-nvme0q1", ("tasks", "work queues"), ""),
        ("jbd2/vda1-8", ("tasks",), "cpu-park"),
        ("jbd2/vda1-8", ("interrupts", "work queues"), ""),
    ],
)
def test_cpu_park_is_advised_where_it_could_move_the_work(
    name: str, parks: tuple[str, ...], action: str
) -> None:
    """A thread of one processor is nobody's to move; others by what this machine lets it move."""
    (found, *_) = findings(wakeups, replace(LATER, tasks=task(9, 900, name, kernel=True), parks=parks))
    assert (action, bool(action)) == (found.action, "cpu-park" in found.remedy)


def test_without_cpusets_cpu_park_moves_no_program() -> None:
    """Nor, where interrupts stay, a device's."""
    after = replace(LATER, tasks=task(7, 1000), parks=("work queues",))
    assert ("", False) == relieved(after, "cpu-park")
    assert ("units", False) == relieved(replace(after, services={7: "grafana.service"}), "cpu-park")
    came = {"36": Interrupt("36", "nvme0q1", {0: 500})}
    assert ("", False) == relieved(replace(LATER, interrupts=came, parks=("tasks",)), "cpu-park")


def test_interrupts_by_processor() -> None:
    """Devices above the limit are findings; the processor's own are rows of the table."""
    then = {"36": Interrupt("36", "nvme0q1", {0: 5, 1: 5}), "LOC": Interrupt("LOC", "timer", {0: 0, 1: 0})}
    now = {
        "36": Interrupt("36", "nvme0q1", {0: 5, 1: 505}),
        "LOC": Interrupt("LOC", "timer", {0: 900, 1: 900}),
    }
    before, after = replace(EMPTY, interrupts=then), replace(LATER, interrupts=now)
    assert [("LOC", 180.0), ("36", 50.0)] == [
        (each.label, each.rate) for each in wakeups.sources(before, after)
    ]
    (found,) = findings(wakeups, after, before)
    assert "interrupt 36 (nvme0q1) comes 50 times a second, on processor 1" == found.evidence


def test_the_lockup_detector_and_starts() -> None:
    """Each has a remedy of its own."""
    after = replace(
        LATER, forks=200, interrupts={"NMI": Interrupt("NMI", "Non-maskable interrupts", {0: 100})}
    )
    starts, detector = findings(wakeups, after)
    assert starts.evidence.startswith("20 processes and threads are started")
    assert ("kernel-quiet", "Non-maskable interrupts (NMI) 10 a second") == (
        detector.action,
        detector.evidence,
    )


def test_blindness_is_said() -> None:
    """A container may hide both."""
    assert ["wake-ups by process", "wake-ups by interrupt"] == [each.what for each in unseen(wakeups, LATER)]


# ---------------------------------------------------------------- graphics


def context(
    work: int | None, path: str = "/dev/dri/renderD128", memory: int = 2**30, pid: int = 7
) -> Context:
    """Of a process."""
    return Context(pid, "ollama", path, "0000:01:00.0/5", work, memory)


@pytest.mark.parametrize(("then", "now", "count"), [(5, 5, 1), (5, 6, 0), (None, None, 1)])
def test_a_context_that_does_nothing(then: int | None, now: int | None, count: int) -> None:
    """Where the driver does not tell, that is said."""
    before, after = replace(EMPTY, contexts=[context(then)]), replace(LATER, contexts=[context(now)])
    found = findings(gpus, after, before)
    assert count == len(found)
    if found:
        assert "ollama (pid 7) has a context on /dev/dri/renderD128 with 1GiB on it" in found[0].evidence
        assert ("does not tell" in found[0].evidence) is (now is None)


def test_small_contexts_are_a_displays() -> None:
    """NVIDIA's are not told their size."""
    assert [] == findings(gpus, replace(LATER, contexts=[context(None, memory=1000)]))
    assert 1 == len(findings(gpus, replace(LATER, contexts=[context(None, "/dev/nvidia0", 0)])))


def test_a_card_that_may_not_be_suspended() -> None:
    """Unless it is a BMC's, suspended, or in use."""
    card = Gpu("0000:01:00.0", "amdgpu", "amdgpu 0000:01:00.0", "active", "on")
    assert 1 == len(findings(gpus, replace(LATER, gpus=[card])))
    for other in (
        replace(card, driver="ast"),
        replace(card, status="suspended"),
        replace(card, control="auto"),
    ):
        assert [] == findings(gpus, replace(LATER, gpus=[other]))
    hidden = replace(LATER, gpus=[card], opened=OpenFiles(hidden=3))
    assert ["who uses the graphics processors"] == [each.what for each in unseen(gpus, hidden)]


# ---------------------------------------------------------------- disks


def test_a_rotating_disk_that_is_used_names_who_uses_it() -> None:
    """Most first; a flash disk or a virtual one is a row of the table."""
    spinning = Disk("sda", "", rotational=True, transport="ata")
    found = [
        spinning,
        Disk("nvme0n1", "", transport="nvme"),
        Disk("vda", "", rotational=True, transport="virtio"),
    ]
    moved = {"sda": Moved(0, 10240), "nvme0n1": Moved(5, 5), "vda": Moved(9, 9)}
    movers = {7: Mover(7, "rsyslogd", Moved(0, 10240)), 8: Mover(8, "cp", Moved(0, 20))}
    after = replace(LATER, disks=found, moved=moved, movers=movers, movers_hidden=2)
    (said,) = findings(disks, after)
    assert "sda was used: read 0B/s, written 1KiB/s" == said.evidence
    assert "moved by rsyslogd (pid 7) (read 0B/s, wrote 1KiB/s), cp (pid 8)" in said.consequence
    assert ["who uses the disks"] == [each.what for each in unseen(disks, after)]
    assert [] == findings(disks, after, replace(after, at=100.0))
    # what a recorded one has moved since the start says nothing of its last minutes
    assert [] == findings(disks, replace(after, live=False))


def test_counters_of_a_disk_that_was_plugged_in_again_start_anew() -> None:
    """No negative rates."""
    assert (4, 2) == disks.growth(Moved(100, 100), Moved(4, 2))
    assert (4, 200) == disks.growth(Moved(100, 100), Moved(4, 200))
    assert (200, 4) == disks.growth(Moved(100, 100), Moved(200, 4))


# ---------------------------------------------------------------- links, cards, tools


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"policy": "default", "firmware": False}, ""),
        ({"policy": "default", "firmware": True, "links": ("a",)}, "the firmware forbids"),
        ({"policy": "default", "firmware": True, "off": True}, "pcie_aspm=off"),
        ({"policy": "performance", "firmware": False}, "policy is performance"),
        (
            {"policy": "default", "firmware": False, "links": ("0000:00:1c.0",)},
            "1 link could sleep (L1) and may not",
        ),
    ],
)
def test_who_keeps_links_awake(facts: dict[str, Any], says: str) -> None:
    """The most general reason."""
    found = findings(links, replace(LATER, aspm=Aspm(**facts)))
    assert [bool(says)] * len(found) == [says in each.evidence for each in found]
    assert bool(says) is bool(found)


def test_what_the_firmware_says_may_be_roots_to_read() -> None:
    """Where there is ASPM at all."""
    assert 1 == len(unseen(links, replace(LATER, aspm=Aspm("default"))))
    assert [] == unseen(links, LATER)


def test_a_ladder_that_sleeps_needs_a_card_that_wakes() -> None:
    """Armed, able, neither, hidden."""
    after = replace(LATER, sleeps="suspend")
    assert [] == findings(cards, replace(after, cards={"eth0": WakeFlags("pumbg", "g")}))
    (able,) = findings(cards, replace(after, cards={"eth0": WakeFlags("pumbg", "")}))
    assert "eth0 could be woken by a magic packet and is not armed" == able.evidence
    assert "`sudo ethtool -s eth0 wol g`" == able.remedy
    (none,) = findings(cards, replace(after, cards={"eth0": WakeFlags("", "")}))
    assert "no network card here can wake the machine" == none.evidence
    assert 1 == len(unseen(cards, replace(after, cards={"eth0": None})))
    assert [] == list(cards.judge(EMPTY, LATER))


def tool(name: str) -> Conflict:
    return Conflict(next(each for each in TOOLS if each.name == name), "pid 7")


def test_tools_that_write_again_and_tools_that_fight() -> None:
    """One that sets its knobs once is neither."""
    assert [] == findings(tools, replace(LATER, tools=(tool("TuneD"),)))
    (rewrites,) = findings(tools, replace(LATER, tools=(tool("irqbalance"),)))
    assert "irqbalance is in effect (pid 7)" == rewrites.evidence
    both = findings(tools, replace(LATER, tools=(tool("TuneD"), tool("power-profiles-daemon"))))
    assert "TuneD and power-profiles-daemon both set what cpu-clock sets" in [each.evidence for each in both]


# ---------------------------------------------------------------- all


@pytest.mark.parametrize("check", [cards, disks, gpus, idle_states, latency, links, tools, wakeups])
def test_a_machine_of_which_nothing_is_known_breaks_no_check(check: ModuleType) -> None:
    """A container that hides everything: a window of no length, too."""
    nothing = Look()
    said: Iterator[Any] = check.judge(nothing, nothing)
    assert all(isinstance(each, Finding | Unseen) for each in said)


def test_words() -> None:
    """One and many."""
    assert ("processor 3", "processors 0-2") == (processors([3]), processors([0, 1, 2]))
    assert "a, b, c and 2 more" == some(list("abcde"))
