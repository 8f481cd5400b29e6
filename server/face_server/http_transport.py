"""Inference over Triton's HTTP endpoint, for a server whose gRPC is encrypted: the supervisor has no certificate of a
client, nor need the server's name this machine. Enough for a small picture now and then."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.utils import np_to_triton_dtype, triton_to_np_dtype

from face_client.errors import DeadlineExceeded, error_from_status
from face_client.streaming import Stream
from face_client.wire import Request, Response
from face_server.http_api import NoAnswer, ask, is_up


class HttpTransport:
    """A `face_client.transport.Transport`. url: http://host:port."""

    def __init__(self, url: str) -> None:
        self._url = url

    def infer(self, request: Request, timeout: float) -> Response:
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
        except NoAnswer as error:
            if _is_late(error.__cause__):
                raise DeadlineExceeded(f"no answer within the timeout of {timeout:g} s") from error
            # HTTP does not say which kind of refusal it is; Triton's words do.
            raise error_from_status("UNAVAILABLE", str(error)) from error
        return Response({output["name"]: _array(output) for output in answer["outputs"]})

    def is_ready(self, model: str, timeout: float) -> bool:
        return is_up(f"{self._url}/v2/models/{model}/ready", timeout)

    def open_stream(self) -> Stream:
        raise NotImplementedError("HTTP has no streams")

    def close(self) -> None:
        """Nothing is open between two calls."""


def _array(output: dict[str, Any]) -> NDArray[Any]:
    return np.array(output["data"], triton_to_np_dtype(output["datatype"])).reshape(output["shape"])


def _is_late(cause: BaseException | None) -> bool:
    return isinstance(cause, TimeoutError) or isinstance(getattr(cause, "reason", None), TimeoutError)
