"""From the configuration to what decisions depend on, and to the monitors that can work on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from powernap.config.model import Config, MonitorConfig
from powernap.core.ladder import MonitorRule, Rule, Settings, Stage
from powernap.core.plan import OFF_STAGE


def of_monitor(config: MonitorConfig, *, events: bool) -> MonitorRule:
    """How the readings of one monitor are taken."""
    return MonitorRule(events, config.hold, config.on_error == "active", config.error_limit)


def settings_of(config: Config, events: dict[str, bool], waits: Mapping[str, float]) -> Settings:
    """The core's settings.

    :param events: for each monitor that is watched, whether an event tells of its activity.
    :param waits: the idle times of stages whose ``after`` is chosen, in seconds; empty where all are written.
    """
    given = config.settings
    stages = tuple(
        Stage(
            stage.name,
            waits.get(stage.name, stage.after),
            stage.actions,
            stage.warn,
            None if stage.sleep == "none" else stage.sleep,
        )
        for stage in config.stages
    )
    if config.schedules:
        # Appended, not part of the ladder: idle time never leads to it.
        stages = (*stages, Stage(OFF_STAGE, inf, (), config.off.warn, config.off.sleep))
    return Settings(
        stages=stages,
        monitors=tuple(
            (name, of_monitor(config.monitors[name], events=told)) for name, told in events.items()
        ),
        rules=tuple(Rule(rule.name, rule.members, bool(rule.all_of)) for rule in config.rules.values()),
        min_awake=given.min_awake,
        restore_within=given.restore_within,
        loop_limit=given.loop_limit,
        loop_window=given.loop_window,
        action_budget=given.action_budget,
    )
