"""`faces batch` in its image: an ordinary user, a root that cannot be written, pictures in and Parquet files out."""

import shutil
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from tests.containers.podman import mounts
from tests.pictures import DATA

CONFINED = ("--rm", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")


@pytest.fixture
def folders(tmp_path):
    """Of pictures, of models and of tables, which belong to the images' user."""
    found = [tmp_path / name for name in ("photos", "models", "faces")]
    for folder in found:
        folder.mkdir()
        shutil.chown(folder, 1000, 1000)
    return found


def test_a_folder_of_pictures(podman, built, folders):
    photos, models, faces = folders
    shutil.copy(DATA / "astronaut.png", photos)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    podman("run", *CONFINED, "--tmpfs=/tmp", *mounts(f"{models}:/models"), built["exporter"], "--facenet", "none")
    volumes = mounts(f"{photos}:/photos:ro", f"{models}:/models:ro", f"{faces}:/faces")
    # Workers' object store is shared memory.
    sizes = ("--tmpfs=/tmp", "--shm-size=1g")
    command = ("/photos", "/faces", "--repository", "/models", "--workers", "1")
    podman("run", *CONFINED, *sizes, *volumes, built["batch"], *command, timeout=300)
    assert (faces / "_SUCCESS").exists()
    rows = parquet.read_table(faces / "part-00000.parquet", columns=["path", "face", "status"]).to_pylist()
    assert [(Path(row["path"]).name, row["face"], row["status"]) for row in rows] == [
        ("astronaut.png", None, "ok"),
        ("astronaut.png", 0, None),
        ("broken.jpg", None, "invalid_image"),
    ]
