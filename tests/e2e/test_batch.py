"""`faces batch` from pictures to a complete target, undisturbed and killed."""

import json
import os
import random
import signal

import numpy as np
import psutil
import pyarrow.dataset as ds
import pytest

from face_client import FaceClient
from face_client.errors import FaceError
from face_runtime.settings import cores
from tests.disks import small_disk
from tests.e2e.batches import (
    PICTURES,
    SHARD_SIZE,
    family,
    generate,
    hold_worker,
    kill,
    parts,
    run,
    start,
    wait_for,
)

# By hand: more of them.
KILLS = int(os.environ.get("FACES_BATCH_KILLS", "2"))


def rows(target):
    return ds.dataset(target).to_table().to_pylist()


def test_every_picture_once_and_as_the_service_has_it(batch_source, undisturbed, client):
    table = rows(undisturbed)
    pictures = {row["path"]: row for row in table if row["face"] is None}
    files = sorted(str(file) for file in batch_source.rglob("*.*"))
    assert [row["path"] for row in table if row["face"] is None] == files
    found = 0
    for file, answer in zip(files, client.detect_each(files), strict=True):
        boxes = [row["box"] for row in table if row["path"] == file and row["face"] is not None]
        if isinstance(answer, FaceError):
            assert pictures[file]["status"] == "invalid_image"
            assert pictures[file]["error"] == str(answer)
        else:
            np.testing.assert_allclose(np.reshape(boxes, (-1, 4)), answer.boxes, atol=1e-3)
            assert pictures[file]["faces"] == len(answer)
        found += len(boxes)
    assert found > PICTURES / 2


def test_what_a_run_leaves(undisturbed):
    assert (undisturbed / "_SUCCESS").exists()
    state = {file.name for file in (undisturbed / "_faces").iterdir()}
    assert state == {"run.json", "manifest.parquet", "report.json", "report.html"}
    assert "complete" in run("verify", undisturbed)
    told = json.loads((undisturbed / "_faces" / "report.json").read_text())
    assert told["run"]["items"] == PICTURES


def test_a_target_with_a_run(batch_source, undisturbed, tmp_path):
    before = parts(undisturbed)
    assert "--resume" in run(batch_source, undisturbed, status=2)
    assert "complete" in run(batch_source, undisturbed, "--resume")
    assert "min_face_size" in run(batch_source, undisturbed, "--resume", "--min-face-size", 40, status=2)
    assert "source was" in run(tmp_path, undisturbed, "--resume", status=2)
    assert parts(undisturbed) == before


def test_a_dry_run_writes_nothing(batch_source, tmp_path):
    told = run(batch_source, tmp_path / "target", "--dry-run", "--limit", 10, "--shard-size", 4)
    assert "10 pictures" in told
    assert "3 files" in told
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_and_resumed(batch_source, undisturbed, tmp_path, seed):
    """Alternately a worker, after which the run goes on by itself, and the driver, after which another goes on."""
    choice = random.Random(seed)
    arguments = (batch_source, tmp_path, "--shard-size", SHARD_SIZE, "--resume")
    process = start(*arguments)
    # In the middle: one is at work, and the others have written so many of the eight files.
    worker = hold_worker(process)
    written = choice.randrange(5) if cores() > 1 else 0
    wait_for(lambda: len(list(tmp_path.glob("part-*"))) >= written)
    if seed % 2:
        worker.kill()
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, out + err
    else:
        worker.resume()
        kill(process)
        run(*arguments)
    assert parts(tmp_path) == parts(undisturbed)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_it_can_go_on(batch_source, undisturbed, tmp_path, number, status):
    process = start(batch_source, tmp_path, "--shard-size", SHARD_SIZE)
    worker = hold_worker(process)
    below = family(process)
    # Ray runs whatever code reaches its ports.
    listening = {ip for each in below for ip in listened(each)}
    assert listening
    assert all(ip.removeprefix("::ffff:").startswith("127.") or ip == "::1" for ip in listening), listening
    worker.resume()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert "go on with --resume" in err
    wait_for(lambda: not any(each.is_running() for each in below), 90)
    assert not (tmp_path / "_faces" / "holder.json").exists()
    run(batch_source, tmp_path, "--resume")
    assert parts(tmp_path) == parts(undisturbed)


def listened(process):
    """Addresses that a process listens on."""
    try:
        found = process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return []
    return [each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN]


def test_two_runs_on_one_target(batch_source, tmp_path):
    first = start(batch_source, tmp_path, "--shard-size", SHARD_SIZE)
    wait_for(lambda: (tmp_path / "_faces" / "run.json").exists())
    first.send_signal(signal.SIGSTOP)
    assert "another run is at work" in run(batch_source, tmp_path, "--resume", status=2)
    kill(first)


def test_a_source_that_changes_and_vanishes(tmp_path):
    source, target = generate(tmp_path / "source", 8), tmp_path / "target"
    process = start(source, target)
    wait_for(lambda: (target / "_faces" / "run.json").exists())
    kill(process)
    files = sorted(source.rglob("*.*"))
    files[0].unlink()
    files[1].write_bytes(files[2].read_bytes())
    (source / "0" / "late.jpg").write_bytes(files[2].read_bytes())
    run(source, target, "--resume")
    statuses = {row["path"]: row["status"] for row in rows(target) if row["face"] is None}
    assert [statuses[str(file)] for file in files[:2]] == ["missing", "changed"]
    assert len(statuses) == len(files)
    assert "complete" in run("verify", target)


def test_a_full_disk(batch_source, undisturbed, tmp_path):
    """What is there then is whole, and the rest can follow."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk) as enlarge:
        told = run(batch_source, disk / "target", "--shard-size", SHARD_SIZE, status=1)
        assert "No space left on device" in told
        assert "--resume" in told
        assert not (disk / "target" / "_SUCCESS").exists()
        enlarge(64_000)
        run(batch_source, disk / "target", "--shard-size", SHARD_SIZE, "--resume")
        assert parts(disk / "target") == parts(undisturbed)


def test_embeddings_and_crops(batch_source, repository, triton, tmp_path):
    with FaceClient(triton.grpc_url, timeout=120) as client:
        run(batch_source, tmp_path, "--embeddings", "--crops", "--limit", 4, "--repository", repository)
        for row in rows(tmp_path):
            if row["face"] is None:
                continue
            face = client.recognize(row["path"])[row["face"]]
            np.testing.assert_allclose(row["embedding"], face.embedding, atol=1e-5)
            assert row["crop"].startswith(b"\xff\xd8")


def test_usage(tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments, words in [
        ((tmp_path / "empty", tmp_path / "t"), "holds no picture"),
        ((tmp_path / "nowhere", tmp_path / "t"), "is not there"),
        (("s3://key:secret@bucket/x", tmp_path / "t"), "credentials"),
        ((tmp_path / "empty", "ftp://host/x"), "no address"),
        (("verify", tmp_path), "holds no run"),
        ((tmp_path / "empty", tmp_path / "t", "--factor", "0.99"), "factor is 0.99"),
    ]:
        told = run(*arguments, status=2)
        assert words in told
        assert "secret" not in told
        assert "Traceback" not in told
