"""The node: whatever fails, the machine comes back, somebody is told, and the daemon goes on or ends in order."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest

from keeper import Fake, Keeper, config, kept, run, until
from powernap.config.model import Stage
from powernap.core.events import Applied, Failure, Heard, LeaseTaken, NapAsked
from powernap.core.reading import Reading
from powernap.core.verdict import Lease
from powernap.daemon.facts import why
from powernap.daemon.lookout import Scope
from powernap.sleep.failure import SleepError


@kept()
async def test_it_naps_and_comes_back_when_it_hears(keeper: Keeper) -> None:
    """Quiet for long enough it applies; the first word of a monitor puts everything back, and the history has both."""
    await keeper.reach("napping")
    keeper.fakes["work"].tell(active=True, reason="somebody types", told=True)
    assert keeper.phase == "leaving"
    await keeper.reach("awake")

    assert ["apply ease", "restore"] == keeper.hands.did
    assert ["somebody types"] == [b["reason"] for b in keeper.said("activity")[0]["because"]]
    assert keeper.said("left")[0]["seconds"] >= 0


@kept(conf=config("work", mode="watch"))
async def test_watching_it_applies_nothing(keeper: Keeper) -> None:
    """In watch mode the ladder is climbed and nothing is applied."""
    await keeper.reach("napping")

    assert keeper.hands.did == []
    assert keeper.said("entered")[0]["watching"]


@pytest.mark.parametrize("mode", ["watch", "act"])
def test_what_has_no_event_ends_a_stage_in_either_mode(mode: str) -> None:
    """Watching it is looked at as when acting: else the history would tell of a long nap on a machine that works."""

    @kept(conf=config("work", mode=mode, settings={"restore_within": 0.1}))
    async def claim(keeper: Keeper) -> None:
        keeper.fakes["work"].events = False
        await keeper.reach("napping")
        keeper.fakes["work"].answer = lambda now: Reading("work", now, active=True)
        await keeper.reach("awake")
        assert keeper.said("left")

    claim()


# ------------------------------------------------------------ defects


@kept()
async def test_a_defect_in_the_step_puts_everything_back_and_ends(keeper: Keeper) -> None:
    """An exception where decisions are made: nothing more is decided, the daemon is told to end, and its end puts everything back."""
    await keeper.reach("napping")
    keeper.node.feed("no event at all")  # type: ignore[arg-type]

    assert keeper.gave_up.is_set()
    assert keeper.hands.stopped
    assert "putting everything back" in keeper.said("defect")[0]["detail"]
    assert any("Traceback" in line or "File" in line for line in keeper.words.lines)
    did = len(keeper.hands.did)
    keeper.fakes["work"].tell(active=True)
    await asyncio.sleep(0.1)
    assert did == len(keeper.hands.did)
    assert await keeper.node.stop()
    assert keeper.hands.did[-1] == "restore"
    assert keeper.hands.changed_now == set()


@kept()
async def test_a_defect_while_carrying_out_a_command_ends_too(keeper: Keeper) -> None:
    """Hands that raise where they must not: the same."""
    keeper.hands.ready = lambda: 1 / 0  # type: ignore[method-assign,assignment]
    await asyncio.wait_for(keeper.gave_up.wait(), 5)

    assert keeper.hands.changed_now == set()


@kept()
async def test_an_apply_that_raises_has_failed(keeper: Keeper) -> None:
    """The stage is entered, the failure is told, and the way back is as ever."""

    async def explode() -> None:
        raise KeyError("quiet")

    keeper.hands.applying = explode
    await keeper.reach("napping")

    assert "KeyError" in keeper.said("apply-failed")[0]["detail"]
    assert not keeper.gave_up.is_set()
    keeper.node.feed(Heard(keeper.host.clock.boottime(), reading_now(keeper)))
    await keeper.reach("awake")


@kept()
async def test_a_restore_that_raises_is_tried_again(keeper: Keeper) -> None:
    """It stays LEAVING until the restore holds."""
    failing = [OSError(5, "x")]

    async def explode() -> None:
        if failing:
            raise failing.pop()

    await keeper.reach("napping")
    keeper.hands.restoring = explode
    keeper.fakes["work"].tell(active=True)
    await until(lambda: keeper.said("restore-failed"))
    assert keeper.phase == "leaving"
    await keeper.reach("awake")
    assert ["restore", "restore"] == keeper.hands.did[-2:]


@kept()
async def test_an_ear_that_raises_wakes_the_machine_and_is_closed(keeper: Keeper) -> None:
    """What a failing source would have said is unknown: the machine comes back, the defect is told once, and nothing spins."""
    ours, theirs = socket.socketpair()
    calls = list[int]()

    def explode() -> None:
        calls.append(1)
        raise RuntimeError("a broken monitor")

    assert keeper.host.ears is not None
    keeper.host.ears.listen(ours.fileno(), explode)
    await keeper.reach("napping")
    theirs.send(b"x")
    await until(lambda: keeper.said("left"))
    await asyncio.sleep(0.02)
    ours.close()
    theirs.close()

    assert calls == [1]
    assert "a broken monitor" in keeper.said("defect")[0]["detail"]
    assert len(keeper.said("defect")) == 1


@kept()
async def test_a_live_view_that_fails_is_left_out(keeper: Keeper) -> None:
    """A view whose reader is gone stops neither the others nor the daemon."""
    seen = list[str]()

    def broken(_entry: dict[str, Any]) -> None:
        raise BrokenPipeError

    keeper.node.told[:] = [broken, lambda entry: seen.append(entry["event"])]
    await keeper.reach("napping")

    assert "entered" in seen
    assert len(keeper.node.told) == 1


# ------------------------------------------------------------ order


@kept()
async def test_a_monitor_that_tells_while_it_is_asked_does_not_confuse_the_node(keeper: Keeper) -> None:
    """It is asked on behalf of somebody, tells, and answers: taken one after the other, and the machine comes back."""
    await keeper.reach("napping")
    fake = keeper.fakes["work"]

    def check(now: float) -> Reading:
        fake.tell(active=True, reason="told inside", told=True)
        return Reading("work", now, active=True, reason="answered", told=True)

    fake.answer = check
    keeper.node.refresh(Scope.DEAF)
    assert keeper.phase == "leaving"
    await keeper.reach("awake")
    assert not keeper.gave_up.is_set()


@kept()
async def test_the_end_of_a_sleep_comes_before_what_is_heard_after_it(keeper: Keeper) -> None:
    """Whichever descriptor the kernel names first: `resumed` is taken first, and the machine stays up for `min_awake`."""
    await keeper.reach("napping")
    watch, before = keeper.node.resumes.watch, keeper.node.resumes.watch.before
    watch.asleep = lambda: before + 3600.0
    keeper.fakes["work"].tell(last=keeper.host.clock.boottime())
    kinds = [line.split('"')[3] for line in keeper.node.recorded][-2:]

    assert kinds == ["Resumed", "Heard"]
    assert "3600s" in keeper.said("resumed")[0]["detail"]
    await keeper.reach("awake")
    assert "min_awake" in {b.name for b in keeper.node.blockers()}


@kept(conf=config("work", after=3600.0))
async def test_a_timer_is_armed_anew_after_a_sleep(keeper: Keeper) -> None:
    """The loop's clock stood still meanwhile: also a deadline that did not change is waited for anew, or it would come late."""
    now = keeper.host.clock.boottime()
    keeper.node.feed(LeaseTaken(now, Lease("l", "alice", "a backup", now, now + 1800)))
    timer, handle, before = (
        keeper.node.state.timer,
        keeper.node.alarm.handle,
        keeper.node.resumes.watch.before,
    )
    keeper.node.resumes.watch.asleep = lambda: before + 100.0
    keeper.node.resumes.look()

    assert timer == keeper.node.state.timer
    assert handle is not keeper.node.alarm.handle


