"""Builds what the guest is made of: ``python -m lab.build``. Each part is made once and kept; see cache.py."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab import cache, initrd, kernel, programs, root
from lab.errors import LabError, NoLabError

TABLE = Path(__file__).parent / "machine.asl"


@dataclass(frozen=True)
class Parts:
    """What a guest is started from, as paths."""

    kernel: Path
    initrd: Path
    root: Path
    table: Path

    def names(self) -> list[str]:
        """Which they are: each name tells of what the part was made."""
        return [self.kernel.parent.parent.name, self.initrd.name, self.root.name, self.table.name]


def build(say: cache.Say = lambda _: None) -> Parts:
    """All parts. Raises ``NoLabError`` where they cannot be made, ``LabError`` when making one fails."""
    programs.require()
    with ThreadPoolExecutor() as pool:
        packages = pool.submit(root.packages, say)
        tree = kernel.make(say)
        first = initrd.make(tree, say)
        table = cache.product("table", [TABLE], _compile, say)
        disk = root.make(tree, packages.result(), say)
    return Parts(kernel.image(tree), first, disk, table)


def _compile(path: Path) -> None:
    """The ACPI table."""
    # iasl takes what follows the last dot of the name for an ending, and puts its own in place of it
    made = path.with_name(f"{path.name}.aml")
    programs.run("iasl", "-p", made, TABLE)
    made.rename(path)


def main() -> int:
    """The program: 0 built, or impossible on this machine (then the lab's tests skip); 1 failed; each with the reason."""
    from lab.guest import frozen  # noqa: PLC0415 - the guest is made of what is built here

    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {text}", flush=True)

    try:
        frozen(build(say), say)
    except NoLabError as error:
        print(f"there is no lab here, and its tests are skipped: {error}", file=sys.stderr)
        return 0
    except LabError as error:
        print(f"the lab is not built: {error}", file=sys.stderr)
        return 1
    say(f"the lab is ready in {cache.place()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
