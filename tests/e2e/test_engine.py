"""The cascade on torch's device through a real Triton: here the device is the processor."""

import io

import numpy as np
import psutil
import pytest
from PIL import Image

from face_cascade.networks import FACENET
from face_client import FaceClient, InvalidImage
from face_repository.layout import REQUIRED
from face_server import EmbeddedTriton, Settings
from tests.e2e.test_reference import PIXELS, PROBABILITY
from tests.pictures import astronaut, reference, wall


@pytest.fixture(scope="module", params=["local", "bls"])
def on_torch(request, repository):
    """A client of a server with that engine; its networks are its own, or models that are handed its tensors, as
    FaceNet then is its crops."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRITON_FACES_ENGINE", "torch")
        crops = {"local": "host", "bls": "device"}[request.param]
        models = (*REQUIRED, FACENET.name)
        with (
            EmbeddedTriton(repository, Settings(networks=request.param, facenet_crops=crops, models=models)) as server,
            FaceClient(server.grpc_url, timeout=120) as client,
        ):
            assert has_torch(server.pid)
            yield client


def has_torch(server):
    """Whether the cascade's processes have it: with the other engine they do not."""
    stubs = [p for p in psutil.Process(server).children(recursive=True) if "/mtcnn/" in " ".join(p.cmdline())]
    assert stubs
    return all(any("libtorch" in file.path for file in stub.memory_maps()) for stub in stubs)


def test_the_default_server_has_no_torch(triton):
    """Lest the tests below ask that one."""
    assert not has_torch(triton.pid)


@pytest.mark.parametrize(("name", "picture"), [("astronaut.png", astronaut), ("wall", wall)])
def test_faces_are_the_references(on_torch, name, picture):
    boxes, landmarks, probabilities = reference(name, 20)
    faces = on_torch.detect(picture(), min_face_size=20)
    assert len(faces) == len(boxes)
    np.testing.assert_allclose(faces.boxes, boxes, atol=PIXELS)
    np.testing.assert_allclose(faces.landmarks, landmarks, atol=PIXELS)
    np.testing.assert_allclose(faces.probabilities, probabilities, atol=PROBABILITY)
    assert faces.candidates_dropped == 0


def jpeg(picture, **options):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", **options)
    return file.getvalue()


def test_files_are_what_their_pixels_are(on_torch, client):
    """As the engine of the processor says, of a picture that is turned too; crops come from where the image lies."""
    turned = Image.Exif()
    turned[0x0112] = 6
    for file in (jpeg(astronaut()), jpeg(np.rot90(astronaut()), exif=turned)):
        found, expected = (each.detect(file, crops=True) for each in (on_torch, client))
        assert len(found) == len(expected) == 1
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=PIXELS)
        np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=PIXELS)
        assert abs(found.crops.astype(int) - expected.crops).max() <= 1


def test_faces_are_recognized_from_where_they_were_cut(on_torch, client):
    files = [jpeg(astronaut()), jpeg(np.zeros((50, 60, 3), np.uint8)), jpeg(wall())]
    ours = on_torch.recognize_batch(files, crops=True, in_flight=3)
    for found, expected in zip(ours, client.recognize_batch(files), strict=True):
        assert len(found) == len(expected)
        # A grey level apart at most (see `face_runtime.device.faces`).
        np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=0.01)
        np.testing.assert_allclose(on_torch.embed(found.crops), found.embeddings, atol=1e-4)


def test_a_damaged_file_is_refused_and_the_next_one_answered(on_torch):
    file = jpeg(astronaut())
    for damaged in (file[: len(file) // 2], file[:40], b"no picture"):
        with pytest.raises(InvalidImage):
            on_torch.detect(damaged)
    assert len(on_torch.detect(file)) == 1
