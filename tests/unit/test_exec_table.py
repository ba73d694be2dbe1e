"""Claims about which cgroup's starts are left out."""

from __future__ import annotations

import pytest

from powernap.host.exec_table import leave_out_cgroup, parse_service_cgroup


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/system.slice/powernapd.service", "0::/system.slice/powernapd.service\n"),
        ("", "0::/user.slice/user-1000.slice/session-2.scope\n"),
        ("", "0::/system.slice/cron.service\n"),
        ("", "4:memory:/system.slice/powernapd.service\n0::/\n"),
        ("", ""),
    ],
)
def test_own_service(path, text):
    """Only a service of PowerNap's own is left out: in a shared cgroup others' programs would be missed."""
    assert parse_service_cgroup(text) == path


def test_no_cgroup_no_code():
    """Without one the program does not ask."""
    assert leave_out_cgroup(0) == []
    assert len(leave_out_cgroup(5)) == 3
