"""The package as a user gets it: the wheel holds what it must and nothing else, its commands run, the unit is closed enough, and the
manual's links lead somewhere.

python tools/check_package.py
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).absolute().parent.parent
EXPOSURE_MAX = {"powernapd.service": 4.0, "powerwaked.service": 1.5}
"""Of systemd-analyze security (design section 11): the root daemon's, and of what runs without privileges."""


def wheel(directory: pathlib.Path) -> pathlib.Path:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--wheel-dir",
        str(directory),
        str(ROOT),
    ]
    subprocess.run(command, check=True)
    return next(directory.glob("*.whl"))


def check_wheel(path: pathlib.Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    packaged = {name for name in names if name.startswith("powernap/")}
    source = {
        str(p.relative_to(ROOT / "src"))
        for p in (ROOT / "src" / "powernap").rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    faults = [f"the wheel lacks {name}" for name in sorted(source - packaged)]
    return faults + [
        f"the wheel has {name} too many" for name in names if not name.startswith(("powernap/", "powernapd-"))
    ]


def check_commands(path: pathlib.Path, directory: pathlib.Path) -> list[str]:
    """In an environment with nothing else: the product has no dependency."""
    subprocess.run([sys.executable, "-m", "venv", str(directory / "venv")], check=True)
    pip = directory / "venv" / "bin" / "pip"
    subprocess.run(
        [str(pip), "install", "--quiet", "--disable-pip-version-check", "--no-index", str(path)], check=True
    )
    faults = []
    for command in (
        ["powernap", "--version"],
        ["powernapd", "--version"],
        ["powerwaked", "--version"],
        ["powerwaked", "--plan"],
        ["powernap"],
        ["powernap", "config", "check"],
        ["powernap", "--help"],
    ):
        done = subprocess.run(
            [str(directory / "venv" / "bin" / command[0]), *command[1:]],
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            faults.append(f"{' '.join(command)}: exit {done.returncode}: {done.stderr}")
    return faults


def check_unit(path: pathlib.Path) -> list[str]:
    if not shutil.which("systemd-analyze"):
        return []
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    if not found:
        return [f"systemd-analyze security says nothing of {path.name}: {done.stderr}"]
    most = EXPOSURE_MAX[path.name]
    return [] if float(found[1]) <= most else [f"{path.name}: exposure {found[1]} is over {most}"]


def check_manual(directory: pathlib.Path) -> list[str]:
    """As `make install` leaves it: no page links to one that is not there."""
    subprocess.run(["make", "-s", "-C", str(ROOT), "install", f"DESTDIR={directory}"], check=True)
    manual = directory / "usr/local/share/doc/powernap"
    return [
        f"the installed {page.relative_to(manual)} links to {link}, which is not installed"
        for page in sorted(manual.rglob("*.md"))
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).exists()
    ]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        path = wheel(directory)
        faults = (
            check_wheel(path)
            + check_commands(path, directory)
            + [fault for name in EXPOSURE_MAX for fault in check_unit(ROOT / "packaging" / name)]
            + check_manual(directory / "installed")
        )
    print("\n".join(faults) or "package: ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
