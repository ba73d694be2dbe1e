"""``powernap report``: how long the machine was in which stage, what that saved, and how good its waits were."""

from __future__ import annotations

import argparse
import os
import time
from array import array
from collections.abc import Callable, Mapping
from typing import Any

from powernap import meters
from powernap.cli import arguments, report_text
from powernap.cli.days import Days
from powernap.cli.history_file import entries
from powernap.cli.output import fail, show_json
from powernap.config.load import load
from powernap.config.model import AUTO, Config, Stage
from powernap.config.problems import ConfigErrors
from powernap.config.sources import DEFAULT_FILE
from powernap.core import break_even
from powernap.core.break_even import Comparison
from powernap.core.energy import Figure
from powernap.core.past import ABSENT, ASLEEP, AWAKE, Past
from powernap.core.units import show_duration
from powernap.daemon import measured, thresholds
from powernap.host.files import TreeFiles

STATE = "/var/lib/powernap"
FIXED = (60.0, 300.0, 900.0, 1800.0, 3600.0)
"""Waits, in seconds, that the chosen one is compared with."""
SIGMA = 2.0
"""Spreads in a band."""
DRAWN_ASLEEP = (5.0, 5.0)
"""Watts that a sleeping or switched-off machine still draws, give or take: its power supply, memory, network card and controller."""
UNREAD = {
    ABSENT: "powernapd was not there to read a meter",
    ASLEEP: "the meter sleeps with the machine; only one outside, at the socket, goes on counting",
}
"""Why no power is known of a state that powernapd cannot read its meter in, and what would tell."""
SELDOM = "the meter was not read in it for long enough; a stay of some minutes tells"
METERLESS = (
    "powernapd read no meter of this machine (the processors', a power supply's, the firmware's or a battery's); "
    "with a meter outside, `powernap measure` tells what is saved"
)


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "report",
        help="hours in each stage, energy used and saved, and how good the waits were",
        description="What the history of this machine comes to: hours in each stage, naps and how many of them were interrupted, sleeps, the "
        "energy that was used (as far as this machine's own meter was read) and saved (an estimate, by what `powernap measure` found), and the chosen waits beside fixed ones and those of somebody who knows "
        "the future.",
    )
    parser.add_argument(
        "--since", type=arguments.length, default=7 * 86400.0, metavar="T", help="how far back (default 7d)"
    )
    parser.add_argument("--json", action="store_true", help="print the document described in docs/json.md")
    parser.add_argument(
        "--svg", metavar="FILE", help="also draw a picture: hours in each state, a column a day"
    )
    parser.add_argument("--html", metavar="FILE", help="also write the report and the picture as one page")
    parser.add_argument(
        "--state",
        metavar="DIR",
        default=STATE,
        help="where history and measurements are (default %(default)s)",
    )
    parser.add_argument("--config", metavar="PATH", help="a file or a directory (default /etc/powernap)")
    return parser


def run(args: argparse.Namespace) -> int:
    """0 shown; 1 there is no history, or none of it can be read; 2 the configuration is faulty, or a file cannot be written; 3 the history may not be read."""
    path = os.path.join(args.state, "history.jsonl")
    try:
        config = load(*[args.config] * bool(args.config), trusted=False)
    except ConfigErrors as error:
        if args.config:
            return fail(
                str(error.problems[0]),
                f"`powernap config check {args.config}` shows all",
                2,
                as_json=args.json,
            )
        config = load(DEFAULT_FILE, trusted=False)
    now = time.time()
    gaps = Gaps()
    days = Days(now - args.since, now)
    idle = {stage.name: after_of(stage) for stage in config.stages}
    past = Past(idle, days.add, gaps.add, since=now - args.since)
    unreadable: list[int] = []
    try:
        for entry in entries(path, unreadable.append):
            past.add(entry)
    except FileNotFoundError:
        return fail(
            f"there is no history: {path} does not exist", "powernapd writes it", 1, as_json=args.json
        )
    except OSError as error:
        return fail(f"{path}: {error.strerror}", "ask as root", as_json=args.json)
    if past.first is None or past.first >= now:
        return fail(*nothing(past, path, len(unreadable)), 1, as_json=args.json)
    past.finish(now)
    document = document_of(past, config, known(args.state), gaps, now, len(unreadable))
    for name, text in pictures(args, document, days).items():
        try:
            write(name, text)
        except OSError as error:
            return fail(f"{name}: {error.strerror}", "choose another name", 2, as_json=args.json)
    if args.json:
        return show_json(document)
    print(report_text.report(document))
    return 0


