"""The Helm chart agrees with the images, commands and servers that it deploys."""

import argparse
import json
import re
import tomllib
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from face_admin import export, serve
from face_cascade import code_cache
from face_export.published import NONE, PUBLISHED, RANDOM
from face_repository.layout import IDENTIFICATION, OPTIONAL, REQUIRED
from face_runtime.settings import GALLERY_VARIABLE, LOG_FORMAT_VARIABLE, TRACE_VARIABLE
from face_server import healthcheck
from face_server.launcher import STOP_SECONDS
from face_server.ports import LOOPBACK
from face_server.settings import ADMIN_KEY_VARIABLE, DEFAULT_PORTS, Settings
from face_server.supervision.health import Health, HealthServer
from tests.deploy.charts import (
    GPU,
    HEALTH_PORT,
    METADATA,
    MUTUAL,
    PROFILES,
    amount,
    mounts,
    profiles,
    render,
    server,
    server_pod,
    variables,
)
from tests.deploy.containers import ROOT, SERVICES, environment, filled_in, stages

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@profiles
def test_images_are_the_dockerfiles_targets_of_this_release(values):
    pod = server_pod(values)
    images = [each["image"] for each in (*pod["initContainers"], *pod["containers"])]
    targets = [re.fullmatch(rf"registry\.example/triton-faces-(\w+):{VERSION}", image)[1] for image in images]
    assert targets == ["exporter", {"cpu": "cpu", "gpu": "triton"}[values.get("profile", "cpu")]]
    assert set(targets) <= set(stages())
    assert METADATA["appVersion"] == VERSION


def test_options_are_those_of_faces_serve():
    (script,) = json.loads(dict(stages()["cpu"])["CMD"])
    assert "TRITON_FACES_SERVE_OPTIONS" in (ROOT / "deploy" / "container" / script.rpartition("/")[2]).read_text()
    container = server({})
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    args = parser.parse_args(variables(container)["TRITON_FACES_SERVE_OPTIONS"].split())
    assert args.http_host == LOOPBACK, "HTTP stays in the pod"
    assert str(args.threads) == container["resources"]["requests"]["cpu"], "as many threads as processors"
    assert args.command == []


@pytest.mark.parametrize("facenet", [NONE, RANDOM, *PUBLISHED])
def test_the_exporter_gets_arguments_that_it_has_and_a_gpu_loads_what_it_exports(facenet):
    pod = server_pod({**GPU, "models": {"facenet": facenet}})
    (exporter,) = pod["initContainers"]
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    assert parser.parse_args(exporter["args"]).facenet == facenet
    models = variables(pod["containers"][0])[healthcheck.MODELS_VARIABLE].split()
    assert models == [*REQUIRED, *(OPTIONAL if facenet != NONE else ())]


def test_variables_are_those_that_scripts_and_programs_read():
    scripts = {"cpu": "faces-serve.sh", "gpu": "tritonserver.sh"}
    programs = {ADMIN_KEY_VARIABLE, GALLERY_VARIABLE, LOG_FORMAT_VARIABLE, TRACE_VARIABLE, healthcheck.MODELS_VARIABLE}
    traced = {"traces": "http://collector:4318", "traceRate": 10}
    for profile, script in scripts.items():
        base = PROFILES[profile]
        given = {**base, **MUTUAL, "admin": {"secretName": "a"}, "server": {**base.get("server", {}), **traced}}
        given = {**given, "gallery": {"secretName": "g"}, "models": {"facenet": RANDOM}}
        read = set(re.findall(r"\w+", (ROOT / "deploy" / "container" / script).read_text())) | programs
        assert {each["name"] for each in server(given)["env"]} <= read


def test_without_links_a_release_of_any_name_keeps_its_variables():
    """A service `triton-faces` in the namespace would set TRITON_FACES_PORT and more."""
    assert not server_pod({})["enableServiceLinks"]
    assert ("Service", "triton-faces") in render({}, release="triton-faces")


@profiles
def test_what_the_images_write_to_is_a_volume(values):
    pod = server_pod(values)
    stage = "triton" if values else "packages"
    known = environment(stage)
    (exporter,), (container,) = pod["initContainers"], pod["containers"]
    assert known["HOME"] == "/tmp"
    # Machine code lies below HOME then.
    assert code_cache.VARIABLE not in known
    assert {"/tmp", "/dev/shm"} <= set(mounts(container))
    assert environment("packages")["TRITON_FACES_CACHE"] in mounts(exporter)
    if values:
        assert known["TRITON_CACHE_DIR"] in mounts(container)
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert volumes == {*mounts(container).values(), *mounts(exporter).values()}
    (models,) = [mount for mount in container["volumeMounts"] if mount["mountPath"] == "/models"]
    assert models["readOnly"]
    assert mounts(exporter)["/models"] == models["name"]