# ------------------------------------------------------------ the end


@kept()
async def test_stopping_while_a_stage_is_applied_leaves_nothing(keeper: Keeper) -> None:
    """Whatever still arrives while it ends applies nothing again."""
    gate = asyncio.Event()
    keeper.hands.applying = gate.wait
    await keeper.reach("entering")

    async def late() -> None:
        gate.set()
        keeper.node.feed(Applied(keeper.host.clock.boottime(), keeper.node.state.serial))
        keeper.node.feed(NapAsked(keeper.host.clock.boottime(), "root"))
        keeper.fakes["work"].tell(active=True)
        await asyncio.sleep(0.1)

    keeper.hands.restoring = late
    assert await keeper.node.stop()

    assert ["apply ease", "restore"] == keeper.hands.did
    assert keeper.phase == "entering"
    assert keeper.fakes["work"].closed


@kept()
async def test_an_action_that_hangs_does_not_hang_the_end(keeper: Keeper) -> None:
    """After its limit the end comes all the same, and says that something is left."""
    await keeper.reach("napping")
    keeper.hands.restoring = asyncio.Event().wait

    assert not await keeper.node.stop(0.05)
    assert "not done in 0.05s" in keeper.said("restore-failed")[0]["detail"]


@kept()
async def test_stopped_it_does_nothing_more(keeper: Keeper) -> None:
    """Reload, refresh and events after the end change nothing, and no task is left."""
    await keeper.node.stop()
    fed, did = len(list(keeper.node.recorded)), list(keeper.hands.did)
    keeper.node.reload(config("work"))
    keeper.node.refresh(Scope.ALL)
    keeper.node.feed(NapAsked(0.0, "root"))
    await asyncio.sleep(0.06)

    assert fed == len(list(keeper.node.recorded))
    assert did == keeper.hands.did
    assert not keeper.node.tasks
    assert len(asyncio.all_tasks()) == 1


