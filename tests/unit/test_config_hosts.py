"""config/hosts.py: the inventory of other machines, and every kind of fault in it with line, reason and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from powernap.config.hosts import build, load
from powernap.config.inventory import HostConfig, MethodConfig, Target, Together
from powernap.config.model import ScheduleConfig
from powernap.config.problems import ConfigErrors
from powernap.core.units import show_duration
from powernap.schedules.windows import Options as Windows
from powernap.wakers.magic_packet import Options as MagicPacket
from sleepers import host

WEB = """\
[host.web3]
address = "10.0.0.3"
[[host.web3.wake]]
type = "magic-packet"
mac = "52:54:00:12:34:56"
"""
OFFICE = """\
[host.web3.schedule.office]
type = "windows"
up = "Mon-Fri 07:30-18:00"
"""


def refusal(*texts: str) -> list[str]:
    """What is said about files a.toml, b.toml, ..."""
    with pytest.raises(ConfigErrors) as caught:
        build([(f"{name}.toml", text) for name, text in zip("abc", texts, strict=False)])
    return str(caught.value).splitlines()


def test_a_machine_arrives_with_all_that_is_said_of_it() -> None:
    """Its own keys, its methods in order, its schedules; and what stands before the first section."""
    second = '[[host.web3.wake]]\ntype = "magic-packet"\nmac = "52-54-00-12-34-57"\ninterface = "eth1"\n'
    text = f'at_once = 2\napart = "10s"\n{WEB}{second}{OFFICE}wake = false\n'
    found = build([("a.toml", text)])
    methods = (
        MethodConfig("magic-packet", MagicPacket("52:54:00:12:34:56")),
        MethodConfig("magic-packet", MagicPacket("52-54-00-12-34-57", "eth1")),
    )
    office = ScheduleConfig("office", "windows", Windows(up=("Mon-Fri 07:30-18:00",)), wake=False)
    assert Together(2, 10.0) == found.together
    assert {"web3": HostConfig("web3", Target("10.0.0.3"), methods, {"office": office})} == found.hosts
    assert ("tcp:22", "3min") == (Target("").confirm, show_duration(Target("").boot))


def test_one_machine_in_several_files() -> None:
    """Keys and schedules merge, the later wins; methods are a list, of which the later file's counts whole."""
    other = '[host.web3]\nboot = "5min"\n[[host.web3.wake]]\ntype = "magic-packet"\nmac = "52:54:00:00:00:09"\n[host.web3.schedule.office]\nwake = false\n'
    found = build([("a.toml", WEB + OFFICE), ("b.toml", other)]).hosts["web3"]
    assert ("10.0.0.3", 300.0, False) == (
        found.target.address,
        found.target.boot,
        found.schedules["office"].wake,
    )
    assert ["52:54:00:00:00:09"] == [each.options.mac for each in found.methods]


def test_one_that_is_not_enabled_is_left_out() -> None:
    """Its faults are told all the same."""
    off = WEB.replace('"10.0.0.3"', '"10.0.0.3"\nenabled = false')
    assert {} == build([("a.toml", off)]).hosts
    assert 1 == len(refusal(off.replace("mac =", "mac = 1 #")))


def test_one_without_a_schedule_is_worth_a_note() -> None:
    """It may be there for `powerwake`."""
    notes = build([("a.toml", WEB)]).notes
    assert [
        'a.toml:1: host "web3" has no schedule: it is never woken by itself; add a section [host.web3.schedule.NAME]'
    ] == [str(note) for note in notes]


def test_names_may_be_those_of_the_net() -> None:
    """Quoted, as TOML wants it."""
    assert ["web3.example.org"] == [*build([("a.toml", WEB.replace("web3", '"web3.example.org"'))]).hosts]


def test_a_directory_without_files_is_an_empty_inventory(tmp_path: Path) -> None:
    """And files that are not read are noted."""
    (tmp_path / "web3.conf").write_text(WEB)
    found = load(str(tmp_path))
    assert {} == found.hosts
    assert "is not read" in str(found.notes[0])
    (tmp_path / "web3.toml").write_text(WEB + OFFICE)
    assert ["web3"] == [*load(str(tmp_path)).hosts]


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    """By root, as any of its files."""
    path = tmp_path / "web3.toml"
    path.write_text(WEB)
    path.chmod(0o666)
    with pytest.raises(ConfigErrors, match="written by everybody"):
        load(str(path))


