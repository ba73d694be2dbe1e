"""Good configurations: conversion, merging, order, origins, and what is shown of them."""

from __future__ import annotations

import argparse
import json
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powernap.cli import config as command
from powernap.config import show
from powernap.config.declared import Declared
from powernap.config.load import build, load
from powernap.config.model import Config
from powernap.config.problems import ConfigErrors, Problem
from powernap.config.sources import DEFAULT_FILE
from powernap.config.values import WrongValueError, convert, quantity
from powernap.config.values import show as shown_as
from unit.config_kinds import ACTIONS, MONITORS, Tcp, Units

MAIN = """\
mode = "act"
min_awake = "3min"
[[stage]]
name = "ease"
after = "5min"
actions = ["cpu-clock", "stop-cups"]
[[stage]]
name = "nap"
after = "1h 30min"
warn = "30s"
sleep = "suspend"
[monitor.ssh]
type = "tcp"
port = 22
hold = "10min"
[monitor.load]
threshold = 2
[monitor.disk]
above = "10KiB/s"
size = "1.5MB"
share = "25%"
device = "/dev/sda"
names = "sdb"
[monitor.job]
type = "process"
regex = 'back\\wup|"x"'
enabled = false
[rule.busy]
any_of = ["load", "disk"]
[action.stop-cups]
type = "units"
stop = ["cups.service"]
"""


def built(*texts: str) -> Config:
    """The configuration of files a.toml, b.toml, ..."""
    return build(
        [(f"{name}.toml", text) for name, text in zip("abcdef", texts, strict=False)],
        monitors=MONITORS,
        actions=ACTIONS,
    )


def test_everything_is_converted_to_what_the_program_counts_in():
    """Seconds, bytes, bytes a second, shares of one."""
    config = built(MAIN)
    assert (config.mode, config.settings.min_awake, config.settings.loop_limit) == ("act", 180.0, 5)
    assert [(stage.name, stage.after, stage.warn, stage.sleep) for stage in config.stages] == [
        ("ease", 300.0, 0.0, "none"),
        ("nap", 5400.0, 30.0, "suspend"),
    ]
    assert (config.monitors["ssh"].type, config.monitors["ssh"].options, config.monitors["ssh"].hold) == (
        "tcp",
        Tcp(22),
        600.0,
    )
    disk = config.monitors["disk"].options
    assert (disk.above, disk.size, disk.share, disk.device, disk.names) == (
        10240.0,
        1.5e6,
        0.25,
        "/dev/sda",
        ("sdb",),
    )
    assert config.monitors["load"].options.threshold == 2.0
    assert config.rules["busy"].members == ("load", "disk")


def test_a_monitor_that_is_off_is_left_out():
    """Its section stays checked."""
    assert "job" not in built(MAIN).monitors


def test_an_action_needs_no_section_when_its_type_has_no_required_option():
    """It gets its type's defaults; one with a section gets what that says."""
    actions = built(MAIN).actions
    assert actions["cpu-clock"].type == "cpu-clock"
    assert actions["stop-cups"].options == Units(("cups.service",))


def test_meters_have_sections_too():
    """By the name of their type or another; one that is off stays known, since it takes its type away."""
    text = '[meter.wall]\ntype = "command"\nprogram = "/x/watts"\ninterval = "1min"\n[meter.rapl]\nenabled = false\n'
    meters = built(MAIN, text).meters
    assert [(each.name, each.type, each.enabled) for each in meters.values()] == [
        ("wall", "command", True),
        ("rapl", "rapl", False),
    ]
    assert meters["wall"].options.interval == 60.0
    assert '[meter.rapl]\ntype = "rapl"\nenabled = false\n' in show.as_toml(show.sections(built(MAIN, text)))


def test_a_drop_in_changes_single_values():
    """Sections of the same name merge; stages merge by name; the rest stays."""
    config = built(MAIN, '[monitor.ssh]\nport = 2222\n[[stage]]\nname = "nap"\nafter = "2h"\n')
    assert config.monitors["ssh"].options == Tcp(2222)
    assert config.monitors["ssh"].hold == 600.0
    assert [(stage.name, stage.after, stage.sleep) for stage in config.stages][1] == (
        "nap",
        7200.0,
        "suspend",
    )


