"""Meters that ask somebody: a program, a plug, a management controller from inside and over the network. Real sockets and programs, fake answers."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakekernel import plain_vm
from powernap import meters
from powernap.cli import metered
from powernap.config.model import Config
from powernap.host import ipmi
from powernap.host.availability import UnavailableError
from powernap.host.host import Host
from powernap.meters import command, ipmi_dcmi, plug, redfish

HERE = Host()


class Appliance:
    """An HTTP server of one's own that answers as the test says; ``asked`` holds paths.

    :ivar door: judges the path and ``Authorization`` of a request: ``None`` lets it in, else the challenges that go with 401.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.door: Callable[[str, str], list[str] | None] = lambda _path, _words: None
        appliance = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                appliance.asked.append(self.path)
                challenges = appliance.door(self.path, self.headers.get("Authorization", ""))
                if challenges is not None:
                    self.send_response(401)
                    for each in challenges:
                        self.send_header("WWW-Authenticate", each)
                    self.end_headers()
                    return
                answer = appliance.answers.get(self.path.partition("&user=")[0])
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(404 if answer is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        """Gone."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def appliance() -> Iterator[Appliance]:
    """For one test."""
    found = Appliance()
    try:
        yield found
    finally:
        found.close()


def opened(text: str) -> meters.Meter:
    found = metered.named(HERE, Config(), text)
    assert found.answer, found
    return meters.find(found.kind).open(HERE, found.options)


def refusal(text: str) -> str:
    """Why it cannot be opened."""
    with pytest.raises(UnavailableError) as refused:
        opened(text)
    return refused.value.availability.detail


# ---------------------------------------------------------------- a program


def program(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_a_programs_first_number_is_the_watts(tmp_path: Path) -> None:
    """With whatever it says around it; its arguments are words."""
    meter = opened(f"command:{program(tmp_path / 'pdu', 'echo outlet: $1.5 W of 900')} 142,interval=10s")
    assert 142.5 == meter.read().watts
    assert 10.0 == meter.interval
    meter.close()


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    """Its exit code and its last words; or that it printed no number."""
    with pytest.raises(OSError, match="ended with 3: no such outlet"):
        opened(f"command:{program(tmp_path / 'a', 'echo no such outlet; exit 3')}").read()
    with pytest.raises(OSError, match="said nothing"):
        opened(f"command:{program(tmp_path / 'b', 'exit 1')}").read()
    with pytest.raises(ValueError, match="no number"):
        opened(f"command:{program(tmp_path / 'c', 'echo none')}").read()


@pytest.mark.parametrize(
    ("words", "says"), [("pdu-watts", "whole path"), ("/nonexistent/x", "not a program"), ("", "whole path")]
)
def test_a_program_must_be_there(words: str, says: str) -> None:
    """Probing does not start it."""
    answer = command.probe(HERE, command.Options(program=words))
    assert not answer
    assert says in answer.detail
    with pytest.raises(UnavailableError):
        command.open(HERE, command.Options(program=words))


@given(st.floats(0, 1e6), st.sampled_from(["", "power ", "= "]), st.sampled_from(["", " W", "\n"]))
def test_any_way_to_write_watts_is_read(watts: float, before: str, after: str) -> None:
    """As programs print floats."""
    assert watts == command.parse(f"{before}{watts!r}{after}")


# ---------------------------------------------------------------- a plug


SHELLY_1 = {"wifi_sta": {}, "meters": [{"power": 61.5, "is_valid": True, "total": 12345}]}
SHELLY_2 = {"id": 0, "output": True, "apower": 62.5, "aenergy": {"total": 1.0}}
TASMOTA = {"StatusSNS": {"Time": "2026-01-01T00:00:00", "ENERGY": {"Total": 1.0, "Power": 63}}}
TWO = {"StatusSNS": {"ENERGY": {"Power": [30, 34.5]}}}
RPC, STATUS, CM = plug.DIALECTS


@pytest.mark.parametrize(
    ("path", "answer", "watts"),
    [(STATUS, SHELLY_1, 61.5), (RPC, SHELLY_2, 62.5), (CM, TASMOTA, 63.0), (CM, TWO, 64.5)],
)
def test_each_kind_of_plug_is_recognised(appliance: Appliance, path: str, answer: Any, watts: float) -> None:
    """By the question that it answers; from then on only that one is asked."""
    appliance.answers[path] = answer
    meter = opened(f"plug:{appliance.address}")
    appliance.asked.clear()
    assert watts == meter.read().watts
    assert [path] == appliance.asked
    meter.close()


def test_the_plugs_of_two_power_supplies_are_added_up(appliance: Appliance) -> None:
    """One of them alone would show half, or any other share."""
    appliance.answers[RPC] = SHELLY_2
    assert 125.0 == opened(f"plug:{appliance.address}+{appliance.address}").read().watts


@pytest.mark.parametrize(
    "answer", [None, b"<html>", {"apower": None}, {"meters": []}, {"meters": {"0": 1}}, [], 7]
)
def test_what_is_no_plug_is_refused(appliance: Appliance, answer: Any) -> None:
    """A printer, a router, a plug without a meter."""
    appliance.answers = dict.fromkeys(plug.DIALECTS, answer)
    assert "no Shelly and no Tasmota" in refusal(f"plug:{appliance.address}")


def test_a_plug_that_is_not_there_is_refused_with_the_reason(appliance: Appliance) -> None:
    """And one that goes away later makes a reading fail, not a wrong one."""
    appliance.answers[RPC] = SHELLY_2
    meter = opened(f"plug:{appliance.address}")
    appliance.close()
    with pytest.raises(ConnectionRefusedError):
        meter.read()
    assert "refused" in refusal(f"plug:{appliance.address}")
    appliance.__init__()  # type: ignore[misc] # for the fixture to close


def test_an_answer_that_is_not_http_is_an_error(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something else listens there."""
    monkeypatch.setattr(BaseHTTPRequestHandler, "protocol_version", "NONSENSE/9")
    appliance.answers[RPC] = SHELLY_2
    with pytest.raises(OSError, match="BadStatusLine"):
        plug.get(appliance.address, RPC)


# ---------------------------------------------------------------- a plug with a password


PASSWORD = "s3cret &=ß"
DIGEST = 'Digest qop="auth", realm="shellyplus1-a8032abe54dc", nonce="60dc2a6f", algorithm=SHA-256'


def basic(_path: str, words: str) -> list[str] | None:
    """A Shelly of the first generation (RFC 7617)."""
    right = "Basic " + b64encode(f"admin:{PASSWORD}".encode()).decode()
    return None if words == right else ['Basic realm="shelly"']


def digest(path: str, words: str) -> list[str] | None:
    """A later Shelly (RFC 7616): it knows a hash of user, realm and password, and wants one of that and the question."""
    said = dict(re.findall(r'(\w+)="?([^",]*)"?', words.removeprefix("Digest ")))
    who = digested(f"admin:shellyplus1-a8032abe54dc:{PASSWORD}")
    right = digested(f"{who}:60dc2a6f:{said.get('nc')}:{said.get('cnonce')}:auth:{digested(f'GET:{path}')}")
    good = (said.get("response"), said.get("uri"), said.get("username")) == (right, path, "admin")
    return None if good else ['Basic realm="x"', DIGEST]


def in_the_address(path: str, _words: str) -> list[str] | None:
    """A Tasmota."""
    return None if path.endswith("&user=admin&password=s3cret%20%26%3D%C3%9F") else []


def digested(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Readable by us only."""
    path = tmp_path / "plug.secret"
    path.write_text(f"# the plug below the desk\npassword = {PASSWORD}\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("door", "path", "answer", "watts"),
    [(basic, STATUS, SHELLY_1, 61.5), (digest, RPC, SHELLY_2, 62.5), (in_the_address, CM, TASMOTA, 63.0)],
)
def test_a_plug_with_a_password_is_told_it(
    appliance: Appliance, secret: Path, door: Any, path: str, answer: Any, watts: float
) -> None:
    """As its kind asks for it, and shown nowhere; without it, or with another, the plug is refused with that reason."""
    appliance.answers[path], appliance.door = answer, door
    meter = opened(f"plug:{appliance.address},secret_file={secret}")
    assert watts == meter.read().watts
    assert f"http://{appliance.address}{path}" == meter.source
    assert "it wants a password" in refusal(f"plug:{appliance.address}")
    secret.write_text("user = admin\npassword = wr0ng\n")
    said = refusal(f"plug:{appliance.address},secret_file={secret}")
    assert "refuses this user and password" in said
    assert "wr0ng" not in said


def test_a_plug_that_asks_for_no_password_is_told_none(appliance: Appliance, secret: Path) -> None:
    """Whoever has its address by now does not learn it."""
    appliance.answers[CM] = TASMOTA
    heard: list[str] = []
    appliance.door = lambda path, words: heard.append(path + words)
    assert 63.0 == opened(f"plug:{appliance.address},secret_file={secret}").read().watts
    assert [RPC, STATUS, CM, CM] == heard


@pytest.mark.parametrize(
    ("spoil", "says", "remedy"),
    [
        (lambda path: path.chmod(0o640), "can be read by others", "chmod 600"),
        (lambda path: path.unlink(), "No such file", "write it"),
        (lambda path: path.write_text("user = me\n"), "holds no password", "password = ..."),
        (lambda path: path.write_text("s3cret\n"), ":1 is not understood", "password = ..."),
    ],
)
def test_a_password_file_that_will_not_do_is_refused(
    appliance: Appliance, secret: Path, spoil: Any, says: str, remedy: str
) -> None:
    """Before anybody is asked, and with what to do."""
    spoil(secret)
    with pytest.raises(UnavailableError) as refused:
        plug.open(HERE, plug.Options(address=appliance.address, secret_file=str(secret)))
    answer = refused.value.availability
    assert says in answer.detail
    assert remedy in answer.remedy
    assert [] == appliance.asked


# ---------------------------------------------------------------- a controller from inside


def answer_of(watts: int, state: int = 0x40, code: int = 0) -> bytes:
    return ipmi_dcmi.ANSWER.pack(code, 0xDC, watts, 10, 400, 150, 1_700_000_000, 60_000, state)


class FakeController:
    """Answers with these bytes, or raises."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers, self.requests, self.closed = list(answers), list[tuple[int, int, bytes]](), False

    def ask(self, netfn: int, cmd: int, data: bytes) -> bytes:
        self.requests.append((netfn, cmd, data))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed = True


def test_the_controller_is_asked_for_the_power_now() -> None:
    """Not for the mean of a window that may be months: DCMI, network function 2Ch, command 02h, mode 1."""
    controller = FakeController(answer_of(212), answer_of(180))
    meter = ipmi_dcmi.begin(HERE, controller)
    assert 180.0 == meter.read().watts
    assert (0x2C, 0x02, b"\xdc\x01\x00\x00") == controller.requests[0]
    meter.close()
    assert controller.closed


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"\xc1", "knows no DCMI"),
        (b"\xff\xdc", "refused (FFh)"),
        (b"", "empty answer"),
        (b"\x00\xdc\x10", "no DCMI power reading"),
        (answer_of(100)[:1] + b"\x00" + answer_of(100)[2:], "no DCMI power reading"),
        (answer_of(100, state=0), "switched off"),
        (TimeoutError(errno.ETIMEDOUT, "no answer within 5 s"), "no answer within 5 s"),
    ],
)
def test_a_controller_that_does_not_tell_is_refused(answer: bytes | Exception, says: str) -> None:
    """With the reason, and its device given back."""
    controller = FakeController(answer)
    with pytest.raises(UnavailableError) as refused:
        ipmi_dcmi.begin(HERE, controller)
    assert says in refused.value.availability.detail
    assert controller.closed


