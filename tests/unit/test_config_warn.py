"""``[warn]``, and what ``[off]`` says of postponing: what may be written, and what is said of the rest."""

from __future__ import annotations

import pytest

from powernap.config.load import build
from powernap.config.model import Config, Off, Warn
from powernap.config.problems import ConfigErrors
from powernap.config.show import as_toml, sections

PLAIN = """
[[stage]]
name = "ease"
after = "5min"
actions = ["kernel-quiet"]
[monitor.load]
"""


def load(text: str) -> Config:
    return build([("test.toml", PLAIN + text)])


def test_without_a_word_all_ways_are_used_and_users_may_postpone() -> None:
    """As far as the machine has them; an hour at once, four in all."""
    found = load("")
    assert (found.warn, found.off) == (Warn(), Off())
    assert (3600.0, 14400.0) == (found.off.postpone, found.off.postpone_most)
    assert ("terminals", "desktop", "logind", "command") == found.warn.by


def test_what_is_written_holds_and_is_shown_as_it_is_written() -> None:
    """What is shown loads to the same."""
    text = '[warn]\nby = ["command"]\ncommand = ["/usr/local/bin/tell", "--all"]\n[off]\npostpone = "0"\npostpone_most = "2h"\n'
    found = load(text)
    assert Warn(("command",), ("/usr/local/bin/tell", "--all")) == found.warn
    assert (0.0, 7200.0) == (found.off.postpone, found.off.postpone_most)
    again = build([("shown.toml", as_toml(sections(found)))])
    assert (again.warn, again.off) == (found.warn, found.off)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[warn]\nby = ["desktops"]\n', 'did you mean "desktop"'),
        ("[warn]\nby = []\n", '"by" in [warn] is an empty list'),
        ('[warn]\ncommand = ["tell"]\n', "write the program with its whole path"),
        ('[off]\npostpone = "long"\n', '"postpone"'),
        ("[off]\npostpone = 3600\n", "has no unit"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_what_to_write(text: str, said: str) -> None:
    """In its line."""
    with pytest.raises(ConfigErrors) as errors:
        load(text)
    assert said in str(errors.value.problems[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('by = ["desktop"]\ncommand = ["/bin/x", "-a"]\n', 'leaves "command" out, so /bin/x is never run'),
        ('by = ["command"]\n', "nobody is told"),
        ('by = ["command"]\ncommand = ["/bin/x"]\n', ""),
        ('by = ["command", "desktop"]\n', ""),
    ],
)  # fmt: skip
def test_what_has_no_effect_is_noted(text: str, said: str) -> None:
    """A program that is never run, and users whom nobody tells."""
    notes = [str(each) for each in load(f"[warn]\n{text}").notes if each.key.startswith("warn")]
    assert len(notes) == bool(said)
    assert all(said in each for each in notes)


def test_a_value_where_a_section_belongs_is_told_of_both() -> None:
    """Of [warn], and of the warn that stages have."""
    with pytest.raises(ConfigErrors) as errors:
        build([("test.toml", 'warn = "30s"\n' + PLAIN)])
    assert 'write [warn] for how users are told, or warn = "30s" below a [[stage]]' in str(
        errors.value.problems[0]
    )
