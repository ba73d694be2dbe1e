"""``powernap measure``: which power-saving actions pay on this machine, by a meter, in turns with and without each."""

from __future__ import annotations

# First, since it keeps ssl out before anybody imports asyncio.
from powernap.cli import own_hands  # isort: skip

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from powernap import actions, meters
from powernap.cli import arguments, dropin, measuring, output, trial
from powernap.cli.glance import UnknownActionError, config_of
from powernap.cli.measure_text import no_meter, report, show_progress
from powernap.cli.metered import AddressError, Metered, NoMeterError, meter_of
from powernap.config.load import load
from powernap.config.model import ActionConfig, Config
from powernap.config.problems import ConfigErrors
from powernap.core import break_even
from powernap.core.comparison import Window, differences, disturbed, extras, judge, passage
from powernap.daemon import measured
from powernap.daemon.places import Places
from powernap.host.availability import UnavailableError
from powernap.host.host import Host

SETTLE, SETTLED = 10.0, 2.0
"""Seconds after a switch that are left out of the window, and readings of the meter that must be over at least."""


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "measure",
        help="find out by a meter which actions pay on this machine",
        description="Applies each action and puts it back, in turns, and compares the power with and without it. Says which actions save, "
        "which do not and which cannot be told, and prints the lines of configuration that keep what pays. Needs root, and a machine that "
        "nobody uses meanwhile. However it ends, everything is put back (after SIGKILL: `powernap undo`).",
    )
    parser.add_argument(
        "actions",
        nargs="*",
        metavar="ACTION",
        help="names of the configuration, or kinds (default: those of the ladder that this machine can do)",
    )
    parser.add_argument(
        "--window",
        type=arguments.length,
        default=300.0,
        metavar="T",
        help="length of each window (default 5min)",
    )
    parser.add_argument(
        "--rounds",
        type=arguments.count,
        default=3,
        metavar="N",
        help="windows with each action; below 2 nothing can be told (default 3)",
    )
    parser.add_argument(
        "--settle",
        type=arguments.length,
        default=SETTLE,
        metavar="T",
        help="left out after each switch; at least two readings of the meter (default 10s)",
    )
    parser.add_argument(
        "--meter",
        metavar="NAME[:ADDRESS]",
        help="a meter of the configuration, or a kind and its address (default: the one that sees most of the machine): "
        + ", ".join(meters.kinds()),
    )
    parser.add_argument(
        "--any-load",
        action="store_true",
        help="count every window, also those in which something else used the machine",
    )
    parser.add_argument(
        "--write",
        metavar="FILE",
        help="also write the lines to a drop-in, such as /etc/powernap/conf.d/50-measured.toml",
    )
    arguments.places(parser, "for the results")
    return parser


def run(args: argparse.Namespace) -> int:
    """0 something was told; 1 nothing was, or it was ended early, or something could not be put back; 2 usage; 3 not permitted."""

    def refuse(message: str, remedy: str = "", code: int = 3) -> int:
        return output.fail(message, remedy, code, as_json=args.json)

    own_hands.only_root("measure")
    host = Host()
    try:
        config = load(*[args.config] * bool(args.config))
        chosen, skipped = choose(config, args.actions, host)
        meter = meter_of(host, config, args.meter)
    except ConfigErrors as error:
        return refuse(str(error.problems[0]), "`powernap config check` shows all", 2)
    except AddressError as error:
        return refuse(str(error), code=2)
    except NoMeterError as error:
        if not args.json:
            print(no_meter(error.ranked), file=sys.stderr)
            return refuse("nothing can be measured", error.availability.remedy, 1)
        return refuse(error.availability.detail, error.availability.remedy, 1)
    except UnavailableError as error:
        return refuse(error.availability.detail, error.availability.remedy, 1)
    except UnknownActionError as error:
        return refuse(error.message, error.remedy, 2)
    if not chosen:
        return refuse(nothing_to_measure(skipped), "name others; bare `powernap` shows what there is", 1)
    if args.write and (why := dropin.unwritable(args.write)):
        return refuse(f"{args.write}: {why}", "choose another name", 2)
    places = Places(args.runtime, args.state)
    with contextlib.closing(meter.opened):
        return asyncio.run(carry_out(args, host, config, places, chosen, skipped, meter))


def choose(config: Config, names: list[str], host: Host) -> tuple[dict[str, ActionConfig], dict[str, str]]:
    """The actions to measure, and those that this machine cannot do, with the reason."""
    wanted = [config_of(config, name) for name in names] or default(config)
    able: dict[str, ActionConfig] = {}
    skipped: dict[str, str] = {}
    for action in wanted:
        answer = actions.find(action.type).probe(host, action.options)
        if answer:
            able[action.name] = action
        else:
            skipped[action.name] = trial.why_not(answer)
    return able, skipped


def default(config: Config) -> list[ActionConfig]:
    """Those of the ladder, in its order; without one, the safe ones."""
    names = dict.fromkeys(name for stage in config.stages for name in stage.actions)
    return [config_of(config, name) for name in names or trial.SAFE]


def nothing_to_measure(skipped: dict[str, str]) -> str:
    """Why nothing is left."""
    return "; ".join(f"{name}: {why}" for name, why in skipped.items()) or "no action is configured"


# ---------------------------------------------------------------- doing it


