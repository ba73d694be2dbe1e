"""Two looks at a machine, and what every check makes of them; also which savings its ladder leaves unused.

Owns the order: findings with the most watts first. Showing them is doctor.py's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from powernap import actions
from powernap.actions import cpu_park
from powernap.checks import (
    AS_ROOT,
    ASPM,
    DISK,
    GPU_ACTIVE,
    NONE,
    Finding,
    Refused,
    Unseen,
    Watts,
    cards,
    disks,
    gpus,
    idle_states,
    latency,
    links,
    tools,
    wakeups,
)
from powernap.checks.look import Look, beginning, look
from powernap.cli import glance, overview
from powernap.config.model import ActionConfig, Config
from powernap.host.host import Host
from powernap.host.wakeups import unit

CHECKS = (idle_states, latency, wakeups, gpus, disks, links, cards, tools)
"""In this order where watts are equal."""
SAVINGS = {
    "disk-spindown": (DISK, "disks spin although nobody uses them"),
    "ata-standby": (DISK, "disks spin although nobody uses them"),
    "sas-idle": (DISK, "disks spin although nobody uses them"),
    "sata-link": (
        Watts(1.5, "a link; more where it keeps a package awake"),
        "links to disks stay powered between transfers",
    ),
    "nvme-latency": (
        Watts(5, "common figures for an enterprise drive, not verified"),
        "drives stay out of their deeper power states",
    ),
    "usb-autosuspend": (
        Watts(1, "a small server, keyboard port"),
        "a bus that is never quiet keeps its host controller awake",
    ),
    "pci-runtime": (Watts(2, "a device, not verified"), "devices that nobody uses stay powered"),
    "pcie-aspm": (ASPM, links.AWAKE),
    "gpu": (GPU_ACTIVE, "an idle card stays powered"),
    "audio": (Watts(1, "a codec, not verified"), "a codec that plays nothing stays powered"),
}
"""Actions that reach what no check judges by itself: what saving each brings at most, and what is lost without it."""
NAMED = 10
"""Processes whose service is looked up."""


@dataclass(frozen=True)
class Diagnosis:
    """:param length: seconds between the two looks; the other lists are what the findings rest on, most first."""

    last: Look
    length: float
    findings: list[Finding]
    unseen: list[Unseen]
    refused: list[Refused]
    rests: list[idle_states.Rest]
    wakers: list[tuple[wakeups.Waker, str]]
    sources: list[wakeups.Source]
    uses: list[gpus.Use]
    disks: list[disks.Traffic]


def diagnose(root: str, wait: Callable[[], None]) -> Diagnosis:
    """Look, wait, look again, judge. A recorded machine does not change, so that is judged since it was started."""
    host, config = glance.recorded(root), overview.in_force()[0]
    sleeps = ", ".join(stage.sleep for stage in config.stages if stage.sleep != "none")
    first = look(host, os.getpid(), sleeps) if host.live else None
    if first:
        wait()
    last = look(host, os.getpid() if first else 0, sleeps)
    first = first or beginning(last)
    named = [each.pid for each in wakeups.wakers(first, last)[:NAMED]] + [
        each.pid for each in last.opened.files
    ]
    services = {pid: unit(host.files, pid) for pid in named}
    return judged(host, config, first, replace(last, services=services, parks=parks(host, config)))


def parks(host: Host, config: Config) -> tuple[str, ...]:
    """What cpu-park could gather here, with the options that it has."""
    given = [each.options for each in config.actions.values() if each.type == "cpu-park"]
    return cpu_park.movable(host, given[0] if given else cpu_park.Options())


def judged(host: Host, config: Config, first: Look, last: Look) -> Diagnosis:
    """What all checks say."""
    said: list[Finding | Unseen] = [each for check in CHECKS for each in check.judge(first, last)]
    savings = list(unused(host, config))
    findings = sorted(
        (each for each in (*said, *savings) if isinstance(each, Finding)), key=lambda each: -each.watts.most
    )
    if last.guest:
        # what its processors draw is its host's to save and to measure; the order stays
        findings = [replace(each, watts=NONE) for each in findings]
    return Diagnosis(
        last,
        last.at - first.at,
        findings,
        [without_remedy(each) for each in said if isinstance(each, Unseen)],
        [each for each in savings if isinstance(each, Refused)],
        idle_states.rests(first, last),
        [(each, last.services.get(each.pid, "")) for each in wakeups.wakers(first, last)[:NAMED]],
        wakeups.sources(first, last),
        gpus.used(first, last),
        disks.traffic(first, last),
    )


def without_remedy(each: Unseen) -> Unseen:
    """For root, to be root is no remedy."""
    return replace(each, remedy="") if each.remedy == AS_ROOT and os.geteuid() == 0 else each


def unused(host: Host, config: Config) -> Iterator[Finding | Refused]:
    """Actions that could save something here and stand in no stage; and those that may not although there is something to save."""
    used = {config.actions[name].type for stage in config.stages for name in stage.actions}
    for kind in (kind for kind in SAVINGS if kind in actions.kinds()):
        given = [each for each in config.actions.values() if each.type == kind]
        action = given[0] if given else ActionConfig(kind, kind, actions.find(kind).Options())
        answer = glance.probe(actions.find(kind), host, action)
        if answer and kind not in used:
            watts, consequence = SAVINGS[kind]
            remedy = f'add "{action.name}" to `actions` of a stage (`powernap config explain action.{kind}`)'
            yield Finding("savings", watts, f"{kind}: {answer.detail}", consequence, remedy, action.name)
        elif not answer and answer.remedy:
            yield Refused(kind, answer.detail, answer.remedy)
