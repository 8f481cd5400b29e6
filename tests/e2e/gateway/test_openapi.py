"""The description of the REST API against the running service: it is asked for all that is described, and for more."""

import itertools

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.errors import EngineErrorInfo

from face_gateway.keys import add_key
from tests.e2e.gateway.asking import IMAGE
from tests.e2e.gateway.paged import Paged

# Of what is generated no picture shows a face, and most are none: they are refused though they are as described.
UNFIT_CHECKS = ("positive_data_acceptance", "ensure_resource_availability")

# What they take is what /v1/crop and /v1/identify take: each value of each parameter is tried there.
COVERED_ELSEWHERE = ("/v1/recognize", "/v1/compare")


def schema_of(paged, examples, headers=None, checks=None):
    """What is described at /openapi.json. checks: which of them are on; None: all that fit."""
    every = {"enabled": True, **{name: {"enabled": False} for name in UNFIT_CHECKS}}
    only = {"enabled": False, **{name: {"enabled": True} for name in checks or ()}}
    config = {
        "seed": 16,
        # FaceNet on all that looks like a face takes its time on a busy machine.
        "request-timeout": 120,
        "operations": [
            {"include-name": f"POST {path}", "phases": {"coverage": {"enabled": False}}} for path in COVERED_ELSEWHERE
        ],
        "headers": headers or {},
        "generation": {"max-examples": examples, "deterministic": True},
        "phases": {"stateful": {"enabled": False}, "coverage": {"enabled": checks is None}},
        "checks": every if checks is None else only,
    }
    url = f"{paged.url}/openapi.json"
    return schemathesis.openapi.from_url(url, config=SchemathesisConfig.from_dict(config))


def failures(schema, least):
    """In words, each with the call that shows it. Fails where fewer calls were made."""
    asked, found = 0, []
    for event in from_schema(schema).execute():
        if isinstance(event, (events.NonFatalError, events.FatalError)):
            info = event.info if isinstance(event, events.NonFatalError) else EngineErrorInfo(event.exception)
            found.append(f"{info.title}: {info.message}")
        if isinstance(event, events.ScenarioFinished):
            asked += len(event.recorder.cases)
            checks = itertools.chain.from_iterable(event.recorder.checks.values())
            found += [
                f"{event.label}: {check.failure_info.failure.title} {check.failure_info.failure.message}\n"
                f"{check.failure_info.code_sample}"[:2000]
                for check in checks
                if check.failure_info is not None
            ]
    assert asked >= least
    return found


def test_it_is_openapi_and_holds(paged):
    schema = schema_of(paged, examples=10)
    assert schema.raw_schema["openapi"].startswith("3.1.")
    schema.validate()
    assert not failures(schema, 1000)
    assert paged.is_running


def test_every_example_works(paged):
    asked = {}
    for path, methods in paged.get("/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            if "requestBody" in operation:
                example = operation["requestBody"]["content"]["application/json"]["example"]
                asked[path] = paged.ask(method, path, json=example)
    assert len(asked) == 7
    assert {path: told.status_code for path, told in asked.items()} == dict.fromkeys(asked, 200)
    assert all(len(image["faces"]) == 1 for image in asked["/v1/detect"].json()["images"])


@pytest.fixture
def keyed(traced, tmp_path):
    key = add_key(tmp_path / "keys", "tester")
    options = ("--gallery", tmp_path / "people.gallery", "--random-weights", "--keys", tmp_path / "keys")
    with Paged(traced.grpc_url, *options) as paged:
        yield paged, {"Authorization": f"Bearer {key}"}


def test_a_key_is_needed_where_the_description_says_so(keyed):
    paged, headers = keyed
    schema = schema_of(paged, 1, headers, checks=("ignored_auth", "status_code_conformance"))
    assert not failures(schema, 20)
    described = schema.raw_schema["paths"]
    for path, methods in described.items():
        for method, operation in methods.items():
            told = paged.ask(method, path.replace("{person}", "nobody"), headers=IMAGE)
            assert (told.status_code == 401) is (operation.get("security") != []), path
