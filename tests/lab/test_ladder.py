"""powernapd in the lab, as its package installs it: it goes down the ladder by itself, a key brings it back, and all is as it was."""

from __future__ import annotations

import pytest

from lab import tree
from lab.installed import Daemon

pytestmark = [pytest.mark.root]

CPU = "/sys/devices/system/cpu"
PARTITION = "/sys/fs/cgroup/powernap-parked/cpuset.cpus.partition"
AWAKE = """
mode = "act"
[[stage]]
name = "ease"
after = "1h"
actions = ["cpu-clock", "kernel-quiet"]
[[stage]]
name = "deep"
after = "2h"
actions = [{deep}]
[monitor.input]
"""


@pytest.fixture
def quiet(lab):
    """The guest with a daemon that is ready to nap, but not soon."""

    def with_stages(deep='"cpu-park"'):
        daemon = Daemon(lab, AWAKE.format(deep=deep))
        daemon.start()
        return daemon

    return with_stages


def nap_and_return(daemon):
    """Let it nap by itself, to the last stage; then press a key. The trees of before and after, and what was changed in between."""
    lab = daemon.guest
    before = tree.take(lab)
    daemon.configure(lambda text: text.replace("1h", "5s").replace("2h", "7s"))
    daemon.until("entered", stage="deep")
    during, changed = tree.take(lab), daemon.changed()
    lab.key("a")
    daemon.until("left", stage="deep")
    # before it naps again; if it does already, this brings it back as well
    daemon.configure(lambda text: text.replace("5s", "1h").replace("7s", "2h"))
    return before, during, tree.take(lab), changed


@pytest.mark.long
def test_down_the_ladder_and_back(quiet, lab):
    """Parked for real (a partition that the kernel calls isolated, the other CPUs' tasks moved away), and afterwards as it was."""
    daemon = quiet()
    before, during, after, changed = nap_and_return(daemon)
    assert tree.differences(before, after) == []
    assert during[PARTITION] == "isolated"
    assert during[f"{CPU}/cpufreq/policy0/scaling_max_freq"] == "1200000"
    assert {each["action"] for each in changed} == {"cpu-clock", "kernel-quiet", "cpu-park"}
    assert daemon.changed() == []
    assert [each["event"] for each in daemon.history() if "failed" in each["event"]] == []
    daemon.stop()


ADMIN = f"""
set -e
echo 0 > {CPU}/cpu3/online
echo ondemand > {CPU}/cpufreq/policy2/scaling_governor
echo 70000 > {CPU}/cpufreq/ondemand/sampling_rate
echo 5 > /proc/irq/default_smp_affinity
echo 4 > /proc/irq/1/smp_affinity
echo 6 > /proc/irq/12/smp_affinity
echo 3 > /sys/devices/virtual/workqueue/cpumask
"""
"""What an admin has made different: a processor off, a governor with a tunable of his own, masks."""


@pytest.mark.long
@pytest.mark.parametrize(("deep", "pinned"), [("cpu-park", []), ("cpu-offline", ["1", "0-2"])])
def test_what_an_admin_has_set_is_as_it_was(quiet, lab, deep, pinned):
    """Also a processor that was off, a governor's tunables, masks, and where programs may run."""
    lab.shell(ADMIN).text()
    for where in pinned:
        lab.begin("taskset", "--cpu-list", where, "sleep", "1000")
    daemon = quiet(f'"{deep}"')
    before, _, after, changed = nap_and_return(daemon)
    assert "\n".join(tree.differences(before, after)) == ""
    assert {each["action"] for each in changed} == {"cpu-clock", "kernel-quiet", deep}


@pytest.mark.long
def test_processors_that_are_parked_are_then_switched_off(quiet, lab):
    """All but the first, though the kernel would refuse the last one while it is alone in its partition; threads are bound as before."""
    lab.shell(ADMIN).text()
    for where in ("0", "0-2"):
        lab.begin("taskset", "--cpu-list", where, "sleep", "1000")
    before, during, after, changed = nap_and_return(quiet('"cpu-park", "cpu-offline"'))
    assert "\n".join(tree.differences(before, after)) == ""
    assert during[f"{CPU}/online"] == "0"
    assert {"cpu-park", "cpu-offline"} <= {each["action"] for each in changed}


@pytest.mark.long
def test_a_pinned_program_while_processors_are_parked(quiet, lab):
    """May run afterwards where it might before, on a processor that is parked as well as on one that is not."""
    for where in ("0", "1"):
        lab.begin("taskset", "--cpu-list", where, "sleep", "1000")
    before, _, after, _ = nap_and_return(quiet())
    assert "\n".join(tree.differences(before, after)) == ""
