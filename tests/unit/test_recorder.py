"""The flight recorder keeps the latest events, bounded by size."""

from __future__ import annotations

from powernap.core.events import Due, Heard
from powernap.core.reading import Reading
from powernap.core.record import event, line
from powernap.daemon.recorder import Recorder


def test_it_forgets_the_oldest_when_it_is_full() -> None:
    """Ten thousand big readings need no more room than was given, and the latest is there."""
    recorder = Recorder(room=10_000)
    for n in range(10_000):
        recorder.add(Heard(n, Reading("m", n, reason="x" * 400)))

    assert sum(map(len, recorder)) <= 10_000
    assert event(list(recorder)[-1]) == Heard(9999, Reading("m", 9999, reason="x" * 400))


def test_an_event_larger_than_the_room_is_not_kept() -> None:
    """It empties the recorder and no more."""
    recorder = Recorder(room=10)
    recorder.add(Heard(1.0, Reading("m", 1.0)))

    assert list(recorder) == []
    assert recorder.size == 0


def test_what_it_keeps_can_be_read_again() -> None:
    """Lines as `core.record` reads them."""
    recorder = Recorder()
    recorder.add(Due(2.0))

    assert [line(Due(2.0))] == list(recorder)
