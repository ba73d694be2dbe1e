"""Write the pages that are derived from the code; with ``--check``, fail when a committed one is not what the code says.

python -m docs.build [--check]
"""

import pathlib
import sys

from docs import manpage, state_diagram
from powernap import __version__, actions, monitors
from powernap.cli.main import parser
from powernap.config.reference import reference
from powernap.daemon.places import arguments
from powernap.wakeproxy.places import arguments as waker_arguments

HERE = pathlib.Path(__file__).parent
DATE = "2026-11-22"
"""Of the manual pages (man-pages(7)): when what they say last changed. Not today: the same code must make the same page."""

EXIT = """
0: It worked; the answer is yes.

1: A negative answer: `why` found nothing that keeps the machine awake, `nap` found that it is in use, `doctor` found something, `report` found no history,
`prove-wake` proved nothing (with `--list`: nothing is proven), `measure` found no meter or no answer, and `undo`, `try` or `actions --try` could not put everything back.

2: Wrong usage, or a configuration with faults.

3: Not permitted, the daemon cannot be reached, or the output cannot be written.

130: Ctrl-C.

With a command, `hold` returns the command's own, or 126 when it may not be run, 127 when there is none, 128 + N when signal N killed it.
"""
DAEMON_EXIT = """
0: Stopped as asked; everything is as it was.

1: Stopped, but something could not be put back: `powernap undo` goes on.

2: The configuration has faults: nothing was begun.

3: Not permitted, or another powernapd runs.

70: A defect of powernapd's own ended it; the unit restarts it, and `powernap undo` puts back what it left.
"""
EXAMPLES = """
`powernap`: What can this machine do, what keeps it awake, what would happen?

`sudo powernap try`: See it nap and come back for a minute; everything is put back.

`powernap why`: Why does it not nap?

`powernap hold --why "nightly backup" -- rsync -a /home backup:/`: Stay awake while a command runs.

`sudo powernap undo --dry-run`: What is changed now, and what would it be put back to?

`powernap config explain monitor.tcp`: What can be configured?
"""
FILES = """
/etc/powernap/powernap.toml: The configuration; then conf.d/*.toml beside it, by name, later wins.

/run/powernap/ledger.jsonl: What is changed now, and what it was before. `powernap undo` reads it.

/run/powernap/control: The control socket. Anyone may ask; acting takes root or the group powernap.

/var/lib/powernap/history.jsonl: What happened.

/usr/local/share/doc/powernap/: reference.md (every option), json.md (every document), concepts.md, security.md.
"""
WAKER_EXIT = """
0: Stopped as asked, or shown.

2: Wrong usage, or an inventory with faults: nothing was begun.

3: Not permitted.

70: A defect of powerwaked's own ended it; the unit restarts it.
"""
WAKER_SIGNALS = """
SIGTERM: Stop.

SIGHUP: Read the inventory again; one with faults changes nothing.
"""
WAKER_FILES = """
/etc/powernap/hosts.d/*.toml: The inventory, by name, later wins.

/run/powerwake/status.json: What is known of the machines now.

/var/lib/powerwake/lead-times/: How long each takes to come up.

/usr/local/share/doc/powernap/others.md: How all of it is meant.
"""
SIGNALS = """
SIGTERM: Put everything back, then stop.

SIGHUP: Load the configuration again; one with faults changes nothing.

SIGUSR1: Nap now, unless somebody is there.

SIGUSR2: Come back now.
"""
ENVIRONMENT = """
POWERNAP_SOCKET: Where the daemon listens, if not at /run/powernap/control.

POWERNAP_TRACEBACK: When set, a fault of powernap's own also shows where it happened, for a bug report.

NO_COLOR: When set and not empty, nothing is coloured.
"""


def powernap_1() -> str:
    extra = {
        "EXIT STATUS": EXIT,
        "EXAMPLES": EXAMPLES,
        "FILES": FILES,
        "ENVIRONMENT": ENVIRONMENT,
        "SEE ALSO": "`powernapd`(8)",
    }
    return manpage.page(parser(), 1, __version__, DATE, "ask the power-saving daemon, try it, undo it", extra)


def powernapd_8() -> str:
    extra = {"EXIT STATUS": DAEMON_EXIT, "SIGNALS": SIGNALS, "FILES": FILES, "SEE ALSO": "`powernap`(1)"}
    purpose = "let this machine sleep whenever nobody needs it"
    return manpage.page(arguments(), 8, __version__, DATE, purpose, extra)


def powerwaked_8() -> str:
    extra = {
        "EXIT STATUS": WAKER_EXIT,
        "SIGNALS": WAKER_SIGNALS,
        "FILES": WAKER_FILES,
        "SEE ALSO": "`powernapd`(8), `powernap`(1)",
    }
    purpose = "wake other machines when their schedules need them"
    return manpage.page(waker_arguments(), 8, __version__, DATE, purpose, extra)


def first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0].replace("|", "\\|")


def catalogue() -> str:
    """Every monitor and action in a table each."""
    lines = [
        "# Monitors and actions",
        "",
        "Written by `python -m docs.build` from what each module declares.",
        "",
        "## Monitors",
        "",
    ]
    lines += [
        "A monitor answers one question: is somebody using this machine?",
        "",
        "| type | noticed | what it watches |",
        "|---|---|---|",
    ]
    for kind in monitors.kinds():
        module = monitors.find(kind)
        lines.append(
            f"| `{kind}` | {'by event' if module.EVENTS else 'at each look'} | {first_line(module.__doc__)} |"
        )
    lines += [
        "",
        "## Actions",
        "",
        "An action is one reversible change of the machine.",
        "",
        "| name | risk | put back | what it does |",
        "|---|---|---|---|",
    ]
    for kind in actions.kinds():
        action = actions.find(kind)
        speed = "at once" if action.LANE == "fast" else "after the fast ones"
        lines.append(f"| `{kind}` | {action.RISK} | {speed} | {first_line(action.__doc__)} |")
    lines += ["", "Options of each: [the configuration reference](reference.md).", ""]
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """Path below ``docs/`` and content."""
    return {
        "man/powernap.1": powernap_1(),
        "man/powernapd.8": powernapd_8(),
        "man/powerwaked.8": powerwaked_8(),
        "reference.md": reference(),
        "catalogue.md": catalogue(),
        state_diagram.PAGE: state_diagram.drawn((HERE / state_diagram.PAGE).read_text(encoding="utf-8")),
    }


def main() -> int:
    stale = []
    for name, text in pages().items():
        path = HERE / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if "--check" in sys.argv and stale:
        print(
            f"docs/{', docs/'.join(stale)}: not what the code says; run `python -m docs.build`",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
