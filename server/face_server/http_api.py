"""Triton's HTTP endpoint, as far as starting, asking and supervising a server needs it."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.utils import np_to_triton_dtype, triton_to_np_dtype

from face_client.errors import DeadlineExceeded, error_from_http
from face_client.messages import Request, Response

# The server is on this machine: a proxy that is set for the world has no part in it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

ADMIN_HEADER = "admin-key"
"""The key that opens the restricted protocols goes in a header of this name."""


class NoAnswer(Exception):
    """Triton did not answer, or refused, with its own reason.

    status: of HTTP; None where there was no answer.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class TooLate(NoAnswer):
    """Triton did not answer in time."""


def is_up(url: str, timeout: float = 2) -> bool:
    """Whether a health endpoint says 200."""
    try:
        with _OPENER.open(url, timeout=timeout) as response:
            return bool(response.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def ask(url: str, body: Any = None, key: str | None = None, timeout: float = 5) -> Any:
    """The JSON that Triton answers to a GET, or to a POST of a body; None where it answers nothing.

    timeout: seconds without a byte from the server.

    Raises:
        NoAnswer: with Triton's reason, or the connection's. TooLate: nothing was heard in time.
    """
    headers: Mapping[str, str] = {} if key is None else {ADMIN_HEADER: key}
    data = None if body is None else json.dumps(body).encode()
    try:
        with _OPENER.open(urllib.request.Request(url, data, dict(headers)), timeout=timeout) as response:
            text = response.read()
        return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        raise NoAnswer(_reason(error), error.code) from error
    except OSError as error:
        # urllib wraps what happens until the request is sent.
        if isinstance(getattr(error, "reason", error), TimeoutError):
            raise TooLate(f"no answer within {timeout:g} s") from error
        raise NoAnswer(str(error)) from error
    except (http.client.HTTPException, ValueError) as error:
        # It ended in the middle of its answer, or somebody else has the port.
        raise NoAnswer(f"the answer is none of Triton's: {error!r}") from error


def answered(url: str, model: str, timeout: float = 5) -> int:
    """Requests that a model has answered well since it was loaded. Raises NoAnswer."""
    statistics = ask(f"{url}/v2/models/{model}/stats", timeout=timeout)["model_stats"]
    return sum(version["inference_stats"]["success"]["count"] for version in statistics)


def _reason(error: urllib.error.HTTPError) -> str:
    """Triton's own words; a server in between may have others."""
    try:
        text = error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return str(error)
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return f"{error}: {text[:200]}"


class HttpTransport:
    """A client's transport (`face_client.Transport`) over HTTP. url: http://host:port.

    For a server whose gRPC is encrypted: the supervisor has no certificate of a client, nor need the server's name
    this machine. Enough for a small picture now and then.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def infer(self, request: Request, timeout: float) -> Response:
        """Raises FaceError, the kind that gRPC's transport raises for the same."""
        body = {
            "id": request.id,
            "inputs": [
                {
                    "name": name,
                    "datatype": np_to_triton_dtype(array.dtype),
                    "shape": array.shape,
                    "data": array.ravel().tolist(),
                }
                for name, array in request.inputs.items()
            ],
            "outputs": [{"name": name} for name in request.outputs],
            "parameters": dict(request.parameters),
        }
        try:
            answer = ask(f"{self._url}/v2/models/{request.model}/infer", body, timeout=timeout)
        except TooLate as error:
            raise DeadlineExceeded(f"no answer within the timeout of {timeout:g} s") from error
        except NoAnswer as error:
            raise error_from_http(error.status, str(error)) from error
        return Response({output["name"]: _array(output) for output in answer["outputs"]})

    def is_ready(self, model: str, timeout: float) -> bool:
        return is_up(f"{self._url}/v2/models/{model}/ready", timeout)

    def close(self) -> None:
        """Nothing is open between two calls."""


def _array(output: dict[str, Any]) -> NDArray[Any]:
    return np.array(output["data"], triton_to_np_dtype(output["datatype"])).reshape(output["shape"])
