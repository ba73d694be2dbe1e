"""sleep/kernel.py: into a sleep state by the kernel's own door, without sleeping through a wake-up event."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

import fakesleep
from fakekernel import FakeKernel
from powernap.host.clock import SystemClock
from powernap.host.knobs import MachineKnobs
from powernap.host.ledger import Ledger
from powernap.host.ledger_file import LedgerFile
from powernap.host.systemctl import Outcome
from powernap.sleep import kernel as door
from powernap.sleep.failure import SleepError, stats


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    kernel = fakesleep.sleeper(tmp_path / "machine")
    fakesleep.wake_after(kernel, 60, "serio0")
    return kernel


def nobody() -> str:
    """The machine is idle."""
    return ""


def refused(kernel: FakeKernel, state: str = "suspend") -> SleepError:
    """What enter says of a machine that does not sleep."""
    with pytest.raises(SleepError) as caught:
        door.enter(kernel, state, nobody)
    assert 0 == stats(kernel).success
    return caught.value


@pytest.mark.parametrize(("state", "word"), [("suspend", "mem"), ("hibernate", "disk")])
def test_the_handshake_and_nothing_else_is_written(kernel: FakeKernel, state: str, word: str) -> None:
    """The number first, then the state; which suspend and which end of hibernation is left as it is."""
    before = kernel.snapshot()
    door.enter(kernel, state, nobody)
    assert [("/sys/power/wakeup_count", "41"), ("/sys/power/state", word)] == kernel.writes
    changed = {
        path for path in kernel.changes(before) if not path.startswith(("/sys/class/wakeup", "/sys/devices"))
    }
    assert {"/sys/power/wakeup_count", "/sys/power/suspend_stats/success"} >= changed


def test_the_last_look_comes_between_number_and_state(kernel: FakeKernel) -> None:
    """An event during the look would change the number: so it is read before, and written after."""
    seen: list[int] = []

    def look() -> str:
        seen.append(len(kernel.writes))
        return ""

    door.enter(kernel, "suspend", look)
    assert [0] == seen


def test_an_event_during_the_last_look_keeps_it_awake(kernel: FakeKernel) -> None:
    """The key that is pressed while we look is not slept through."""

    def look() -> str:
        fakesleep.event(kernel, "serio0")
        return ""

    with pytest.raises(SleepError, match="wake-up event came") as caught:
        door.enter(kernel, "suspend", look)
    assert caught.value.wanted
    assert "/sys/power/state" not in [path for path, _ in kernel.writes]


@pytest.mark.parametrize("state", ["suspend", "hibernate", "hybrid-sleep", "power-off"])
def test_activity_at_the_last_look_keeps_it_awake(kernel: FakeKernel, state: str) -> None:
    """And the reason names it; nothing was written that stays."""
    before = kernel.snapshot()
    with pytest.raises(SleepError, match="in use: ssh from 10.0.0.7") as caught:
        door.enter(kernel, state, lambda: "ssh from 10.0.0.7")
    assert caught.value.wanted
    assert {} == kernel.changes(before)


def test_a_last_look_that_fails_counts_as_activity(kernel: FakeKernel) -> None:
    """Awake when unsure."""

    def look() -> str:
        raise RuntimeError("no answer")

    with pytest.raises(SleepError, match="counts as activity") as caught:
        door.enter(kernel, "suspend", look)
    assert caught.value.wanted
    assert [] == kernel.writes


def test_a_device_that_refuses_is_named(kernel: FakeKernel) -> None:
    """With the step and the kernel's error."""
    fakesleep.refuse_sleep(kernel, "0000:00:14.0")
    error = refused(kernel)
    assert "the device 0000:00:14.0 failed (in the step suspend, Input/output error)" in error.reason
    assert not error.wanted


def test_an_event_that_aborts_the_sleep_is_no_fault_of_an_older_culprit(kernel: FakeKernel) -> None:
    """The statistics still name the device of a failure before: it is not blamed again."""
    kernel.put("/sys/power/suspend_stats/last_failed_dev", "0000:00:14.0")
    kernel.put("/sys/power/suspend_stats/last_failed_step", "suspend")
    fakesleep.wake_at_entry(kernel, "serio0")
    error = refused(kernel)
    assert "keyboard" in error.reason
    assert "0000:00:14.0" not in error.reason
    assert error.wanted


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/sys/power/state", errno.EBUSY, "another sleep was under way"),
        ("/sys/power/state", errno.EIO, "could not suspend: Input/output error"),
        ("/sys/power/wakeup_count", errno.EBUSY, "autosleep"),
        ("/sys/power/wakeup_count", errno.EACCES, "Permission denied"),
    ],
)
def test_what_the_kernel_refuses(kernel: FakeKernel, path: str, code: int, said: str) -> None:
    """In words, without a traceback."""
    kernel.fail(path, code)
    assert said in str(refused(kernel))


