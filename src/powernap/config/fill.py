"""A section's values against what its type declares: every fault of every key, and where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any

from powernap.config.declared import Declared, declared
from powernap.config.model import Settings
from powernap.config.problems import Findings, Place, meant, nearest
from powernap.config.tree import HEADERS, Table, Value
from powernap.config.values import WrongValueError, convert
from powernap.core.value import dataclass

DEFAULT = "default"
OLD_KEYS = {
    "absent_seconds": "this is a PowerNap 2.x setting: it is after of a [[stage]] now",
    "grace_seconds": "this is a PowerNap 2.x setting: it is warn of a [[stage]] now",
    "interval_seconds": "this is a PowerNap 2.x setting: nothing polls any more, delete it",
    "action_method": 'this is a PowerNap 2.x setting: it is sleep = "suspend" of a [[stage]] now',
    "stage2_absent_seconds": "this is a PowerNap 2.x setting: it is after of a second [[stage]] now",
}


@dataclass
class Form:
    """What is being filled in: findings and origins of the whole configuration."""

    findings: Findings = field(default_factory=Findings)
    origins: dict[str, str] = field(default_factory=dict)

    def fill(
        self, table: Table, options: Mapping[str, Declared], what: str, path: str
    ) -> dict[str, Any] | None:
        """Converted values by field name, defaults included; ``None`` when one is wrong or missing.

        :param what: the section in words, for messages (``monitor "ssh"``); :param path: the same as a key path.
        """
        before = len(self.findings.problems)
        for key, value in table.values.items():
            if key not in options:
                self.unknown(key, value, options, what, path)
        filled = {option.field: self.one(table, option, what, path) for option in options.values()}
        torn = self.findings.torn and any(
            option.required and option.key not in table.values for option in options.values()
        )
        return None if torn or len(self.findings.problems) > before else filled

    def one(self, table: Table, option: Declared, what: str, path: str) -> Any:
        """One option's value, ``None`` when there is none."""
        key = f"{path}.{option.key}" if path else option.key
        value = table.values.get(option.key)
        if value is None:
            self.origins[key] = DEFAULT
            if option.required:
                self.findings.missing(
                    table.place, key, f'{what} has no "{option.key}"', f"add {option.key} = {option.sample}"
                )
                return None
            return option.default
        self.origins[key] = str(value.place)
        try:
            return convert(value.raw, option)
        except WrongValueError as error:
            place = value.place if error.item is None else value.item(error.item)
            name = f'"{option.key}"'
            message = error.message.replace(name, f"{name} in {what}", 1) if what else error.message
            self.findings.wrong(place, key, message, error.remedy)
            return None

    def unknown(self, key: str, value: Value, options: Mapping[str, Declared], what: str, path: str) -> None:
        """A key that this section does not have: misspelt, from another section, or from PowerNap 2.x."""
        remedy = OLD_KEYS.get(key.lower(), "")
        if not remedy and path and key in declared(Settings):
            remedy = f'"{key}" is a setting of the whole machine: move it above the first section'
        near = nearest(key, HEADERS)
        if not remedy and not path and near and not nearest(key, options):
            remedy = f"write {HEADERS[near]} sections"
        message = f'unknown key "{key}"' + (f" in {what}" if what else "")
        self.findings.wrong(
            value.place, f"{path}.{key}" if path else key, message, remedy or meant(key, options)
        )

    def build(self, options: type[Any], values: Mapping[str, Any], place: Place, what: str, path: str) -> Any:
        """An instance of an options class; what its ``__post_init__`` refuses is a problem of the section."""
        names = {each.name for each in fields(options) if each.init}
        try:
            return options(**{name: value for name, value in values.items() if name in names})
        except Exception as error:
            message, _, remedy = str(error).partition("; ")
            self.findings.missing(place, path, f"{what}: {message or type(error).__name__}", remedy)
            return None
