"""The chart's page: it finds the servers, has its secrets where it looks for them, is reached by whom it should be."""

import argparse
import json
import re
import tomllib

import pytest

from face_client.options import URL_VARIABLE
from face_gateway import Settings, command
from face_runtime.settings import GALLERY_VARIABLE, LOG_FORMAT_VARIABLE
from tests.deploy.charts import (
    FULL_PAGE,
    MUTUAL,
    PAGE,
    PROFILES,
    amount,
    mounts,
    page,
    page_pod,
    render,
    variables,
)
from tests.deploy.containers import COMPOSE, ROOT, SERVICES, environment, stages
from tests.gateway.asgi import app_of, call

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
PORT = 8080


def test_there_is_none_unless_it_is_asked_for():
    assert not [name for _, name in render({}) if name.endswith("-page")]


@pytest.mark.parametrize("profile", PROFILES)
def test_its_image_is_the_dockerfiles_target_of_this_release(profile):
    container = page({**PROFILES[profile], **PAGE})
    assert container["image"] == f"registry.example/triton-faces-page:{VERSION}"
    assert dict(stages()["page"])["EXPOSE"] == str(PORT)
    assert container["ports"] == [{"name": "http", "containerPort": PORT}]


def test_it_asks_all_replicas_by_the_name_that_they_have():
    url = variables(page(PAGE))[URL_VARIABLE]
    name, port = re.fullmatch(r"dns:///(.+):(\d+)", url).groups()
    service = render(PAGE)["Service", name]["spec"]
    assert service["clusterIP"] == "None"
    assert [each["port"] for each in service["ports"]] == [int(port)]


def options(values):
    """What `faces page` understands of the options."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(variables(page(values))["TRITON_FACES_PAGE_OPTIONS"].split())


def test_options_are_those_of_faces_page():
    assert options(PAGE).without_keys, "or it would not listen for other pods"
    assert not options(PAGE).served
    names = ["", ".photos", ".photos.svc", ".photos.svc.cluster.local"]
    assert options(PAGE).allow_host == [f"faces-page{name}" for name in names], "and localhost, as ever"
    given = options(FULL_PAGE)
    assert not given.without_keys, "the script gives it the keys"
    assert (given.served, given.allow_host, given.max_images) == (True, ["faces.example.org"], 4)


def test_variables_are_those_that_its_script_and_its_programs_read():
    (script,) = json.loads(dict(stages()["page"])["CMD"])
    text = (ROOT / "deploy" / "container" / script.rpartition("/")[2]).read_text()
    read = {*re.findall(r"\w+", text), URL_VARIABLE, GALLERY_VARIABLE, LOG_FORMAT_VARIABLE}
    assert {each["name"] for each in page(FULL_PAGE)["env"]} <= read


def test_secrets_lie_where_the_start_script_looks():
    folder = variables(page(PAGE))["TRITON_FACES_SECRETS"]
    assert folder not in mounts(page(PAGE))
    pod = page_pod(FULL_PAGE)
    assert mounts(pod["containers"][0])[folder] == "secrets"
    (volume,) = [volume["projected"] for volume in pod["volumes"] if volume["name"] == "secrets"]
    files = {
        item["path"]: source["secret"]["name"] for source in volume["sources"] for item in source["secret"]["items"]
    }
    assert files == {
        "page_keys": "faces-page",
        "page_tls_authority": "ours",
        "page_tls_certificate": "page-tls",
        "page_tls_key": "page-tls",
    }
    assert set(files) == set(SERVICES["page"]["secrets"]) <= set(COMPOSE["secrets"])
    assert volume["defaultMode"] == 0o440


def test_people_are_enrolled_where_that_is_asked_for():
    (address,) = [each for each in page(FULL_PAGE)["env"] if each["name"] == GALLERY_VARIABLE]
    assert address["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "address"}}
    known = {**PAGE, "gallery": {"secretName": "db"}, "models": {"facenet": "random"}}
    assert GALLERY_VARIABLE not in {each["name"] for each in page(known)["env"]}


def test_memory_and_places_to_write_are_as_in_compose():
    pod = page_pod(PAGE)
    assert mounts(pod["containers"][0]) == {environment("page")["HOME"]: "tmp"}
    service = SERVICES["page"]
    assert amount(pod["containers"][0]["resources"]["limits"]["memory"]) == amount(service["mem_limit"])
    (tmp,) = [volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"]]
    assert amount(tmp) == amount(re.search(r"size=(\w+)", service["tmpfs"][0])[1])


def test_probes_call_it_by_its_address_and_ask_what_it_answers():
    container = page(FULL_PAGE)
    app = app_of(lambda _: pytest.fail("asked"), Settings(host="0.0.0.0", allowed_hosts=("faces.example.org",)))
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = container[name]["httpGet"]
        assert probe["port"] == "http"
        assert call(app, "GET", probe["path"], headers={"host": "10.1.2.3:8080"}).status == 200


def test_a_pod_of_each_kind_is_no_other_kind():
    objects = render(PAGE)
    of_server, of_page = (
        objects["Deployment", name]["spec"]["template"]["metadata"]["labels"] for name in ("faces", "faces-page")
    )
    for kind in ("Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget"):
        for name, own, other in (("faces", of_server, of_page), ("faces-page", of_page, of_server)):
            spec = objects[kind, name]["spec"]
            selector = spec.get("selector") or spec["podSelector"]
            labels = selector.get("matchLabels", selector)
            assert labels.items() <= own.items()
            assert not labels.items() <= other.items()


def rules_of(policy, way):
    """(peers, ports) a rule."""
    peer = {"ingress": "from", "egress": "to"}[way]
    return [(rule.get(peer), [port["port"] for port in rule["ports"]]) for rule in policy["spec"][way]]


def test_it_reaches_the_servers_and_nothing_else():
    objects = render({**PAGE, "networkPolicy": {"clients": []}})
    labels = objects["Deployment", "faces-page"]["spec"]["selector"]["matchLabels"]
    assert rules_of(objects["NetworkPolicy", "faces"], "ingress")[0] == (
        [{"podSelector": {"matchLabels": labels}}],
        [8001],
    )
    servers = objects["Deployment", "faces"]["spec"]["selector"]["matchLabels"]
    assert rules_of(objects["NetworkPolicy", "faces-page"], "egress") == [
        (None, [53, 53]),
        ([{"podSelector": {"matchLabels": servers}}], [8001]),
    ]
    database = rules_of(render(FULL_PAGE)["NetworkPolicy", "faces-page"], "egress")[-1]
    assert database == (None, [5432])


def test_callers_are_those_that_are_let_in():
    web = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}}
    policy = render({"page": {"enabled": True, "clients": [web]}})["NetworkPolicy", "faces-page"]
    ((peers, ports),) = rules_of(policy, "ingress")
    assert peers[0] == web
    assert len(peers) == 2, "and Prometheus"
    assert ports == [PORT]
    nobody = {"page": {"enabled": True, "clients": []}, "networkPolicy": {"monitoring": []}}
    assert render(nobody)["NetworkPolicy", "faces-page"]["spec"]["ingress"] == []


def test_an_encrypted_server_is_asked_with_a_certificate():
    """What the page comes with is the page's own: the servers' key stays theirs."""
    pod = page_pod(FULL_PAGE)
    assert MUTUAL["tls"]["secretName"] not in json.dumps(pod)
