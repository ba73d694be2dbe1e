"""Text to TOML values with places, and a refusal of ``tomllib`` to a line, a reason and a remedy.

``tomllib`` stops at the first fault. A file that has five is read five times, each time without the statement that was at fault, so that
the admin sees all five at once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import field
from typing import Any

from powernap.config.lines import Path, Places, locate
from powernap.config.problems import Findings, Place
from powernap.core.value import dataclass

MOST = 20  # faults of syntax told per file: beyond that they are consequences of each other
SUFFIX = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
REPEATED = ("Cannot overwrite", "Cannot declare", "Cannot redefine", "Cannot mutate", "Duplicate inline")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
CURLY = re.compile("[\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb]")


@dataclass
class Parsed:
    """What could be read of a file."""

    data: dict[str, Any] = field(default_factory=dict)
    places: Places = field(default_factory=Places)


def parse(text: str, file: str, findings: Findings) -> Parsed:
    """All that is readable of a document; each fault of syntax is a problem, and leaves the findings torn."""
    text = text.replace("\r\n", "\n")
    told: set[int] = set()
    while True:
        try:
            return Parsed(tomllib.loads(text), locate(text))
        except (ValueError, RecursionError) as error:
            findings.torn = True
            places, line = locate(text), _line(error, text)
            fault = _describe(error, text, places, line)
            if fault.line not in told:
                findings.wrong(Place(file, fault.line), dotted(fault.path), fault.message, fault.remedy)
                told.add(fault.line)
            shorter = _without(text, places, line)
            if shorter == text or len(told) >= MOST:
                return Parsed()
            text = shorter


def dotted(path: Path) -> str:
    """A path as an admin reads it: ``monitor.ssh.port``."""
    return ".".join(str(part) for part in path)


@dataclass(frozen=True)
class _Fault:
    """What is wrong with the syntax, and where."""

    line: int
    message: str
    remedy: str
    path: Path = ()


def _line(error: Exception, text: str) -> int:
    """The line ``tomllib`` names; the last one for the end of the document; 0 where it names none (a number too long)."""
    match = SUFFIX.search(str(error))
    if not match:
        return 0
    return int(match[1]) if match[1] else text.rstrip("\n").count("\n") + 1


def _without(text: str, places: Places, line: int) -> str:
    """The text with the statement at fault blanked: all of its lines, and of a table header also what it heads."""
    lines = text.split("\n")
    begun = places.begun[1].line if places.begun else line
    if not line or (begun < line and line >= len(lines) - 1):
        return text  # it swallowed the rest of the file: nothing behind it can be trusted
    first = last = min(begun, line)
    header = lines[first - 1].lstrip().startswith("[")
    ends = r"\s*\[" if header else r"\s*(\[|[\w.-]+\s*=|$)"
    several = header or begun < line or re.match(r"[^=]*=\s*\[[^\]]*$", lines[first - 1])
    while last < len(lines) and (last < line or (several and not re.match(ends, lines[last]))):
        last += 1
    return "\n".join("" if first <= number <= last else kept for number, kept in enumerate(lines, 1))


def _describe(error: Exception, text: str, places: Places, line: int) -> _Fault:
    if not line:
        return _Fault(0, *_unplaced(error))
    said = SUFFIX.sub("", str(error))
    begun = places.begun[1].line if places.begun else line
    if said.startswith(REPEATED):
        return _repeated(places, line)
    content = text.split("\n")[line - 1]
    if str(error).endswith("(at end of document)"):
        line = begun
    message, remedy = _explain(said, content, begun, line)
    return _Fault(line, message, remedy, _path_at(places, line))


def _path_at(places: Places, line: int) -> Path:
    """The key that the line begins with."""
    here = [
        (-position.column, len(path), path) for path, position in places.keys.items() if position.line == line
    ]
    return max(here, key=lambda found: found[:2])[2] if here else ()


def _unplaced(error: Exception) -> tuple[str, str]:
    if isinstance(error, RecursionError):
        return (
            "lists or tables are nested too deeply",
            "no setting needs more than one level: write the list flat",
        )
    return "a number has thousands of digits", "write a smaller number"


def _repeated(places: Places, line: int) -> _Fault:
    repeat = next((repeat for repeat in reversed(places.repeats) if repeat.again.line <= line), None)
    if repeat is None:
        path = places.begun[0] if places.begun else ()
        first = places.keys.get(path)
        where = f"in line {first.line}" if first and first.line < line else "further up"
        return _Fault(
            line, f'"{dotted(path)}" is already something else, {where}', "give it once, in one form", path
        )
    line, path = repeat.again.line, repeat.path
    if len(path) == 2 and path[0] in {"monitor", "rule", "action", "meter", "schedule"}:
        message = f"the section [{dotted(path)}] is given twice, first in line {repeat.first.line}"
        return _Fault(line, message, "give this one another name, or put its lines into the first", path)
    return _Fault(
        line, f'"{path[-1]}" is given twice, first in line {repeat.first.line}', "keep one of the two", path
    )


WORDS = {
    "true": "true",
    "yes": "true",
    "on": "true",
    "y": "true",
    "false": "false",
    "no": "false",
    "off": "false",
    "n": "false",
}
Explain = Callable[[str, str], tuple[str, str]]


def _explain(said: str, content: str, begun: int, line: int) -> tuple[str, str]:
    """Message and remedy for what ``tomllib`` said about a line with this content."""
    key, _, value = (part.strip() for part in content.partition("="))
    if CONTROL.search(content):
        return "a control character", "delete the line and type it anew"
    if CURLY.search(content) and said.startswith(("Invalid", "Expected")):
        return "typographic quotes", "use the straight ones of a programmer's editor: \" or '"
    if not key:
        return 'a name is missing before "="', "write key = value"
    for opening, explain in EXPLANATIONS.items():
        if said.startswith(opening):
            message, remedy = explain(key, value)
            if begun < line and not opening.startswith("Expected"):
                message += f" (in the value that begins in line {begun})"
            return message, remedy
    return said[:1].lower() + said[1:], "see toml.io for how TOML is written"


def _invalid_value(key: str, value: str) -> tuple[str, str]:
    if value.startswith("["):
        words = [word.strip() for word in value.strip("[] ").split(",")]
        bare = next((word for word in words if word[:1] not in {'"', "'"} and not word.isdigit()), value)
        return f"text without quotes: {_short(bare)}", f'write "{_short(bare)}"'
    word = value.partition("#")[0].strip()
    if not word:
        return f'"{key}" has no value', f'write {key} = "..." or delete the line'
    if word.lower() in WORDS:
        return f'"{word}" is not a value', f"write {key} = {WORDS[word.lower()]}"
    if word.lower() in {"none", "null", "nil"}:
        return f'"{word}" is not a value', f'delete the line: without it "{key}" has its default'
    return f"text without quotes: {_short(word)}", f'write {key} = "{_short(word)}"'


def _trailing(key: str, value: str) -> tuple[str, str]:
    word = value.partition("#")[0].strip()
    if re.fullmatch(r"0\d+", word):
        return f"a number may not begin with 0: {word}", f"write {key} = {int(word)}"
    if word and word[0].isdigit() and key:
        return (
            f"a quantity with a unit is text and needs quotes: {_short(word)}",
            f'write {key} = "{_short(word)}"',
        )
    return (
        "something stands behind the end of the value",
        'one setting a line; several values are a list: ["a", "b"]',
    )


def _no_equals(key: str, given: str) -> tuple[str, str]:
    word = key.partition("#")[0].strip()
    name, colon, value = word.partition(":")
    if colon and name:
        return f'":" where "=" belongs: {_short(word)}', f"write {name.strip()} = {_quoted(value.strip())}"
    if not given and re.fullmatch(r"[\w-]+ .+", word):
        name, _, value = word.partition(" ")
        return f'"{_short(word)}" has no "="', f'write {name} = "{value.strip()}"'
    if " " in word:
        return (
            f'"{_short(word)}" is not a key: keys have no spaces',
            f"write {word.replace(' ', '_')} = {given or '...'}",
        )
    return f'"{_short(word)}" has no value', f'write {word} = "..."'


def _header(key: str, _value: str) -> tuple[str, str]:
    name = key.partition("#")[0].strip().strip("[] ")
    kind, dot, rest = name.partition(".")
    if " " in name:
        last = rest if dot else kind
        return (
            f"a space in a section name: [{name}]",
            f"write [{kind + '.' if dot else ''}{last.strip().replace(' ', '-')}]",
        )
    return (
        f"the section header is not closed: {_short(key)}",
        f"write [{'[' * key.startswith('[[')}{name}]{']' * key.startswith('[[')}",
    )


def _backslash(key: str, value: str) -> tuple[str, str]:
    inner = value.strip('[]", ').partition('"')[0]
    remedy = "put the text into single quotes, which leave backslashes alone"
    return (
        "a lone backslash between double quotes",
        f"{remedy}: {key} = '{_short(inner)}'" if key and "'" not in inner else remedy,
    )


def _unclosed_string(_key: str, value: str) -> tuple[str, str]:
    if not value:
        return "the text is not closed", "put the missing quote at its end"
    quote = value.lstrip("[ ")[:1]
    return f"the text is not closed: {_short(value)}", f"put the missing {quote} at its end"


def _statement(key: str, _value: str) -> tuple[str, str]:
    if key.startswith((";", "//", "--", "%")):
        return f"not a comment of TOML: {_short(key)}", 'comments begin with "#"'
    if key.startswith(("]", "}", ",")):
        return f'"{key[0]}" closes nothing', "delete it, or look for what is not opened above"
    return (
        f"not a setting: {_short(key)}",
        'a line is key = value, [section], or a comment that begins with "#"',
    )


def _list(_key: str, _value: str) -> tuple[str, str]:
    return "the list is not closed before this, or a comma is missing", 'write ["a", "b"]'


def _no_key(key: str, _value: str) -> tuple[str, str]:
    if key.startswith("[") or not key:
        return "a name is missing", "write [monitor.NAME], or key = value" if key else "write key = value"
    return f"not a name: {_short(key)}", "names are letters, digits, - and _; any other needs quotes"


EXPLANATIONS: dict[str, Explain] = {
    "Invalid value": _invalid_value,
    "Expected newline": _trailing,
    "Expected '=' after": _no_equals,
    "Expected ']": _header,
    "Unescaped '\\'": _backslash,
    "Invalid hex": _backslash,
    "Illegal character '\\n'": _unclosed_string,
    "Found invalid character '\\n'": _unclosed_string,
    "Unterminated string": _unclosed_string,
    'Expected "\'"': _unclosed_string,
    "Expected \"'''\"": _unclosed_string,
    "Invalid statement": _statement,
    "Unclosed array": _list,
    "Unclosed inline": lambda _key, _value: (
        "the { } is not closed, or a comma is missing",
        "write { a = 1, b = 2 } in one line",
    ),
    "Invalid initial": _no_key,
    "Invalid date": lambda key, value: (
        f"no such date: {_short(value)}",
        f'write {key} = "..." if it is text',
    ),
}


def _quoted(word: str) -> str:
    return (
        word
        if word[:1] in {'"', "'", "["} or word.isdigit() or word in {"true", "false"}
        else f'"{word or "..."}"'
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
