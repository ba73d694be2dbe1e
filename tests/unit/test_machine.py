"""The machine's conversations: given a ladder and what was known, when something happens, then this is asked of the world."""

from __future__ import annotations

import dataclasses

import pytest

from playbook import DEEP, EASE, OFF, SUSPEND, ladder, napping, play
from powernap.core.commands import Sleep, Tell
from powernap.core.events import Failure, Restored
from powernap.core.ladder import MonitorRule, Rule, Settings, Stage
from powernap.core.plan import NOTHING, OFF_STAGE, Off, Plan, Window
from powernap.core.state import TABLE, Phase, Trigger

QUICK = Stage("quick", 10.0, ("clock",))
WARNED = Stage("warned", 60.0, ("park",), warn=20.0)
SLEEPY = Stage("sleepy", 60.0, ("disk",), sleep="suspend")
SLEEPY2 = dataclasses.replace(SLEEPY, after=100.0)
COUNTER = MonitorRule(events=False)
UNWARNED = dataclasses.replace(OFF, warn=0.0)
GOES = (f"apply {OFF_STAGE}:", "sleep power-off")
NAMES = {"lease": "backup", "window": "office"}


# ---------------------------------------------------------------- down the ladder


def test_nothing_is_known_at_the_start_so_everything_is_looked_at():
    """Awake when unsure: until every monitor has answered, nothing is waited for but the look."""
    play(ladder(EASE)).expects("look").is_in(Phase.CHECKING, -1)


def test_an_idle_machine_enters_its_stage_after_a_look_that_finds_nobody():
    """One look when the stage is due, and the stage on its answer."""
    play(ladder(EASE)).quiet(until=59.9).does("0 look").quiet(until=3600).does(
        "60 look", "60 apply ease: clock park"
    )


def test_the_whole_ladder_is_climbed_down_rung_by_rung():
    """Each stage has its own look, and the warning lies inside ``after``."""
    play(ladder(EASE, DEEP, SUSPEND)).quiet(until=7200).does(
        "0 look",
        "60 look",
        "60 apply ease: clock park",
        "300 look",
        "300 apply deep: disk",
        "1770 look",
        "1770 warn suspend at 1800",
        "1800 look",
        "1800 apply suspend:",
        "1800 sleep suspend",
    )


def test_the_deepest_stage_waits_for_nothing():
    """Zero timers in the last stage while events tell of activity."""
    napping(ladder(EASE)).waits_until(None)


def test_a_machine_without_a_ladder_looks_once_and_waits_for_nothing():
    """The installed monitors still answer ``why``."""
    play(ladder()).quiet(until=3600).does("0 look").waits_until(None)


def test_a_look_that_began_too_early_is_repeated():
    """A pulse that a look brings to light moves the stage, and the stage has a look of its own."""
    (
        play(ladder(EASE)).quiet(until=59).forget().at(60).due().expects("look")
        .hears("ssh", last=50.0).looked().expects().waits_until(110)
        .quiet(until=110).does("110 look", "110 apply ease: clock park")
    )  # fmt: skip


def test_a_hold_whose_end_is_told_costs_nothing():
    """Zero timers and zero looks while it stands."""
    busy = play(ladder(EASE)).hears("ssh", active=True, told=True).looked().forget()
    busy.waits_until(None).at(5000).hears("ssh", last=4990.0).expects().waits_until(5050)


def test_a_hold_whose_end_nothing_tells_is_looked_at_once_a_window():
    """And idle time begins at the look that found it gone: nobody knows better."""
    busy = (
        play(ladder(EASE))
        .answering("ssh", active=True)
        .quiet(until=150)
        .does("0 look", "60 look", "120 look")
    )
    busy.answering("ssh").quiet(until=400).does("180 look", "240 look", "240 apply ease: clock park")


def test_a_ladder_shorter_than_a_second_does_not_become_a_poll():
    """The window of a look is a second at least."""
    play(ladder(Stage("now", 0.1))).answering("ssh", active=True).quiet(until=3.5).does(
        "0 look", "1 look", "2 look", "3 look"
    )


def test_a_stale_look_means_nothing():
    """Neither one with an old number, nor one that nobody waits for."""
    play(ladder(EASE)).forget().looked(serial=99).expects().is_in(Phase.CHECKING)
    play(ladder(EASE)).quiet(until=10).forget().looked().expects().is_in(Phase.AWAKE)


def test_a_timer_that_comes_early_is_asked_for_again():
    """And nothing else happens."""
    play(ladder(EASE)).quiet(until=10).forget().due().expects().waits_until(60)


def test_a_timer_that_comes_during_a_look_changes_nothing():
    """In CHECKING nothing is waited for but the look."""
    play(ladder(EASE)).forget().due().expects()


# ---------------------------------------------------------------- and back up


def test_activity_in_a_stage_puts_everything_back_in_the_same_step():
    """The restore is the first thing that is asked for."""
    back = (
        napping(ladder(EASE))
        .at(100)
        .hears("ssh", last="now", reason="alice")
        .expects("restore", "tell activity ease because ssh")
    )
    back.is_in(Phase.LEAVING, 0).restored().expects("tell left ease").waits_until(160).is_in(Phase.AWAKE, -1)


def test_a_pulse_names_what_it_was():
    """It stands no longer, but it was the reason."""
    napping(ladder(EASE)).at(100).hears("ssh", last="now", reason="a key").expects(
        "restore", "tell activity ease because ssh"
    )


def test_activity_does_not_wait_for_an_apply_in_flight():
    """Its answer comes later and means nothing."""
    entering = play(ladder(EASE)).quiet(until=59).at(60).due().all_answer().forget().is_in(Phase.ENTERING)
    entering.hears("ssh", active=True, told=True).expects("restore", "tell activity ease because ssh")
    entering.applied("clock", serial=entering.hand - 1).expects().restored().is_in(Phase.AWAKE)
    assert entering.state.failures == {}


def test_stale_answers_change_nothing():
    """Applied, restored and failed sleeps that nobody waits for."""
    napping(ladder(EASE)).applied().restored().sleep_fails(serial=77).expects().is_in(Phase.NAPPING, 0)


def test_an_apply_of_the_last_nap_is_not_mistaken_for_one_of_this():
    """Its late answer has an old number."""
    entering = (
        play(ladder(EASE)).quiet(until=59).at(60).due().all_answer().hears("ssh", last="now").restored()
    )
    entering.asleep().at(120).due().all_answer().is_in(Phase.ENTERING).forget()
    entering.applied("clock", serial=3).expects().is_in(Phase.ENTERING).applied().expects("tell entered ease")


def test_a_lease_and_a_window_end_a_stage_too():
    """Nobody is there, but they want the machine up."""
    napping(ladder(EASE)).leased().expects("restore", "tell activity ease because backup")
    napping(ladder(EASE)).window_opens().expects("restore", "tell activity ease because office")


def test_a_monitor_that_fails_in_a_stage_ends_it():
    """Awake when unsure."""
    napping(ladder(EASE)).hears("ssh", failed=True).expects("restore", "tell activity ease because ssh")


def test_activity_while_a_deeper_stage_is_looked_at_leaves_the_one_that_is_applied():
    """Not when the look is over: at once; and the look's end means nothing then."""
    deeper = napping(ladder(EASE, DEEP)).at(300).due().forget().is_in(Phase.CHECKING, 0)
    deeper.hears("ssh", active=True, told=True).expects(
        "restore", "tell activity ease because ssh"
    ).looked().expects()


def test_a_restore_that_fails_is_tried_again_for_as_long_as_it_fails():
    """After 1, 2, 4 ... 60 seconds, for ever."""
    back = napping(ladder(EASE)).at(1000).hears("ssh", active=True, told=True).forget()
    back.restored("park").expects("tell restore-failed").waits_until(1001).at(1001).due().expects("restore")
    back.restored("park").waits_until(1003).at(1003).due().restored("park").waits_until(1007).forget()
    back.at(1007).due().restored().expects("restore", "tell left ease").is_in(Phase.AWAKE)


