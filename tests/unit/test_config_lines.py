"""The place of every key: against a document that was written with its places known."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powernap.config.lines import DEEPEST, Position, locate
from powernap.config.problems import Findings, Place, Problem, nearest
from powernap.config.syntax import parse
from powernap.config.values import show

DOCUMENT = '''\
mode = "x" # [no]
a.b."c d" = 1
[[stage]]
name = "e"
actions = [
  "x", # ]
  """y = [
  z""",
]
[ monitor . web ]
x = {a = 1, b = ["}",
 2]}
[[stage]]
  name = 'f'
[stage.sub]
k = 1979-05-27 07:32:00
'''


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("mode",), 1, 1),
        (("a", "b", "c d"), 2, 1),
        (("stage", 0), 3, 1),
        (("stage", 0, "actions"), 5, 1),
        (("stage", 0, "actions", 0), 6, 3),
        (("stage", 0, "actions", 1), 7, 3),
        (("monitor", "web"), 10, 1),
        (("monitor", "web", "x", "b"), 11, 13),
        (("monitor", "web", "x", "b", 1), 12, 2),
        (("stage", 1), 13, 1),
        (("stage", 1, "name"), 14, 3),
        (("stage", 1, "sub", "k"), 16, 1),
    ],
)
def test_each_form_of_key_has_its_place(path, line, column):
    """Tables, arrays of tables, dotted keys, inline tables, items, and what follows values of several lines."""
    assert locate(DOCUMENT).keys[path] == Position(line, column)


def test_a_faulty_document_has_the_places_before_the_fault():
    """So that the fault can be told with the key that it is in."""
    places = locate("a = 1\n[monitor.x]\nb = [1,\n c = 2\n")
    assert places.keys["monitor", "x", "b"].line == 3
    assert places.begun == (("monitor", "x", "b"), Position(3, 1))


def test_a_key_given_twice_names_both_lines():
    """Which tomllib does not."""
    repeat = locate("[t]\na = 1\n\na = 2\n").repeats[0]
    assert (repeat.path, repeat.first.line, repeat.again.line) == (("t", "a"), 2, 4)


def test_a_path_deeper_than_any_setting_takes_no_memory():
    """Twenty thousand parts, at most the first few kept."""
    assert max(map(len, locate(".".join("a" * 2_000) + " = 1").keys)) == DEEPEST


KEYS = st.text("ab-_1", min_size=1, max_size=3) | st.text(max_size=3)
SCALARS = st.one_of(
    st.integers(-(2**60), 2**60).map(str),
    st.booleans().map(lambda value: str(value).lower()),
    st.text(max_size=8).map(show),
    st.sampled_from(
        [
            "'a # ] }'",
            '"""\n"" \\" x\n\n]"""',
            "'''\n[x]\n''y'''",
            '""""a"""""',
            "1979-05-27 07:32:00Z",
            "inf",
            "0x1f",
            "1e5",
            '"""\\\n  x"""',
        ]
    ),
)
SPACES = st.sampled_from(["", " ", "\t "])
BREAKS = st.sampled_from(["", "\n", " # ] = [\n", "\n\n  "])


@st.composite
def values(draw, depth=2):
    """Text of a value, and offsets of what lies within by path."""
    form = draw(st.sampled_from(["scalar", "list", "table"])) if depth else "scalar"
    if form == "scalar":
        return draw(SCALARS), {}
    text, places = ("[" if form == "list" else "{"), {}
    names = draw(st.lists(KEYS, max_size=3, unique=True))
    for number, name in enumerate(names):
        text += draw(BREAKS) if form == "list" else draw(SPACES)
        key, start = (number if form == "list" else name), len(text)
        if form == "table":
            text += show(name) + draw(SPACES) + "=" + draw(SPACES)
        inner, within = draw(values(depth=depth - 1))
        places[key,] = start
        places |= {(key, *path): len(text) + offset for path, offset in within.items()}
        text += (
            inner
            + (draw(BREAKS) if form == "list" else draw(SPACES))
            + ("," if number < len(names) - 1 else "")
        )
    return text + ("]" if form == "list" else "}"), places


@st.composite
def documents(draw):
    """A document and the offset of each path."""
    text, places = "", {}

    def pairs(prefix, taken=()):
        nonlocal text
        for name in draw(st.lists(KEYS.filter(lambda key: key not in taken), max_size=3, unique=True)):
            text += draw(BREAKS) + draw(SPACES)
            if text.strip(" \t") and not text.rstrip(" \t").endswith("\n"):
                text += "\n"
            places[(*prefix, name)] = len(text)
            text += show(name) + draw(SPACES) + "=" + draw(SPACES)
            inner, within = draw(values())
            places.update({(*prefix, name, *path): len(text) + offset for path, offset in within.items()})
            text += inner + draw(st.sampled_from(["\n", " # [x]\n", "\n\n"]))

    pairs((), taken=("list", "table"))
    for number in range(draw(st.integers(0, 2))):
        text += "\n"
        places["list", number] = len(text)
        text += "[[list]]\n"
        pairs(("list", number))
    for name in draw(st.lists(KEYS, max_size=2, unique=True)):
        text += "\n"
        places["table", name] = len(text)
        text += f"[table.{show(name)}]\n"
        pairs(("table", name))
    return text, places


def paths(value, path=()):
    """Every path of parsed TOML."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from paths(item, (*path, key))


@settings(max_examples=80, deadline=None)
@given(documents())
def test_every_key_of_a_random_document_is_found_where_it_was_written(document):
    """Line and column of all, and nothing that tomllib does not see."""
    text, expected = document
    parsed = tomllib.loads(text)
    found = locate(text).keys
    assert set(found) == {path for path in paths(parsed) if len(path) <= DEEPEST}
    for path, offset in expected.items():
        line = text.count("\n", 0, offset) + 1
        assert found[path] == Position(line, offset - text.rfind("\n", 0, offset))


@settings(max_examples=200, deadline=None)
@given(st.text("ab=[]{}\"'\\.,#\n 1-:", max_size=40))
def test_any_text_is_parsed_or_has_a_fault_with_a_remedy(text):
    """What tomllib accepts has no problem; what it refuses has at least one, with words."""
    findings = Findings()
    parse(text, "f", findings)
    try:
        tomllib.loads(text)
        good = True
    except tomllib.TOMLDecodeError:
        good = False
    assert good is not bool(findings.problems)
    assert findings.torn is not good
    assert all(problem.message and problem.remedy for problem in findings.problems)


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("threshhold", ["threshold", "hold"], "threshold"),
        ("treshold", ["threshold"], "threshold"),
        ("on-error", ["on_error", "error"], "on_error"),
        ("tpc", ["tcp", "udp"], "tcp"),
        ("Mode", ["mode"], "mode"),
        ("x", ["y"], ""),
        ("load", ["load-average", "disk"], "load-average"),
        ("process", ["process-io", "process-exit"], ""),
        ("suspend", [], ""),
        ("xylophone", ["mode", "history"], ""),
    ],
)
def test_a_misspelt_word_finds_its_meaning(word, known, expected):
    """And one that is like none finds none."""
    assert nearest(word, known) == expected


def test_a_problem_reads_as_one_line():
    """File and line, what is wrong, what to do; a fault of the whole file has no line."""
    assert str(Problem("a.toml", 3, "mode", "wrong", "write it right")) == "a.toml:3: wrong; write it right"
    assert str(Problem("a.toml", 0, "", "wrong")) == "a.toml: wrong"
    assert (str(Place("a", 2)), str(Place("a"))) == ("a:2", "a")