@given(st.binary(max_size=40))
def test_any_bytes_are_an_answer_or_an_error(answer: bytes) -> None:
    """Never another exception, and never a negative power."""
    try:
        assert ipmi_dcmi.parse(answer) >= 0
    except (OSError, ValueError) as error:
        assert str(error)


def test_a_device_that_is_no_controller_is_refused(tmp_path: Path) -> None:
    """The ioctl numbers are the kernel's; a plain file knows none of them."""
    assert (0x8028690D, 0xC030690B) == (ipmi.SEND, ipmi.RECEIVE_TRUNC)
    path = tmp_path / "ipmi0"
    path.touch()
    controller = ipmi.Controller(str(path))
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        controller.ask(0x2C, 0x02, b"\xdc\x01\x00\x00")
    controller.close()
    controller.close()
    with pytest.raises(OSError, match="No such file"):
        ipmi.Controller(str(tmp_path / "none"))


def test_a_recorded_machine_with_a_controller_shows_it(tmp_path: Path) -> None:
    """Its device is in the tree; ours is not opened."""
    kernel = plain_vm(tmp_path / "machine")
    kernel.add("/dev/ipmi0")
    assert ipmi_dcmi.probe(Host(files=kernel, live=False), ipmi_dcmi.Options())


# ---------------------------------------------------------------- a controller over the network


