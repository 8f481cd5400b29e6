"""A model repository in a new folder, and what later versions make of it."""

import pytest

from face_repository import laying_out
from face_repository.laying_out import lay_out, renew, source
from face_repository.layout import REQUIRED, RepositoryError


def content(folder):
    return {
        str(file.relative_to(folder)): file.read_text()
        for pattern in laying_out.PATTERNS
        for file in folder.glob(pattern)
    }


def test_a_new_folder_has_all_but_the_networks(tmp_path):
    assert lay_out(tmp_path / "a" / "b") == ()
    assert content(tmp_path / "a" / "b") == content(source())
    assert {file.parent.name for file in (tmp_path / "a" / "b").glob("*/1")} >= set(REQUIRED)


def test_the_checkouts_own_stays_as_it_is():
    assert lay_out(source()) == ()
    assert not (source() / laying_out._RECORD).exists()


def test_what_somebody_changed_stays_and_is_named_the_rest_becomes_the_new_versions(tmp_path, monkeypatch):
    versions = tmp_path / "1", tmp_path / "2"
    for version in versions:
        for name in ("mtcnn/config.pbtxt", "mtcnn/1/model.py", "pnet/config.pbtxt"):
            (version / name).parent.mkdir(parents=True, exist_ok=True)
            (version / name).write_text(f"of version {version.name}")
    there = tmp_path / "there"
    renew(there)
    assert not there.exists()
    monkeypatch.setattr(laying_out, "source", lambda: versions[0])
    assert lay_out(there) == ()
    (there / "mtcnn" / "config.pbtxt").write_text("mine")
    for _ in range(2):
        monkeypatch.setattr(laying_out, "source", lambda: versions[1])
        renew(there)
        assert content(there) == {**content(versions[1]), "mtcnn/config.pbtxt": "mine"}
        assert lay_out(there) == (there / "mtcnn" / "config.pbtxt",)
        assert content(there) == {**content(versions[1]), "mtcnn/config.pbtxt": "mine"}
    (there / "mtcnn" / "config.pbtxt").unlink()
    assert lay_out(there) == ()
    assert content(there) == content(versions[1])


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RepositoryError, match=r"cannot be laid out: .*: Not a directory"):
        lay_out(tmp_path / "file")
