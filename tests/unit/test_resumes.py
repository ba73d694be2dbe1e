"""daemon/resumes.py: every end of a sleep is told once, by the clocks or by the kernel's count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keeper import run, until
from loop_ears import LoopEars
from powernap.daemon import resumes
from powernap.daemon.resumes import Resumes
from powernap.host.files import TreeFiles
from powernap.host.host import Host


class Bench:
    """A machine that has slept twice, as its kernel counts. Make it in a running loop."""

    def __init__(self, root: Path) -> None:
        self.stats = root / "sys/power/suspend_stats"
        self.stats.mkdir(parents=True)
        self.counted(2)
        self.told: list[float] = []
        self.resumes = Resumes(Host(TreeFiles(str(root)), ears=LoopEars()), self.told.append)

    def counted(self, sleeps: int) -> None:
        """What the kernel's count says from now on."""
        (self.stats / "success").write_text(f"{sleeps}\n")

    def slept(self, seconds: float) -> None:
        """What the clocks say from now on."""
        before = self.resumes.watch.before
        self.resumes.watch.asleep = lambda: before + seconds


@pytest.fixture
def bench(tmp_path: Path) -> Callable[[Callable[[Bench], None]], None]:
    """Runs a claim in a loop."""

    def claimed(claim: Callable[[Bench], None]) -> None:
        async def work() -> None:
            made = Bench(tmp_path)
            try:
                claim(made)
            finally:
                made.resumes.close()

        run(work())

    return claimed


def test_what_the_clocks_told_the_count_does_not_tell_again(
    bench: Callable[[Callable[[Bench], None]], None],
) -> None:
    """Whichever looks first."""

    def claim(bench: Bench) -> None:
        bench.counted(3)
        bench.slept(60.0)
        bench.resumes.look()
        bench.resumes.look()
        bench.resumes.count()
        assert pytest.approx([60.0]) == bench.told

    bench(claim)


def test_who_counts_first_hears_of_the_clocks_too(bench: Callable[[Callable[[Bench], None]], None]) -> None:
    """The login manager may tell of a sleep's end before the clocks do: it is one end, as long as they say."""

    def claim(bench: Bench) -> None:
        bench.counted(3)
        bench.slept(60.0)
        bench.resumes.count()
        bench.resumes.look()
        assert pytest.approx([60.0]) == bench.told

    bench(claim)


def test_a_sleep_too_short_for_the_clocks_is_told_by_the_count(
    bench: Callable[[Callable[[Bench], None]], None],
) -> None:
    """Once; an older count says nothing."""

    def claim(bench: Bench) -> None:
        bench.resumes.count()
        assert [] == bench.told
        bench.counted(3)
        bench.resumes.look()
        bench.resumes.count()
        bench.resumes.count()
        assert [0.0] == bench.told

    bench(claim)


def test_at_the_end_the_count_says_nothing_more(bench: Callable[[Callable[[Bench], None]], None]) -> None:
    """Nor do the clocks once it is closed."""

    def claim(bench: Bench) -> None:
        bench.counted(3)
        bench.resumes.counting = False
        bench.resumes.count()
        bench.resumes.close()
        bench.slept(60.0)
        bench.resumes.look()
        assert [] == bench.told

    bench(claim)


def test_when_the_clocks_are_unsure_the_count_is_asked_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel raises it only after all tasks run again."""
    monkeypatch.setattr(resumes, "COUNTED", 0.01)

    async def work() -> None:
        bench = Bench(tmp_path)
        bench.resumes.watch.unsure()
        bench.counted(3)
        assert [] == bench.told
        await until(lambda: bench.told)
        assert [0.0] == bench.told
        bench.resumes.close()

    run(work())
