"""sleep/options.py: the section [sleep]."""

from __future__ import annotations

from powernap.config.declared import declared
from powernap.config.values import convert
from powernap.sleep.options import SleepOptions, wrong_ways


def test_every_option_is_declared_and_its_default_is_valid() -> None:
    """As the config reader sees it."""
    found = declared(SleepOptions)
    assert ["through", "proof", "wake_by", "alarm", "min_sleep", "wake_nic"] == list(found)
    assert not [option.key for option in found.values() if option.required]
    for option in found.values():
        assert option.check is None or option.check(option.default) is None


def test_values_are_read_with_their_units() -> None:
    """A duration, a list of words."""
    found = declared(SleepOptions)
    assert 86400.0 == convert("24h", found["alarm"])
    assert ("rtc", "magic-packet") == convert(["rtc", "magic-packet"], found["wake_by"])


def test_any_stands_alone() -> None:
    """Beside another word it would contradict it."""
    assert "any" in str(wrong_ways(("any", "rtc")))
    assert wrong_ways(("rtc", "manual")) is None