def test_a_restore_that_has_failed_for_days_is_tried_again():
    """Regression: 2.0 ** tries left the floats after 1024 tries (17 hours), and took the daemon with it."""
    back = napping(ladder(EASE)).at(1000).hears("ssh", active=True, told=True)
    for _ in range(1100):
        back.restored("park")
        assert 1 <= (back.state.timer or 0) - back.now <= 60
        back.at(back.state.timer or 0).due()
    back.restored().is_in(Phase.AWAKE)


def test_each_restore_begins_with_quick_tries():
    """However long the one before took."""
    back = (
        napping(ladder(EASE)).at(100).hears("ssh", last="now").restored("park").at(101).due().restored("park")
    )
    back.waits_until(103).at(103).due().restored().asleep().quiet(until=200).is_in(Phase.NAPPING)
    back.hears("ssh", last="now").restored("park").waits_until(201)


def test_a_second_answer_to_the_same_restore_is_not_counted():
    """Duplicates change nothing, also contradictory ones."""
    back = napping(ladder(EASE)).at(100).hears("ssh", active=True).restored("park").forget()
    back.restored("park").restored().expects().waits_until(101).is_in(Phase.LEAVING)


def test_a_stage_is_not_entered_while_something_is_still_to_be_put_back():
    """Idle or not."""
    back = napping(ladder(EASE)).at(100).hears("ssh", last="now").restored("park").forget()
    back.at(101).due().restored("park").at(200).due().does("101 restore", "200 restore").is_in(Phase.LEAVING)


# ---------------------------------------------------------------- warnings


def test_users_have_the_announced_time_and_the_stage_comes_when_it_was_due():
    """GRACE is inside ``after``."""
    play(ladder(WARNED)).quiet(until=100).does(
        "0 look", "40 look", "40 warn warned at 60", "60 look", "60 apply warned: park"
    )


def test_users_have_the_whole_of_the_time_when_the_look_came_late():
    """The stage is late then, not the warning short."""
    late = (
        play(ladder(WARNED))
        .quiet(until=30)
        .forget()
        .at(55)
        .due()
        .all_answer()
        .does("55 look", "55 warn warned at 75")
    )
    late.asleep().quiet(until=100).does("75 look", "75 apply warned: park")


@pytest.mark.parametrize("phase", [Phase.WARNING, Phase.CHECKING])
def test_activity_takes_a_warning_back_at_once(phase):
    """Also in the look that follows it. Regression: users were told only when that look was over."""
    warned = play(ladder(WARNED)).quiet(until=50).is_in(Phase.WARNING)
    if phase is Phase.CHECKING:
        warned.at(60).due()
    warned.is_in(phase).forget().hears("ssh", last="now").does(f"{warned.now:g} unwarn warned").is_in(
        Phase.AWAKE
    )


def test_a_pulse_from_before_that_the_announced_time_still_honours_takes_nothing_back():
    """A look that came late announced more time than was due."""
    late = play(ladder(WARNED)).quiet(until=30).at(55).due().all_answer().forget()
    late.hears("ssh", last=14.0).does().is_in(Phase.WARNING).hears("ssh", last=16.0).does("55 unwarn warned")


def test_activity_in_a_stage_whose_next_was_announced_restores_first_and_then_tells():
    """A user who came waits for the machine, not for a message to all terminals."""
    warned = (
        napping(ladder(EASE, dataclasses.replace(DEEP, warn=50.0)))
        .quiet(until=260)
        .is_in(Phase.WARNING, 0)
        .forget()
    )
    warned.hears("ssh", active=True).expects("restore", "unwarn deep", "tell activity ease because ssh")


def test_a_warning_that_a_look_belies_is_taken_back():
    """The look at the end of the warning finds somebody."""
    play(ladder(WARNED)).quiet(until=59).forget().answering("ssh", active=True).quiet(until=61).does(
        "60 look", "60 unwarn warned"
    )


# ---------------------------------------------------------------- failures


def test_a_failing_action_leaves_the_others_applied_and_is_tried_no_more_than_its_budget():
    """Until the configuration is loaded again."""
    settings = ladder(QUICK, action_budget=2)
    nap = play(settings)
    for expected in ["clock", "clock", "", ""]:
        nap.quiet(until=nap.now + 9).forget().at(nap.now + 1).due().all_answer()
        nap.does(f"{nap.now:g} look", f"{nap.now:g} apply quick: {expected}".rstrip())
        nap.applied(*(["clock"] if expected else [])).is_in(Phase.NAPPING, 0).hears(
            "ssh", last="now"
        ).restored().asleep()
    nap.reconfigured(settings).asleep().all_answer().forget().quiet(until=nap.now + 20)
    assert f"{nap.now - 10:g} < apply quick: clock" in nap.lines


def test_the_history_says_which_action_failed_and_which_is_spent():
    """Once each."""
    entering = play(ladder(QUICK, action_budget=1)).quiet(until=9).at(10).due().all_answer().forget()
    entering.applied("clock").expects(
        "tell apply-failed quick", "tell action-spent quick", "tell entered quick"
    )


# ---------------------------------------------------------------- sleep


def test_a_sleep_that_fails_is_tried_again_later_from_the_foot_of_the_ladder():
    """What was put back for it is applied again at once, and the sleep waits a minute, then two."""
    failed = play(ladder(EASE, SLEEPY2)).quiet(until=100).forget().sleep_fails()
    failed.expects("restore", "tell sleep-failed sleepy").is_in(Phase.LEAVING, 1).restored().asleep().forget()
    failed.quiet(until=160).does(
        "100 look", "100 apply ease: clock park", "160 look", "160 apply sleepy: disk", "160 sleep suspend"
    )
    failed.sleep_fails().restored().asleep().forget().quiet(until=280).does(
        "160 look", "160 apply ease: clock park", "280 look", "280 apply sleepy: disk", "280 sleep suspend"
    )


def test_a_refused_sleep_leaves_the_stage_above_in_force_and_is_tried_again():
    """After one, two, five minutes and then each ten; said once, and again when the reason is another one."""
    refused = play(ladder(EASE, SLEEPY2)).refusing("backup blocks sleep").quiet(until=1300)
    refused.does(
        "0 look",
        "60 look",
        "60 apply ease: clock park",
        *[f"{at} look" for at in (100, 160, 280, 580, 1180)],
    ).is_in(Phase.NAPPING, 0)
    assert refused.state.refusal == "backup blocks sleep"
    refused.refusing("no way to wake this machine has been proven").forget().quiet(until=2000)
    refused.tells("sleep-refused sleepy")
    refused.refusing("").quiet(until=2380).does("2380 look", "2380 apply sleepy: disk", "2380 sleep suspend")


def test_a_refusal_is_said_once():
    """It may stand for a night."""
    play(ladder(SLEEPY)).refusing("blocked").quiet(until=5000).tells("sleep-refused sleepy")


def test_a_refusal_ends_when_the_stages_are_left():
    """Whoever came and went may have been what refused it."""
    entered = play(ladder(EASE, SLEEPY2)).refusing("blocked").quiet(until=200).hears("ssh", last="now")
    entered.restored().asleep().refusing("").forget().quiet(until=300).does(
        "260 look", "260 apply ease: clock park", "300 look", "300 apply sleepy: disk", "300 sleep suspend"
    )


def test_who_comes_to_an_awake_machine_ends_a_refusal_too():
    """The admin who proved a way to wake it was there, and the machine slept meanwhile: it does not wait for ten minutes more."""
    refused = play(ladder(SLEEPY)).refusing("not proven").quiet(until=700).leased()
    assert refused.state.refusal == ""
    refused.lease_ends().refusing("").forget().quiet(until=761).does(
        "760 look", "760 apply sleepy: disk", "760 sleep suspend"
    )


def test_a_lock_that_is_given_back_ends_the_wait():
    """The sleep comes at once, after a look that finds nobody; without it the next attempt would be at 160 s."""
    refused = play(ladder(EASE, SLEEPY2)).refusing("backup blocks sleep").quiet(until=110).refusing("")
    refused.forget().unblocked().quiet(until=110).does(
        "110 look", "110 apply sleepy: disk", "110 sleep suspend"
    )


