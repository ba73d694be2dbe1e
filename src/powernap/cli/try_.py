"""``powernap try``: the real daemon in the foreground with a short ladder; as root it applies the safe actions, and undoes them."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from powernap.cli.watch import live_line
from powernap.core.units import UnitError, duration, show_duration

SAFE = ("cpu-clock", "kernel-quiet")
"""The actions whose probe needs no admin's word: they change no placement of work, and restore in microseconds."""


def _duration(text: str) -> float:
    try:
        return duration(text)
    except UnitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "try",
        help="the real daemon for a minute, in the foreground, undone at the end",
        description="Runs the real daemon in the foreground with a short ladder and shows what it sees and does. As root it applies the "
        "safe actions and puts everything back at the end; as an ordinary user it only watches.",
    )
    parser.add_argument(
        "--for", dest="length", type=_duration, default=60.0, metavar="TIME", help="how long (default 60s)"
    )
    parser.add_argument(
        "--nap-after",
        type=_duration,
        default=10.0,
        metavar="TIME",
        help="idle time of the one stage (default 10s)",
    )
    parser.add_argument(
        "--program",
        action="append",
        default=[],
        metavar="NAME",
        help="also watch for this program; may be repeated",
    )
    parser.add_argument(
        "--port",
        action="append",
        default=[],
        type=int,
        metavar="PORT",
        help="also watch connections to this TCP port",
    )
    parser.add_argument(
        "--quiet-only",
        action="store_true",
        help="leave out cpu, load, disk and network: for a machine that is never quiet",
    )
    parser.add_argument("--json", action="store_true", help="a JSON object per line")
    return parser


def run(args: argparse.Namespace) -> int:
    """Run for that long, or until Ctrl-C."""
    # Imported here: whoever asks for --help need not wait for asyncio.
    import asyncio  # noqa: PLC0415

    from powernap.daemon import main as daemon  # noqa: PLC0415 - first, since it keeps ssl out before anybody imports asyncio

    directory = tempfile.mkdtemp(prefix="powernap-try-")
    try:
        return asyncio.run(_serve(args, daemon, directory))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _serve(args: argparse.Namespace, daemon: Any, directory: str) -> int:
    import asyncio  # noqa: PLC0415 - see run()

    from powernap.config.load import load  # noqa: PLC0415
    from powernap.host.host import Host  # noqa: PLC0415
    from powernap.host.journal import Journal  # noqa: PLC0415
    from powernap.host.ledger_file import LedgerBusyError  # noqa: PLC0415

    say = _printer(as_json=args.json)
    host = Host()
    root = os.geteuid() == 0
    chosen, left_out = _actions(host, act=root)
    path = _write(os.path.join(directory, "powernap.toml"), config_text(args, chosen, act=root))
    config = load(path, trusted=False)
    places = daemon.Places(runtime=daemon.Places.runtime if root else directory, state="")
    ledger = None
    if root:
        daemon.make_places(places)
        try:
            ledger = daemon.open_ledger(places)
        except LedgerBusyError as error:
            print(f"powernap: {error}; `powernap watch` shows what the running daemon does", file=sys.stderr)
            return 3
    say(
        {
            "event": "trying",
            "root": root,
            "for_s": args.length,
            "nap_after_s": args.nap_after,
            "actions": chosen,
            "left_out": left_out,
        }
    )
    until = asyncio.Event()
    asyncio.get_running_loop().call_later(args.length, until.set)
    return int(
        await daemon.serve(
            config,
            [path],
            daemon.Places(directory, ""),
            ledger,
            Journal(quiet=True),
            until=until,
            began=lambda node: node.told.append(say),
        )
    )


def _write(path: str, text: str) -> str:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _actions(host: Any, *, act: bool) -> tuple[list[str], dict[str, str]]:
    """The safe actions that work here, and the others with their reasons."""
    from powernap.actions import find  # noqa: PLC0415

    answers = {name: find(name).probe(host, find(name).Options()) for name in SAFE}
    left_out = {name: answer.detail for name, answer in answers.items() if not answer}
    if not act:
        left_out |= {
            name: "an ordinary user may not change it; try `sudo powernap try`"
            for name, answer in answers.items()
            if answer
        }
    return [name for name, answer in answers.items() if answer], left_out


def config_text(args: argparse.Namespace, actions: list[str], *, act: bool) -> str:
    """The configuration of a try: the same file that an admin would write."""
    lines = [
        f'mode = "{"act" if act else "watch"}"',
        "[[stage]]",
        'name = "ease"',
        f'after = "{args.nap_after * 1000:.0f}ms"',
        f"actions = {json.dumps(actions)}",
        "[monitor.input]",
        "[monitor.terminals]",
    ]
    if not args.quiet_only:
        lines += ["[monitor.cpu]", "[monitor.load]", "[monitor.disk]", "[monitor.network]"]
    for program in args.program:
        lines += [f"[monitor.{json.dumps(program)}]", 'type = "process"', f"program = {json.dumps(program)}"]
    for port in args.port:
        lines += [f'[monitor."port {port}"]', 'type = "tcp"', f"port = {port}"]
    return "\n".join(lines) + "\n"


def _printer(*, as_json: bool) -> Callable[[dict[str, Any]], None]:
    def say(entry: dict[str, Any]) -> None:
        if as_json:
            print(json.dumps({"version": 1, "time": round(time.time(), 3), **entry}), flush=True)
        elif entry["event"] == "trying":
            print(opening(entry), flush=True)
        else:
            print(live_line(entry), flush=True)

    return say


def opening(entry: dict[str, Any]) -> str:
    """The first lines of the live view: what will happen to this machine."""
    lines = [
        f"powernap try: for {show_duration(entry['for_s'])}, napping after {show_duration(entry['nap_after_s'])} without activity; Ctrl-C ends it"
    ]
    does = (
        ", ".join(entry["actions"])
        if entry["root"] and entry["actions"]
        else "nothing: it only says what it would do"
    )
    lines.append(f"  a nap changes  {does}")
    lines += [f"  left out       {name}: {reason}" for name, reason in entry["left_out"].items()]
    return "\n".join(lines)
