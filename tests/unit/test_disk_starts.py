"""host/disk_starts.py: starts within a day, told by the drive's counter, and never guessed."""

from __future__ import annotations

import json
import os
import stat
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakedrives import set_drive
from fakekernel import FakeKernel
from fakestorage import add_disk
from machines import Clock
from plans import probe
from powernap.actions import disk_spindown, find
from powernap.host import disks
from powernap.host.disk_starts import (
    DAY,
    HOUR,
    NAME,
    STALE,
    Lately,
    Looks,
    lately,
    load,
    of_last_day,
    parse,
    remember,
)
from powernap.host.host import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A machine with a disk for data, and a daemon with a directory."""
    kernel = FakeKernel(tmp_path / "machine")
    add_disk(kernel, "sdb")
    return Host(files=kernel, clock=Clock(1e9), live=False, state=str(tmp_path / "state"))


def test_before_a_day_is_known_nothing_is_said() -> None:
    """After it, the starts since the latest look that is a day old, which may be a little more than a day ago."""
    looks = ((0.0, 100), (HOUR, 101), (2 * HOUR, 105))
    assert lately(looks, DAY - 1, 110) is None
    assert Lately(10, 1.0) == lately(looks, DAY, 110)
    assert Lately(9, 1.0) == lately(looks, DAY + HOUR, 110)
    assert Lately(5, (DAY + HOUR) / DAY) == lately(looks, DAY + 3 * HOUR, 110)


def test_one_look_an_hour_is_remembered_for_two_days() -> None:
    """Older ones say nothing of the last day."""
    looks = remember((), 0.0, 100)
    assert looks == remember(looks, HOUR - 1, 101)
    looks = remember(looks, HOUR, 101)
    assert ((0.0, 100), (HOUR, 101)) == looks
    assert ((HOUR, 101), (STALE + HOUR, 120)) == remember(looks, STALE + HOUR, 120)


@pytest.mark.parametrize(("now", "starts"), [(DAY, 99), (-1.0, 100)])
def test_a_counter_that_fell_or_a_clock_that_went_back_begins_anew(now: float, starts: int) -> None:
    """Another disk in the same place, or no time that could be counted with."""
    assert ((now, starts),) == remember(((0.0, 100),), now, starts)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e5), st.integers(0, 50)), max_size=60))
def test_however_it_is_asked_the_memory_stays_small_and_in_order(steps: list[tuple[float, int]]) -> None:
    """An hour apart, two days at most, and never more starts than there were."""
    now, starts = 1e9, 0
    looks: Looks = ()
    for seconds, more in steps:
        now, starts = now + seconds, starts + more
        looks = remember(looks, now, starts)
        found = lately(looks, now, starts)
        assert found is None or (0 <= found.starts <= starts and 1 <= found.days <= 2)
    assert len(looks) <= STALE / HOUR + 1
    assert all(later[0] - one[0] >= HOUR - 1 and later[1] >= one[1] for one, later in pairwise(looks))


def test_the_daemon_remembers_in_its_directory(host: Host) -> None:
    """Looks of today are there tomorrow; the file is root's alone, since serial numbers stand in it."""
    disk = disks.look(host.files, "sdb")
    assert disk.identity
    assert of_last_day(host)(disk, 100) is None
    assert isinstance(host.clock, Clock)
    host.clock.now += DAY
    assert Lately(12, 1.0) == of_last_day(host)(disk, 112)
    path = f"{host.state}/{NAME}"
    assert {disk.identity: ((1e9, 100), (1e9 + DAY, 112))} == load(path)
    assert 0o600 == stat.S_IMODE(os.stat(path).st_mode)


def test_without_a_directory_or_an_identity_nothing_is_known(host: Host) -> None:
    """Nor where nothing can be written: that is no error."""
    disk = disks.look(host.files, "sdb")
    assert of_last_day(Host(files=host.files))(disk, 1) is None
    assert of_last_day(host)(disks.Disk("sdx", "/x"), 1) is None
    Path(host.state).write_text("a file in its place")
    assert of_last_day(host)(disk, 1) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1}', '{"version": 1, "disks": {"a": [1]}}', '{"version": 1, "disks": {"a": [["x", 1]]}}', "1e400"])  # fmt: skip
def test_a_broken_memory_is_none(tmp_path: Path, content: str) -> None:
    """A power cut, or a stranger's file."""
    path = tmp_path / NAME
    path.write_text(content)
    assert {} == load(str(path))


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda deeper: st.lists(deeper) | st.dictionaries(st.text(), deeper)))  # fmt: skip
def test_whatever_the_file_holds_is_read_or_refused(content: object) -> None:
    """Never another error."""
    for document in (content, {"version": 1, "disks": content}, {"version": 2, "disks": content}):
        try:
            parse(json.dumps(document))
        except ValueError:
            continue


def test_a_disk_over_the_days_budget_stays_up_and_says_so(host: Host) -> None:
    """disk-spindown, from one day to the next: on average over its life it was started seldom, and ten times since yesterday."""
    assert isinstance(host.files, FakeKernel)
    kernel, options = host.files, disk_spindown.Options(disks=("sdb",))
    set_drive(kernel, "sdb", starts=120, hours=20000)
    module = find("disk-spindown")
    assert module.probe(host, options)
    assert isinstance(host.clock, Clock)
    host.clock.now += DAY + HOUR
    set_drive(kernel, "sdb", starts=130)
    assert module.probe(host, options)
    set_drive(kernel, "sdb", starts=131)
    answer = module.probe(host, options)
    assert (
        "sdb stays up: over its budget: started 11 times in the last 25 hours, and 10 are allowed"
        in answer.detail
    )
    assert 'despite = ["cycles"] passes over this' == answer.remedy
    assert probe(kernel, "disk-spindown", disks=("sdb",))


def test_actions_that_ask_at_the_same_moment_remember_all_disks(host: Host) -> None:
    """An action whose thread takes too long is overtaken by the next one."""
    assert isinstance(host.files, FakeKernel)
    names = [f"sd{letter}" for letter in "cdefghijklmn"]
    for name in names:
        add_disk(host.files, name)
    found = [disk for disk in disks.disks(host.files) if disk.name in names]
    told, together = of_last_day(host), threading.Barrier(len(found))

    def ask(disk: disks.Disk) -> None:
        together.wait()
        told(disk, 100)

    threads = [threading.Thread(target=ask, args=(disk,)) for disk in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {*load(os.path.join(host.state, NAME))} == {disk.identity for disk in found}
    assert len(found) == len(names)
