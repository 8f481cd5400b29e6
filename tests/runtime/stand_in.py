"""A stand-in for `triton_python_backend_utils`, the module that Triton puts into its Python processes.

It has what our code uses of it, by the same names and signatures, and keeps what it is told where a test can read it:
`MODELS` answers requests of `exec`, `LINES` has what was logged, `METRICS` the value of each metric. It checks what the
real one would stumble over: tensors are arrays, metrics have labels and a kind, counters do not fall.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODELS: dict[str, Callable[["InferenceRequest"], "InferenceResponse"]] = {}
"""Models of the server that are loaded."""

LINES: list[tuple[str, str]] = []
"""Level and text of each line in the log."""

METRICS: dict[tuple[str, str], list[float]] = {}
"""By name and value of the label ("" without): what was counted in all, or set last, or each value observed."""

TRITONSERVER_MEMORY_CPU = 0


def reset() -> None:
    """A server without models, whose log and metrics are empty."""
    MODELS.clear()
    LINES.clear()
    METRICS.clear()


class TritonError(Exception):
    UNKNOWN, INTERNAL, NOT_FOUND, INVALID_ARG, UNAVAILABLE, UNSUPPORTED, ALREADY_EXISTS, CANCELLED = range(8)

    def __init__(self, message: str, code: int = INTERNAL) -> None:
        super().__init__(message)
        self._code = code

    def message(self) -> str:
        return str(self)

    def code(self) -> int:
        return self._code


class TritonModelException(Exception):
    pass


class Tensor:
    def __init__(self, name: str, array: NDArray[Any]) -> None:
        assert isinstance(array, np.ndarray), f"{name} is {type(array)}"
        assert array.dtype in (np.uint8, np.int32, np.float32, np.object_), f"{name} is {array.dtype}"
        self._name = name
        self._array = array

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> NDArray[Any]:
        return self._array

    def is_cpu(self) -> bool:
        return True

    @classmethod
    def from_dlpack(cls, name: str, tensor: Any) -> "Tensor":
        array = np.from_dlpack(tensor)
        assert array.flags.c_contiguous, f"{name} does not lie end to end"
        return cls(name, array)

    def to_dlpack(self) -> Any:
        return self._array.__dlpack__()


class InferenceResponse:
    def __init__(self, output_tensors: Sequence[Tensor] = (), error: TritonError | None = None) -> None:
        self._tensors = list(output_tensors)
        self._error = error

    def output_tensors(self) -> list[Tensor]:
        return self._tensors

    def has_error(self) -> bool:
        return self._error is not None

    def error(self) -> TritonError | None:
        return self._error


class Trace:
    def __init__(self, context: str | None = None) -> None:
        self._context = context

    def get_context(self) -> str | None:
        return self._context


@dataclass(frozen=True)
class PreferredMemory:
    kind: int
    device: int = 0


class InferenceRequest:
    """What a model is handed, or asks another one. `gone` says whether the caller is, each time it is asked."""

    def __init__(
        self,
        *,
        inputs: Sequence[Tensor] = (),
        requested_output_names: Sequence[str] = (),
        parameters: Mapping[str, Any] | None = None,
        request_id: str = "",
        gone: Callable[[], bool] = lambda: False,
        trace: Trace | None = None,
        model_name: str = "",
        model_version: int = -1,
        preferred_memory: PreferredMemory | None = None,
    ) -> None:
        self.model_name = model_name
        self.model_version = model_version
        self.preferred_memory = preferred_memory
        self._inputs = list(inputs)
        self._wanted = list(requested_output_names)
        self._parameters = parameters
        self._id = request_id
        self._gone = gone
        self._trace = trace or Trace()

    def inputs(self) -> list[Tensor]:
        return self._inputs

    def requested_output_names(self) -> list[str]:
        return self._wanted

    def parameters(self) -> str:
        return "" if self._parameters is None else json.dumps(self._parameters)

    def request_id(self) -> str:
        return self._id

    def is_cancelled(self) -> bool:
        return self._gone()

    def trace(self) -> Trace:
        return self._trace

    def exec(self) -> InferenceResponse:
        if self.model_name not in MODELS:
            return InferenceResponse(
                error=TritonError(f"model '{self.model_name}' is not found", TritonError.NOT_FOUND)
            )
        return MODELS[self.model_name](self)


def _named(tensors: Sequence[Tensor], name: str) -> Tensor | None:
    return next((tensor for tensor in tensors if tensor.name() == name), None)


def get_input_tensor_by_name(request: InferenceRequest, name: str) -> Tensor | None:
    return _named(request.inputs(), name)


def get_output_tensor_by_name(response: InferenceResponse, name: str) -> Tensor | None:
    return _named(response.output_tensors(), name)


def is_model_ready(name: str) -> bool:
    return name in MODELS


class Logger:
    @staticmethod
    def log_info(text: str) -> None:
        LINES.append(("info", text))

    @staticmethod
    def log_warn(text: str) -> None:
        LINES.append(("warning", text))

    @staticmethod
    def log_error(text: str) -> None:
        LINES.append(("error", text))


class MetricFamily:
    COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

    def __init__(self, *, name: str, description: str, kind: str) -> None:
        assert description
        self._name = name
        self._kind = kind

    def Metric(self, *, labels: Mapping[str, str], buckets: Sequence[float] | None = None) -> "_Metric":  # noqa: N802
        assert (buckets is not None) == (self._kind == self.HISTOGRAM)
        assert buckets is None or list(buckets) == sorted(map(float, buckets))
        assert len(labels) <= 1, "ours have one label at most"
        values = METRICS.setdefault((self._name, next(iter(labels.values()), "")), [])
        if self._kind == self.COUNTER and not values:
            values.append(0.0)
        return _Metric(self._kind, values)


class _Metric:
    def __init__(self, kind: str, values: list[float]) -> None:
        self._kind = kind
        self._values = values

    def increment(self, value: float) -> None:
        assert self._kind == MetricFamily.COUNTER
        assert value >= 0
        self._values[0] += value

    def set(self, value: float) -> None:
        assert self._kind == MetricFamily.GAUGE
        self._values[:] = [value]

    def observe(self, value: float) -> None:
        assert self._kind == MetricFamily.HISTOGRAM
        self._values.append(value)
