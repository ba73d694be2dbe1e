"""Takes out of text what tells whose machine it is, and puts a pseudonym there: the same for the same thing, within one snapshot.

Owns what is telling (addresses, serial numbers, identifiers, names of people and machines) and how it is recognised. Does not own
which files are recorded (:mod:`powernap.host.snapshot`): that list is the first protection, this is the second.

Pseudonyms are numbered in order of appearance. Nothing is hashed: all MAC addresses of a maker can be tried in a second.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import field

from powernap.core.value import dataclass

WORD = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
PATTERNS = {
    "ssh_key": r"(?:ssh-[a-z0-9]+|ecdsa-[a-z0-9-]+) AAAA[0-9A-Za-z+/=]+[^\n]*",
    "builder": r"\([^\s()@]+@[^\s()@]+\)",
    "socket": r"(?:[0-9A-F]{8}|[0-9A-F]{32})(?=:[0-9A-F]{4}(?![0-9A-Za-z]))",
    "uuid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "mac": r"(?<!:)[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}(?!:)",
    "interface": r"(?:enx|wlx|wwx)[0-9A-Fa-f]{12}",
    "hex": r"[0-9A-Fa-f]{32}(?:[0-9A-Fa-f]{32})?",
    "pointer": r"0x[0-9a-fA-F]{16}",
    "ipv4": r"(?<!\.)(?:\d{1,3}\.){3}\d{1,3}(?!\.\d)",
    "ipv6": r"(?<!:)(?=[0-9A-Fa-f:]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{3,39}(?!:)",
}
"""What is telling by its form. Pointers tell where the kernel lies in memory; a disk's WWN looks the same."""
BUILDER = "(builder@host)"
"""Stands for who built the kernel, and where."""

FORMS = re.compile(
    "|".join(
        f"(?P<{name}>{WORD[0] if name != 'builder' else ''}{form}{WORD[1] if name != 'builder' else ''})"
        for name, form in PATTERNS.items()
    )
)
KEYED = re.compile(
    r"^(?P<key>[A-Z]:)?(?P<name>\w*(?:SERIAL|Serial|UUID|WWN|WWID|LABEL|PART_ENTRY_NAME|MACHINE_ID|UNIQ|REMOTE_HOST|USER|REMOTE_USER)"
    r"(?:_\w+)?)(?P<sign>[ \t]*[=:][ \t]*)(?P<value>\S.*)$",
    re.MULTILINE,
)
"""What is telling by the name before it: udev data, uevent, logind's sessions, /proc/cpuinfo of an ARM board."""

BY_LABEL = re.compile(r"(?<=/by-label/)\S+|(?<=/by-partlabel/)\S+")
TELLS_NOTHING = re.compile(
    r'"?(?:[0:\-. ]*|[fF:\-]+|(?i:\(?none\)?|unknown|not specified|default string|to be filled by o\.e\.m\.|root))"?'
)
SHORTEST_WORD = {"serial": 6, "user": 3, "host": 3}
"""What is shorter is replaced where it is known to be telling, but not wherever it stands: the machine "vm" has a /proc/sys/vm."""

SHAPES: dict[str, Callable[[int], str]] = {
    "host": lambda n: f"host{n}",
    "user": lambda n: f"user{n}",
    "serial": lambda n: f"SERIAL{n:04d}",
    "uuid": lambda n: f"00000000-0000-4000-8000-{n:012x}",
    "hex": lambda n: f"{n:064x}",
    "mac": lambda n: "02:00:00:" + ":".join(re.findall("..", f"{n:06x}")),
    "ipv4": lambda n: str(ipaddress.IPv4Address("198.18.0.0") + n),
    "ipv6": lambda n: str(ipaddress.IPv6Address("2001:db8::") + n),
    "socket": lambda n: f"{n & 255:02X}{n >> 8 & 255:02X}12C6",
    "socket6": lambda n: f"B80D0120{'0' * 16}{n:08X}",
}
"""What the nth pseudonym of a kind looks like. The addresses are those set aside for measurement and examples (RFC 2544, RFC 3849)."""