METRICS = {"@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics", "PowerWatts": {"Reading": 231.5}}
POWER = {"PowerControl": [{"PowerConsumedWatts": 187}, {"PowerConsumedWatts": 40}], "Voltages": ["x" * 20000]}
COLLECTION = {
    "Members": [{"@odata.id": "/redfish/v1/Chassis/Enclosure"}, {"@odata.id": "/redfish/v1/Chassis/1"}]
}


@pytest.fixture
def netrc(tmp_path: Path) -> Path:
    """Readable by us only."""
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login admin password secret\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("path", "resource", "watts"),
    [
        ("/redfish/v1/Chassis/1/EnvironmentMetrics", METRICS, 231.5),
        ("/redfish/v1/Chassis/1/Power", POWER, 187.0),
    ],
)
def test_both_generations_of_redfish_are_read(
    appliance: Appliance, netrc: Path, path: str, resource: Any, watts: float
) -> None:
    """The first chassis that tells its power is taken; a long resource is read whole, and then nothing else is asked."""
    appliance.answers = {"/redfish/v1/Chassis": COLLECTION, path: resource}
    meter = opened(f"redfish:http://{appliance.address},netrc={netrc}")
    appliance.asked.clear()
    assert watts == meter.read().watts
    assert [path] == appliance.asked
    appliance.answers[path] = {}
    with pytest.raises(OSError, match="no reading now"):
        meter.read()
    meter.close()


