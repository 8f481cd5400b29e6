"""The chart, rendered by Helm's own library, and what the tests look for in it."""

import pytest
import yaml

from tests.deploy.containers import ROOT

helm = pytest.importorskip("helm_python", reason="no Helm here: pip install helm-python-sdk")

CHART = ROOT / "deploy" / "helm" / "triton-faces"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
GPU = yaml.safe_load((CHART / "values-gpu.yaml").read_text())
TLS = {"tls": {"secretName": "faces-tls"}}
MUTUAL = {"tls": {"secretName": "faces-tls", "clientAuthoritySecretName": "callers"}}
WATCHED = {"monitoring": {"enabled": True, "labels": {"release": "stack"}, "dashboard": {"enabled": True}}}

PAGE = {"page": {"enabled": True}}
# Everything that the page can be given.
FULL_PAGE = {
    "page": {
        "enabled": True,
        "options": ["--max-images", "4"],
        "hosts": ["faces.example.org"],
        "keys": {"secretName": "faces-page"},
        "enrol": True,
        "tls": {"authoritySecretName": "ours", "certificateSecretName": "page-tls"},
    },
    "gallery": {"secretName": "db"},
    "models": {"facenet": "random"},
    **MUTUAL,
}

PROFILES = {"cpu": {}, "gpu": GPU}

SWITCHES = {
    "cpu": {},
    "gpu": GPU,
    "tls": TLS,
    "mutual tls": MUTUAL,
    "gpu, mutual tls": {**GPU, **MUTUAL},
    "admin": {"admin": {"secretName": "faces-admin"}},
    "claim": {"models": {"existingClaim": "models"}},
    "gpu, claim, facenet": {**GPU, "models": {"existingClaim": "models", "facenet": "vggface2"}},
    "facenet, traces": {
        "models": {"facenet": "vggface2"},
        "server": {"traces": "http://collector.observability:4318/v1/traces", "traceRate": 10},
    },
    "hpa": {"autoscaling": {"by": "hpa"}, **WATCHED},
    "keda": {"autoscaling": {"by": "keda"}, **WATCHED},
    "gpu, hpa": {**GPU, "autoscaling": {**GPU["autoscaling"], "by": "hpa"}, **WATCHED},
    "page": PAGE,
    "gpu, page": {**GPU, **PAGE},
    "page with everything": FULL_PAGE,
    "page, nobody": {"page": {"enabled": True, "clients": []}, "networkPolicy": {"clients": [], "monitoring": []}},
    "nobody": {"networkPolicy": {"clients": [], "monitoring": []}},
    "bare": {"networkPolicy": {"enabled": False}, "podDisruptionBudget": {"enabled": False}, "spread": []},
    "at once": {"preStopSeconds": 0},
    "placed": {
        "image": {"registry": "localhost", "tag": "edge", "pullSecrets": ["registry"]},
        "nodeSelector": {"pool": "faces"},
        "tolerations": [{"key": "faces", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "runtimeClassName": "nvidia",
        "podLabels": {"team": "photos"},
        "podAnnotations": {"note": "of mine"},
    },
}
"""Values that are worth a look, by name; each is rendered and validated."""

profiles = pytest.mark.parametrize("values", PROFILES.values(), ids=PROFILES)
switches = pytest.mark.parametrize("values", SWITCHES.values(), ids=SWITCHES)

METADATA = yaml.safe_load((CHART / "Chart.yaml").read_text())
HEALTH_PORT = 8003


def render(values, release="faces", namespace="photos"):
    """Every object, by kind and name."""
    with helm.Chart.load(str(CHART)) as chart:
        texts = chart.render(values, name=release, namespace=namespace)
    found = {}
    for path, text in texts.items():
        if path.endswith(".yaml"):
            for each in yaml.safe_load_all(text):
                if each:
                    key = each["kind"], each["metadata"]["name"]
                    assert key not in found, key
                    found[key] = each
    return found


def refused(values):
    """What Helm says to values that it does not take."""
    try:
        render(values)
    except helm.HelmError as error:
        return str(error)
    raise AssertionError(f"taken: {values}")


def server_pod(values):
    """The server's pod, as the Deployment has it."""
    return render(values)["Deployment", "faces"]["spec"]["template"]["spec"]


def server(values):
    """Its container."""
    (container,) = server_pod(values)["containers"]
    return container


def page_pod(values):
    """The page's pod, as its Deployment has it."""
    return render(values)["Deployment", "faces-page"]["spec"]["template"]["spec"]


def page(values):
    """Its container."""
    (container,) = page_pod(values)["containers"]
    return container


def variables(container):
    """Those of its environment that stand there as they are."""
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


def mounts(container):
    """Volumes by the place where they are mounted."""
    return {each["mountPath"]: each["name"] for each in container["volumeMounts"]}


def amount(text):
    """A quantity of memory in bytes, as Kubernetes and Compose write it."""
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 2**10, "m": 2**20, "g": 2**30, "gb": 2**30}
    digits = text.rstrip("KMGikmgb")
    return int(digits) * units[text.removeprefix(digits)]