def test_a_lock_that_comes_and_goes_all_the_time_is_told_of_once():
    """Whoever takes it ten times a second causes one look a second, and one line in the history."""
    flapping = play(ladder(EASE, SLEEPY2)).refusing("backup blocks sleep").quiet(until=100).forget()
    for tenth in range(1, 10):
        flapping.at(100 + tenth / 10).unblocked()
    flapping.expects().waits_until(101).at(101).due().expects("look")
    flapping.looked(refusal="backup blocks sleep").expects().waits_until(161)


def test_a_lock_that_is_given_back_hurries_no_stage():
    """Neither before its time, nor while the machine is to stay up after a sleep."""
    refused = play(ladder(SLEEPY, min_awake=200.0)).refusing("backup blocks sleep").quiet(until=61)
    refused.resumes(by="a key").refusing("").forget().unblocked().quiet(until=260).expects()
    refused.quiet(until=330).does("261 look", "261 apply sleepy: disk", "261 sleep suspend")


def test_a_lock_that_is_given_back_during_the_look_that_it_refuses_is_not_missed():
    """The look begins anew, and the answer of the first means nothing."""
    looking = play(ladder(SLEEPY)).quiet(until=59).at(60).due().asleep().forget()
    first = looking.look
    looking.unblocked().expects("look").looked(first, "backup blocks sleep").expects().is_in(Phase.CHECKING)
    looking.looked().expects("apply sleepy: disk")


def test_a_lock_that_nobody_waits_for_changes_nothing():
    """Awake, napping, or after a failure, which waits as long as ever."""
    play(ladder(EASE)).quiet(until=10).forget().unblocked().expects().waits_until(60)
    failed = play(ladder(SLEEPY)).quiet(until=60).sleep_fails().restored().asleep().forget()
    failed.unblocked().expects().waits_until(120)


def test_a_refusal_is_forgotten_when_the_sleep_fails_for_another_reason():
    """`why` does not name the lock of yesterday."""
    failed = play(ladder(SLEEPY)).refusing("blocked").quiet(until=70).refusing("").quiet(until=120)
    assert failed.sleep_fails().state.refusal == ""


def test_who_came_while_it_fell_asleep_is_no_fault():
    """It is told and waited for, but however often it happens the machine goes on trying."""
    tired = play(ladder(SLEEPY, action_budget=1)).quiet(until=60).forget().sleep_fails(wanted=True)
    tired.expects("restore", "tell sleep-failed sleepy").restored().asleep().forget().quiet(until=120)
    tired.does("120 look", "120 apply sleepy: disk", "120 sleep suspend")


def test_what_an_admin_asked_for_is_told_to_whoever_refuses_it():
    """Locks against sleeping by itself do not count then; they do for what the ladder does."""
    asked = play(ladder(EASE, SLEEPY2)).quiet(until=10).nap("sleepy").forget().quiet(until=10)
    asked.does(
        "10 look",
        "10 apply ease: clock park",
        "10 look by hand",
        "10 apply sleepy: disk",
        "10 sleep suspend by hand",
    )
    play(ladder(EASE, SLEEPY2)).quiet(until=10).nap("ease").forget().quiet(until=100).does(
        "10 look",
        "10 apply ease: clock park",
        "100 look",
        "100 apply sleepy: disk",
        "100 sleep suspend",
    )


def test_a_refusal_before_the_stage_is_due_is_none():
    """The look had another reason: the end of a hold that nothing tells."""
    early = play(ladder(SLEEPY)).hears("ssh", last="now").looked(refusal="blocked")
    early.expects("look").is_in(Phase.AWAKE)
    assert early.state.refusal == ""


def test_users_who_were_warned_are_told_that_it_is_refused_after_all():
    """An inhibitor that came between the warning and the sleep."""
    warned = play(ladder(SUSPEND)).quiet(until=1790).forget().refusing("blocked")
    warned.quiet(until=1801).does("1800 look", "1800 unwarn suspend").is_in(Phase.AWAKE).waits_until(1860)


@pytest.mark.parametrize("stages", [(SLEEPY,), (EASE, SLEEPY2)], ids=["from awake", "from a stage"])
def test_an_admin_who_asked_for_a_refused_sleep_is_told_and_not_obeyed_by_surprise(stages):
    """What was entered on the way stays, since it was asked for too."""
    asked = play(ladder(*stages)).quiet(until=10).refusing("blocked").nap("sleepy").forget().quiet(until=11)
    asked.tells(*["entered ease"] * (len(stages) - 1), "sleep-refused sleepy")
    asked.is_in(Phase.NAPPING if len(stages) > 1 else Phase.AWAKE, len(stages) - 2)
    asked.refusing("").quiet(until=59).does()
    asked.nap("sleepy").quiet(until=59.9)
    assert "suspend" in [command.state for _, command in asked.heard if isinstance(command, Sleep)]


def test_a_machine_that_only_watches_pretends_to_sleep():
    """It stays in the stage, and looks as in any other: what it would not have slept through is told."""
    settings = ladder(SLEEPY, monitors={"cpu": COUNTER})
    watching = play(settings).quiet(until=60).forget().pretends().expects().is_in(Phase.NAPPING, 0)
    watching.asleep().quiet(until=62).does("61 sample", "62 sample")
    watching.hears("cpu", last="now").expects("restore", "tell activity sleepy because cpu")
    watching.pretends(serial=77).expects().restored()
    assert watching.state.failures == {}


def test_a_sleep_keeps_its_own_stage_and_nothing_else():
    """The machine that wakes is the machine as it was."""
    sleeping = play(ladder(EASE, SLEEPY2)).quiet(until=100)
    assert [c.keep for _, c in sleeping.heard if isinstance(c, Sleep)] == [("disk",)]


def test_what_woke_the_machine_is_told():
    """In words, where something tells."""
    sleeping = play(ladder(SLEEPY)).quiet(until=60).forget().resumes(slept=1000, by="the clock (rtc0)")
    told = [c.detail for _, c in sleeping.heard if isinstance(c, Tell)]
    assert told == ["slept 1000s, woken by the clock (rtc0)"]


def test_a_sleep_state_that_failed_too_often_is_not_entered_again():
    """The stage is, without it."""
    tired = play(ladder(SLEEPY, action_budget=1)).quiet(until=60).sleep_fails().restored().asleep().forget()
    tired.quiet(until=200).does("120 look", "120 apply sleepy: disk").is_in(Phase.NAPPING, 0)


def test_activity_on_the_way_to_sleep_cancels_it():
    """And puts everything back."""
    sleeping = play(ladder(SLEEPY)).quiet(until=60).forget()
    sleeping.hears("ssh", active=True).expects("cancel sleep", "restore", "tell activity sleepy because ssh")
    # That it was cancelled is no failure of the sleep state.
    sleeping.sleep_fails(serial=sleeping.hand - 1).expects()
    assert sleeping.state.failures == {}


def test_after_a_sleep_everything_is_put_back_and_the_machine_stays_up():
    """No stage before ``min_awake`` is over, then the ladder from its foot."""
    up = (
        play(ladder(SLEEPY, min_awake=200.0))
        .quiet(until=60)
        .forget()
        .resumes(slept=1000)
        .expects("restore", "tell resumed")
    )
    up.restored().asleep().forget().waits_until(1260).quiet(until=5000).does(
        "1260 look", "1260 apply sleepy: disk", "1260 sleep suspend"
    )


def test_what_was_queued_before_the_sleep_is_dropped():
    """Neither as activity nor as idleness."""
    up = play(ladder(SLEEPY)).quiet(until=60).resumes(slept=1000).forget()
    up.hears("ssh", at=1059.0, active=True).expects()
    assert not up.state.readings["ssh"].active


