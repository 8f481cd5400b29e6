"""The dashboard's panels: what each asks Prometheus, row by row. `make_dashboard.py` draws them."""

from __future__ import annotations

from typing import NamedTuple

Query = tuple[str, str]
"""PromQL, and the legend of its series."""


class Panel(NamedTuple):
    """unit: Grafana's. no_value: what stands there without data."""

    title: str
    unit: str
    queries: list[Query]
    description: str
    no_value: str = "no data"


_SERVERS = 'instance=~"$instance"'
_ASKED = 'model=~"mtcnn|face_recognition|facenet"'
_MTCNN = 'model="mtcnn"'
_QUANTILES = 'quantile=~"0.5|0.95|0.99"'
# Since the last scrapes: Grafana puts in at least four scrape intervals.
_RATE = "$__rate_interval"
# Prometheus 3 writes whole bounds of buckets with `.0`.
_ZERO = 'le=~"0(\\\\.0)?"'


def _rate(metric: str, *labels: str) -> str:
    return f"rate({_at(metric, *labels)}[{_RATE}])"


def _at(metric: str, *labels: str) -> str:
    """A metric of the servers that are chosen."""
    return f"{metric}{{{', '.join([_SERVERS, *labels])}}}"


def _per_image(by: str, metric: str) -> str:
    return f"sum by ({by}) ({_rate(metric)}) / on () group_left () sum({_rate('mtcnn_batch_images_sum')})"


def _quantile(share: float, by: str, metric: str) -> str:
    return f"histogram_quantile({share}, sum by ({by}) ({_rate(metric)}))"


_REQUESTS = [
    Panel(
        "Requests",
        "reqps",
        [(f"sum by (model) ({_rate('nv_inference_request_success', _ASKED)})", "{{model}}")],
        "Answered requests a second. face_recognition's go through mtcnn too. Triton 2.51 counts refused ones in.",
    ),
    Panel(
        "Images and faces",
        "cps",
        [
            (f"sum({_rate('mtcnn_batch_images_sum')})", "images"),
            (f"sum({_rate('mtcnn_image_faces_sum')})", "faces"),
            (f"sum({_rate('face_embeddings_batch_faces_sum')})", "faces embedded"),
        ],
        "A second. A request may hold up to 16 images.",
    ),
    Panel(
        "Errors",
        "reqps",
        [
            (f"sum by (reason) ({_rate('mtcnn_refused_requests_total')})", "mtcnn: {{reason}}"),
            (f"sum by (reason) ({_rate('face_embeddings_failed_requests_total')})", "face_embeddings: {{reason}}"),
            (f"sum by (reason) ({_rate('nv_inference_request_failure', _MTCNN)})", "Triton: {{reason}}"),
        ],
        "Requests a second that got an error. network and memory are the server's fault, as are Triton's REJECTED (the "
        "queue was full) and BACKEND (a model's process died); the others are the caller's.",
    ),
    Panel(
        "Latency",
        "s",
        [
            (
                f"max by (model, quantile) ({_at('nv_inference_request_summary_us', _ASKED, _QUANTILES)}) / 1e6",
                "{{model}} {{quantile}}",
            )
        ],
        "In the server, queue included: quantiles over the last minute, of the slowest server.",
    ),
    Panel(
        "Time in queue",
        "s",
        [
            (
                f"max by (model, quantile) ({_at('nv_inference_queue_summary_us', _ASKED, _QUANTILES)}) / 1e6",
                "{{model}} {{quantile}}",
            )
        ],
        "Before a model begins with a request. Part of the latency.",
    ),
    Panel(
        "Waiting requests",
        "short",
        [(f"sum by (model) ({_at('nv_inference_pending_request_count', _ASKED)})", "{{model}}")],
        "Queue lengths now. The production configuration refuses more than 128 for mtcnn.",
    ),
]

