"""Make an environment in which ``powernap`` runs, with this Python and nothing else: no pip, no download, no compiler.

python3 tools/private_environment.py DIRECTORY
"""

import pathlib
import sys
import venv

SCRIPT = """#!{python}
import sys
from powernap.{module} import main
sys.exit(main())
"""


def main() -> int:
    if sys.version_info < (3, 11):
        print(
            f"PowerNap needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make try PYTHON=python3.12",
            file=sys.stderr,
        )
        return 2
    directory = pathlib.Path(sys.argv[1]).absolute()
    source = pathlib.Path(__file__).absolute().parent.parent / "src"
    venv.EnvBuilder(symlinks=True).create(directory)
    python = directory / "bin" / "python3"
    site = directory / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (site / "powernap.pth").write_text(f"{source}\n", encoding="utf-8")
    for name, module in (("powernap", "cli.main"), ("powernapd", "daemon.main")):
        script = directory / "bin" / name
        script.write_text(SCRIPT.format(python=python, module=module), encoding="utf-8")
        script.chmod(0o755)
    return 0


if __name__ == "__main__":
    sys.exit(main())