def test_a_sleep_of_somebody_else_holds_off_too():
    """In whatever phase."""
    play(ladder(EASE)).quiet(until=10).forget().resumes(slept=500).expects("tell resumed").waits_until(
        630
    ).is_in(Phase.AWAKE)
    napping(ladder(EASE)).resumes(slept=500).expects("restore", "tell resumed").is_in(Phase.LEAVING)
    play(ladder(WARNED)).quiet(until=50).forget().resumes(slept=500).expects(
        "tell resumed", "unwarn warned"
    ).waits_until(670)


def test_a_resume_while_restoring_restores_again():
    """Sleep may have undone what was just put back."""
    back = napping(ladder(EASE)).at(100).hears("ssh", last="now").forget().resumes(slept=5)
    back.expects("restore", "tell resumed").restored(serial=back.hand - 1).expects().restored().is_in(
        Phase.AWAKE
    )


def sleeps(conversation, times, cancelled=False):
    """Our sleep begins and is over at once, so often."""
    for _ in range(times):
        conversation.asleep().quiet(until=conversation.now + 61)
        assert conversation.state.phase is Phase.SLEEPING, conversation.lines[-9:]
        if cancelled:
            conversation.hears("ssh", last="now")
        conversation.resumes(slept=1).restored()
    return conversation.asleep().forget()


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_sleep_wake_loop_stops_everything_until_an_admin_says_go_on(cancelled):
    """Also when the packet that woke the machine was heard before the resume was. Regression: those sleeps were not counted."""
    loop = sleeps(play(ladder(SLEEPY, min_awake=0.0, loop_limit=3)).all_answer(), 3, cancelled).is_in(
        Phase.AWAKE
    )
    sleeps(loop, 1, cancelled).is_in(Phase.HALTED).waits_until(None).quiet(until=1e6).does()
    loop.nap().tells("refused").wake().expects("tell woken").waits_until(1000060).quiet(until=1000060.0)
    loop.does("1.00006e+06 look", "1.00006e+06 apply sleepy: disk", "1.00006e+06 sleep suspend")


def test_a_loop_is_told_of_once():
    """And further resumes are only resumes."""
    loop = (
        play(ladder(SLEEPY, loop_limit=0))
        .quiet(until=60)
        .forget()
        .resumes(slept=1)
        .tells("resumed", "loop")
        .restored()
    )
    loop.is_in(Phase.HALTED).forget().resumes(slept=1).expects("tell resumed").is_in(Phase.HALTED)


def test_sleeps_far_apart_are_no_loop():
    """Only those within the window count."""
    night = play(ladder(SLEEPY, min_awake=0.0, loop_limit=1, loop_window=900.0)).all_answer()
    for _ in range(5):
        sleeps(night, 1).is_in(Phase.AWAKE).resumes(slept=1000)


def test_sleeps_of_others_are_no_loop_of_ours():
    """Somebody who closes the lid ten times wants that."""
    lid = play(ladder(SLEEPY, loop_limit=1)).quiet(until=10).forget()
    for _ in range(10):
        lid.resumes(slept=1)
    lid.tells(*["resumed"] * 10).is_in(Phase.AWAKE)


def test_a_resume_that_comes_after_all_was_put_back_ends_a_loop_too():
    """The sleep was cancelled too late: it happened when the machine was already AWAKE, or looking, or warning."""
    for wait, phase in ((0, Phase.AWAKE), (45, Phase.WARNING), (60, Phase.CHECKING)):
        late = (
            play(ladder(dataclasses.replace(WARNED, sleep="suspend"), loop_limit=0))
            .quiet(until=60)
            .hears("ssh", last="now")
        )
        late.restored().asleep().forget().quiet(until=60 + min(wait, 59))
        if phase is Phase.CHECKING:
            late.at(120).due()
        late.is_in(phase).forget().resumes(slept=1).is_in(Phase.HALTED).quiet(until=1e5)
        late.does(*([f"{61 + wait} unwarn warned"] if wait else []))


def test_whoever_wakes_the_machine_while_it_restores_ends_the_loop():
    """The admin is there: it need not halt."""
    loop = (
        play(ladder(SLEEPY, loop_limit=0))
        .quiet(until=60)
        .resumes(slept=1)
        .restored("disk")
        .wake()
        .is_in(Phase.LEAVING)
    )
    loop.at(62).due().restored().is_in(Phase.AWAKE)


# ---------------------------------------------------------------- an admin asks


def test_an_admin_who_asks_gets_the_stage_after_a_look():
    """Not before: somebody may be there."""
    play(ladder(EASE)).quiet(until=10).forget().nap().expects("tell asked ease").waits_until(10).quiet(
        until=11
    ).does("10 look", "10 apply ease: clock park")


def test_an_admin_who_asks_for_a_deep_stage_gets_all_before_it_and_users_are_warned():
    """The whole warning, from when it was asked."""
    asked = play(ladder(EASE, DEEP, SUSPEND)).quiet(until=10).forget().nap("suspend").quiet(until=100)
    asked.does(
        "10 look", "10 apply ease: clock park", "10 look", "10 apply deep: disk",
        "10 look by hand", "10 warn suspend at 40", "40 look by hand", "40 apply suspend:", "40 sleep suspend by hand",
    )  # fmt: skip


def test_an_admin_who_asks_during_a_look_gets_another_one():
    """The look in flight began before the stage was due."""
    asked = (
        play(ladder(EASE)).answering("ssh", active=True).quiet(until=59).at(60).due().hears("ssh").forget()
    )
    asked.at(60.5).nap().looked().expects("tell asked ease").waits_until(60.5)
    asked.asleep().answering("ssh").quiet(until=61).does("60.5 look", "60.5 apply ease: clock park")


def test_an_admin_is_refused_with_the_reason():
    """In use, no such stage, halted, leaving, held off after a resume."""
    play(ladder(EASE)).hears("ssh", active=True).looked().forget().nap().expects("tell refused because ssh")
    play(ladder(EASE)).quiet(until=10).forget().nap("abyss").expects("tell refused abyss")
    play(ladder()).quiet(until=10).forget().nap().expects("tell refused")
    play(ladder(EASE)).quiet(until=10).resumes(slept=5).forget().nap().expects(
        "tell refused because min_awake"
    )
    napping(ladder(EASE)).at(100).hears("ssh", last="now").forget().nap().expects("tell refused")


def test_asking_twice_does_not_go_deeper():
    """Regression: an empty request meant the next stage, so that a repeated one could suspend the machine."""
    napping(ladder(EASE, SUSPEND)).nap().nap("ease").expects().is_in(Phase.NAPPING, 0)


def test_asking_for_more_does_not_take_back_what_was_asked_before():
    """Regression: the later request made the stage that the earlier one had entered look too early, and it was left."""
    asked = play(ladder(WARNED, DEEP)).quiet(until=5).nap().quiet(until=30).is_in(Phase.NAPPING, 0).forget()
    asked.at(35).nap("deep").quiet(until=40).does("35 look", "35 apply deep: disk").is_in(Phase.NAPPING, 1)


def test_asking_for_less_than_was_reached_or_announced_changes_nothing():
    """Regression: it left the deeper stage, and everything with it. Whoever wants none of it says `powernap wake`."""
    asked = (
        play(ladder(EASE, DEEP)).quiet(until=5).nap("deep").quiet(until=6).is_in(Phase.NAPPING, 1).forget()
    )
    asked.nap("ease").expects().is_in(Phase.NAPPING, 1)
    warned = (
        play(ladder(EASE, OFF)).quiet(until=5).nap(OFF_STAGE).quiet(until=6).is_in(Phase.WARNING).forget()
    )
    warned.nap("ease").does().is_in(Phase.WARNING)


@pytest.mark.parametrize("comes", ["lease", "pulse", "window", "hold"])
def test_what_comes_before_the_asked_stage_cancels_the_request(comes):
    """Regression: it was kept, and the machine napped hours later, the moment a lease ended."""
    asked = play(ladder(EASE)).quiet(until=10).nap().forget().at(11)
    {
        "lease": lambda: asked.leased(until=20.0),
        "pulse": lambda: asked.hears("ssh", last="now"),
        "window": lambda: asked.window_opens(until=20.0),
        "hold": lambda: asked.hears("ssh", active=True, told=True),
    }[comes]()
    asked.tells(f"refused ease because {NAMES.get(comes, 'ssh')}")
    if comes == "hold":
        asked.at(20).hears("ssh", last="now")
    asked.quiet(until=50).does()


