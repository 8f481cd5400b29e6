"""The Helm chart: what it renders is valid, closed where it should be, and refuses wrong values."""

import json
import re

import pytest
import yaml

from face_export.published import NONE, PUBLISHED, RANDOM
from face_runtime.settings import GALLERY_VARIABLE
from face_server.settings import ADMIN_KEY_VARIABLE, LOG_FORMATS, RANGES
from tests.deploy.charts import (
    CHART,
    GPU,
    MUTUAL,
    PAGE,
    PROFILES,
    TLS,
    VALUES,
    helm,
    mounts,
    refused,
    render,
    server,
    server_pod,
    switches,
    variables,
)
from tests.deploy.containers import TLS_SECRETS, stages

kubernetes = pytest.importorskip("kubernetes_validate", reason="no schemas here: pip install kubernetes-validate")

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
README = (CHART / "README.md").read_text()
# Those that Kubernetes itself knows nothing of.
CUSTOM = {"PodMonitor", "PrometheusRule", "ScaledObject"}


@pytest.mark.parametrize("version", ["1.32", kubernetes.latest_version()])
@switches
def test_kubernetes_takes_it_strictly(values, version):
    for (kind, _), each in render(values).items():
        if kind not in CUSTOM:
            kubernetes.validate(each, version, strict=True)


def test_what_the_guide_has_applied_is_taken_too():
    blocks = re.findall(r"^```yaml\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        for each in yaml.safe_load_all(block):
            kubernetes.validate(each, "1.32", strict=True)


def test_the_guide_sets_values_that_exist():
    given = re.findall(r"--set(?:-json|-string)? '?([\w.]+)=", README)
    assert given
    for name in given:
        schema = SCHEMA
        for part in name.split("."):
            # Labels may have any name.
            schema = schema.get("additionalProperties") or schema["properties"][part]


@switches
def test_helm_finds_nothing_to_say(values):
    found = helm.lint(str(CHART), values, strict=True)
    assert found["errors"] == []
    assert {message["error"] for message in found["messages"]} <= {"icon is recommended"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"profile": "tpu"}, "at '/profile': value must be one of 'cpu', 'gpu'"),
        ({"replica": 3}, "additional properties 'replica' not allowed"),
        ({"replicas": -1}, "at '/replicas': minimum: got -1, want 0"),
        ({"replicas": "2"}, "at '/replicas': got string, want integer"),
        ({"sharedMemory": "4gb"}, "at '/sharedMemory': '4gb' does not match pattern"),
        ({"server": {"options": ["--threads 4"]}}, "at '/server/options/0': '--threads 4' does not match pattern"),
        ({"server": {"traces": "collector:4318"}}, "at '/server/traces': 'collector:4318' does not match pattern"),
        ({"models": {"facenet": "facenet"}}, "at '/models/facenet': value must be one of"),
        ({"autoscaling": {"by": "cpu"}}, "at '/autoscaling/by': value must be one of 'none', 'hpa', 'keda'"),
        ({"profile": "gpu"}, "profile gpu needs resources.limits with nvidia.com/gpu: take values-gpu.yaml along"),
        ({**GPU, "server": {"options": ["--threads"]}}, "server.options are those of `faces serve`"),
        ({"tls": {"clientAuthoritySecretName": "callers"}}, "tls.clientAuthoritySecretName needs tls.secretName"),
        ({"gallery": {"secretName": "db"}}, "gallery.secretName needs FaceNet: models.facenet, or a claim with it"),
        ({**PAGE, **TLS}, "page.enabled with tls.secretName needs page.tls.authoritySecretName"),
        (
            {"page": {"enabled": True, "tls": {"authoritySecretName": "ours"}}, **MUTUAL},
            "page.enabled with tls.clientAuthoritySecretName needs page.tls.certificateSecretName",
        ),
        ({"page": {"enabled": True, "enrol": True}}, "page.enrol needs gallery.secretName"),
        (
            {
                "page": {"enabled": True, "enrol": True},
                "gallery": {"secretName": "db"},
                "models": {"facenet": "random"},
            },
            "page.enrol needs page.keys.secretName",
        ),
        ({"page": {"options": ["--port 80"]}}, "at '/page/options/0': '--port 80' does not match pattern"),
        ({"autoscaling": {"minReplicas": 11}}, "autoscaling.minReplicas is above autoscaling.maxReplicas"),
        ({"rollout": {"maxSurge": 0}}, "rollout.maxSurge and rollout.maxUnavailable are both 0"),
    ],
)
def test_wrong_values_are_refused_with_their_name(values, said):
    assert said in refused(values)


