"""Quantities: what an admin writes is what the program counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.core.units import UnitError, byte_rate, duration, many, ratio, show_duration, show_size, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("90s", 90.0),
        ("30min", 1800.0),
        ("1h 30min", 5400.0),
        ("1h30m", 5400.0),
        (" 1.5 h ", 5400.0),
        ("250ms", 0.25),
        ("2d", 172800.0),
        ("1w", 604800.0),
        ("3us", 3e-6),
        ("5sec", 5.0),
    ],
)
def test_durations_as_admins_write_them(text, seconds):
    """A duration is a sum of numbers with units."""
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", " ", "5", "min", "5 parsecs", "-5s", "1h 30", "1h, 30min", "1e3s", "s5", "5s!"]
)
def test_what_is_no_duration_is_refused_with_an_example(text):
    """A number without unit could mean anything: it is refused, and the message shows one that is right."""
    with pytest.raises(UnitError, match='is not a duration; .* "1h 30min"'):
        duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("4096B", 4096), ("10KiB", 10240), ("1.5GB", 1.5e9), ("2 TiB", 2 * 1024**4), ("1kB", 1000)],
)
def test_sizes_as_admins_write_them(text, count):
    """Decimal and binary units are told apart."""
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "10", "10 bytes", "-1B", "1 KiB/s", "1%"])
def test_what_is_no_size_is_refused(text):
    """A size needs its unit."""
    with pytest.raises(UnitError, match='is not a size; .* "10KiB"'):
        size(text)


@pytest.mark.parametrize(
    ("text", "rate"), [("10KiB/s", 10240), ("600KiB/min", 10240), ("1 MB / h", 1e6 / 3600)]
)
def test_rates_are_per_second(text, rate):
    """A rate is counted in bytes per second, whatever it is written per."""
    assert byte_rate(text) == pytest.approx(rate)


@pytest.mark.parametrize("text", ["10KiB", "10KiB/", "10KiB/parsec", "/s", "10/s"])
def test_what_is_no_rate_is_refused(text):
    """A rate is a size per time."""
    with pytest.raises(UnitError, match="is not a (rate|size)"):
        byte_rate(text)


@pytest.mark.parametrize(("text", "share"), [("25%", 0.25), ("0%", 0.0), ("150 %", 1.5), ("0.5%", 0.005)])
def test_shares_are_percentages(text, share):
    """A share of one is written as a percentage."""
    assert ratio(text) == share


@pytest.mark.parametrize("text", ["", "25", "0.25", "25pc", "-1%"])
def test_what_is_no_share_is_refused(text):
    """0.25 could be a quarter or a quarter of a percent: it is refused."""
    with pytest.raises(UnitError, match='is not a share; .* "25%"'):
        ratio(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (0, "0s"),
        (0.0001, "0s"),
        (0.25, "250ms"),
        (0.9999, "1s"),
        (1, "1s"),
        (2.5, "2.5s"),
        (59.9, "59.9s"),
        (59.99, "1min"),
        (60, "1min"),
        (5400, "1h 30min"),
        (3599.7, "1h"),
        (86400 + 60, "1d 1min"),
        (90061, "1d 1h"),
    ],
)
def test_durations_are_shown_as_admins_write_them(seconds, text):
    """The shortest text; never "60s" for a minute or "1000ms" for a second."""
    assert show_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"),
        (12, "12B"),
        (1000, "1000B"),
        (1023, "1023B"),
        (10240, "10KiB"),
        (1023 * 1024, "1023KiB"),
        (1.5 * 1024**3, "1.5GiB"),
        (3 * 1024**4, "3TiB"),
    ],
)
def test_sizes_are_shown_in_the_largest_unit(count, text):
    """Never as a power of ten: 1000 bytes are "1000B"."""
    assert show_size(count) == text


@given(st.floats(0.001, 1e7))
def test_what_is_shown_can_be_read_again(seconds):
    """show_duration and duration are inverse but for the digits that nobody reads."""
    assert duration(show_duration(seconds)) == pytest.approx(seconds, rel=0.05, abs=0.0006)


@given(st.floats(0, 1e15))
def test_a_size_that_is_shown_can_be_read_again(count):
    """show_size and size are inverse but for the digits that nobody reads."""
    assert size(show_size(count)) == pytest.approx(count, rel=0.006, abs=0.5)


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_a_unit_error(text):
    """Nothing an admin writes makes the program fall over."""
    for read in (duration, size, byte_rate, ratio):
        try:
            assert read(text) >= 0
        except UnitError as error:
            assert text.strip().partition("/")[0].strip() in str(error)


@pytest.mark.parametrize(("count", "text"), [(0, "0 naps"), (1, "1 nap"), (2, "2 naps")])
def test_one_and_many(count, text):
    """The noun follows its number."""
    assert many(count, "nap") == text
