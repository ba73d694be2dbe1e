"""An option carries everything that config, docs and man page say of it."""

from __future__ import annotations

import dataclasses

import pytest

from powernap.core.options import REQUIRED, option


@dataclasses.dataclass(frozen=True)
class Options:
    """An example."""

    port: int = option(
        help="The port.", example="22", check=lambda port: None if port < 65536 else "too large"
    )
    above: float = option(1.5, help="The limit.", unit="duration")
    side: str = option("local", help="Which side.", choices=("local", "remote"))


def fields():
    return {field.name: field for field in dataclasses.fields(Options)}


def test_an_option_without_a_default_must_be_given():
    """Its absence is a TypeError, which config reports as a missing key."""
    assert fields()["port"].default is REQUIRED
    with pytest.raises(TypeError, match="port"):
        Options()


def test_defaults_are_as_the_program_counts():
    """What is not given has its default, already converted."""
    assert Options(22) == Options(22, 1.5, "local")


def test_the_metadata_is_what_was_declared():
    """Nothing is lost between the declaration and the reference page, and nothing is kept that was not said."""
    metadata = fields()["port"].metadata
    assert metadata["check"](70000) == "too large"
    assert {key: value for key, value in metadata.items() if key != "check"} == {
        "help": "The port.",
        "example": "22",
    }
    assert fields()["side"].metadata["choices"] == ("local", "remote")
    assert fields()["above"].metadata["unit"] == "duration"
