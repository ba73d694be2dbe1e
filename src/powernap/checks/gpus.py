"""Graphics processors: contexts that do nothing, and cards that are not suspended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.checks import AS_ROOT, GPU, GPU_ACTIVE, Finding, Unseen, some
from powernap.core.units import show_size
from powernap.core.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.checks.look import Look
    from powernap.host.gpus import Context

NAME = "gpus"
DISPLAY_ONLY = frozenset(
    {
        "ast",
        "mgag200",
        "bochs-drm",
        "bochs",
        "cirrus",
        "virtio-pci",
        "virtio_gpu",
        "hyperv_drm",
        "vmwgfx",
        "simple-framebuffer",
    }
)
"""Drivers of a BMC's or a virtual machine's display: nothing to save there."""
SMALL = 64 * 1024**2
"""Bytes: a context with less on a card is a display's or a desktop's, and goes to sleep with it."""


@dataclass(frozen=True)
class Use:
    """A context during the window: whether the card worked for it, ``None`` where the driver does not tell."""

    context: Context
    worked: bool | None


def judge(before: Look, after: Look) -> Iterator[Finding | Unseen]:
    """Idle contexts, then cards that are awake without one."""
    uses = used(before, after)
    yield from idle(uses)
    busy = {use.context.path for use in uses}
    for gpu in after.gpus:
        if gpu.status == "active" and gpu.control == "on" and gpu.driver not in DISPLAY_ONLY and not busy:
            yield Finding(
                NAME,
                GPU_ACTIVE,
                f"{gpu.name} at {gpu.address} may not be suspended (power/control is on), and nobody uses it",
                "an idle card stays powered",
                f"`echo auto | sudo tee /sys/bus/pci/devices/{gpu.address}/power/control`, if its driver is known to wake up again",
                "gpu",
            )
    if after.gpus and after.opened.hidden:
        yield Unseen(
            "who uses the graphics processors",
            f"processes that keep their open files to themselves: {after.opened.hidden}",
            AS_ROOT,
        )


def used(before: Look, after: Look) -> list[Use]:
    """What each context had the card do meanwhile."""
    then = {(each.pid, each.client): each.work for each in before.contexts}
    uses = []
    for each in after.contexts:
        was = then.get((each.pid, each.client))
        worked = None if each.work is None or was is None else each.work > was
        # begun within the window: it has just been set up
        uses.append(Use(each, True if (each.pid, each.client) not in then and each.work else worked))
    return uses


def idle(uses: list[Use]) -> Iterator[Finding]:
    """Contexts that hold much memory, or NVIDIA's, for which the card did nothing, as far as is told."""
    for pid in dict.fromkeys(use.context.pid for use in uses):
        own = [use for use in uses if use.context.pid == pid]
        memory = sum(use.context.memory for use in own)
        nvidia = any(use.context.path.startswith("/dev/nvidia") for use in own)
        if any(use.worked for use in own) or not (nvidia or memory >= SMALL):
            continue
        name = f"{own[0].context.name} (pid {pid})"
        told = any(use.worked is False for use in own)
        did = (
            "had it do nothing in this time"
            if told
            else "its driver does not tell whether it works (asking would wake the card)"
        )
        holds = f" with {show_size(memory)} on it" if memory else ""
        yield Finding(
            NAME,
            GPU,
            f"{name} has a context on {some(sorted({use.context.path for use in own}))}{holds}: {did}",
            "a card with a context keeps its memory and clocks up, also when it computes nothing",
            f"stop {own[0].context.name} while nobody needs it, or let it unload by itself (ollama: OLLAMA_KEEP_ALIVE)",
            "units",
        )