def test_stopped_twice_before_it_began() -> None:
    """A daemon whose socket cannot be made ends in order."""

    async def work() -> None:
        keeper = Keeper()
        assert await keeper.node.stop()
        assert await keeper.node.stop()

    run(work())


# ------------------------------------------------------------ reload


@kept()
async def test_a_reload_in_a_nap_puts_back_and_begins_anew(keeper: Keeper) -> None:
    """The old stage is put back, old monitors are closed, new ones opened, and the new ladder is climbed."""
    await keeper.reach("napping")
    old = keeper.fakes["work"]
    keeper.fakes["other"] = Fake()
    keeper.node.reload(config("other", stages=(Stage("calm", 0.05, 0.0, ("quiet",)),)))
    assert old.closed
    await until(lambda: keeper.said("entered")[-1]["stage"] == "calm")

    assert ["apply ease", "configure", "restore", "apply calm"] == keeper.hands.did


@kept()
async def test_from_act_to_watch_in_a_nap_everything_is_put_back(keeper: Keeper) -> None:
    """And then nothing is applied any more."""
    await keeper.reach("napping")
    keeper.node.reload(config("work", mode="watch"))
    await until(lambda: len(keeper.said("entered")) == 2)

    assert ["apply ease", "configure", "restore"] == keeper.hands.did
    assert keeper.said("entered")[1]["watching"]


@kept()
async def test_a_reload_with_a_monitor_that_cannot_be_opened_stays_awake(keeper: Keeper) -> None:
    """It is named with what is wrong; the others work."""

    def opening() -> None:
        raise OSError(19, "No such device")

    keeper.fakes["missing"] = Fake().module(opening=opening)
    keeper.node.reload(config("work", "missing"))
    await asyncio.sleep(0.1)

    assert keeper.phase == "awake"
    [blocker] = keeper.node.blockers()
    assert ("missing", True) == (blocker.name, blocker.failed)
    assert "No such device" in blocker.reason


@kept(conf=config("work", after=3600.0))
async def test_a_reload_asks_the_old_monitors_first(keeper: Keeper) -> None:
    """What a deaf monitor or a counter knows and has not told is not lost with it: idle time is not shortened."""
    busy = keeper.host.clock.boottime()
    keeper.fakes["work"].answer = lambda now: Reading("work", now, last=busy + 0.0001)
    keeper.node.reload(config("work", after=3600.0))

    assert keeper.node.state.evidence.began >= busy


@kept()
async def test_a_monitor_that_becomes_one_without_events_is_planned_for(keeper: Keeper) -> None:
    """A monitor that was opened late, or lost its event source: from the next look on the core knows, and samples it in a nap."""
    keeper.fakes["work"].events = False
    await keeper.reach("napping")

    assert {"work"} == set(keeper.node.settings.eventless)
    assert {"work"} == set(keeper.node.state.settings.eventless)
    assert "looked at" in keeper.said("monitor-changed")[0]["detail"]
    assert keeper.node.state.timer is not None


# ------------------------------------------------------------ telling


@kept(conf=config("work", after=3600.0))
async def test_a_lease_that_ends_by_itself_is_told_once(keeper: Keeper) -> None:
    """Its time over, the history says so."""
    now = keeper.host.clock.boottime()
    keeper.node.feed(LeaseTaken(now, Lease("l", "alice", "a backup", now, now + 0.05)))
    await until(lambda: keeper.said("lease-ended"))

    assert [entry["detail"] for entry in keeper.said("lease-ended")] == ["alice: a backup"]


@kept()
async def test_a_monitor_that_fails_is_told_once(keeper: Keeper) -> None:
    """Once when it begins to fail, once when it answers again."""
    for failed in (True, True, False, False):
        keeper.fakes["work"].tell(failed=failed, reason="x")

    assert [1, 1] == [len(keeper.said("monitor-failed")), len(keeper.said("monitor-recovered"))]


