"""The house: who may import whom, and that the networks' names have one home."""

import ast
import dataclasses
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from face_cascade import FACENET, ONET, PNET, RNET, DetectionParameters, Limits, parameters
from face_cascade.networks import EMBEDDING_SIZE, FACENET_SIZE
from face_client import face_crops
from face_client.images import MAX_PIXELS
from face_client.options import PARAMETERS, SELECTIONS

ROOT = Path(__file__).parents[1]

# Package or folder → what of ours it may import, by prefix. Itself is always allowed.
ARROWS = {
    "cascade/face_cascade": (),
    # Where the model repository lies, which versions it has, and how weights lie in its files.
    "export/face_export": ("face_server.repository", "face_server.stored_weights", "face_server.versions"),
    "client/face_client": (),
    "client/examples": ("face_client",),
    # The launcher tells its command the client's URL variable; the supervisor asks its server as a client does.
    "server/face_server": (
        "face_client.defaults",
        "face_client.canary",
        "face_client.client",
        "face_client.errors",
        "face_client.streaming",
        "face_client.wire",
    ),
    # Inside Triton: the flow, and the client's image decoding, so that it is written once.
    "server/face_server/runtime": (
        "face_cascade",
        "face_client.images",
        "face_server.environment",
        "face_server.runtime",
        "face_server.stored_weights",
        "face_server.versions",
    ),
    "server/face_server/backends": ("face_server.runtime",),
    # Exports a candidate, runs it here and on the server, and switches.
    "server/face_deploy": (
        "face_cascade",
        "face_client",
        "face_export.errors",
        "face_export.exporter",
        "face_export.readers",
        "face_server.environment",
        "face_server.http_api",
        "face_server.renewal",
        "face_server.repository",
        "face_server.runtime.processor",
        "face_server.stored_weights",
        "face_server.versions",
    ),
    # Networks of the export, algorithm of the cascade; reads pictures and shows progress as the client does.
    "training/face_training": (
        "face_cascade",
        "face_export",
        "face_client.InvalidImage",
        "face_client.decode_image",
        "face_client.errors",
        "face_client.evaluation.wider_truth",
        "face_client.cli.console",
    ),
    # Trains, exports, serves and asks.
    "training/face_training/rehearsal": (
        "face_training",
        "face_export",
        "face_client",
        "face_server.EmbeddedTriton",
        "face_server.Settings",
        "face_server.repository",
    ),
    "load_tests/face_bench": (
        "face_client",
        "face_server.EmbeddedTriton",
        "face_server.Settings",
        "face_server.ServerError",
        "face_cascade",
    ),
    # A soak watches a server as `faces serve` does.
    "load_tests/face_load": (
        "face_bench",
        "face_client",
        "face_server.EmbeddedTriton",
        "face_server.Settings",
        "face_server.ServerError",
        "face_server.health",
        "face_server.supervisor",
        "face_server.watch",
    ),
    # The locust file.
    "load_tests": ("face_load",),
    "model_repository": (
        "face_cascade",
        "face_client.images",
        "face_server.runtime",
        "face_server.environment",
        "face_server.versions",
    ),
}

OURS = (
    "face_bench",
    "face_load",
    "face_cascade",
    "face_export",
    "face_client",
    "face_deploy",
    "face_server",
    "face_training",
    "tests",
)


def sources():
    folders = ("cascade", "export", "client", "server", "model_repository", "load_tests", "training")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            # `from face_server.runtime import networks` imports the module face_server.runtime.networks.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path):
    relative = str(path.relative_to(ROOT))
    home = max((folder for folder in ARROWS if relative.startswith(folder)), key=len)
    allowed = ARROWS[home]
    if home.count("/") == 1:
        allowed = (*allowed, home.split("/")[1])
    for name in imports(path):
        if name.split(".")[0] in OURS:
            assert any(f"{name}.".startswith(f"{prefix}.") for prefix in allowed), name


def test_the_cascade_knows_neither_triton_nor_torch_nor_files():
    for path in (ROOT / "cascade").rglob("*.py"):
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"torch", "tritonclient", "triton_python_backend_utils", "pathlib", "os", "io"}, path


def configuration(model, file="config.pbtxt"):
    return text_format.Parse((ROOT / "model_repository" / model / file).read_text(), ModelConfig())


