"""What can be changed and put back: the kinds of knob, and one change of one knob.

Owns how a knob of each kind is read, written and compared. The ledger owns when.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """One step of an action's plan.

    :param target: what is changed: a path for ``file`` and ``directory``, a unit name for ``unit`` and ``freeze``, a program for ``hook``.
    :param new: the value to write; ``None`` for *collateral*: a value that an other step of the plan disturbs (IRQ masks when a core
        goes away, a governor's tunables), which is remembered before and put back after.
    :param kind: ``file`` (an attribute), ``directory`` (a cgroup to make), ``unit`` (stop), ``freeze`` (a unit) or ``hook`` (a program
        called with ``true`` and ``false``).
    :param form: how two texts are compared: ``text``, ``number``, ``cpumask`` (hex words), ``cpulist``, ``choice`` (``[this] that``).
    """

    target: str
    new: str | None
    kind: str = "file"
    form: str = "text"