def test_every_value_is_in_the_schema_and_explained():
    def names(schema):
        return {name: names(each) for name, each in schema.get("properties", {}).items()}

    def given(values):
        return {name: given(each) for name, each in values.items()} if isinstance(values, dict) else {}

    known, there = names(SCHEMA), given(VALUES)
    assert set(known) - {"global"} == set(there)
    for name in (
        "image",
        "models",
        "server",
        "tls",
        "admin",
        "gallery",
        "autoscaling",
        "networkPolicy",
        "page",
        "rollout",
    ):
        assert set(known[name]) == set(there[name]), name


def test_the_schema_has_the_choices_of_the_commands():
    properties = SCHEMA["properties"]
    assert set(properties["models"]["properties"]["facenet"]["enum"]) == {NONE, RANDOM, *PUBLISHED}
    assert set(properties["server"]["properties"]["logFormat"]["enum"]) == set(LOG_FORMATS)
    rate = properties["server"]["properties"]["traceRate"]
    assert (rate["minimum"], rate["maximum"]) == RANGES["trace_rate"]


@switches
def test_pods_are_restricted(values):
    objects = render(values)
    pods = [each["spec"]["template"]["spec"] for (kind, _), each in objects.items() if kind == "Deployment"]
    pods += [each["spec"] for (kind, _), each in objects.items() if kind == "Pod"]
    (user,) = {rest for instruction, rest in stages()["embedded"] if instruction == "USER"}
    for pod in pods:
        assert not pod["automountServiceAccountToken"]
        security = pod["securityContext"]
        assert security["runAsNonRoot"]
        assert f"{security['runAsUser']}:{security['runAsGroup']}" == user
        assert security["fsGroup"] == security["runAsGroup"]
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
        assert kinds <= {"emptyDir", "persistentVolumeClaim", "projected"}
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]
            assert not any("hostPort" in port for port in container.get("ports", ()))


def _files(volume):
    return {item["path"] for source in volume["projected"]["sources"] for item in source["secret"]["items"]}


@pytest.mark.parametrize("profile", PROFILES)
def test_certificates_lie_where_the_start_script_looks(profile):
    values = PROFILES[profile]
    folder = variables(server({**values, **TLS}))["TRITON_FACES_SECRETS"]
    for tls, names in ((TLS, {"tls_certificate", "tls_key"}), (MUTUAL, set(TLS_SECRETS))):
        pod = server_pod({**values, **tls})
        (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "tls"]
        assert mounts(pod["containers"][0])[folder] == "tls"
        assert _files(volume) == names
        # Of user root and the pod's group.
        assert volume["projected"]["defaultMode"] == 0o440
    assert "TRITON_FACES_SECRETS" not in variables(server(values))


def test_the_admin_key_comes_from_a_secret_alone():
    (key,) = [each for each in server({"admin": {"secretName": "mine"}})["env"] if each["name"] == ADMIN_KEY_VARIABLE]
    assert key["valueFrom"] == {"secretKeyRef": {"name": "mine", "key": "admin-key"}}
    assert ADMIN_KEY_VARIABLE not in {each["name"] for each in server({})["env"]}


def test_the_address_of_a_gallery_is_a_secret():
    values = {"models": {"existingClaim": "with-facenet"}, "gallery": {"secretName": "mine", "key": "url"}}
    (address,) = [each for each in server(values)["env"] if each["name"] == GALLERY_VARIABLE]
    assert address["valueFrom"] == {"secretKeyRef": {"name": "mine", "key": "url"}}
    assert GALLERY_VARIABLE not in {each["name"] for each in server({})["env"]}


@pytest.mark.parametrize(
    ("values", "ports"),
    [
        ({}, []),
        ({"models": {"facenet": "vggface2"}}, [53, 53, 443]),
        ({"models": {"facenet": "vggface2", "existingClaim": "mine"}}, []),
        ({"models": {"facenet": "random"}}, []),
        ({"server": {"traces": "http://collector:4318/v1/traces"}}, [53, 53, 4318]),
        ({"server": {"traces": "https://collector/v1/traces"}}, [53, 53, 443]),
        ({"gallery": {"secretName": "db", "port": 6432}, "models": {"facenet": "random"}}, [53, 53, 6432]),
        ({"networkPolicy": {"egress": [{"ports": [{"port": 7}]}]}}, [7]),
    ],
)
def test_nothing_leaves_that_need_not(values, ports):
    spec = render(values)["NetworkPolicy", "faces"]["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert [port["port"] for rule in spec["egress"] for port in rule["ports"]] == ports
