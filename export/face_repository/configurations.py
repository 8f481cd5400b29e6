"""Configurations of the models for other servers than the one on a GPU, derived from each model's `config.pbtxt`.

A Triton that is started with `--model-config-name=NAME` takes a model's `configs/NAME.pbtxt`, and its `config.pbtxt`
where there is no such file. `CONFIGURATIONS` has a rule for each name. The files are made: `faces export` writes them,
and the launcher of the embedded server puts right what is missing or stale.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from face_repository.files import replace_atomically
from face_repository.layout import CASCADE, EMBEDDINGS, RepositoryError
from face_repository.versions import NETWORKS

EMBEDDED = "embedded"
"""Of `faces serve`: the Triton 2.51 of a Python package, on a CPU."""

BOUNDED = "bounded"
"""The same for load that nobody limits: `faces serve --bounded-queue`."""

BOUNDED_QUEUE = 8
"""Requests that wait with BOUNDED; more hear UNAVAILABLE at once."""

_HEAD = "# Derived from config.pbtxt by face_repository/configurations.py: change those.\n"


def _embedded(config: ModelConfig) -> None:
    # With any queue policy Triton 2.51 misses wake-ups: a caller who asks again at once may wait half a second for
    # nothing. A caller's own deadline still takes its request out of the queue. (To touch the field of a model without
    # dynamic batching would give it some.)
    if config.HasField("dynamic_batching"):
        config.dynamic_batching.ClearField("default_queue_policy")
    # The cascade on a CPU runs its networks itself: models that nobody asks load no torch, 0.6 GB.
    if config.name in NETWORKS:
        config.ClearField("model_warmup")


def _bounded(config: ModelConfig) -> None:
    # Requests from outside wait for these two. The others' callers are few: instances of models whose queue is bounded.
    if config.name not in (CASCADE, EMBEDDINGS):
        _embedded(config)
        return
    # 0.4 s of work for two cores and 20 images a second: whoever is let in is answered in time. What a GPU works off in
    # 0.3 s, the queue of `config.pbtxt`, would take them six.
    config.dynamic_batching.default_queue_policy.max_queue_size = BOUNDED_QUEUE
    # A CPU gains nothing from batches of images, and all callers of a batch wait for its last one.
    if config.name == CASCADE:
        config.dynamic_batching.preferred_batch_size[:] = [1]


CONFIGURATIONS: Mapping[str, Callable[[ModelConfig], None]] = {EMBEDDED: _embedded, BOUNDED: _bounded}
"""By name: what turns a model's `config.pbtxt` into the configuration of that name."""


def derive(config: ModelConfig, name: str) -> ModelConfig:
    """The configuration of that name, of the model whose `config.pbtxt` is given."""
    derived = ModelConfig()
    derived.CopyFrom(config)
    CONFIGURATIONS[name](derived)
    return derived


def read(file: Path) -> ModelConfig:
    """Raises RepositoryError where the file cannot be read, or is no configuration of a model."""
    try:
        return text_format.Parse(file.read_text(), ModelConfig())
    except (OSError, ValueError, text_format.ParseError) as error:
        raise RepositoryError(f"{file} is no configuration of a model: {error}") from error


def refresh(repository: Path, models: Iterable[str] | None = None) -> None:
    """Writes what is missing or stale of the models' derived configurations; nothing where all is right.

    models: their names; None for all in the repository.

    Raises:
        RepositoryError: a `config.pbtxt` cannot be read; or something is to be written, and cannot be.
    """
    for model in sorted(file.parent.name for file in repository.glob("*/config.pbtxt")) if models is None else models:
        config = read(repository / model / "config.pbtxt")
        for name in CONFIGURATIONS:
            file = repository / model / "configs" / f"{name}.pbtxt"
            derived = derive(config, name)
            # Triton takes config.pbtxt itself where there is nothing.
            wanted = None if derived == config else derived
            if _is_right(file, wanted):
                continue
            try:
                _put(file, wanted)
            except OSError as error:
                raise RepositoryError(
                    f"{file} is not what {repository / model / 'config.pbtxt'} makes of it, and cannot be written here "
                    f"({error.strerror}): run `faces export` where it can be"
                ) from error


def _is_right(file: Path, wanted: ModelConfig | None) -> bool:
    """Whether the file has this configuration, as Triton reads it; None: whether there is no file."""
    if wanted is None:
        return not file.exists()
    try:
        return bool(read(file) == wanted)
    except RepositoryError:
        return False


def _put(file: Path, config: ModelConfig | None) -> None:
    if config is None:
        file.unlink()
    else:
        text = _HEAD + text_format.MessageToString(config)
        replace_atomically(file, lambda target: target.write(text.encode()))