@pytest.mark.parametrize("model", ["mtcnn", "facenet", "face_embeddings"])
def test_the_embedded_configuration_differs_in_its_queue_policy_only(model):
    production, embedded = configuration(model), configuration(model, "configs/embedded.pbtxt")
    queue = production.dynamic_batching.default_queue_policy
    assert queue.max_queue_size > 0
    assert queue.default_timeout_microseconds > 0
    production.dynamic_batching.ClearField("default_queue_policy")
    assert embedded == production


@pytest.mark.parametrize("model", ["mtcnn", "face_embeddings"])
def test_the_bounded_configuration_differs_from_the_embedded_one_in_its_batching_only(model):
    """And its queue is the shorter one: a CPU works off what a GPU does in a fraction of a second in many."""
    production, bounded = configuration(model), configuration(model, "configs/bounded.pbtxt")
    policy = bounded.dynamic_batching.default_queue_policy
    assert 0 < policy.max_queue_size < production.dynamic_batching.default_queue_policy.max_queue_size
    bounded.dynamic_batching.ClearField("default_queue_policy")
    bounded.dynamic_batching.ClearField("preferred_batch_size")
    assert bounded == configuration(model, "configs/embedded.pbtxt")


@pytest.mark.parametrize("model", [network.name for network in (PNET, RNET, ONET, FACENET)])
def test_the_networks_queues_are_never_bounded_in_the_embedded_server(model):
    """Their callers are few: instances of models whose own queue is."""
    assert configuration(model, "configs/bounded.pbtxt") == configuration(model, "configs/embedded.pbtxt")
    assert not configuration(model, "configs/embedded.pbtxt").dynamic_batching.HasField("default_queue_policy")


def test_recognition_gives_what_detection_gives_and_embeddings():
    detection, embedding, recognition = map(configuration, ("mtcnn", "face_embeddings", "face_recognition"))
    assert recognition.max_batch_size == detection.max_batch_size <= embedding.max_batch_size
    assert [(t.name, t.data_type, t.dims) for t in recognition.input] == [
        (t.name, t.data_type, t.dims) for t in detection.input
    ]
    handed_on = [tensor.name for tensor in embedding.input]
    given_out = [tensor for tensor in detection.output if tensor.name not in handed_on]
    assert list(recognition.output) == [*given_out, *embedding.output]
    # Triton counts a tensor that is both twice, and leaves `mtcnn` out where only some others are asked for.
    assert not {tensor.name for tensor in recognition.output} & set(handed_on)
    steps = recognition.ensemble_scheduling.step
    assert [step.model_name for step in steps] == [detection.name, embedding.name]
    for step, model in zip(steps, (detection, embedding), strict=True):
        assert step.input_map == {tensor.name: tensor.name for tensor in model.input}
        assert step.output_map == {tensor.name: tensor.name for tensor in model.output}


def test_client_and_cascade_know_the_same_facenet():
    assert FACENET.outputs == (face_crops.EMBEDDINGS, face_crops.LOGITS)
    assert FACENET.input == face_crops.INPUT
    assert face_crops.CROP_SIZE == FACENET_SIZE
    assert face_crops.EMBEDDING_SIZE == EMBEDDING_SIZE
    assert face_crops.CROPS_PER_REQUEST == Limits().facenet == configuration("facenet").max_batch_size
    sizes = [list(tensor.dims) for tensor in (*configuration("facenet").input, *configuration("facenet").output)]
    assert sizes == [[FACENET_SIZE, FACENET_SIZE, 3], [EMBEDDING_SIZE], [-1]]


def test_client_and_cascade_know_the_same_parameters():
    """Two packages that cannot import each other: the names, types and defaults in the help must agree."""
    fields = dataclasses.fields(DetectionParameters)
    assert [field.name for field in fields] == list(PARAMETERS)
    assert [field.type for field in fields] == [parameter.type for parameter in PARAMETERS.values()]
    assert all(f"({field.default})" in PARAMETERS[field.name].help for field in fields)
    assert SELECTIONS == parameters.SELECTIONS


def test_client_and_model_refuse_the_same_size_of_image():
    config = configuration("mtcnn")
    assert int(config.parameters["max_pixels"].string_value) == MAX_PIXELS


@pytest.mark.parametrize("network", [PNET, RNET, ONET, FACENET], ids=lambda network: network.name)
def test_configurations_name_the_tensors_as_the_cascade_does(network):
    config = configuration(network.name)
    assert config.name == network.name
    assert [tensor.name for tensor in config.input] == [network.input]
    assert tuple(tensor.name for tensor in config.output) == network.outputs
    assert config.HasField("dynamic_batching")
    assert config.model_warmup
    assert not config.instance_group[0].kind, "auto: the GPU where there is one"