def test_an_admin_who_wakes_the_machine_begins_a_new_idle_time():
    """In a stage, on the way, or awake."""
    napping(ladder(EASE)).at(100).wake().expects(
        "tell woken", "restore", "tell activity ease"
    ).restored().waits_until(160)
    play(ladder(EASE)).quiet(until=50).forget().wake().expects("tell woken").waits_until(110)
    play(ladder(WARNED)).quiet(until=50).forget().wake().does("50 unwarn warned")


# ---------------------------------------------------------------- sampling what has no event


def test_in_a_stage_the_monitors_without_events_are_looked_at_each_second():
    """So that the way back is quick for their activity too."""
    nap = napping(ladder(EASE, monitors={"ssh": MonitorRule(), "cpu": COUNTER}))
    nap.quiet(until=63.5).does("61 sample", "62 sample", "63 sample").answering("cpu", last=64.0).quiet(
        until=64
    ).does("64 sample", "64 restore", "64 sample")


def test_sampling_goes_on_while_the_next_stage_is_looked_at_and_announced():
    """Regression: from the announcement of the next stage on, nobody sampled, for as long as the warning."""
    settings = ladder(
        EASE, dataclasses.replace(DEEP, warn=5.0), monitors={"cpu": COUNTER}, restore_within=2.0
    )
    warned = napping(settings).quiet(until=295).is_in(Phase.WARNING, 0).forget().quiet(until=299.5)
    warned.does("297 sample", "299 sample").asleep().at(300).due().is_in(Phase.CHECKING, 0).waits_until(
        302
    ).forget()
    # The look hangs on some other monitor; the counters are read meanwhile.
    warned.at(302).due().expects("sample").waits_until(304)


def test_sampling_has_a_floor():
    """Regression: with ``restore_within`` 0 the core asked for samples at one instant for ever."""
    napping(ladder(EASE, monitors={"cpu": COUNTER}, restore_within=0.0)).quiet(until=60.35).does(
        "60.1 sample", "60.2 sample", "60.3 sample"
    )


def test_counters_are_read_once_when_idle_time_begins():
    """So that the look at its end judges the idle window, and not the busy time before."""
    settings = ladder(EASE, monitors={"ssh": MonitorRule(), "cpu": COUNTER})
    busy = play(settings).hears("cpu").hears("ssh", active=True, told=True).looked().forget()
    busy.at(500).hears("ssh", last="now").expects("sample").waits_until(560)
    lease = play(settings).leased(until=30.0).all_answer().forget()
    lease.at(30).due().expects("sample").waits_until(90)


def test_counters_are_read_once_when_everything_is_put_back():
    """Putting back is work too."""
    settings = ladder(EASE, monitors={"ssh": MonitorRule(), "cpu": COUNTER})
    napping(settings).at(100).hears("ssh", last="now").forget().at(103).restored().expects(
        "tell left ease", "sample"
    ).waits_until(160)


def test_counters_that_held_the_machine_awake_are_not_read_again_for_it():
    """Regression: a machine busy by CPU alone was sampled each ``hold`` seconds, though the next decision was half an hour off."""
    settings = ladder(EASE, monitors={"cpu": MonitorRule(events=False, hold=10.0)})
    play(settings).hears("cpu", last="now").looked().asleep().forget().quiet(until=69).does()


# ---------------------------------------------------------------- monitors that fail or lag


def test_a_failed_monitor_keeps_the_machine_awake_and_is_looked_at_each_window():
    """Awake when unsure; and it may recover."""
    broken = (
        play(ladder(EASE))
        .answering("ssh", failed=True)
        .quiet(until=130)
        .does("0 look", "60 look", "120 look")
    )
    # What happened while it could not answer nobody knows: idle time begins when it answers.
    broken.answering("ssh").quiet(until=300).does("180 look", "240 look", "240 apply ease: clock park")


def test_a_monitor_that_is_ignored_when_it_fails_does_not_stop_the_ladder():
    """Regression: each failed answer counted as activity at the one before, so deeper stages never came and samples left the first."""
    settings = ladder(
        EASE, DEEP, monitors={"ssh": MonitorRule(events=False, on_error_active=False)}, restore_within=100.0
    )
    ignored = play(settings).answering("ssh", failed=True).quiet(until=400)
    ignored.does(
        "0 look",
        "60 look",
        "60 apply ease: clock park",
        "160 sample",
        "260 sample",
        "300 look",
        "300 apply deep: disk",
        "400 sample",
    )


def test_a_monitor_that_fails_from_the_start_reaches_its_limit():
    """Regression: it failed anew with each answer, so the limit never came. Idle time begins where the failure ceased to count."""
    settings = ladder(EASE, monitors={"ssh": MonitorRule(error_limit=100.0)})
    play(settings).answering("ssh", failed=True).quiet(until=500).does(
        "0 look", "60 look", "160 look", "160 apply ease: clock park"
    )


def test_an_answer_that_was_overtaken_does_not_undo_the_newer_one():
    """A slow check that began before the user came."""
    play(ladder(EASE)).at(5).hears("ssh", active=True, told=True).hears("ssh", at=4.0).looked().waits_until(
        None
    )


def test_a_monitor_that_nobody_configured_is_not_heard():
    """It was removed a moment ago."""
    play(ladder(EASE)).quiet(until=10).forget().hears("gone", active=True).expects()


def test_a_window_is_no_activity():
    """When it ends, idle time is as long as it was."""
    open_ = play(ladder(EASE)).window_opens(until=90.0).all_answer().asleep().forget()
    open_.quiet(until=200).does("90 look", "90 apply ease: clock park")
    open_ = play(ladder(EASE)).window_opens().all_answer().asleep().waits_until(None).forget()
    open_.at(200).window_closes().window_closes().expects().waits_until(60)


def test_idle_time_begins_anew_when_a_lease_ends():
    """Regression: `powernap hold -- make` let the machine nap the moment make ended. Given back, lost, or its time over."""
    held = play(ladder(EASE)).leased(until=100.0).window_opens(until=90.0).all_answer().asleep().forget()
    held.quiet(until=200).does("160 look", "160 apply ease: clock park")
    assert not held.state.leases
    held = play(ladder(EASE)).leased().all_answer().asleep().waits_until(None).forget()
    held.at(200).lease_ends().waits_until(260).at(210).lease_ends().expects().waits_until(260)


def test_idle_time_counts_from_when_the_lease_s_time_was_over_and_not_from_when_that_was_seen():
    """The timer came late, or the connection was closed hours later."""
    play(ladder(EASE)).leased(until=100.0).all_answer().asleep().at(130).due().waits_until(160)
    play(ladder(EASE)).leased(until=100.0).all_answer().asleep().at(130).lease_ends().waits_until(160)


def test_a_nap_can_be_asked_for_as_soon_as_a_lease_has_ended():
    """`powernap hold -- make && powernap nap`."""
    held = play(ladder(EASE)).leased().all_answer().asleep().at(200).lease_ends().forget()
    held.nap().quiet(until=201).does("200 look", "200 apply ease: clock park")


def test_a_lease_that_expires_while_everybody_is_asked_blocks_no_longer():
    """Nor does the look count for more: it began before the lease ended."""
    held = (
        play(ladder(EASE))
        .leased(until=100.0)
        .all_answer()
        .at(99)
        .reconfigured(ladder(EASE))
        .asleep()
        .forget()
    )
    held.at(101).all_answer().is_in(Phase.AWAKE).waits_until(160)


def test_a_lease_can_be_renewed():
    """The same one with another end, also an earlier one."""
    play(ladder(EASE)).leased(until=100.0).all_answer().leased(until=500.0).waits_until(500.0)
    play(ladder(EASE)).leased(until=500.0).all_answer().at(50).leased(until=50.0).waits_until(110.0)