def test_a_named_chassis_is_the_only_one_asked(appliance: Appliance, netrc: Path) -> None:
    """For an enclosure with several machines."""
    appliance.answers = {"/redfish/v1/Chassis/Blade3/Power": POWER}
    opened(f"redfish:http://{appliance.address},netrc={netrc},chassis=/redfish/v1/Chassis/Blade3")
    assert "/redfish/v1/Chassis" not in appliance.asked


@pytest.mark.parametrize("collection", [None, COLLECTION, [], {"Members": [7, {"@odata.id": 3}]}, b"<html>"])
def test_a_controller_without_power_is_refused(appliance: Appliance, netrc: Path, collection: Any) -> None:
    """With what it answered, or curl said."""
    appliance.answers = {"/redfish/v1/Chassis": collection}
    assert appliance.address in refusal(f"redfish:http://{appliance.address},netrc={netrc}")


def test_passwords_that_others_can_read_are_refused(netrc: Path) -> None:
    """And a file that is not there, and a machine without curl."""
    netrc.chmod(0o644)
    options = redfish.Options(address="https://bmc", netrc=str(netrc))
    assert "chmod 600" in redfish.probe(HERE, options).remedy
    with pytest.raises(UnavailableError):
        redfish.open(HERE, options)
    assert (
        "does not exist"
        in redfish.probe(HERE, redfish.Options(address="https://bmc", netrc="/nonexistent")).detail
    )


def test_without_curl_the_remedy_is_to_install_it(netrc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's TLS stays out of PowerNap."""
    monkeypatch.setenv("PATH", os.devnull)
    assert "curl" in redfish.probe(HERE, redfish.Options(address="https://bmc", netrc=str(netrc))).detail


@pytest.mark.parametrize(
    ("resource", "watts"),
    [
        ([], None),
        ({}, None),
        ({"PowerWatts": None}, None),
        ({"PowerWatts": {"Reading": None}, "PowerControl": [{"PowerConsumedWatts": 12}]}, 12.0),
        ({"PowerControl": {"PowerConsumedWatts": 12}}, None),
        ({"PowerControl": [{"PowerConsumedWatts": True}]}, None),
        ({"PowerControl": []}, None),
    ],
)
def test_controllers_leave_out_what_they_like(resource: Any, watts: float | None) -> None:
    """No value is no reading, never an exception."""
    assert watts == redfish.power(resource)
