"""What is derived from the models' configurations, and the files that hold it."""

import pytest
from tritonclient.grpc.model_config_pb2 import ModelConfig

from face_cascade.networks import FACENET, STAGES
from face_repository.configurations import (
    BOUNDED,
    BOUNDED_QUEUE,
    CONFIGURATIONS,
    EMBEDDED,
    EMBEDDED_GPU,
    derive,
    read,
    refresh,
)
from face_repository.layout import (
    CASCADE,
    EMBEDDINGS,
    IDENTIFICATION,
    OPTIONAL,
    RECOGNITION,
    REQUIRED,
    RepositoryError,
    default_repository,
)

MODELS = (*REQUIRED, *OPTIONAL, *IDENTIFICATION)


def production(model):
    return read(default_repository() / model / "config.pbtxt")


@pytest.mark.parametrize("model", [CASCADE, FACENET.name, EMBEDDINGS])
def test_the_embedded_configurations_differ_in_their_queue_policy_and_a_cpus_in_its_instances_only(model):
    config = production(model)
    assert config.dynamic_batching.default_queue_policy.max_queue_size > 0
    assert config.dynamic_batching.default_queue_policy.default_timeout_microseconds > 0
    config.dynamic_batching.ClearField("default_queue_policy")
    assert derive(production(model), EMBEDDED_GPU) == config
    if model == CASCADE:
        del config.instance_group[2:]
    assert derive(production(model), EMBEDDED) == config


def test_the_cascade_has_six_instances_a_gpu_and_two_on_a_cpu():
    """Groups of one that differ: the supervisor has Triton end just the one whose process died."""
    counts = {None: 6, EMBEDDED_GPU: 6, EMBEDDED: 2, BOUNDED: 2}
    for name, count in counts.items():
        config = production(CASCADE) if name is None else derive(production(CASCADE), name)
        assert [group.count for group in config.instance_group] == [1] * count
        assert len({group.rate_limiter.priority for group in config.instance_group}) == count
        assert not any(group.kind for group in config.instance_group), "auto: the GPU where there is one"


@pytest.mark.parametrize("network", STAGES, ids=lambda network: network.name)
def test_the_cascades_networks_are_not_warmed_up_in_the_embedded_server(network):
    config, embedded = production(network.name), derive(production(network.name), EMBEDDED)
    assert config.model_warmup
    assert derive(config, EMBEDDED_GPU) == config, "on a GPU they are as in production"
    config.ClearField("model_warmup")
    assert embedded == config


@pytest.mark.parametrize("model", [CASCADE, EMBEDDINGS])
def test_the_bounded_configuration_differs_from_the_embedded_one_in_its_batching_only(model):
    """And its queue is the shorter one: a CPU works off what a GPU does in a fraction of a second in many."""
    config = production(model)
    bounded, policy = derive(config, BOUNDED), config.dynamic_batching.default_queue_policy
    assert policy.max_queue_size > BOUNDED_QUEUE
    policy.max_queue_size = BOUNDED_QUEUE
    assert bounded.dynamic_batching.default_queue_policy == policy
    assert list(bounded.dynamic_batching.preferred_batch_size) == ([1] if model == CASCADE else [])
    bounded.dynamic_batching.ClearField("default_queue_policy")
    bounded.dynamic_batching.ClearField("preferred_batch_size")
    assert bounded == derive(config, EMBEDDED)


@pytest.mark.parametrize("network", [*STAGES, FACENET], ids=lambda network: network.name)
def test_the_networks_queues_are_never_bounded_in_the_embedded_server(network):
    """Their callers are few: instances of models whose own queue is."""
    bounded = derive(production(network.name), BOUNDED)
    assert bounded == derive(production(network.name), EMBEDDED)
    assert not bounded.dynamic_batching.HasField("default_queue_policy")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_model_without_batching_gets_none(name):
    """Triton would refuse an ensemble that has."""
    assert derive(production(RECOGNITION), name) == production(RECOGNITION)


@pytest.fixture
def repository(tmp_path):
    for model in MODELS:
        (tmp_path / model).mkdir()
        (tmp_path / model / "config.pbtxt").write_text((default_repository() / model / "config.pbtxt").read_text())
    return tmp_path


def files(repository):
    """Path, content and when it was written, of everything that is derived."""
    return {path: (path.read_text(), path.stat().st_mtime_ns) for path in repository.glob("*/configs/*")}


def test_all_that_differs_is_written_and_nothing_else(repository):
    refresh(repository)
    written = {name: set() for name in CONFIGURATIONS}
    for file in files(repository):
        assert read(file) == derive(production(file.parts[-3]), file.stem)
        written[file.stem].add(file.parts[-3])
    naming, ensemble = IDENTIFICATION
    all_that_batch = set(MODELS) - {RECOGNITION, ensemble}
    with_a_queue_policy = {CASCADE, FACENET.name, EMBEDDINGS, naming}
    assert written == {EMBEDDED: all_that_batch, EMBEDDED_GPU: with_a_queue_policy, BOUNDED: all_that_batch}
    assert all(text.startswith("# Derived from config.pbtxt") for text, _ in files(repository).values())


def test_only_what_is_wrong_is_written_again(repository):
    refresh(repository)
    before = files(repository)
    refresh(repository)
    assert files(repository) == before
    config = repository / "facenet" / "config.pbtxt"
    config.write_text(config.read_text().replace("max_batch_size: 64", "max_batch_size: 32"))
    damaged, missing, not_needed = (
        repository / model / "configs" / "bounded.pbtxt" for model in ("mtcnn", "pnet", "face_recognition")
    )
    damaged.write_text("no configuration")
    missing.unlink()
    not_needed.parent.mkdir()
    not_needed.write_text("max_batch_size: 1")
    # Comments and spaces are no difference.
    same = repository / "onet" / "configs" / "embedded.pbtxt"
    same.write_text(same.read_text() + "\n# mine\n")
    refresh(repository, MODELS)
    after = files(repository)
    assert after.keys() == before.keys()
    changed = {path for path in before if after[path][0] != before[path][0]}
    assert changed == {repository / "facenet" / "configs" / f"{name}.pbtxt" for name in CONFIGURATIONS} | {same}
    assert all(read(path).max_batch_size == 32 for path in changed - {same})


def test_models_that_are_not_asked_for_are_left(repository):
    refresh(repository, ("pnet",))
    assert {path.parts[-3] for path in files(repository)} == {"pnet"}


def test_a_repository_that_cannot_be_written(repository, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("face_repository.configurations.replace_atomically", refuse)
    with pytest.raises(
        RepositoryError, match=r"face_embeddings/configs/embedded\.pbtxt .*\(Permission denied\).*`faces export`"
    ):
        refresh(repository)
    monkeypatch.undo()
    refresh(repository)
    monkeypatch.setattr("face_repository.configurations.replace_atomically", refuse)
    # All is right: there is nothing to write.
    refresh(repository)


def test_what_is_no_configuration(repository):
    (repository / "pnet" / "config.pbtxt").write_text("max_batch_size: many")
    with pytest.raises(RepositoryError, match=r"pnet/config\.pbtxt is no configuration of a model: "):
        refresh(repository)


def test_a_rule_changes_a_copy():
    config = ModelConfig(name="pnet")
    config.dynamic_batching.default_queue_policy.max_queue_size = 3
    before = config.SerializeToString()
    assert derive(config, EMBEDDED).SerializeToString() != before == config.SerializeToString()
