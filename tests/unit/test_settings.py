"""From the configuration to what decisions depend on."""

from __future__ import annotations

from math import inf

from powernap.config import model
from powernap.core.ladder import MonitorRule, Rule, Settings, Stage
from powernap.daemon.settings import settings_of


def test_everything_that_decisions_depend_on_arrives() -> None:
    """Each setting, stage, monitor and rule; "none" is no sleep."""
    config = model.Config(
        model.Settings("act", 1.0, 2.0, 3, 4.0, 5, 6.0, 7),
        (model.Stage("ease", 10.0, 1.0, ("a", "b"), "none"), model.Stage("sleep", 20.0, 0.0, (), "suspend")),
        {
            "hears": model.MonitorConfig("hears", "tcp", None, 30.0, "ignore", 40.0, 50.0),
            "counts": model.MonitorConfig("counts", "cpu", None),
        },
        {"both": model.RuleConfig("both", all_of=("hears", "counts")), "any": model.RuleConfig("any", any_of=("hears",))},
    )  # fmt: skip

    assert settings_of(config, {"hears": True, "counts": False}, {}) == Settings(
        stages=(Stage("ease", 10.0, ("a", "b"), 1.0, None), Stage("sleep", 20.0, (), 0.0, "suspend")),
        monitors=(
            ("hears", MonitorRule(True, 30.0, False, 40.0)),
            ("counts", MonitorRule(False, 0.0, True, 0.0)),
        ),
        rules=(Rule("both", ("hears", "counts"), every=True), Rule("any", ("hears",), every=False)),
        min_awake=1.0,
        restore_within=2.0,
        loop_limit=3,
        loop_window=4.0,
        action_budget=5,
    )


def test_the_default_watches() -> None:
    """Without a word from the admin nothing is acted on."""
    assert model.Config().mode == "watch"


def test_with_a_schedule_there_is_a_stage_that_only_it_enters() -> None:
    """Below the whole ladder, as `[off]` has it; its time never comes by itself."""
    stages = (model.Stage("ease", 10.0, 1.0, ("a",), "none"),)
    schedules = {"night": model.ScheduleConfig("night", "windows", None)}
    config = model.Config(stages=stages, schedules=schedules, off=model.Off("hibernate", 30.0))
    found = settings_of(config, {}, {})

    assert found.stages[-1] == Stage("scheduled-off", inf, (), 30.0, "hibernate")
    assert found.off == 1
    assert settings_of(model.Config(stages=stages), {}, {}).off is None
