"""``powernap prove-wake``: sleep once, with a safety alarm, and find out whether the machine can be woken. The daemon sleeps only after that.

Exit status: 0 proven, 1 not proven, 2 wrong usage, 3 not permitted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

from powernap.cli import arguments, client, hold, magic_packets, proofs
from powernap.cli.output import fail, show_json
from powernap.cli.paint import show
from powernap.core.units import show_duration
from powernap.host.clock import Clock, SystemClock
from powernap.host.files import Files, TreeFiles, text
from powernap.host.host import Host
from powernap.host.people import has_logind
from powernap.host.resume import asleep_so_far
from powernap.sleep import proof, states
from powernap.sleep.options import MAGIC_PACKET, MANUAL, METHODS, RTC

ALARM = {RTC: 60.0, MAGIC_PACKET: 300.0, MANUAL: 300.0}
"""Seconds until the safety alarm: time to go to the peer or to the machine."""
UP_LIMIT = 60.0
"""Seconds for the daemon to put everything back: disks spin up meanwhile."""
NOT_RUNNING = "powernapd is not running"


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "prove-wake",
        help="sleep once to prove that this machine can be woken",
        description="Put this machine to sleep once, with a safety alarm of its hardware clock, and find out what wakes it. PowerNap enters a "
        "sleep state only when a way back from it is proven. Exit status: 0 proven, 1 not proven.",
    )
    parser.add_argument(
        "--state", choices=states.STATES, default=states.SUSPEND, help="the sleep state (default: suspend)"
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=RTC,
        help="how it is to be woken (default: rtc, by its own alarm)",
    )
    parser.add_argument(
        "--alarm",
        type=arguments.length,
        metavar="TIME",
        help='wake it by the clock after this long in any case (default: "1min" for rtc, else "5min")',
    )
    parser.add_argument(
        "--interface",
        metavar="CARD",
        default="",
        help="the network card for the magic packet (default: the one with the default route)",
    )
    parser.add_argument(
        "--peer", metavar="HOST", default="", help="who will send the magic packet, for the record"
    )
    parser.add_argument(
        "--believe",
        action="store_true",
        help="you stand by: a wake before the alarm counts even where nothing names its cause",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument(
        "--send",
        metavar="MAC",
        default="",
        help="on the peer: send magic packets for this address, every 2 seconds",
    )
    doing.add_argument(
        "--finish", action="store_true", help="after a power-off: judge the trial that went before it"
    )
    doing.add_argument("--list", action="store_true", help="what is proven, and what no longer holds")
    parser.add_argument(
        "--for",
        dest="length",
        type=arguments.length,
        default=magic_packets.SEND_FOR,
        metavar="TIME",
        help="with --send: for this long (default: 5min)",
    )
    parser.add_argument("--record", default=proof.DEFAULT, metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    return parser


def run(args: argparse.Namespace) -> int:
    """One of the four."""
    files = TreeFiles()
    if args.send:
        return magic_packets.send(args)
    if args.list:
        return proofs.listed(files, args)
    if os.geteuid() != 0:
        return fail("only root may put the machine to sleep", "use sudo", as_json=args.json)
    if args.finish:
        return finish(files, args)
    if args.state in proof.FROM:
        what = f"{args.state} is left as {' and '.join(proof.FROM[args.state])} is, and needs no proof of its own"
        return fail(what, proof.command(args.state), 2, as_json=args.json)
    return prove(files, args, through_logind if has_logind(files) else through_kernel(files))


# --- the trial

Sleeper = Callable[[str], None]


def through_kernel(files: Files) -> Sleeper:
    """The way to sleep that works without a login manager. Whether anybody uses the machine was asked before."""
    from powernap.sleep import kernel  # noqa: PLC0415 - as is everything of the trial: `--list` and `--send` do without

    return lambda state: kernel.enter(files, state, lambda: "")


def through_logind(state: str) -> None:
    """Through the login manager, which tells everybody before. An admin asked: locks against *automatic* sleep do not count."""
    import asyncio  # noqa: PLC0415

    from powernap.daemon.loop_ears import LoopEars  # noqa: PLC0415
    from powernap.sleep.login_manager import LoginManager  # noqa: PLC0415

    async def sleep() -> None:
        host = Host(ears=LoopEars(asyncio.get_running_loop()))
        manager = LoginManager(host, lambda _what: None, lambda _what, _slept: None, lambda _why: None)
        try:
            await manager.sleep_through(state, automatic=False)
        finally:
            manager.close()

    asyncio.run(sleep())


def prove(
    files: Files,
    args: argparse.Namespace,
    sleeper: Sleeper,
    clock: Clock | None = None,
    asleep: Callable[[], float] = asleep_so_far,
) -> int:
    """Explain, ask, sleep, judge, record."""
    from powernap.sleep import preflight, proving  # noqa: PLC0415
    from powernap.sleep.failure import SleepError  # noqa: PLC0415
    from powernap.sleep.rtc import AlarmError  # noqa: PLC0415

    plan = planned(files, args)
    if plan.method == MAGIC_PACKET and not plan.mac:
        what = (
            f"there is no network card {plan.card}"
            if plan.card
            else "which network card the packet reaches cannot be told"
        )
        return fail(what, "name it with --interface", 2, as_json=args.json)
    refusals, armed = proving.obstacles(files, plan, preflight.MachinePorts(files))
    if refusals:
        return fail("; ".join(refusals), "nothing was proven", 1, as_json=args.json)
    with undisturbed() as users:
        if not args.yes and (status := consent([*explained(plan), *armed], users, as_json=args.json)):
            return status
        try:
            outcome = proving.run(
                files,
                clock or SystemClock(),
                plan,
                sleeper,
                heard=lambda: magic_packets.heard(plan.mac),
                note=lambda pending: keep(args.record, pending),
                asleep=asleep,
            )
        except (AlarmError, SleepError) as error:
            return fail(error.reason, error.remedy or "nothing was proven", 1, as_json=args.json)
    return told(outcome, args)


def planned(files: Files, args: argparse.Namespace) -> Any:
    """The trial that was asked for; without a ``mac`` where the card cannot be told."""
    from powernap.sleep import preflight, proving  # noqa: PLC0415

    card = (args.interface or preflight.default_card(files)) if args.method == MAGIC_PACKET else ""
    mac = text(files, f"/sys/class/net/{card}/address") if card else ""
    return proving.Plan(
        args.state, args.method, args.alarm or ALARM[args.method], card, mac, args.peer, args.believe
    )


def explained(plan: Any) -> list[str]:
    """What will happen, and what the admin has to do meanwhile."""
    lines = [
        f"This machine will go to sleep now ({plan.state}). Connections stall, and nobody can use it until it is back.",
        f"Its hardware clock wakes it after {show_duration(plan.alarm)} in any case"
        + ("." if plan.method == RTC else ", which counts as a failure."),
    ]
    if plan.state in {states.HIBERNATE, states.OFF}:
        lines.append(
            "Not every machine's clock can switch it on again: be sure that somebody can press its button."
        )
    if plan.method == MAGIC_PACKET:
        lines += [
            f"On {plan.peer or 'another machine of the same network'}, begin now to send magic packets to {plan.mac} ({plan.card}), with one of:",
            f"    powernap prove-wake --send {plan.mac}",
            f"    wakeonlan {plan.mac}          (again and again)",
            f"    etherwake {plan.mac}          (again and again, as root)",
        ]
    if plan.method == MANUAL:
        lines.append("Wake it by hand: its keyboard, or its power button, pressed shortly.")
    return lines


def consent(lines: list[str], users: list[str], *, as_json: bool) -> int:
    """Ask on a terminal; 0 is a yes, anything else the exit status."""
    for line in [*lines, *(f"It is in use: {show(each)}" for each in users)]:
        print(line, file=sys.stderr)
    if not sys.stdin.isatty():
        return fail("nobody is here to be asked", "say --yes", 2, as_json=as_json)
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return 0
    return fail("it stays awake, and nothing was proven", code=1, as_json=as_json)


@contextlib.contextmanager
def undisturbed() -> Iterator[list[str]]:
    """Hold the daemon off while this lasts: a lease brings the machine up its ladder, with everything put back, and keeps it there.

    Yields who uses the machine. ``DaemonError`` where there is a daemon and it does not yield.
    """
    lease = hold.Lease("proving that this machine can be woken", None)
    try:
        lease.take()
    except client.DaemonError as error:
        if error.message != NOT_RUNNING:
            raise
        yield users_here()
        return
    try:
        yield users_known(up(UP_LIMIT))
    finally:
        lease.drop()


def up(limit: float) -> dict[str, Any]:
    """What the daemon says once it has put everything back."""
    until = time.monotonic() + limit
    while (answer := client.ask("why"))["phase"] not in {"awake", "halted"}:
        if time.monotonic() > until:
            raise client.DaemonError(
                "powernapd has not come up from its nap", "see `powernap why`, and try again"
            )
        time.sleep(0.2)
    return answer


def users_known(answer: dict[str, Any]) -> list[str]:
    """Of the daemon's answer; our own lease and what is left of an earlier sleep are no use of the machine."""
    found = [blocker for blocker in answer["blockers"] if blocker["kind"] not in {"lease", "resume"}]
    return [f"{blocker['name']}: {blocker['reason']}" for blocker in found]