# ---------------------------------------------------------------- the schedules: how deep


def test_a_limit_leaves_what_is_deeper_and_enters_what_it_allows():
    """Everything is put back, and the ladder is climbed down as far as that."""
    limited = napping(ladder(EASE, DEEP), stage=1).at(400).allows("ease")
    limited.expects("restore", "tell activity deep because lunch").restored().asleep().forget()
    limited.quiet(until=5000).does("400 look", "400 apply ease: clock park").waits_until(None)


def test_when_the_limit_is_lifted_the_ladder_goes_on():
    """Idle time has gone on: what is due by now comes at once."""
    limited = play(ladder(EASE, DEEP)).allows("ease").quiet(until=500).is_in(Phase.NAPPING, 0).forget()
    limited.allows("").quiet(until=501).does("500 look", "500 apply deep: disk")


def test_a_limit_takes_a_warning_and_a_look_back():
    """Of what it forbids."""
    warned = napping(ladder(EASE, SUSPEND)).quiet(until=1780).forget().is_in(Phase.WARNING)
    warned.allows("ease").does("1780 unwarn suspend").is_in(Phase.NAPPING, 0).waits_until(None)
    looking = napping(ladder(EASE, DEEP)).at(300).due().forget().allows("ease")
    looking.all_answer().does().is_in(Phase.NAPPING, 0)


def test_a_limit_ends_a_stage_that_is_being_entered_and_a_sleep():
    """At once; the sleep is cancelled."""
    entering = napping(ladder(EASE, DEEP)).at(300).due().all_answer().forget().is_in(Phase.ENTERING)
    entering.allows("ease").does("300 restore")
    sleeping = play(ladder(EASE, SLEEPY2)).quiet(until=100).forget().is_in(Phase.SLEEPING)
    sleeping.allows("ease").does("100 cancel sleep", "100 restore")


def test_a_limit_refuses_what_an_admin_asks_for_and_says_which_schedule():
    """What it allows can be asked for."""
    limited = play(ladder(EASE, DEEP, OFF)).allows("ease").quiet(until=10).forget()
    limited.nap("deep").nap(OFF_STAGE)
    assert limited.words_told() == ['the schedule "lunch" allows no deeper stage than "ease" now'] * 2
    limited.tells("refused deep", f"refused {OFF_STAGE}")
    limited.nap("ease").quiet(until=11).does("10 look", "10 apply ease: clock park")


def test_an_admin_is_not_obeyed_by_surprise_when_a_limit_is_lifted():
    """What was asked for, and reached before, stays; the rest is refused, and said so."""
    asked = play(ladder(EASE, SUSPEND)).quiet(until=10).nap("suspend").quiet(until=20).forget()
    asked.allows("ease").does("20 unwarn suspend").is_in(Phase.NAPPING, 0)
    asked.allows("").quiet(until=500).does()
    warned = play(ladder(EASE, dataclasses.replace(DEEP, warn=20.0), SUSPEND)).quiet(until=10).nap("suspend")
    warned.quiet(until=15).forget().allows("deep").does("15 unwarn deep").is_in(Phase.NAPPING, 0)
    early = play(ladder(EASE, DEEP)).quiet(until=10).nap("deep").forget().allows("ease")
    early.tells("refused deep").quiet(until=50).does()


def test_a_limit_that_names_no_stage_forbids_nothing():
    """The ladder was loaded anew; the schedules are asked anew after that."""
    limited = play(ladder(EASE, DEEP)).allows("deep").quiet(until=300).is_in(Phase.NAPPING, 1)
    limited.reconfigured(ladder(EASE, SLEEPY2)).restored().asleep().forget().quiet(until=361)
    limited.does(
        "360 look", "360 apply ease: clock park", "360 look", "360 apply sleepy: disk", "360 sleep suspend"
    )


# ---------------------------------------------------------------- the schedules: off


def test_off_comes_when_it_is_wanted_after_its_warning():
    """From whatever stage the machine is in: no other sleep lies on the way."""
    night = play(ladder(EASE, DEEP, SUSPEND, OFF)).wants_off(1000.0).quiet(until=310).forget()
    night.waits_until(940).quiet(until=1001).does(
        "940 look", f"940 warn {OFF_STAGE} at 1000", "1000 look", *(f"1000 {each}" for each in GOES)
    )


def test_off_needs_no_ladder():
    """And while nobody wants it, nothing is waited for."""
    idle = play(ladder(OFF)).quiet(until=5000).does("0 look").waits_until(None)
    idle.wants_off(6000.0).quiet(until=6001).does(
        "5940 look", f"5940 warn {OFF_STAGE} at 6000", "6000 look", *(f"6000 {each}" for each in GOES)
    )


def test_off_waits_for_idle_time():
    """At least a minute more than the warning, so that who comes meanwhile postpones it and is not told of it at each key."""
    quiet = play(ladder(OFF)).all_answer().at(900).hears("ssh", last="now").wants_off(910.0, quiet=300.0)
    quiet.forget().quiet(until=1300).does(
        "1140 look", f"1140 warn {OFF_STAGE} at 1200", "1200 look", *(f"1200 {each}" for each in GOES)
    )
    typing = play(ladder(OFF)).all_answer().wants_off(100.0).quiet(until=190).forget()
    typing.is_in(Phase.SLEEPING)
    typing = play(ladder(OFF)).all_answer().wants_off(120.0).quiet(until=70).forget().hears("ssh", last="now")
    typing.does(f"70 unwarn {OFF_STAGE}").at(75).hears("ssh", last="now").does().waits_until(135)


def test_who_is_there_postpones_off():
    """A hold, until it ends; without a ladder it is looked for once a minute, when nothing tells of that."""
    told = play(ladder(OFF)).hears("ssh", active=True, told=True).looked().asleep().wants_off(100.0).forget()
    told.waits_until(None).at(500).hears("ssh", last="now").quiet(until=1000).does(
        "560 look", f"560 warn {OFF_STAGE} at 620", "620 look", *(f"620 {each}" for each in GOES)
    )
    untold = play(ladder(OFF)).answering("ssh", active=True).quiet(until=10).wants_off(1000.0).forget()
    untold.quiet(until=1010).does("880 look", "940 look", "1000 look").answering("ssh").quiet(until=1121)
    untold.does("1060 look", "1120 look", f"1120 warn {OFF_STAGE} at 1180")


def test_nobody_is_looked_for_where_off_does_not_depend_on_it():
    """Nothing is wanted; or it is insisted on; or it is over before it could be."""
    busy = play(ladder(OFF)).answering("ssh", active=True).quiet(until=10).forget().waits_until(None)
    busy.wants_off(1000.0, force=True).waits_until(940).wants_off(20.0, 50.0).waits_until(None)
    busy.wants_off(1000.0).waits_until(880).planned(NOTHING).waits_until(None)


def test_a_schedule_that_wants_it_up_comes_before_off():
    """So does a lease, also where it is insisted on; users who were warned are told."""
    for wanted in (Off("night", 1000.0), Off("night", 1000.0, force=True)):
        up = play(ladder(OFF)).all_answer().planned(Plan(off=wanted)).quiet(until=950).forget()
        up.planned(Plan((Window("office", until=1500.0),), off=wanted)).does(f"950 unwarn {OFF_STAGE}")
        up.quiet(until=2000).does(
            "1500 look", f"1500 warn {OFF_STAGE} at 1560", "1560 look", *(f"1560 {each}" for each in GOES)
        )
        held = play(ladder(OFF)).all_answer().planned(Plan(off=wanted)).quiet(until=950).forget()
        held.leased(until=970.0).does(f"950 unwarn {OFF_STAGE}").quiet(until=970).is_in(
            Phase.WARNING if wanted.force else Phase.AWAKE
        )


def test_where_it_is_insisted_on_no_user_postpones_off():
    """They have the announced time, and a stage is left for them all the same."""
    user = (
        napping(ladder(EASE, OFF))
        .wants_off(1000.0, force=True)
        .quiet(until=950)
        .is_in(Phase.WARNING, 0)
        .forget()
    )
    user.hears("ssh", active=True, told=True).does("950 restore").is_in(Phase.LEAVING)
    user.restored().is_in(Phase.WARNING, -1).asleep().waits_until(1000).quiet(until=1001)
    user.does("1000 look", *(f"1000 {each}" for each in GOES))


