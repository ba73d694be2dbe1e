"""User and password for plain HTTP: the answer to what a server asks with 401.

Owns RFC 7617 (Basic) and of RFC 7616 (Digest) SHA-256 with ``qop=auth``. Sends nothing itself, and shows the password to nobody.
"""

from __future__ import annotations

import base64
import os
import re
from hashlib import sha256
from urllib.parse import quote

PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')


class Login:
    """One user. (No dataclass: that would print its fields.)"""

    def __init__(self, user: str, password: str) -> None:
        self.user, self._password = user, password

    def header(self, challenges: list[str], path: str) -> str:
        """``Authorization`` for a GET of ``path``; empty where nothing is asked for that we know. Digest goes before Basic.

        :param challenges: values of ``WWW-Authenticate``.
        """
        asked = {scheme.lower(): rest for scheme, _, rest in (each.partition(" ") for each in challenges)}
        words = {
            key.lower(): quoted or plain for key, quoted, plain in PARAMETER.findall(asked.get("digest", ""))
        }
        if words.get("algorithm", "").upper() == "SHA-256":
            return self._digest(words, path)
        return self._basic() if "basic" in asked else ""

    def query(self) -> str:
        """As part of an address, for what knows no other way."""
        return f"user={quote(self.user, safe='')}&password={quote(self._password, safe='')}"

    def _basic(self) -> str:
        return f"Basic {base64.b64encode(f'{self.user}:{self._password}'.encode()).decode()}"

    def _digest(self, asked: dict[str, str], path: str) -> str:
        ours = os.urandom(8).hex()
        realm, nonce = asked.get("realm", ""), asked.get("nonce", "")
        who, what = _hash(f"{self.user}:{realm}:{self._password}"), _hash(f"GET:{path}")
        response = _hash(f"{who}:{nonce}:00000001:{ours}:auth:{what}")
        words = {"username": self.user, "realm": realm, "nonce": nonce, "uri": path, "cnonce": ours}
        words |= {"response": response} | {key: asked[key] for key in ("opaque",) if key in asked}
        quoted = ", ".join(f'{key}="{value}"' for key, value in words.items())
        return f"Digest {quoted}, algorithm=SHA-256, qop=auth, nc=00000001"


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
