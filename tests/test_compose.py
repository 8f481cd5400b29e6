"""docker-compose.yml agrees with the repository, with what it builds and with docs/deployment.md."""

import re
import shlex
import shutil
import subprocess
import tomllib

import pytest

from face_cascade import code_cache
from face_repository.layout import IDENTIFICATION, OPTIONAL, REQUIRED
from face_server.healthcheck import CANARY_SECONDS
from face_server.invocation import DRAIN_SECONDS
from face_server.settings import DEFAULT_PORTS
from tests.deploy.containers import (
    COMPOSE,
    COMPOSE_TEXT,
    ROOT,
    SERVERS,
    SERVICES,
    TLS_SECRETS,
    VARIABLE,
    dockerfile,
    environment,
    filled_in,
    stages,
)

GUIDE = (ROOT / "docs" / "deployment.md").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
BUILT = [name for name, service in SERVICES.items() if "build" in service]
PULLED = [name for name in SERVICES if name not in BUILT]
HEALTH_PORT = 8003


def seconds(text):
    return float(text.removesuffix("s"))


@pytest.mark.parametrize("name", BUILT)
def test_build_targets_exist(name):
    service = SERVICES[name]
    assert service["build"]["context"] == "."
    assert service["build"]["target"] in stages()
    assert service["image"] == f"triton-faces-{service['build']['target']}:{VERSION}"
    arguments_known = {rest.partition("=")[0] for instruction, rest in dockerfile() if instruction == "ARG"}
    assert set(service["build"].get("args", {})) <= arguments_known


@pytest.mark.parametrize("name", PULLED)
def test_pulled_images_are_pinned_to_a_release(name):
    assert re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_mounts_exist(name):
    for mount in SERVICES[name].get("volumes", []):
        source, _target, *mode = filled_in(mount).split(":")
        if not source.startswith("./"):
            assert source in COMPOSE["volumes"]
            continue
        assert (ROOT / source).is_dir()
        assert mode == ["ro"], "who has to write there"


