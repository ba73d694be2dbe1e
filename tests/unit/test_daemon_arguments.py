"""Claims about powernapd's command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from powernap.daemon.places import Places, arguments, asked


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--config", "/a"],
        ["--state", "", "--runtime", "/r"],
        ["--runtime", "/r", "--config", "/a", "--config", "/b"],
        ["--config=/a"],
        ["--conf", "/a", "--state", "/s"],
    ],
)
def test_both_ways_of_reading_it_agree(words: list[str]):
    """The short way reads what argparse reads."""
    args = arguments().parse_args(words)
    assert asked(words) == (args.config or "", Places(args.runtime, args.state))


@pytest.mark.parametrize("words", [["--config"], ["--config", "--state"], ["more"], ["--confg", "x"]])
def test_wrong_usage_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]):
    """In argparse's words, with exit status 2."""
    with pytest.raises(SystemExit) as ended:
        asked(words)
    assert ended.value.code == 2
    assert "usage: powernapd" in capsys.readouterr().err


def test_the_daemon_does_not_load_what_it_does_not_need():
    """Started as by the unit it holds no argument parser, TLS, address arithmetic or entry points in memory."""
    code = (
        "import sys\nfrom powernap.daemon import start\nstart.asked([])\nfrom powernap.daemon import main\nmain.find('tcp'); main.find('process')\n"
        "print(sorted({'argparse', 'ssl', 'ipaddress', 'platform', 'importlib.metadata'} & {*filter(sys.modules.get, sys.modules)}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
