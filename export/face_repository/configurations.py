"""Configurations of the models for the embedded server, derived from each model's `config.pbtxt`.

A Triton that is started with `--model-config-name=NAME` takes a model's `configs/NAME.pbtxt`, and its `config.pbtxt`
where there is no such file. `CONFIGURATIONS` has a rule for each name; `TUNED` is there once a machine was tuned. The
files are made: `faces export` writes them, and the launcher of the embedded server puts right what is missing or stale.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from face_repository.files import replace_atomically
from face_repository.layout import CASCADE, EMBEDDINGS, RepositoryError
from face_repository.tuned import Tuned
from face_repository.versions import NETWORKS

EMBEDDED = "embedded"
"""Of `faces serve`: the Triton 2.51 of a Python package, on a CPU."""

EMBEDDED_GPU = "embedded_gpu"
"""The same on a GPU."""

BOUNDED = "bounded"
"""The same for load that nobody limits: `faces serve --bounded-queue`."""

BOUNDED_QUEUE = 8
"""Requests that wait with BOUNDED; more hear UNAVAILABLE at once."""

TUNED = "tuned"
"""The same as `make tune` found it to be fastest on this machine: `faces serve --configuration tuned`."""

_HEAD = "# Derived from config.pbtxt by face_repository/configurations.py: change those.\n"


_CPU_INSTANCES = 2
"""Of the cascade: while one decodes, crops and packs answers on one core, the other keeps the networks busy."""


def _embedded_gpu(config: ModelConfig) -> None:
    # With any queue policy Triton 2.51 misses wake-ups: a caller who asks again at once may wait half a second for
    # nothing. A caller's own deadline still takes its request out of the queue. (To touch the field of a model without
    # dynamic batching would give it some.)
    if config.HasField("dynamic_batching"):
        config.dynamic_batching.ClearField("default_queue_policy")


def _embedded(config: ModelConfig) -> None:
    _embedded_gpu(config)
    _on_cpu(config)


def _on_cpu(config: ModelConfig) -> None:
    if config.name == CASCADE:
        del config.instance_group[_CPU_INSTANCES:]
    # The cascade on a CPU runs its networks itself: models that nobody asks load no torch, 0.6 GB.
    if config.name in NETWORKS:
        config.ClearField("model_warmup")


def _bounded(config: ModelConfig) -> None:
    # Requests from outside wait for these two. The others' callers are few: instances of models whose queue is bounded.
    if config.name not in (CASCADE, EMBEDDINGS):
        _embedded(config)
        return
    _on_cpu(config)
    # 0.4 s of work for two cores and 20 images a second: whoever is let in is answered in time. What a GPU works off in
    # 0.3 s, the queue of `config.pbtxt`, would take them six.
    config.dynamic_batching.default_queue_policy.max_queue_size = BOUNDED_QUEUE
    # A CPU gains nothing from batches of images, and all callers of a batch wait for its last one.
    if config.name == CASCADE:
        config.dynamic_batching.preferred_batch_size[:] = [1]


CONFIGURATIONS: Mapping[str, Callable[[ModelConfig], None]] = {
    EMBEDDED: _embedded,
    EMBEDDED_GPU: _embedded_gpu,
    BOUNDED: _bounded,
}
"""By name: what turns a model's `config.pbtxt` into the configuration of that name."""


def derive(config: ModelConfig, name: str) -> ModelConfig:
    """The configuration of that name, of the model whose `config.pbtxt` is given."""
    derived = ModelConfig()
    derived.CopyFrom(config)
    CONFIGURATIONS[name](derived)
    return derived


def derive_tuned(config: ModelConfig, tuned: Tuned) -> ModelConfig:
    """The configuration TUNED: for `mtcnn` with the values that were found, for the others that of EMBEDDED or
    EMBEDDED_GPU."""
    derived = derive(config, EMBEDDED_GPU if tuned.gpu else EMBEDDED)
    if derived.name == CASCADE:
        set_instances(derived, tuned.instances)
        # Not max_batch_size: that is also how many images a request may have, which callers rely on, as do ensembles.
        is_less = tuned.batch < derived.max_batch_size
        derived.dynamic_batching.preferred_batch_size[:] = [tuned.batch] if is_less else []
        derived.dynamic_batching.max_queue_delay_microseconds = tuned.delay_us
    return derived


def set_instances(config: ModelConfig, count: int) -> None:
    """So many a device, each a group of its own as in the `config.pbtxt` of `mtcnn`, which says why."""
    kind = config.instance_group[0].kind if config.instance_group else ModelInstanceGroup.KIND_AUTO
    del config.instance_group[:]
    for n in range(count):
        config.instance_group.add(count=1, kind=kind).rate_limiter.priority = n + 1


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
        RepositoryError: a `config.pbtxt` or what a tuner left cannot be read; or something is to be written, and
            cannot be.
    """
    tuned = Tuned.read(repository)
    for model in sorted(file.parent.name for file in repository.glob("*/config.pbtxt")) if models is None else models:
        config = read(repository / model / "config.pbtxt")
        all_derived = {name: derive(config, name) for name in CONFIGURATIONS}
        all_derived[TUNED] = config if tuned is None else derive_tuned(config, tuned)
        for name, derived in all_derived.items():
            file = repository / model / "configs" / f"{name}.pbtxt"
            # Triton takes config.pbtxt itself where there is nothing.
            wanted = None if derived == config else derived
            head = _HEAD + (_told(tuned) if name == TUNED and tuned else "")
            if _is_right(file, wanted, head):
                continue
            try:
                _put(file, wanted, head)
            except OSError as error:
                raise RepositoryError(
                    f"{file} is not what {repository / model / 'config.pbtxt'} makes of it, and cannot be written here "
                    f"({error.strerror}): run `faces export` where it can be"
                ) from error


def _told(tuned: Tuned) -> str:
    """Comments that say what was measured."""
    return "".join(f"# {' '.join(line.split())}\n" for line in tuned.measured)


def _is_right(file: Path, wanted: ModelConfig | None, head: str) -> bool:
    """Whether the file has this configuration, as Triton reads it, and its head; None: whether there is no file."""
    if wanted is None:
        return not file.exists()
    try:
        return bool(read(file) == wanted) and file.read_text().startswith(head)
    except RepositoryError:
        return False


def _put(file: Path, config: ModelConfig | None, head: str) -> None:
    if config is None:
        file.unlink()
    else:
        text = head + text_format.MessageToString(config)
        replace_atomically(file, lambda target: target.write(text.encode()))
