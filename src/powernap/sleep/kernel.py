"""Going to sleep through the kernel itself: for machines without a login manager.

Owns the handshake that no wake-up event slips through (kernel/power/main.c, above ``wakeup_count_show``; Documentation/power/suspend-and-
interrupts.rst): read the number of wake-up events, look a last time whether anybody uses the machine, give the number back, go. When
an event came in between, the kernel refuses the number; when one comes after, it ends the sleep that has begun.

Which kind of suspend ``mem`` is (``mem_sleep``) and how a hibernation ends (``disk``) is the admin's choice and stays as it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from powernap.host.knobs import Change
from powernap.host.ledger import ApplyError, Ledger
from powernap.host.systemctl import Outcome, run
from powernap.sleep import wake_sources
from powernap.sleep.failure import SleepError, culprit, stats
from powernap.sleep.states import HIBERNATE, HYBRID, OFF, POWER, SUSPEND, offered, words

if TYPE_CHECKING:
    from powernap.host.files import Files

WORDS = {SUSPEND: "mem", HIBERNATE: "disk", HYBRID: "disk"}
"""What each state is called in /sys/power/state."""
PROGRAMS = ("/usr/sbin/poweroff", "/sbin/poweroff", "/usr/bin/poweroff", "/bin/poweroff")
OFF_LIMIT = 90.0
"""Seconds until the init system has taken the request; carrying it out is not waited for."""
LATER = "it is tried again when the machine is idle"
Run = Callable[[list[str], float], Outcome]


def enter(
    files: Files, state: str, in_use: Callable[[], str], *, ledger: Ledger | None = None, start: Run = run
) -> None:
    """Sleep, and return when the machine is awake again (``power-off``: as soon as it is under way).

    It blocks from its first line: reading the number waits while a wake-up event is being processed. So it is called in a thread.

    :param in_use: the last look; answers with who uses the machine, empty when nobody does. An error of it counts as use.
    :param ledger: where a changed ``/sys/power/disk`` is written down before; without one it is put back when this returns, but not
        by anybody else after a SIGKILL.
    :raises SleepError: the machine did not sleep.
    """
    answer = offered(files).get(state)
    if answer is None or (state not in WORDS and state != OFF):
        raise SleepError(
            f"the kernel alone has no {state}", 'set [sleep] through = "logind", or choose another state'
        )
    if not answer:
        raise SleepError(f"{state} is not possible: {answer.detail}", answer.remedy)
    if state == OFF:
        _refuse_if(in_use)
        power_off(files, start)
        return
    with _hybrid(files, ledger) if state == HYBRID else contextlib.nullcontext():
        _sleep(files, state, in_use)


def _sleep(files: Files, state: str, in_use: Callable[[], str]) -> None:
    number = _number(files)
    _refuse_if(in_use)
    try:
        files.write(f"{POWER}/wakeup_count", number)
    except OSError as error:
        raise _unaccepted(error) from error
    before, sources = stats(files), wake_sources.read(files)
    try:
        files.write(f"{POWER}/state", WORDS[state])
    except OSError as error:
        events = wake_sources.stirred(sources, wake_sources.read(files))
        waker = ", ".join(wake_sources.described(files, event).words for event in events)
        raise _failed(state, error, waker, culprit(before, stats(files))) from error


def _number(files: Files) -> str:
    """How many wake-up events there were. The read waits for those in progress, and a signal ends the waiting (EINTR)."""
    try:
        return files.read(f"{POWER}/wakeup_count").strip()
    except OSError as error:
        raise SleepError(
            f"the kernel does not tell its wake-up events ({error.strerror}), so one could be slept through",
            LATER,
        ) from error


def _refuse_if(in_use: Callable[[], str]) -> None:
    try:
        who = in_use()
    except Exception as error:
        raise SleepError(
            f"the last look for activity failed ({error}), which counts as activity", LATER, wanted=True
        ) from error
    if who:
        raise SleepError(f"it is in use: {who}", LATER, wanted=True)


def _unaccepted(error: OSError) -> SleepError:
    if error.errno == errno.EINVAL:
        return SleepError("a wake-up event came while it was about to sleep", LATER, wanted=True)
    if error.errno == errno.EBUSY:
        return SleepError(
            "the kernel sleeps by itself on this machine (/sys/power/autosleep)",
            "echo off > /sys/power/autosleep",
        )
    return SleepError(f"the kernel did not take the number of wake-up events back: {error.strerror}", LATER)


def _failed(state: str, error: OSError, waker: str, who: str) -> SleepError:
    """The errno is the same for a wake-up event and for a driver's refusal, and the former leaves the name of an older culprit in the
    statistics (kernel/power/main.c, dpm_save_errno): so the events are asked first.
    """
    said = f"the kernel could not {state}: {error.strerror}"
    if waker:
        return SleepError(f"{said}: woken by {waker}", LATER, wanted=True)
    if who:
        return SleepError(f"{said}: {who}", "look at `journalctl -k`; it stays awake")
    if error.errno in {errno.EBUSY, errno.EINTR, errno.EAGAIN}:
        return SleepError(f"{said}: a wake-up event came, or another sleep was under way", LATER, wanted=True)
    return SleepError(said, "look at `journalctl -k`; it stays awake")


# --- hybrid sleep: an image first, then memory


@contextlib.contextmanager
def _hybrid(files: Files, ledger: Ledger | None) -> Iterator[None]:
    """``suspend`` in /sys/power/disk while it lasts; afterwards what was there, exactly."""
    change = Change(f"{POWER}/disk", "suspend", form="choice")
    if ledger is not None:
        try:
            ledger.perform(HYBRID, HYBRID, [change])
        except ApplyError as error:
            raise SleepError(f"hybrid sleep cannot be chosen: {error}", LATER) from error
        try:
            yield
        finally:
            ledger.restore(HYBRID)
        return
    before = words(files.read(change.target)).chosen
    try:
        files.write(change.target, "suspend")
    except OSError as error:
        raise SleepError(
            f"hybrid sleep cannot be chosen: {change.target}: {error.strerror}", LATER
        ) from error
    try:
        yield
    finally:
        # somebody else's choice, made meanwhile, is left alone
        if words(files.read(change.target)).chosen == "suspend" != before:
            files.write(change.target, before)


# --- power-off


def power_off(files: Files, start: Run = run) -> None:
    """Ask whoever started the machine's services to end them and switch it off.

    Never reboot(2) by ourselves: it would end every program in the middle of what it writes. Without an init system that can be asked the
    machine stays up.
    """
    command = shutdown_command(files)
    if not command:
        raise SleepError(
            "nobody is there to shut this machine down in order: no systemd, and no poweroff program",
            "install the init system's poweroff, or use suspend",
        )
    try:
        outcome = start(command, OFF_LIMIT)
    except OSError as error:
        raise SleepError(
            f"{command[0]} cannot be run: {error.strerror or os.strerror(error.errno or 0)}", LATER
        ) from error
    if outcome.code != 0:
        said = (outcome.output.splitlines() or ["and said nothing"])[-1]
        raise SleepError(f"{command[0]} ended with {outcome.code}: {said}", LATER)


def shutdown_command(files: Files) -> list[str]:
    """By systemd where it runs (sd_booted(3)), else the init system's own program; empty when there is neither."""
    if files.exists("/run/systemd/system"):
        return ["systemctl", "--no-ask-password", "poweroff"]
    return next(([program] for program in PROGRAMS if files.exists(program)), [])
