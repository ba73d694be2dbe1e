"""Where the daemon keeps its things, and what its command line may say of that and of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap import __version__
from powernap.core.value import dataclass

if TYPE_CHECKING:
    import argparse


@dataclass(frozen=True)
class Places:
    """Where the daemon keeps its things.

    :param runtime: the ledger and the control socket; on a tmpfs.
    :param state: the history; empty for none.
    """

    runtime: str = "/run/powernap"
    state: str = "/var/lib/powernap"

    @property
    def ledger(self) -> str:
        """The undo ledger."""
        return f"{self.runtime}/ledger.jsonl"

    @property
    def socket(self) -> str:
        """The control socket."""
        return f"{self.runtime}/control"

    @property
    def history(self) -> str:
        """The history."""
        return f"{self.state}/history.jsonl" if self.state else ""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    import argparse  # noqa: PLC0415 - see asked()

    parser = argparse.ArgumentParser(
        prog="powernapd",
        description="Watches for activity, takes the machine down its ladder of power stages when nobody needs it, and back up.",
    )
    parser.add_argument(
        "--config",
        metavar="PATH",
        help="a file, or a directory with powernap.toml and conf.d (default /etc/powernap)",
    )
    parser.add_argument(
        "--runtime",
        metavar="DIR",
        default=Places.runtime,
        help="for the ledger and the socket (default %(default)s)",
    )
    parser.add_argument(
        "--state", metavar="DIR", default=Places.state, help="for the history (default %(default)s)"
    )
    parser.add_argument("--version", action="version", version=f"powernapd {__version__}")
    return parser


def asked(words: list[str]) -> tuple[str, Places]:
    """The path of the configuration, empty for the default, and the places.

    Options as a unit writes them (none, or ``--config PATH``) are taken here: argparse and what it imports weigh 0.5 MiB and 12 ms. It
    answers whatever else stands there.
    """
    given = {"--config": "", "--runtime": Places.runtime, "--state": Places.state}
    names, values = words[::2], words[1::2]
    if (
        len(names) == len(values)
        and {*names} <= {*given}
        and not any(value[:1] in ("", "-") for value in values)
    ):
        given |= dict(zip(names, values, strict=True))
        return given["--config"], Places(given["--runtime"], given["--state"])
    args = arguments().parse_args(words)
    return args.config or "", Places(args.runtime, args.state)
