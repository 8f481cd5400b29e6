"""What a tuner leaves in a repository, and the configuration that is derived from it."""

import json
import shutil

import pytest

from face_cascade.networks import STAGES
from face_repository.configurations import EMBEDDED, EMBEDDED_GPU, TUNED, derive, derive_tuned, read, refresh
from face_repository.layout import CASCADE, OPTIONAL, REQUIRED, RepositoryError, default_repository
from face_repository.tuned import FILE, Tuned

GPU = Tuned(4, 8, 500, gpu=True, measured=("Measured on one card, 2026-01-02:", "100.0 images/s\nof\tall"))


@pytest.fixture
def repository(tmp_path):
    for model in (*REQUIRED, *OPTIONAL):
        (tmp_path / model).mkdir()
        shutil.copy(default_repository() / model / "config.pbtxt", tmp_path / model)
    return tmp_path


def production(model):
    return read(default_repository() / model / "config.pbtxt")


def tuned_files(repository):
    return {path.parts[-3]: path for path in repository.glob(f"*/configs/{TUNED}.pbtxt")}


def test_the_cascade_has_the_values_and_all_else_as_without_them():
    tuned, embedded = derive_tuned(production(CASCADE), GPU), derive(production(CASCADE), EMBEDDED_GPU)
    assert [(group.count, group.kind) for group in tuned.instance_group] == 4 * [
        (1, production(CASCADE).instance_group[0].kind)
    ]
    # Groups that differ: the supervisor ends one at a time.
    assert len({group.rate_limiter.priority for group in tuned.instance_group}) == 4
    assert list(tuned.dynamic_batching.preferred_batch_size) == [8]
    assert tuned.dynamic_batching.max_queue_delay_microseconds == 500
    # What callers rely on.
    assert tuned.max_batch_size == 16
    for config in (tuned, embedded):
        config.ClearField("instance_group")
        config.dynamic_batching.ClearField("preferred_batch_size")
        config.dynamic_batching.ClearField("max_queue_delay_microseconds")
    assert tuned == embedded


@pytest.mark.parametrize("gpu", [False, True])
def test_the_values_of_an_untuned_server_are_its_configuration(gpu):
    untuned = derive(production(CASCADE), EMBEDDED_GPU if gpu else EMBEDDED)
    assert derive_tuned(production(CASCADE), Tuned(len(untuned.instance_group), 16, 0, gpu)) == untuned
    for network in STAGES:
        config = production(network.name)
        assert derive_tuned(config, Tuned(1, 1, 0, gpu)) == derive(config, EMBEDDED_GPU if gpu else EMBEDDED)


def test_it_is_derived_again_from_what_changes(repository):
    GPU.write(repository)
    refresh(repository)
    file = tuned_files(repository)[CASCADE]
    assert read(file) == derive_tuned(production(CASCADE), GPU)
    assert file.read_text().splitlines()[:3] == [
        "# Derived from config.pbtxt by face_repository/configurations.py: change those.",
        "# Measured on one card, 2026-01-02:",
        "# 100.0 images/s of all",
    ]
    written = file.stat().st_mtime_ns
    refresh(repository)
    assert file.stat().st_mtime_ns == written
    config = repository / CASCADE / "config.pbtxt"
    config.write_text(config.read_text().replace('"50000000"', '"40000000"'))
    refresh(repository)
    assert read(file).parameters["max_pixels"].string_value == "40000000"
    assert len(read(file).instance_group) == 4
    # The same values, measured again: what people read is right too.
    Tuned(4, 8, 500, gpu=True, measured=("Measured later",)).write(repository)
    refresh(repository)
    assert "# Measured later\n" in file.read_text()
    assert "2026-01-02" not in file.read_text()


def test_without_the_file_there_is_no_such_configuration(repository):
    refresh(repository)
    assert Tuned.read(repository) is None
    assert not tuned_files(repository)
    GPU.write(repository)
    refresh(repository)
    assert CASCADE in tuned_files(repository)
    assert Tuned.read(repository) == GPU
    (repository / CASCADE / FILE).unlink()
    refresh(repository)
    assert not tuned_files(repository)


@pytest.mark.parametrize(
    "changes",
    [
        {"instances": 0},
        {"batch": 2.0},
        {"delay_us": -1},
        {"delay_us": True},
        {"gpu": "yes"},
        {"measured": 3},
        {"more": 1},
    ],
)
def test_a_file_that_is_none(repository, changes):
    GPU.write(repository)
    file = repository / CASCADE / FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(RepositoryError, match=r"mtcnn/tuned\.json is not what `make tune` writes .*remove the file"):
        refresh(repository)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"measured": []}'])
def test_a_file_that_is_damaged(repository, text):
    (repository / CASCADE / FILE).write_text(text)
    with pytest.raises(RepositoryError, match=r"tuned\.json"):
        Tuned.read(repository)
