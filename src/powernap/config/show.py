"""The effective configuration, as TOML that can be read again and as rows for programs, each value with where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from powernap.config.declared import Declared, declared
from powernap.config.model import (
    Acting,
    ActionConfig,
    Config,
    MeterConfig,
    Metering,
    MonitorConfig,
    Off,
    Rule,
    ScheduleConfig,
    Scheduling,
    Settings,
    Stage,
    Warn,
    Watching,
)
from powernap.config.values import quote, show
from powernap.core.value import dataclass
from powernap.sleep.options import SleepOptions


@dataclass(frozen=True)
class Row:
    """One effective value; ``key`` within its section, ``path`` in the whole, ``text`` as TOML (empty: not set)."""

    path: str
    key: str
    value: Any
    text: str
    unit: str
    origin: str


@dataclass(frozen=True)
class Section:
    """A header and its rows."""

    header: str
    rows: tuple[Row, ...]


def sections(config: Config) -> Iterator[Section]:
    """In the order in which a file has them."""
    yield Section("", _rows(config, "", declared(Settings), config.settings))
    for stage in config.stages:
        yield Section("[[stage]]", _rows(config, f"stage.{stage.name}", declared(Stage), stage))
    yield Section("[sleep]", _rows(config, "sleep", declared(SleepOptions), config.sleep))
    yield Section("[off]", _rows(config, "off", declared(Off), config.off))
    yield Section("[warn]", _rows(config, "warn", declared(Warn), config.warn))
    for monitor in config.monitors.values():
        yield Section(f"[monitor.{monitor.name}]", _typed(config, "monitor", monitor, Watching))
    for rule in config.rules.values():
        yield Section(f"[rule.{rule.name}]", _rows(config, f"rule.{rule.name}", declared(Rule), rule))
    for action in config.actions.values():
        yield Section(f"[action.{action.name}]", _typed(config, "action", action, Acting))
    for meter in config.meters.values():
        yield Section(f"[meter.{meter.name}]", _typed(config, "meter", meter, Metering))
    for schedule in config.schedules.values():
        yield Section(f"[schedule.{schedule.name}]", _typed(config, "schedule", schedule, Scheduling))


def _typed(
    config: Config,
    noun: str,
    item: MonitorConfig | ActionConfig | MeterConfig | ScheduleConfig,
    shared: type[Any],
) -> tuple[Row, ...]:
    path = f"{noun}.{item.name}"
    # monitors that are off are left out
    common = {key: option for key, option in declared(shared).items() if hasattr(item, option.field)}
    return _rows(config, path, common, item) + _rows(config, path, declared(type(item.options)), item.options)


def _rows(config: Config, path: str, options: dict[str, Declared], values: Any) -> tuple[Row, ...]:
    return tuple(
        _row(config, f"{path}.{key}" if path else key, option, getattr(values, option.field))
        for key, option in options.items()
    )


def _row(config: Config, path: str, option: Declared, value: Any) -> Row:
    word = next((quote(word) for word, means in option.words.items() if means == value), "")
    text = "" if value == () and option.default == () else word or show(value, option.unit)
    return Row(path, option.key, value, text, option.unit, config.origins.get(path, "default"))


def as_toml(found: Iterable[Section], *, origin: bool = False) -> str:
    """A document that loads to the same configuration; with ``origin`` each line says where it comes from."""
    return "\n".join("".join(_lines(section, origin=origin)) for section in found)


def _lines(section: Section, *, origin: bool) -> Iterator[str]:
    if section.header:
        yield f"{section.header}\n"
    lines = [
        (f"{row.key} = {row.text}" if row.text else f"# {row.key} is not set", row) for row in section.rows
    ]
    width = min(48, max((len(line) for line, row in lines if row.text), default=0))
    for line, row in lines:
        if row.text or origin:
            yield f"{line:<{width}}  # {row.origin}\n" if origin else f"{line}\n"


def as_json(config: Config) -> dict[str, Any]:
    """Document for programs: values in seconds, bytes and shares of one, and the same as TOML text."""
    values = [
        {"key": row.path, "value": row.value, "text": row.text, "unit": row.unit, "origin": row.origin}
        for section in sections(config)
        for row in section.rows
    ]
    return {"version": 1, "files": list(config.files), "values": values}
