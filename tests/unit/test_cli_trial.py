"""cli/trial.py: what a try watches and does, for every kind of configuration and machine."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from powernap.cli import trial
from powernap.cli.glance import Seen
from powernap.cli.trial import Wishes
from powernap.config.load import build
from powernap.config.model import Config, MonitorConfig
from powernap.config.show import as_toml, sections
from powernap.config.sources import DEFAULT_FILE
from powernap.core.reading import Reading
from powernap.host.availability import available, unavailable
from powernap.host.files import TreeFiles
from powernap.host.host import Host

DEFAULT = build([("default", Path(DEFAULT_FILE).read_text(encoding="utf-8"))])


def names(config: Config = DEFAULT, **wishes: object) -> tuple[set[str], dict[str, str]]:
    found, left_out = trial.candidates(config, Wishes(5.0, **wishes))  # type: ignore[arg-type]
    return set(found), left_out


def test_the_shipped_default_is_watched_with_its_programs() -> None:
    """So that `dpkg` or `rsync` brings the machine back without a word on the command line."""
    found, left_out = names()
    assert {"sessions", "input", "terminals", "ssh", "packages", "copies", "disk", "network", "cpu"} <= found
    assert {"load"} == set(left_out)


def test_a_configuration_without_keys_is_watched_with_them() -> None:
    """A key press must bring the machine back, whatever is configured."""
    found, _ = names(build([("x", "[monitor.disk]\n")]))
    assert {"disk", "input", "terminals", "cpu"} == found


def test_quiet_only_leaves_every_rate_out() -> None:
    """For a machine that is never quiet."""
    found, left_out = names(quiet_only=True)
    assert not {"cpu", "disk", "network"} & found
    assert "--quiet-only" == left_out["disk"]


def test_programs_and_ports_get_names_that_the_configuration_allows() -> None:
    """Also one that is a monitor's already, twice the same, and one with a dot."""
    found, _ = names(programs=("input", "input", "a.out", "dpkg"), ports=(8080,))
    assert {"input-2", "input-3", "a-out", "dpkg", "port-8080"} <= found


def seen(name: str, kind: str, reading: Reading | None = None, reason: str = "") -> Seen:
    answer = unavailable(reason, "mend it") if reason else available("yes")
    return Seen(MonitorConfig(name, kind, None), answer, reading=reading)


def test_only_what_can_see_takes_part_and_without_the_person_who_tries() -> None:
    """Who tries over ssh is logged in and connected for the whole try."""
    active = Reading("x", 1.0, active=True, reason="alice")
    taken, left_out = trial.sighted(
        [
            seen("a", "cpu"),
            seen("b", "tcp", active),
            seen("c", "sessions", active),
            seen("d", "process", active),
            seen("e", "magic-packet", reason="no packets"),
            seen("f", "disk", Reading("f", 1.0, failed=True, reason="no disk")),
        ]
    )
    assert {"a", "d"} == set(taken)
    assert "in use already, as you are: alice" == left_out["b"] == left_out["c"]
    assert ("no packets -> mend it", "no disk") == (left_out["e"], left_out["f"])


@pytest.fixture
def bare(tmp_path: Path) -> Host:
    """A machine with no knob at all."""
    return Host(files=TreeFiles(str(tmp_path)), live=False)


def test_without_knobs_a_nap_does_nothing_and_says_why(bare: Host) -> None:
    """A container: the stage still has its actions, each of which has nothing to do."""
    chosen, left_out, doing = trial.actions(bare, DEFAULT, "")
    assert [] == doing
    assert {"cpu-clock", "kernel-quiet"} == set(chosen) == set(left_out)


def test_an_ordinary_user_is_told_what_root_could_do(tmp_path: Path) -> None:
    """What would work but for the right."""
    knob = tmp_path / "proc/sys/vm/stat_interval"
    knob.parent.mkdir(parents=True)
    knob.write_text("1\n")
    host = Host(files=TreeFiles(str(tmp_path)), live=False)
    assert ["kernel-quiet"] == trial.actions(host, DEFAULT, "")[2]
    _, left_out, doing = trial.actions(host, DEFAULT, "only root may")
    assert ([], "only root may") == (doing, left_out["kernel-quiet"])


def test_the_admins_options_of_an_action_are_kept(bare: Host) -> None:
    """Under the name that the configuration gives it."""
    text = (
        '[[stage]]\nname="e"\nafter="1min"\nactions=["mine"]\n[action.mine]\ntype="kernel-quiet"\nksm=false\n'
    )
    chosen, _, _ = trial.actions(bare, build([("x", text)]), "")
    assert {"cpu-clock", "mine"} == set(chosen)
    assert chosen["mine"].options.ksm is False


@pytest.mark.parametrize("act", [True, False])
def test_the_plan_is_a_configuration_that_an_admin_could_have_written(bare: Host, act: bool) -> None:
    """One short stage, what is watched, and it loads from its own text to the same."""
    text = '[[stage]]\nname="s"\nafter="1h"\nsleep="suspend"\n[monitor.disk]\n[monitor.load]\n[rule.r]\nall_of=["disk","load"]\n[sleep]\nalarm="1h"\n'
    given = build([("x", text)])
    monitors, _ = trial.candidates(given, Wishes(0.5, programs=("a.out",)))
    plan = trial.plan(given, Wishes(0.5), monitors, trial.actions(bare, given, "")[0], act=act)
    again = build([("y", as_toml(sections(plan)))])
    assert ("act" if act else "watch") == plan.mode == again.mode
    assert [("ease", 0.5, ("cpu-clock", "kernel-quiet"), "none")] == [
        (s.name, s.after, s.actions, s.sleep) for s in again.stages
    ]
    assert plan.monitors == again.monitors
    assert plan.actions == again.actions
    assert "sleep" not in [note.key for note in again.notes]  # it never sleeps
    assert {} == again.rules  # it needed `load`
    assert tomllib.loads(as_toml(sections(plan)))


def test_a_watched_monitor_is_shown_with_what_it_is_about() -> None:
    """The name alone says little."""
    text = '[monitor.web]\ntype="tcp"\nport=80\nports=["443"]\n[monitor.dpkg]\ntype="process"\nprogram="dpkg"\n[monitor.b]\ntype="process"\nregex="back"\n[monitor.cpu]\n'
    found = build([("x", text)]).monitors
    assert ["web (80, 443)", "dpkg", "b (back)", "cpu"] == [trial.watched(m) for m in found.values()]


def test_the_invitation_is_a_program_that_is_there_and_is_heard() -> None:
    """Nobody is asked to start what is not installed, nor what only a look could find."""
    text = '[monitor.a]\ntype="process"\nprogram="no-such-program"\n[monitor.b]\ntype="process"\nprogram="sh"\n[monitor.cpu]\n'
    found = build([("x", text)]).monitors
    every = [Seen(monitor, available("")) for monitor in found.values()]
    assert "sh --version" == trial.invitation(every, found)
    assert "" == trial.invitation(every, {})
    deaf = [Seen(monitor, available(""), events=False) for monitor in found.values()]
    assert "" == trial.invitation(deaf, found)
