"""What the containers start: run here, with programs in the servers' places that print their arguments."""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from face_admin import serve as command
from face_gateway import command as page_command
from face_repository.layout import IDENTIFICATION, OPTIONAL, REQUIRED, Repository
from face_runtime.settings import TRACE_VARIABLE
from face_server.invocation import arguments
from face_server.settings import DEFAULT_PORTS, ServerTls, Settings
from face_server.wheel import TritonWheel
from tests.deploy.containers import COMPOSE, ROOT, SERVICES, TLS_SECRETS, copies, environment, stages

SCRIPTS = ROOT / "deploy" / "container"
TRACE = {TRACE_VARIABLE: "http://collector:4318/v1/traces", "TRITON_FACES_TRACE_RATE": "10"}

_KEY = re.compile("admin-key=.+")


def hidden(flags):
    return sorted(_KEY.sub("admin-key=…", flag) for flag in flags)


def secrets_of(folder, *names):
    """The folder of secrets with content in those that are named; compose mounts the others without."""
    for secret in COMPOSE["secrets"]:
        (folder / secret).write_text("PEM" if secret in names else "")
    return folder


@pytest.fixture
def started(tmp_path):
    """Runs the command of a build target; returns the arguments of the program that it starts."""

    def run(target, program, secrets=(), **variables):
        fake = tmp_path / program
        fake.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
        fake.chmod(0o755)
        (script,) = json.loads(dict(stages()[target])["CMD"])
        assert f"{Path(script).parent}/" == copies()[f"deploy/container/{Path(script).name}"]
        known = environment(target) if "ENV" in dict(stages()[target]) else {}
        folder = secrets_of(tmp_path, *secrets)
        env = {**known, **variables, "PATH": f"{tmp_path}:/usr/bin:/bin", "TRITON_FACES_SECRETS": str(folder)}
        return json.loads(subprocess.check_output([SCRIPTS / Path(script).name], env=env, text=True))

    return run


@pytest.fixture
def tritonserver(started):
    return lambda secrets=(), **variables: started("triton", "tritonserver", secrets, **variables)


@pytest.mark.parametrize("tls", [None, TLS_SECRETS[:2], TLS_SECRETS])
@pytest.mark.parametrize("variables", [{}, TRACE])
def test_the_container_takes_the_flags_of_the_embedded_server(tritonserver, tmp_path, tls, variables):
    settings = Settings(
        host="0.0.0.0",
        tls=ServerTls(*(tmp_path / name for name in tls)) if tls else None,
        trace=variables.get(TRACE_VARIABLE),
        trace_rate=int(variables.get("TRITON_FACES_TRACE_RATE", 1)),
    )
    repository = Repository(Path("/models"), REQUIRED, OPTIONAL)
    wheel = TritonWheel(Path("/opt/tritonserver"))
    wanted = arguments(settings, DEFAULT_PORTS, repository, Path("/opt/tritonserver/backends"), wheel, "key")
    # The container has its own places, and the configuration for a GPU.
    own = ("--backend-directory=", "--cache-directory=", "--model-config-name=")
    wanted = [a for a in wanted if not a.startswith(own) and "shm-region-prefix" not in a]
    assert hidden(tritonserver(tls or (), **variables)) == hidden(wanted)


def test_the_admin_key_is_the_given_one_or_nobodys(tritonserver):
    def keys(**variables):
        return {a.partition("admin-key=")[2] for a in tritonserver(**variables) if "admin-key=" in a}

    assert keys(TRITON_FACES_ADMIN_KEY="mine") == {"mine"}
    first, second = keys(), keys()
    assert len(first) == len(second) == 1
    assert first != second
    assert min(map(len, first)) >= 32


def test_models_are_chosen_by_a_variable(tritonserver):
    given = tritonserver(TRITON_FACES_MODELS="pnet facenet")
    assert [a for a in given if a.startswith("--load-model")] == ["--load-model=pnet", "--load-model=facenet"]


