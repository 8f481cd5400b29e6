"""Dockerfile, docker-compose.yml and docs/deployment.md agree with each other and with the repository."""

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from face_server.environment import MALLOC, TRACE_VARIABLE
from face_server.options import DEFAULT_PORTS, Settings, arguments
from face_server.repository import OPTIONAL, REQUIRED, Repository
from face_server.wheel import TritonWheel

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
SERVERS = ("triton", "triton-cpu")
GUIDE = (ROOT / "docs" / "deployment.md").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
# ${NAME:-default}, wherever it stands in a value.
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def dockerfile() -> list[tuple[str, str]]:
    """(instruction, arguments) a line, continuations joined and comments left out."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Instructions by build target."""
    found: dict[str, list[tuple[str, str]]] = {}
    for instruction, rest in dockerfile():
        if instruction == "FROM":
            found[rest.split(" AS ")[1]] = current = []
        elif found:
            current.append((instruction, rest))
    return found


def environment(stage: str) -> dict[str, str]:
    words = [w for instruction, rest in stages()[stage] if instruction == "ENV" for w in shlex.split(rest)]
    return dict(word.split("=", 1) for word in words)


@pytest.fixture
def tritonserver(tmp_path):
    """Runs the command of the target `triton` with a tritonserver that prints its arguments; returns them."""
    fake = tmp_path / "tritonserver"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    command = dict(stages()["triton"])["CMD"]

    def run(**variables: str) -> list[str]:
        env = {**environment("triton"), **variables, "PATH": f"{tmp_path}:/usr/bin:/bin"}
        return subprocess.check_output(["/bin/sh", "-c", command], env=env, text=True).splitlines()

    return run


def test_the_container_takes_the_flags_of_the_embedded_server(tritonserver):
    wheel = TritonWheel(Path("/opt/tritonserver"))
    repository = Repository(Path("/models"), REQUIRED, OPTIONAL)
    wanted = arguments(
        Settings(host="0.0.0.0", bounded_queue=True),
        DEFAULT_PORTS,
        repository,
        Path("/opt/tritonserver/backends"),
        wheel,
        "key",
    )
    # The container's own places.
    wanted = [
        a
        for a in wanted
        if not a.startswith(("--backend-directory=", "--cache-directory=")) and "shm-region-prefix" not in a
    ]
    hidden = re.compile("admin-key=.+")
    given = [hidden.sub("admin-key=…", a) for a in tritonserver()]
    assert sorted(given) == sorted(hidden.sub("admin-key=…", a) for a in wanted)


def test_the_container_traces_as_the_embedded_server(tritonserver):
    settings = Settings(trace="http://collector:4318/v1/traces", trace_rate=10)
    repository = Repository(Path("/models"), REQUIRED, OPTIONAL)
    wanted = arguments(settings, DEFAULT_PORTS, repository, Path("/backends"), TritonWheel(Path("/wheel")), "key")
    variables = {TRACE_VARIABLE: settings.trace, "TRITON_FACES_TRACE_RATE": "10"}
    for given, expected in ((tritonserver(**variables), wanted), (tritonserver(), [])):
        flags = [[a for a in some if a.startswith("--trace-config")] for some in (given, expected)]
        assert flags[0] == flags[1]


def test_the_admin_key_is_the_given_one_or_nobodys(tritonserver):
    def keys(**variables: str) -> set[str]:
        return {a.partition("admin-key=")[2] for a in tritonserver(**variables) if "admin-key=" in a}

    assert keys(TRITON_FACES_ADMIN_KEY="mine") == {"mine"}
    first, second = keys(), keys()
    assert len(first) == len(second) == 1
    assert first != second
    assert min(map(len, first)) >= 32


def test_models_are_chosen_by_a_variable(tritonserver):
    given = tritonserver(TRITON_FACES_MODELS="pnet facenet")
    assert [a for a in given if a.startswith("--load-model")] == ["--load-model=pnet", "--load-model=facenet"]


def test_models_exist():
    default = dict(VARIABLE.findall(SERVICES["triton"]["environment"]["TRITON_FACES_MODELS"]))["TRITON_FACES_MODELS"]
    assert default == environment("triton")["TRITON_FACES_MODELS"] == " ".join(REQUIRED)
    assert all((ROOT / "model_repository" / name / "config.pbtxt").is_file() for name in REQUIRED)


def test_malloc_is_set_as_in_the_embedded_server():
    assert MALLOC.items() <= environment("triton").items()


def test_everything_that_is_copied_exists_and_reaches_the_builder():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for instructions in stages().values()
        for instruction, rest in instructions
        if instruction == "COPY"
        for source in rest.split()[:-1]
    }
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)


