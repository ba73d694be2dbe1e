"""Lets PCI Express links rest (ASPM): the links that you name, or, on request, all of them by the kernel's policy.

Nothing is touched that you did not ask for: where a state is off though the policy wants it, a driver or an admin switched it off, mostly
for a reason (links of GPUs were reset, network cards stalled, wireless cards vanished). What cannot be put back exactly is refused: in
the policies ``default`` and ``performance`` the files do not show whether a link was switched off (host/aspm.py). Where firmware kept the control,
it keeps it: nothing is forced. A link of the wake path is never touched, and the policy not changed while it would touch one. Another
tool that sets the policy meanwhile keeps its policy; what was switched off for a link alone is switched off again whatever the policy has
made of it. Owns ``link/*`` and the policy. 10 to 60 us until a link answers again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host import aspm, device_guards
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.devices import target
from powernap.host.files import text
from powernap.host.knobs import Change
from powernap.host.modes import writable
from powernap.host.pci_guards import I225_I226
from powernap.host.wake_path import wake_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from powernap.host.aspm import Link
    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "dangerous"
LANE = "fast"

DEEPEST = "powersupersave"
DRIVERS = {
    "r8169",
    "r8168",
    "r8125",
    "igc",
    "e1000e",
    "amdgpu",
    "radeon",
    "nouveau",
    "nvidia",
    "i915",
    "xe",
    "iwlwifi",
    "aacraid",
}


def _addresses(names: tuple[str, ...]) -> str | None:
    shape = r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
    wrong = next((name for name in names if not re.fullmatch(shape, name)), None)
    return wrong and f'"{wrong}" is no PCI address; write it as lspci -D shows it, for example "0000:02:00.0"'


@dataclass(frozen=True)
class Options:
    """Which links, and which states."""

    links: tuple[str, ...] = option(
        (),
        example='["0000:02:00.0"]',
        check=_addresses,
        help="Links that may rest, by the address of the card at their lower end.",
    )
    states: tuple[str, ...] = option(
        ("l1_aspm", "l1_1_aspm", "l1_2_aspm", "clkpm"),
        example='["l1_aspm"]',
        choices=(*aspm.BASIC, *aspm.SUBSTATES),
        help="The states that these links may enter.",
    )
    policy: str = option(
        "keep",
        example="powersave",
        choices=("keep", "powersave", "powersupersave"),
        help="The policy for all links; it is refused while it would touch a link of the wake path or of a card that is known to fail.",
    )
    despite: tuple[str, ...] = option(
        (),
        example='["known-bad"]',
        choices=("known-bad",),
        help="Guards to pass over, at your own risk.",
    )


def probe(host: Host, options: Options) -> Availability:
    """What was asked for and can be done; why not the rest."""
    files = host.files
    links, now = aspm.links(files), aspm.policy(files)
    if not links:
        return unavailable(
            "no PCI Express link is Linux's to set: firmware kept the control, or none can rest"
        )
    if not options.links and options.policy == "keep":
        return unavailable(
            f"{many(len(links), 'PCI Express link')}; none is named (the policy is {now})",
            'name some in `links`, or set policy = "powersave"; try it with a console at hand',
        )
    refused = _policy_refused(files, links, options)
    able, staying = _judged(files, links, options, now if refused else _later(options, now))
    notes = device_guards.told(staying) + ([refused] if refused else [])
    changes = _later(options, now) != now and not refused
    if not able and not changes:
        return unavailable("; ".join(["nothing that was asked for can be done", *notes]))
    if not writable(files, aspm.POLICY if changes else f"{able[0][0].functions[0].place}/link/{able[0][1]}"):
        return unavailable("PCI Express links cannot be set from here", "run as root, outside a container")
    said = [f"policy {now} can become {options.policy}"] if changes else []
    named = len({link.address for link, _ in able})
    return available(
        "; ".join(
            [*said, *([f"{named} of {many(len(links), 'link')} can rest more"] if able else []), *notes]
        )
    )


def plan(host: Host, options: Options) -> Iterator[Change]:
    """The policy first, because it shows what else is switched off; then each named link, L1 before its sub-states."""
    files = host.files
    links, now = aspm.links(files), aspm.policy(files)
    if _later(options, now) != now and not _policy_refused(files, links, options):
        yield Change(aspm.POLICY, options.policy, form="choice")
    policy = aspm.policy(files)
    for link, state in _judged(files, aspm.links(files), options, policy)[0]:
        place = link.functions[0].place
        # a sub-state switches L1 on too, where that was refused
        if state in aspm.SUBSTATES and text(files, f"{place}/link/l1_aspm") != "1":
            continue
        # and L1 those that nobody has switched off: they are not ours to put back
        if text(files, f"{place}/link/{state}") != "0":
            continue
        if aspm.policy(files) != policy:
            raise UnavailableError(_contested(aspm.policy(files)))
        yield Change(target(files, place, f"link/{state}"), "1", "link", optional=True)


def _contested(policy: str) -> Availability:
    """Under another policy than the links were judged by, a 0 need not mean that somebody switched the state off."""
    return unavailable(
        f"another tool has just set the policy of PCI Express links to {policy}", "let one of them set it"
    )


def _later(options: Options, now: str) -> str:
    """The policy that will be in effect: never one that saves less."""
    return now if options.policy == "keep" or now == DEEPEST else options.policy


def _policy_refused(files: Files, links: Iterable[Link], options: Options) -> str:
    """Why the policy stays as it is, where another was asked for: it would reach a link that must be left alone."""
    if _later(options, aspm.policy(files)) != options.policy:
        return ""
    path = wake_path(files)
    for link in links:
        if link.under(options.policy) and (why := _waking(link, path) or _known_bad(link, options)):
            return f"the policy stays: it would change the link of {link}, and {why}"
    return ""


def _judged(
    files: Files, links: list[Link], options: Options, policy: str
) -> tuple[list[tuple[Link, str]], list[tuple[str, str]]]:
    """The states to switch on under a policy, and the named links that stay as they are, each with the reason."""
    path = wake_path(files)
    able: list[tuple[Link, str]] = []
    staying: list[tuple[str, str]] = []
    for name in options.links:
        link = next((each for each in links if name in {one.address for one in each.functions}), None)
        why = (
            "no link has this address, or it cannot rest"
            if link is None
            else _stays(link, options, path, policy)
        )
        if why or link is None:
            staying.append((name if link is None else str(link), why))
        else:
            able += [(link, state) for state in _missing(link, options, policy)]
    return able, staying


def _stays(link: Link, options: Options, path: Mapping[str, str], policy: str) -> str:
    """Why a named link stays as it is."""
    if why := _waking(link, path) or _known_bad(link, options):
        return why
    if policy not in aspm.WANTS:
        return (
            f'under the policy "{policy}" its state cannot be put back exactly: set policy = "powersave" too'
        )
    return "" if _missing(link, options, policy) else "it rests as deep as the policy lets it"


def _missing(link: Link, options: Options, policy: str) -> list[str]:
    return [state for state in link.off if state in options.states and state in aspm.WANTS.get(policy, ())]


def _waking(link: Link, path: Mapping[str, str]) -> str:
    return next((path[each.place] for each in link.functions if each.place in path), "")


def _known_bad(link: Link, options: Options) -> str:
    """A card that is known to fail when its link rests."""
    if "known-bad" in options.despite:
        return ""
    for each in link.functions:
        if each.ids in I225_I226 or each.driver in DRIVERS or each.kind.startswith("03"):
            name = each.driver or each.ids
            return f'cards of {name} are known to fail when their link rests (guard "known-bad")'
    return ""
