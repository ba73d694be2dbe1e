"""``powernap postpone``: put a scheduled power-off off, for whoever is logged in. Asks the daemon, which keeps the limits."""

from __future__ import annotations

import argparse
from typing import Any

from powernap.cli import arguments, client
from powernap.cli.output import show_json
from powernap.cli.paint import show
from powernap.core.units import show_duration


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "postpone",
        help="put the scheduled power-off off for a while; for whoever is logged in",
        description="Keep this machine up for a while although a schedule wants it off now, or within the hour. Whoever is logged in may, as long "
        "as the limits of [off] allow; root and group powernap at any length. It is an exception: `powernap schedule` shows it. Exit status 1: "
        "there is nothing to postpone, or no more of it; 3: not permitted.",
    )
    parser.add_argument(
        "--for",
        dest="length",
        type=arguments.length,
        metavar="TIME",
        help='for this long, such as "1h" (default: 30min, or what is left)',
    )
    parser.add_argument("--why", default="", metavar="REASON", help="shown to other users")
    parser.add_argument("--json", action="store_true", help="print the document described in docs/json.md")
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask; until when it stays up now, and how much is left. What the daemon says no with is raised."""
    answer = client.ask("postpone", for_s=args.length, why=args.why)
    from powernap.cli.schedule_time import both, full  # noqa: PLC0415 - what is refused needs no time zone
    from powernap.host import zones  # noqa: PLC0415
    from powernap.host.files import TreeFiles  # noqa: PLC0415

    zone = zones.local(TreeFiles()).zone
    said = sentence(answer, full(answer["until"], zone), full(answer["was"], zone))
    if args.json:
        return show_json(
            {
                "version": 1,
                "schedule": answer["schedule"],
                **both("was", answer["was"], zone),
                **both("until", answer["until"], zone),
                "ends": bool(answer.get("ends")),
                "left_s": answer["left_s"],
                "said": said,
            }
        )
    print(show(said))
    return 0


def sentence(answer: dict[str, Any], until: str, was: str) -> str:
    """What is different by it, and what is left."""
    rest = answer["left_s"]
    if rest is None:
        more = ""
    elif rest >= 60:
        more = f"; users may postpone it by {show_duration(rest // 60 * 60)} more"
    else:
        more = "; users may not postpone it any more"
    ends = ", when its time of off ends" if answer.get("ends") else ""
    return f"this machine stays up until {until}{ends} (schedule {answer['schedule']} wanted it off from {was}){more}"