def test_people_are_known_where_there_is_a_gallery(tritonserver):
    known = tritonserver(TRITON_FACES_GALLERY="postgresql://u:secret@db/faces")
    assert [a for a in known if a.startswith("--load-model")][-2:] == [
        f"--load-model={name}" for name in IDENTIFICATION
    ]
    assert not [a for a in known if "secret" in a]
    assert not [a for a in tritonserver(TRITON_FACES_GALLERY="") if "face_names" in a]


@pytest.fixture
def served(started, monkeypatch):
    """What `faces serve` understands of the arguments that the script gives it."""

    def run(secrets=(), **variables):
        verb, *words = started("cpu", "faces", secrets, **variables)
        assert verb == "serve"
        for name in SERVICES["triton-cpu"]["environment"]:
            monkeypatch.setenv(name, variables.get(name, ""))
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        return parser.parse_args(words)

    return run


def test_the_embedded_server_is_reachable_and_says_how_it_is(served):
    args = served()
    assert (args.repository, args.host, args.health_port) == (Path("/models"), "0.0.0.0", 8003)
    assert (args.http_port, args.grpc_port, args.metrics_port) == DEFAULT_PORTS
    assert (args.tls_cert, args.trace, args.trace_rate, args.command) == (None, None, 1, [])
    assert not args.no_supervise


def test_the_embedded_server_encrypts_where_it_has_a_certificate(served, tmp_path):
    args = served(("tls_certificate", "tls_key"))
    assert (args.tls_cert, args.tls_key, args.tls_ca) == (tmp_path / "tls_certificate", tmp_path / "tls_key", None)
    assert served(TLS_SECRETS).tls_ca == tmp_path / "tls_client_authority"


def test_the_embedded_server_takes_more_options(served):
    args = served(TRITON_FACES_SERVE_OPTIONS="--bounded-queue --threads 2", **TRACE)
    assert (args.bounded_queue, args.threads) == (True, 2)
    assert (args.trace, args.trace_rate) == (TRACE[TRACE_VARIABLE], 10)


@pytest.fixture
def page(started, monkeypatch):
    """What `faces page` understands of the arguments that the script gives it."""
    for name in SERVICES["page"]["environment"]:
        monkeypatch.delenv(name, raising=False)

    def run(secrets=(), **variables):
        verb, *words = started("page", "faces", secrets, **variables)
        assert verb == "page"
        parser = argparse.ArgumentParser()
        page_command.add_arguments(parser)
        return parser.parse_args(words)

    return run


def test_the_page_lets_others_in_with_keys_alone(page, tmp_path):
    """`faces page` refuses to listen for other machines with neither of the two options."""
    own = page(TRITON_FACES_PAGE_BIND="127.0.0.1")
    assert (own.host, own.port) == ("0.0.0.0", 8080)
    assert (own.keys, own.without_keys, own.allow_host) == (None, True, ["localhost"])
    for elsewhere in ({"TRITON_FACES_PAGE_BIND": "0.0.0.0"}, {}):
        args = page(**elsewhere)
        assert (args.keys, args.without_keys) == (None, False)
        args = page(["page_keys"], **elsewhere)
        assert (args.keys, args.without_keys, args.allow_host) == (tmp_path / "page_keys", False, [])


def test_the_page_asks_an_encrypted_server(page, tmp_path):
    assert page().tls_ca is None
    args = page(["page_tls_authority", "page_tls_certificate", "page_tls_key"])
    files = ("page_tls_authority", "page_tls_certificate", "page_tls_key")
    assert (args.tls_ca, args.tls_cert, args.tls_key) == tuple(str(tmp_path / name) for name in files)


def test_the_page_takes_names_from_the_server_and_more_options(page):
    args = page(TRITON_FACES_PAGE_OPTIONS="--allow-origin https://example.org --max-images 4")
    assert (args.served, args.allow_origin, args.max_images) == (False, ["https://example.org"], 4)
    assert page(TRITON_FACES_GALLERY="postgresql://u:secret@db/faces").served