@dataclass
class Pseudonyms:
    """What has been given a pseudonym so far.

    :param given: how many pseudonyms there are of each kind, for the manifest.
    """

    given: Counter[str] = field(default_factory=Counter)
    _known: dict[tuple[str, str], str] = field(default_factory=dict)
    _words: dict[str, str] = field(default_factory=dict)
    _finder: re.Pattern[str] | None = None

    def of(self, kind: str, telling: str) -> str:
        """The pseudonym of something of this kind, a new one where it has none."""
        telling = telling.strip().strip('"')
        if TELLS_NOTHING.fullmatch(telling):
            return telling
        if (kind, telling) not in self._known:
            self.given[kind] += 1
            self._known[kind, telling] = SHAPES[kind](self.given[kind])
        return self._known[kind, telling]

    def learn(self, kind: str, word: str) -> None:
        """Replace this serial number, person or machine from now on wherever it stands, if it is long enough to be meant."""
        word = word.strip().strip('"')
        if len(word) >= SHORTEST_WORD[kind] and self.of(kind, word) != word and word not in self._words:
            self._words[word] = self.of(kind, word)
            self._finder = None

    def learn_from(self, text: str) -> None:
        """Learn the serial numbers, people and machines that stand behind a key that says so."""
        for match in KEYED.finditer(text):
            label = "LABEL" in match["name"] or "ENTRY_NAME" in match["name"]
            if not label and not FORMS.fullmatch(match["value"].strip('"')):
                self.learn(kind_of_key(match["name"]), match["value"])

    def replace(self, text: str) -> str:
        """The text with everything telling replaced."""
        text = KEYED.sub(
            lambda m: f"{m['key'] or ''}{m['name']}{m['sign']}{self._keyed(m['name'], m['value'])}", text
        )
        text = BY_LABEL.sub(lambda m: self.of("serial", m[0]), text)
        return FORMS.sub(self._form, self._find().sub(lambda m: self._words[m[0]], text))

    def replace_in_path(self, path: str) -> str:
        """The path with serial numbers and addresses replaced; names of people and machines could be those of kernel directories."""
        for word, name in self._words.items():
            if name.startswith("SERIAL"):
                path = path.replace(word, name)
        return FORMS.sub(self._form, path)

    def _keyed(self, name: str, value: str) -> str:
        """What stands behind such a key becomes a name; an address or identifier keeps its form, and a user id says nothing."""
        if value.isdigit() and name == "USER":
            return value
        return value if FORMS.fullmatch(value.strip('"')) else self.of(kind_of_key(name), value)

    def _find(self) -> re.Pattern[str]:
        if self._finder is None:
            words = sorted(self._words, key=len, reverse=True)
            self._finder = re.compile("|".join(map(self._standing, words)) or r"(?!)")
        return self._finder

    def _standing(self, word: str) -> str:
        """Serial numbers are found inside other words too (``ata-DISK_SERIAL-part1``)."""
        inside = self._words[word].startswith("SERIAL")
        return re.escape(word) if inside else rf"(?<![0-9A-Za-z_]){re.escape(word)}(?![0-9A-Za-z_])"

    def _form(self, match: re.Match[str]) -> str:
        kind, telling = match.lastgroup or "", match[0]
        match kind:
            case "ssh_key":
                return "(ssh key)"
            case "builder":
                return BUILDER
            case "pointer":
                return "0x" + "0" * 16
            case "interface":
                return telling[:3] + self.of("mac", ":".join(re.findall("..", telling[3:].lower()))).replace(
                    ":", ""
                )
            case "hex":
                return self.of("hex", telling.lower())[-len(telling) :]
            case "socket":
                return self._socket(telling)
            case "ipv4" | "ipv6":
                return self._address(kind, telling)
            case _:
                return self.of(kind, telling.lower())

    def _socket(self, telling: str) -> str:
        """An address of /proc/net/tcp, in the machine's byte order; loopback (127.0.0.0/8, ::1) is kept."""
        if telling.endswith("7F") if len(telling) == 8 else telling == "0" * 24 + "01000000":
            return telling
        return self.of("socket" if len(telling) == 8 else "socket6", telling)

    def _address(self, kind: str, telling: str) -> str:
        try:
            address = ipaddress.ip_address(telling)
        except ValueError:
            return telling
        kept = address.is_loopback or address.is_unspecified or telling == "255.255.255.255"
        return telling if kept else self.of(kind, telling)


def kind_of_key(name: str) -> str:
    """What stands behind a key: a person, a machine, or else a serial number."""
    if name.endswith("USER"):
        return "user"
    return "host" if name.endswith("HOST") else "serial"


def people(passwd: str) -> list[str]:
    """Account names of people in an /etc/passwd: user ids from 1000, but not ``nobody`` (login.defs(5))."""
    fields = (line.split(":") for line in passwd.splitlines())
    return [f[0] for f in fields if len(f) > 2 and f[2].isdigit() and 1000 <= int(f[2]) < 65534]
