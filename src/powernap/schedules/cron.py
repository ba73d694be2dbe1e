"""Cron expressions: the machine must be up for a while from each of their times on; or it may nap, or must be off.

An expression is cron's five fields, ``minute hour day-of-month month day-of-week``, with ``*``, lists, ranges, steps and names, or one of
``@hourly``, ``@daily``, ``@weekly``, ``@monthly``, ``@yearly``::

    30 2 * * *          every night at 02:30
    0 8-18 * * mon-fri  on the hour, on working days
    0 4 1,15 * 5        at 04:00 on the 1st, on the 15th and on Fridays, as cron has it

Where summer time begins or ends, it comes as Debian's cron runs jobs (cron(8)): a time that the clock skips comes right after the jump, and one
that it shows twice comes once; where minute or hour begins with ``*`` the clock is followed as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.timetable import NAP, OFF, UP, Span
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host import zones
from powernap.host.availability import Availability, available, unavailable
from powernap.schedules import ScheduleError
from powernap.schedules._cron import following, parse, stays
from powernap.schedules._options import check_deepest, deepening, each, staying, zone_of

if TYPE_CHECKING:
    from datetime import tzinfo

    from powernap.host.host import Host


wrong = each(parse)
"""What is wrong with a list of expressions, for an option's check."""


HOW = """\
Five fields, minute hour day-of-month month day-of-week, or one of @hourly, @daily, @weekly, @monthly, @yearly.

  30 2 * * *                every night at 02:30
  0 8-18 * * mon-fri        on the hour from 08:00 to 18:00, on working days
  */15 * * * *              every quarter of an hour
  0 4 1,15 * *              at 04:00 on the 1st and on the 15th
  0 4 1 1-12/3 *            at 04:00 on the first day of each quarter
  0 4 1 * mon               on the 1st and on Mondays: where both days are given one of them is enough, as for cron"""


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    at: tuple[str, ...] = option(
        check=wrong, example='["30 2 * * *", "0 8-18 * * mon-fri"]', help="Cron expressions.", how=HOW
    )
    stay: float = staying(
        600.0, "How long the machine is kept up (or may nap, or must be off) from each of the times on."
    )
    means: str = option(UP, choices=(UP, NAP, OFF), help="What is said of that time.")
    deepest: str = deepening()
    zone: str = zone_of("the expressions")

    def __post_init__(self) -> None:
        check_deepest(self.means, self.deepest)


def probe(host: Host, options: Options) -> Availability:
    """When does it come next?"""
    try:
        zone = zones.named(options.zone) if options.zone else zones.local(host.files).zone
        now = host.clock.wall()
        coming = [following(parse(text), zone, now) for text in options.at]
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        return unavailable(what, remedy)
    count = many(len(options.at), "expression")
    if None in coming:
        never = options.at[coming.index(None)]
        return unavailable(f'"{never}" never comes', "write days that there are")
    nearest = datetime.fromtimestamp(min(each for each in coming if each is not None), UTC)
    return available(f"{count}, next on {nearest.astimezone(zone):%a %Y-%m-%d %H:%M}")


def spans(host: Host, options: Options, start: float, end: float, local: tzinfo) -> Iterator[Span]:  # noqa: ARG001 - the contract's
    """Each expression's times; those that meet are one."""
    try:
        zone = zones.named(options.zone) if options.zone else local
        rules = [(text, parse(text)) for text in options.at]
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        raise ScheduleError(what, remedy) from None
    for text, rule in rules:
        for since, until in stays(rule, zone, start, end, options.stay):
            yield Span(since, until, options.means, detail=" ".join(text.split()), deepest=options.deepest)


def watched(options: Options) -> tuple[str, ...]:
    """What its zone's rules come from."""
    return zones.files_of({options.zone})
