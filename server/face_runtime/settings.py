"""What a launcher tells the Python processes of a server through their environment."""

import os

NETWORKS_VARIABLE = "TRITON_FACES_NETWORKS"
"""Overrides the parameter `networks` of model `mtcnn`."""

NETWORKS_CHOICES = ("auto", "bls", "local")
"""What both may say: see `face_runtime.networks.choose`."""

LOG_FORMAT_VARIABLE = "TRITON_FACES_LOG_FORMAT"
"""`json`: our models write their lines in the log as JSON objects."""

TRACE_VARIABLE = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
"""OpenTelemetry's own: where our models send the spans of their stages. Unset, they make none."""

SERVICE_NAME = "triton-faces"
"""What traces call the server."""


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0))
