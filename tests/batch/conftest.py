"""A store without a server: a folder of this machine behind the addresses of one."""

import pytest
from pyarrow import fs


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """The folder in which the files of `s3://bucket/` lie."""
    stores = tmp_path / "stores"
    (stores / "bucket").mkdir(parents=True)

    def opened(_scheme, _bucket, _query):
        return fs.SubTreeFileSystem(str(stores), fs.LocalFileSystem())

    monkeypatch.setattr("face_batch.places.filesystem", opened)
    return stores / "bucket"
