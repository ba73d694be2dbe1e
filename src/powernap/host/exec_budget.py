"""How attentively to listen to events that the kernel cannot filter: one by one, in batches, or hardly at all.

Pure. Figures: an event read alone costs 75-140 us, in a batch 14-17 us (research/overhead.md section 5), so that 100 a second alone
are 1 % of a core, 1,000 a second in batches 1.7 %; beyond that only a look now and then keeps below 3 %.
"""

from __future__ import annotations

from powernap.core.value import dataclass

EACH, BATCH, PAUSED = "each", "batch", "paused"
BATCH_ABOVE, PAUSE_ABOVE = 100.0, 1000.0
"""Events a second above which to read in batches, and to stop."""
BATCH_TIME = 0.05
"""Seconds between two batches; a process that lives longer is always seen by name."""
PAUSE_TIME = 0.9
"""Seconds between two looks while paused: what lives a second is found."""
TRIAL_TIME = 0.02
"""Seconds of listening after each look, to learn whether the storm is over; 1.4 ms of CPU at 5,000 events a second."""


@dataclass(slots=True)
class Budget:
    """The mode, and what was counted since ``began``."""

    began: float
    mode: str = EACH
    count: int = 0

    def spend(self, events: int, now: float) -> str:
        """The mode to go on in, after ``events`` more."""
        self.count += events
        elapsed = now - self.began
        limit = PAUSE_ABOVE if self.mode == BATCH else BATCH_ABOVE
        if self.count > limit:  # within one second or less: the window below ends after a second
            return self.enter(PAUSED if self.count > PAUSE_ABOVE or self.mode == BATCH else BATCH, now)
        if elapsed >= 1:
            quiet = self.count / elapsed < BATCH_ABOVE / 2
            return self.enter(EACH if quiet else self.mode, now)
        return self.mode

    def listened(self, events: int, seconds: float, now: float) -> str:
        """The mode after a trial of ``seconds`` out of the pause."""
        rate = events / seconds
        if rate > PAUSE_ABOVE / 2:
            return self.enter(PAUSED, now)
        return self.enter(BATCH if rate > BATCH_ABOVE / 2 else EACH, now)

    def enter(self, mode: str, now: float) -> str:
        """Count anew in this mode."""
        self.began, self.mode, self.count = now, mode, 0
        return mode
