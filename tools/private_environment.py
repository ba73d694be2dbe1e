"""Make an environment in which ``powernap`` runs, with this Python and nothing else: no pip, no download, no compiler.

python3 tools/private_environment.py DIRECTORY
"""

import pathlib
import shutil
import sys

SCRIPT = """import sys
from powernap.{module} import main
sys.exit(main())
"""
INTERPRETER_MAX = 127
"""Bytes of a `#!` line that the kernel reads (execve(2)); it also ends at the first space."""


def first_lines(python: pathlib.Path) -> str:
    """What starts this Python: `#!`, or where that cannot name it, a shell line that is a string to Python."""
    plain = f"#!{python}\n"
    if " " not in plain and len(plain.encode()) <= INTERPRETER_MAX:
        return plain
    return f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"


def make(directory: pathlib.Path) -> None:
    """Anew each time: the one before may be of another Python, or half made."""
    import venv  # noqa: PLC0415 - where it is missing, that is told in words

    shutil.rmtree(directory, ignore_errors=True)
    source = pathlib.Path(__file__).absolute().parent.parent / "src"
    venv.EnvBuilder(symlinks=True).create(directory)
    python = directory / "bin" / "python3"
    site = directory / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (site / "powernap.pth").write_text(f"{source}\n", encoding="utf-8")
    for name, module in (("powernap", "cli.main"), ("powernapd", "daemon.start")):
        script = directory / "bin" / name
        script.write_text(first_lines(python) + SCRIPT.format(module=module), encoding="utf-8")
        script.chmod(0o755)


def main() -> int:
    if sys.version_info < (3, 11):
        print(
            f"PowerNap needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make try PYTHON=python3.12",
            file=sys.stderr,
        )
        return 2
    directory = pathlib.Path(sys.argv[1]).absolute()
    try:
        make(directory)
    except ImportError as error:
        print(
            f"this Python lacks a part of its standard library ({error}): install python3, not only python3-minimal",
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        print(
            f"{error.filename}: {error.strerror}. If root made {directory}: sudo rm -rf {directory}",
            file=sys.stderr,
        )
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
