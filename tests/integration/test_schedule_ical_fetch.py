"""Calendars from a real web server on this machine, read by the real process: what servers do, and what of it reaches the schedule."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from calendars import calendar, content, expected, instant, utc
from machines import Clock
from powernap.host import calendar_reader
from powernap.host.host import Host
from powernap.schedules import ScheduleError
from powernap.schedules._ical_upkeep import AHEAD, DAY, RENEWED
from powernap.schedules.ical import Options, due, refresh, spans, state

TLS = Path(__file__).parent.parent / "data" / "tls"
NOON = instant("2026-11-23T12:00Z")
GOOD = calendar("DTSTART:20261124T100000Z\nDTEND:20261124T110000Z\nSUMMARY:Good\nRRULE:FREQ=WEEKLY")
BERLIN = ZoneInfo("Europe/Berlin")

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A web server whose answers a test gives; it remembers the headers of each request."""

    def __init__(self, tls: bool = False) -> None:
        self.answer: Answer = page(GOOD)
        self.asked: list[dict[str, str]] = []
        self.over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append(
                    {"path": self.path, **{name.lower(): value for name, value in self.headers.items()}}
                )
                self.close_connection = True
                outer.answer(self)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = False
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(TLS / "localhost.crt", TLS / "localhost.key")
            self.http.socket = context.wrap_socket(
                self.http.socket, server_side=True, do_handshake_on_connect=False
            )
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.port = self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        """Every thread of it has ended."""
        self.over.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def page(body: bytes, status: int = 200, announced: int | None = None, **headers: str) -> Answer:
    """An answer as a whole, or one that announces more than it gives."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body) if announced is None else announced))
        request.end_headers()
        request.wfile.write(body)

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    """In the clear."""
    each = Server()
    yield each
    each.close()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A machine at noon, with a daemon that has a directory."""
    return Host(clock=Clock(NOON), state=str(tmp_path / "state"))


def at(server: Server, **given: Any) -> Options:
    """The calendar of that server."""
    return Options(**({"source": f"http://127.0.0.1:{server.port}/private-0123/basic.ics"} | given))


def titles(host: Host, options: Options) -> list[str]:
    """What the schedule says for a week."""
    return [
        span.detail for span in spans(host, options, host.clock.wall(), host.clock.wall() + 7 * DAY, BERLIN)
    ]


def test_a_calendar_is_fetched_and_says_what_its_program_shows(server: Server, host: Host) -> None:
    """From the server to the schedule, by way of nobody's process."""
    wanted, options = expected("google"), at(server)
    server.answer = page(content("google"), Content_Type="text/calendar; charset=UTF-8")
    host.clock.now = wanted.start  # type: ignore[attr-defined]
    found = refresh(host, options)
    assert (wanted.start, 0.0, "") == (found.good, found.since, found.reason)
    said = spans(host, options, wanted.start, wanted.end, wanted.zone)
    assert wanted.events == sorted((utc(span.start), utc(span.end), span.detail) for span in said)
    assert due(host, options) == 3600


def test_a_server_is_asked_whether_there_is_a_newer_one(server: Server, host: Host) -> None:
    """With its own words; 304 keeps the copy and is a success."""
    options = at(server)
    server.answer = page(GOOD, ETag='"abc-7"', Last_Modified="Sun, 22 Nov 2026 10:00:00 GMT")
    refresh(host, options)
    server.answer = page(b"", 304)
    host.clock.now += 3600  # type: ignore[attr-defined]
    assert refresh(host, options).good == NOON + 3600
    assert titles(host, options) == ["Good"]
    first, second = server.asked
    assert "if-none-match" not in first
    assert ('"abc-7"', "Sun, 22 Nov 2026 10:00:00 GMT") == (
        second["if-none-match"],
        second["if-modified-since"],
    )
    assert second["accept-encoding"] == "identity"


def test_a_copy_that_stays_the_same_is_worked_out_further_ahead(server: Server, host: Host) -> None:
    """After a week of 304, and although the server has gone: no year passes unseen."""
    options = at(server)
    server.answer = page(GOOD, ETag='"1"')
    refresh(host, options)
    server.answer = page(b"", 304)
    for weeks, answer in ((1, page(b"", 304)), (2, page(b"", 500)), (3, page(b"", 304))):
        server.answer = answer
        host.clock.now = NOON + weeks * RENEWED  # type: ignore[attr-defined]
        refresh(host, options)
        late = host.clock.wall() + AHEAD - 7 * DAY
        assert len(list(spans(host, options, late, late + 7 * DAY, BERLIN))) == 1
    assert ['"1"'] * 3 == [asked["if-none-match"] for asked in server.asked[1:]]


