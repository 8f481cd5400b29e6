"""The house: who may import whom, without a circle; and facts that two packages know and cannot share."""

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from face_cascade import FACENET, ONET, PNET, RNET, DetectionParameters, Limits, parameters
from face_cascade.networks import EMBEDDING_SIZE
from face_client import messages
from face_client.options import PARAMETERS, SELECTIONS
from face_pictures.decoding import MAX_PIXELS
from face_runtime.identification import NAMED, is_asked_for

ROOT = Path(__file__).parents[1]

# From the ground up. Package or folder → what of ours it may import, by prefix; itself is always allowed.
ARROWS = {
    "cascade/face_cascade": (),
    "client/face_pictures": (),
    "client/face_client": ("face_pictures",),
    "client/examples": ("face_client",),
    # Only the client, and what it says of faces.
    "gallery/face_gallery": ("face_client",),
    "export/face_repository": ("face_cascade",),
    "export/face_export": ("face_cascade", "face_repository"),
    "server/face_runtime": ("face_cascade", "face_pictures", "face_repository"),
    # Alone of its processes, that of `face_names` knows galleries.
    "server/face_runtime/naming.py": ("face_cascade", "face_client", "face_gallery", "face_runtime"),
    "model_repository/face_names": ("face_gallery", "face_runtime"),
    "model_repository": ("face_cascade", "face_repository", "face_runtime"),
    # What the launcher tells the processes stands in the runtime; the supervisor asks its server as a client does.
    "server/face_server": ("face_runtime.settings", "face_repository", "face_client"),
    "server/face_server/backends": ("face_runtime",),
    # The ground of every command line.
    "tools/face_command": (),
    "tools/face_tools": ("face_pictures", "face_client", "face_command", "face_gallery"),
    # Asks the server as any caller does; covers faces as `faces blur` does.
    # They ask over HTTP alone.
    "gateway/examples": (),
    "gateway/face_gateway": (
        "face_pictures",
        "face_client",
        "face_command",
        "face_gallery",
        "face_tools.blur.covering",
        "face_tools.blur.seeing",
        "face_tools.blur.selecting",
        "face_tools.connection",
    ),
    # The verbs of those who run the service.
    "tools/face_admin": (
        "face_cascade",
        "face_client",
        "face_command",
        "face_gallery",
        "face_repository",
        "face_export",
        "face_runtime.settings",
        "face_server",
        "face_tools.connection",
    ),
    # Exports a candidate, runs it here and on the server, and switches. Its verb alone talks.
    "tools/face_admin/deploy": (
        "face_cascade",
        "face_pictures",
        "face_client",
        "face_repository",
        "face_export",
        "face_runtime.settings",
        "face_runtime.processor",
        "face_server",
        "face_tools.evaluation.average_precision",
        "face_tools.evaluation.wider_truth",
        "face_tools.matching",
        "face_admin.deploy",
    ),
    "tools/face_admin/deploy/command.py": (
        "face_cascade",
        "face_command",
        "face_repository",
        "face_export",
        "face_server",
        "face_tools.connection",
        "face_admin.deploy",
    ),
    # The gate of half precision: a comparison like that of a deployment, and embeddings.
    "tools/face_admin/precision.py": (
        "face_cascade",
        "face_pictures",
        "face_command",
        "face_export",
        "face_repository",
        "face_tools.matching",
        "face_admin.deploy",
    ),
    # Networks of the export, algorithm of the cascade, pictures as the service reads them.
    "training/face_training": (
        "face_cascade",
        "face_pictures",
        "face_repository",
        "face_export",
        "face_tools.evaluation.wider_truth",
    ),
    "training/face_training/cli": ("face_command", "face_export", "face_training"),
    # Trains, exports, serves and asks.
    "training/face_training/rehearsal": (
        "face_cascade",
        "face_client",
        "face_command",
        "face_repository",
        "face_export",
        "face_server",
        "face_tools",
        "face_training",
    ),
    # Everything in bulk. The engine runs in its workers, the served one is asked as clients ask it.
    "batch/face_batch": (
        "face_cascade",
        "face_pictures",
        "face_client",
        "face_command",
        "face_repository",
        "face_runtime.engine",
        "face_runtime.processor",
        "face_runtime.settings",
        "face_runtime.torchscript",
        "face_server",
        "face_tools.connection",
        "face_tools.drawing",
        "face_tools.video",
    ),
    "load_tests": (
        "face_bench",
        "face_load",
        "face_scaling",
        "face_cascade",
        "face_pictures",
        "face_client",
        "face_command",
        "face_repository",
        "face_export",
        "face_gallery",
        "face_runtime",
        "face_server",
        "face_tools.matching",
    ),
}