async def carry_out(
    args: argparse.Namespace,
    host: Host,
    config: Config,
    places: Places,
    chosen: dict[str, ActionConfig],
    skipped: dict[str, str],
    meter: Metered,
) -> int:
    """Measure, put back, say what came of it."""
    hands = own_hands.take(host, places, chosen, config.settings.action_time_limit)
    settle = max(args.settle, SETTLED * meter.opened.interval)
    spare = max(2, args.rounds * len(chosen))
    course = measuring.Course(tuple(chosen), args.window, args.rounds, settle, spare, args.any_load)
    over = asyncio.Event()
    with own_hands.ended_by_signals(over), progress_of(course) as told:
        measurement = measuring.Measurement(host, hands, meter.opened, course, pause_until(over), told)
        ended = await attempt(measurement)
    found = results(course, measurement.windows, meter.opened.step)
    document = document_of(host, course, measurement, meter, skipped, ended)
    document["actions"] = [{"name": name, "type": chosen[name].type, **each} for name, each in found.items()]
    document["stored"] = store(places, host, document) if found and not ended else ""
    document["config"] = dropin.lines(config, found, meter.found)
    if args.write and not ended:
        dropin.write(args.write, document["config"])
    left = hands.ledger.live() if hands.ledger else []
    document["left_changed"] = len(left)
    if args.json:
        output.show_json(document)
    else:
        print(report(document))
    return int(bool(ended) or bool(left) or all(each["verdict"] == "cannot tell" for each in found.values()))


async def attempt(measurement: measuring.Measurement) -> str:
    """Why it ended early; empty when it did not."""
    try:
        # What an earlier life left is put back first, as the daemon does.
        await measurement.hands.restore()
        await measurement.run()
    except measuring.OverError:
        return "ended before it was complete"
    except measuring.LeftError as error:
        return str(error)
    return ""


def pause_until(over: asyncio.Event) -> Any:
    """A wait that the end cuts short."""

    async def pause(seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), seconds)
        return over.is_set()

    return pause


@contextlib.contextmanager
def progress_of(course: measuring.Course) -> Iterator[Any]:
    """Progress on a terminal only, taken away at the end."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    try:
        yield lambda progress: show_progress(progress, course)
    finally:
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()


# ---------------------------------------------------------------- what came of it


def results(course: measuring.Course, windows: list[Window], step: float) -> dict[str, dict[str, Any]]:
    """For each action that was measured at least once."""
    measured_ones = [name for name in course.names if any(each.name == name for each in windows)]
    return {name: result(windows, name, step) for name in measured_ones}


def result(windows: list[Window], name: str, step: float) -> dict[str, Any]:
    """The verdict on one action, and what going there and back costs."""
    verdict = judge(differences(windows, name), step)
    way = passage(extras(windows, name))
    saves = verdict.word == "saves" and verdict.saved is not None
    return {
        "verdict": verdict.word,
        "without_w": rounded(verdict.without),
        "with_w": rounded(verdict.having),
        "saved_w": rounded(verdict.saved),
        "spread_w": rounded(verdict.spread),
        "rounds": verdict.rounds,
        "transition_j": rounded(way.joules) if way and way.known else None,
        "transition_most_j": rounded(way.most) if way else None,
        "break_even_s": rounded(break_even.break_even(way.most, verdict.saved or 0.0))
        if way and saves
        else None,
    }


def rounded(value: float | None) -> float | None:
    """To a thousandth: more is noise."""
    return None if value is None else round(value, 3)


def document_of(
    host: Host,
    course: measuring.Course,
    measurement: measuring.Measurement,
    meter: Metered,
    skipped: dict[str, str],
    ended: str,
) -> dict[str, Any]:
    """All but the results; described in docs/json.md."""
    bad = disturbed(measurement.windows)
    return {
        "version": 1,
        "time": round(host.clock.wall(), 3),
        **measured.identity(host.files),
        "meter": meter.found.name,
        "scope": meter.found.scope,
        "source": meter.opened.source,
        "window_s": course.window,
        "settle_s": course.settle,
        "rounds": course.rounds,
        "ended": ended,
        "trouble": measurement.trouble,
        "skipped": [
            {"action": name, "reason": why} for name, why in {**skipped, **measurement.failed}.items()
        ],
        "repeated": measurement.repeated,
        "windows": [
            {
                "action": each.name,
                "watts": rounded(each.watts),
                "busy": round(each.busy, 3),
                "disturbed": spoilt,
            }
            for each, spoilt in zip(measurement.windows, bad, strict=True)
        ],
    }


def store(places: Places, host: Host, document: dict[str, Any]) -> str:
    """Where the results are kept; empty when they could not be, or there are none.

    What could not be told does not take the place of what once was.
    """
    path = os.path.join(places.state, measured.NAME)
    kept = {key: document[key] for key in ("time", "meter", "scope", "window_s", "rounds")}
    told = [each for each in document["actions"] if each["saved_w"] is not None]
    actions = {each["name"]: {key: each[key] for key in each if key != "name"} for each in told}
    if not actions:
        return ""
    try:
        whole = measured.merge(
            measured.load(path), measured.identity(host.files), {**kept, "actions": actions}
        )
        measured.save(path, whole)
    except OSError as error:
        print(f"powernap: {path}: {error.strerror}; the results are not kept", file=sys.stderr)
        return ""
    return path
