"""What a gateway is started with."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from face_client.errors import InvalidInput
from face_pictures.decoding import MAX_PIXELS

LOOPBACK = "127.0.0.1"

DEFAULT_PORT = 8080

_MIB = 2**20

# As they stand in headers.
_HOST = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9_-][a-z0-9._-]*", re.ASCII | re.IGNORECASE)
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9_-][a-z0-9._-]*)(:[0-9]{1,5})?", re.ASCII)
_LEFT_OUT = {"http": ":80", "https": ":443"}


@dataclass(frozen=True)
class Limits:
    """What callers may ask for.

    body_bytes: of one request. images: pictures of one request. pixels: of a request, all its pictures together, as on
    the server. in_flight: requests with a body at a time, from their header until their answer is taken; one more is
    refused with 429. held_bytes: of the bodies of all of these. body_seconds: for a body to arrive. header_seconds,
    header_bytes: for the header of a request. answer_seconds: for an answer to be taken. connections: open at a time,
    busy or idle.
    """

    body_bytes: int = 32 * _MIB
    images: int = 16
    pixels: int = MAX_PIXELS
    in_flight: int = 64
    held_bytes: int = 512 * _MIB
    body_seconds: float = 30.0
    header_seconds: float = 10.0
    header_bytes: int = 64 * 1024
    answer_seconds: float = 60.0
    connections: int = 1000


@dataclass(frozen=True)
class Settings:
    """host: the address that it listens on. allowed_hosts: names by which it may be called, beside those of loopback;
    empty: any, where it listens elsewhere. keys: the file of API keys; None: nobody is asked for one.
    allowed_origins: of other sites' pages that may ask (CORS).

    gallery: where the people are, a file or `postgresql://…`; None: nobody is enrolled here. served: the server's model
    `face_identification` says the names, instead of this process. random_weights: go on where FaceNet was never
    trained.

    Raises InvalidInput for hosts and origins that no header has.
    """

    host: str = LOOPBACK
    allowed_hosts: Sequence[str] = ()
    allowed_origins: Sequence[str] = ()
    keys: Path | None = None
    gallery: str | None = None
    served: bool = False
    random_weights: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for host in self.allowed_hosts:
            if not _HOST.fullmatch(host):
                raise InvalidInput(
                    f"--allow-host {host}: it must be a name alone, such as faces.example.org, without port"
                )
        for origin in self.allowed_origins:
            parts = _ORIGIN.fullmatch(origin)
            if parts is None or parts[3] == _LEFT_OUT.get(parts[1], ""):
                raise InvalidInput(
                    f"--allow-origin {origin}: it must be as browsers send it, such as https://example.org: "
                    "small letters, and nothing behind it but a port that is not the scheme's own"
                )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
