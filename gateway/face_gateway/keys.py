"""API keys: a file of names and hashes, what each may do, and how often.

A line is a name, the SHA-256 of the key, and what holds for it:

    camera-7  sha256:5e88…  rate=5 burst=10 may=faces
    backend   sha256:03ac…

Keys are 256 random bits (`add_key`), so a plain hash cannot be guessed back. The file is read again when it changes.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from face_client.errors import InvalidInput
from face_gateway.errors import KeyNeeded, NotAllowed, TooManyRequests

PERMISSIONS = ("faces", "identify", "enrol")
"""faces: find, recognise, compare, crop, blur. identify: names of faces. enrol: enrol, forget and list people."""

_NAME = re.compile(r"[\w.@-]{1,64}")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_LOOK_AGAIN_S = 1.0


@dataclass(frozen=True)
class Key:
    """name: for the log. rate: requests a second; None: any number. burst: so many at once."""

    name: str
    rate: float | None = None
    burst: int = 1
    may: frozenset[str] = frozenset(PERMISSIONS)

    def check(self, permission: str) -> None:
        """Raises NotAllowed."""
        if permission not in self.may:
            raise NotAllowed(f"the key {self.name!r} may not do that: it may {', '.join(sorted(self.may))}")


@dataclass
class Bucket:
    """Tokens of one key: one a request, `rate` come a second, `burst` are kept."""

    tokens: float
    filled: float

    def take(self, key: Key, now: float) -> None:
        """Raises TooManyRequests where there is none."""
        assert key.rate is not None
        self.tokens = min(key.burst, self.tokens + (now - self.filled) * key.rate)
        self.filled = now
        if self.tokens < 1:
            after = (1 - self.tokens) / key.rate
            raise TooManyRequests(f"the key {key.name!r} may ask {key.rate:g} times a second", after)
        self.tokens -= 1


@dataclass
class Keys:
    """The keys of a file. Raises InvalidInput for a file that cannot be read, at the start; what it becomes later and
    cannot be read leaves the keys as they were. complaint: why it cannot. tell: called with a sentence when that
    changes."""

    path: Path
    clock: Callable[[], float] = time.monotonic
    tell: Callable[[str], object] = lambda _: None
    complaint: str | None = None
    _by_hash: Mapping[str, Key] = field(default_factory=dict)
    _buckets: dict[str, Bucket] = field(default_factory=dict)
    _stamp: tuple[int, int] | None = None
    _looked: float = 0.0

    def __post_init__(self) -> None:
        self._looked = self.clock()
        self.complaint = self._read()
        if self.complaint is not None:
            raise InvalidInput(self.complaint)

    def look(self) -> None:
        """Whether the file has changed, once in a while."""
        now = self.clock()
        if now - self._looked < _LOOK_AGAIN_S:
            return
        self._looked = now
        before, self.complaint = self.complaint, self._read()
        if self.complaint is not None and self.complaint != before:
            self.tell(f"{self.complaint}; the keys that were read before go on, revoked ones too")
        elif before is not None and self.complaint is None:
            self.tell(f"the keys in {self.path} can be read again")

    def admit(self, presented: str | None) -> Key:
        """The key that somebody comes with. Raises KeyNeeded, TooManyRequests."""
        self.look()
        now = self.clock()
        if not presented:
            raise KeyNeeded("send a key: `Authorization: Bearer KEY`")
        # Looked up by its hash: the time that takes tells nothing of the key.
        key = self._by_hash.get(hash_of(presented))
        if key is None:
            raise KeyNeeded("the key is not known")
        if key.rate is not None:
            self._buckets.setdefault(key.name, Bucket(key.burst, now)).take(key, now)
        return key

    def _read(self) -> str | None:
        """The file, if it is another than before; what is wrong with it."""
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._by_hash = parse(self.path.read_text(encoding="utf-8"))
                self._stamp = stamp
        except (OSError, UnicodeDecodeError) as error:
            return f"the keys in {self.path} cannot be read: {getattr(error, 'strerror', None) or error}"
        except InvalidInput as error:
            return f"{self.path}, {error}"
        return None


def hash_of(key: str) -> str:
    """As it stands in the file."""
    return f"sha256:{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()}"


def parse(text: str) -> dict[str, Key]:
    """The keys of a file by their hashes. Raises InvalidInput, which names the line."""
    keys: dict[str, Key] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            hashed, key = _parsed(words)
        except ValueError as error:
            raise InvalidInput(f"line {number}: {error}") from error
        if hashed in keys or any(each.name == key.name for each in keys.values()):
            raise InvalidInput(f"line {number}: {key.name!r} or its key is there already")
        keys[hashed] = key
    return keys


def _parsed(words: list[str]) -> tuple[str, Key]:
    """Raises ValueError."""
    if len(words) < 2 or not _NAME.fullmatch(words[0]) or not _HASH.fullmatch(words[1]):
        raise ValueError("it must begin with a name and sha256:, followed by 64 hexadecimal digits")
    given: dict[str, str] = {}
    for word in words[2:]:
        name, equals, value = word.partition("=")
        if not equals or name not in ("rate", "burst", "may") or name in given:
            raise ValueError(f"{word!r} is none of rate=, burst= and may=, each once")
        given[name] = value
    if "burst" in given and "rate" not in given:
        raise ValueError("burst= needs rate=: without it any number of requests is let in")
    rate = _positive(given["rate"], "rate") if "rate" in given else None
    burst = int(_positive(given["burst"], "burst")) if "burst" in given else max(1, int(rate or 1))
    may = frozenset(given["may"].split(",")) if "may" in given else frozenset(PERMISSIONS)
    if not may <= frozenset(PERMISSIONS):
        raise ValueError(f"may={given['may']} must be of {', '.join(PERMISSIONS)}, with commas between")
    return words[1], Key(words[0], rate, max(1, burst), may)


def _positive(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise ValueError(f"{name}={text} must be a number above 0")
    return value


def add_key(path: Path, name: str) -> str:
    """Add a new key to a file, which is made where there is none, for its owner alone; the key, which is kept nowhere.

    Raises InvalidInput for a name that cannot be or is there, or a file with errors; OSError.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no name for a key: letters, digits and . @ _ - will do")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if any(key.name == name for key in parse(text).values()):
        raise InvalidInput(f"{path} has a key {name!r} already")
    key = secrets.token_urlsafe(32)
    line = f"{name}  {hash_of(key)}\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(line if not text or text.endswith("\n") else f"\n{line}")
    return key
