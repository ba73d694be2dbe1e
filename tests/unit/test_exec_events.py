"""Claims about who hears of which start, on a host where nothing is told by the kernel."""

from __future__ import annotations

from powernap.host.availability import unavailable
from powernap.host.exec_events import Starts, exec_events, open_source, shared
from powernap.host.host import Host


def test_recorded_machine_has_no_events():
    """A recorded machine is scanned, and says so."""
    events = exec_events(Host(live=False))
    watch = events.watch(b"rsync", lambda _pid: None)
    assert (events.events, watch.latest()) == (False, Starts(None, 0))
    assert events.source.startswith("scan of /proc")
    watch.close()


def test_one_instance_for_all():
    """All monitors of a host share one instance, which ends with its last watch."""
    host = Host(live=False)
    events = exec_events(host)
    watches = [events.watch(b"a", print), exec_events(host).watch(b"b", print)]
    assert exec_events(host) is events
    for watch in [*watches, *watches]:
        watch.close()
    assert id(host) not in shared


def test_only_armed_watches_hear():
    """A start is told to those who wait for this name, once an arming."""
    events, heard = exec_events(Host(live=False)), []
    first = events.watch(b"a", lambda pid: heard.append(("first", pid)))
    second = events.watch(b"a", lambda pid: heard.append(("second", pid)))
    other = events.watch(b"b", lambda pid: heard.append(("other", pid)))
    for watch in (first, other):
        watch.arm()
    events.told(b"a", 1)
    events.told(b"a", 2)
    first.arm()
    second.arm()
    events.told(b"a", 3)
    assert heard == [("first", 1), ("first", 3), ("second", 3)]
    for watch in (first, second, other):
        watch.close()


def test_name_is_cut_as_the_kernel_does():
    """The kernel knows fifteen bytes of a name."""
    watch = exec_events(Host(live=False)).watch(b"a-very-long-program-name", print)
    assert watch.name == b"a-very-long-pro"
    watch.close()


def test_scan_says_what_was_refused():
    """The last resort names what did not work before it."""
    source = open_source(
        "scan", Host(live=False), lambda _name, _pid: None, [unavailable("BPF map: not permitted")]
    )
    assert source.text == "scan of /proc at each look (BPF map: not permitted)"
    source.close()