def test_the_later_file_wins():
    """Three files, one key."""
    assert built("history = 100\n", "history = 200\n", "history = 300\n").settings.history == 300


def test_a_drop_in_can_add_and_remove_stages():
    """A new stage goes where its `after` puts it; `enabled = false` takes one out."""
    config = built(MAIN, '[[stage]]\nname = "park"\nafter = "10min"\nactions = ["cpu-park"]\n')
    assert [stage.name for stage in config.stages] == ["ease", "park", "nap"]
    config = built(MAIN, '[[stage]]\nname = "nap"\nenabled = false\n')
    assert [stage.name for stage in config.stages] == ["ease"]


def test_several_sleep_stages_may_follow_each_other():
    """Suspend, then off."""
    assert len(built(MAIN, '[[stage]]\nname = "off"\nafter = "8h"\nsleep = "power-off"\n').stages) == 3


def test_each_value_says_where_it_comes_from():
    """File and line of the value that won, or that it is the default."""
    origins = built(MAIN, "[monitor.ssh]\n\nport = 2222\n").origins
    assert origins["monitor.ssh.port"] == "b.toml:3"
    assert origins["monitor.ssh.hold"] == "a.toml:15"
    assert origins["stage.nap.after"] == "a.toml:9"
    assert origins["monitor.ssh.direction"] == "default"
    assert origins["min_awake"] == "a.toml:2"


def test_what_is_harmless_and_odd_is_noted():
    """An unused action, no ladder, no monitors in watch mode."""
    notes = [str(note) for note in built("[action.cpu-park]\n").notes]
    assert notes == [
        'a.toml:1: no stage uses the action "cpu-park"; add it to the actions of a stage',
        "a.toml: there is no stage: PowerNap only watches; add [[stage]] with name, after and actions",
    ]


def test_an_empty_file_is_a_configuration():
    """All defaults, nothing to do."""
    config = built("")
    assert (config.mode, config.stages, dict(config.monitors)) == ("watch", (), {})


def problems(*texts: str) -> tuple[Problem, ...]:
    """What is wrong with them."""
    try:
        built(*texts)
    except ConfigErrors as errors:
        assert errors.problems
        return errors.problems
    return ()


def effective(config: Config) -> tuple[object, ...]:
    """All but where it comes from."""
    return config.settings, config.stages, config.monitors, config.rules, config.actions


@pytest.mark.parametrize("origin", [False, True])
def test_what_is_shown_reads_back_to_the_same(origin):
    """`config show` is a configuration."""
    config = built(MAIN)
    assert effective(built(show.as_toml(show.sections(config), origin=origin))) == effective(config)


def test_the_rows_for_programs_hold_value_text_and_origin():
    """One row per effective value."""
    document = show.as_json(built(MAIN))
    assert document["version"] == 1
    assert {
        "key": "stage.nap.after",
        "value": 5400.0,
        "text": '"1h 30min"',
        "unit": "duration",
        "origin": "a.toml:9",
    } in document["values"]
    assert json.loads(json.dumps(document))["files"] == ["a.toml"]


@settings(max_examples=60)
@given(
    st.sampled_from(["duration", "size", "byte_rate", "ratio"]),
    st.floats(min_value=0, max_value=3e9, allow_subnormal=False),
)
def test_a_quantity_survives_being_shown(unit, value):
    """To a billionth part, or a billionth of the smallest unit."""
    option = Declared("x", "x", (float,), many=False, default=0.0, unit=unit)
    assert convert(quantity(value, unit), option) == pytest.approx(value, rel=1e-9, abs=1e-9)


@given(st.text())
def test_a_text_survives_being_shown(text):
    """Whatever its characters."""
    assert tomllib.loads(f"x = {shown_as(text)}")["x"] == text


RAW = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
OPTIONS = st.builds(
    Declared,
    st.just("x"),
    st.just("x"),
    st.sampled_from([(str,), (int,), (float,), (bool,), (int, str)]),
    many=st.booleans(),
    default=st.none(),
    unit=st.sampled_from(["", "duration", "size", "byte_rate", "ratio", "regex", "path"]),
    choices=st.sampled_from([(), ("a", "b")]),
)


