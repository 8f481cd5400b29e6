"""Triton's HTTP endpoint, as far as starting and supervising a server needs it."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

# The server is on this machine: a proxy that is set for the world has no part in it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# The key that opens the restricted protocols goes in a header of this name.
ADMIN_HEADER = "admin-key"


class NoAnswer(Exception):
    """Triton did not answer, or refused, with its own reason."""


class TooLate(NoAnswer):
    """Triton did not answer in time."""


def is_up(url: str, timeout: float = 2) -> bool:
    """Whether a health endpoint says 200."""
    try:
        with _OPENER.open(url, timeout=timeout) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException):
        return False


def ask(url: str, body: Any = None, key: str | None = None, timeout: float = 5) -> Any:
    """The JSON that Triton answers to a GET, or to a POST of a body; None where it answers nothing.

    Raises:
        NoAnswer: with Triton's reason, or the connection's. TooLate: it is connected, and silent.
    """
    headers: Mapping[str, str] = {} if key is None else {ADMIN_HEADER: key}
    data = None if body is None else json.dumps(body).encode()
    try:
        with _OPENER.open(urllib.request.Request(url, data, dict(headers)), timeout=timeout) as response:
            text = response.read()
    except urllib.error.HTTPError as error:
        raise NoAnswer(_reason(error)) from error
    except TimeoutError as error:
        raise TooLate(f"no answer within {timeout:g} s") from error
    except (urllib.error.URLError, ConnectionError) as error:
        raise NoAnswer(str(error)) from error
    except http.client.HTTPException as error:
        # It ended in the middle of its answer, or somebody else has the port.
        raise NoAnswer(f"the answer is none of HTTP: {error!r}") from error
    return json.loads(text) if text else None


def _reason(error: urllib.error.HTTPError) -> str:
    """Triton's own words; a server in between may have others."""
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return f"{error}: {text[:200]}"
