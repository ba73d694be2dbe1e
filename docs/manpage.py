"""Manual pages from the command line's own declaration, so that they cannot tell anything else (man(7))."""

import argparse


def escape(text: str) -> str:
    """Text for roff: backslashes, hyphens, and no line that begins with a control character."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in text.split("\n"))


def heading(title: str, section: int, version: str) -> list[str]:
    return [f'.TH {title.upper()} {section} "" "PowerNap {version}" "PowerNap"']


def invocation(action: argparse.Action) -> str:
    """``-n, --count N`` as roff."""
    names = ", ".join(f"\\fB{escape(name)}\\fR" for name in action.option_strings)
    if action.nargs == 0:
        return names
    metavar = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    value = f"\\fI{escape(str(metavar))}\\fR"
    return f"{names} {value}".strip()


def option_list(parser: argparse.ArgumentParser) -> list[str]:
    lines: list[str] = []
    for action in parser._actions:
        if (
            isinstance(action, argparse._SubParsersAction | argparse._HelpAction)
            or action.help is argparse.SUPPRESS
        ):
            continue
        text = (action.help or "") % {"default": action.default, "prog": parser.prog}
        lines += [
            ".TP",
            invocation(action),
            escape(text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")),
        ]
    return lines


def subcommands(parser: argparse.ArgumentParser) -> list[str]:
    lines: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                lines += [f".SS powernap {escape(name)}", escape(sub.description or ""), *option_list(sub)]
                nested = subcommands(sub)
                lines += [line.replace(".SS powernap", f".SS powernap {escape(name)}") for line in nested]
    return lines


def page(
    parser: argparse.ArgumentParser, section: int, version: str, purpose: str, extra: dict[str, str]
) -> str:
    """One manual page."""
    name = parser.prog
    usage = (
        f"\\fB{name}\\fR [\\fICOMMAND\\fR] [\\fIOPTION\\fR ...]"
        if section == 1
        else f"\\fB{name}\\fR [\\fIOPTION\\fR ...]"
    )
    lines = [
        *heading(name, section, version),
        ".SH NAME",
        f"{name} \\- {escape(purpose)}",
        ".SH SYNOPSIS",
        usage,
    ]
    lines += [".SH DESCRIPTION", escape(parser.description or ""), ".PP", escape(parser.epilog or "")]
    lines += [".SH OPTIONS", *option_list(parser)]
    nested = subcommands(parser)
    if nested:
        lines += [".SH COMMANDS", *nested]
    for title, text in extra.items():
        lines += [f".SH {title}"]
        for paragraph in text.strip().split("\n\n"):
            head, _, body = paragraph.partition(": ")
            lines += (
                [".TP", f"\\fB{escape(head)}\\fR", escape(body)]
                if body and "\n" not in head
                else [".PP", escape(paragraph)]
            )
    return "\n".join(line for line in lines if line) + "\n"