@given(RAW, OPTIONS)
def test_a_value_is_taken_or_refused_with_a_remedy(raw, option):
    """No value and no declaration make the conversion fail otherwise."""
    try:
        convert(raw, option)
    except WrongValueError as error:
        assert error.message.startswith('"x"') and error.remedy


SIGNS = """ " ' [ ] [[ ]] = . , # { } stage monitor load rule action name after "5min" enabled true type mode \\ 1979-05-27 all_of 0 é"""
WORDS = st.sampled_from([*SIGNS.split(), '"""', "'''", "\n", "=\n", " ", "\x00", "\ufeff"])


@settings(max_examples=120, deadline=None)
@given(st.text(max_size=60) | st.lists(WORDS, max_size=40).map("".join))
def test_no_text_makes_loading_fail_otherwise(text):
    """A configuration, or ConfigErrors with at least one problem that has words."""
    assert all(problem.message and problem.file for problem in problems(text, MAIN))


KEYS = st.sampled_from(
    [
        "stage",
        "monitor",
        "rule",
        "action",
        "mode",
        "load",
        "ssh",
        "name",
        "after",
        "actions",
        "sleep",
        "all_of",
        "type",
    ]
)


def as_toml(value: object) -> str:
    """Any value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown_as(key)} = {as_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return shown_as(value)


DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(
        st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.sampled_from(["ease", "5min", "load", "tcp", "suspend", ""])
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)


@settings(max_examples=120, deadline=None)
@given(DOCUMENTS)
def test_no_document_makes_loading_fail_otherwise(document):
    """Any shape of tables, lists and values under the names that we know."""
    text = "\n".join(f"{shown_as(key)} = {as_toml(value)}" for key, value in document.items())
    tomllib.loads(text)
    assert all(problem.line and problem.remedy for problem in problems(text))


def test_drop_ins_are_read_by_name_and_leftovers_are_not(tmp_path):
    """conf.d/*.toml sorted; an editor's backup is passed over, a misnamed file is noted."""
    (tmp_path / "conf.d").mkdir()
    files = {
        "powernap.toml": "history = 100\n",
        "conf.d/20-b.toml": "history = 300\n",
        "conf.d/10-a.toml": "history = 200\n",
    }
    for name, text in (
        files | {"conf.d/x.toml~": "!", "conf.d/.x.toml": "!", "conf.d/30-c.conf": "!"}
    ).items():
        (tmp_path / name).write_text(text)
    config = load(str(tmp_path), monitors=MONITORS, actions=ACTIONS)
    assert config.settings.history == 300
    assert [file.removeprefix(f"{tmp_path}/") for file in config.files] == [
        "powernap.toml",
        "conf.d/10-a.toml",
        "conf.d/20-b.toml",
    ]
    assert [note.file for note in config.notes if note.file.endswith("conf")] == [
        f"{tmp_path}/conf.d/30-c.conf"
    ]


def test_a_byte_order_mark_is_passed_over(tmp_path):
    """Editors of Windows write one."""
    (tmp_path / "x.toml").write_bytes(b'\xef\xbb\xbfmode = "act"\r\n')
    assert load(str(tmp_path / "x.toml"), monitors=MONITORS, actions=ACTIONS).mode == "act"


def test_without_a_main_file_the_packages_default_is_used(tmp_path):
    """And it is the one that is shipped: safe (it only watches), useful (it has a ladder and monitors), and without a fault."""
    config = load(str(tmp_path))
    assert config.files == (DEFAULT_FILE,)
    assert config.mode == "watch"
    assert all(stage.sleep == "none" for stage in config.stages)
    assert config.stages
    assert config.monitors


def run(*words: str) -> int:
    """`powernap config WORDS`."""
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    return command.run(parser.parse_args(["config", *words]))


def test_check_says_every_problem_and_exits_2(tmp_path, capsys):
    """On standard error, with a count; as JSON on standard output."""
    path = tmp_path / "x.toml"
    path.write_text('mode = "atc"\nmin_awake = 3\n')
    assert run("check", str(path)) == 2
    assert capsys.readouterr().err.splitlines() == [
        f'{path}:1: "mode" cannot be "atc"; did you mean "act"?',
        f'{path}:2: "min_awake" is a duration and 3 has no unit; write "3s" or "3min"',
        "2 problems: this configuration is refused",
    ]
    assert run("check", str(path), "--json") == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["version"], document["ok"], len(document["problems"])) == (1, False, 2)
    assert document["problems"][0] == {
        "file": str(path), "line": 1, "key": "mode", "message": '"mode" cannot be "atc"', "remedy": 'did you mean "act"?',
    }  # fmt: skip


def test_check_of_a_good_file_exits_0(tmp_path, capsys):
    """With a line that says what it found."""
    path = tmp_path / "x.toml"
    path.write_text("")
    assert run("check", str(path)) == 0
    assert f'no problems in {path}: mode "watch", 0 stages, 0 monitors, 0 actions' in capsys.readouterr().out
    assert run("check", str(path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_a_directory_without_a_configuration_is_not_called_good(tmp_path, capsys):
    """The shipped default has no problems, but it is not what was asked about; drop-ins alone are a configuration."""
    assert run("check", str(tmp_path)) == 2
    assert f"{tmp_path}: no powernap.toml in this directory" in capsys.readouterr().err
    assert run("check", str(tmp_path), "--json") == 2
    assert json.loads(capsys.readouterr().out)["problems"][0]["file"] == str(tmp_path)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.toml").write_text('mode = "watch"\n')
    assert run("check", str(tmp_path)) == 0
    assert "note: " in capsys.readouterr().out


def test_without_a_path_it_is_said_that_the_default_applies(tmp_path, capsys, monkeypatch):
    """Where /etc/powernap holds nothing."""
    monkeypatch.setattr(command, "load", lambda *_paths, **_options: load(str(tmp_path)))
    assert run("check") == 0
    assert "/etc/powernap: no powernap.toml there; the shipped default applies" in capsys.readouterr().out


def test_an_alarm_that_just_pays_is_good_and_sleep_settings_without_a_sleep_are_noted():
    """Equal is enough."""
    bed = '[[stage]]\nname = "bed"\nafter = "1h"\nsleep = "suspend"\n'
    monitor = "[monitor.load]\n"
    assert built(bed + '[sleep]\nalarm = "2min"\n' + monitor).notes == ()
    (note,) = built(
        monitor
        + bed.replace('sleep = "suspend"', 'actions = ["cpu-clock"]')
        + '[sleep]\nproof = "override"\n'
    ).notes
    assert (note.key, note.line, "no stage sleeps" in note.message) == ("sleep", 6, True)
    said = built(monitor + '[sleep]\nproof = "require"\n').notes
    assert "sleep" not in [note.key for note in said]


def test_explain_knows_sections_that_are_off_or_faulty(tmp_path, capsys):
    """That is when somebody asks."""
    file = tmp_path / "x.toml"
    file.write_text(
        'mode = 7\n[meter.wall]\ntype = "plug"\n[monitor.ssh]\ntype = "tcp"\nport = 22\nenabled = false\n'
    )
    assert run("explain", "--config", str(file), "meter.wall.address") == 0
    assert "meter.plug.address" in capsys.readouterr().out
    assert run("explain", "--config", str(file), "monitor.ssh.port") == 0


def test_show_says_values_and_origins(tmp_path, capsys):
    """Effective values, defaults included."""
    path = tmp_path / "x.toml"
    path.write_text('mode = "act"\n')
    assert run("show", "--origin", str(path)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["mode", "=", '"act"', "#", f"{path}:1"],
        ["min_awake", "=", '"2min"', "#", "default"],
    ]
    assert run("show", "--json", str(path)) == 0
    assert json.loads(capsys.readouterr().out)["values"][0]["origin"] == f"{path}:1"


def test_explain_prints_type_default_and_example(capsys):
    """As words and for programs; an unknown key exits 2."""
    assert run("explain", "stage.after") == 0
    assert "duration" in capsys.readouterr().out
    assert run("explain", "on_error", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["version"], document["options"][0]["choices"]) == (1, ["active", "ignore"])
    assert run("explain", "stage.afer") == 2
    assert (
        capsys.readouterr().err == 'powernap: nothing is called "stage.afer"; did you mean "stage.after"?\n'
    )
