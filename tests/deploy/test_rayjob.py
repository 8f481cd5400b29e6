"""What a program can check of the RayJob: nothing here can start one."""

import re
import shlex

import yaml

from face_batch import command
from face_command.parser import Parser
from tests.deploy.containers import ROOT, stages

FILE = ROOT / "deploy" / "ray" / "rayjob.yaml"
JOB = yaml.safe_load(FILE.read_text())["spec"]
CLUSTER = JOB["rayClusterSpec"]
PODS = [CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]]


def containers():
    return [container for pod in PODS for container in pod["template"]["spec"]["containers"]]


def arguments():
    parser = Parser()
    command.add_arguments(parser)
    assert shlex.split(JOB["entrypoint"])[:2] == ["faces", "batch"]
    return parser.parse_args(shlex.split(JOB["entrypoint"])[2:])


def test_its_command_is_one_that_goes_on_where_it_was():
    args = arguments()
    assert args.resume
    assert args.ray == "auto"
    assert (args.source, args.target) == ("s3://bucket/photos", "s3://bucket/faces")


def test_the_head_has_what_the_command_reads():
    args = arguments()
    (head,) = CLUSTER["headGroupSpec"]["template"]["spec"]["containers"]
    assert str(args.repository) in [mount["mountPath"] for mount in head["volumeMounts"]]
    assert args.metrics_host == "0.0.0.0", "others read them"
    assert args.metrics_port in [port["containerPort"] for port in head["ports"]]


def test_credentials_come_from_a_secret_and_every_container_is_bounded():
    for container in containers():
        assert {"secretRef": {"name": "store"}} in container["envFrom"]
        assert set(container["resources"]["limits"]) >= {"cpu", "memory"}
        assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"]
    values = [entry.get("value", "") for container in containers() for entry in container["env"]]
    assert values == ["0"] * len(containers())


def test_the_cluster_takes_nobody_without_a_token():
    assert CLUSTER["authOptions"] == {"mode": "token"}


def test_ray_is_of_a_release_with_tokens():
    # The image decides which one; the operator reads from this what it may ask for.
    assert (2, 52) <= tuple(map(int, CLUSTER["rayVersion"].split(".")[:2])) < (3, 0)


def test_the_image_is_one_that_is_built():
    assert "batch" in stages()
    assert {re.sub(r":.*", "", container["image"]) for container in containers()} == {
        "registry.example/triton-faces-batch"
    }


def test_the_group_for_gpus_is_yaml_too():
    commented = re.search(r"(?:^ +# .*\n)+\Z", FILE.read_text(), re.MULTILINE)[0]
    lines = [re.sub(r"^ +# ", "", line) for line in commented.splitlines()]
    (group,) = yaml.safe_load("\n".join(lines[next(n for n, line in enumerate(lines) if line.startswith("- ")) :]))
    (container,) = group["template"]["spec"]["containers"]
    assert container["image"] == containers()[0]["image"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