@kept(conf=config("work", stages=(Stage("ease", 0.2, 0.1, ("quiet",)),), mode="watch"))
async def test_a_warning_is_said_and_taken_back(keeper: Keeper) -> None:
    """Users who were told of a stage are told when it does not come."""
    await keeper.reach("warning")
    keeper.fakes["work"].tell(last=keeper.host.clock.boottime())

    assert keeper.said("warned")[0]["stage"] == "ease"
    assert keeper.said("unwarned")[0]["stage"] == "ease"


@kept(conf=config("work", stages=(Stage("ease", 0.2, 0.1, ("quiet",)),)))
async def test_users_are_warned_before_something_is_done(keeper: Keeper) -> None:
    """The announced time is in words; here no terminal takes messages, and that is no error."""
    await keeper.reach("warning")
    keeper.fakes["work"].tell(last=keeper.host.clock.boottime())

    assert keeper.said("warned")[0]["detail"] == "100ms"
    assert keeper.said("unwarned")


SLEEPY = (Stage("ease", 0.03, 0.0, ("quiet",)), Stage("bed", 0.06, 0.0, ("lamp",), "suspend"))


@kept(conf=config("work", stages=SLEEPY))
async def test_going_to_sleep_puts_back_everything_but_the_stages_own_actions(keeper: Keeper) -> None:
    """And what woke the machine is told; then the rest is put back too."""
    keeper.night.woke = "the clock"
    await until(lambda: keeper.said("resumed"))
    await keeper.reach("awake")

    assert ["apply ease", "apply bed", "restore all but lamp", "restore"] == keeper.hands.did
    assert keeper.night.did[:4] == ["guard", "may it suspend?", "guard", "suspend"]
    assert keeper.night.did[-1] == "unguard"
    assert keeper.said("resumed")[0]["detail"] == "slept 0s, woken by the clock"


@kept(conf=config("work", mode="watch", stages=SLEEPY))
async def test_watching_it_sleeps_in_words_only(keeper: Keeper) -> None:
    """It stays up in the stage, and comes back as from any other."""
    await until(lambda: keeper.node.state.stage == 1)
    assert keeper.phase == "napping"
    assert keeper.said("sleep")[0]["watching"]
    keeper.fakes["work"].tell(active=True)
    await keeper.reach("awake")
    assert {*keeper.night.did} == {"may it suspend?", "unguard"}


@kept(conf=config("work", stages=SLEEPY))
async def test_a_refused_sleep_leaves_the_stage_above_in_force(keeper: Keeper) -> None:
    """`why` says what refuses it, and when it is tried again."""
    keeper.night.why_not = "nobody has proven a way to wake it"
    await until(lambda: keeper.said("sleep-refused"))

    assert (keeper.phase, keeper.hands.did) == ("napping", ["apply ease"])
    following = why(keeper.node)["next"]
    assert (following["stage"], following["refused"]) == ("bed", keeper.night.why_not)
    assert following["in_s"] > 1.0


@pytest.mark.parametrize("error", [SleepError("a device refused"), RuntimeError("a device refused")])
def test_a_sleep_that_fails_puts_everything_back_and_is_told(error: Exception) -> None:
    """Whatever it failed with."""

    @kept(conf=config("work", stages=SLEEPY))
    async def claim(keeper: Keeper) -> None:
        async def failing() -> None:
            raise error

        keeper.night.sleeping = failing
        await until(lambda: keeper.said("left"))
        assert "a device refused" in keeper.said("sleep-failed")[0]["detail"]
        assert keeper.hands.did[:4] == ["apply ease", "apply bed", "restore all but lamp", "restore"]

    claim()


@kept(conf=config("work", stages=SLEEPY))
async def test_who_comes_in_the_same_instant_as_the_sleep_is_not_lost(keeper: Keeper) -> None:
    """It is announced at once, and what is cancelled before its task begins stays cancelled."""
    begun: list[bool] = []
    entering = keeper.night.enter

    async def enter(*arguments: Any, **named: Any) -> None:
        begun.append(keeper.night.cancelled)
        await entering(*arguments, **named)

    keeper.night.enter = enter  # type: ignore[method-assign]
    feed = keeper.node.feed

    def with_a_key(event: Any) -> None:
        if isinstance(event, Applied) and keeper.node.state.target == 1:
            keeper.node.queue.append(event)
            event = Heard(event.at, Reading("work", event.at, active=True))
        feed(event)

    keeper.node.feed = with_a_key  # type: ignore[method-assign]
    await until(lambda: begun)
    assert begun == [True]