def silent(server: Server) -> Answer:
    """Takes the question and says nothing until the test is over."""

    def answer(_request: BaseHTTPRequestHandler) -> None:
        server.over.wait()

    return answer


def trickle(server: Server) -> Answer:
    """A byte now and then, for ever: no single wait is long."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        while not server.over.wait(0.05):
            request.wfile.write(b"B")

    return answer


def rude(request: BaseHTTPRequestHandler) -> None:
    """No HTTP."""
    request.wfile.write(b"220 mail.example.org ESMTP\r\n")


def onward(location: str, status: int = 302) -> Answer:
    """Sends on."""
    return page(b"", status, Location=location)


FAILURES = {
    "401": (page(b"", 401, WWW_Authenticate='Basic realm="x"'), "asks for a user and a password (401)"),
    "403": (page(b"", 403), "refuses (403)"),
    "404": (page(b"not here", 404), "no calendar there (404)"),
    "500": (page(b"Traceback", 500), "answers with an error (500)"),
    "a page to log in": (page(b"<html><body>Log in"), "a web page, no calendar"),
    "nothing": (page(b""), "does not begin with BEGIN:VCALENDAR"),
    "a file cut off": (page(GOOD[:-20]), "END:VCALENDAR is missing"),
    "a connection that breaks": (
        page(GOOD[:-20], announced=len(GOOD)),
        f"broke after {len(GOOD) - 20} of {len(GOOD)} bytes",
    ),
    "too large": (page(b"BEGIN:VCALENDAR\r\n" + b"X" * (11 << 20)), "larger than 10 MiB"),
    "no HTTP": (rude, "does not speak HTTP"),
    "a loop": (onward("/private-0123/basic.ics"), "sends us on more than 5 times"),
    "to a file": (onward("file:///etc/shadow"), "to what is no web address"),
    "to nowhere": (page(b"", 301), "to what is no web address"),
    "to ftp": (onward("ftp://127.0.0.1/a.ics"), "to what is no web address"),
    "without end": (
        page(calendar("SUMMARY:It\nDTSTART:20260101T000000Z\nRRULE:FREQ=SECONDLY")),
        '"It": it repeats more than',
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_keeps_the_last_good_copy_and_says_since_when(
    server: Server, host: Host, failure: str
) -> None:
    """And why, in words for an admin, without the private part of the address. The first failure is the one that counts."""
    options = at(server)
    refresh(host, options)
    answer, why = FAILURES[failure]
    server.answer = answer
    host.clock.now = NOON + 3600  # type: ignore[attr-defined]
    found = refresh(host, options)
    assert (NOON, NOON + 3600) == (found.good, found.since)
    assert why in found.reason
    assert found.reason.startswith(f"http://127.0.0.1:{server.port}: ")
    assert "private" not in found.reason
    assert titles(host, options) == ["Good"]


def test_when_it_fails_on_it_still_says_since_when_and_recovers_by_itself(server: Server, host: Host) -> None:
    """Asked again sooner than usual, later each time; the first good one ends it."""
    options = at(server)
    refresh(host, options)
    server.answer = page(b"", 503)
    waits = []
    for _ in range(3):
        host.clock.now += 3600  # type: ignore[attr-defined]
        assert refresh(host, options).since == NOON + 3600
        waits.append(due(host, options))
    assert [30, 60, 120] == waits
    server.answer = page(GOOD)
    host.clock.now += 120  # type: ignore[attr-defined]
    assert refresh(host, options).since == 0
    assert due(host, options) == 3600


@pytest.mark.parametrize("slow", [silent, trickle])
def test_a_server_that_takes_its_time_is_not_waited_for(
    server: Server, host: Host, slow: Callable[[Server], Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that says nothing nor one that says a byte now and then."""
    monkeypatch.setattr(calendar_reader, "NETWORK", 1.0)
    server.answer = slow(server)
    assert "no complete answer within 1 s" in refresh(host, at(server)).reason