def users_here() -> list[str]:
    """By a look of our own."""
    from powernap.cli import glance, overview  # noqa: PLC0415 - 60 ms that only a machine without a daemon pays

    config, _ = overview.in_force()
    seen = glance.look(config.monitors.values())
    return [
        f"{each.config.name}: {each.reading.reason}" for each in seen if each.reading and each.reading.active
    ]


# --- the record


def keep(path: str, pending: dict[str, Any] | None) -> None:
    """Note a trial that may go through a boot, or forget it."""
    record = proof.load(path)
    if pending is not None or record.pending is not None:
        proof.save(replace(record, pending=pending), path)


def finish(files: Files, args: argparse.Namespace) -> int:
    """The second half of a trial that went through a boot."""
    from powernap.sleep import proving  # noqa: PLC0415

    outcome = proving.finish(files, proof.load(args.record))
    if outcome.proven is False:
        keep(args.record, None)
    return told(outcome, args)


def told(outcome: Any, args: argparse.Namespace) -> int:
    """Record a proof and say what came of it."""
    if outcome.proof:
        proof.save(proof.with_proof(proof.load(args.record), outcome.proof), args.record)
    status = 0 if outcome.proven or (outcome.proven is None and not args.finish) else 1
    if args.json:
        show_json(document(outcome))
        return status
    verdict = {True: "proven", False: "NOT proven", None: "not over"}[outcome.proven]
    print(f"{verdict}: {show(outcome.words)}")
    return status


def document(outcome: Any) -> dict[str, Any]:
    """For programs."""
    seen = outcome.seen
    return {
        "version": 1,
        "proven": outcome.proven,
        "words": outcome.words,
        "slept_s": None if seen is None else round(seen.slept, 3),
        "woken_by": None if seen is None else {"kind": seen.wake.kind, "words": seen.wake.words},
        "proof": None if outcome.proof is None else asdict(outcome.proof),
    }