@pytest.mark.parametrize("name", SERVICES)
def test_hardening(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert not filled_in(service["user"]).startswith("0"), "root"
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_everything_is_bounded_and_watched(name):
    service = SERVICES[name]
    assert re.fullmatch(r"\d+g", filled_in(service["mem_limit"]))
    assert service["pids_limit"] > 0
    assert service["logging"]["driver"] == "json-file", "what collectors read"
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    once = name in ("exporter", "locust")
    assert service["restart"] == ("no" if once else "unless-stopped")
    assert "healthcheck" in service or name == "exporter"


@pytest.mark.parametrize("name", SERVICES)
def test_health_is_asked_in_words_without_spaces(name):
    """Podman parts them where it is asked by Docker's API."""
    assert not [word for word in SERVICES[name].get("healthcheck", {}).get("test", []) if " " in word]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_those_that_listen_and_are_published_on_this_machine_only(name):
    published = [filled_in(port).split(":") for port in SERVICES[name].get("ports", [])]
    assert all(host == "127.0.0.1" and outside == inside for host, outside, inside in published)
    inside = [int(port) for _, _, port in published]
    listening = {
        "exporter": [],
        "triton": [*DEFAULT_PORTS],
        "triton-cpu": [*DEFAULT_PORTS, HEALTH_PORT],
        "page": [8080],
        "prometheus": [9090],
        "grafana": [3000],
        "locust": [8089],
    }
    assert inside == listening[name]
    if name in BUILT and name != "exporter":
        exposed = dict(stages()[SERVICES[name]["build"]["target"]])["EXPOSE"]
        assert exposed.split() == [str(port) for port in inside]


@pytest.mark.parametrize("name", SERVERS)
def test_servers(name):
    service = SERVICES[name]
    assert "models:/models:ro" in map(filled_in, service["volumes"])
    # The embedded server runs its backends from there, and docker mounts without exec unless told.
    assert service["tmpfs"][0].startswith("/tmp:exec,")
    assert service["depends_on"] == {"exporter": {"condition": "service_completed_successfully"}}
    assert seconds(service["stop_grace_period"]) > DRAIN_SECONDS + 15, "what the launcher adds"
    assert re.fullmatch(r"[1-9]gb", service["shm_size"])


def test_compiled_kernels_outlive_the_gpus_container():
    """In a volume: the root file system is read-only, and /tmp ends with the container."""
    mounts = [mount.split(":") for mount in SERVICES["triton"]["volumes"]]
    assert ["kernels", environment("triton")["TRITON_CACHE_DIR"]] in mounts
    assert "kernels" in COMPOSE["volumes"]
    users = [rest for instruction, rest in stages()["triton"] if instruction == "USER"]
    assert users[-1] == SERVICES["triton"]["user"], "who owns the folder, and with it a new volume"


def test_machine_code_outlives_the_cpus_container():
    """In a volume that belongs to the server's user, who alone can write it: else it would not be taken."""
    folder = SERVICES["triton-cpu"]["environment"][code_cache.VARIABLE]
    assert f"code:{folder}" in SERVICES["triton-cpu"]["volumes"]
    assert "code" in COMPOSE["volumes"]
    made = [rest for instruction, rest in stages()["packages"] if instruction == "RUN" and rest.endswith(folder)]
    user, group = SERVICES["triton-cpu"]["user"].split(":")
    assert made == [f"install --directory --owner={user} --group={group} --mode=700 {folder}"]


@pytest.mark.parametrize("name", SERVERS)
def test_the_health_check_has_time_for_every_model_and_a_picture(name):
    """What it does is tested in tests/e2e/test_healthcheck.py."""
    check = SERVICES[name]["healthcheck"]
    assert check["test"] == ["CMD", "python3", "-m", "face_server.healthcheck"]
    with_people = len((*REQUIRED, *OPTIONAL, *IDENTIFICATION))
    assert seconds(check["timeout"]) > with_people + CANARY_SECONDS
    assert seconds(check["interval"]) < 60


def test_the_page_asks_whichever_server_runs():
    """By the name that both have, at gRPC's port; it depends on neither, since that would start the GPU's."""
    assert SERVICES["page"]["environment"]["TRITON_FACES_URL"] == f"triton:{DEFAULT_PORTS[1]}"
    assert "depends_on" not in SERVICES["page"]


def test_models_exist():
    default = dict(VARIABLE.findall(SERVICES["triton"]["environment"]["TRITON_FACES_MODELS"]))["TRITON_FACES_MODELS"]
    assert default == environment("triton")["TRITON_FACES_MODELS"] == " ".join(REQUIRED)
    assert all((ROOT / "model_repository" / name / "config.pbtxt").is_file() for name in REQUIRED)


def test_secrets_are_files_and_empty_unless_somebody_gives_others():
    for name, secret in COMPOSE["secrets"].items():
        assert (ROOT / filled_in(secret["file"])).read_bytes() == b"", name
        assert VARIABLE.findall(secret["file"])[0][0] == f"TRITON_FACES_{name.upper()}"
    of_page = [name for name in COMPOSE["secrets"] if name.startswith("page_")]
    assert SERVICES["page"]["secrets"] == of_page
    assert all(SERVICES[name]["secrets"] == list(TLS_SECRETS) for name in SERVERS)


def test_gpu_by_default_and_none_in_the_cpu_profile():
    by_default = [name for name, service in SERVICES.items() if "profiles" not in service]
    assert by_default == ["exporter", "triton", "prometheus", "grafana"]
    assert SERVICES["triton-cpu"]["profiles"] == ["cpu"]
    assert SERVICES["locust"]["profiles"] == ["load"]
    assert SERVICES["page"]["profiles"] == ["page"]
    (device,) = SERVICES["triton"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert "deploy" not in SERVICES["triton-cpu"]


def test_the_cpus_server_goes_by_the_gpus_name():
    assert SERVICES["triton-cpu"]["networks"]["default"]["aliases"] == ["triton"]


def test_the_guide_lists_every_variable_with_its_default():
    used = dict(VARIABLE.findall(COMPOSE_TEXT))
    listed = dict(re.findall(r"^\| `(TRITON_FACES_\w+)` \| (?:`([^`]*)`|none) \|", GUIDE, re.MULTILINE))
    # Files without content stand for none.
    assert listed == {name: default.replace("./deploy/tls/none.pem", "") for name, default in used.items()}


def test_the_guide_names_services_that_exist():
    commands = [
        line.strip()
        for text in (GUIDE, COMPOSE_TEXT)
        for line in re.findall(r"^(?: {4}|# )(docker compose .*?)(?:  .*)?$", text, re.MULTILINE)
    ]
    assert commands
    profiles = {name for service in SERVICES.values() for name in service.get("profiles", [])}
    verbs = {"up", "build", "config", "ps", "logs", "down", "run", "exec"}
    for command in commands:
        words = [w for w in shlex.split(command)[2:] if not w.startswith("-")]
        for _ in range(command.count("--profile")):
            assert words.pop(0) in profiles
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


@pytest.mark.skipif(not compose_tool(), reason="no compose tool here: apt-get install docker-compose")
@pytest.mark.parametrize("profiles", [[], ["cpu"], ["load"], ["page"], ["cpu", "load", "page"]])
def test_the_compose_tool_accepts_it(profiles):
    options = [word for profile in profiles for word in ("--profile", profile)]
    command = [*compose_tool(), *options, "config", "--quiet"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