@kept(conf=config("work", stages=SLEEPY))
async def test_a_sleep_that_somebody_prevented_is_no_fault(keeper: Keeper) -> None:
    """However often somebody comes at that moment, it is not what the budget for failures is for."""

    async def failing() -> None:
        raise SleepError("somebody came", wanted=True)

    keeper.night.sleeping = failing
    await until(lambda: keeper.said("left"))
    assert not keeper.night.cancelled
    assert "somebody came" in keeper.said("sleep-failed")[0]["detail"]
    assert keeper.node.state.failures == {}


@kept(conf=config("work", stages=SLEEPY))
async def test_what_an_admin_asked_for_is_asked_as_such(keeper: Keeper) -> None:
    """Whether the machine may, and then to sleep; the ladder's own attempt before was not."""
    keeper.night.why_not = "film blocks automatic sleep"
    await until(lambda: keeper.said("sleep-refused"))
    keeper.night.why_not = ""
    keeper.node.feed(NapAsked(keeper.host.clock.boottime(), "alice", "bed"))
    await until(lambda: "suspend by hand" in keeper.night.did)
    questions = [did for did in keeper.night.did if did.startswith("may it")]
    assert questions == ["may it suspend?", "may it suspend by hand?"]


@kept(conf=config("work", stages=SLEEPY))
async def test_who_comes_while_it_falls_asleep_is_told_to_whatever_puts_it_to_sleep(keeper: Keeper) -> None:
    """There may still be time; and everything is put back at once."""
    asleep = asyncio.Event()
    keeper.night.sleeping = asleep.wait
    await keeper.reach("sleeping")
    await until(lambda: "suspend" in keeper.night.did)
    keeper.fakes["work"].tell(active=True)
    assert keeper.night.did[-1] == "cancel"
    await keeper.reach("awake")
    asleep.set()
    await until(lambda: keeper.said("resumed"))


@kept(conf=config("work", stages=SLEEPY))
async def test_a_sleep_that_failed_after_all_but_did_sleep_counts_as_slept(keeper: Keeper) -> None:
    """The clocks decide: what went wrong afterwards is no failure of the sleep."""

    async def slept() -> None:
        before = keeper.node.resumes.watch.before
        keeper.node.resumes.watch.asleep = lambda: before + 60.0
        raise SleepError("the alarm could not be cleared")

    keeper.night.sleeping = slept
    await until(lambda: keeper.said("resumed"))
    await keeper.reach("awake")
    assert not keeper.said("sleep-failed")


@kept(conf=config("work", stages=SLEEPY))
async def test_a_new_configuration_has_nights_of_its_own(keeper: Keeper) -> None:
    """The old connection and lock are given back."""
    await until(lambda: keeper.night.did)
    keeper.node.reload(config("work"))
    assert "close" in keeper.night.did


@kept()
async def test_what_somebody_else_changed_is_told(keeper: Keeper) -> None:
    """Each value that was left alone."""
    await keeper.reach("napping")
    keeper.hands.foreign = ("/proc/x: is 7 now",)
    keeper.fakes["work"].tell(active=True)
    await keeper.reach("awake")

    assert [entry["detail"] for entry in keeper.said("kept-foreign")] == ["/proc/x: is 7 now"]


@kept()
async def test_leftovers_are_put_back_as_soon_as_they_can_be(keeper: Keeper) -> None:
    """What an earlier life left and could not be put back at the start is tried again until it is."""
    keeper.node.reload(config("work", after=3600.0))
    keeper.node.leftovers((Failure("cpu-clock", "busy"),))
    await until(lambda: keeper.said("undone"))

    assert "cpu-clock" in keeper.said("restore-failed")[0]["detail"]


def test_the_history_and_the_state_directory_never_stop_it(tmp_path: Any) -> None:
    """With a state directory that vanished the daemon naps and comes back, and `status` tells the trouble."""

    async def work() -> None:
        keeper = Keeper()
        keeper.node.voice.history.path = os.fspath(tmp_path / "gone" / "history.jsonl")
        keeper.node.begin()
        await keeper.reach("napping")
        keeper.fakes["work"].tell(active=True)
        await keeper.reach("awake")
        assert "gone" in keeper.node.voice.history.trouble
        await keeper.end()

    run(work())


def reading_now(keeper: Keeper) -> Reading:
    return Reading("work", keeper.host.clock.boottime(), active=True, reason="x")
