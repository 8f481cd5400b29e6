"""A run that is resumed is the run that was never stopped."""

import dataclasses

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from face_cascade.networks import NETWORKS
from face_export.readers import read_stage
from face_training.errors import CheckpointError, NonFiniteLoss, SamplesError
from face_training.learning import checkpoint
from face_training.learning import engine as engine_module
from face_training.learning.engine import Engine
from face_training.learning.stage_task import StageTask
from face_training.learning.trainable import new_network
from face_training.samples.records import Kind, record_type
from face_training.samples.store import Shards, write_shard
from face_training.settings import TrainingSettings

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(epochs=4, batch_size=28, batches=5, steps=(0.5,))


def make_store(folder, stage, kinds=tuple(Kind), count=200):
    """Noise: bright where there is a face, so that there is something to learn."""
    random = np.random.default_rng(0)
    records = np.zeros(count, record_type(NETWORKS[stage].side))
    records["kind"] = random.choice([int(kind) for kind in kinds], count)
    records["picture"] = np.arange(count) % 40
    records["pixels"] = random.integers(0, 128, records["pixels"].shape)
    records["pixels"][records["kind"] != Kind.NEGATIVE] += 100
    records["regression"] = random.normal(0, 0.1, (count, 4))
    records["landmarks"] = random.uniform(0, 1, (count, 10))
    write_shard(folder / "0.npy", records)
    return Shards(folder, record_type(NETWORKS[stage].side))


def engine(folder, store, stage="onet", settings=SETTINGS, provenance=None):
    trainable = new_network(stage, settings.seed)
    task = StageTask(stage, trainable, store, settings, CPU)
    return Engine(task, folder, settings, provenance or {"stage": stage}, CPU)


def state(run):
    """Everything that a checkpoint holds, as bytes."""
    saved = checkpoint.read(run.path)
    flat = []

    def walk(value, name):
        if isinstance(value, dict):
            for key in value:
                walk(value[key], f"{name}.{key}")
        elif isinstance(value, list):
            for i, item in enumerate(value):
                walk(item, f"{name}[{i}]")
        else:
            flat.append((name, value.numpy().tobytes() if isinstance(value, torch.Tensor) else value))

    walk(saved, "")
    return flat


@pytest.mark.parametrize("stage", ["pnet", *(pytest.param(name, marks=pytest.mark.slow) for name in ("rnet", "onet"))])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, stage):
    store = make_store(tmp_path / "samples", stage)
    whole = engine(tmp_path / "whole", store, stage)
    list(whole.run())
    stopped = engine(tmp_path / "stopped", store, stage).run()
    next(stopped)
    next(stopped)
    # As when the process ends in the third epoch.
    stopped.close()
    torch.rand(3)
    resumed = engine(tmp_path / "stopped", store, stage)
    assert resumed.epoch == 2
    assert [measured["epoch"] for measured in resumed.run()] == [3, 4]
    assert state(resumed) == state(whole)
    assert resumed.history == whole.history
    logs = set((tmp_path / "stopped" / "log").iterdir())
    assert list(engine(tmp_path / "stopped", store, stage).run()) == []
    assert set((tmp_path / "stopped" / "log").iterdir()) == logs


class Dropping:
    """A task whose every step draws from torch's generator, as FaceNet's dropout does."""

    batches_per_epoch = 2

    def __init__(self):
        torch.manual_seed(1)
        self.network = self.module = torch.nn.Sequential(
            torch.nn.Linear(8, 16), torch.nn.Dropout(), torch.nn.Linear(16, 1)
        )

    def batches(self, epoch):
        yield from torch.ones(2, 4, 8) * (epoch + 1)

    def losses(self, batch):
        return {"square": (self.module(batch) - 1).square().mean()}

    def total(self, losses):
        return losses["square"]

    def validate(self):
        return {}


def test_dropout_follows_the_seed_and_goes_on_where_it_was(tmp_path):
    def run(name, seed=0):
        return Engine(Dropping(), tmp_path / name, dataclasses.replace(SETTINGS, seed=seed), {}, CPU)

    whole = run("whole")
    list(whole.run())
    torch.rand(5)
    again = run("again")
    list(again.run())
    assert state(again) == state(whole)
    other = run("other", seed=1)
    list(other.run())
    assert other.history != whole.history
    stopped = run("stopped").run()
    next(stopped)
    stopped.close()
    torch.rand(5)
    resumed = run("stopped")
    list(resumed.run())
    assert state(resumed) == state(whole)


def test_training_learns_and_lowers_its_rate(tmp_path):
    store = make_store(tmp_path / "samples", "rnet")
    settings = dataclasses.replace(SETTINGS, epochs=6, learning_rate=3e-3)
    history = list(engine(tmp_path / "run", store, "rnet", settings).run())
    assert history[-1]["classification"] < 0.5 * history[0]["classification"]
    assert [f"{measured['learning_rate']:.0e}" for measured in history] == ["3e-03"] * 3 + ["3e-04"] * 3
    assert {"validation_negatives_right", "validation_positives_right", "validation_box_error"} < set(history[0])
    assert "landmark" not in history[0]
    curves = EventAccumulator(str(tmp_path / "run" / "log"))
    curves.Reload()
    assert {"training/total", "training/box", "validation/positives_right"} < set(curves.Tags()["scalars"])
    values = [(event.step, event.value) for event in curves.Scalars("training/total")]
    assert values == [(n, pytest.approx(measured["total"])) for n, measured in enumerate(history, start=1)]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["pnet", "onet"])