def test_images_do_not_run_as_root():
    final = {name: [rest for instruction, rest in body if instruction == "USER"] for name, body in stages().items()}
    assert final == {"embedded": ["1000:1000"], "exporter": [], "cpu": [], "triton": ["root", "1000:1000"]}


@pytest.mark.parametrize("name", SERVICES)
def test_build_targets_and_mounts_exist(name):
    service = SERVICES[name]
    assert service["build"]["context"] == "."
    assert service["build"]["target"] in stages()
    assert service["image"] == f"triton-faces-{service['build']['target']}:{VERSION}"
    arguments_known = {rest.partition("=")[0] for instruction, rest in dockerfile() if instruction == "ARG"}
    assert set(service["build"].get("args", {})) <= arguments_known
    for mount in service["volumes"]:
        source = mount.split(":")[0]
        assert (ROOT / source).is_dir() if source.startswith("./") else source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_hardening(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert VARIABLE.sub(r"\2", service["user"]) == "1000:1000"
    assert service["deploy"]["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", SERVERS)
def test_servers(name):
    service = SERVICES[name]
    published = [VARIABLE.sub(r"\2", port).split(":") for port in service["ports"]]
    assert published == [["127.0.0.1", str(port), str(port)] for port in DEFAULT_PORTS]
    assert "./model_repository:/models:ro" in service["volumes"]
    # The embedded server runs its backends from there, and docker mounts without exec unless told.
    assert service["tmpfs"][0].startswith("/tmp:exec,")
    assert service["depends_on"] == {"exporter": {"condition": "service_completed_successfully"}}
    seconds = int(service["stop_grace_period"].removesuffix("s"))
    assert seconds > 30 + 15, "Triton's --exit-timeout-secs and what the launcher adds"


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("dead", [None, *REQUIRED])
def test_the_health_check_asks_for_every_model(name, dead, tmp_path):
    """Runs the very command against a stand-in for urllib that knows one dead model."""
    (tmp_path / "urllib").mkdir()
    (tmp_path / "urllib" / "__init__.py").touch()
    (tmp_path / "urllib" / "request.py").write_text(
        "def urlopen(url, timeout):\n"
        "    print(url)\n"
        f"    assert url != 'http://127.0.0.1:{DEFAULT_PORTS[0]}/v2/models/{dead}/ready'\n"
    )
    kind, *command = SERVICES[name]["healthcheck"]["test"]
    assert kind == "CMD"
    asked = subprocess.run(command, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)}, capture_output=True)
    assert asked.returncode == (0 if dead is None else 1)
    if dead is None:
        urls = [f"http://127.0.0.1:{DEFAULT_PORTS[0]}/v2/models/{model}/ready" for model in REQUIRED]
        assert asked.stdout.decode().split() == urls


def test_gpu_by_default_and_none_in_the_cpu_profile():
    assert [name for name, service in SERVICES.items() if "profiles" not in service] == ["exporter", "triton"]
    assert SERVICES["triton-cpu"]["profiles"] == ["cpu"]
    (device,) = SERVICES["triton"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert "reservations" not in SERVICES["triton-cpu"]["deploy"]["resources"]


def test_the_guide_lists_every_variable_with_its_default():
    used = dict(VARIABLE.findall((ROOT / "docker-compose.yml").read_text()))
    listed = dict(re.findall(r"^\| `(TRITON_FACES_\w+)` \| (?:`([^`]*)`|none) \|", GUIDE, re.MULTILINE))
    assert listed == used


def test_the_guide_names_services_that_exist():
    commands = [
        line.strip()
        for text in (GUIDE, (ROOT / "docker-compose.yml").read_text())
        for line in re.findall(r"^(?: {4}|# )(docker compose .*?)(?:  .*)?$", text, re.MULTILINE)
    ]
    assert commands
    verbs = {"up", "build", "config", "ps", "logs", "down", "run", "exec"}
    for command in commands:
        words = [w for w in shlex.split(command)[2:] if not w.startswith("-")]
        if "--profile" in command:
            assert words.pop(0) == "cpu"
        verb, *services = words
        assert verb in verbs
        assert set(services[:1] if verb in ("run", "exec") else services) <= set(SERVICES)


def compose_tool() -> list[str]:
    """The compose tool's command; empty where there is none."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    plugin = ["docker", "compose"]
    if shutil.which("docker") and subprocess.run([*plugin, "version"], capture_output=True).returncode == 0:
        return plugin
    return []


@pytest.mark.skipif(not compose_tool(), reason="no compose tool here")
@pytest.mark.parametrize("profile", [[], ["--profile", "cpu"]])
def test_the_compose_tool_accepts_it(profile):
    command = [*compose_tool(), *profile, "config", "--quiet"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