def test_nobody_listens(host: Host) -> None:
    """The kernel's own words."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        options = Options(source=f"http://127.0.0.1:{taken.getsockname()[1]}/")
        found = refresh(host, options)
    assert "cannot be reached: Connection refused" in found.reason
    with pytest.raises(ScheduleError, match="could never be read: it cannot be reached"):
        titles(host, options)


def test_a_name_that_nobody_has(host: Host) -> None:
    """RFC 6761 keeps .invalid free."""
    assert "cannot be reached" in refresh(host, Options(source="https://nobody.invalid/a.ics")).reason


def test_it_follows_to_another_place(server: Server, host: Host) -> None:
    """As the services that shorten addresses and those that moved do."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        (page(GOOD) if request.path == "/new" else onward("/new", 308))(request)

    server.answer = answer
    assert refresh(host, at(server)).reason == ""


# --- secrets


def test_the_password_goes_to_its_server_only(server: Server, host: Host, tmp_path: Path) -> None:
    """Not to another one that the first sends us on to, not into the copy, not into a message."""
    secret = tmp_path / "secret"
    secret.write_text("user = ada\npassword = hunter2\n")
    secret.chmod(0o600)
    other = Server()
    try:
        server.answer = onward(f"http://127.0.0.1:{other.port}/elsewhere")
        options = at(server, secret_file=str(secret))
        assert refresh(host, options).reason == ""
    finally:
        other.close()
    pair = "Basic " + base64.b64encode(b"ada:hunter2").decode()
    assert server.asked[0]["authorization"] == pair
    assert "authorization" not in other.asked[0]
    server.answer = page(b"", 401)
    assert "hunter2" not in refresh(host, options).reason
    for path in (tmp_path / "state" / "calendars").iterdir():
        assert b"hunter2" not in path.read_bytes()


def test_a_private_address_comes_from_the_secret_file(server: Server, host: Host, tmp_path: Path) -> None:
    """So that the configuration, which anybody may read, names the server alone."""
    secret = tmp_path / "secret"
    secret.write_text(f"address = http://127.0.0.1:{server.port}/private-fedcba/basic.ics\n")
    secret.chmod(0o600)
    refresh(host, Options(source=f"http://127.0.0.1:{server.port}", secret_file=str(secret)))
    assert server.asked[0]["path"] == "/private-fedcba/basic.ics"


# --- TLS


@pytest.mark.parametrize(
    ("name", "cacert", "why"),
    [
        ("localhost", "", "its certificate is not accepted: self-signed certificate"),
        ("127.0.0.1", str(TLS / "localhost.crt"), "its certificate is not accepted: IP address mismatch"),
        ("localhost", str(TLS / "localhost.key"), "it cannot be reached"),
        ("localhost", str(TLS / "localhost.crt"), ""),
    ],
)
def test_a_server_must_prove_who_it_is(host: Host, name: str, cacert: str, why: str) -> None:
    """By a certificate that the system or the admin trusts, in the name that was asked for."""
    server = Server(tls=True)
    try:
        options = Options(source=f"https://{name}:{server.port}/a.ics", cacert=cacert)
        found = refresh(host, options)
    finally:
        server.close()
    assert why in found.reason
    assert bool(why) == bool(found.reason)
    assert bool(why) == (not server.asked)


def test_it_does_not_go_from_https_to_http(server: Server, host: Host) -> None:
    """Anybody on the way could change the calendar."""
    tls = Server(tls=True)
    try:
        tls.answer = onward(f"http://127.0.0.1:{server.port}/a.ics")
        options = Options(source=f"https://localhost:{tls.port}/a.ics", cacert=str(TLS / "localhost.crt"))
        assert "from https to http" in refresh(host, options).reason
    finally:
        tls.close()
    assert not server.asked


def test_a_proxy_is_used_where_the_daemon_has_one(
    server: Server, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its environment, as curl and pip have it; what is excepted is asked itself."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    assert refresh(host, Options(source="http://calendar.invalid/a.ics")).reason == ""
    assert server.asked[0]["path"] == "http://calendar.invalid/a.ics"
    monkeypatch.setenv("no_proxy", "calendar.invalid")
    assert "cannot be reached" in refresh(host, Options(source="http://calendar.invalid/b.ics")).reason
    assert state(host, Options(source="http://calendar.invalid/a.ics")).since == 0
