"""daemon/telling_ways.py and telling_desktop.py: what each is given, and what it does where there is nothing to tell by."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from loop_ears import until
from powernap.daemon import telling_desktop, telling_users
from powernap.daemon.loop_ears import LoopEars
from powernap.daemon.telling_desktop import command, notice, parse, present
from powernap.daemon.telling_ways import TellingError, as_unit, by_command, by_logind, environment
from powernap.daemon.telling_words import Coming, Said
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.programs import ProgramError, Result

NIGHT = Coming(
    "web3", "scheduled-off", "power-off", 1e9 + 0.4, 600.0, "23:00", "night", key=True, postpone=3600.0
)
WARN, UNWARN, OVER = (Said(event, NIGHT) for event in ("warn", "unwarn", "over"))


alone = partial(by_command, systemd_run="")
"""As where there is no systemd."""


def tell(way: Any, said: Said, kept: dict[str, Any], root: str = "/", ended: Any = lambda: True) -> None:
    """In a loop of its own, which is served until it has ``ended``."""

    async def work() -> None:
        host = Host(TreeFiles(root), ears=LoopEars(asyncio.get_running_loop()))
        async with asyncio.timeout(20):
            try:
                await way(host, said, kept)
            finally:
                await until(ended)

    asyncio.run(work())


def script(path: Path, text: str, mode: int = 0o755) -> dict[str, Any]:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return {"command": (str(path), "--all")}


# ------------------------------------------------------------ the admin's program


@pytest.mark.root
def test_the_program_is_told_what_when_and_why(tmp_path: Path) -> None:
    """In its environment, with the arguments that are configured; nothing else of the daemon's."""
    kept = script(tmp_path / "tell", f'env > {tmp_path}/env; echo "$@" > {tmp_path}/arguments')
    tell(alone, WARN, kept)
    given = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    ours = {key: value for key, value in given.items() if key.startswith("POWERNAP")}
    assert ours == {
        "POWERNAP_EVENT": "warn",
        "POWERNAP_STAGE": "scheduled-off",
        "POWERNAP_AT": "1000000000",
        "POWERNAP_WHY": 'schedule "night" wants it off',
    }
    assert set(given) <= {*ours, "PATH", "LANG", "PWD", "SHLVL", "_", "OLDPWD"}
    assert "--all\n" == (tmp_path / "arguments").read_text()


def test_of_what_does_not_come_it_is_told_whose_doing_that_is() -> None:
    """Or why it was to come."""
    said = dataclasses.replace(UNWARN, because="ann postponed it")
    assert ("unwarn", "ann postponed it") == (
        environment(said)["POWERNAP_EVENT"],
        environment(said)["POWERNAP_WHY"],
    )
    assert 'schedule "night" wants it off' == environment(UNWARN)["POWERNAP_WHY"]


@pytest.mark.root
def test_a_program_that_fails_is_a_failure_with_its_last_words(tmp_path: Path) -> None:
    """And its exit status."""
    kept = script(tmp_path / "tell", "echo a >&2; echo no pager >&2; exit 3")
    with pytest.raises(TellingError, match=r"tell ended with 3: no pager$"):
        tell(alone, WARN, kept)


@pytest.mark.root
def test_a_program_that_others_could_change_is_not_run(tmp_path: Path) -> None:
    """Nor one that is missing, nor one that is none."""
    ran = tmp_path / "ran"
    for mode, reason in ((0o777, "others than root can write it"), (0o644, "it is not executable")):
        with pytest.raises(TellingError, match=reason):
            tell(alone, WARN, script(tmp_path / "tell", f"touch {ran}", mode))
    with pytest.raises(TellingError, match="does not exist"):
        tell(alone, WARN, {"command": (str(tmp_path / "none"),)})
    assert not ran.exists()


@pytest.mark.root
def test_a_program_that_hangs_is_killed(tmp_path: Path) -> None:
    """After its time."""
    kept = script(tmp_path / "tell", f"echo $$ > {tmp_path}/pid; sleep 1000")

    def gone() -> bool:
        return not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()

    with pytest.raises(ProgramError, match=r"took longer than 0\.2 s"):
        tell(partial(alone, limit=0.2), WARN, kept, ended=gone)


def test_where_systemd_runs_the_program_is_not_confined_as_we_are() -> None:
    """It may send mail; its arguments are what is configured, and a user's words are data."""
    given = {"POWERNAP_WHY": "$HOME %h --scope"}
    argv = as_unit("/bin/systemd-run", ["/usr/bin/a", "$HOME", "-x"], given, 30.0)
    assert argv[0] == "/bin/systemd-run"
    assert "--setenv=POWERNAP_WHY=$HOME %h --scope" in argv
    assert "--property=RuntimeMaxSec=30" in argv
    assert argv[argv.index("--") :] == ["--", "/usr/bin/a", "$$HOME", "-x"]
    assert not [word for word in argv if "Protect" in word or "Capability" in word]