def test_losses_and_updates_hold_in_mixed_precision(tmp_path, stage, monkeypatch):
    """As on a GPU, by the CPU's own bfloat16: near to float32, and the weights stay float32."""
    store = make_store(tmp_path / "samples", stage)
    exact = list(engine(tmp_path / "exact", store, stage).run())
    monkeypatch.setattr(engine_module, "mixed_precision", lambda _device: torch.autocast("cpu", torch.bfloat16))
    run = engine(tmp_path / "mixed", store, stage)
    mixed = list(run.run())
    assert all(tensor.dtype == torch.float32 for tensor in run.task.network.state_dict().values())
    assert mixed[0]["total"] != exact[0]["total"]
    for name in ("classification", "box"):
        assert mixed[-1][name] == pytest.approx(exact[-1][name], rel=0.2, abs=0.02)


def test_held_out_pictures_are_never_trained_on(tmp_path):
    store = make_store(tmp_path / "samples", "pnet")
    task = StageTask("pnet", new_network("pnet", 0), store, SETTINGS, CPU)
    seen = np.concatenate([batch["picture"] for batch in task.batches(0)])
    assert not set(seen) & {19, 39}
    assert len(set(seen)) > 30


def test_a_loss_that_is_not_finite_stops_with_its_parts_and_keeps_the_checkpoint(tmp_path):
    store = make_store(tmp_path / "samples", "onet")
    run = engine(tmp_path / "run", store)
    steps = run.run()
    next(steps)
    before = run.path.read_bytes()
    with torch.no_grad():
        run.task.network.dense6_3.weight[0, 0] = float("nan")
    with pytest.raises(NonFiniteLoss, match=r"in epoch 2, batch 1: classification [\d.]+, box [\d.]+, landmark nan"):
        next(steps)
    assert run.path.read_bytes() == before


def test_the_checkpoint_goes_straight_into_an_export(tmp_path):
    store = make_store(tmp_path / "samples", "rnet")
    run = engine(tmp_path / "run", store, "rnet", dataclasses.replace(SETTINGS, epochs=1))
    list(run.run())
    found = read_stage("rnet", run.path)
    tensors = run.task.network.state_dict()
    assert list(found.tensors) == list(tensors)
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in tensors.items())
    assert checkpoint.read(run.path)["settings"]["batch_size"] == 28


def test_checkpoints_of_other_runs_and_other_files_are_refused(tmp_path):
    store = make_store(tmp_path / "samples", "pnet")
    list(engine(tmp_path / "run", store, "pnet", dataclasses.replace(SETTINGS, epochs=1)).run())
    with pytest.raises(CheckpointError, match="with another epochs and learning_rate: pass --fresh"):
        engine(tmp_path / "run", store, "pnet", dataclasses.replace(SETTINGS, learning_rate=1))
    with pytest.raises(CheckpointError, match="with another samples"):
        engine(
            tmp_path / "run", store, "pnet", dataclasses.replace(SETTINGS, epochs=1), {"stage": "pnet", "samples": "x"}
        )
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(CheckpointError, match="cannot be read"):
        engine(tmp_path / "run", store, "pnet")
    torch.save({"model": {}}, tmp_path / "run" / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="no checkpoint of this version"):
        engine(tmp_path / "run", store, "pnet")


def test_damaged_checkpoints_are_one_sentence(tmp_path):
    store = make_store(tmp_path / "samples", "pnet")
    list(engine(tmp_path / "run", store, "pnet", dataclasses.replace(SETTINGS, epochs=1)).run())
    path = tmp_path / "run" / "checkpoint.pt"
    whole = torch.load(path, weights_only=True)
    for key in whole:
        for broken in ({k: v for k, v in whole.items() if k != key}, {**whole, key: "other"}):
            torch.save(broken, path)
            with pytest.raises(CheckpointError, match=r"checkpoint\.pt is no checkpoint of this version"):
                checkpoint.read(path)
    weights = {name: tensor[:1] for name, tensor in whole["model"].items()}
    for broken in ({"model": weights}, {"model": {}}, {"optimizer": {}}, {"rng": {}}, {"rng": {"cpu": [1]}}):
        torch.save({**whole, **broken}, path)
        with pytest.raises(CheckpointError, match=r"checkpoint\.pt does not fit this network"):
            engine(tmp_path / "run", store, "pnet", dataclasses.replace(SETTINGS, epochs=1))


@pytest.mark.parametrize("missing", [Kind.POSITIVE, Kind.NEGATIVE])
def test_without_positives_or_negatives_there_is_nothing_to_learn(tmp_path, missing):
    kinds = [kind for kind in Kind if kind is not missing]
    with pytest.raises(SamplesError, match=f"there is no {missing.name.lower()} sample for pnet"):
        engine(tmp_path / "run", make_store(tmp_path / "samples", "pnet", kinds), "pnet")
