"""Prometheus, Grafana and locust in docker-compose.yml find their files, each other and the server."""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
import yaml

from face_admin import export as export
from face_server.settings import DEFAULT_PORTS
from tests.deploy.containers import ROOT, SERVICES, copies, environment, filled_in, stages
from tests.deploy.expressions import DEPLOY


def inside(service, path):
    """The file of the repository, or None, that a container sees at a path."""
    for mount in SERVICES[service]["volumes"]:
        source, target, *_ = mount.split(":")
        if source.startswith("./") and PurePosixPath(path).is_relative_to(target):
            return ROOT / source / PurePosixPath(path).relative_to(target)
    return None


def volume_of(service, path):
    return next((s for s, t, *_ in (m.split(":") for m in SERVICES[service]["volumes"]) if t == path), None)


def option(service, name):
    (value,) = [word.partition("=")[2] for word in SERVICES[service]["command"] if word.startswith(f"--{name}=")]
    return value


def test_prometheus_reads_our_configuration_and_its_rules():
    config = inside("prometheus", option("prometheus", "config.file"))
    for rules in yaml.safe_load(config.read_text())["rule_files"]:
        assert (config.parent / rules).is_file()
    assert volume_of("prometheus", option("prometheus", "storage.tsdb.path")) == "prometheus"


def test_prometheus_scrapes_servers_by_the_name_that_they_have():
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    assert targets == {"triton": [f"triton:{DEFAULT_PORTS[2]}"], "supervisor": ["triton:8003"]}
    assert "triton" in SERVICES


def test_grafana_finds_its_source_and_its_dashboards():
    sources = inside("grafana", "/etc/grafana/provisioning/datasources")
    (source,) = [s for file in sources.glob("*.yml") for s in yaml.safe_load(file.read_text())["datasources"]]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in SERVICES
    providers = inside("grafana", "/etc/grafana/provisioning/dashboards")
    (provider,) = [p for file in providers.glob("*.yml") for p in yaml.safe_load(file.read_text())["providers"]]
    assert list(inside("grafana", provider["options"]["path"]).glob("*.json")) == [
        DEPLOY / "grafana/dashboards/faces.json"
    ]
    home = inside("grafana", SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert json.loads(home.read_text())["title"] == "Faces"


def test_nobody_can_change_grafana_and_it_calls_nobody():
    given = SERVICES["grafana"]["environment"]
    assert given["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert given["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert given["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"


def locust_command():
    return shlex.split(filled_in(SERVICES["locust"]["command"]))


def test_locust_finds_its_file_its_code_and_its_picture():
    """load_tests/face_load takes its picture from tests/data, two folders above its own."""
    home = PurePosixPath("/srv")
    assert ("WORKDIR", str(home)) in stages()["load"]
    where = {source: home / target for source, target in copies().items()}
    _, _, file = json.loads(dict(stages()["load"])["ENTRYPOINT"])
    assert (ROOT / "load_tests" / PurePosixPath(file).relative_to(where["load_tests"])).is_file()
    assert environment("load")["PYTHONPATH"] == str(where["load_tests"])
    assert where["tests/data/astronaut.png"] == home / "tests/data"
    command = locust_command()
    assert command[command.index("--host") + 1] == f"triton:{DEFAULT_PORTS[1]}"


def test_the_exporter_understands_its_command():
    program, verb, *words = json.loads(dict(stages()["exporter"])["ENTRYPOINT"])
    assert (program, verb) == ("faces", "export")
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    args = parser.parse_args([*words, *map(filled_in, SERVICES["exporter"]["command"])])
    assert (args.repository, args.facenet) == (Path("/models"), "none")
    assert "models:/models" in map(filled_in, SERVICES["exporter"]["volumes"])
    # Docker gives a new volume the owner of the image's folder, and the exporter writes there.
    (made,) = [rest for _, rest in stages()["packages"] if "/models" in rest]
    assert "install --directory --owner=1000 --group=1000 /models" in made
    assert filled_in(SERVICES["exporter"]["user"]) == "1000:1000"


def options_of(words):
    return {word.partition("=")[0] for word in words if word.startswith("--")}


@pytest.mark.skipif(
    not shutil.which("prometheus"), reason="no prometheus here: apt-get install --no-install-recommends prometheus"
)
def test_prometheus_knows_its_options():
    known = subprocess.check_output(["prometheus", "--help"], stderr=subprocess.STDOUT, text=True)
    assert not {option for option in options_of(SERVICES["prometheus"]["command"]) if f"{option}=" not in known}


def test_locust_knows_its_options():
    words = [*json.loads(dict(stages()["load"])["ENTRYPOINT"]), *locust_command()]
    command = [sys.executable, "-m", "locust", "--help"]
    known = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {option for option in options_of(words) if f"{option} " not in known}