def test_an_off_that_is_insisted_on_and_no_longer_wanted_while_everything_is_put_back_is_called_off():
    """Users are told at once."""
    user = napping(ladder(EASE, OFF)).wants_off(1000.0, force=True).quiet(until=950)
    user.hears("ssh", active=True, told=True).forget().planned(NOTHING).does(f"950 unwarn {OFF_STAGE}")
    user.restored().is_in(Phase.AWAKE)


def test_after_a_start_or_a_resume_the_machine_stays_up_for_a_while_also_when_off_is_insisted_on():
    """Whoever switched it on at night has time to say so; so has the admin who says wake."""
    booted = play(ladder(UNWARNED, min_awake=120.0)).wants_off(-500.0, force=True).all_answer().forget()
    booted.quiet(until=121).does("120 look", *(f"120 {each}" for each in GOES))
    woken = play(ladder(UNWARNED, min_awake=120.0)).wants_off(-500.0, force=True).all_answer().at(100).wake()
    woken.waits_until(220).at(150).resumes(slept=500.0).waits_until(770)


def test_off_is_over_when_its_time_is():
    """Not entered then, not announced when it could not come any more, and not kept."""
    late = play(ladder(OFF)).hears("ssh", active=True, told=True).looked().asleep().wants_off(100.0, 500.0)
    late.at(390).hears("ssh", last="now").waits_until(None).forget().quiet(until=1000).does()
    watching = (
        play(ladder(UNWARNED)).all_answer().wants_off(100.0, 500.0).quiet(until=100).pretends().forget()
    )
    watching.is_in(Phase.NAPPING, 0).waits_until(500).quiet(until=500)
    assert "no schedule wants it off now" in watching.words_told()
    watching.does("500 restore").is_in(Phase.AWAKE).waits_until(None)


def test_off_whose_time_ends_while_it_is_entered_is_not_carried_out():
    """Neither when the timer tells of it, nor when the stage is applied too late."""
    entering = play(ladder(UNWARNED)).all_answer().wants_off(100.0, 110.0).at(100).due().all_answer().forget()
    entering.is_in(Phase.ENTERING).waits_until(110)
    entering.at(111).applied().expects(
        f"tell entered {OFF_STAGE}", "restore", f"tell activity {OFF_STAGE} because {OFF_STAGE}"
    )
    sleeping = play(ladder(UNWARNED)).all_answer().wants_off(100.0, 110.0).quiet(until=100).asleep().forget()
    sleeping.is_in(Phase.SLEEPING).at(110).due().does("110 cancel sleep", "110 restore")


def test_another_plan_takes_off_back_or_hurries_it():
    """Postponed, given up, or earlier; who was told of a time has it."""
    warned = play(ladder(OFF)).all_answer().wants_off(1000.0).quiet(until=950).forget()
    warned.wants_off(960.0).does().waits_until(1000).wants_off(2000.0).does(
        f"950 unwarn {OFF_STAGE}"
    ).waits_until(1940)
    warned.wants_off(980.0).quiet(until=951).does("950 look", f"950 warn {OFF_STAGE} at 1010")
    warned.quiet(until=1010).forget().planned(NOTHING).does("1010 cancel sleep", "1010 restore")
    looking = play(ladder(OFF)).all_answer().wants_off(1000.0).at(940).due().forget().planned(NOTHING)
    looking.all_answer().does().is_in(Phase.AWAKE).waits_until(None)


def test_off_comes_before_a_sleep_that_is_due_too():
    """Also one that was announced: the machine would sleep through it. A stage that is no sleep is entered meanwhile."""
    opened = play(ladder(SUSPEND, UNWARNED)).window_opens(until=5000.0).all_answer().quiet(until=4000)
    opened.planned(Plan((Window("office", until=5000.0),), off=Off("night", 5000.0))).forget()
    opened.quiet(until=5001).does("5000 look", *(f"5000 {each}" for each in GOES))
    warned = play(ladder(SUSPEND, OFF)).wants_off(1850.0).quiet(until=1780).is_in(Phase.WARNING).forget()
    warned.quiet(until=1900).does(
        "1790 unwarn suspend", "1790 look", f"1790 warn {OFF_STAGE} at 1850",
        "1850 look", *(f"1850 {each}" for each in GOES),
    )  # fmt: skip
    waiting = play(ladder(EASE, SLEEPY2, OFF)).wants_off(50.0, quiet=300.0).forget().quiet(until=301)
    waiting.does(
        "60 look", "60 apply ease: clock park",
        "240 look", f"240 warn {OFF_STAGE} at 300", "300 look", *(f"300 {each}" for each in GOES),
    )  # fmt: skip


def test_a_sleep_that_is_looked_at_when_off_is_at_hand_is_not_entered():
    """The look took its time."""
    slow = play(ladder(SLEEPY, OFF)).all_answer().wants_off(121.0, quiet=200.0).at(60).due().forget()
    slow.at(62).all_answer().does().is_in(Phase.AWAKE).waits_until(140)


def test_an_off_that_is_refused_leaves_the_ladder_as_it_is():
    """It is tried again, and the machine sleeps meanwhile as it always does; each refusal is waited for by itself."""
    refused = (
        play(ladder(EASE, SUSPEND, OFF)).wants_off(1000.0).quiet(until=900).refusing("no way back").forget()
    )
    refused.quiet(until=1769).does(*[f"{at} look" for at in (940, 1000, 1120, 1420)])
    refused.is_in(Phase.NAPPING, 0).refusing("").quiet(until=1800)
    refused.does(
        "1770 look", "1770 warn suspend at 1800", "1800 look", "1800 apply suspend:", "1800 sleep suspend"
    )


def test_an_off_that_was_refused_does_not_take_back_the_warning_of_a_sleep():
    """Each minute."""
    settings = ladder(dataclasses.replace(SUSPEND, after=300.0, warn=200.0), OFF)
    refused = play(settings).all_answer().wants_off(120.0).at(60).due().all_answer()
    assert refused.state.phase is Phase.WARNING


def test_who_comes_ends_the_refusal_of_an_off_unless_it_is_insisted_on():
    """Regression: a user whose presence counts for nothing ended it each time, and it was asked again for ever at one instant."""
    refused = (
        play(ladder(OFF)).all_answer().wants_off(100.0, force=True).refusing("no way back").quiet(until=130)
    )
    refused.hears("ssh", active=True, told=True).waits_until(240).quiet(until=241).waits_until(540)
    refused.leased(until=300.0)
    assert refused.state.refusal == ""
    polite = play(ladder(OFF)).all_answer().wants_off(200.0).refusing("no way back").quiet(until=150)
    assert polite.hears("ssh", last="now").state.refusal == ""


def test_an_off_that_failed_too_often_is_not_tried_again():
    """Nor is its stage entered without it: it would be left by nobody who comes, where it is insisted on."""
    tired = play(ladder(UNWARNED, action_budget=1)).all_answer().wants_off(50.0).quiet(until=50).sleep_fails()
    tired.restored().asleep().forget().quiet(until=5000).does().is_in(Phase.AWAKE).waits_until(None)


def test_a_machine_that_only_watches_pretends_to_be_off():
    """Until somebody comes, or its time is over; and after that user it pretends again."""
    watching = (
        play(ladder(EASE, UNWARNED))
        .wants_off(500.0, quiet=100.0)
        .quiet(until=500)
        .pretends()
        .asleep()
        .forget()
    )
    watching.is_in(Phase.NAPPING, 1).quiet(until=600).hears("ssh", last="now").does("600 restore").restored()
    watching.asleep().quiet(until=700).does(
        "660 look", "660 apply ease: clock park", "700 look", *(f"700 {each}" for each in GOES)
    )


