"""A retrained PNet onto a server that is asked all the while, and back."""

import re
import threading
import time

import pytest
import torch

from face_admin.deploy.errors import SwitchFailed
from face_admin.deploy.store import Deployment, Store
from face_admin.deploy.switching import Control, Member, switch
from face_client import FaceClient
from face_export.exporter import export_stage
from face_export.weights import Weights
from face_server import EmbeddedTriton, Settings
from face_server.settings import ADMIN_KEY_VARIABLE
from tests.e2e.conftest import own_repository, with_one_instance
from tests.e2e.deploying import KEY, altered_pnet, deploy, photos_with_faces, retrained_pnet, served
from tests.pictures import astronaut
from tests.tools.deploy.repositories import content


@pytest.fixture(scope="module")
def retrained(tmp_path_factory):
    """Weights of a PNet that finds the same faces by other windows."""
    return retrained_pnet(tmp_path_factory.mktemp("retrained"))


@pytest.fixture
def models(tmp_path):
    return own_repository(tmp_path / "models")


@pytest.fixture
def photos(tmp_path):
    return photos_with_faces(tmp_path / "photos")


class Callers:
    """Ask for the same picture again and again. answers: who asked when, when it was answered, the boxes' bytes."""

    def __init__(self, url):
        self.answers, self.errors = [], []
        self._end = threading.Event()
        # The ensemble's first step is the cascade.
        callers = enumerate(("mtcnn", "mtcnn", "face_recognition"))
        self._threads = [threading.Thread(target=self._ask, args=(url, *caller)) for caller in callers]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def between(self, start, end):
        """The different answers to what was asked, and answered, in that time."""
        return {boxes for _, asked, answered, boxes in self.answers if start <= asked and answered <= end}

    def hear(self):
        """Waits until each has had an answer to what it asked from now on; the time then."""
        start, waiting = time.monotonic(), len(self._threads)
        while len({caller for caller, asked, _, _ in list(self.answers) if asked > start}) < waiting:
            assert not self.errors
            time.sleep(0.01)
        return time.monotonic()

    def _ask(self, url, caller, model):
        picture = astronaut()
        with FaceClient(url, model=model, retries=0, timeout=60) as client:
            while not self._end.is_set():
                asked = time.monotonic()
                try:
                    boxes = client.detect(picture, min_face_size=40).boxes.tobytes()
                except Exception as error:
                    self.errors.append(error)
                else:
                    self.answers.append((caller, asked, time.monotonic(), boxes))
                # Leaves some of the processor to those who compile.
                self._end.wait(0.1)


def test_a_retrained_network_goes_live_under_load_and_back(models, photos, retrained, monkeypatch, capsys):
    monkeypatch.setenv(ADMIN_KEY_VARIABLE, KEY)
    with_one_instance(models)
    before = content(models)
    with served(models) as (url, log):
        here = ("--url", url, "--repository", models)
        with Callers(url) as callers:
            start = callers.hear()
            assert deploy("--pnet", retrained, "--photos", photos, "--yes", *here) == 0, capsys.readouterr().err
            switched = time.monotonic()
            begin_back = callers.hear()
            assert deploy("--rollback", *here) == 0
            back = time.monotonic()
            end = callers.hear()
        assert callers.errors == []
        (old,) = callers.between(0, start)
        (new,) = callers.between(switched, begin_back)
        assert new != old
        # Wholly the one or wholly the other, also in the midst of a switch.
        assert callers.between(0, end) == {old, new}
        assert callers.between(back, end) == {old}
        after = content(models)
        assert {path: after[path] for path in before} == before
        assert after["pnet/3/model.pt"] == after["pnet/1/model.pt"] != after["pnet/2/model.pt"]
        capsys.readouterr()
        assert deploy("--list", *here) == 0
        out, err = capsys.readouterr()
        assert re.search(r"^pnet\t3\tlive\trollback to 1, ", out, re.MULTILINE)
        assert f"the server at {url} runs pnet=3 rnet=1 onet=1" in err
        monkeypatch.setenv(ADMIN_KEY_VARIABLE, "wrong")
        assert deploy("--rollback", *here) == 1
        assert capsys.readouterr().err.startswith(f"faces deploy: the server at {url} refuses the key")
        assert content(models) == after
    # To the supervisor the end of old instances was no death.
    assert not re.search(r"died|started again", "".join(log))


@pytest.fixture
def networks_of_their_own(models, monkeypatch):
    """A server whose cascade asks its networks through Triton, as on a GPU."""
    monkeypatch.setenv(ADMIN_KEY_VARIABLE, KEY)
    with EmbeddedTriton(models, Settings(networks="bls")) as server:
        assert server.admin_key == KEY
        yield server


def stage(staging, network, number, tensors):
    export_stage(network, Weights(tensors, "altered", None), staging, number)
    return staging / network / str(number) / "model.pt"


def found(server):
    with FaceClient(server.grpc_url) as client:
        return client.detect(astronaut(), min_face_size=40).boxes.tobytes()


def test_networks_of_their_own_are_switched_and_what_does_not_start_changes_nothing(
    networks_of_their_own, models, photos, tmp_path, capsys
):
    server = networks_of_their_own
    store = Store(models)
    with Control(server.grpc_url, KEY) as control, Callers(server.grpc_url) as callers:
        start = callers.hear()
        old, before = found(server), content(models)

        # A file that is no network: Triton refuses it.
        with store.staging() as staging:
            stage(staging, "pnet", 2, altered_pnet(0.005)).write_bytes(b"corrupt")
            with pytest.raises(SwitchFailed, match=r"model\.pt is no TorchScript archive.*; nothing was changed$"):
                switch(store, [Member(control, lambda: None)], staging, {"pnet": Deployment("t1", 1)})
        assert content(models) == before

        # A network that finds nothing: the gate stays closed.
        torch.save(altered_pnet(1), tmp_path / "blind.pt")
        here = ("--url", server.grpc_url, "--repository", models)
        assert deploy("--pnet", tmp_path / "blind.pt", "--photos", photos, "--yes", *here) == 1
        assert "the candidate fails the gate" in capsys.readouterr().err
        assert content(models) == before
        assert found(server) == old

        with store.staging() as staging:
            stage(staging, "pnet", 2, altered_pnet(0.005))
            switch(store, [Member(control, lambda: None)], staging, {"pnet": Deployment("t2", 1)})
        switched = time.monotonic()
        new, end = found(server), callers.hear()
        assert new != old
    assert callers.errors == []
    assert callers.between(start, end) == {old, new}
    assert callers.between(switched, end) == {new}
    # A server that starts takes what is live.
    server.stop()
    server.start()
    assert found(server) == new