def test_a_claim_takes_the_exporters_place():
    pod = server_pod({"models": {"existingClaim": "mine"}})
    assert "initContainers" not in pod
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["models"]["persistentVolumeClaim"] == {"claimName": "mine", "readOnly": True}
    assert "weights" not in volumes


@profiles
def test_memory_is_as_in_compose(values):
    pod, service = server_pod(values), SERVICES["triton" if values else "triton-cpu"]
    (shm,) = [volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == "shm"]
    assert shm["medium"] == "Memory"
    assert amount(shm["sizeLimit"]) == amount(service["shm_size"])
    limit = amount(pod["containers"][0]["resources"]["limits"]["memory"])
    assert limit >= amount(filled_in(service["mem_limit"]))


@profiles
def test_ports_are_the_servers_and_only_grpc_is_offered(values):
    http, grpc, metrics = DEFAULT_PORTS
    ports = {port["name"]: port["containerPort"] for port in server(values)["ports"]}
    assert ports == {"grpc": grpc, "metrics": metrics, **({} if values else {"health": HEALTH_PORT})}
    objects = render(values)
    for name in ("faces", "faces-replicas"):
        assert [port["port"] for port in objects["Service", name]["spec"]["ports"]] == [grpc]
    rules = objects["NetworkPolicy", "faces"]["spec"]["ingress"]
    opened = [[port["port"] for port in rule["ports"]] for rule in rules]
    assert opened == [[grpc], [metrics] if values else [metrics, HEALTH_PORT]]
    assert not [ports for ports in opened if http in ports]


def test_a_service_of_each_kind():
    objects = render({})
    assert objects["Service", "faces-replicas"]["spec"]["clusterIP"] == "None"
    assert "clusterIP" not in objects["Service", "faces"]["spec"]
    labels = objects["Deployment", "faces"]["spec"]["template"]["metadata"]["labels"]
    for kind, name in (("Service", "faces"), ("Service", "faces-replicas")):
        assert objects[kind, name]["spec"]["selector"].items() <= labels.items()
    for kind in ("NetworkPolicy", "PodDisruptionBudget"):
        spec = objects[kind, "faces"]["spec"]
        assert (spec.get("selector") or spec["podSelector"])["matchLabels"].items() <= labels.items()
    canary = objects["Pod", "faces-canary"]["metadata"]["labels"]
    assert not objects["Service", "faces"]["spec"]["selector"].items() <= canary.items(), "it is no server"


_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def test_the_supervisor_answers_what_the_probes_ask():
    container = server({})
    script = (ROOT / "deploy" / "container" / "faces-serve.sh").read_text()
    assert f"--health-port {HEALTH_PORT}" in script
    health = HealthServer(Health(good_for=16), "127.0.0.1", 0)
    try:
        answers = {name: _status(health.url + container[name]["httpGet"]["path"]) for name in _PROBES}
    finally:
        health.close()
    # It has just started: alive, and not yet for callers.
    assert answers == {"startupProbe": 503, "readinessProbe": 503, "livenessProbe": 200}
    assert {container[name]["httpGet"]["port"] for name in _PROBES} == {"health"}
    start = container["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] > Settings.start_timeout, "it ends first, with its reason"


def test_without_a_supervisor_every_probe_sends_a_picture():
    container = server(GPU)
    seconds = len((*REQUIRED, *OPTIONAL, *IDENTIFICATION)) + healthcheck.CANARY_SECONDS
    for name in _PROBES:
        assert container[name]["exec"]["command"] == SERVICES["triton"]["healthcheck"]["test"][1:]
        assert container[name]["timeoutSeconds"] > seconds
    waits = {name: container[name]["periodSeconds"] * container[name]["failureThreshold"] for name in _PROBES}
    assert waits["livenessProbe"] > waits["readinessProbe"], "taken out first, started again later"


@pytest.mark.parametrize("seconds", [0, 10, 45])
@profiles
def test_what_was_accepted_has_its_time(values, seconds):
    pod = server_pod({**values, "preStopSeconds": seconds})
    grace = pod["terminationGracePeriodSeconds"] - seconds
    assert grace == int(SERVICES["triton"]["stop_grace_period"].removesuffix("s"))
    assert grace > STOP_SECONDS
    stop = pod["containers"][0].get("lifecycle")
    assert stop == ({"preStop": {"sleep": {"seconds": seconds}}} if seconds else None)


def _status(url):
    try:
        with urlopen(url, timeout=5) as answer:
            return answer.status
    except HTTPError as error:
        return error.code