def test_no_handshake_no_sleep(kernel: FakeKernel) -> None:
    """A kernel that does not count its events could sleep through one."""
    kernel.delete("/sys/power/wakeup_count")
    assert "could be slept through" in refused(kernel).reason


def test_a_state_that_is_not_offered(kernel: FakeKernel) -> None:
    """The reason and the remedy of states.py."""
    kernel.put("/sys/power/resume", "0:0")
    error = refused(kernel, "hibernate")
    assert "no resume device" in error.reason
    assert "resume=" in error.remedy


@pytest.mark.parametrize("state", ["suspend-then-hibernate", "siesta"])
def test_what_only_the_login_manager_can(kernel: FakeKernel, state: str) -> None:
    """It is said, and nothing else is done in its place."""
    assert "logind" in refused(kernel, state).remedy
    assert [] == kernel.writes


@pytest.mark.parametrize(
    "mode", ["[platform] shutdown suspend", "platform [shutdown] suspend", "platform shutdown [suspend]"]
)
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("journalled", [False, True])
def test_hybrid_puts_the_mode_back(
    kernel: FakeKernel, tmp_path: Path, mode: str, *, fails: bool, journalled: bool
) -> None:
    """Exactly, also when the sleep fails, with a ledger and without."""
    kernel.put("/sys/power/disk", mode)
    paper = LedgerFile(str(tmp_path / "ledger"))
    ledger = Ledger(paper, MachineKnobs(kernel), SystemClock(), "boot") if journalled else None
    seen: list[str] = []

    def look() -> str:
        seen.append(kernel.get("/sys/power/disk"))
        return "somebody" if fails else ""

    try:
        door.enter(kernel, "hybrid-sleep", look, ledger=ledger)
    except SleepError:
        assert fails
    paper.close()
    assert ["platform shutdown [suspend]"] == seen
    assert mode == kernel.get("/sys/power/disk")


def test_hybrid_leaves_a_choice_made_meanwhile(kernel: FakeKernel) -> None:
    """Somebody else's value is kept."""

    def look() -> str:
        kernel.write("/sys/power/disk", "shutdown")
        return "somebody"

    with pytest.raises(SleepError):
        door.enter(kernel, "hybrid-sleep", look)
    assert "[shutdown]" in kernel.get("/sys/power/disk")


def test_power_off_asks_systemd(kernel: FakeKernel) -> None:
    """Its units end in order."""
    kernel.add("/run/systemd/system/x")
    asked: list[list[str]] = []

    def start(command: list[str], _limit: float) -> Outcome:
        asked.append(command)
        return Outcome(0, "")

    door.enter(kernel, "power-off", nobody, start=start)
    assert [["systemctl", "--no-ask-password", "poweroff"]] == asked


def test_power_off_by_another_init(kernel: FakeKernel) -> None:
    """Its own program; what that says is passed on."""
    kernel.add("/sbin/poweroff")
    with pytest.raises(SleepError, match="/sbin/poweroff ended with 1: not now"):
        door.enter(kernel, "power-off", nobody, start=lambda *_: Outcome(1, "hm\nnot now"))


def test_power_off_without_anybody_to_do_it_in_order(kernel: FakeKernel) -> None:
    """Never by reboot(2): every program would end in the middle of a write."""
    with pytest.raises(SleepError, match="nobody is there to shut this machine down in order"):
        door.enter(kernel, "power-off", nobody)


def test_a_shutdown_program_that_hangs(kernel: FakeKernel) -> None:
    """It is killed by its time limit, and the machine counts as awake."""
    kernel.add("/run/systemd/system/x")

    def start(_command: list[str], _limit: float) -> Outcome:
        raise TimeoutError(errno.ETIMEDOUT, "it did not end within 90 s and was killed")

    with pytest.raises(SleepError, match="cannot be run: it did not end"):
        door.enter(kernel, "power-off", nobody, start=start)
