"""The reader of calendars: a short-lived process without privileges, ``python -m powernap.ical``.

The root daemon holds no library and takes no strangers' bytes apart (docs/security.md). So a calendar is fetched, parsed and its recurrences
are worked out here, by the libraries ``icalendar`` and ``recurring-ical-events``, as nobody, within limits, and what goes back is one line
of JSON for each event. Nothing of PowerNap imports this package; it imports nothing of the daemon.

How it is spoken to: one line of JSON on standard input, after it the bytes of the calendar unless an address is given. It answers on standard output
with one line of JSON, the events in order of their starts, one a line, and then the calendar's bytes as they were read. It always
answers and ends with 0; whoever sees something else knows that it was killed.
"""
