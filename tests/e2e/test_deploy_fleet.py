"""Retrained networks onto several servers: all of them, or none; and one that starts later has what is live."""

import re
import shutil
from contextlib import ExitStack

import pytest

from face_client import FaceClient
from face_server.settings import ADMIN_KEY_VARIABLE
from tests.e2e.conftest import own_repository, with_one_instance
from tests.e2e.deploying import KEY, deploy, photos_with_faces, retrained_pnet, served
from tests.e2e.under_load import under_load
from tests.pictures import astronaut
from tests.tools.deploy.repositories import content


@pytest.fixture
def start():
    """start(repository): a server's url; stopped at the end."""
    with ExitStack() as stack:
        yield lambda models: stack.enter_context(served(models))[0]


def found(*urls):
    """The different answers of these servers to one picture."""
    boxes = set()
    for url in urls:
        with FaceClient(url) as client:
            boxes.add(client.detect(astronaut(), min_face_size=40).boxes.tobytes())
    return boxes


def test_all_servers_are_switched_or_none_and_one_that_starts_later_has_what_is_live(
    start, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv(ADMIN_KEY_VARIABLE, KEY)
    models = with_one_instance(own_repository(tmp_path / "models"))
    apart = shutil.copytree(models, tmp_path / "apart")
    candidate = ("--pnet", retrained_pnet(tmp_path), "--photos", photos_with_faces(tmp_path / "photos"), "--yes")
    first, second, stranger = start(models), start(models), start(apart)
    before = content(models)
    old = found(first, second, stranger)
    assert len(old) == 1

    def said(status, *arguments):
        assert deploy(*arguments, "--repository", models) == status
        return capsys.readouterr().err

    with FaceClient([first, second], timeout=60) as client, under_load(client, astronaut(), 1) as load:
        load.wait_for(10)
        # The last one reads another folder, which the candidate is not in.
        err = said(1, *candidate, "--url", f"{first},{second},{stranger}")
        assert f"the server at {second} answers with pnet=2 rnet=1 onet=1" in err
        assert re.search(rf"faces deploy: the server at {stranger} .*; nothing was changed$", err)
        assert content(models) == before
        assert found(first, second, stranger) == old

        third = start(models)
        three = ("--url", f"{first},{second},{third}")
        err = said(0, *candidate, *three)
        assert err.count("answers with pnet=2 rnet=1 onet=1") == 3
        later = start(models)
        new = found(first, second, third, later)
        assert len(new) == 1
        assert new != old

        four = ("--url", f"{first},{second},{third},{later}")
        said(0, "--rollback", *four)
        assert found(first, second, third, later) == old
        err = said(0, "--list", *four)
        assert err.count("runs pnet=3 rnet=1 onet=1") == 4
        load.wait_for(10)
    assert load.errors == []