_CASCADE = [
    Panel(
        "Stages, median",
        "s",
        [(_quantile(0.5, "le, stage", "mtcnn_stage_seconds_bucket"), "{{stage}}")],
        "Seconds on the clock that an execution of the cascade spends in each stage. It may hold many images.",
    ),
    Panel(
        "Stages, 95th percentile",
        "s",
        [(_quantile(0.95, "le, stage", "mtcnn_stage_seconds_bucket"), "{{stage}}")],
        "As the median; one execution in twenty takes longer.",
    ),
    Panel(
        "Seconds an image, by stage",
        "s",
        [(_per_image("stage", "mtcnn_stage_seconds_sum"), "{{stage}}")],
        "Means. Where the time goes, whatever the batches.",
    ),
    Panel(
        "Images an execution",
        "short",
        [
            (f"sum({_rate('mtcnn_batch_images_sum')}) / sum({_rate('mtcnn_batch_images_count')})", "mean"),
            (_quantile(0.95, "le", "mtcnn_batch_images_bucket"), "95th percentile"),
        ],
        "How many images went through the cascade together: more under load.",
    ),
    Panel(
        "Batches of the models",
        "short",
        [
            (
                f"sum by (model) ({_rate('nv_inference_count')}) / sum by (model) ({_rate('nv_inference_exec_count')})",
                "{{model}}",
            )
        ],
        "Rows an execution, means. pnet, rnet and onet only where they run as models of their own (`networks: bls`).",
    ),
    Panel(
        "Boxes an image, by stage",
        "short",
        [(_per_image("stage", "mtcnn_candidates_total"), "left by {{stage}}")],
        "How many each network leaves. The faces are onet's, before `selection` and `max_faces`.",
    ),
    Panel(
        "Faces an image",
        "short",
        [
            (_quantile(0.5, "le", "mtcnn_image_faces_bucket"), "median"),
            (_quantile(0.95, "le", "mtcnn_image_faces_bucket"), "95th percentile"),
        ],
        "As returned.",
    ),
    Panel(
        "Images without a face",
        "percentunit",
        [
            (
                f"sum({_rate('mtcnn_image_faces_bucket', _ZERO)}) / sum({_rate('mtcnn_image_faces_count')})",
                "share",
            )
        ],
        "A jump may be a camera that is covered, or pictures that arrive turned.",
    ),
    Panel(
        "Candidates dropped",
        "cps",
        [(f"sum({_rate('mtcnn_candidates_dropped_total')})", "dropped")],
        "Beyond max_candidates of requests that set it. Over zero, faces may be missing in their answers.",
    ),
]

_MACHINE = [
    Panel(
        "Memory by process",
        "bytes",
        [(_at("faces_worker_resident_bytes"), "{{worker}}")],
        "Of the cascade's and the embeddings' processes. The line of one that died stays where it was.",
    ),
    Panel(
        "Memory of the machine",
        "bytes",
        [
            (_at("nv_cpu_memory_used_bytes"), "used"),
            (_at("nv_cpu_memory_total_bytes"), "all"),
        ],
        "Everything that runs there.",
    ),
    Panel(
        "Processor",
        "percentunit",
        [(_at("nv_cpu_utilization"), "{{instance}}")],
        "Share of all cores that is busy, by whatever runs there.",
    ),
    Panel(
        "Age of processes",
        "s",
        [(f"time() - {_at('faces_worker_start_time_seconds')}", "{{worker}}")],
        "A line that falls to zero, or begins later than the others: a process was started anew.",
    ),
]

_NO_SUPERVISOR = "no supervisor"

# Its port is another one, and with it the label `instance`.
_SUPERVISOR = [
    Panel(
        "Ready",
        "short",
        [("faces_ready", "{{instance}}")],
        "1 while the canary, a small picture through all networks, is answered in time.",
        _NO_SUPERVISOR,
    ),
    Panel(
        "Canary",
        "s",
        [("faces_canary_seconds", "{{instance}}")],
        "How long the last one took. It waits in the same queue as everybody.",
        _NO_SUPERVISOR,
    ),
    Panel(
        "Canaries failed, processes renewed, restarts",
        "short",
        [
            ("increase(faces_canaries_failed_total[1h])", "canaries failed"),
            ("increase(faces_instances_renewed_total[1h])", "processes renewed"),
            ("increase(faces_server_restarts_total[1h])", "restarts of Triton"),
        ],
        "In the last hour.",
        _NO_SUPERVISOR,
    ),
]

_NO_GPU = "no GPU"

_GPU = [
    Panel(
        "GPU utilisation",
        "percentunit",
        [(_at("nv_gpu_utilization"), "{{gpu_uuid}}")],
        "Share of time in which a kernel ran.",
        _NO_GPU,
    ),
    Panel(
        "GPU memory",
        "bytes",
        [
            (_at("nv_gpu_memory_used_bytes"), "used {{gpu_uuid}}"),
            (_at("nv_gpu_memory_total_bytes"), "all {{gpu_uuid}}"),
        ],
        "Of each GPU.",
        _NO_GPU,
    ),
    Panel(
        "GPU power",
        "watt",
        [(_at("nv_gpu_power_usage"), "{{gpu_uuid}}"), (_at("nv_gpu_power_limit"), "limit {{gpu_uuid}}")],
        "Of each GPU.",
        _NO_GPU,
    ),
]

ROWS = [
    ("Requests", _REQUESTS),
    ("Cascade", _CASCADE),
    ("Machine", _MACHINE),
]

CLOSED_ROWS = [
    ("Supervisor, of `faces serve --health-port`", _SUPERVISOR),
    ("GPU, where the server has one", _GPU),
]
"""Closed until somebody opens them: not every server has these metrics."""