@pytest.mark.root
def test_what_starts_the_program_is_given_all_of_that(tmp_path: Path) -> None:
    """And its end is the program's."""
    kept = script(tmp_path / "tell", "exit 0")
    starter = tmp_path / "systemd-run"
    starter.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; echo "$@" >&2; exit 5\n')
    starter.chmod(0o755)
    with pytest.raises(TellingError, match=rf"tell ended with 5: {tmp_path}/tell --all$"):
        tell(partial(by_command, systemd_run=str(starter)), WARN, kept)


def test_without_a_program_none_is_run() -> None:
    """Nor for what is merely over."""
    tell(alone, WARN, {"command": ()})
    tell(alone, OVER, {"command": ("/nonexistent",)})


# ------------------------------------------------------------ machines without


def test_where_there_is_no_logind_nothing_is_said_to_it(tmp_path: Path) -> None:
    """Nor of what is no power-off."""
    kept: dict[str, Any] = {}
    tell(by_logind, WARN, kept, str(tmp_path))
    suspending = dataclasses.replace(WARN, coming=dataclasses.replace(NIGHT, sleep="suspend"))
    tell(by_logind, suspending, kept)
    assert kept == {}


def test_where_nobody_is_logged_in_no_process_is_started(tmp_path: Path) -> None:
    """Also where something is taken back that was not shown."""
    tell(telling_desktop.on_desktops, WARN, {}, str(tmp_path))
    (tmp_path / "run/systemd/users").mkdir(parents=True)
    (tmp_path / "run/user/1000").mkdir(parents=True)
    assert present(TreeFiles(str(tmp_path))) == []
    (tmp_path / "run/systemd/users/1000").write_text("")
    (tmp_path / "run/systemd/users/1000.lock").write_text("")
    assert present(TreeFiles(str(tmp_path))) == [1000]
    tell(telling_desktop.on_desktops, UNWARN, {}, str(tmp_path))


def test_without_logind_the_directories_of_users_tell(tmp_path: Path) -> None:
    """No more of them than can be served."""
    for number in range(100):
        (tmp_path / f"run/user/{number}").mkdir(parents=True)
    assert present(TreeFiles(str(tmp_path))) == list(range(telling_desktop.USERS_MAX))


# ------------------------------------------------------------ desktops


def test_a_warning_stays_as_long_as_it_holds() -> None:
    """And what does not come is shown for a moment, where it is somebody's doing; else it only goes."""
    assert notice(WARN) == {
        "summary": "web3 powers off at 23:00",
        "body": 'In 10min: schedule "night" wants it off. To postpone it, press a key or run powernap postpone.',
        "urgency": 2,
        "seconds": 600.0,
    }
    assert notice(UNWARN) is None
    assert notice(OVER) is None
    found = notice(dataclasses.replace(UNWARN, because="ann postponed it"))
    assert found == {"summary": "web3 stays awake", "body": "ann postponed it", "urgency": 1, "seconds": 15.0}


def test_what_is_started_is_confined_and_reads_nothing_into_the_text() -> None:
    """A "$" in somebody's reason is not a variable of systemd-run's."""
    request = {"users": [1], "notice": {"body": "$HOME %h"}}
    given = command("/usr/bin/systemd-run", request)
    assert json.loads(bytes.fromhex(given[-1])) == request
    assert not any("$" in word for word in given)
    assert "--property=CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_KILL" in given
    assert "--property=RestrictAddressFamilies=AF_UNIX" in given
    assert "--property=NoNewPrivileges=yes" in given
    assert command("", request)[1:] == given[given.index("-s") :]


@pytest.mark.parametrize(
    ("output", "said"),
    [(b"", "ended with 1: Trace"), (b"[]", "ended with 1"), (b'{"shown": {"x": 1}, "failed": {}}', "ended with 1"), (b'{"shown": 7}', "ended with 1")],
)  # fmt: skip
def test_an_answer_that_is_none_is_a_failure(output: bytes, said: str) -> None:
    """With the last line of what was said about it."""
    with pytest.raises(TellingError, match=said):
        parse(Result(1, output, b"x\nTrace\n"))


def test_an_answer_names_what_is_shown_and_who_could_not_be_told() -> None:
    """By user number."""
    answer = b'{"shown": {"1000": 7, "0": 0}, "failed": {"33": "no"}}'
    assert ({"1000": 7, "0": 0}, {"33": "no"}) == parse(Result(0, answer, b""))


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"true", b"[1]", b"1.5"])
def test_a_child_that_says_nothing_of_use_has_failed(data: bytes) -> None:
    """Whatever a user made of it."""
    assert isinstance(telling_users.answer(data), str)


def test_one_users_bus_does_not_use_up_the_memory_of_all(tmp_path: Path) -> None:
    """The process for a user fails alone."""
    uid = os.geteuid()
    (tmp_path / f"run/user/{uid}").mkdir(parents=True)

    async def grow(_uid: int, _request: dict[str, Any]) -> int:
        return len(bytearray(2 * telling_users.DATA_MAX))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(telling_users, "bounded", grow)
        begun = {uid: telling_users.begin(uid, {"root": str(tmp_path)})}
        assert telling_users.gather(begun) == {uid: "MemoryError"}


def test_a_child_says_a_number_or_a_sentence() -> None:
    """Both are taken."""
    assert (7, "no") == (telling_users.answer(b"7"), telling_users.answer(b'"no"'))
