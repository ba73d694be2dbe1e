"""Whether the machine's use is metered, and by what, as configurations come and go.

Owns when a meter is looked for and given up, and how its entries get into the history. What is read and when is in consumption.py, which is
loaded only where there may be a meter.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from powernap.core.state import FREE, Phase, State
from powernap.daemon.voice import Voice
from powernap.host.host import Host

if TYPE_CHECKING:
    from powernap.config.model import Config
    from powernap.daemon.consumption import Consumption

PLACES = ("/sys/class/powercap", "/sys/class/hwmon", "/sys/class/power_supply")
"""Where the kernel keeps what a meter of this machine could be; without any of them nothing is loaded."""


class Metering:
    """The meter of one daemon, if it has one.

    :param state: the core's, as it is now.
    :ivar consumption: ``None`` where there is no meter, or it is not found yet.
    """

    def __init__(self, host: Host, voice: Voice, config: Config, state: Callable[[], State]) -> None:
        self.host, self.voice, self.meters, self.state = host, voice, config.meters, state
        self._latest = 0
        self.consumption: Consumption | None = None

    @property
    def words(self) -> str:
        """Which meter, in words; empty without."""
        return self.consumption.words if self.consumption else ""

    def follow(self, config: Config) -> Coroutine[Any, Any, None]:
        """From now on this configuration counts, even before the work that is returned is done."""
        self.meters = config.meters
        self._latest += 1
        return self._begin(config, self._latest)

    async def _begin(self, config: Config, serial: int) -> None:
        """From now on the history has what the machine uses, if it has a meter and somewhere to write."""
        old, self.consumption = self.consumption, None
        if old:
            await old.close()
        places = (self.host.files.names(place) for place in PLACES)
        if not self.voice.history.path or not (config.meters or any(places)):
            return
        from powernap.daemon.consumption import begin  # noqa: PLC0415 - only where there may be a meter

        found = await begin(self.host, config.meters.values(), self._used)
        if found and serial != self._latest:
            await found.close()
            return
        self.consumption, state = found, self.state()
        if found and state.stage >= 0:
            found.told("entered", state.settings.stages[state.stage].name, acting=self.voice.acting)

    def _used(self, entry: dict[str, Any]) -> None:
        self.voice.history.note(entry)
        if self.state().phase in FREE:
            self.voice.history.flush()

    def told(self, what: str, stage: str) -> None:
        """An entry of the history: another state may begin."""
        if self.consumption:
            self.consumption.told(what, stage, acting=self.voice.acting)

    def mind(self, now: float) -> None:
        """Something woke the daemon. While everything is put back nothing else is done."""
        if self.consumption and self.state().phase is not Phase.LEAVING:
            self.consumption.mind(now)

    async def close(self) -> None:
        """The end."""
        if self.consumption:
            await self.consumption.close()
