"""From the timetable to what the machine must do: never off while it must be up, and no need forgotten, against slow oracles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from powernap.config.model import Off as Going
from powernap.core.plan import Off, Plan, Window
from powernap.core.timetable import DAYS, NAP, OFF, UP, Span, periods
from powernap.daemon.needs import Ahead, Need, next_need, plan

END = 40
DEPTH = {"ease": 0, "suspend": 1}
AHEAD = Ahead(2.0, 3.0)

SPANS = st.lists(
    st.builds(
        lambda start, length, says, name, deepest: Span(
            float(start), float(start + length), says, name, f"{name} at {start}", deepest if says == NAP else ""
        ),
        st.integers(0, END),
        st.integers(1, 20),
        st.sampled_from([UP, NAP, OFF, DAYS]),
        st.sampled_from(["a", "b", "quiet"]),
        st.sampled_from(["", "ease", "suspend"]),
    ),
    max_size=8,
)  # fmt: skip


def wakes(name: str) -> bool:
    """All but one."""
    return name != "quiet"


def sleeps(stage: str) -> bool:
    """A stage, or all of them."""
    return stage != "ease"


# ------------------------------------------------------------ the oracle: instant by instant


def reasons(spans: list[Span], at: float) -> tuple[str, list[Span]]:
    """What decides at one instant."""
    here = [span for span in spans if span.start <= at < span.end]
    for says in (UP, OFF):
        found = [span for span in here if span.says == says]
        if found:
            return says, found
    naps = [span for span in here if span.says == NAP]
    shallow = [span for span in naps if span.deepest == "ease"]
    return ("shallow", shallow) if shallow else ("free", naps)


def known_at(spans: list[Span], at: float) -> list[Span]:
    """Who would have the machine awake at an instant, and woken for it."""
    says, because = reasons(spans, at)
    return [span for span in because if says in {UP, "shallow"} and wakes(span.schedule)]


def slow_need(spans: list[Span], now: int) -> float | None:
    """The first whole second after ``now``, looked at one by one."""
    for at in range(now + 1, END):
        before, after = reasons(spans, at - 1), reasons(spans, at)
        was, is_ = known_at(spans, at - 1), known_at(spans, at)
        begins = any(joined_start(spans, span, at) for span in is_)
        ends = before[0] == OFF and after[0] != OFF and any(wakes(span.schedule) for span in before[1])
        if (is_ and (not was or begins)) or ends:
            return float(at)
    return None


def joined_start(spans: list[Span], span: Span, at: int) -> bool:
    """It begins at this instant, and does not go on from the same statement before."""
    same = [each for each in spans if (each.schedule, each.detail, each.says, each.deepest) == (span.schedule, span.detail, span.says, span.deepest)]  # fmt: skip
    return span.start == at and not any(each.start <= at - 1 < each.end for each in same)


@given(SPANS, st.integers(0, END - 2))
def test_the_next_need_is_the_one_that_a_slow_search_finds(spans: list[Span], now: int) -> None:
    """Whatever contradicts whatever."""
    found = next_need(periods(spans, now, END, DEPTH), now, wakes, sleeps)
    assert (found and found.at) == slow_need(spans, now)
    if found is not None:
        assert wakes(found.schedule)


@given(SPANS, st.integers(0, END - 2), st.permutations(range(8)))
def test_the_order_of_what_is_said_does_not_matter(spans: list[Span], now: int, order: list[int]) -> None:
    """Nor for the need, nor for the plan."""
    mixed = [spans[each] for each in order if each < len(spans)]
    one, other = periods(spans, now, END, DEPTH), periods(mixed, now, END, DEPTH)
    assert next_need(one, now, wakes, sleeps) == next_need(other, now, wakes, sleeps)
    assert made(one, now) == made(other, now)


@given(SPANS, st.integers(0, END - 2), st.integers(0, END - 2))
def test_looked_at_from_earlier_or_later_it_is_the_same_need(spans: list[Span], one: int, other: int) -> None:
    """A daemon that was started in between, or slept through all of it, knows the same."""
    first, now = sorted((one, other))
    early = next_need(periods(spans, first, END, DEPTH), now, wakes, sleeps)
    late = next_need(periods(spans, now, END, DEPTH), now, wakes, sleeps)
    assert early == late


# ------------------------------------------------------------ what the core is told


def made(found: list[Any], now: float, going: Going | None = None, unknown: dict[str, str] | None = None, offset: float = 0.0) -> Plan:  # fmt: skip
    """The plan."""
    return plan(found, now, offset, going or Going(), AHEAD, unknown or {})


@given(SPANS, st.integers(0, END - 2))
def test_it_is_never_off_while_somebody_wants_it_up(spans: list[Span], now: int) -> None:
    """No instant between the beginning and the end of *off* lies in a time in which it must be up; and at each, some schedule says off."""
    off = made(periods(spans, now, END, DEPTH), now).off
    if off is None:
        return
    assert off.until is not None
    assert off.until > off.at
    for at in range(max(now, int(off.at)), int(off.until)):
        assert reasons(spans, at)[0] == OFF


@given(SPANS, st.integers(0, END - 2))
def test_who_wants_it_up_now_is_always_named(spans: list[Span], now: int) -> None:
    """Each with its end; and who wants it up within the time that it takes to come back."""
    named = {(window.name, window.until) for window in made(periods(spans, now, END, DEPTH), now).up}
    wanted = {span for span in spans if span.says == UP and span.start <= now < span.end}
    assert {span.schedule for span in wanted} <= {name for name, _ in named}
    assert all(
        any(name == span.schedule and until is not None and until >= span.end for name, until in named)
        for span in wanted
    )


@given(SPANS, st.integers(0, END - 2))
def test_the_first_time_of_off_that_is_long_enough_is_told(spans: list[Span], now: int) -> None:
    """Instant by instant: none that would last is passed over."""
    off = made(periods(spans, now, END, DEPTH), now).off
    said = [reasons(spans, at)[0] == OFF for at in range(now, END)]
    lengths, run = [], 0
    for each in [*said, False]:
        if not each and run:
            lengths.append(run)
        run = run + 1 if each else 0
    assert (off is not None) == any(length > AHEAD.off for length in lengths)


@given(SPANS, st.integers(0, END - 2), st.integers(1, 20))
def test_off_begins_and_ends_at_the_same_instants_whenever_one_looks(
    spans: list[Span], now: int, later: int
) -> None:
    """A look in the middle of it moves neither, but for a start that lies behind."""
    first = made(periods(spans, now, END, DEPTH), now).off
    second = made(periods(spans, now + later, END, DEPTH), now + later).off if now + later < END else None
    if first is None or first.until is None or first.until <= now + later:
        return
    assert second is not None
    assert second.until == first.until
    if first.at > now + later:
        assert second == first
    else:
        assert second.at <= now + later


# ------------------------------------------------------------ by example


def need(*spans: Span, now: float = 0.0, sleeping: Callable[[str], bool] = sleeps) -> Need | None:
    """The next one of these."""
    return next_need(periods(spans, now, END, DEPTH), now, wakes, sleeping)


def test_the_end_of_off_is_a_need() -> None:
    """Also where nothing is said of the time after it."""
    assert need(Span(5, 9, OFF, "night", "22:00-06:00")) == Need(9, "night", "the end of 22:00-06:00")


def test_after_off_who_wants_it_up_is_named_first() -> None:
    """And wakes it, although the one that says off does not."""
    found = need(Span(5, 9, OFF, "quiet"), Span(9, 12, UP, "office", "work"))
    assert found == Need(9, "office", "work")


def test_a_schedule_that_does_not_wake_is_no_need() -> None:
    """It keeps awake a machine that is."""
    assert need(Span(5, 9, UP, "quiet")) is None
    assert need(Span(5, 9, OFF, "quiet")) is None


def test_what_merely_goes_on_is_no_need() -> None:
    """Somebody sent the machine to sleep in a time in which it should be up: the end of another schedule wakes it not."""
    assert need(Span(0, 30, UP, "a"), Span(5, 9, UP, "b"), now=6.0) is None
    assert need(Span(0, 30, UP, "a"), Span(5, 9, UP, "b")) == Need(5, "b", "")
    assert need(Span(0, 30, UP, "a"), Span(5, 9, UP, "quiet")) is None


def test_where_it_may_nap_but_not_sleep_it_must_be_awake() -> None:
    """Unless that stage is one that sleeps."""
    assert need(Span(5, 9, NAP, "day", "lunch", "ease")) == Need(5, "day", "lunch")
    assert need(Span(5, 9, NAP, "day", "lunch", "suspend")) is None
    assert need(Span(5, 9, NAP, "day", "lunch")) is None


def test_what_is_over_is_no_need() -> None:
    """It came and went while the machine slept."""
    assert need(Span(5, 9, UP, "a"), now=9.0) is None
    assert need(Span(5, 9, UP, "a"), now=20.0) is None


def test_the_core_is_told_on_its_own_clock() -> None:
    """Ends of windows, and when off begins and ends: that of *off* by as much earlier as it takes to come back."""
    found = periods([Span(1, 9, UP, "office", "work"), Span(10, 20, OFF, "night")], 5, END, DEPTH)
    assert made(found, 5, Going(quiet=7.0), offset=1000.0) == Plan(
        (Window("office", "the schedule keeps it up: work", 9 - 1000.0),),
        off=Off("night", 10 - 1000.0, 17 - 1000.0, 7.0, force=False),
    )


def test_in_use_or_not_where_the_admin_wants_that() -> None:
    """Then no quiet time is waited for."""
    off = made(periods([Span(1, 20, OFF, "night")], 5, END, DEPTH), 5, Going(in_use="off", quiet=7.0)).off
    assert off == Off("night", 1, 17, 0.0, force=True)


def test_shortly_before_it_is_needed_it_stays_up() -> None:
    """So that it does not go down once more, and off no longer counts."""
    found = periods([Span(0, 10, OFF, "night"), Span(10, 20, UP, "office", "work")], 8, END, DEPTH)
    assert made(found, 8) == Plan((Window("office", "needed soon: work", 20),))


def test_off_by_several_schedules_is_one_time() -> None:
    """It ends with the last of them."""
    found = periods([Span(1, 6, OFF, "a"), Span(4, 12, OFF, "b")], 2, END, DEPTH)
    assert made(found, 2).off == Off("a", 1, 9, Going().quiet, force=False)


def test_a_limit_of_how_deep_it_may_nap_is_told_with_its_name() -> None:
    """Only while it holds."""
    spans = [Span(5, 9, NAP, "day", "", "ease")]
    assert made(periods(spans, 5, END, DEPTH), 5) == Plan((), "ease", "day")
    assert made(periods(spans, 4, END, DEPTH), 4) == Plan()


def test_who_cannot_tell_keeps_it_up_without_an_end() -> None:
    """Also where there is no timetable at all."""
    unknown = {"ical": "the schedule cannot tell: x"}
    assert made([], 5, unknown=unknown) == Plan((Window("ical", "the schedule cannot tell: x"),))


def test_what_begins_at_this_very_instant_is_no_longer_ahead() -> None:
    """The machine is awake, and told so by the plan."""
    found = periods([Span(5, 9, UP, "a"), Span(12, 14, UP, "b")], 0, END, DEPTH)
    assert next_need(found, 5.0, wakes, sleeps) == Need(12, "b", "")