OURS = {home.split("/")[1] for home in ARROWS if "/face_" in home} | {
    "face_bench",
    "face_load",
    "face_scaling",
    "tests",
}


def sources() -> list[Path]:
    folders = {home.split("/")[0] for home in ARROWS}
    return [path for folder in sorted(folders) for path in sorted((ROOT / folder).rglob("*.py"))]


def module_name(path: Path) -> str:
    """face_cascade.flow for cascade/face_cascade/flow.py; a package by its own name."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, while_importing: bool = False) -> Iterator[str]:
    """Names that a file imports; while_importing: only those that are needed to import it."""
    tree = ast.parse(path.read_text())
    for node in at_import(tree) if while_importing else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            # `from face_server.supervision import watch` imports the module face_server.supervision.watch.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_import(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in tree.body:
        if isinstance(node, ast.Try):
            yield from node.body
        else:
            yield node


def allowed(path: Path) -> tuple[str, ...]:
    relative = path.relative_to(ROOT).as_posix()
    home = max((folder for folder in ARROWS if relative.startswith(folder)), key=len)
    itself = (home.split("/")[1],) if home.count("/") else ()
    return (*ARROWS[home], *itself)


def test_imports_follow_the_arrows():
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources()
        for name in imports(path)
        if name.split(".")[0] in OURS and not any(f"{name}.".startswith(f"{prefix}.") for prefix in allowed(path))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_arrows_point_down():
    """What stands first may not import what stands later, so that packages cannot form a circle."""
    order = {home: number for number, home in enumerate(ARROWS)}
    home_of = {home.split("/")[1]: home for home in ARROWS if home.count("/") == 1}
    up = [
        f"{home} imports {prefix}"
        for home, prefixes in ARROWS.items()
        for prefix in prefixes
        if prefix.split(".")[0] in home_of and order[home_of[prefix.split(".")[0]]] > order[home]
    ]
    assert not up


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected parts of a graph that have more than one member (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in arrows[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            part = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(part) > 1:
                found.append(sorted(part))

    for name in arrows:
        if name not in index:
            visit(name)
    return found


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def module_arrows() -> dict[str, set[str]]:
    """Which module of ours needs which to be imported. Names in a package belong to the package's own file."""
    modules = {module_name(path): path for path in sources() if path.name != "model.py"}
    arrows = {}
    for name, path in modules.items():
        wanted = {target if target in modules else target.rpartition(".")[0] for target in imports(path, True)}
        arrows[name] = (wanted & modules.keys()) - {name}
    return arrows


def test_modules_form_no_circle():
    assert circles(module_arrows()) == []


def folder_arrows(depth: int | None) -> dict[str, set[str]]:
    """Which folder needs which; depth: of the folders' paths, None for the folder that a file lies in."""
    files = {module_name(path): path for path in sources()}
    folder_of = {name: "/".join(path.parent.relative_to(ROOT).parts[:depth]) for name, path in files.items()}
    arrows: dict[str, set[str]] = {folder: set() for folder in folder_of.values()}
    for name, targets in module_arrows().items():
        arrows[folder_of[name]] |= {folder_of[target] for target in targets} - {folder_of[name]}
    return arrows


def test_folders_form_no_circle():
    """A room below another may be used by it or use it, not both; nor may two floors."""
    assert circles(folder_arrows(None)) == []
    assert circles(folder_arrows(1)) == []


def test_the_cascade_knows_neither_triton_nor_torch_nor_files():
    """But for those of its own machine code."""
    for path in (ROOT / "cascade").rglob("*.py"):
        roots = {name.split(".")[0] for name in imports(path)}
        if path.name not in ("code_cache.py", "machine_code.py"):
            assert not roots & {"pathlib", "os", "io"}, path
        assert not roots & {"torch", "triton", "tritonclient", "triton_python_backend_utils"}, path


def test_the_runtime_needs_neither_launcher_nor_psutil_nor_command_line():
    for path in (ROOT / "server" / "face_runtime").rglob("*.py"):
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"face_server", "psutil", "argparse", "rich", "subprocess"}, path


