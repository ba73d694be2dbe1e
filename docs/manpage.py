"""Manual pages from the command line's own declaration, so that they cannot tell anything else (man(7)); `mandoc -T lint` is silent."""

import argparse
import re
import textwrap

LINE = 76
"""Bytes of a line of roff: mandoc(1) complains of more than 80."""


def escape(text: str) -> str:
    """Text for roff: backslashes and hyphens as they are, `code` in bold."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"``?([^`]+)``?", r"\\fB\1\\fR", text)


def prose(text: str) -> list[str]:
    """Lines of roff, none of which is taken for a request. An empty line begins a paragraph."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        filled = textwrap.wrap(
            escape(" ".join(paragraph.split())), LINE, break_long_words=False, break_on_hyphens=False
        )
        lines += [".PP"] * bool(lines) + ["\\&" + line if line[0] in ".'" else line for line in filled]
    return lines


def heading(title: str, section: int, version: str, date: str) -> list[str]:
    return [f'.TH {title.upper()} {section} "{date}" "PowerNap {version}" "PowerNap"']


def invocation(action: argparse.Action) -> str:
    """``-n, --count N`` as roff."""
    names = ", ".join(f"\\fB{escape(name)}\\fR" for name in action.option_strings)
    if action.nargs == 0:
        return names
    metavar = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    value = f"\\fI{escape(str(metavar))}\\fR"
    return f"{names} {value}".strip()


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def option_list(parser: argparse.ArgumentParser) -> list[str]:
    lines: list[str] = []
    for action in parser._actions:
        if (
            isinstance(action, argparse._SubParsersAction | argparse._HelpAction)
            or action.help is argparse.SUPPRESS
        ):
            continue
        text = (action.help or "") % {"default": action.default, "prog": parser.prog}
        lines += [".TP", invocation(action), *prose(sentence(text))]
    return lines


def subcommands(parser: argparse.ArgumentParser) -> list[str]:
    lines: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                lines += [f".SS {escape(sub.prog)}", *prose(sub.description or sub.prog)]
                lines += [*option_list(sub), *subcommands(sub)]
    return lines


def items(text: str) -> list[str]:
    """``Term: what it means.`` paragraphs as a tagged list; others as they are."""
    lines: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        head, _, body = paragraph.partition(": ")
        if body and "\n" not in head:
            lines += [".TP", f"\\fB{escape(head.strip('`'))}\\fR", *prose(body)]
        else:
            lines += [*([".PP"] if lines else []), *prose(paragraph)]
    return lines


def page(
    parser: argparse.ArgumentParser,
    section: int,
    version: str,
    date: str,
    purpose: str,
    extra: dict[str, str],
) -> str:
    """One manual page."""
    name, nested = parser.prog, subcommands(parser)
    command = "[\\fICOMMAND\\fR] " if nested else ""
    lines = [*heading(name, section, version, date), ".SH NAME", f"{name} \\- {escape(purpose)}"]
    lines += [".SH SYNOPSIS", f"\\fB{name}\\fR {command}[\\fIOPTION\\fR ...]"]
    lines += [".SH DESCRIPTION", *prose("\n\n".join(filter(None, (parser.description, parser.epilog))))]
    lines += [".SH OPTIONS", *option_list(parser)]
    if nested:
        lines += [".SH COMMANDS", *nested]
    for title, text in extra.items():
        lines += [f".SH {title}", *items(text)]
    return "\n".join(lines) + "\n"
