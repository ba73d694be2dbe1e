"""What a person reads, made from the documents of docs/json.md: why, status, history, the live view."""

from __future__ import annotations

from typing import Any

import pytest

from powernap.cli import after, history, status, watch, why

BLOCKER = {
    "kind": "monitor", "name": "ssh", "reason": "1 connection to port 22, from 10.0.0.7", "who": [], "for_s": 90.0, "ends_in_s": None,
    "failed": False, "remedy": "",
}  # fmt: skip
WHY: dict[str, Any] = {
    "version": 1, "mode": "act", "phase": "awake", "stage": None, "idle_s": 61.0, "blockers": [], "left_out": [],
    "next": {"stage": "ease", "in_s": 239.0, "refused": "", "actions": ["cpu-clock"], "sleep": None},
    "first_stage": {"stage": "ease", "after_s": 300.0},
}  # fmt: skip
MONITOR = {
    "name": "load", "type": "load", "source": "/proc/loadavg", "events": False, "active": False, "failed": False,
    "reason": "load 0.1", "remedy": "", "who": [], "last_s": 7.0, "for_s": None, "measured": 0.1, "limit": 0.5, "unit": "load",
}  # fmt: skip
STATUS: dict[str, Any] = {
    **WHY, "powernap": "0.1.0", "host": "db3", "config": [], "monitors": [MONITOR],
    "stages": [{"name": "ease", "after_s": 300.0, "warn_s": 0.0, "actions": ["cpu-clock"], "sleep": None}],
    "leases": [], "changed": [], "conflicts": [],
    "daemon": {"pid": 7, "cpu_s": 0.5, "wakeups": 3, "history": ""},
}  # fmt: skip


def test_idle() -> None:
    """How long, and what comes when."""
    assert [
        "awake, idle for 1min 1s",
        "next: enters stage ease in 3min 59s if nobody comes (cpu-clock)",
    ] == why.text(WHY).split("\n")


def test_watching_only_says_would() -> None:
    """Nobody may believe that something is changed."""
    text = why.text({**WHY, "mode": "watch"})
    assert "watching only: nothing is changed" in text
    assert "next: would enter stage ease" in text


def test_in_use() -> None:
    """Who, since when; and what will come after."""
    text = why.text({**WHY, "blockers": [BLOCKER], "next": None, "idle_s": 0.0}).split("\n")
    assert "awake" == text[0]
    assert "  ssh  for 1min 30s  1 connection to port 22, from 10.0.0.7" == text[1]
    assert "next: stage ease, 5min after all of these have ended" == text[2]


def test_after_a_schedule_idle_time_is_as_long_as_it_was() -> None:
    """A window is no activity; beside one it is the monitor that counts."""
    window = {**BLOCKER, "kind": "window", "name": "office"}
    answer = {**WHY, "blockers": [window], "next": None}
    assert why.text(answer).endswith(
        "next: stage ease, once all of these have ended and it has been idle for 5min"
    )
    assert why.text({**answer, "blockers": [window, BLOCKER]}).endswith("5min after all of these have ended")


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ({"ends_in_s": 30.0}, "  ssh  for 1min 30s ends in 30s  1 connection"),
        ({"for_s": None, "ends_in_s": -1.0}, "  ssh  ends in 0s  1 connection"),
        ({"failed": True, "remedy": "mend it"}, "from 10.0.0.7 -> mend it"),
    ],
)
def test_a_blocker_says_when_it_ends_and_what_to_do(change: dict[str, Any], row: str) -> None:
    """A lease with a time; a monitor that failed."""
    text = why.text({**WHY, "blockers": [{**BLOCKER, **change}], "next": None})
    assert row in text


@pytest.mark.parametrize(
    ("change", "first", "last"),
    [
        (
            {"stage": "ease", "phase": "napping", "next": None},
            "in stage ease (napping), idle",
            "it is in the last stage",
        ),
        ({"phase": "halted", "next": None}, "halted: a sleep-wake loop", "nothing, until `powernap wake`"),
        ({"next": None, "first_stage": None}, "awake, idle", "the ladder has no stages"),
        (
            {"next": {"stage": "s", "in_s": 1.0, "refused": "", "actions": [], "sleep": "suspend"}},
            "awake",
            "in 1s if nobody comes (suspend)",
        ),
        (
            {"next": {"stage": "s", "in_s": 1.0, "refused": "", "actions": [], "sleep": None}},
            "awake",
            "if nobody comes (nothing)",
        ),
    ],
)
def test_each_place_on_the_ladder(change: dict[str, Any], first: str, last: str) -> None:
    """Where it is, and what comes."""
    lines = why.text({**WHY, **change}).split("\n")
    assert lines[0].startswith(first)
    assert last in lines[-1]


def test_a_refused_sleep_and_what_was_left_alone_say_why() -> None:
    """Each with its reason, and when it is tried again."""
    refused = {
        "stage": "bed",
        "in_s": 60.0,
        "refused": "backup blocks sleep",
        "actions": [],
        "sleep": "suspend",
    }
    left = [{"action": "disk-spindown", "reason": "sdb stays up: a member of md0"}]
    lines = why.text({**WHY, "next": refused, "left_out": left}).split("\n")
    assert lines[1:] == [
        "left alone by disk-spindown: sdb stays up: a member of md0",
        "next: stage bed is refused: backup blocks sleep; tried again in 1min",
    ]


