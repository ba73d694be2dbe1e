"""Where results go: a file of JSON, docs/measurements.md, and progress on a terminal."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import signal
import sys
from pathlib import Path
from typing import Any

from bench.subjects import autosuspend_version, interpreter
from bench.tables import between

DOCUMENT = Path(__file__).parent.parent / "docs" / "measurements.md"


def say(text: str) -> None:
    """Progress, for a person at a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def said() -> None:
    """Take the progress line away."""
    say("")


def machine() -> dict[str, str]:
    """Where the figures come from."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    system = next(
        (
            line.split("=", 1)[1].strip('"')
            for line in _lines("/etc/os-release")
            if line.startswith("PRETTY_NAME=")
        ),
        "?",
    )
    return {
        "date": dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%d"),
        "machine": f"{len(os.sched_getaffinity(0))} x {model}",
        "kernel": platform.release(),
        "system": system,
        "python": os.popen(f"{interpreter()} --version").read().strip(),
        "autosuspend": autosuspend_version() or "not installed",
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def provenance(facts: dict[str, str], command: str) -> str:
    """One line: what was run, where and when."""
    return (
        f"`{command}`, {facts['date']}: {facts['machine']}, Linux {facts['kernel']}, {facts['system']}, "
        f"{facts['python']}, autosuspend {facts['autosuspend']}.\n\n"
    )


def write(name: str, text: str) -> None:
    """Between the markers of this name in docs/measurements.md."""
    DOCUMENT.write_text(between(DOCUMENT.read_text(), name, text))


def write_json(path: str, document: Any) -> None:
    """Everything that was measured, also what the tables leave out."""
    Path(path).write_text(json.dumps(document, indent=1) + "\n")


def begin() -> None:
    """Ended by SIGTERM it cleans up as on Ctrl-C; where it cannot work it leaves with a sentence."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if os.geteuid():
        sys.exit("bench: namespaces, control groups and tracepoints need root: sudo python -m bench.overhead")
