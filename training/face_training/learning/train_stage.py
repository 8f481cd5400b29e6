"""One stage from the index to its weight files: samples, training, files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from face_cascade.compiled import Weights
from face_cascade.networks import NETWORKS
from face_export.weights import digest
from face_training.annotations.pictures import AnnotatedPicture
from face_training.errors import SamplesError, UnreadablePicture
from face_training.learning.engine import Engine
from face_training.learning.stage_task import StageTask
from face_training.learning.trainable import (
    PRETRAINED,
    Trainable,
    initialised,
    new_network,
    stage_arrays,
    write_keras_list,
    write_state_dict,
)
from face_training.samples.making import make_samples
from face_training.samples.of_picture import stage_plan
from face_training.samples.records import record_type
from face_training.samples.store import Shards, recipe_digest
from face_training.settings import SampleSettings, TrainingSettings
from face_training.workplace import Workplace, clear_run, stages_before


@dataclass(frozen=True)
class StageRun:
    """What to train and on what.

    init: None for random weights, `pretrained` or a file's path to go on from. before: the same for the stages before,
    by name; those not named are this work folder's own. trust: pickles may be read.
    """

    work: Workplace
    stage: str
    samples: SampleSettings
    training: TrainingSettings
    init: str | None = None
    before: Mapping[str, str] = field(default_factory=dict)
    trust: bool = False

    @property
    def files(self) -> tuple[Path, Path]:
        """The weights that it is for: a state dict, and as ipazc's package reads them."""
        return self.work.weights(self.stage), self.work.keras_weights(self.stage)

    def check(self) -> None:
        """Raises WeightsError or SamplesError for weights that are named and cannot be used."""
        self._network()
        for stage in self.before:
            self._weights_of(stage)

    def clear(self) -> None:
        """Removes the samples and the run that are there for this stage; weight files stay until they are written."""
        clear_run(self.work.stage(self.stage))

    def make_samples(
        self,
        pictures: Sequence[AnnotatedPicture],
        processes: int,
        unreadable: Callable[[UnreadablePicture], object] | None = None,
    ) -> Iterator[int]:
        """Makes the samples that are not there yet; yields numbers of pictures done (`samples.making`)."""
        weights = {stage: self._weights_of(stage) for stage in stages_before(self.stage)}
        plan = stage_plan(self.stage, self.work.samples(self.stage), self.samples, weights, pictures)
        return make_samples(plan, pictures, processes, unreadable)

    def store(self) -> Shards:
        """The samples."""
        return Shards(self.work.samples(self.stage), record_type(NETWORKS[self.stage].side))

    def engine(self, store: Shards, device: torch.device) -> Engine:
        """The training, at its start or where it was left."""
        trainable = self._network()
        provenance = {
            "stage": self.stage,
            "first weights": digest(trainable.network),
            "samples": recipe_digest(self.work.samples(self.stage)),
        }
        task = StageTask(self.stage, trainable, store, self.training, device)
        return Engine(task, self.work.stage(self.stage), self.training, provenance, device)

    def write_weights(self, engine: Engine) -> list[Path]:
        """The files that the run is for."""
        state_dict, keras = self.files
        write_state_dict(state_dict, engine.task.network)
        write_keras_list(keras, self.stage, engine.task.network)
        return [state_dict, keras]

    def _network(self) -> Trainable:
        if self.init is None:
            return new_network(self.stage, self.training.seed)
        return initialised(self.stage, self.init, self.trust)

    def _weights_of(self, stage: str) -> Weights:
        choice = self.before.get(stage, str(self.work.weights(stage)))
        if choice != PRETRAINED and not Path(choice).exists():
            raise SamplesError(
                f"there is no {choice}: run `faces train {stage} {self.work.root}` first, or name a file with --{stage}"
            )
        return stage_arrays(stage, choice, self.trust)