FAULTS = {
    "no address": (WEB.replace('address = "10.0.0.3"\n', ""), 'a.toml:1: host "web3" has no "address"; add address = "web3.example.org"'),
    "misspelt key": (WEB + 'confrim = "ping"\n', 'a.toml:6: unknown key "confrim" in method 1 of host "web3" (type magic-packet); it can be interface, mac, password_file, ports, to, type'),
    "confirm": (WEB.replace('"10.0.0.3"', '"10.0.0.3"\nconfirm = "tcp:0"'), 'a.toml:3: "confirm" in host "web3": "tcp:0" asks nothing; write "tcp:22" or "ping"'),
    "boot": (WEB.replace('"10.0.0.3"', '"10.0.0.3"\nboot = 180'), 'a.toml:3: "boot" in host "web3" is a duration and 180 has no unit; write "180s" or "180min"'),
    "no method": ('[host.web3]\naddress = "a"\n', 'a.toml:1: host "web3" has no method by which it is woken; add a section [[host.web3.wake]]'),
    "method without type": (WEB.replace('type = "magic-packet"\n', ""), 'a.toml:3: the method 1 of host "web3" has no "type"; add type = "magic-packet"'),
    "unknown method": (WEB.replace("magic-packet", "magic-paket"), 'a.toml:4: no waker type is called "magic-paket"; did you mean "magic-packet"?'),
    "type is a number": (WEB.replace('"magic-packet"', "1"), 'a.toml:4: "type" in the method 1 of host "web3" must be text; write type = "magic-packet"'),
    "one method as a table": (WEB.replace("[[host.web3.wake]]", "[host.web3.wake]"), 'a.toml:3: methods of waking are a list, one [[host.NAME.wake]] section each; write [[host.web3.wake]] and below it type = "magic-packet"'),
    "mac": (WEB.replace("12:34:56", "12:34"), 'a.toml:5: "mac" in method 1 of host "web3" (type magic-packet): "52:54:00:12:34" is not a MAC address; write six bytes as 52:54:00:12:34:56'),
    "mac of a group": (WEB.replace("52:54", "01:00"), 'a.toml:5: "mac" in method 1 of host "web3" (type magic-packet): "01:00:00:12:34:56" is not the address of one network card; write, for example, mac = "52:54:00:12:34:56"'),
    "to": (WEB + 'to = "router"\n', 'a.toml:6: "to" in method 1 of host "web3" (type magic-packet): "router" is not an IPv4 address; write one such as 192.0.2.255'),
    "port": (WEB + "ports = [9, 0]\n", 'a.toml:6: "ports" in method 1 of host "web3" (type magic-packet): 0 is not a port; write 1 to 65535'),
    "schedule": (WEB + OFFICE.replace("18:00", "18h"), 'a.toml:8: "up" in schedule "office" (type windows): "Mon-Fri 07:30-18h": "18h" is not a time of day; write "18:00"'),
    "schedule of one's own": (WEB + OFFICE.replace('"windows"', '"cron-jobs"').replace("up =", "jobs ="), 'a.toml:7: schedule type "cron-jobs" reads what is on this machine, and tells nothing of another one; the types for other machines are windows, dates, cron, ical'),
    "stage": (WEB + '[host.web3.schedule.n]\ntype = "windows"\nnap = "Sun"\ndeepest = "ease"\n', 'a.toml:9: "deepest" names a stage, and those of another machine are not known here; leave it out; write up = ... for when it must be awake'),
    "unless": (WEB + OFFICE + 'unless = ["holiday"]\n', 'a.toml:9: "unless": "holiday" is no schedule; add a section [host.web3.schedule.holiday]'),
    "schedules without names": (WEB + '[host.web3.schedule]\ntype = "windows"\n', "a.toml:6: schedules have names; write [host.web3.schedule.NAME]"),
    "host without name": ('[host]\naddress = "a"\n', 'a.toml:2: "address" stands in [host], which holds no settings; write [host.NAME] above it'),
    "hosts": ("[hosts.web3]\n", "a.toml:1: unknown section [hosts]; write [host.NAME]"),
    "section of the machine": ("[monitor.load]\n", "a.toml:1: unknown section [monitor]; the only sections are [host.NAME]"),
    "at_once": ("at_once = 0\n", 'a.toml:1: "at_once": 0 would wake nobody; write 1 or more'),
    "unknown setting": ("at_onec = 1\n", 'a.toml:1: unknown key "at_onec"; did you mean "at_once"?'),
    "bad name": (WEB.replace("web3", '"web 3"'), 'a.toml:1: "web 3" cannot be the name of a host: letters, digits, ".", - and _ only; write [host.NAME], and its address below'),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_told_with_line_reason_and_remedy(case: str) -> None:
    """Word for word, and nothing else."""
    text, expected = FAULTS[case]
    assert [expected] == refusal(text)


def test_a_circle_is_told_at_each_of_its_schedules() -> None:
    """As for the machine itself."""
    part = '[host.web3.schedule.{}]\ntype = "windows"\nnap = "Sun"\nunless = ["{}"]\n'
    found = refusal(WEB + part.format("a", "b") + part.format("b", "a"))
    assert ["waits for itself so" in line for line in found] == [True, True]


def test_all_faults_of_all_files_come_at_once() -> None:
    """Also where one of them is no TOML."""
    found = refusal(WEB.replace("10.0.0.3", "10.0.0.3\\"), host("b", more="boot = 1\n"), "at_once = 0\n")
    assert ["a.toml:2", "b.toml:3", "c.toml:1"] == [line.partition(": ")[0] for line in found]


def test_what_two_machines_have_in_common_by_mistake_is_noted() -> None:
    """A section that was copied: the same card, and the same address. The same address with another port is another machine, behind a router."""
    copied = (WEB + OFFICE).replace("web3", "web4")
    found = build([("a.toml", WEB + OFFICE), ("b.toml", copied)])
    assert [
        'b.toml:1: host "web4" and host "web3" have the same address and confirm: where one is up, both count as up; correct one of them',
        'b.toml:3: host "web4" and host "web3" have the same magic-packet method: who wakes one of them wakes both; correct one of them',
    ] == [str(note) for note in found.notes]
    other = copied.replace(":56", ":57").replace('"10.0.0.3"', '"10.0.0.3"\nconfirm = "tcp:2222"')
    assert () == build([("a.toml", WEB + OFFICE), ("b.toml", other)]).notes


def test_a_calendar_that_anybody_on_the_way_may_change_is_noted() -> None:
    """It starts machines. One that wakes nobody, or whose server proves who it is, is not."""
    calendar = (
        WEB
        + '[host.web3.schedule.meetings]\ntype = "ical"\nsource = "http://example.org/a.ics"\nmeans = "up"\n'
    )
    assert ['a.toml:8: whoever is between here and that server could start host "web3"; write https://'] == [
        str(note) for note in build([("a.toml", calendar)]).notes
    ]
    for harmless in (calendar.replace("http:", "https:"), calendar + "wake = false\n"):
        assert () == build([("a.toml", harmless)]).notes