def nothing(past: Past, path: str, unreadable: int) -> tuple[str, str]:
    """Why there is nothing to report, and what to do: what is damaged is not called empty."""
    if past.first is not None:
        return f"{path} begins in the future", "was the clock set? `powernap history` shows it"
    if unreadable:
        lines = f"its {unreadable} lines" if unreadable > 1 else "its line"
        return f"{path} is damaged: {lines} cannot be read", "move it away; powernapd begins a new one"
    return f"nothing has happened yet: {path} is empty", "is powernapd running? see `powernap status`"


def pictures(args: argparse.Namespace, document: dict[str, Any], days: Days) -> dict[str, str]:
    """The files that were asked for."""
    if not (args.svg or args.html):
        return {}
    svg = days.draw([each["name"] for each in document["states"]], report_text.headline(document))
    found = {args.svg: svg} if args.svg else {}
    return {**found, args.html: report_text.page(document, svg)} if args.html else found


def write(path: str, text: str) -> None:
    """A file, whole."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


# ---------------------------------------------------------------- reading


def known(state: str) -> dict[str, Any]:
    """What `powernap measure` found on this machine (its scope, the power without any action, the savings), and the gaps that the daemon kept."""
    path = os.path.join(state, measured.NAME)
    files = TreeFiles()
    return {
        "savings": measured.savings(path, files),
        "gaps": thresholds.gaps(state),
        **measured.base(path, files),
    }


# ---------------------------------------------------------------- what it comes to


def after_of(stage: Stage) -> float:
    """The idle time before a stage; of one that the daemon chooses, the least that it can be."""
    return stage.least if stage.after == AUTO else stage.after


class Gaps:
    """The idle gaps of the history."""

    def __init__(self) -> None:
        self.lengths = array("d")

    def add(self, gap: float) -> None:
        """One gap: eight bytes, so a machine that naps each minute makes 4 MB in a year."""
        self.lengths.append(gap)


def document_of(
    past: Past, config: Config, found: dict[str, Any], gaps: Gaps, now: float, unreadable: int = 0
) -> dict[str, Any]:
    """All facts; described in docs/json.md."""
    states = [state_of(past, name, would, config, found) for name, would in order(past, config)]
    saved = [each["saved_j"] for each in states if each["saved_j"] is not None and not each["would"]]
    would = [each["saved_j"] for each in states if each["saved_j"] is not None and each["would"]]
    bands = {
        flag: sum(
            each["saved_band_j"]
            for each in states
            if each["saved_band_j"] is not None and each["would"] is flag
        )
        for flag in (True, False)
    }
    used = [each["used_j"] for each in states if each["used_j"] is not None]
    unknown = [each["seconds"] for each in states if each["unknown"]]
    in_all = [each["all_j"] for each in states if each["all_j"] is not None]
    return {
        "version": 1,
        "from": past.first,
        "to": round(now, 3),
        "entries": past.entries,
        "unreadable": unreadable,
        "naps": past.naps,
        "interrupted": past.interrupted,
        "would_nap": past.woulds,
        "would_be_interrupted": past.would_interrupted,
        "sleeps": past.sleeps,
        "states": states,
        "used_j": sum(used) if used else None,
        "used_basis": past.source.basis if used else "",
        "used_meter": past.source.meter,
        "used_scope": past.source.scope,
        "all_j": sum(in_all) if in_all else None,
        "unknown_s": round(sum(unknown), 3),
        "saved_j": sum(saved) if saved else None,
        "saved_band_j": bands[False] if saved else None,
        "would_save_j": sum(would) if would else None,
        "would_save_band_j": bands[True] if would else None,
        "basis": "estimate",
        "meter": found["meter"],
        "scope": found["scope"],
        "gaps": len(gaps.lengths),
        "thresholds": waits(gaps, config, found),
    }


def order(past: Past, config: Config) -> list[tuple[str, bool]]:
    """States in the order of the ladder."""
    names = [AWAKE, *(stage.name for stage in config.stages), ASLEEP, ABSENT]
    keys = sorted(past.lengths, key=lambda key: (names.index(key[0]) if key[0] in names else 1, key))
    return [key for key in keys if past.lengths[key] > 0]


def state_of(past: Past, name: str, would: bool, config: Config, found: dict[str, Any]) -> dict[str, Any]:
    """One state: its time, what was used in it, and what it is estimated to have saved.

    A stage that the daemon would have been in draws what an awake machine does.
    """
    seconds = past.lengths[name, would]
    known = past.used.get(AWAKE if would else name)
    draws, used = known.watts if known else None, None if would else known
    saving = power_saved(name, config, found)
    return {
        "name": name,
        "would": would,
        "seconds": round(seconds, 3),
        "used_j": round(used.joules, 3) if used else None,
        "used_s": round(used.seconds, 3) if used else None,
        "draws_w": rounded(draws),
        "all_j": None if draws is None else round(draws * seconds, 3),
        "unknown": "" if draws is not None else why_unknown(name, past),
        "saves_w": round(saving.value, 3) if saving else None,
        "saves_band_w": round(saving.band, 3) if saving else None,
        "saved_j": round(saving.value * seconds, 3) if saving else None,
        "saved_band_j": round(saving.band * seconds, 3) if saving else None,
    }


def why_unknown(name: str, past: Past) -> str:
    """Why the power in a state is not known, and what would tell."""
    return METERLESS if not past.used else UNREAD.get(name, SELDOM)


def rounded(value: float | None) -> float | None:
    """To a thousandth."""
    return None if value is None else round(value, 3)


def power_saved(name: str, config: Config, found: dict[str, Any]) -> Figure | None:
    """Watts saved in a state, estimated from what was measured; ``None`` where nothing is known.

    A stage has its own actions and those of the stages before it. What they save together is not quite the sum of what each saves alone.
    """
    if name == ASLEEP and found["without_w"] is not None and found["scope"] in meters.WHOLE:
        drawn, give = DRAWN_ASLEEP
        return Figure(found["without_w"] - drawn, give)
    names = [stage.name for stage in config.stages]
    if name not in names:
        return None
    return together([a for stage in config.stages[: names.index(name) + 1] for a in stage.actions], found)


def together(actions: list[str], found: dict[str, Any]) -> Figure | None:
    """The sum of what was measured of these actions."""
    each = [found["savings"][name] for name in dict.fromkeys(actions) if name in found["savings"]]
    told = [
        (saving.saved, saving.spread)
        for saving in each
        if saving.saved is not None and saving.spread is not None
    ]
    if not told:
        return None
    return Figure(sum(saved for saved, _ in told), SIGMA * sum(spread for _, spread in told))


def waits(gaps: Gaps, config: Config, found: dict[str, Any]) -> list[dict[str, Any]]:
    """For each stage: ways to wait, compared over this machine's gaps and by the daemon's own price of a nap."""
    first = min((stage.after for stage in config.stages if stage.after > 0), default=0.0)
    answers = []
    chosen = {stage.name: after_of(stage) for stage in config.stages}
    for stage in config.stages:
        price = thresholds.price(stage, found["savings"])
        kept = found["gaps"].get(stage.name)
        lengths = kept or gaps.lengths
        if not lengths or price.paid == float("inf"):
            continue
        # shorter gaps than the first wait are in no history: no wait below it can be judged by it
        soonest = stage.least if stage.after == AUTO else 0.0 if kept else first
        fixed = {show_duration(wait): wait for wait in FIXED if wait >= soonest}
        fixed |= {"configured": stage.after} if stage.after != AUTO else {}
        compared = break_even.compare(lengths, price.paid, fixed, soonest, limited(stage, config, chosen))
        if stage.after == AUTO:
            chosen[stage.name] = compared.wait
        saving = together(list(stage.actions), found) if price.known else None
        answers.append(way_of(stage.name, compared, saving, fixed, known=price.known))
    return answers


def limited(stage: Stage, config: Config, chosen: Mapping[str, float]) -> Callable[[float], float]:
    """What the daemon makes of a choice for a stage: within ``least`` to ``most``, and not past its neighbours.

    :param chosen: the waits of the others.
    """

    def bound(best: float) -> float:
        return thresholds.between(config.stages, {**chosen, stage.name: best})[stage.name]

    return bound if stage.after == AUTO else float


def way_of(
    stage: str, compared: Comparison, saving: Figure | None, fixed: dict[str, float], *, known: bool
) -> dict[str, Any]:
    """One stage's comparison. ``lost_s`` is what the choice cost, in seconds of the saving: waited through, or paid for naps."""
    lengths = {"chosen": compared.wait, "break-even": compared.paid, "clairvoyant": None, **fixed}
    ways = [
        {
            "name": name,
            "wait_s": None if (wait := lengths[name]) is None else round(wait, 3),
            "naps": compared.naps[name],
            "lost_s": round(cost, 3),
            "lost_j": round(cost * saving.value, 3) if saving else None,
        }
        for name, cost in sorted(compared.costs.items(), key=lambda each: each[1])
        if lengths[name] is None or (lengths[name] or 0.0) >= compared.soonest
    ]
    return {
        "stage": stage,
        "measured": known,
        "gaps": compared.count,
        "break_even_s": round(compared.paid, 3),
        "ratio": round(compared.ratio, 3),
        "ways": ways,
    }
