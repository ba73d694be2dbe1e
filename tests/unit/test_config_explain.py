"""`config explain`, the reference page, and the types of other packages: all derived from what is declared."""

from __future__ import annotations

import dataclasses
import importlib
import subprocess
import sys

import pytest

from powernap.config import kinds
from powernap.config.chapters import chapters
from powernap.config.declared import declared
from powernap.config.explain import UnknownKeyError, as_json, as_text, explain
from powernap.config.model import Acting, Metering, Rule, Settings, Stage, Watching
from powernap.config.reference import reference
from powernap.core.options import option
from unit.config_kinds import ACTIONS, MONITORS

OUTLINE = chapters(MONITORS, ACTIONS)


def keys(key: str, names: dict[str, str] | None = None) -> list[str]:
    """What is explained."""
    return [found.key for found in explain(key, OUTLINE, names)]


def test_an_option_is_explained_in_full():
    """Help, type, default, example and section."""
    assert explain("monitor.tcp.port", OUTLINE)[0].text().splitlines() == [
        "monitor.tcp.port",
        "  The port.",
        "",
        "  type     whole number",
        "  default  must be given",
        "  example  port = 22",
        "  section  [monitor.tcp]",
    ]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("stage.after", ["stage.after"]),
        ("[[stage]]", [f"stage.{key}" for key in declared(Stage)]),
        ("mode", ["mode"]),
        ("on_error", ["monitor.on_error"]),
        ("monitor.tcp.hold", ["monitor.hold"]),
        ("monitor.NAME.hold", ["monitor.hold"]),
        ("monitor.tcp", ["monitor.tcp.port", "monitor.tcp.direction", "monitor.tcp.peers"]),
        ("monitor.ssh.port", ["monitor.tcp.port"]),
        ("monitor.ssh.hold", ["monitor.hold"]),
        ("type", ["monitor.type", "action.type", "meter.type", "schedule.type", "waker.type"]),
        ("meter.plug", ["meter.plug.address", "meter.plug.secret_file"]),
        ("meter.rapl.enabled", ["meter.enabled"]),
    ],
)
def test_a_key_is_found_under_each_of_its_names(key, expected):
    """In full, alone, by type, and by the name of a configured section."""
    assert keys(key, {"monitor.ssh": "monitor.tcp"}) == expected


@pytest.mark.parametrize(
    ("key", "means"),
    [
        ("schedule.office.up", ["schedule.windows.up"]),
        ("schedule.nobody.days", ["schedule.dates.days"]),
        ("monitor.web.port", ["monitor.tcp.port"]),
    ],
)
def test_a_key_of_a_section_that_is_not_configured_is_that_of_its_types(key, means):
    """Whoever is about to write it asks so."""
    assert keys(key) == means


@pytest.mark.parametrize(
    "key",
    ["schedule.windows.up", "schedule.windows.off", "schedule.dates.days", "schedule.dates.file", "schedule.cron.at", "schedule.cron-jobs.jobs"],
)  # fmt: skip
def test_what_is_a_language_is_told_with_examples(key):
    """On the terminal, to programs, and once on the reference page; each example is one."""
    found = explain(key, chapters())[0]
    assert as_text([found, found]).count(found.how.splitlines()[-1]) == 1
    assert found.how.splitlines()[0] in found.text()
    assert as_json([found])["options"][0]["how"] == found.how
    assert reference().count(f"```\n{found.how}\n```") == 1
    examples = [line.strip().partition("  ")[0] for line in found.how.splitlines() if line.startswith("  ")]
    assert len(examples) >= 3
    option = declared(kinds.SCHEDULES.module(key.split(".")[1]).Options)[key.rpartition(".")[2]]
    for example in examples:
        assert option.check is None or option.check((example.strip("'"),)) is None, example


def test_an_unknown_key_is_told_what_was_meant():
    """In full or alone."""
    with pytest.raises(
        UnknownKeyError, match=r'nothing is called "monitor\.tcp\.prot"; did you mean "monitor\.tcp\.port"'
    ):
        keys("monitor.tcp.prot")
    with pytest.raises(UnknownKeyError, match='did you mean "on_error"'):
        keys("onerror")
    with pytest.raises(UnknownKeyError, match="powernap config reference"):
        keys("xylophone")


def test_programs_get_the_same():
    """Versioned."""
    document = as_json(explain("stage.sleep", OUTLINE))
    assert document["version"] == 1
    assert document["options"][0]["choices"][1] == "suspend"


def test_every_option_has_a_row_in_the_reference():
    """Key, type, default, help and example."""
    page = reference(MONITORS, ACTIONS)
    for chapter in OUTLINE:
        assert chapter.title in page
        for entry in chapter.options.values():
            assert f"| `{entry.key}` | {entry.type_words} | " in page
            assert entry.help in page
    assert 'It cannot be used: monitor type "crashed" does not load' in page


@pytest.mark.parametrize("shared", [Settings, Stage, Watching, Rule, Acting, Metering])
def test_every_option_of_ours_has_help_and_example(shared):
    """The admin's only source."""
    assert all(entry.help.endswith(".") and entry.example for entry in declared(shared).values())


def test_no_built_in_type_uses_the_name_of_a_shared_option():
    """Its own would be hidden."""
    for registry, shared in (
        (kinds.MONITORS, Watching),
        (kinds.ACTIONS, Acting),
        (kinds.METERS, Metering),
    ):
        for name in registry.names():
            try:
                options = registry.module(name).Options
            except kinds.KindError:
                continue
            assert not set(declared(options)) & set(declared(shared)), name


@dataclasses.dataclass(frozen=True)
class Shapes:
    """Every annotation that an option may have."""

    for_: float = option(1.0, help="A reserved word.")
    either: int | str = option(1, help="One of two.")
    several: tuple[int, ...] | None = option(None, help="Perhaps some.", example="[1]")


def test_annotations_are_read():
    """Reserved words, unions, lists."""
    found = declared(Shapes)
    assert [(entry.key, entry.kinds, entry.many) for entry in found.values()] == [
        ("for", (float,), False),
        ("either", (int, str), False),
        ("several", (int,), True),
    ]
    assert found["for"].field == "for_"


PLUGIN = """\
from dataclasses import dataclass
@dataclass(frozen=True)
class Options:
    pass
"""


def test_types_of_other_packages_come_by_entry_point(tmp_path, monkeypatch):
    """Found when a configured type is not built in, also by did-you-mean."""
    (tmp_path / "teapot_plugin.py").write_text(PLUGIN)
    facts = tmp_path / "teapot-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: teapot\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "[powernap.tests.monitors]\nteapot = teapot_plugin\nbroken = teapot_none\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert MONITORS.module("teapot").Options
    with pytest.raises(kinds.KindError, match="does not load: ModuleNotFoundError"):
        MONITORS.module("broken")
    with pytest.raises(kinds.KindError) as caught:
        MONITORS.module("teapod")
    assert caught.value.remedy == 'did you mean "teapot"?'


def test_built_in_types_cost_no_search_for_packages():
    """importlib.metadata alone costs 5.6 MiB."""
    code = (
        "import sys; from powernap.config.load import build\n"
        "build([('a', '[monitor.cpu]')])\n"
        "print(sorted({'importlib.metadata', 'importlib.resources', 'difflib', 'argparse', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout == "[]\n"
