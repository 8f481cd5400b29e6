"""`faces doctor` on this machine, and on worse ones."""

import builtins
import json
import shutil
from importlib import metadata
from pathlib import Path

import pytest

from face_admin.doctor import machine, service
from face_command.main import main
from face_gallery import open_store
from face_repository.layout import default_repository
from face_runtime.settings import GALLERY_VARIABLE
from tests.gallery.people import OTHERS, TRAINED, enrol, units

# Nothing listens there: it is kept for that.
NOWHERE = "127.0.0.1:1"


def doctor(capsys, *arguments):
    status = main(["doctor", "--json", "--url", NOWHERE, *map(str, arguments)])
    told = json.loads(capsys.readouterr().out)
    assert told["serves"] == (status == 0)
    return {check["check"]: check for check in told["checks"]}


def test_a_machine_that_serves(capsys):
    found = doctor(capsys)
    assert [name for name, check in found.items() if check["status"] == "bad"] == []
    assert found["server"]["status"] == "note"
    assert "faces serve" in found["server"]["advice"]
    assert {"interpreter", "libpython", "Triton", "shared memory", "memory", "processor", "GPU", "ports"} <= set(found)
    assert "mtcnn 1.0.0 pnet.lz4" in found["pnet"]["found"]


def test_the_gallery_of_the_environment(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv(GALLERY_VARIABLE, raising=False)
    assert "gallery" not in doctor(capsys)
    where = tmp_path / "people.gallery"
    monkeypatch.setenv(GALLERY_VARIABLE, str(where))
    absent = doctor(capsys)["gallery"]
    assert (absent["status"], "is not there" in absent["advice"]) == ("bad", True)
    with open_store(where) as store:
        enrol(store, units(3))
    (tmp_path / "facenet" / "1").mkdir(parents=True)
    record = tmp_path / "facenet" / "1" / "export.json"
    for sha256, status in ((TRAINED.sha256, "good"), (OTHERS.sha256, "note")):
        record.write_text(json.dumps({"state_dict_sha256": sha256}))
        (found,) = service.gallery(tmp_path)
        assert (found.status, found.found) == (status, "3 people, 3 faces, embedded by trained.pt")
    assert "faces gallery reindex" in found.advice


def test_neither_secrets_nor_the_name_of_who_asks(capsys, monkeypatch):
    monkeypatch.setenv("TRITON_FACES_ADMIN_KEY", "hush")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("HOME", str(default_repository().parents[1]))
    found = doctor(capsys)
    assert {"OMP_NUM_THREADS=7", "TRITON_FACES_ADMIN_KEY"} <= set(found["variables"]["found"].split(", "))
    assert found["repository"]["found"].startswith("~/")
    assert main(["doctor", "--url", NOWHERE]) == 0
    text = capsys.readouterr().out
    assert "hush" not in text
    assert str(Path.home()) not in text


def test_what_is_missing_is_said_and_the_rest_is_looked_at_all_the_same(capsys, monkeypatch, tmp_path):
    real_version, real_import = metadata.version, builtins.__import__

    def version(name):
        if name == "psutil":
            raise metadata.PackageNotFoundError(name)
        return "2.1.0" if name == "numpy" else real_version(name)

    def imported(name, *rest):
        if name == "psutil":
            raise ModuleNotFoundError("No module named 'psutil'")
        return real_import(name, *rest)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(builtins, "__import__", imported)
    monkeypatch.setattr("face_server.interpreter.library", lambda: "libpython3.99.so.1.0")
    found = doctor(capsys, "--repository", tmp_path / "none")
    bad = {name: check["advice"] for name, check in found.items() if check["status"] == "bad"}
    assert bad.keys() == {"libpython", "packages", "NumPy", "memory", "repository"}
    assert "install the package libpython" in bad["libpython"]
    assert bad["packages"].startswith("psutil: pip install")
    assert "numpy<2" in bad["NumPy"]
    assert "faces export" in bad["repository"]
    assert found["processor"]["status"] != "bad"


@pytest.mark.parametrize(
    ("free", "status"), [(100 * 2**20, "bad"), (200 * 2**20, "note"), (2**30, "good")], ids=["bad", "note", "good"]
)
def test_how_much_is_enough(free, status, monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    found = machine.shared_memory()
    assert found.status == status
    assert bool(found.advice) == (status != "good")


def test_an_export_that_is_not_what_its_record_says(tmp_path):
    for name in ("pnet", "rnet"):
        shutil.copytree(default_repository() / name, tmp_path / name)
    (tmp_path / "pnet" / "1" / "model.pt").write_bytes(b"another")
    (tmp_path / "rnet" / "1" / "export.json").write_text("{")
    shutil.copytree(default_repository() / "onet" / "1", tmp_path / "onet" / "2")
    record = tmp_path / "onet" / "2" / "export.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "note": "random weights"}))
    found = {finding.check: finding for finding in service.exported(tmp_path)}
    assert found["repository"].status == "bad"
    assert {found[name].status for name in ("pnet", "rnet", "onet")} == {"note"}
    assert "model.pt is not the file that was exported" in found["pnet"].advice
    assert "without a record" in found["rnet"].found
    assert (found["onet"].found.partition(",")[0], found["onet"].advice) == ("version 2", "random weights")
