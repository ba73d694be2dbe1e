"""What ``powernap doctor`` found, as a document for programs; described in docs/json.md."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from powernap import __version__

if TYPE_CHECKING:
    from powernap.checks import Finding
    from powernap.checks.disks import Traffic
    from powernap.checks.gpus import Use
    from powernap.checks.idle_states import Rest
    from powernap.checks.wakeups import Source, Waker
    from powernap.cli.diagnosis import Diagnosis
    from powernap.host.conflicts import Conflict
    from powernap.host.gpus import Gpu


def document(found: Diagnosis, host: str, *, recorded: bool) -> dict[str, Any]:
    """All of it."""
    return {
        "version": 1,
        "powernap": __version__,
        "host": host,
        "recorded": recorded,
        "root": os.geteuid() == 0,
        "guest": found.last.guest,
        "window_s": round(found.length, 3),
        "findings": [of_finding(each) for each in found.findings],
        "unseen": [
            {"what": each.what, "reason": each.reason, "remedy": each.remedy} for each in found.unseen
        ],
        "refused": [
            {"action": each.what, "reason": each.reason, "remedy": each.remedy} for each in found.refused
        ],
        "idle": {
            "driver": found.last.idling.driver,
            "governor": found.last.idling.governor,
            "limit_us": found.last.limit,
            "processors": [of_rest(each) for each in found.rests],
        },
        "tasks": [of_waker(each, unit) for each, unit in found.wakers],
        "interrupts": [of_source(each) for each in found.sources],
        "gpus": [of_gpu(each) for each in found.last.gpus],
        "gpu_contexts": [of_use(each) for each in found.uses],
        "disks": [of_disk(each) for each in found.disks],
        "tools": [of_tool(each) for each in found.last.tools],
    }


def of_finding(each: Finding) -> dict[str, Any]:
    """One finding; watts are null where there is no figure."""
    return {
        "check": each.check,
        "watts_up_to": each.watts.most or None,
        "basis": each.watts.basis,
        "evidence": each.evidence,
        "consequence": each.consequence,
        "remedy": each.remedy,
        "action": each.action,
    }


def of_rest(each: Rest) -> dict[str, Any]:
    """One processor and its idle states."""
    states = [
        {
            "name": stay.name,
            "share": round(stay.share, 4),
            "entered_per_s": round(stay.entered, 2),
            "disabled": stay.disabled,
        }
        for stay in each.stays
    ]
    return {"cpu": each.cpu, "woken_per_s": round(each.wakeups, 2), "deepest": each.deepest, "states": states}


def of_waker(each: Waker, unit: str) -> dict[str, Any]:
    """One process."""
    return {
        "pid": each.pid,
        "name": each.name,
        "thread": each.thread,
        "unit": unit,
        "per_s": round(each.rate, 2),
    }


def of_source(each: Source) -> dict[str, Any]:
    """One interrupt."""
    return {
        "label": each.label,
        "name": each.name,
        "device": each.device,
        "per_s": round(each.rate, 2),
        "processors": {str(cpu): round(rate, 2) for cpu, rate in each.by_cpu.items()},
    }


def of_gpu(each: Gpu) -> dict[str, Any]:
    """One graphics processor."""
    return {
        "address": each.address,
        "name": each.name,
        "driver": each.driver,
        "status": each.status,
        "control": each.control,
    }


def of_use(each: Use) -> dict[str, Any]:
    """One context on one."""
    context = each.context
    return {
        "pid": context.pid,
        "name": context.name,
        "path": context.path,
        "memory": context.memory,
        "worked": each.worked,
    }


def of_disk(each: Traffic) -> dict[str, Any]:
    """One disk."""
    return {"name": each.name, "read_per_s": round(each.read, 1), "written_per_s": round(each.written, 1)}


def of_tool(each: Conflict) -> dict[str, Any]:
    """One other tool."""
    tool = each.tool
    return {"tool": tool.name, "evidence": each.evidence, "owns": list(tool.owns), "remedy": tool.advice}
