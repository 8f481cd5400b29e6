"""What a launcher tells the Python processes of a server through their environment."""

import os

NETWORKS_VARIABLE = "TRITON_FACES_NETWORKS"
"""Overrides the parameter `networks` of model `mtcnn`."""

NETWORKS_CHOICES = ("auto", "bls", "local")
"""What both may say: who answers the cascade's calls, see `face_runtime.networks`."""

ENGINE_VARIABLE = "TRITON_FACES_ENGINE"
"""Overrides the parameter `engine` of model `mtcnn`."""

ENGINE_CHOICES = ("auto", "numpy", "torch")
"""What both may say: who holds pixels and maps, see `face_runtime.networks.engine`."""

DECODE_VARIABLE = "TRITON_FACES_DECODE"
"""Overrides the parameter `decode` of model `mtcnn`."""

DECODE_CHOICES = ("auto", "cpu", "gpu")
"""What both may say: who decodes JPEG, see `face_runtime.device.decoding`."""

CROPS_VARIABLE = "TRITON_FACES_FACENET_CROPS"
"""Overrides the parameter `facenet_crops` of model `mtcnn`."""

CROPS_CHOICES = ("host", "device")
"""What both may say: where crops that were cut on a GPU lie when FaceNet is asked about them."""

GALLERY_VARIABLE = "TRITON_FACES_GALLERY"
"""Where the gallery of model `face_names` is: the path of a file, or an address `postgresql://…`, which may hold a
password. Unset or empty: the server has none."""

RANDOM_WEIGHTS_VARIABLE = "TRITON_FACES_RANDOM_WEIGHTS"
"""Set: people are named also by a FaceNet that was never trained, for tests."""

LOG_FORMAT_VARIABLE = "TRITON_FACES_LOG_FORMAT"
"""`json`: our models write their lines in the log as JSON objects."""

TRACE_VARIABLE = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
"""OpenTelemetry's own: where our models send the spans of their stages. Unset, they make none."""

SERVICE_NAME = "triton-faces"
"""What traces call the server."""


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0))


def choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """The value itself. Raises ValueError where it is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}, must be one of {', '.join(choices)}")
    return value