def test_only_what_computes_with_torch_needs_it():
    """Each other process starts without it. Kernels in triton's language are for a GPU: who runs them says so late."""
    runtime = ROOT / "server" / "face_runtime"
    needing: dict[str, set[str]] = {"torch": set(), "triton": set()}
    for path in runtime.rglob("*.py"):
        for root in {name.split(".")[0] for name in imports(path, while_importing=True)} & needing.keys():
            needing[root].add(path.relative_to(runtime).as_posix())
    device = {f"device/{name}.py" for name in ("arrays", "decoding", "engine", "faces", "graphs", "images", "twins")}
    kernels = {"device/kernels.py", "device/pnet.py"}
    assert needing == {"torch": {"torchscript.py"} | device | kernels, "triton": kernels}
    late = {f"face_runtime.device.{name}" for name in ("engine", "kernels", "pnet")}
    assert not [f"{name} imports {found}" for name, targets in module_arrows().items() for found in targets & late]


def configuration(model):
    return text_format.Parse((ROOT / "model_repository" / model / "config.pbtxt").read_text(), ModelConfig())


def test_recognition_gives_what_detection_gives_and_embeddings():
    detection, embedding, recognition = map(configuration, ("mtcnn", "face_embeddings", "face_recognition"))
    assert recognition.max_batch_size == detection.max_batch_size <= embedding.max_batch_size
    assert [(t.name, t.data_type, t.dims) for t in recognition.input] == [
        (t.name, t.data_type, t.dims) for t in detection.input
    ]
    handed_on = [tensor.name for tensor in embedding.input]
    given_out = [tensor for tensor in detection.output if tensor.name not in (*handed_on, NAMED)]
    assert list(recognition.output) == [*given_out, *embedding.output]
    # Triton counts a tensor that is both twice, and leaves `mtcnn` out where only some others are asked for.
    assert not {tensor.name for tensor in recognition.output} & set(handed_on)
    steps = recognition.ensemble_scheduling.step
    assert [step.model_name for step in steps] == [detection.name, embedding.name]
    for step, model in zip(steps, (detection, embedding), strict=True):
        assert step.input_map == {tensor.name: tensor.name for tensor in model.input}
        assert step.output_map == {tensor.name: tensor.name for tensor in model.output if tensor.name != NAMED}


def test_identification_gives_what_recognition_gives_and_names():
    recognition, naming, identification = map(configuration, ("face_recognition", "face_names", "face_identification"))
    assert identification.max_batch_size == recognition.max_batch_size <= naming.max_batch_size
    assert list(identification.input) == list(recognition.input)
    names = [tensor for tensor in naming.output if not tensor.name.startswith("face_")]
    assert list(identification.output) == [*recognition.output, *names]
    detect, embed, name = identification.ensemble_scheduling.step
    assert [step.model_name for step in (detect, embed, name)] == ["mtcnn", "face_embeddings", "face_names"]
    # By which `mtcnn` knows that it is asked for this ensemble.
    assert is_asked_for(detect.output_map)
    assert not any(is_asked_for(step.output_map) for step in recognition.ensemble_scheduling.step)
    assert not is_asked_for([tensor.name for tensor in configuration("mtcnn").output]), "who names no outputs"
    # Triton counts a tensor that is both given out and handed on twice.
    handed_on = {tensor for step in (embed, name) for tensor in step.input_map.values()}
    assert not handed_on & {tensor.name for tensor in identification.output}
    assert handed_on == {"facenet_crops", NAMED, *embed.output_map.values()}
    assert set(name.output_map.values()) == {"embeddings", "weights", *(tensor.name for tensor in names)}


def test_client_and_cascade_know_the_same_facenet():
    assert FACENET.outputs == (messages.EMBEDDINGS, messages.LOGITS, messages.WEIGHTS)
    assert FACENET.input == messages.INPUT
    assert FACENET.side == messages.CROP_SIZE
    assert messages.EMBEDDING_SIZE == EMBEDDING_SIZE
    assert messages.CROPS_PER_REQUEST == Limits().facenet == configuration("facenet").max_batch_size
    sizes = [list(tensor.dims) for tensor in (*configuration("facenet").input, *configuration("facenet").output)]
    assert sizes == [[FACENET.side, FACENET.side, 3], [EMBEDDING_SIZE], [-1], [-1]]


def test_client_and_cascade_know_the_same_parameters():
    """Two packages that cannot import each other: the names, types and defaults in the help must agree."""
    fields = dataclasses.fields(DetectionParameters)
    assert [field.name for field in fields] == list(PARAMETERS)
    assert [field.type for field in fields] == [parameter.type for parameter in PARAMETERS.values()]
    assert [field.default for field in fields] == [parameter.default for parameter in PARAMETERS.values()]
    ranges = {name: (parameter.low, parameter.high) for name, parameter in PARAMETERS.items()}
    assert {name: limits for name, limits in ranges.items() if limits != (None, None)} == parameters._RANGES
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
