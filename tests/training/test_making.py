"""Shards: however many processes made them, wherever a run was stopped."""

import dataclasses
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest

from face_training.errors import SamplesError
from face_training.samples import making
from face_training.samples.making import make_samples
from face_training.samples.of_picture import stage_plan
from face_training.samples.records import record_type
from face_training.samples.store import Shards, write_shard
from face_training.settings import SampleSettings

SETTINGS = SampleSettings(negatives=8, near=1, around=10)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Of the parent process; workers are told which pictures to take."""
    monkeypatch.setattr(making, "PICTURES_PER_SHARD", 2)


@pytest.fixture
def many(pictures):
    return [pictures[n % len(pictures)] for n in range(7)]


def plan(folder, pictures, weights, stage="pnet", settings=SETTINGS):
    return stage_plan(stage, folder, settings, weights, pictures)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.npy")}


@pytest.mark.slow
def test_two_processes_make_what_one_does(tmp_path, many):
    counts = list(make_samples(plan(tmp_path / "one", many, {}), many, processes=1))
    assert counts == [2, 2, 2, 1]
    assert sorted(make_samples(plan(tmp_path / "two", many, {}), many, processes=2)) == [1, 2, 2, 2]
    assert len(contents(tmp_path / "one")) == 4
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.slow
def test_what_cannot_be_read_is_told_from_other_processes_too(tmp_path, many):
    unreadable = [dataclasses.replace(picture, path=tmp_path / f"{n}.png") for n, picture in enumerate(many[:3])]
    mixed = [*many, *unreadable]
    told = []
    assert sum(make_samples(plan(tmp_path / "samples", mixed, {}), mixed, 2, told.append)) == 10
    assert sorted(error.path.name for error in told) == ["0.png", "1.png", "2.png"]


def test_shards_grow_before_they_are_too_many_to_be_open_at_once(tmp_path, many, monkeypatch):
    monkeypatch.setattr(making, "_MOST_SHARDS", 2)
    assert list(make_samples(plan(tmp_path, many, {}), many, 1)) == [4, 3]


def test_a_stopped_run_goes_on_and_gives_the_same(tmp_path, many):
    whole = plan(tmp_path / "whole", many, {})
    assert sum(make_samples(whole, many, 1)) == 7
    stopped = plan(tmp_path / "stopped", many, {})
    running = make_samples(stopped, many, 1)
    next(running)
    running.close()
    assert len(contents(tmp_path / "stopped")) == 1
    before = next((tmp_path / "stopped").glob("*.npy")).stat().st_mtime_ns
    assert sum(make_samples(stopped, many, 1)) == 7
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    assert min(path.stat().st_mtime_ns for path in (tmp_path / "stopped").glob("*.npy")) == before


@pytest.mark.slow
def test_ctrl_c_ends_quietly_and_loses_nothing(tmp_path, many):
    """Sent to parent and workers alike, as a terminal does."""
    script = f"""
import pickle
from face_training.samples import making
making.PICTURES_PER_SHARD = 1
if __name__ == "__main__":
    plan, pictures = pickle.load(open({str(tmp_path / "plan")!r}, "rb"))
    for _ in making.make_samples(plan, pictures, 2):
        print("shard", flush=True)
"""
    # Far more than are made before the signal comes, on any machine.
    lots = many * 500
    with (tmp_path / "plan").open("wb") as file:
        pickle.dump((plan(tmp_path / "samples", lots, {}), lots), file)
    (tmp_path / "script.py").write_text(script)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "script.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "shard\n"
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    # Only the parent's: this script does not catch it.
    assert errors.count("Traceback") == 1
    assert errors.rstrip().endswith("KeyboardInterrupt")
    whole = {f"{n:08d}.npy" for n in range(len(lots))}
    assert 0 < len(contents(tmp_path / "samples")) < len(whole)
    assert {path.name for path in (tmp_path / "samples").iterdir()} <= whole | {"recipe.json"}


def killed():
    """Instead of a maker."""
    os._exit(9)


@pytest.mark.slow
def test_a_process_that_is_killed_is_one_sentence(tmp_path, many):
    with pytest.raises(SamplesError, match="ended before its time"):
        list(make_samples(dataclasses.replace(plan(tmp_path, many, {}), maker=killed), many, 2))


def test_samples_of_other_settings_pictures_or_networks_are_refused(tmp_path, many, pretrained_arrays):
    list(make_samples(plan(tmp_path, many, {}), many, 1))
    with pytest.raises(SamplesError, match="with another seed: pass --fresh"):
        list(make_samples(plan(tmp_path, many, {}, settings=dataclasses.replace(SETTINGS, seed=3)), many, 1))
    with pytest.raises(SamplesError, match="with another pictures"):
        list(make_samples(plan(tmp_path, many[:3], {}), many[:3], 1))
    with pytest.raises(SamplesError, match="with another networks before it"):
        list(make_samples(plan(tmp_path, many, pretrained_arrays), many, 1))


def test_rows_are_found_whichever_shard_holds_them(tmp_path):
    random = np.random.default_rng(0)
    parts = []
    for n, count in enumerate((3, 0, 5, 1)):
        part = np.zeros(count, record_type(12))
        part["pixels"] = random.integers(0, 256, part["pixels"].shape)
        part["picture"] = n
        write_shard(tmp_path / f"{n}.npy", part)
        parts.append(part)
    whole = np.concatenate(parts)
    store = Shards(tmp_path, record_type(12))
    assert len(store) == 9
    rows = random.integers(0, 9, 40)
    assert store.take(rows).tobytes() == whole[rows].tobytes()
    assert store.take(rows[:0]).shape == (0,)
    np.testing.assert_array_equal(store.column("picture"), whole["picture"])


def test_no_samples_others_and_damaged_ones_are_told_apart(tmp_path):
    with pytest.raises(SamplesError, match="there are no samples"):
        Shards(tmp_path, record_type(12))
    write_shard(tmp_path / "a.npy", np.zeros(2, record_type(12)))
    with pytest.raises(SamplesError, match="holds other samples"):
        Shards(tmp_path, record_type(24))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-5])
    with pytest.raises(SamplesError, match="is damaged"):
        Shards(tmp_path, record_type(12))


def test_a_recipe_without_samples_is_replaced_and_samples_without_one_are_refused(tmp_path, many):
    other = plan(tmp_path, many, {}, settings=dataclasses.replace(SETTINGS, seed=3))
    other.recipe.claim(tmp_path)
    assert sum(make_samples(plan(tmp_path, many, {}), many, 1)) == 7
    for text in ("", "{", "[1]", "7"):
        (tmp_path / "recipe.json").write_text(text)
        with pytest.raises(SamplesError, match=r"have no recipe\.json: pass --fresh"):
            list(make_samples(plan(tmp_path, many, {}), many, 1))
    (tmp_path / "recipe.json").unlink()
    with pytest.raises(SamplesError, match=r"have no recipe\.json: pass --fresh"):
        list(make_samples(plan(tmp_path, many, {}), many, 1))


@pytest.mark.parametrize("processes", [1, 2])
def test_samples_that_are_all_there_need_no_networks(tmp_path, many, processes):
    whole = plan(tmp_path, many, {})
    assert sum(make_samples(whole, many, 1)) == 7

    def refuse():
        raise AssertionError("a maker is made")

    assert list(make_samples(dataclasses.replace(whole, maker=refuse), many, processes)) == [2, 2, 2, 1]