def test_whom_off_is_insisted_against_does_not_end_a_pretended_one():
    """The machine would be off. Nothing is looked at for that; a lease that ends is no reason either, but one that begins is."""
    watching = play(ladder(UNWARNED)).all_answer().wants_off(500.0, force=True).quiet(until=500).pretends()
    watching.asleep().forget().hears("ssh", active=True).does().waits_until(None)
    watching.leased().does("500 restore")


def test_off_by_hand_goes_straight_there_and_only_when_it_is_named():
    """Without a name an admin means the ladder, and there may be none. Whoever comes in the warning ends it, whatever a schedule wants."""
    play(ladder(OFF)).quiet(until=10).forget().nap().tells("refused")
    asked = play(ladder(EASE, SUSPEND, OFF)).quiet(until=10).nap(OFF_STAGE).forget().quiet(until=71)
    asked.does(
        "10 look by hand", f"10 warn {OFF_STAGE} at 70", "70 look by hand", f"70 apply {OFF_STAGE}:", "70 sleep power-off by hand",
    )  # fmt: skip
    asked = (
        play(ladder(OFF))
        .quiet(until=10)
        .wants_off(9000.0, force=True)
        .nap(OFF_STAGE)
        .quiet(until=20)
        .forget()
    )
    asked.hears("ssh", active=True, told=True).does(f"20 unwarn {OFF_STAGE}").waits_until(8940)


def test_sleeps_on_the_way_to_what_an_admin_asked_for_are_passed_over():
    """From the first the machine would not come to the second."""
    hibernate = Stage("hibernate", 3600.0, sleep="hibernate")
    asked = (
        play(ladder(EASE, SUSPEND, DEEP, hibernate)).quiet(until=10).nap("hibernate").forget().quiet(until=11)
    )
    asked.does(
        "10 look", "10 apply ease: clock park", "10 look", "10 apply deep: disk",
        "10 look by hand", "10 apply hibernate:", "10 sleep hibernate by hand",
    )  # fmt: skip
    meanwhile = play(ladder(SLEEPY, hibernate)).quiet(until=59).at(60).due().forget().nap("hibernate")
    meanwhile.all_answer().quiet(until=60).does(
        "60 look by hand", "60 apply hibernate:", "60 sleep hibernate by hand"
    )


# ---------------------------------------------------------------- another configuration


def test_a_new_ladder_is_climbed_from_its_foot_and_idle_time_goes_on():
    """A reload is no activity."""
    settings = ladder(QUICK, DEEP)
    nap = (
        napping(ladder(EASE))
        .at(100)
        .reconfigured(settings)
        .expects("restore")
        .restored()
        .asleep()
        .expects("tell left")
        .waits_until(70)
    )
    nap.quiet(until=101).does("100 look", "100 apply quick: clock")


def test_reloading_while_awake_looks_at_everything_anew():
    """The monitors are new ones."""
    settings = ladder(QUICK, monitors=("ssh", "cpu"))
    again = play(ladder(EASE)).quiet(until=30).forget().reconfigured(settings).expects("look")
    again.asleep().hears("ssh").hears("cpu").looked().quiet(until=31).does("30 apply quick: clock")


@pytest.mark.parametrize("stages", [(), (EASE,), (QUICK, DEEP, SUSPEND)])
@pytest.mark.parametrize("until", [0, 10, 50, 60, 299, 1790, 1800])
def test_reloading_in_any_phase_begins_at_the_foot_of_the_ladder(stages, until):
    """Nothing of the old one stays applied, announced or in flight."""
    old = dataclasses.replace(SUSPEND, actions=("disk",))
    begun = play(ladder(EASE, dataclasses.replace(DEEP, warn=5.0), old, monitors=("ssh", "cpu")))
    begun.quiet(until=until).asleep().forget().reconfigured(ladder(*stages))
    state = begun.state
    assert (state.stage, state.announced, state.asked) == (-1, None, None)
    begun.restored() if state.phase is Phase.LEAVING else begun.all_answer()
    begun.quiet(until=until + 5000)
    assert begun.state.depth == len(stages) - 1


def test_reloading_takes_a_look_and_a_warning_of_the_old_ladder_back():
    """And begins a look of the new one."""
    play(ladder(EASE)).forget().reconfigured(ladder(EASE)).expects("look").looked(serial=1).is_in(
        Phase.CHECKING
    )
    warned = (
        play(ladder(WARNED))
        .quiet(until=50)
        .forget()
        .reconfigured(ladder(EASE))
        .expects("unwarn warned", "look")
    )
    warned.quiet(until=60).does("60 look", "60 apply ease: clock park")


def test_a_hold_of_the_old_monitors_does_not_outlive_them():
    """Regression: reloaded while restoring, a hold that the old monitor was to tell the end of kept the machine awake for ever."""
    back = napping(ladder(EASE)).at(100).hears("ssh", active=True, told=True).reconfigured(ladder(EASE))
    back.asleep().hears("ssh", at=99.0, active=True, told=True).restored().asleep().forget()
    back.quiet(until=300).does("120 look", "160 look", "160 apply ease: clock park")


def test_a_halted_machine_stays_halted_through_a_reload():
    """Until an admin says go on."""
    halted = (
        play(ladder(SLEEPY, loop_limit=0))
        .quiet(until=60)
        .resumes(slept=1)
        .restored()
        .is_in(Phase.HALTED)
        .asleep()
        .forget()
    )
    halted.reconfigured(ladder(EASE)).expects().is_in(Phase.HALTED).quiet(until=200)
    halted.wake().quiet(until=400).does("200 look", "260 look", "260 apply ease: clock park")


# ---------------------------------------------------------------- the table


def test_every_phase_can_be_reached_and_left():
    """From AWAKE, by the table."""
    reached, edge = {Phase.AWAKE}, {Phase.AWAKE}
    while edge:
        edge = {phase for at in edge for phase in TABLE[at].values()} - reached
        reached |= edge
    assert reached == set(Phase) == set(TABLE)
    assert all(TABLE[phase] for phase in Phase)


def test_every_trigger_is_used():
    """A word of the table that nothing says is a defect."""
    assert {trigger for changes in TABLE.values() for trigger in changes} == set(Trigger)


def test_nothing_is_applied_but_by_entering():
    """ENTERING is reached from a look only, and every phase in which something may be applied has its way to LEAVING."""
    assert [phase for phase in Phase if Phase.ENTERING in TABLE[phase].values()] == [Phase.CHECKING]
    inside = (Phase.CHECKING, Phase.WARNING, Phase.ENTERING, Phase.NAPPING, Phase.SLEEPING)
    assert all(TABLE[phase][Trigger.UNDO] is Phase.LEAVING for phase in inside)


def test_rules_are_heeded():
    """CPU load counts only while somebody is logged in."""
    settings = Settings(
        (EASE,),
        (("ssh", MonitorRule()), ("cpu", COUNTER)),
        (Rule("both", ("ssh", "cpu"), every=True),),
    )
    both = play(settings).hears("ssh", active=True, told=True).hears("cpu").looked().asleep().forget()
    both.quiet(until=60).does("60 look", "60 apply ease: clock park")


def test_a_failure_message_shows_the_conversation():
    """The playbook's own promise."""
    with pytest.raises(AssertionError, match=r"(?s)0 < look.*-sample") as error:
        play(ladder(EASE)).all_answer().expects("look", "sample")
    assert "0 > Heard ssh idle" in str(error.value)
    with pytest.raises(AssertionError, match="waits until 60.0, not 61"):
        play(ladder(EASE)).all_answer().waits_until(61)
    with pytest.raises(AssertionError, match="never comes to rest"):
        play(ladder(EASE, monitors={"cpu": COUNTER}, restore_within=0.1)).quiet(until=1e6)


def test_a_restored_that_names_its_failures_says_why():
    """The history carries the action and the reason."""
    back = napping(ladder(EASE)).at(100).hears("ssh", last="now").forget()
    back.sends(Restored(100, back.hand, (Failure("park", "EBUSY"),)))
    assert isinstance(back.heard[0][1], Tell)
    assert back.heard[0][1].detail == "park: EBUSY"
