"""A calendar from a web server: http and https, certificates checked, every size and time bounded.

Owns one conversation with a server. Messages name no path and no query: a calendar's private address is a password.
"""

from __future__ import annotations

import base64
import http.client
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from powernap import __version__
from powernap.ical.bounds import within

LARGEST = 10 << 20
"""Bytes of a calendar. Ten years of a busy person's take 5 MiB."""
REDIRECTS = 5
VALIDATOR = 100
"""Characters; those of known servers have up to 70."""
PIECE = 65536
MOVED = frozenset({301, 302, 303, 307, 308})
WHY = {
    401: "it asks for a user and a password (401), or refuses those in the secret file",
    403: "it refuses (403): the calendar is not shared with this address",
    404: "it has no calendar there (404)",
    410: "it has no calendar there any more (410)",
    429: "it was asked too often (429)",
}


class FetchError(Exception):
    """There is no calendar to be had now; the message says why."""


@dataclass(frozen=True)
class Wanted:
    """What is fetched.

    :param etag: and ``modified``: what the server said of the copy that is there (RFC 9110, 8.8); empty for none.
    :param cacert: certificates (PEM) to be trusted instead of the system's.
    :param proxies: by scheme, as ``urllib`` has them; ``no``: hosts for which there is none.
    :param seconds: for all of it.
    """

    address: str
    etag: str = ""
    modified: str = ""
    user: str = ""
    password: str = ""
    cacert: str = ""
    proxies: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 60.0


@dataclass(frozen=True)
class Page:
    """``content`` is ``None`` where the copy that is there is still the newest."""

    content: bytes | None
    etag: str = ""
    modified: str = ""


def fetch(wanted: Wanted) -> Page:
    """Ask the server; ``FetchError`` with what went wrong."""
    try:
        with within(wanted.seconds):
            return _follow(wanted, _opener(wanted))
    except TimeoutError:
        raise FetchError(f"no complete answer within {wanted.seconds:g} s") from None
    except URLError as error:
        raise FetchError(_reason(error.reason, wanted.seconds)) from None
    except http.client.IncompleteRead:
        raise FetchError("the connection broke in the midst of the calendar") from None
    except ssl.SSLError as error:
        raise FetchError(_reason(error, wanted.seconds)) from None
    except (http.client.HTTPException, ValueError) as error:
        raise FetchError(f"it does not speak HTTP as it should ({type(error).__name__})") from None
    except OSError as error:
        raise FetchError(_reason(error, wanted.seconds)) from None


def _opener(wanted: Wanted) -> OpenerDirector:
    """Of urllib's handlers those for the web alone: no file:, no ftp:, no redirects that are followed unseen."""
    os.environ["no_proxy"] = wanted.proxies.get("no", "")  # the one way to tell it
    opener = OpenerDirector()
    opener.addheaders = []
    for handler in (
        ProxyHandler(dict(wanted.proxies)),
        HTTPHandler(),
        HTTPSHandler(context=ssl.create_default_context(cadata=wanted.cacert or None)),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
        UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _follow(wanted: Wanted, opener: OpenerDirector) -> Page:
    address = wanted.address
    for _ in range(REDIRECTS + 1):
        try:
            request = Request(address, headers=_headers(wanted, address))  # noqa: S310 - the opener knows the web alone
            answer = opener.open(request, timeout=wanted.seconds)
        except HTTPError as error:
            with error:
                if error.code == 304:
                    return Page(None, wanted.etag, wanted.modified)
                if error.code not in MOVED:
                    raise FetchError(
                        WHY.get(error.code, f"it answers with an error ({error.code})")
                    ) from None
                address = _next(address, str(error.headers.get("Location", "")))
                continue
        with answer:
            headers = answer.headers
            return Page(
                _body(answer), _validator(headers.get("ETag")), _validator(headers.get("Last-Modified"))
            )
    raise FetchError(f"it sends us on more than {REDIRECTS} times")


def _validator(value: object) -> str:
    """What is said again to the server next time; empty where it cannot be."""
    words = str(value or "")
    return words if len(words) <= VALIDATOR and words.isascii() and words.isprintable() else ""


def _headers(wanted: Wanted, address: str) -> dict[str, str]:
    """The password goes to the server it is for, and not to where that sends us on."""
    headers = {
        "User-Agent": f"powernap/{__version__}",
        "Accept": "text/calendar, text/plain;q=0.5, */*;q=0.1",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if wanted.etag:
        headers["If-None-Match"] = wanted.etag
    if wanted.modified:
        headers["If-Modified-Since"] = wanted.modified
    if wanted.user and _origin(urlsplit(address)) == _origin(urlsplit(wanted.address)):
        pair = f"{wanted.user}:{wanted.password}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode("ascii")
    return headers


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)


def _next(address: str, location: str) -> str:
    """Where it sends us on to; ``FetchError`` where we do not go."""
    there = urljoin(address, location)
    parts = urlsplit(there)
    if not location or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise FetchError("it sends us on to what is no web address")
    if urlsplit(address).scheme == "https" and parts.scheme == "http":
        raise FetchError("it sends us on from https to http, where anybody could change the calendar")
    return there


def _body(answer: Any) -> bytes:
    """All of it; ``FetchError`` where that is too much, or less than announced."""
    announced = str(answer.headers.get("Content-Length", ""))
    content = bytearray()
    while piece := answer.read(PIECE):
        content += piece
        if len(content) > LARGEST:
            raise FetchError(f"it is larger than {LARGEST >> 20} MiB")
    if announced.isdecimal() and len(content) < int(announced):
        raise FetchError(f"the connection broke after {len(content)} of {announced} bytes")
    return bytes(content)


def _reason(error: object, seconds: float) -> str:
    """The words of a certificate check, of the resolver and of the kernel, for people."""
    if words := getattr(error, "verify_message", ""):
        return f"its certificate is not accepted: {words}"
    if isinstance(error, TimeoutError):
        return f"no complete answer within {seconds:g} s"
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be reached: {error.strerror}"
    if isinstance(error, OSError):
        return f"it cannot be reached ({type(error).__name__})"
    return "its address is not of a kind that is fetched"
