"""The cascade in a worker: the same faces as alone, and as the service finds."""

import io

import numpy as np
import pytest
from PIL import Image

from face_batch.engines import LocalEngine, fingerprint, read_networks
from face_batch.errors import BatchError
from face_cascade import TooManyCandidates
from face_client.errors import InvalidImage, InvalidInput, ServerError
from face_repository.laying_out import lay_out
from face_repository.layout import default_repository
from face_runtime import engine as cascades
from tests.pictures import astronaut

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def networks():
    return read_networks(default_repository(), embeddings=False)


@pytest.fixture(scope="module")
def engine(networks, tmp_path_factory):
    return LocalEngine(networks, tmp_path_factory.mktemp("networks"), {"min_face_size": 40}, crops=True)


def files():
    """The portrait in several sizes and formats."""
    made = []
    for number, (side, kind) in enumerate([(512, "PNG"), (300, "JPEG"), (200, "WEBP"), (410, "BMP")] * 6):
        picture = Image.fromarray(np.roll(astronaut(), 20 * number, axis=1)).resize((side, side))
        file = io.BytesIO()
        picture.save(file, kind)
        made.append(file.getvalue())
    return made


def test_batched_equals_single(engine):
    together = list(engine.answers(files()))
    assert sum(map(len, together)) >= 20
    for file, found in zip(files(), together, strict=True):
        (alone,) = engine.answers([file])
        np.testing.assert_allclose(found.boxes, alone.boxes, atol=1e-3)
        np.testing.assert_allclose(found.probabilities, alone.probabilities, atol=1e-5)
        np.testing.assert_array_equal(found.crops, alone.crops)


def test_bad_pictures_have_their_place(engine):
    bad = [b"", b"no picture", files()[0][:2000]]
    pictures = [bad[0], files()[1], bad[1], astronaut(), bad[2]]
    answers = list(engine.answers(pictures))
    assert [isinstance(answer, InvalidImage) for answer in answers] == [True, False, True, False, True]
    assert len(answers[1]) == len(answers[3]) == 1
    assert list(engine.answers([])) == []


def test_too_many_candidates(engine, monkeypatch):
    detect = cascades.detect

    def crowded(images, *rest):
        found = yield from detect(images, *rest)
        return [TooManyCandidates("too many"), *found[1:]]

    monkeypatch.setattr(cascades, "detect", crowded)
    first, second = engine.answers([astronaut(), astronaut()])
    assert isinstance(first, InvalidInput)
    assert len(second) == 1


def test_too_little_memory_for_all_at_once(engine, monkeypatch):
    """Provoked, as no test can use up a machine's memory: groups of more than two images fail, and one image always."""
    detect = cascades.detect
    marked = np.zeros((64, 64, 3), np.uint8)

    def small(images, *rest):
        if len(images) > 2 or any(image.shape == marked.shape for image in images):
            raise MemoryError
        return detect(images, *rest)

    monkeypatch.setattr(cascades, "detect", small)
    answers = list(engine.answers([astronaut(), marked, *[astronaut()] * 3]))
    assert [isinstance(answer, ServerError) for answer in answers] == [False, True, False, False, False]
    assert {len(answer) for answer in answers if not isinstance(answer, ServerError)} == {1}


def test_what_the_answers_depend_on(networks):
    known = fingerprint(networks)
    assert set(known) == {"release", "pnet", "rnet", "onet"}
    assert known == fingerprint(dict(networks))
    changed = {**networks, "pnet": networks["pnet"] + b"!"}
    assert fingerprint(changed)["rnet"] == known["rnet"]


def test_no_networks(tmp_path):
    lay_out(tmp_path)
    with pytest.raises(BatchError, match="faces export"):
        read_networks(tmp_path, embeddings=False)


def test_options_are_the_services(networks, tmp_path):
    engine = LocalEngine(networks, tmp_path, {"max_faces": 1, "clip": True, "rotations": True})
    wide = np.concatenate([astronaut(), np.rot90(astronaut())], axis=1)
    (found,) = engine.answers([wide])
    assert len(found) == 1
    assert found.angles is not None
    assert (found.boxes >= 0).all()