def test_status_of_a_quiet_machine() -> None:
    """The ladder with a mark, each monitor, our own cost, and no empty heading."""
    text = status.text({**STATUS, "stage": "ease"})
    assert "powernap 0.1.0 on db3: in stage ease (awake)" in text
    assert "  load  quiet  last 7s ago  /proc/loadavg  load 0.1" in text
    assert "  * ease  after 5min    cpu-clock" in text
    assert text.endswith("powernapd: pid 7, 0.50s of CPU, woken 3 times by events")
    assert "changed now" not in text


def test_status_of_a_machine_that_naps_beside_others() -> None:
    """What is changed, what found nothing to do, who else turns the same knobs."""
    text = status.text(
        {
            **STATUS,
            "monitors": [
                {**MONITOR, "active": True},
                {**MONITOR, "name": "job", "failed": True, "remedy": "install it"},
            ],
            "stages": [
                {"name": "off", "after_s": 600.0, "warn_s": 30.0, "actions": [], "sleep": "power-off"}
            ],
            "changed": [
                {"action": "kernel-quiet", "stage": "ease", "target": "/proc/x", "old": "1", "new": "60"}
            ],
            "left_out": [{"action": "cpu-clock", "reason": "no cpufreq"}],
            "conflicts": [
                {"tool": "tlp", "evidence": "runs", "owns": "cpu-clock", "remedy": "use one of them"}
            ],
        }
    )
    assert "  load  active               /proc/loadavg  load 0.1\n" in text
    assert "load 0.1 -> install it" in text
    assert "    off  after 10min  warned 30s before  power-off" in text
    assert "changed now\n  kernel-quiet  /proc/x  1 -> 60" in text
    assert "left out\n  cpu-clock  no cpufreq" in text
    assert "other tools on the same knobs\n  tlp  cpu-clock  use one of them" in text


def test_status_without_monitors_or_stages() -> None:
    """Said, not left empty."""
    text = status.text({**STATUS, "monitors": [], "stages": []})
    assert "monitors\n  none" in text
    assert "ladder\n  no stages" in text


def test_history_has_the_day() -> None:
    """One entry, one line, whatever it holds."""
    line = history.line({"event": "entered", "stage": "ease", "time": 0})
    assert "entered stage ease" in line
    assert "-01-01 " in line or "-12-31 " in line
    assert "\n" not in history.line({"event": "new-kind", "detail": "a\nb\x1b[2J"})
    assert "\x1b" not in history.line({"event": "new-kind", "detail": "a\nb\x1b[2J"})


def reading(**facts: Any) -> dict[str, Any]:
    return {"event": "reading", "monitor": "load", "at": 100.0, "active": False, "failed": False, **facts}


@pytest.mark.parametrize(
    ("entry", "end"),
    [
        (reading(), "load: quiet"),
        (reading(reason="load 0.1", last=40.0), "load: quiet, load 0.1, 1min ago"),
        (reading(reason="load 3", last=100.0), "load: just now, load 3"),
        (reading(reason="alice", active=True, last=100.0), "load: active, alice"),
        (reading(reason="no file", failed=True, last=1.0), "load: failed, no file"),
        ({"event": "woken", "detail": "root"}, "  root asked to come back"),
    ],
)
def test_the_live_view_tells_now_from_long_ago(entry: dict[str, Any], end: str) -> None:
    """A pulse is a word of its own: it is over, and yet it counts."""
    assert watch.live_line(entry).endswith(end)


def test_the_live_view_is_silent_about_figures_that_change_nothing() -> None:
    """In a nap rates are read each second; a line each would hide what matters."""
    news = watch.News()
    told = [reading(reason=f"load 0.{n}") for n in range(3)]
    assert [True, False, False] == [news.worth_a_line(entry) for entry in told]
    assert news.worth_a_line(reading(last=100.0))
    assert not news.worth_a_line(reading(last=100.0, reason="other"))
    assert news.worth_a_line(reading(failed=True))
    assert news.worth_a_line({**reading(), "monitor": "other"})
    assert news.worth_a_line({"event": "entered"})


def test_one_key_press_is_one_line() -> None:
    """It is heard, then seen by the access time of the terminal, and named by a second monitor; the next one, somebody else's and a hold are news."""
    news = watch.News()

    def pulse(monitor: str, last: float, *who: str, **facts: Any) -> bool:
        return news.worth_a_line(
            {**reading(last=last, at=last + 0.1, who=list(who), **facts), "monitor": monitor}
        )

    assert pulse("terminals", 50.0, "alice on pts/0")
    assert not pulse("terminals", 50.3, "alice on pts/0")
    assert not pulse("console", 50.4, "alice on pts/0")
    assert pulse("terminals", 50.5, "bob on pts/1")
    assert pulse("terminals", 51.1, "alice on pts/0")
    assert not pulse("terminals", 52.0, "alice on pts/0")
    assert pulse("terminals", 52.2, "alice on pts/0")
    assert pulse("sessions", 52.2, "alice on pts/0", active=True)
    assert pulse("magic-packet", 52.1)
    assert pulse("magic-packet", 52.2)


def test_what_came_of_it() -> None:
    """Nap and wake say it in the words of the history."""
    told = after.told([{"event": "left", "stage": "ease", "seconds": 2.0}, {"event": "woken", "detail": "r"}])
    assert ["put everything back after 2s in stage ease", "r asked to come back"] == told.split("\n")
    assert "" == after.told([])
